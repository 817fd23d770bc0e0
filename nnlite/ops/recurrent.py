"""Recurrent layers over all steps of their sequences: an op for each kind."""

from nnlite.engine.dispatch import OPS, Op, apply
from nnlite.ops.activation import KINDS
from nnlite.ops.linear import matmul
from nnlite.ops.operands import flag, number, operands
from nnlite.ops.reduce import sum_to
from nnlite.ops.shape import reshape, zeros

_ATTRS = {
    "kind": int,
    "alpha": float,
    "recurrent_kind": int,
    "recurrent_alpha": float,
    "reverse": int,
    "mask": int,
    "drop": int,
}


def _expect(what, shape, expected):
    if shape != expected:
        raise ValueError(f"expected {what} of shape {expected}, got shape {shape}")


def _sizes(x, kernel, gates):
    """N, T and U of an input and a recurrent kernel that fit."""
    if len(kernel) != 2 or kernel[1] != gates * kernel[0]:
        raise ValueError(f"expected a recurrent kernel of shape (U, {gates} * U), got {kernel}")
    if len(x) != 3 or x[2] != kernel[1]:
        raise ValueError(f"expected an input of shape (N, T, {kernel[1]}), got shape {x}")
    return x[0], x[1], kernel[0]


def _check_optional(optional, mask, drop, n, t, u):
    shapes = iter(optional)
    if mask:
        _expect("a mask", next(shapes), (n, t))
    if drop:
        _expect("what h is multiplied by", next(shapes), (n, u))


def _infer_lstm(x, kernel, h, c, *optional, mask, drop, **_):
    n, t, u = _sizes(x, kernel, 4)
    _expect("h", h, (n, u))
    _expect("c", c, (n, u))
    _check_optional(optional, mask, drop, n, t, u)
    return [(n, t, u), (n, t, u), x, (n, t, u)]


def _infer_gru(x, kernel, bias, h, *optional, mask, drop, **_):
    n, t, u = _sizes(x, kernel, 3)
    _expect("a recurrent bias", bias, (3 * u,))
    _expect("h", h, (n, u))
    _check_optional(optional, mask, drop, n, t, u)
    return [(n, t, u), (n, t, 4 * u), (n, t, u)]


def _infer_simple_rnn(x, kernel, h, *optional, mask, drop, **_):
    n, t, u = _sizes(x, kernel, 1)
    _expect("h", h, (n, u))
    _check_optional(optional, mask, drop, n, t, u)
    return [(n, t, u), (n, t, u)]


def _kernel_gradient(before, dz):
    """That of the recurrent kernel: of its products in all steps."""
    rows, dz = (reshape(x, (-1, x.shape[-1])) for x in (before, dz))
    return matmul(rows, dz, transpose_a=True)


def _from_outside(dh, h, reverse):
    """The gradient of a state in the form that C takes: (N, T, U), or (N, U) of the step that was
    computed last, if it is 0 at the others. It may be None."""
    n, t, u = h.shape
    if dh is None:
        return zeros((n, u), h.dtype)
    step, gradient = dh.of_step or (None, None)
    return reshape(gradient, (n, u)) if step == (0 if reverse else t - 1) else dh


def _lstm_gradient(call, dh, dc, dgates, dbefore, need):
    (_, kernel, _, first_c, *optional), (h, c, gates, before) = call.inputs, call.outputs
    dh, dc = (_from_outside(d, h, call.attrs["reverse"]) for d in (dh, dc))
    inputs = [dh, dc, gates, c, first_c, kernel, *optional]
    dz, dfirst_h, dfirst_c = apply(OPS["lstm_gradient"], inputs, call.attrs)
    dkernel = _kernel_gradient(before, dz) if need[1] else None
    return [dz, dkernel, dfirst_h, dfirst_c, *[None] * len(optional)]


