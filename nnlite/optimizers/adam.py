"""Adam and its variants: averages of gradients divided by averages of their magnitude. Both are
corrected for their start at zero. Epsilon is added as in Keras."""

import functools

from nnlite import ops
from nnlite.engine.tensor import Variable
from nnlite.optimizers.optimizer import Optimizer


class _Moments(Optimizer):
    """Base: two averages, their settings, and one op that takes the step, too."""

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, **options):
        super().__init__(learning_rate, **options)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def slots(self):
        return {"momentum": 0.0, "velocity": 0.0}

    def update_step(self, gradient, variable, learning_rate, *slots):
        self._rule()(
            variable,
            *slots,
            gradient,
            learning_rate,
            self.iterations,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
        )


class Adam(_Moments):
    """Adam (D. P. Kingma, J. Ba: "Adam: a method for stochastic optimization", ICLR 2015).

    m = beta_1 * m + (1 - beta_1) * g; v = beta_2 * v + (1 - beta_2) * g^2;
    w -= learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) * m / (sqrt(v) + epsilon).
    Epsilon is added to the uncorrected root.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.001
    beta_1, beta_2 : float in [0, 1), default 0.9 and 0.999
    epsilon : float of at least 0, default 1e-7
    amsgrad : bool, default False
        Whether to divide by the root of the largest v so far (S. J. Reddi, S. Kale, S. Kumar: "On
        the convergence of Adam and beyond", ICLR 2018).
    **options
        Of `Optimizer`: weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable(1.0)
    >>> nnlite.optimizers.Adam(learning_rate=0.1).apply_gradients([(1.0, w)])
    >>> round(w.item(), 4)
    0.9
    """

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        amsgrad=False,
        **options,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **options)
        self.amsgrad = amsgrad

    def slots(self):
        return {**super().slots(), **({"velocity_hat": 0.0} if self.amsgrad else {})}

    _slots_apart = ("velocity_hat",)

    def _rule(self):
        return ops.amsgrad_update if self.amsgrad else ops.adam_update


class AdamW(Adam):
    """Adam with decoupled weight decay: w -= learning_rate * weight_decay * w before the step.

    I. Loshchilov, F. Hutter: "Decoupled weight decay regularization", ICLR 2019.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.001
    weight_decay : float of at least 0, or None, default 0.004
    beta_1, beta_2 : float in [0, 1), default 0.9 and 0.999
    epsilon : float of at least 0, default 1e-7
    amsgrad : bool, default False
        As for `Adam`.
    **options
        Of `Optimizer`: clipnorm, clipvalue, global_clipnorm, name, lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable(1.0)
    >>> nnlite.optimizers.AdamW(0.1, weight_decay=0.5).apply_gradients([(0.0, w)])
    >>> round(w.item(), 4)
    0.95
    """

    def __init__(
        self,
        learning_rate=0.001,
        weight_decay=0.004,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        amsgrad=False,
        **options,
    ):
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **options
        )


class Adamax(_Moments):
    """Adam with the largest gradient instead of the mean square (the same paper, section 7.1).

    m = beta_1 * m + (1 - beta_1) * g; u = max(beta_2 * u, |g|);
    w -= learning_rate / (1 - beta_1^t) * m / (u + epsilon).

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.001
    beta_1, beta_2 : float in [0, 1), default 0.9 and 0.999
    epsilon : float of at least 0, default 1e-7
    **options
        Of `Optimizer`: weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable(1.0)
    >>> nnlite.optimizers.Adamax(0.25).apply_gradients([(-3.0, w)])
    >>> round(w.item(), 4)
    1.25
    """

    def slots(self):
        return {"momentum": 0.0, "norm": 0.0}

    def _rule(self):
        return ops.adamax_update


