"""Calls of functions of `nnlite.ops` as Keras describes them in the config of a functional model:
as operations, objects that hold the settings and are called on the tensors."""

import inspect
import operator

from nnlite import ops

# For each module of Keras the functions whose operations have no settings, then those with some.
_NUMPY = """abs add arctan arctan2 ceil cos divide dot equal exp expm1 floor floor_divide
greater greater_equal inner isfinite isinf isnan kron less less_equal log log1p log2 log10 logaddexp
logical_and logical_not logical_or logical_xor matmul maximum minimum mod multiply
negative not_equal outer power ravel sign sin sqrt square subtract tanh trunc vdot
where"""
_NN = "hard_sigmoid hard_silu relu relu6 selu sigmoid silu softplus softsign"
_REDUCTIONS = dict.fromkeys(
    "all any argmax argmin max mean median min std sum var".split(), "axis keepdims"
)
_ALONG = "argsort concatenate expand_dims flip sort squeeze stack take take_along_axis"
_EDGES = "top_{0} left_{0} bottom_{0} right_{0} target_height target_width data_format"
_WINDOWS = "sequence_length sequence_stride fft_length"
_SETTINGS = {
    "numpy": {
        **dict.fromkeys(_NUMPY.split(), ""),
        **_REDUCTIONS,
        **dict.fromkeys(_ALONG.split(), "axis"),
        **dict.fromkeys(("cumprod", "cumsum"), "axis dtype"),
        **dict.fromkeys(("diag", "tril", "triu"), "k"),
        **dict.fromkeys(("diagonal", "trace"), "offset axis1 axis2"),
        **dict.fromkeys("full_like ones_like zeros_like".split(), "dtype"),
        "broadcast_to": "shape",
        "clip": "x_min x_max",
        "cross": "axisa axisb axisc axis",
        "moveaxis": "source destination",
        "nan_to_num": "nan posinf neginf",
        "repeat": "repeats axis",
        "reshape": "newshape",
        "roll": "shift axis",
        "round": "decimals",
        "split": "indices_or_sections axis",
        "swapaxes": "axis1 axis2",
        "tensordot": "axes",
        "tile": "repeats",
        "transpose": "axes",
    },
    "nn": {
        **dict.fromkeys(_NN.split(), ""),
        **dict.fromkeys(("log_softmax", "softmax"), "axis"),
        "elu": "alpha",
        "gelu": "approximate",
        "leaky_relu": "negative_slope",
        "normalize": "axis order epsilon",
        "one_hot": "num_classes axis dtype",
    },
    "core": {"cast": "dtype", "stop_gradient": ""},
    "image": {
        **dict.fromkeys(
            ("image.hsv_to_rgb", "image.rgb_to_grayscale", "image.rgb_to_hsv"), "data_format"
        ),
        "image.affine_transform": "interpolation fill_mode fill_value data_format",
        "image.crop_images": _EDGES.format("cropping"),
        "image.extract_patches": "size strides dilation_rate padding data_format",
        "image.gaussian_blur": "kernel_size sigma data_format",
        "image.map_coordinates": "order fill_mode fill_value",
        "image.pad_images": _EDGES.format("padding"),
        "image.perspective_transform": "interpolation fill_value data_format",
        "image.resize": """size interpolation antialias crop_to_aspect_ratio pad_to_aspect_ratio
            fill_mode fill_value data_format""",
    },
    "linalg": {"norm": "ord axis keepdims"},
    "math": {
        **dict.fromkeys(("erf", "fft", "fft2", "ifft2"), ""),
        **dict.fromkeys(("irfft", "rfft"), "fft_length"),
        "extract_sequences": "sequence_length sequence_stride",
        "in_top_k": "k",
        "istft": f"{_WINDOWS} length window center",
        "logsumexp": "axis keepdims",
        "stft": f"{_WINDOWS} window center",
        "top_k": "k sorted",
    },
}
_OPERATORS = {
    operator.abs: "abs",
    operator.add: "add",
    operator.and_: "logical_and",
    operator.eq: "equal",
    operator.floordiv: "floor_divide",
    operator.ge: "greater_equal",
    operator.gt: "greater",
    operator.invert: "logical_not",
    operator.le: "less_equal",
    operator.lt: "less",
    operator.matmul: "matmul",
    operator.mod: "mod",
    operator.mul: "multiply",
    operator.ne: "not_equal",
    operator.neg: "negative",
    operator.or_: "logical_or",
    operator.pow: "power",
    operator.sub: "subtract",
    operator.truediv: "divide",
    operator.xor: "logical_xor",
}
_HOME = {
    name: (module, settings.split())
    for module, names in _SETTINGS.items()
    for name, settings in names.items()
}


