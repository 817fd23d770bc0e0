"""Schedules: the learning rate as a function of the step, written in ops and so part of a training
plan. A schedule is the `learning_rate` of an optimizer; it may be called with a step, too.

Names, arguments and formulas are Keras's. Steps count from 0. They are real numbers of the model's
precision; float32 represents them exactly up to 2^24."""

import math

import numpy as np

from nnlite import identifiers, names, ops
from nnlite.checks import check_number
from nnlite.configurable import Configurable
from nnlite.engine.tensor import Tensor

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "OneCycle",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "deserialize",
    "serialize",
]

__getattr__ = names.of(__name__)


class LearningRateSchedule(Configurable):
    """Base of all schedules: the learning rate of each step.

    To write a schedule, define one of these with `nnlite.ops`:

    - `rate(self, step)`, where `step` is a tensor of real numbers,
    - `__call__(self, step)`, as in Keras, where `step` is an int32 Variable.

    A training plan runs many steps without Python, so the rate must be computed from the step by
    ops.

    Examples
    --------
    >>> import nnlite
    >>> class SquareRoot(nnlite.optimizers.schedules.LearningRateSchedule):
    ...     def __init__(self, first):
    ...         self.first = first
    ...     def rate(self, step):
    ...         return self.first / nnlite.ops.sqrt(step + 1.0)
    >>> float(SquareRoot(2.0)(3))
    1.0
    >>> optimizer = nnlite.optimizers.SGD(learning_rate=SquareRoot(0.5))
    """

    # Of a setting of this name, in all schedules.
    _legal = {
        "initial_learning_rate": "[0, inf)",
        "end_learning_rate": "[0, inf)",
        "max_learning_rate": "[0, inf)",
        **dict.fromkeys(("warmup_target", "decay_rate", "power", "alpha"), "[0, inf)"),
        "decay_steps": "(0, inf)",
        "first_decay_steps": "(0, inf)",
        "warmup_steps": "[0, inf)",
        "total_steps": "[1, inf)",
        "t_mul": "[1, inf)",
        "m_mul": "[0, inf)",
        "pct_start": "[0, 1]",
        "div_factor": "(0, inf)",
        "final_div_factor": "(0, inf)",
        **dict.fromkeys(("staircase", "cycle", "three_phase"), "bool"),
        "anneal_strategy": ("cos", "linear"),
        "name": "str",
    }

    def check(self):
        """Raise a ValueError if a setting is out of range."""
        self._check_given({name: getattr(self, name, None) for name in self._signature()})

    def __call__(self, step):
        """The learning rate.

        Parameters
        ----------
        step : int, array-like or tensor
            From 0 on.

        Returns
        -------
        Tensor
            Of the shape of `step`: `float(schedule(100))` is one rate, `schedule(np.arange(1000))`
            a curve.
        """
        self.check()
        return self.rate(ops.operands(step)[0])

    def rate(self, step):
        """The learning rate.

        Parameters
        ----------
        step : Tensor
            Of real numbers.

        Returns
        -------
        Tensor
            Of the shape of `step`.
        """
        raise TypeError(f"{type(self).__name__}: a schedule must define rate(step)")


def _number(value):
    """A tensor of one number, such as an optimizer's learning rate, as a float."""
    return value.item() if isinstance(value, Tensor) and value.shape == () else value


class _Decay(LearningRateSchedule):
    """Base of `ExponentialDecay` and `InverseTimeDecay`: a rate, its decay, optional stairs."""

    def __init__(self, initial_learning_rate, decay_steps, decay_rate, staircase=False, name=None):
        self.initial_learning_rate, self.decay_steps = _number(initial_learning_rate), decay_steps
        self.decay_rate, self.staircase = decay_rate, staircase
        self.name = type(self).__name__ if name is None else name
        self.check()

    def _periods(self, step):
        """step / decay_steps, rounded down with `staircase`."""
        periods = step / self.decay_steps
        return ops.floor(periods) if self.staircase else periods