class Nadam(_Moments):
    """Adam with Nesterov's momentum.

    m and v as Adam's. With b(t) = beta_1 * (1 - 0.96^t / 2) and B(t) = b(1) * ... * b(t):
    w -= learning_rate * (b(t + 1) * m / (1 - B(t + 1)) + (1 - b(t)) * g / (1 - B(t))) /
    (sqrt(v / (1 - beta_2^t)) + epsilon).
    T. Dozat: "Incorporating Nesterov momentum into Adam", ICLR workshop, 2016.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.001
    beta_1, beta_2 : float in [0, 1), default 0.9 and 0.999
    epsilon : float of at least 0, default 1e-7
    **options
        Of `Optimizer`: weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable(1.0)
    >>> nnlite.optimizers.Nadam(0.1).apply_gradients([(1.0, w)])
    >>> round(w.item(), 4)
    0.8937
    """

    _product = None  # B(t), a Variable once built

    def build(self, variables):
        super().build(variables)
        if self._product is None and self.built:
            self._product = Variable(1.0, False, "product", self._real)

    @property
    def variables(self):
        return [*super().variables, *([] if self._product is None else [self._product])]

    def _rule(self):
        return functools.partial(ops.nadam_update, product=self._product)

    def _update(self, grads, variables, learning_rate):
        super()._update(grads, variables, learning_rate)
        ops.nadam_advance(self._product, self.iterations, self.beta_1)


class Lamb(_Moments):
    """Adam with steps as long as the weights: for large batches.

    m = beta_1 * m + (1 - beta_1) * g; v = beta_2 * v + (1 - beta_2) * g^2;
    u = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon);
    w -= learning_rate * norm(w) / norm(u) * u, for each weight. A norm of 0 leaves the quotient
    out.
    Y. You et al.: "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR
    2020.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.001
    beta_1, beta_2 : float in [0, 1), default 0.9 and 0.999
    epsilon : float of at least 0, default 1e-7
    **options
        Of `Optimizer`: weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable([3.0, 4.0])
    >>> nnlite.optimizers.Lamb(0.1).apply_gradients([([1.0, 0.0], w)])
    >>> w.numpy().round(4).tolist()
    [2.5, 4.0]
    """

    def update_step(self, gradient, variable, learning_rate, *slots):
        settings = self.beta_1, self.beta_2, self.epsilon
        u = ops.lamb_direction(*slots, gradient, self.iterations, *settings)
        of_w, of_u = (ops.sqrt(ops.sum_squares(x)) for x in (variable, u))
        ratio = of_w / ops.where(ops.greater(of_u, 0.0), of_u, 1.0)
        ratio = ops.where(ops.greater(ratio * of_u, 0.0), ratio, 1.0)
        ops.sgd_update(variable, u, learning_rate * ratio)


class ScheduleFreeAdamW(_Moments):
    """Adam without a schedule: gradients are taken near the mean of all steps so far.

    z is where the steps lead, x the mean of all z, and the weights w = (1 - beta_1) * z + beta_1 *
    x lie between them, with t from 1:
    v = beta_2 * v + (1 - beta_2) * g^2;
    z -= learning_rate * min(t / warmup_steps, 1) * g / (sqrt(v / (1 - beta_2^t)) + epsilon);
    x += (z - x) / t.
    As in Keras, the weights of the model stay w when the training ends.
    A. Defazio et al.: "The road less scheduled", NeurIPS 2024.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.0025
    beta_1 : float in (0, 1), default 0.9
        How near to the mean gradients are taken.
    beta_2 : float in [0, 1), default 0.999
    epsilon : float of at least 0, default 1e-8
    warmup_steps : int of at least 0, default 0
        The number of steps in which the learning rate grows.
    **options
        Of `Optimizer`: weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable(1.0)
    >>> nnlite.optimizers.ScheduleFreeAdamW(0.1).apply_gradients([(3.0, w)])
    >>> round(w.item(), 4)
    0.9
    """

    _legal = {"beta_1": "(0, 1)", "warmup_steps": "int [0, inf)"}

    def __init__(
        self,
        learning_rate=0.0025,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        warmup_steps=0,
        **options,
    ):
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **options)
        self.warmup_steps = warmup_steps

    def _slot_forms(self, variable):
        return {**super()._slot_forms(variable), "momentum": (variable.shape, variable)}

    def _rule(self):
        return functools.partial(ops.schedule_free_update, warmup=self.warmup_steps)
