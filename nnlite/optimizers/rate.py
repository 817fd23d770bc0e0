"""The learning rate of an optimizer: a number that can be set, a schedule, or a function."""

import numpy as np

from nnlite import config, ops
from nnlite.checks import check_number
from nnlite.configurable import Configurable, structure_version
from nnlite.engine.recording import tracing
from nnlite.engine.tensor import Tensor, Variable
from nnlite.errors import prefixed
from nnlite.optimizers.gradients import takes_one
from nnlite.optimizers.schedules import LearningRateSchedule


class Rated(Configurable):
    """Base: what has a learning rate, and counts the steps by which schedules compute it.

    Attributes
    ----------
    _source : float, LearningRateSchedule or callable
    _rate : Variable or None
        The number, once there is a need for it.
    _real : str or None
        The precision of the weights, once they are known.
    """

    def _check_source(self):
        """Raise a ValueError if the learning rate, as it is now, is out of range."""
        if isinstance(self._source, LearningRateSchedule):
            self._source.check()
        elif not callable(self._source):
            self._check_rate(self._source)

    def _check_rate(self, value):
        """Raise a ValueError unless a value can be the learning rate."""
        check_number("learning_rate", value, "[0, inf)", type(self).__name__)

    @property
    def learning_rate(self):
        """The learning rate.

        - A Variable if a number was given. It can be set between steps.
        - The tensor for the next step if a schedule or callable was given.
        """
        if callable(self._source):
            return self._computed_rate()
        if self._rate is None:
            self._check_rate(self._source)
            # In float64 until the precision of the weights is known, so that no digit is lost.
            dtype = self._real or "float64"
            self._rate = Variable(float(self._source), False, "learning_rate", dtype)
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value):
        if callable(value) and not isinstance(value, Tensor):
            self._source, self._rate = value, None
            structure_version.advance(self)
        elif callable(self._source):
            raise TypeError(
                f"{type(self).__name__}: the learning rate is computed by {self._source!r} and "
                "cannot be set to a number; set another schedule, or make the optimizer with a "
                "number"
            )
        else:
            value = value.item() if isinstance(value, (Tensor, np.ndarray)) else value
            self._check_rate(value)
            self.learning_rate.assign(float(value))

    lr = learning_rate

    @config.isolated
    def _computed_rate(self):
        """The learning rate that the schedule or callable computes for step `iterations`."""
        source = self._source
        with config.precision(self._real or config.floatx()):
            takes_step = isinstance(source, LearningRateSchedule) or takes_one(source)
            with prefixed(f"{type(self).__name__}: learning_rate: "):
                rate = source(self.iterations) if takes_step else source()
            if tracing() and not isinstance(rate, Tensor):
                raise TypeError(
                    f"{type(self).__name__}: learning_rate: expected a function that returns a "
                    f"tensor computed from the step, or a Variable, got {rate!r}: a training plan "
                    "would never ask again. Compile with run_eagerly=True to call it each step"
                )
            return ops.operands(rate)[0]
