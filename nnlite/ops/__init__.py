"""Functions of tensors, arrays and numbers, with gradients, of which models and losses consist.

`__all__` lists what users compose; the other names serve nnlite itself. The file of a family holds
the rows of its primitive ops and the functions composed of them. The C kernels are in `csrc/ops/`
under the same name.
"""

from inspect import isfunction as _isfunction

from nnlite import names as _names
from nnlite.engine.symbolic import supports_symbols as _supports_symbols
from nnlite.ops.activation import (
    activation,
    elu,
    gelu,
    hard_sigmoid,
    hard_silu,
    isru,
    leaky_relu,
    linear_activation,
    log_softmax,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    tanh,
)
from nnlite.ops.adaptive_pool import adaptive_average_pool, adaptive_max_pool
from nnlite.ops.attention import dot_product_attention
from nnlite.ops.conv import conv2d, conv2d_transpose, depthwise_conv2d, separable_conv2d
from nnlite.ops.einsum import einsum
from nnlite.ops.elementwise import (
    abs,
    add,
    ceil,
    clip,
    cos,
    divide,
    equal,
    exp,
    floor,
    floor_divide,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    mod,
    multiply,
    negative,
    not_equal,
    power,
    rsqrt,
    sign,
    sin,
    sqrt,
    square,
    squared_difference,
    subtract,
    where,
)
from nnlite.ops.linear import linear, matmul
from nnlite.ops.loss import sigmoid_cross_entropy, softmax_cross_entropy
from nnlite.ops.metric import accumulate, accumulate_counts, accumulate_products, top_k
from nnlite.ops.norm import batch_norm, layer_norm, moving_update, scale_shift
from nnlite.ops.numeric_encoding import piecewise_linear_encoding
from nnlite.ops.operands import cast, convert_to_numpy, convert_to_tensor, operands
from nnlite.ops.optimizer import (
    adadelta_update,
    adagrad_update,
    adam_update,
    adamax_update,
    amsgrad_update,
    decay_weights,
    ftrl_update,
    increment,
    lion_update,
    momentum_update,
    nadam_advance,
    nadam_update,
    rmsprop_centered_momentum_update,
    rmsprop_centered_update,
    rmsprop_momentum_update,
    rmsprop_update,
    sgd_update,
)
from nnlite.ops.padding import pad2d
from nnlite.ops.pool import average_pool2d, max_pool2d
from nnlite.ops.random import dropout, random_key, random_normal, random_uniform
from nnlite.ops.recurrent import gru, lstm, simple_rnn
from nnlite.ops.reduce import (
    all,
    any,
    argmax,
    argmin,
    max,
    mean,
    min,
    std,
    sum,
    sum_abs,
    sum_squares,
    sum_to,
    var,
)
from nnlite.ops.resampling import upsample2d
from nnlite.ops.rows import standardize, take
from nnlite.ops.shape import (
    broadcast_to,
    full_like,
    one_hot,
    ones,
    ones_like,
    reshape,
    shape,
    stop_gradient,
    transpose,
    zeros,
    zeros_like,
)
from nnlite.ops.slicing import concatenate, expand_dims, flip, split, squeeze, stack
from nnlite.ops.spatial import (
    average_pool,
    channels_last,
    conv,
    conv_transpose,
    depthwise_conv,
    max_pool,
    pad_edges,
    separable_conv,
    upsample,
)
from nnlite.ops.variables import assign
from nnlite.ops.warp import affine_transform

__all__ = [
    "abs",
    "adaptive_average_pool",
    "adaptive_max_pool",
    "add",
    "affine_transform",
    "all",
    "any",
    "argmax",
    "argmin",
    "assign",
    "average_pool",
    "average_pool2d",
    "batch_norm",
    "broadcast_to",
    "cast",
    "ceil",
    "clip",
    "concatenate",
    "conv",
    "conv2d",
    "conv2d_transpose",
    "conv_transpose",
    "convert_to_numpy",
    "convert_to_tensor",
    "cos",
    "depthwise_conv",
    "depthwise_conv2d",
    "divide",
    "dot_product_attention",
    "dropout",
    "einsum",
    "elu",
    "equal",
    "exp",
    "expand_dims",
    "flip",
    "floor",
    "floor_divide",
    "full_like",
    "gelu",
    "greater",
    "greater_equal",
    "hard_sigmoid",
    "hard_silu",
    "isru",
    "layer_norm",
    "leaky_relu",
    "less",
    "less_equal",
    "linear",
    "log",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "matmul",
    "max",
    "max_pool",
    "max_pool2d",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mish",
    "mod",
    "multiply",
    "negative",
    "not_equal",
    "one_hot",
    "ones",
    "ones_like",
    "pad2d",
    "piecewise_linear_encoding",
    "power",
    "random_key",
    "random_normal",
    "random_uniform",
    "relu",
    "relu6",
    "reshape",
    "rsqrt",
    "scale_shift",
    "selu",
    "separable_conv",
    "separable_conv2d",
    "shape",
    "sigmoid",
    "sigmoid_cross_entropy",
    "sign",
    "silu",
    "sin",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "softsign",
    "split",
    "sqrt",
    "square",
    "squared_difference",
    "squeeze",
    "stack",
    "std",
    "stop_gradient",
    "subtract",
    "sum",
    "sum_abs",
    "sum_squares",
    "take",
    "tanh",
    "top_k",
    "transpose",
    "upsample2d",
    "var",
    "where",
    "zeros",
    "zeros_like",
]

__getattr__ = _names.of(__name__)

# A call on symbols is not run: it becomes a node of a functional model. A symbol has a shape, and
# it has no values, which is what its own error says.
_AT_ONCE = ("convert_to_numpy", "shape")
for _name, _value in list(globals().items()):
    if _isfunction(_value) and not _name.startswith("_") and _name not in _AT_ONCE:
        globals()[_name] = _supports_symbols(_value)
