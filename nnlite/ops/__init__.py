"""Functions of tensors, arrays and numbers, with gradients, of which models and losses consist.

`__all__` lists what users compose; the other names serve nnlite itself. The file of a family holds
the rows of its primitive ops and the functions composed of them. The C kernels are in `csrc/ops/`
under the same name.
"""

import types as _types

from nnlite import lazy as _lazy
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
from nnlite.ops.linear import linear, matmul
from nnlite.ops.operands import cast, convert_to_numpy, convert_to_tensor, operands
from nnlite.ops.shape import (
    broadcast_to,
    full_like,
    moveaxis,
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

with _lazy.imports(__name__):
    from nnlite.ops.adaptive_pool import adaptive_average_pool, adaptive_max_pool
    from nnlite.ops.angles import arctan, arctan2
    from nnlite.ops.attention import dot_product_attention
    from nnlite.ops.axes import hstack, pad, ravel, repeat, roll, swapaxes, tile, unstack, vstack
    from nnlite.ops.contraction import einsum
    from nnlite.ops.control import (
        associative_scan,
        cond,
        fori_loop,
        map,
        scan,
        switch,
        vectorized_map,
        while_loop,
    )
    from nnlite.ops.convolution import conv2d, conv2d_transpose, depthwise_conv2d, separable_conv2d
    from nnlite.ops.counting import average, histogram
    from nnlite.ops.creation import (
        arange,
        array,
        empty,
        eye,
        full,
        identity,
        linspace,
        meshgrid,
        tri,
    )
    from nnlite.ops.ctc import ctc_decode, ctc_loss
    from nnlite.ops.cumulative import cumprod, cumsum, prod
    from nnlite.ops.diagonals import diag, diagonal, trace, tril, triu
    from nnlite.ops.elementwise import (
        abs,
        add,
        ceil,
        clip,
        cos,
        divide,
        equal,
        erf,
        exp,
        expm1,
        floor,
        floor_divide,
        greater,
        greater_equal,
        less,
        less_equal,
        log,
        log1p,
        logical_and,
        logical_not,
        logical_or,
        logical_xor,
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
    from nnlite.ops.fourier import fft, fft2, ifft2, irfft, rfft
    from nnlite.ops.logarithms import (
        isfinite,
        isinf,
        isnan,
        log2,
        log10,
        logaddexp,
        logsumexp,
        nan_to_num,
    )
    from nnlite.ops.loss import sigmoid_cross_entropy, softmax_cross_entropy
    from nnlite.ops.metric import accumulate, accumulate_counts, accumulate_products
    from nnlite.ops.normalization import batch_norm, layer_norm, moving_update, scale_shift
    from nnlite.ops.norms import norm, normalize
    from nnlite.ops.numeric_encoding import piecewise_linear_encoding
    from nnlite.ops.optimizer import (
        adadelta_update,
        adagrad_update,
        adam_update,
        adamax_update,
        amsgrad_update,
        count_steps,
        decay_weights,
        ftrl_update,
        increment,
        lamb_direction,
        lion_update,
        momentum_update,
        nadam_advance,
        nadam_update,
        rmsprop_centered_momentum_update,
        rmsprop_centered_update,
        rmsprop_momentum_update,
        rmsprop_update,
        schedule_free_update,
        sgd_update,
    )
    from nnlite.ops.order import (
        argsort,
        digitize,
        in_top_k,
        median,
        quantile,
        searchsorted,
        sort,
        top_k,
    )
    from nnlite.ops.padding import pad2d
    from nnlite.ops.places import bincount, scatter, segment_sum, take_along_axis, unravel_index
    from nnlite.ops.pool import average_pool2d, max_pool2d
    from nnlite.ops.products import cross, dot, inner, kron, outer, tensordot, vdot
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
    from nnlite.ops.rounding import round, trunc
    from nnlite.ops.rows import standardize, take
    from nnlite.ops.short_time_fourier import extract_sequences, istft, stft
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
    "arange",
    "arctan",
    "arctan2",
    "argmax",
    "argmin",
    "argsort",
    "array",
    "assign",
    "associative_scan",
    "average",
    "average_pool",
    "average_pool2d",
    "batch_norm",
    "bincount",
    "broadcast_to",
    "cast",
    "ceil",
    "clip",
    "concatenate",
    "cond",
    "conv",
    "conv2d",
    "conv2d_transpose",
    "conv_transpose",
    "convert_to_numpy",
    "convert_to_tensor",
    "cos",
    "cross",
    "ctc_decode",
    "ctc_loss",
    "cumprod",
    "cumsum",
    "depthwise_conv",
    "depthwise_conv2d",
    "diag",
    "diagonal",
    "digitize",
    "divide",
    "dot",
    "dot_product_attention",
    "dropout",
    "einsum",
    "elu",
    "empty",
    "equal",
    "erf",
    "exp",
    "expand_dims",
    "expm1",
    "extract_sequences",
    "eye",
    "fft",
    "fft2",
    "flip",
    "floor",
    "floor_divide",
    "fori_loop",
    "full",
    "full_like",
    "gelu",
    "greater",
    "greater_equal",
    "hard_sigmoid",
    "hard_silu",
    "histogram",
    "hstack",
    "identity",
    "ifft2",
    "in_top_k",
    "inner",
    "irfft",
    "isfinite",
    "isinf",
    "isnan",
    "isru",
    "istft",
    "kron",
    "layer_norm",
    "leaky_relu",
    "less",
    "less_equal",
    "linear",
    "linspace",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_softmax",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "map",
    "matmul",
    "max",
    "max_pool",
    "max_pool2d",
    "maximum",
    "mean",
    "median",
    "meshgrid",
    "min",
    "minimum",
    "mish",
    "mod",
    "moveaxis",
    "multiply",
    "nan_to_num",
    "negative",
    "norm",
    "normalize",
    "not_equal",
    "one_hot",
    "ones",
    "ones_like",
    "outer",
    "pad",
    "pad2d",
    "piecewise_linear_encoding",
    "power",
    "prod",
    "quantile",
    "random_key",
    "random_normal",
    "random_uniform",
    "ravel",
    "relu",
    "relu6",
    "repeat",
    "reshape",
    "rfft",
    "roll",
    "round",
    "rsqrt",
    "scale_shift",
    "scan",
    "scatter",
    "searchsorted",
    "segment_sum",
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
    "sort",
    "split",
    "sqrt",
    "square",
    "squared_difference",
    "squeeze",
    "stack",
    "std",
    "stft",
    "stop_gradient",
    "subtract",
    "sum",
    "sum_abs",
    "sum_squares",
    "swapaxes",
    "switch",
    "take",
    "take_along_axis",
    "tanh",
    "tensordot",
    "tile",
    "top_k",
    "trace",
    "transpose",
    "tri",
    "tril",
    "triu",
    "trunc",
    "unravel_index",
    "unstack",
    "upsample2d",
    "var",
    "vdot",
    "vectorized_map",
    "vstack",
    "where",
    "while_loop",
    "zeros",
    "zeros_like",
]

# A call on symbols is not run: it becomes a node of a functional model. A symbol has a shape, and
# it has no values, which is what its own error says.
_AT_ONCE = ("cond", "convert_to_numpy", "ctc_decode", "shape", "switch")


def _public(name, value):
    """What `nnlite.ops` has of that name in place of what the file of a family has."""
    if not isinstance(value, _types.FunctionType):
        return value
    return _supports_symbols(value, records=name not in _AT_ONCE)


for _name, _value in list(globals().items()):
    if not _name.startswith("_"):
        globals()[_name] = _public(_name, _value)

__getattr__ = _names.of(__name__, made=_public)