def _gru_gradient(call, dh, dgates, dbefore, need):
    (_, kernel, bias, first_h, *optional), (h, gates, before) = call.inputs, call.outputs
    dh = _from_outside(dh, h, call.attrs["reverse"])
    inputs = [dh, gates, h, first_h, kernel, *optional]
    dz, dm, dfirst_h = apply(OPS["gru_gradient"], inputs, call.attrs)
    dkernel = _kernel_gradient(before, dm) if need[1] else None
    dbias = sum_to(reshape(dm, (-1, bias.shape[0])), bias.shape) if need[2] else None
    return [dz, dkernel, dbias, dfirst_h, *[None] * len(optional)]


def _simple_rnn_gradient(call, dh, dbefore, need):
    (_, kernel, _, *optional), (h, before) = call.inputs, call.outputs
    dh = _from_outside(dh, h, call.attrs["reverse"])
    dz, dfirst_h = apply(OPS["simple_rnn_gradient"], [dh, h, kernel, *optional], call.attrs)
    dkernel = _kernel_gradient(before, dz) if need[1] else None
    return [dz, dkernel, dfirst_h, *[None] * len(optional)]


def _work(inputs, outputs):
    """Of the products with the recurrent kernel, in all steps."""
    sequences = [shape for shape in (*inputs, *outputs) if len(shape) == 3]
    (n, t, _), u = sequences[0], min(shape[-1] for shape in outputs)
    return n * t * u * max(shape[2] for shape in sequences)


Op(
    "lstm",
    infer=_infer_lstm,
    gradient=_lstm_gradient,
    attrs=_ATTRS,
    outputs=("real",) * 4,
    optional_outputs=2,
    in_place=((0, 2),),
    work=_work,
)
Op(
    "lstm_gradient",
    infer=lambda dh, dc, gates, c, first_c, *_, **__: [gates, first_c, first_c],
    attrs=_ATTRS,
    outputs=("real",) * 3,
    in_place=((2, 0),),
    work=_work,
)
Op(
    "gru",
    infer=_infer_gru,
    gradient=_gru_gradient,
    attrs=_ATTRS,
    outputs=("real",) * 3,
    optional_outputs=2,
    work=_work,
)
Op(
    "gru_gradient",
    infer=lambda dh, gates, h, first_h, kernel, *_, **__: [
        (*h[:2], kernel[1]),
        (*h[:2], kernel[1]),
        first_h,
    ],
    attrs=_ATTRS,
    outputs=("real",) * 3,
    work=_work,
)
Op(
    "simple_rnn",
    infer=_infer_simple_rnn,
    gradient=_simple_rnn_gradient,
    attrs=_ATTRS,
    outputs=("real",) * 2,
    optional_outputs=1,
    in_place=((0, 0),),
    work=_work,
)
Op(
    "simple_rnn_gradient",
    infer=lambda dh, h, kernel, *_, **__: [h, (h[0], h[2])],
    attrs=_ATTRS,
    outputs=("real",) * 2,
    in_place=((0, 0),),
    work=_work,
)


def _kind_of(name, which, activation):
    """C's number of an activation, and its parameter."""
    kind, alpha = activation if isinstance(activation, tuple) else (activation, 0.0)
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"{name}: {which}: expected one of {', '.join(KINDS)}, got {kind!r}")
    return KINDS[kind], number("alpha", alpha)


def _recurrent(name, given, mask, drop, activation, recurrent_activation, reverse):
    """The outputs of an op of this file."""
    (kind, alpha), (recurrent_kind, recurrent_alpha) = (
        _kind_of(name, *pair)
        for pair in (("activation", activation), ("recurrent_activation", recurrent_activation))
    )
    attrs = {
        "kind": kind,
        "alpha": alpha,
        "recurrent_kind": recurrent_kind,
        "recurrent_alpha": recurrent_alpha,
        "reverse": flag("reverse", reverse),
        "mask": int(mask is not None),
        "drop": int(drop is not None),
    }
    optional = [t for t in (mask, drop) if t is not None]
    return apply(OPS[name], operands(*given, *optional), attrs)


