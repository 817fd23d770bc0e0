"""Rules that divide by the magnitude of past gradients: Adagrad, Adadelta, RMSprop, Ftrl."""

from nnlite import ops
from nnlite.optimizers.optimizer import Optimizer


class Adagrad(Optimizer):
    """Gradient descent divided by the root of the sum of all squared gradients.

    s += g^2; w -= learning_rate * g / sqrt(s + epsilon).
    J. Duchi, E. Hazan, Y. Singer: "Adaptive subgradient methods for online learning and stochastic
    optimization", JMLR 12, 2011.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.001
    initial_accumulator_value : float of at least 0, default 0.1
        The initial value of s.
    epsilon : float of at least 0, default 1e-7
    **options
        Of `Optimizer`: weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable(1.0)
    >>> nnlite.optimizers.Adagrad(0.1).apply_gradients([(0.5, w)])
    >>> round(w.item(), 6)
    0.915485
    """

    def __init__(self, learning_rate=0.001, initial_accumulator_value=0.1, epsilon=1e-7, **options):
        super().__init__(learning_rate, **options)
        self.initial_accumulator_value, self.epsilon = initial_accumulator_value, epsilon

    def slots(self):
        return {"accumulator": self.initial_accumulator_value}

    def update_step(self, gradient, variable, learning_rate, *slots):
        ops.adagrad_update(variable, *slots, gradient, learning_rate, self.epsilon)


class Adadelta(Optimizer):
    """Steps in the unit of the weights, from averages of squared gradients and of squared steps.

    v = rho * v + (1 - rho) * g^2; step = g * sqrt(d + epsilon) / sqrt(v + epsilon);
    d = rho * d + (1 - rho) * step^2; w -= learning_rate * step.
    M. D. Zeiler: "ADADELTA: an adaptive learning rate method", arXiv 1212.5701, 2012; the paper has
    a learning rate of 1.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.001
    rho : float in [0, 1), default 0.95
    epsilon : float of at least 0, default 1e-7
    **options
        Of `Optimizer`: weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable(1.0)
    >>> nnlite.optimizers.Adadelta(1.0).apply_gradients([(0.5, w)])
    >>> round(w.item(), 6)
    0.998586
    """

    def __init__(self, learning_rate=0.001, rho=0.95, epsilon=1e-7, **options):
        super().__init__(learning_rate, **options)
        self.rho, self.epsilon = rho, epsilon

    def slots(self):
        return {"accumulated_grad": 0.0, "accumulated_delta_var": 0.0}

    def update_step(self, gradient, variable, learning_rate, *slots):
        ops.adadelta_update(variable, *slots, gradient, learning_rate, self.rho, self.epsilon)


class RMSprop(Optimizer):
    """Gradient descent divided by the root of the gradients' mean square.

    v = rho * v + (1 - rho) * g^2; step = learning_rate * g / sqrt(v + epsilon); w -= step.

    - With momentum: m = momentum * m + step; w -= m.
    - Centered: a = rho * a + (1 - rho) * g, and the root is that of v - a^2 + epsilon.

    T. Tieleman, G. Hinton: "Lecture 6.5 - RMSprop", 2012. Centered: A. Graves: "Generating
    sequences with recurrent neural networks", arXiv 1308.0850, 2013.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.001
    rho : float in [0, 1), default 0.9
    momentum : float in [0, 1), default 0.0
    epsilon : float of at least 0, default 1e-7
    centered : bool, default False
        Whether to divide by the root of the variance instead of the mean square.
    **options
        Of `Optimizer`: weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable(1.0)
    >>> nnlite.optimizers.RMSprop(0.1).apply_gradients([(0.5, w)])
    >>> round(w.item(), 6)
    0.683773
    """

    _rules = {
        (False, False): ops.rmsprop_update,
        (True, False): ops.rmsprop_momentum_update,
        (False, True): ops.rmsprop_centered_update,
        (True, True): ops.rmsprop_centered_momentum_update,
    }

    def __init__(
        self,
        learning_rate=0.001,
        rho=0.9,
        momentum=0.0,
        epsilon=1e-7,
        centered=False,
        **options,
    ):
        super().__init__(learning_rate, **options)
        self.rho, self.momentum, self.epsilon = rho, momentum, epsilon
        self.centered = centered

    _slots_apart = ("momentum", "average_gradient")

    def slots(self):
        names = ("velocity", *["momentum"] * bool(self.momentum))
        return dict.fromkeys((*names, *["average_gradient"] * bool(self.centered)), 0.0)

    def update_step(self, gradient, variable, learning_rate, *slots):
        rule = self._rules[bool(self.momentum), bool(self.centered)]
        momentum = [self.momentum] if self.momentum else []
        rule(variable, *slots, gradient, learning_rate, self.rho, self.epsilon, *momentum)


class Ftrl(Optimizer):
    """Follow the regularized leader: for linear models with many features and sparse weights.

    With s' = s + g^2 and p = -learning_rate_power: z += g + 2 * l2_shrinkage * w - (s'^p - s^p) /
    learning_rate * w; w = (z limited to [-l1, l1] - z) / (s'^p / learning_rate + 2 * l2 + beta /
    learning_rate).
    H. B. McMahan et al.: "Ad click prediction: a view from the trenches", KDD 2013.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.001
        Above 0 at every step.
    learning_rate_power : float of at most 0, default -0.5
    initial_accumulator_value : float of at least 0, default 0.1
        The initial value of s.
    l1_regularization_strength, l2_regularization_strength : float of at least 0, default 0.0
        l1 and l2.
    l2_shrinkage_regularization_strength : float of at least 0, default 0.0
        l2_shrinkage.
    beta : float of at least 0, default 0.0
    **options
        Of `Optimizer`: weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable([0.0, 0.0])
    >>> rule = nnlite.optimizers.Ftrl(0.1, l1_regularization_strength=0.5)
    >>> rule.apply_gradients([([0.25, -1.0], w)])
    >>> [round(float(x), 4) for x in w.numpy()]
    [0.0, 0.0477]
    """

    def __init__(
        self,
        learning_rate=0.001,
        learning_rate_power=-0.5,
        initial_accumulator_value=0.1,
        l1_regularization_strength=0.0,
        l2_regularization_strength=0.0,
        l2_shrinkage_regularization_strength=0.0,
        beta=0.0,
        **options,
    ):
        super().__init__(learning_rate, **options)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def slots(self):
        return {"accumulator": self.initial_accumulator_value, "linear": 0.0}

    def update_step(self, gradient, variable, learning_rate, *slots):
        ops.ftrl_update(
            variable,
            *slots,
            gradient,
            learning_rate,
            self.learning_rate_power,
            self.l1_regularization_strength,
            self.l2_regularization_strength,
            self.l2_shrinkage_regularization_strength,
            self.beta,
        )
