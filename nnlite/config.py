"""Settings of the process: precision (`floatx`), `epsilon`, seeds."""

import contextlib
import os
import random
import threading

import numpy as np

_settings = {"floatx": "float32", "epsilon": 1e-7, "image_data_format": "channels_last"}
_here = threading.local()


def floatx():
    """The precision of tensors that nobody gave one: 'float32' or 'float64'."""
    return getattr(_here, "real", None) or _settings["floatx"]


@contextlib.contextmanager
def precision(real):
    """`floatx()` is `real` inside the block, in this thread only: a model computes in its own
    precision."""
    before = getattr(_here, "real", None)
    _here.real = real
    try:
        yield
    finally:
        _here.real = before


def set_floatx(value):
    """Set the precision of tensors and models that are made from now on.

    Parameters
    ----------
    value : {'float32', 'float64'}
        'float32' at first.

    Raises
    ------
    ValueError
        For any other value.
    """
    if value not in ("float32", "float64"):
        raise ValueError(f"set_floatx: expected 'float32' or 'float64', got {value!r}")
    _settings["floatx"] = value


def epsilon():
    """The small number that keeps logarithms and divisions finite in losses (default 1e-7)."""
    return _settings["epsilon"]


def set_epsilon(value):
    """Set `epsilon()`.

    Parameters
    ----------
    value : float in (0, inf)

    Raises
    ------
    ValueError
        For any other value.
    """
    if not value > 0:
        raise ValueError(f"set_epsilon: expected a positive number, got {value!r}")
    _settings["epsilon"] = float(value)


def image_data_format():
    """Always 'channels_last': images are (N, height, width, channels)."""
    return _settings["image_data_format"]


def _generator(seed):
    return np.random.Generator(np.random.Philox(seed))


_settings["random"] = None
if hasattr(os, "register_at_fork"):  # a forked child must not repeat its parent's draws
    os.register_at_fork(after_in_child=lambda: _settings.update(random=None))


def next_seed():
    """A seed for whatever was given none, in [0, 2**63): the next of `seeded` or `set_random_seed`,
    else any."""
    generator = getattr(_here, "random", None) or _settings["random"]
    if generator is None:
        generator = _settings["random"] = _generator(None)
    return int(generator.integers(2**63))


@contextlib.contextmanager
def seeded(seed):
    """`next_seed` follows from `seed` inside the block, in this thread only."""
    before = getattr(_here, "random", None)
    _here.random = _generator(seed)
    try:
        yield
    finally:
        _here.random = before


def set_random_seed(seed):
    """Make everything that draws random numbers from now on repeatable: nnlite, `numpy.random` and
    Python's `random`.

    Parameters
    ----------
    seed : int
        At least 0.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.utils.set_random_seed(7)
    """
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"set_random_seed: expected an integer of at least 0, got {seed!r}")
    _settings["random"] = _generator(int(seed))
    np.random.seed(int(seed) % 2**32)  # noqa: NPY002 (it takes no more)
    random.seed(int(seed))
