"""Which names docs/keras.md says nnlite has, by module of Keras.

`python tests/support/keras_names.py` moves the names that have come, or are gone, to the other
list of their module.
"""

import importlib
import pathlib
import re
import textwrap

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "keras.md"
_SECTION = re.compile(r"^### `(keras[\w.]*)`\n(.*?)(?=^##|\Z)", re.M | re.S)
_LIST = r"^{}:\s(.*?)\.\n\n"


def sections(text):
    """Module -> {'Yes': names, 'No': names} of a page."""
    found = {}
    for module, section in _SECTION.findall(text):
        lists = {head: re.search(_LIST.format(head), section + "\n", re.M | re.S) for head in HEADS}
        found[module] = {h: re.findall(r"`(\w+)`", m[1]) if m else [] for h, m in lists.items()}
    return found


HEADS = ("Yes", "No")


def is_there(module, name):
    """Whether nnlite has a name of Keras under its path."""
    try:
        return hasattr(importlib.import_module(f"nnlite.{module}"), name)
    except ImportError:
        return False


def misplaced(text):
    """Names that stand in the wrong list, as '+ path' of those that have come, '- path' of
    others."""
    return [
        f"{'-' if head == 'Yes' else '+'} {module}.{name}"
        for module, lists in sections(text).items()
        for head, names in lists.items()
        for name in names
        if is_there(module, name) != (head == "Yes")
    ]


def corrected(text):
    """The page with each name in the list where it belongs."""

    def section(match):
        module, rest = match.groups()
        names = [n for names in sections(match[0])[module].values() for n in names]
        for head in HEADS:
            rest = re.sub(_LIST.format(head), "", rest + "\n", flags=re.M | re.S)
        parts = [f"### `{module}`"]
        for head in HEADS:
            some = [f"`{n}`" for n in sorted(names) if is_there(module, n) == (head == "Yes")]
            if some:
                parts.append(textwrap.fill(f"{head}: {', '.join(some)}.", 128))
        parts.append(rest.strip())
        return "\n\n".join(filter(None, parts)) + "\n\n"

    return _SECTION.sub(section, text).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(corrected(PAGE.read_text()))