def lstm(
    x,
    recurrent_kernel,
    h,
    c,
    mask=None,
    drop=None,
    activation="tanh",
    recurrent_activation="sigmoid",
    reverse=False,
):
    """Long short-term memory over all steps of sequences.

    S. Hochreiter, J. Schmidhuber: "Long short-term memory", Neural Computation 9, 1997; F. A. Gers,
    J. Schmidhuber, F. Cummins: "Learning to forget", Neural Computation 12, 2000.

    Parameters
    ----------
    x : tensor, shape (N, T, 4 * U)
        The input of each step times the layer's kernel, plus its bias: for the gates i and f, the
        candidate, and the gate o.
    recurrent_kernel : tensor, shape (U, 4 * U)
    h, c : tensors, shape (N, U)
        The state before the first step.
    mask : tensor, shape (N, T), optional
        At a step where it is 0 the state stays as it is.
    drop : tensor, shape (N, U), optional
        In each step h is multiplied by it before its product with the recurrent kernel.
    activation, recurrent_activation : str, or (str, float), default 'tanh' and 'sigmoid'
        As for `conv2d`, with the parameter `alpha` if it has one.
    reverse : bool, default False
        Whether the last step comes first.

    Returns
    -------
    h, c : Tensors, shape (N, T, U)
        The state after each step.

    Examples
    --------
    >>> from nnlite import ops
    >>> x, kernel, zeros = ops.ones((1, 2, 4)), ops.zeros((1, 4)), ops.zeros((1, 1))
    >>> h, c = ops.lstm(x, kernel, zeros, zeros)
    >>> c.numpy().round(4)
    array([[[0.5568],
            [0.9638]]], dtype=float32)
    """
    given = x, recurrent_kernel, h, c
    how = mask, drop, activation, recurrent_activation, reverse
    return tuple(_recurrent("lstm", given, *how)[:2])


def gru(
    x,
    recurrent_kernel,
    recurrent_bias,
    h,
    mask=None,
    drop=None,
    activation="tanh",
    recurrent_activation="sigmoid",
    reverse=False,
):
    """Gated recurrent unit over all steps of sequences; its reset gate acts after the product.

    K. Cho et al.: "Learning phrase representations using RNN encoder-decoder for statistical
    machine translation", EMNLP 2014 (the form with the gate after the product: version 1 of arXiv
    1406.1078).

    Parameters
    ----------
    x : tensor, shape (N, T, 3 * U)
        The input of each step times the layer's kernel, plus its bias: for the update gate, the
        reset gate and the candidate.
    recurrent_kernel : tensor, shape (U, 3 * U)
    recurrent_bias : tensor, shape (3 * U,)
    h : tensor, shape (N, U)
        The state before the first step.
    mask, drop, activation, recurrent_activation, reverse
        As for `lstm`.

    Returns
    -------
    Tensor, shape (N, T, U)
        The state after each step.

    Examples
    --------
    >>> from nnlite import ops
    >>> x, kernel, bias = ops.ones((1, 1, 3)), ops.zeros((1, 3)), ops.zeros(3)
    >>> f"{ops.gru(x, kernel, bias, ops.zeros((1, 1))).item():.4f}"
    '0.2048'
    """
    given = x, recurrent_kernel, recurrent_bias, h
    return _recurrent("gru", given, mask, drop, activation, recurrent_activation, reverse)[0]


def simple_rnn(x, recurrent_kernel, h, mask=None, drop=None, activation="tanh", reverse=False):
    """activation(x_t + h @ recurrent_kernel) for each step, h that of the step before.

    J. L. Elman: "Finding structure in time", Cognitive Science 14, 1990.

    Parameters
    ----------
    x : tensor, shape (N, T, U)
        The input of each step times the layer's kernel, plus its bias.
    recurrent_kernel : tensor, shape (U, U)
    h : tensor, shape (N, U)
        The state before the first step.
    mask, drop, activation, reverse
        As for `lstm`.

    Returns
    -------
    Tensor, shape (N, T, U)
        The state after each step.

    Examples
    --------
    >>> from nnlite import ops
    >>> h = ops.simple_rnn(ops.ones((1, 2, 1)), [[1.0]], [[0.0]], activation="linear")
    >>> h.numpy().tolist()
    [[[1.0], [2.0]]]
    """
    given = x, recurrent_kernel, h
    return _recurrent("simple_rnn", given, mask, drop, activation, "linear", reverse)[0]
