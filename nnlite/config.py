"""Settings of the process: precision (`floatx`), `epsilon`, seeds; and what is active in a thread.

What is active (a precision, a seed, recordings, the layers being called) is held by context
variables, which each thread has for itself."""

import contextvars
import functools
import os
import types
from typing import NamedTuple

import numpy as np

_settings = {
    "floatx": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "interactive_logging": True,
    "winograd": True,
    "max_epochs": None,
    "max_steps": None,
}
REALS = ("float32", "float64")
_precision = contextvars.ContextVar("nnlite precision", default=None)
_by_bins = contextvars.ContextVar("nnlite products by bins", default=False)
_random = contextvars.ContextVar("nnlite random generator", default=None)


def isolated(function):
    """A function whose calls leave nothing active behind, however they end.

    Ctrl-C can come between any two lines of Python, also in an `__exit__` or a `finally`. But it is
    C that enters a copy of the context and leaves it.
    """

    @functools.wraps(function)
    def call(*args, **kwargs):
        return contextvars.copy_context().run(function, *args, **kwargs)

    return call


class active:
    """An attribute of one thread: `isolated` puts it back."""

    def __set_name__(self, owner, name):
        self.variable = contextvars.ContextVar(f"nnlite {name}", default=None)

    def __get__(self, instance, owner=None):
        return self.variable.get()

    def __set__(self, instance, value):
        self.variable.set(value)


def floatx():
    """The precision of tensors that nobody gave one: 'float32' or 'float64'."""
    return _precision.get() or _settings["floatx"]


class precision:
    """`floatx()` is `real` inside the block, in this thread only: a model computes in its own
    precision."""

    def __init__(self, real):
        self.real = real

    def __enter__(self):
        self.before = _precision.get()
        _precision.set(self.real)

    def __exit__(self, *exc):
        _precision.set(self.before)


def by_bins():
    """Whether a product with encoded numbers is computed by their bins: see `products_by_bins`."""
    return _by_bins.get()


class products_by_bins:
    """Inside the block, in this thread, a product with encoded numbers is one call that knows of
    their bins, if that is `wanted`: steps of training and evaluation cost less so. It rounds
    otherwise than a product with the encoding, which predictions compute, and files of exports."""

    def __init__(self, wanted):
        self.wanted = wanted

    def __enter__(self):
        self.before = _by_bins.get()
        _by_bins.set(self.wanted)

    def __exit__(self, *exc):
        _by_bins.set(self.before)


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
    if value not in REALS:
        raise ValueError(f"set_floatx: expected 'float32' or 'float64', got {value!r}")
    _settings["floatx"] = value


class DTypePolicy:
    """The precision of what is computed and of weights, as an object.

    Parameters
    ----------
    name : {'float32', 'float64'}, default `floatx()`

    Attributes
    ----------
    name, compute_dtype, variable_dtype : str
        All of them the same: nnlite mixes no precisions.

    Raises
    ------
    ValueError
        For any other name, such as 'mixed_float16'.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.dtype_policies.DTypePolicy("float64").compute_dtype
    'float64'
    """

    def __init__(self, name=None):
        name = floatx() if name is None else name
        if not isinstance(name, str) or name not in REALS:
            raise ValueError(
                f"DTypePolicy: expected 'float32' or 'float64', got {name!r}; a model computes and "
                "keeps its weights in one of them"
            )
        self.name = self.compute_dtype = self.variable_dtype = name

    def get_config(self):
        """The policy as a dict, which `from_config` takes.

        Returns
        -------
        dict
            With the key 'name'.
        """
        return {"name": self.name}

    @classmethod
    def from_config(cls, config):
        """The policy that `get_config` described.

        Parameters
        ----------
        config : dict
        """
        return cls(**config)

    def __repr__(self):
        return f"DTypePolicy({self.name!r})"

    def __eq__(self, other):
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self):
        return hash(self.name)


def as_policy(identifier):
    """A DTypePolicy by its name, its config or itself.

    Parameters
    ----------
    identifier : str, DTypePolicy, dict or None
        None: that of `floatx()`.

    Raises
    ------
    ValueError
        For a precision that nnlite does not have.
    """
    if isinstance(identifier, DTypePolicy):
        return identifier
    if isinstance(identifier, dict):
        identifier = identifier.get("config", identifier).get("name")
    return DTypePolicy(identifier)


def dtype_policy():
    """The precision of tensors and models that are made from now on, as a DTypePolicy."""
    return DTypePolicy()


def set_dtype_policy(policy):
    """Set the precision of tensors and models that are made from now on, as `set_floatx`.

    Parameters
    ----------
    policy : {'float32', 'float64'} or DTypePolicy

    Raises
    ------
    ValueError
        For any other precision, such as 'mixed_float16'.
    """
    set_floatx(as_policy(policy).name)


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
    if not isinstance(value, (int, float, np.number)) or not 0 < value < np.inf:
        raise ValueError(f"set_epsilon: expected a positive number, got {value!r}")
    _settings["epsilon"] = float(value)


def image_data_format():
    """Always 'channels_last': images are (N, height, width, channels)."""
    return _settings["image_data_format"]


def set_image_data_format(data_format):
    """Accept the layout of images that nnlite has by default.

    Parameters
    ----------
    data_format : {'channels_last'}

    Raises
    ------
    ValueError
        For 'channels_first', which is an argument of a layer: `data_format="channels_first"`.
    """
    if data_format != "channels_last":
        raise ValueError(
            f"set_image_data_format: expected 'channels_last', got {data_format!r}; layers take "
            "data_format='channels_first'"
        )


