"""Everything that can be computed with tensors: functions of tensors, arrays and numbers.

Each has its gradient. A family's file holds the rows of its primitive ops and the functions
composed of them; the kernels are in `csrc/ops/` under the same name.
"""

from inspect import isfunction as _isfunction

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
from nnlite.ops.conv import conv2d, depthwise_conv2d, separable_conv2d
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
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    power,
    sign,
    sin,
    sqrt,
    square,
    squared_difference,
    subtract,
    where,
)
from nnlite.ops.image import affine_transform, pad2d, upsample2d
from nnlite.ops.linear import linear, matmul
from nnlite.ops.loss import sigmoid_cross_entropy, softmax_cross_entropy
from nnlite.ops.metric import accumulate, accumulate_counts, accumulate_products, top_k
from nnlite.ops.norm import batch_norm, layer_norm, moving_update, scale_shift
from nnlite.ops.operands import cast, operands
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
from nnlite.ops.pool import average_pool2d, max_pool2d
from nnlite.ops.random import dropout, random_key, random_normal, random_uniform
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
from nnlite.ops.shape import (
    assign,
    broadcast_to,
    full_like,
    gather,
    gather_csr,
    one_hot,
    ones,
    ones_like,
    reshape,
    transpose,
    zeros,
    zeros_like,
)
from nnlite.ops.slicing import concatenate, expand_dims, flip, split, squeeze, stack

__all__ = [name for name in dir() if not name.startswith("_")]

# On symbols, what is called is noted down instead, as a part of a functional model.
for _name in __all__:
    if _isfunction(globals()[_name]):
        globals()[_name] = _supports_symbols(globals()[_name])
