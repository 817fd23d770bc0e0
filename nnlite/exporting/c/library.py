"""The C functions that a model may need: files in `library/`, of which it gets what it uses.

A file is ordinary C. A piece of it, a function, a type or a constant with the comment above, has no
empty line in it and one around it. A piece needs the pieces whose names are in it."""

import re
from functools import cache
from pathlib import Path

_NAME = re.compile(
    r"^(?:static [\w ]+?[ *](\w+)\(|(?:#define )(\w+)|(?:typedef struct|enum) .*?\} ?(\w+)?;)",
    re.M | re.S,
)
_LEFT_OUT = re.compile(r"#include|\s*// clang-format")


@cache
def pieces():
    """The text of each piece by its name, in an order in which C can read them."""
    texts, order = {}, {}
    for path in sorted((Path(__file__).parent / "library").glob("*.h")):
        texts[path.name] = path.read_text()
    while texts:  # a file stands behind those that it includes
        for name, text in list(texts.items()):
            if not set(re.findall(r'^#include "(.*)"', text, re.M)) & texts.keys():
                order[name] = texts.pop(name)
    found = {}
    for text in order.values():
        for piece in text.split("\n\n"):
            lines = [line for line in piece.splitlines() if not _LEFT_OUT.match(line)]
            piece = "\n".join(lines).strip()
            named = re.sub(r"/\*.*?\*/", "", piece, flags=re.S)
            for match in _NAME.finditer(named):
                found[next(filter(None, match.groups()), "enum")] = piece
    return found


@cache
def reserved():
    """The names that nothing of a model may have."""
    return frozenset(pieces().keys() | words_of(pieces()["enum"]) | {"wrong", "selftest"})


def words_of(text):
    """The names in a text, without its comments."""
    return set(re.findall(r"[A-Za-z_]\w*", re.sub(r"/\*.*?\*/", "", text, flags=re.S)))


def needed(text, cases=()):
    """The pieces that C text needs, as one text.

    Parameters
    ----------
    text : str
    cases : collection of str
        The cases that switches keep, of those that `activated` has.
    """
    known, kinds = dict(pieces()), words_of(pieces()["enum"])
    known["activated"] = "\n".join(
        line
        for line in known["activated"].splitlines()
        if not (found := re.match(r"\s*case (\w+):", line)) or found[1] in cases
    )
    wanted, new = set(), words_of(text) & (known.keys() | kinds)
    while new:
        if new & kinds:
            new.add("enum")
        wanted |= new
        new = {w for name in new if name in known for w in words_of(known[name])}
        new = new & (known.keys() | kinds) - wanted
    chosen = dict.fromkeys(text for name, text in known.items() if name in wanted)
    return "\n\n".join(chosen)