def backend():
    """Always 'nnlite': the name of what computes."""
    return "nnlite"


def enable_interactive_logging():
    """Let `fit(verbose="auto")` and `Progbar` show bars, as they do at first."""
    _settings["interactive_logging"] = True


def disable_interactive_logging():
    """Send what nnlite says of its progress to the logger 'nnlite' of Python's `logging`, as INFO:
    for services. `fit(verbose="auto")` then says a line for each epoch."""
    _settings["interactive_logging"] = False


def is_interactive_logging_enabled():
    """Whether progress is shown by bars."""
    return _settings["interactive_logging"]


def enable_winograd():
    """Let convolutions of 3 x 3 pixels, and their gradients, take a quarter of the multiplications
    where that pays, as they do at first.

    Strides and dilations are 1, and channels and filters, in one group, multiples of 16. An image
    is cut into patches of 4 x 4 pixels: it has 4 of them at least, or 25 if it has more than 128
    channels, and five eighths of their pixels lie in it. (For gradients the patches of all images
    of a batch count, and half of the pixels.) Results differ from those of plain convolutions by
    rounding: in float32 by about 1e-5 of the largest.

    A. Lavin, S. Gray: "Fast algorithms for convolutional neural networks", CVPR 2016.
    """
    _settings["winograd"] = True


def disable_winograd():
    """Compute every convolution as the sum that defines it.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.config.disable_winograd()
    >>> nnlite.config.is_winograd_enabled()
    False
    >>> nnlite.config.enable_winograd()
    """
    _settings["winograd"] = False


def is_winograd_enabled():
    """Whether convolutions take fewer multiplications where that pays."""
    return _settings["winograd"]


def set_max_epochs(max_epochs):
    """Limit the epochs of every `fit`, for quick runs of long programs.

    Parameters
    ----------
    max_epochs : int of at least 1, or None
        None: no limit, as at first.
    """
    _settings["max_epochs"] = _limit("max_epochs", max_epochs)


def max_epochs():
    """The most epochs of a `fit`; None if there is no limit."""
    return _settings["max_epochs"]


def set_max_steps_per_epoch(max_steps_per_epoch):
    """Limit the batches of every epoch, evaluation and prediction, for quick runs of long programs.

    `predict_on_batch`, and estimators when they predict, take all rows.

    Parameters
    ----------
    max_steps_per_epoch : int of at least 1, or None
        None: no limit, as at first.
    """
    _settings["max_steps"] = _limit("max_steps_per_epoch", max_steps_per_epoch)


def max_steps_per_epoch():
    """The most batches of an epoch; None if there is no limit."""
    return _settings["max_steps"]


def _limit(name, value):
    """A limit of `set_max_...`, if it is one."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if value is not None and not (whole and value >= 1):
        raise ValueError(f"set_{name}: expected an integer of at least 1 or None, got {value!r}")
    return value


def _generator(seed):
    return np.random.Generator(np.random.Philox(seed))


_settings["random"] = None
if hasattr(os, "register_at_fork"):  # a forked child must not repeat its parent's draws
    os.register_at_fork(after_in_child=lambda: _settings.update(random=None))


def next_seed():
    """A seed for whatever was given none, in [0, 2**63): the next of `seeded` or `set_random_seed`,
    else any."""
    generator = _random.get() or _settings["random"]
    if generator is None:
        generator = _settings["random"] = _generator(None)
    return int(generator.integers(2**63))


class seeded:
    """`next_seed` follows from `seed` inside the block, in this thread only."""

    def __init__(self, seed):
        self.seed = seed

    def __enter__(self):
        self.before = _random.get()
        _random.set(_generator(self.seed))

    def __exit__(self, *exc):
        _random.set(self.before)


def seed_draws(seed):
    """Make everything of nnlite that draws random numbers from now on repeatable.

    Parameters
    ----------
    seed : int
        At least 0.
    """
    if not isinstance(seed, (int, np.integer)) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed: expected an integer of at least 0, got {seed!r}")
    _settings["random"] = _generator(int(seed))


def random_state():
    """Where the generator of `next_seed` is; None if nothing has drawn from it."""
    generator = _random.get() or _settings["random"]
    return None if generator is None else generator.bit_generator.state


def set_random_state(state):
    """Let `next_seed` go on from where it was.

    Parameters
    ----------
    state : dict or None
        As `random_state` returned it.
    """
    if state is not None:
        next_seed()  # there is a generator from now on
        (_random.get() or _settings["random"]).bit_generator.state = state


# What TensorFlow's `tf.config` is asked for.


class PhysicalDevice(NamedTuple):
    """A processor that computes."""

    name: str
    device_type: str


def list_physical_devices(device_type=None):
    """The processors that nnlite computes on: the CPU alone.

    Parameters
    ----------
    device_type : {'CPU', 'GPU', ...}, optional
        Only those of this type.
    """
    cpu = PhysicalDevice("/physical_device:CPU:0", "CPU")
    return [cpu] if device_type in (None, "CPU") else []


def run_functions_eagerly(run_eagerly):
    """Do nothing: `tf.function` leaves functions as they are.

    Parameters
    ----------
    run_eagerly : bool
        Ignored. `compile(run_eagerly=True)` makes a model's steps run op by op.
    """


experimental = types.SimpleNamespace(list_physical_devices=list_physical_devices)
