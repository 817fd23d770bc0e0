"""Adafactor: mean squares of gradients, of a matrix as the product of a column and a row."""

from nnlite import ops
from nnlite.optimizers.optimizer import Optimizer


class Adafactor(Optimizer):
    """Steps whose size follows that of the weights, divided by factored mean squares of gradients.

    With R = max(epsilon_2, the root mean square of w), rate = min(learning_rate, 1 / sqrt(t)) and
    b = 1 - t^beta_2_decay:

    - of matrices, and stacks of them: r = b * r + (1 - b) * the mean of g^2 + epsilon_1 over each
      row, c the same over each column, and v = r c / mean(r);
    - of vectors: v = b * v + (1 - b) * (g^2 + epsilon_1);
    - u = g / sqrt(v), and w -= R * rate * u / max(1, the root mean square of u / clip_threshold).

    For Keras's files v of matrices is kept, too.
    N. Shazeer, M. Stern: "Adafactor: adaptive learning rates with sublinear memory cost", ICML
    2018.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.001
    beta_2_decay : float of at most 0, default -0.8
    epsilon_1 : float of at least 0, default 1e-30
        Is added to squares of gradients.
    epsilon_2 : float of at least 0, default 0.001
        The least root mean square of weights.
    clip_threshold : float above 0, default 1.0
        The largest root mean square of a step, before it is scaled.
    relative_step : bool, default True
        Kept for Keras's signature: the learning rate is limited to 1 / sqrt(t) in both cases.
    **options
        Of `Optimizer`: weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable([[2.0, 2.0], [2.0, 2.0]])
    >>> nnlite.optimizers.Adafactor(0.5).apply_gradients([([[9.0, 9.0], [9.0, 9.0]], w)])
    >>> w.numpy().tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """

    _legal = {
        "beta_2_decay": "(-inf, 0]",
        "epsilon_1": "[0, inf)",
        "epsilon_2": "[0, inf)",
        "clip_threshold": "(0, inf)",
        "relative_step": "bool",
    }

    def __init__(
        self,
        learning_rate=0.001,
        beta_2_decay=-0.8,
        epsilon_1=1e-30,
        epsilon_2=1e-3,
        clip_threshold=1.0,
        relative_step=True,
        **options,
    ):
        super().__init__(learning_rate, **options)
        self.beta_2_decay, self.epsilon_1, self.epsilon_2 = beta_2_decay, epsilon_1, epsilon_2
        self.clip_threshold, self.relative_step = clip_threshold, relative_step

    def slots(self):
        return {"r": 0.0, "c": 0.0, "velocity": 0.0}

    def _slot_forms(self, variable):
        shape = variable.shape
        rows, columns = (shape[:-1], (*shape[:-2], shape[-1])) if len(shape) > 1 else ((), ())
        return {"r": (rows, 0.0), "c": (columns, 0.0), "velocity": (shape, 0.0)}

    def update_step(self, gradient, variable, learning_rate, *slots):
        r, c, velocity = slots
        step = ops.cast(self.iterations, variable.dtype)
        rate = ops.minimum(learning_rate, 1.0 / ops.sqrt(step))
        weight = ops.power(step, float(self.beta_2_decay))  # of the new squares
        squares = ops.square(gradient) + self.epsilon_1
        if variable.ndim > 1:
            for factor, axis in ((r, -1), (c, -2)):
                ops.assign(factor, factor + weight * (ops.mean(squares, axis=axis) - factor))
            share = r / ops.maximum(ops.mean(r, axis=-1, keepdims=True), _LEAST)
            squares = ops.expand_dims(share, -1) * ops.expand_dims(c, -2)
        else:
            squares = velocity + weight * (squares - velocity)
        ops.assign(velocity, squares)
        # Of a row and a column without gradients the product is too small for float32.
        u = gradient / ops.sqrt(ops.maximum(velocity, _LEAST))
        size = ops.maximum(_root_mean_square(variable), self.epsilon_2)
        clipped = ops.maximum(_root_mean_square(u) / self.clip_threshold, 1.0)
        ops.sgd_update(variable, u, size * rate / clipped)


_LEAST = 1e-37


def _root_mean_square(x):
    return ops.sqrt(ops.sum_squares(x) * (1.0 / max(1, x.size)))