class ExponentialDecay(_Decay):
    """initial_learning_rate * decay_rate ^ (step / decay_steps).

    Parameters
    ----------
    initial_learning_rate : float of at least 0
    decay_steps : number above 0
        In steps.
    decay_rate : float of at least 0
    staircase : bool, default False
        Whether step / decay_steps is rounded down to an integer.
    name : str, optional

    Examples
    --------
    >>> from nnlite import schedules
    >>> round(float(schedules.ExponentialDecay(0.1, 100, 0.5)(200)), 6)
    0.025
    """

    def rate(self, step):
        return self.initial_learning_rate * ops.power(self.decay_rate, self._periods(step))


class InverseTimeDecay(_Decay):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps).

    Parameters
    ----------
    initial_learning_rate : float of at least 0
    decay_steps : number above 0
        In steps.
    decay_rate : float of at least 0
    staircase : bool, default False
        Whether step / decay_steps is rounded down to an integer.
    name : str, optional

    Examples
    --------
    >>> from nnlite import schedules
    >>> round(float(schedules.InverseTimeDecay(0.1, 100, 0.5)(200)), 6)
    0.05
    """

    def rate(self, step):
        return self.initial_learning_rate / (1.0 + self.decay_rate * self._periods(step))


class PiecewiseConstantDecay(LearningRateSchedule):
    """values[i] up to and including step boundaries[i], values[-1] after the last boundary.

    Parameters
    ----------
    boundaries : sequence of number
        Steps in increasing order.
    values : sequence of float of at least 0
        One value more than boundaries.
    name : str, default 'PiecewiseConstant'

    Examples
    --------
    >>> from nnlite import schedules
    >>> schedules.PiecewiseConstantDecay([2, 4], [1.0, 0.5, 0.25])([0, 2, 3, 9]).numpy().tolist()
    [1.0, 1.0, 0.5, 0.25]
    """

    def __init__(self, boundaries, values, name="PiecewiseConstant"):
        self.boundaries, self.values, self.name = boundaries, values, name
        self.check()

    def check(self):
        """Raise a ValueError if boundaries and values do not fit."""
        super().check()
        owner = type(self).__name__
        for name in ("boundaries", "values"):
            if not np.iterable(getattr(self, name)):
                raise TypeError(
                    f"{owner}: {name}: expected a list of numbers, got {getattr(self, name)!r}"
                )
        boundaries, values = list(self.boundaries), list(self.values)
        for name, given in (("boundaries", boundaries), ("values", values)):
            for number in given:
                check_number(name, number, "[0, inf)", owner)
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                f"{owner}: expected one value more than boundaries, got {len(values)} values and "
                f"{len(boundaries)} boundaries"
            )
        if boundaries != sorted(set(boundaries)):
            raise ValueError(f"{owner}: expected increasing boundaries, got {boundaries}")

    def rate(self, step):
        *values, rate = self.values
        rate = ops.full_like(step, rate)
        for boundary, value in list(zip(self.boundaries, values))[::-1]:
            rate = ops.where(step <= boundary, value, rate)
        return rate


class PolynomialDecay(LearningRateSchedule):
    """(initial_learning_rate - end_learning_rate) * (1 - step / decay_steps) ^ power +
    end_learning_rate.

    Parameters
    ----------
    initial_learning_rate : float of at least 0
    decay_steps : number above 0
        The number of steps after which the rate is `end_learning_rate`.
    end_learning_rate : float of at least 0, default 0.0001
    power : float of at least 0, default 1.0
    cycle : bool, default False
        Whether, after `decay_steps`, the decay continues with 2, then 3, ... times `decay_steps` in
        the formula.
    name : str, default 'PolynomialDecay'

    Examples
    --------
    >>> from nnlite import schedules
    >>> schedules.PolynomialDecay(1.0, 100, 0.0, power=2.0)(50).item()
    0.25
    """

    def __init__(
        self,
        initial_learning_rate,
        decay_steps,
        end_learning_rate=0.0001,
        power=1.0,
        cycle=False,
        name="PolynomialDecay",
    ):
        self.initial_learning_rate, self.decay_steps = _number(initial_learning_rate), decay_steps
        self.end_learning_rate, self.power, self.cycle = end_learning_rate, power, cycle
        self.name = name
        self.check()

    def rate(self, step):
        if self.cycle:
            steps = self.decay_steps * ops.maximum(ops.ceil(step / self.decay_steps), 1.0)
        else:
            steps, step = self.decay_steps, ops.minimum(step, self.decay_steps)
        fall = self.initial_learning_rate - self.end_learning_rate
        return fall * ops.power(1.0 - step / steps, self.power) + self.end_learning_rate


def _half_cosine(fraction):
    """Half a cosine: falls from 1 to 0 while `fraction` rises from 0 to 1."""
    return 0.5 * (1.0 + ops.cos(math.pi * fraction))


class CosineDecay(LearningRateSchedule):
    """Half a cosine from a rate down to `alpha` times that rate, after an optional linear warm-up.

    Parameters
    ----------
    initial_learning_rate : float of at least 0
        The rate of step 0.
    decay_steps : number above 0
        The number of steps of the decay, after the warm-up.
    alpha : float of at least 0, default 0.0
        The last rate, as a fraction of the highest.
    name : str, default 'CosineDecay'
    warmup_target : float of at least 0, optional
        The rate at the end of the warm-up. None: there is no warm-up.
    warmup_steps : number of at least 0, default 0
        The number of steps of the warm-up.

    Notes
    -----
    I. Loshchilov, F. Hutter: "SGDR: stochastic gradient descent with warm restarts", ICLR 2017,
    equation 5. Warm-up: P. Goyal et al.: "Accurate, large minibatch SGD: training ImageNet in 1
    hour", arXiv 1706.02677, 2017.

    Examples
    --------
    >>> from nnlite import schedules
    >>> warm = schedules.CosineDecay(0.0, 100, warmup_target=1.0, warmup_steps=10)
    >>> [round(float(warm(step)), 4) for step in (0, 5, 10, 60, 110)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def __init__(
        self,
        initial_learning_rate,
        decay_steps,
        alpha=0.0,
        name="CosineDecay",
        warmup_target=None,
        warmup_steps=0,
    ):
        self.initial_learning_rate, self.decay_steps = _number(initial_learning_rate), decay_steps
        self.alpha, self.name = alpha, name
        self.warmup_target, self.warmup_steps = warmup_target, warmup_steps
        self.check()

    def _fall(self, top, step):
        """The rate `step` steps after the rate was `top`."""
        fraction = ops.minimum(step, self.decay_steps) / self.decay_steps
        return top * ((1.0 - self.alpha) * _half_cosine(fraction) + self.alpha)

    def rate(self, step):
        if self.warmup_target is None:
            return self._fall(self.initial_learning_rate, step)
        rise = (self.warmup_target - self.initial_learning_rate) * (step / self.warmup_steps)
        return ops.where(
            step < self.warmup_steps,
            rise + self.initial_learning_rate,
            self._fall(self.warmup_target, step - self.warmup_steps),
        )


class CosineDecayRestarts(LearningRateSchedule):
    """Half a cosine from a rate down to `alpha * initial_learning_rate`, in repeated periods.

    Parameters
    ----------
    initial_learning_rate : float of at least 0
    first_decay_steps : number above 0
        The length of the first period, in steps.
    t_mul : float of at least 1, default 2.0
        The length of each period divided by that of the period before.
    m_mul : float of at least 0, default 1.0
        The rate at each restart divided by that at the restart before.
    alpha : float of at least 0, default 0.0
        The lowest rate, as a fraction of `initial_learning_rate`.
    name : str, default 'SGDRDecay'

    Notes
    -----
    I. Loshchilov, F. Hutter: "SGDR: stochastic gradient descent with warm restarts", ICLR 2017.
    If a period ends at step n, the restart is at step n.

    Examples
    --------
    >>> from nnlite import schedules
    >>> sgdr = schedules.CosineDecayRestarts(1.0, 10, m_mul=0.5)
    >>> [round(float(sgdr(step)), 4) for step in (0, 5, 10, 20, 30)]
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    def __init__(
        self,
        initial_learning_rate,
        first_decay_steps,
        t_mul=2.0,
        m_mul=1.0,
        alpha=0.0,
        name="SGDRDecay",
    ):
        self.initial_learning_rate = _number(initial_learning_rate)
        self.first_decay_steps = first_decay_steps
        self.t_mul, self.m_mul, self.alpha, self.name = t_mul, m_mul, alpha, name
        self.check()

    def _period(self, step):
        """The number of the period, from 0, and the fraction of it that is over."""
        periods = step / self.first_decay_steps  # the step in units of the first period
        if self.t_mul == 1:
            number = ops.floor(periods)
            return number, periods - number
        growth = self.t_mul - 1.0

        def begin(number):
            return (ops.power(self.t_mul, number) - 1.0) / growth

        number = ops.floor(ops.log(1.0 + periods * growth) / math.log(self.t_mul))
        # At a restart the logarithm may round to the wrong period: compare with both restarts.
        reached = periods * (1.0 + 1e-6)
        number = number + (reached >= begin(number + 1.0)) - (reached < begin(number))
        return number, (periods - begin(number)) / ops.power(self.t_mul, number)

    def rate(self, step):
        number, fraction = self._period(step)
        height = ops.power(self.m_mul, number)
        part = (1.0 - self.alpha) * (height * _half_cosine(fraction)) + self.alpha
        return self.initial_learning_rate * part


class OneCycle(LearningRateSchedule):
    """One cycle over the whole training: up to a high rate, then down to a very small one.

    Parameters
    ----------
    max_learning_rate : float of at least 0
        The highest rate.
    total_steps : number of at least 1
        The number of steps of the training: epochs * batches per epoch. Later steps have the last
        rate.
    pct_start : float in [0, 1], default 0.3
        The fraction of the steps in which the rate rises; at most 0.5 with three phases.
    anneal_strategy : {'cos', 'linear'}, default 'cos'
        The shape of the rise and the fall.
    div_factor : float above 0, default 25.0
        The first rate is `max_learning_rate / div_factor`.
    final_div_factor : float above 0, default 1e4
        The last rate is the first rate divided by this.
    three_phase : bool, default False
        Whether the fall has two phases: down to the first rate, as long as the rise, then down to
        the last rate.
    name : str, default 'OneCycle'

    Notes
    -----
    L. N. Smith, N. Topin: "Super-convergence: very fast training of neural networks using large
    learning rates", SPIE 11006, 2019. Names, defaults and the first step of each phase are those of
    PyTorch's OneCycleLR. Momentum is constant.

    Examples
    --------
    >>> from nnlite import schedules
    >>> cycle = schedules.OneCycle(1.0, total_steps=100, pct_start=0.31)
    >>> [round(float(cycle(step)), 4) for step in (0, 15, 30, 99)]
    [0.04, 0.52, 1.0, 0.0]
    """

    def __init__(
        self,
        max_learning_rate,
        total_steps,
        pct_start=0.3,
        anneal_strategy="cos",
        div_factor=25.0,
        final_div_factor=1e4,
        three_phase=False,
        name="OneCycle",
    ):
        self.max_learning_rate, self.total_steps = max_learning_rate, total_steps
        self.pct_start, self.anneal_strategy = pct_start, anneal_strategy
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        self.three_phase, self.name = three_phase, name
        self.check()

    def check(self):
        """Raise a ValueError if a setting is out of range."""
        super().check()
        owner = type(self).__name__
        if self.three_phase:
            check_number("pct_start of three phases", self.pct_start, "[0, 0.5]", owner)

    def _phases(self):
        """(last step, first rate, last rate) of each phase."""
        first, top = self.max_learning_rate / self.div_factor, self.max_learning_rate
        end, rise = self.total_steps - 1, self.pct_start * self.total_steps - 1
        last = first / self.final_div_factor
        if self.three_phase:
            return [(rise, first, top), (2 * rise, top, first), (end, first, last)]
        return [(rise, first, top), (end, top, last)]

    def rate(self, step):
        rates, begin = [], 0.0
        for end, first, last in self._phases():
            left = 1.0 - ops.clip((step - begin) / ((end - begin) or 1.0), 0.0, 1.0)
            # Adding to the smaller rate keeps its digits.
            small, large, part = (last, first, left) if last < first else (first, last, 1.0 - left)
            part = _half_cosine(1.0 - part) if self.anneal_strategy == "cos" else part
            rates.append((end, small + (large - small) * part))
            begin = end
        (_, rate), *before = rates[::-1]
        for end, earlier in before:
            rate = ops.where(step <= end, earlier, rate)
        return rate


serialize, deserialize = identifiers.as_dicts(
    __name__, "learning_rate_schedule", LearningRateSchedule, "CosineDecay(0.1, 100)"
)
