"""Muon: momentum whose singular values all become one."""

import re

from nnlite import ops
from nnlite.optimizers.optimizer import Optimizer


def _check_patterns(name, value):
    """Raise an error unless these are several strings, or None."""
    words = value if isinstance(value, (list, tuple)) else [None]
    if value is not None and not all(isinstance(word, str) for word in words):
        raise TypeError(f"{name}: expected a list of strings, got {value!r}")


class Muon(Optimizer):
    """Matrices take steps of orthogonal directions, other weights Adam's.

    m = momentum * m + g; u = g + momentum * m with Nesterov's momentum, else m;
    w -= learning_rate * rms_rate * sqrt(the larger side of w) * orthogonalized(u).

    `orthogonalized` brings the singular values near 1 by a few products of matrices
    (Newton-Schulz): after division by its norm, X becomes a X + (b A + c A A) X, with A = X X^T.
    Vectors, and weights that are excluded, are changed as by `AdamW`.
    K. Jordan et al.: "Muon: an optimizer for hidden layers in neural networks", 2024; J. Liu et
    al.: "Muon is scalable for LLM training", 2025.

    Parameters
    ----------
    learning_rate : float, LearningRateSchedule or callable, default 0.001
    adam_beta_1, adam_beta_2 : float in [0, 1), default 0.9 and 0.999
        Of the weights that Adam changes.
    adam_weight_decay : float of at least 0, or None, default 0.004
        Of the weights that Adam changes.
    epsilon : float of at least 0, default 1e-7
        Of the weights that Adam changes.
    weight_decay : float of at least 0, or None, default 0.004
        Of the other weights.
    clipnorm, clipvalue, global_clipnorm, use_ema, ema_momentum, ema_overwrite_frequency
        As of `Optimizer`.
    loss_scale_factor, gradient_accumulation_steps, name
        As of `Optimizer`.
    exclude_layers : list of str, optional
        Regular expressions; Adam changes the weights in whose names one is found.
    exclude_embeddings : bool, default True
        Whether Adam changes weights with "embedding" in their names.
    muon_a, muon_b, muon_c : float, default 3.4445, -4.775 and 2.0315
        The coefficients a, b, c.
    adam_lr_ratio : float of at least 0, default 1
        The learning rate of Adam, as a multiple of `learning_rate`.
    momentum : float in [0, 1), default 0.95
    ns_steps : int of at least 0, default 5
        How often X is replaced.
    nesterov : bool, default True
    rms_rate : float of at least 0, or None, default 0.2
        None: without this factor and the root.
    **options
        Of `Optimizer`: lr.

    Examples
    --------
    >>> import nnlite
    >>> w = nnlite.Variable([[0.0, 0.0], [0.0, 0.0]])
    >>> rule = nnlite.optimizers.Muon(1.0, rms_rate=None)
    >>> rule.apply_gradients([([[3.0, 0.0], [0.0, 0.1]], w)])
    >>> w.numpy().round().tolist()
    [[-1.0, 0.0], [0.0, -1.0]]
    """

    _legal = {
        "adam_beta_1": "[0, 1)",
        "adam_beta_2": "[0, 1)",
        "adam_weight_decay": "[0, inf)",
        "exclude_layers": _check_patterns,
        "exclude_embeddings": "bool",
        "muon_a": "(-inf, inf)",
        "muon_b": "(-inf, inf)",
        "muon_c": "(-inf, inf)",
        "adam_lr_ratio": "[0, inf)",
        "ns_steps": "int [0, inf)",
        "rms_rate": "[0, inf)",
    }
    _may_be_none = (*Optimizer._may_be_none, "adam_weight_decay", "rms_rate")

    def __init__(
        self,
        learning_rate=0.001,
        adam_beta_1=0.9,
        adam_beta_2=0.999,
        adam_weight_decay=0.004,
        epsilon=1e-7,
        weight_decay=0.004,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        use_ema=False,
        ema_momentum=0.99,
        ema_overwrite_frequency=None,
        loss_scale_factor=None,
        gradient_accumulation_steps=None,
        name=None,
        exclude_layers=None,
        exclude_embeddings=True,
        muon_a=3.4445,
        muon_b=-4.7750,
        muon_c=2.0315,
        adam_lr_ratio=1,
        momentum=0.95,
        ns_steps=5,
        nesterov=True,
        rms_rate=0.2,
        **options,
    ):
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **options,
        )
        self.adam_beta_1, self.adam_beta_2, self.epsilon = adam_beta_1, adam_beta_2, epsilon
        self.adam_weight_decay, self.adam_lr_ratio = adam_weight_decay, adam_lr_ratio
        self.exclude_layers = exclude_layers
        self.exclude_embeddings = exclude_embeddings
        self.muon_a, self.muon_b, self.muon_c = muon_a, muon_b, muon_c
        self.momentum, self.nesterov = momentum, nesterov
        self.ns_steps, self.rms_rate = ns_steps, rms_rate

    def slots(self):
        return {"momentum": 0.0, "velocity": 0.0}

    def _slot_forms(self, variable):
        forms = super()._slot_forms(variable)
        return forms if self._should_use_adamw(variable) else {"momentum": forms["momentum"]}

    def _should_use_adamw(self, variable):
        """Whether Adam changes a weight."""
        path = variable.path
        return (
            variable.ndim != 2
            or (self.exclude_embeddings and "embedding" in path.lower())
            or any(re.search(pattern, path) for pattern in self.exclude_layers or ())
        )

    def _decay_of(self, variable):
        decay = super()._decay_of(variable)
        return decay and self.adam_weight_decay if self._should_use_adamw(variable) else decay

    def update_step(self, gradient, variable, learning_rate, *slots):
        if self._should_use_adamw(variable):
            rate = learning_rate * float(self.adam_lr_ratio)
            betas = self.adam_beta_1, self.adam_beta_2
            ops.adam_update(variable, *slots, gradient, rate, self.iterations, *betas, self.epsilon)
            return
        (momentum,) = slots
        ops.assign(momentum, self.momentum * momentum + gradient)
        u = gradient + self.momentum * momentum if self.nesterov else momentum
        ops.sgd_update(variable, self._orthogonalized(u), learning_rate * self._size(u.shape))

    def _size(self, shape):
        return 1.0 if self.rms_rate is None else self.rms_rate * max(shape) ** 0.5

    def _orthogonalized(self, x):
        """A matrix of the same singular vectors, with singular values near 1."""
        tall = x.shape[0] > x.shape[1]
        x = ops.transpose(x) if tall else x
        x = x / (ops.sqrt(ops.sum_squares(x)) + 1e-7)
        for _ in range(self.ns_steps):
            a = ops.matmul(x, x, transpose_b=True)
            b = self.muon_b * a + self.muon_c * ops.matmul(a, a)
            x = self.muon_a * x + ops.matmul(b, x)
        return ops.transpose(x) if tall else x
