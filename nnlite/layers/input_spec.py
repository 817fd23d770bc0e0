"""InputSpec: what a layer of one's own says of its inputs."""

from nnlite.checks import axes as checked_axes
from nnlite.configurable import Configurable
from nnlite.engine.lengths import open_shape
from nnlite.engine.recording import traces
from nnlite.tree import flatten

_COUNT = "int [0, inf)"


class InputSpec(Configurable):
    """What an input of a layer must be. A layer whose `input_spec` it is refuses others.

    Parameters
    ----------
    dtype : str, optional
        'float32', 'float64' or 'int32'.
    shape : tuple of int or None, optional
        With the batch first; None stands for any size.
    ndim, max_ndim, min_ndim : int, optional
        The number of dimensions, the batch among them; the largest and the least.
    axes : dict of int to int, optional
        The sizes of some axes.
    allow_last_axis_squeeze : bool, default False
        Whether a last axis of size 1 may be missing, or stand where `shape` has none.
    name : str, optional
        The key of the input among those in a dict.
    optional : bool, default False
        Whether the input may be None.

    Examples
    --------
    >>> from nnlite import layers
    >>> class Last(layers.Layer):
    ...     def __init__(self, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.input_spec = layers.InputSpec(ndim=3, axes={-1: 2})
    ...     def call(self, x):
    ...         return x[:, -1]
    >>> Last()([[[1.0, 2.0]]]).shape
    (1, 2)
    >>> Last()([[[1.0, 2.0, 3.0]]])
    Traceback (most recent call last):
    ValueError: layer 'last' (Last): input_spec: expected size 2 of axis -1, got shape (1, 1, 3)
    """

    _legal = {
        "ndim": _COUNT,
        "max_ndim": _COUNT,
        "min_ndim": _COUNT,
        "allow_last_axis_squeeze": "bool",
        "optional": "bool",
    }

    def __init__(
        self,
        dtype=None,
        shape=None,
        ndim=None,
        max_ndim=None,
        min_ndim=None,
        axes=None,
        allow_last_axis_squeeze=False,
        name=None,
        optional=False,
    ):
        self._check_given()
        self.dtype, self.name, self.optional = dtype, name, optional
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if shape is None else len(self.shape)
        self.max_ndim, self.min_ndim = max_ndim, min_ndim
        if not isinstance(axes, (dict, type(None))):
            raise TypeError(f"InputSpec: axes: expected a dict of int to int, got {axes!r}")
        self.axes = {checked_axes("InputSpec: axes", k)[0]: n for k, n in (axes or {}).items()}
        most = self.max_ndim if self.ndim is None else self.ndim
        if most is not None and self.axes and max(self.axes) >= most:
            raise ValueError(
                f"InputSpec: axes: expected axes below {most}, the number of dimensions, got "
                f"{max(self.axes)}"
            )
        self.allow_last_axis_squeeze = allow_last_axis_squeeze

    def check(self, x):
        """Raise a ValueError unless an input is what it must be.

        Parameters
        ----------
        x : Tensor or None
        """
        if x is None:
            if not self.optional:
                raise ValueError("input_spec: expected a tensor, got None")
            return
        ndim = len(x.shape)
        shape = open_shape(x.shape)
        if traces():  # on as many samples as come to mind
            shape = (None, *shape[1:])
        if self.ndim is not None and ndim != self.ndim and not self.allow_last_axis_squeeze:
            raise ValueError(f"input_spec: expected {self.ndim} dimensions, got shape {shape}")
        if self.max_ndim is not None and ndim > self.max_ndim:
            raise ValueError(
                f"input_spec: expected at most {self.max_ndim} dimensions, got shape {shape}"
            )
        if self.min_ndim is not None and ndim < self.min_ndim:
            raise ValueError(
                f"input_spec: expected at least {self.min_ndim} dimensions, got shape {shape}"
            )
        if self.dtype is not None and x.dtype != self.dtype:
            raise ValueError(f"input_spec: expected dtype {self.dtype!r}, got {x.dtype!r}")
        for axis, size in self.axes.items():
            if not -ndim <= axis < ndim or (
                None not in (size, shape[axis]) and size != shape[axis]
            ):
                raise ValueError(
                    f"input_spec: expected size {size} of axis {axis}, got shape {shape}"
                )
        if self.shape is not None:
            pair = [self.shape, shape]
            if self.allow_last_axis_squeeze:
                pair = [s[:-1] if s[-1:] == (1,) else s for s in pair]
            one, other = pair
            if len(one) != len(other) or any(
                a != b for a, b in zip(one, other) if None not in (a, b)
            ):
                raise ValueError(f"input_spec: expected shape {self.shape}, got shape {shape}")


def check_specs(specs, inputs):
    """Raise a ValueError unless the inputs of a layer are what its `input_spec` says.

    Parameters
    ----------
    specs : InputSpec, or list, tuple or dict of them
    inputs : Tensor, or list, tuple or dict of them
    """
    specs = flatten(specs)
    if isinstance(inputs, dict) and all(getattr(spec, "name", None) for spec in specs):
        inputs = [inputs.get(spec.name) for spec in specs]
    found = flatten(inputs)
    if len(found) != len(specs):
        raise ValueError(f"input_spec: expected {len(specs)} inputs, got {len(found)}")
    for spec, x in zip(specs, found):
        if spec is not None:
            spec.check(x)