_SHORT = "rgb hsv fft fft2 ifft2 irfft istft rfft stft".split()


def _class_name(name):
    """Keras's name of an operation, such as RGBToHSV of image.rgb_to_hsv, or IRFFT of irfft."""
    parts = name.removeprefix("image.").split("_")
    return "".join(p.upper() if p in _SHORT else p.capitalize() for p in parts)


# Of which None is a value beside the default: an axis, a window.
_NONE_IS_SOME = ("argsort", "istft", "sort", "stft")
_BY_CLASS = {_class_name(name): name for name in _HOME}
_BY_CLASS |= {"Absolute": "abs", "TrueDivide": "divide", "Pow": "power", "HardSwish": "hard_silu"}


def name_of(function):
    """The name of an op, or of the op that an operator of Python stands for.

    Parameters
    ----------
    function : callable
    """
    if getattr(function, "__module__", None) == ops.image.__name__:
        return f"image.{function.__name__}"
    return "get_item" if function in _GETS else _OPERATORS.get(function) or function.__name__


def described(function, args, kwargs, name):
    """What a config says of a call of an op.

    Parameters
    ----------
    function : callable
        A function of `nnlite.ops` or an operator of Python.
    args, kwargs : tuple and dict
        Of the call.
    name : str
        What the config calls it.

    Returns
    -------
    (dict, tuple, dict)
        Class and settings; the arguments that are left for the call.
    """
    if function in _GETS:
        return _operation("numpy", "GetItem", {"name": name}), args, kwargs
    op = name_of(function)
    if op not in _HOME:
        config = {"module": "nnlite.ops", "class_name": op, "config": {"name": name}}
        return {**config, "registered_name": f"nnlite>{op}"}, args, kwargs
    module, settings = _HOME[op]
    given = inspect.signature(operator.attrgetter(op)(ops)).bind(*args, **kwargs)
    held = {key: given.arguments[key] for key in settings if key in given.arguments}
    left = {key: value for key, value in given.arguments.items() if key not in held}
    if op == "one_hot" and "dtype" not in held:
        held["dtype"] = None
    return _operation(module, _class_name(op), {"name": name, **held}), tuple(left.values()), {}


def _operation(module, name, config):
    path = f"keras.src.ops.{module}"
    return {"module": path, "class_name": name, "config": config, "registered_name": name}


def is_operation(config):
    """Whether the config of a part of a model is that of an op, not of a layer."""
    module = str(config.get("module"))
    return module.startswith("keras.src.ops.") or module in ("nnlite.ops", "keras.ops")


def function_of(config):
    """The function that the config of an op describes, of the tensors that are left.

    Parameters
    ----------
    config : dict

    Raises
    ------
    ValueError
        If there is no such op.
    """
    name, settings = config.get("class_name"), dict(config.get("config") or {})
    settings.pop("name", None)
    if name == "GetItem":
        return _getitem
    op = name if config["module"] == "nnlite.ops" else _BY_CLASS.get(name)
    if op not in ops.__all__ and op not in _HOME:
        raise ValueError(f"{name!r}: expected an operation of Keras that nnlite has, got that one")
    function = operator.attrgetter(op)(ops)
    known = inspect.signature(function).parameters
    unknown = {key for key, value in settings.items() if key not in known and value}
    if unknown:
        raise ValueError(f"{name}: expected no settings but {', '.join(known)}, got {unknown}")
    settings = {key: value for key, value in settings.items() if key in known}
    for key, value in settings.items():
        replaced = known[key].default not in (None, inspect.Parameter.empty)
        if value is None and replaced and op not in _NONE_IS_SOME:
            settings = {k: v for k, v in settings.items() if k != key}
    return Settled(function, settings) if settings else function


class Settled:
    """A function of `nnlite.ops` some of whose arguments are settled.

    Parameters
    ----------
    function : callable
    settings : dict
    """

    def __init__(self, function, settings):
        self.function, self.settings = function, settings
        self.__name__, self.__module__ = function.__name__, function.__module__

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs, **self.settings)


def _getitem(x, key):
    return x[tuple(key) if isinstance(key, list) else key]


_GETS = (operator.getitem, _getitem)
