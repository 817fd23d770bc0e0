"""Normalization of each channel over the batch, or of each row over its channels."""

from nnlite.engine.dispatch import OPS, Op, apply
from nnlite.ops.elementwise import add, divide, multiply, negative, power, sqrt, subtract
from nnlite.ops.operands import number, operands
from nnlite.ops.reduce import mean
from nnlite.ops.reduce import sum as sum_along
from nnlite.ops.shape import broadcast_to
from nnlite.ops.slicing import expand_dims


def _check_channels(x, *weights):
    if len(x) < 2:
        raise ValueError(
            f"expected an input of at least 2 dimensions (rows, channels), got shape {x}"
        )
    for w in weights:
        if w != x[-1:]:
            raise ValueError(
                f"expected one value for each of the {x[-1]} channels of shape {x}, got shape {w}"
            )


def _infer_batch_norm(x, gamma, beta, epsilon):
    _check_channels(x, gamma, beta)
    return [x, gamma, gamma]


def _batch_norm_gradient(c, dy, dmean, dvariance, need):
    (x, gamma, _), (_, mean, variance) = c.inputs, c.outputs
    dx = dgamma = dbeta = None
    if dy is not None:
        dx, dgamma, dbeta = apply(
            OPS["batch_norm_gradient"], [dy, x, gamma, mean, variance], c.attrs
        )
    rows = float(x.size // max(x.shape[-1], 1))
    if dmean is not None:
        part = broadcast_to(divide(dmean, rows), x.shape)
        dx = part if dx is None else add(dx, part)
    if dvariance is not None:
        part = multiply(multiply(dvariance, 2.0 / rows), subtract(x, mean))
        dx = part if dx is None else add(dx, part)
    return [dx, dgamma, dbeta]


_EPSILON = {"epsilon": float}
Op(
    "batch_norm",
    infer=_infer_batch_norm,
    gradient=_batch_norm_gradient,
    attrs=_EPSILON,
    outputs=("real", "real", "real"),
)


def _through_batch_norm(dy, x, gamma, mean_of_x, variance, epsilon):
    rows = tuple(range(x.ndim - 1))
    scale = divide(1.0, sqrt(add(variance, epsilon)))
    z = multiply(subtract(x, mean_of_x), scale)
    spread = add(mean(dy, rows), multiply(z, mean(multiply(dy, z), rows)))
    dx = multiply(multiply(gamma, scale), subtract(dy, spread))
    return [dx, sum_along(multiply(dy, z), rows), sum_along(dy, rows)]


Op(
    "batch_norm_gradient",
    infer=lambda dy, x, gamma, *_, **__: [x, gamma, gamma],
    formula=_through_batch_norm,
    attrs=_EPSILON,
    outputs=("real", "real", "real"),
)


def batch_norm(x, gamma, beta, epsilon=0.001):
    """(x - mean) * gamma / sqrt(variance + epsilon) + beta, with each channel's mean and variance.

    S. Ioffe, C. Szegedy: "Batch normalization", ICML 2015.

    Parameters
    ----------
    x : tensor, shape (..., C), at least 2 dimensions
    gamma, beta : tensors, shape (C,)
    epsilon : float, default 0.001

    Returns
    -------
    y : Tensor, shape (..., C)
    mean, variance : Tensors, shape (C,)
        Over all axes but the last; the variance is the biased one.

    Examples
    --------
    >>> from nnlite import ops
    >>> y, mean, variance = ops.batch_norm([[1.0], [3.0]], [1.0], [0.0])
    >>> mean.item(), variance.item()
    (2.0, 1.0)
    """
    return tuple(
        apply(OPS["batch_norm"], operands(x, gamma, beta), {"epsilon": number("epsilon", epsilon)})
    )


def _infer_scale_shift(x, a, b):
    _check_channels(x, a, b)
    return [x]


def _scale_shift_gradient(c, dy, need):
    x, a, _ = c.inputs
    return [multiply(dy, a) if need[0] else None, multiply(dy, x) if need[1] else None, dy]


Op(
    "scale_shift",
    infer=_infer_scale_shift,
    gradient=_scale_shift_gradient,
    in_place=(0,),
    by_sample=(0,),
)


def scale_shift(x, scale, shift):
    """x * scale + shift, rounded once.

    Parameters
    ----------
    x : tensor, shape (..., C), at least 2 dimensions
    scale, shift : tensors, shape (C,)
    """
    return apply(OPS["scale_shift"], operands(x, scale, shift), {})[0]


def _infer_moving_update(moving, batch, momentum):
    if moving != batch:
        raise ValueError(f"moving_update: expected shape {moving}, got {batch}")
    return []


Op(
    "moving_update",
    infer=_infer_moving_update,
    attrs={"momentum": float},
    outputs=(),
    writes=(0,),
    gradient="none",
)


def moving_update(variable, batch, momentum):
    """Overwrite a Variable with variable * momentum + batch * (1 - momentum).

    Parameters
    ----------
    variable : Variable
    batch : tensor of the same shape
    momentum : float
    """
    apply(
        OPS["moving_update"], operands(variable, batch), {"momentum": number("momentum", momentum)}
    )


def _infer_layer_norm(x, gamma, beta, epsilon):
    _check_channels(x, gamma, beta)
    return [x, x[:-1], x[:-1]]


def _layer_norm_gradient(c, dy, dmean, dinv_std, need):
    (x, gamma, _), (_, mean_of_x, inv_std) = c.inputs, c.outputs
    dx = dgamma = dbeta = None
    if dy is not None:
        dx, dgamma, dbeta = apply(
            OPS["layer_norm_gradient"], [dy, x, gamma, mean_of_x, inv_std], {}
        )
    part = None if dmean is None else expand_dims(dmean, -1)
    if dinv_std is not None:
        slope = multiply(
            expand_dims(negative(multiply(dinv_std, power(inv_std, 3.0))), -1),
            subtract(x, expand_dims(mean_of_x, -1)),
        )
        part = slope if part is None else add(part, slope)
    if part is not None:
        part = broadcast_to(divide(part, float(x.shape[-1])), x.shape)
        dx = part if dx is None else add(dx, part)
    return [dx, dgamma, dbeta]


def _through_layer_norm(dy, x, gamma, mean_of_x, inv_std):
    scale, rows = expand_dims(inv_std, -1), tuple(range(x.ndim - 1))
    z = multiply(subtract(x, expand_dims(mean_of_x, -1)), scale)
    dz = multiply(dy, gamma)
    spread = add(mean(dz, -1, True), multiply(z, mean(multiply(dz, z), -1, True)))
    dgamma, dbeta = sum_along(multiply(dy, z), rows), sum_along(dy, rows)
    return [multiply(scale, subtract(dz, spread)), dgamma, dbeta]


Op(
    "layer_norm",
    infer=_infer_layer_norm,
    gradient=_layer_norm_gradient,
    attrs=_EPSILON,
    outputs=("real", "real", "real"),
)
Op(
    "layer_norm_gradient",
    infer=lambda dy, x, gamma, *_: [x, gamma, gamma],
    formula=_through_layer_norm,
    outputs=("real", "real", "real"),
)


def layer_norm(x, gamma, beta, epsilon=0.001):
    """(x - mean) * gamma / sqrt(variance + epsilon) + beta, with each row's mean and variance.

    J. L. Ba, J. R. Kiros, G. E. Hinton: "Layer normalization", arXiv 1607.06450, 2016.

    Parameters
    ----------
    x : tensor, shape (..., C), at least 2 dimensions
    gamma, beta : tensors, shape (C,)
    epsilon : float, default 0.001

    Returns
    -------
    Tensor, shape (..., C)

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.layer_norm([[1.0, 3.0]], [1.0, 1.0], [0.0, 0.0], epsilon=0.0).numpy()
    array([[-1.,  1.]], dtype=float32)
    """
    return apply(
        OPS["layer_norm"], operands(x, gamma, beta), {"epsilon": number("epsilon", epsilon)}
    )[0]
