"""Arguments of `compile`, `fit`, `evaluate` and `predict`: what they may be, checked before any
work."""

import numpy as np

from nnlite import config
from nnlite.checks import is_number, positive_int


def frequency(given):
    """`validation_freq`: every how many epochs, or the set of the numbers of epochs."""
    if isinstance(given, (list, tuple, set, frozenset, range)):
        return {positive_int("each epoch of validation_freq", n) for n in given}
    return positive_int("validation_freq", given)


def flag(name, given):
    """A setting that is true or false; None is false."""
    is_flag = isinstance(given, (bool, np.bool_)) or (is_number(given) and given in (0, 1))
    if given is not None and not is_flag:
        raise ValueError(f"{name}: expected True or False, got {given!r}")
    return bool(given)


def verbosity(given):
    """`verbose` as a number."""
    if isinstance(given, str) and given == "auto":
        return 1 if config.is_interactive_logging_enabled() else 2
    if isinstance(given, bool) or is_number(given):
        if given in (0, 1, 2):
            return int(given)
    raise ValueError(f"verbose: expected 'auto', 0, 1 or 2, got {given!r}")


def check_not_pairs(x, one_input):
    """Raise a ValueError for inputs and targets in one tuple, or a list of such pairs, where x is
    expected."""
    if isinstance(x, list) and x and all(isinstance(entry, tuple) for entry in x):
        if all(_is_pair(entry) for entry in x):
            raise ValueError(
                f"x: expected arrays, as in fit(x, y), got a list of {len(x)} tuples; batches (x, "
                "y) come from iter(...) of the list, a generator or a utils.PyDataset, and samples "
                "(x, y) become arrays by x, y = map(np.array, zip(*pairs))"
            )
    if isinstance(x, tuple) and len(x) in (2, 3) and one_input and _holds_arrays(x):
        raise ValueError(
            f"x: expected one array, got a tuple of {len(x)}; targets are the second argument, as "
            "in fit(x, y)"
        )


def _is_pair(entry):
    if len(entry) not in (2, 3):
        return False
    x, y = (isinstance(part, (list, tuple)) for part in entry[:2])
    return _holds_arrays(entry) or x != y


def _holds_arrays(entries):
    return all(getattr(entry, "shape", ()) for entry in entries)


def tells_outputs(given):
    """Whether a setting has entries by outputs, which the first batch makes known."""
    return isinstance(given, dict) or (isinstance(given, (list, tuple)) and len(given) > 1)


def count(name, value, default=None):
    """A positive number that may be left out."""
    return default if value is None else positive_int(name, value)


def steps(name, value):
    """A number of batches that may be left out, within the limit of `config`."""
    limit = config.max_steps_per_epoch()
    if value is limit is None:
        return None
    value = count(name, value, limit)
    return value if limit is None else min(value, limit)
