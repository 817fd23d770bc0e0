"""Rules that follow the gradient or its sign, with momentum: SGD, Lion."""

from nnlite import ops
from nnlite.optimizers.optimizer import Optimizer


class SGD(Optimizer):
    """Gradient descent, optionally with momentum.

    - Without momentum: w -= learning_rate * g.
    - With momentum: m = momentum * m - learning_rate * g; w += m.
    - With Nesterov's momentum: m as above; w += momentum * m - learning_rate * g.

    The learning rate is inside m, as in Keras.
    I. Sutskever, J. Martens, G. Dahl, G. Hinton: "On the importance of initialization and momentum
    in deep learning", ICML 2013.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.01
    momentum : float in [0, 1], default 0.0
    nesterov : bool, default False
        Whether to use Nesterov's momentum.
    **options
        Of `Optimizer`: weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable(1.0)
    >>> nnlite.optimizers.SGD(learning_rate=0.1).apply_gradients([(0.5, w)])
    >>> round(w.item(), 4)
    0.95
    """

    _legal = {"momentum": "[0, 1]"}

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, **options):
        super().__init__(learning_rate, **options)
        self.momentum, self.nesterov = momentum, nesterov

    def slots(self):
        return {"momentum": 0.0} if self.momentum else {}

    def update_step(self, gradient, variable, learning_rate, *slots):
        if slots:
            ops.momentum_update(
                variable, *slots, gradient, learning_rate, self.momentum, bool(self.nesterov)
            )
        else:
            ops.sgd_update(variable, gradient, learning_rate)


class Lion(Optimizer):
    """Steps of equal size, in the direction of the sign of averaged gradients.

    w -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g); m = beta_2 * m + (1 - beta_2) * g.
    X. Chen et al.: "Symbolic discovery of optimization algorithms", NeurIPS 2023. The authors
    recommend a learning rate 3 to 10 times smaller than Adam's, and a weight decay larger by the
    same factor.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.001
    beta_1 : float in (0, 1), default 0.9
        With 0 the average would have no part in the step.
    beta_2 : float in [0, 1), default 0.99
    **options
        Of `Optimizer`: weight_decay, clipnorm, clipvalue, global_clipnorm, name, lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable([1.0, 1.0])
    >>> nnlite.optimizers.Lion(0.25).apply_gradients([([0.1, -9.0], w)])
    >>> w.numpy().tolist()
    [0.75, 1.25]
    """

    _legal = {"beta_1": "(0, 1)"}

    def __init__(self, learning_rate=0.001, beta_1=0.9, beta_2=0.99, **options):
        super().__init__(learning_rate, **options)
        self.beta_1, self.beta_2 = beta_1, beta_2

    def slots(self):
        return {"momentum": 0.0}

    def update_step(self, gradient, variable, learning_rate, *slots):
        ops.lion_update(variable, *slots, gradient, learning_rate, self.beta_1, self.beta_2)
