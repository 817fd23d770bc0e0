"""Fit: where a fit is, and everything that decides how it goes on."""

import zlib
from dataclasses import dataclass, field

import numpy as np

from nnlite import config, lazy, warn
from nnlite.callbacks.foreign import Foreign
from nnlite.data.batches import ArrayBatches
from nnlite.data.sources import leaves
from nnlite.engine.tensor import Variable
from nnlite.metrics.metric import Metric
from nnlite.optimizers import Optimizer
from nnlite.saving.state import state_of
from nnlite.tree import objects_in

with lazy.imports(__name__):
    import random

_SAMPLED = 64  # rows that tell arrays from others


@dataclass
class Fit:
    """A fit under way.

    Attributes
    ----------
    model : Model
    batches : ArrayBatches or IterableBatches
    held_out : ArrayBatches, IterableBatches or None
        Those of validation.
    callbacks : list of Callback
    steps : int or None
        Batches of an epoch; None: one pass.
    epoch : int
        The number of the epoch under way or, between two of them, of the next one.
    done : int
        Batches of it that are finished.
    logs : dict
        What the last step, or the last epoch, gave.
    diverged : bool
        Whether a loss was not finite.
    over : bool
        Whether no epoch follows.
    """

    model: object
    batches: object
    held_out: object
    callbacks: list
    steps: int
    epoch: int
    done: int = 0
    logs: dict = field(default_factory=dict)
    diverged: bool = False
    over: bool = False

    def __post_init__(self):
        self._steps_asked = self.steps
        self._at = None  # the state of the batches when the epoch under way began
        self._checksum = None

    def mark(self):
        """Take note that an epoch begins with the batches that come now."""
        self._at = self.batches.get_state()

    def get_state(self):
        """Everything that a fit needs to go on from here in another process, with the same bits.

        Returns
        -------
        dict
            Of numbers, strings and arrays, also in lists, tuples and dicts.
        """
        return {
            "of": self._description(),
            "sample": self._sample(),
            "at": {
                "epoch": self.epoch,
                "done": self.done,
                "steps": self.steps,
                "logs": self.logs,
                "diverged": self.diverged,
                "over": self.over or (self.model.stop_training and not self.done),
            },
            "batches": self._at,
            "held_out": None if self.held_out is None else self.held_out.get_state(),
            "values": self._values(),
        }

    def set_state(self, state):
        """Go on from there.

        Parameters
        ----------
        state : dict
            As `get_state` returned it.

        Raises
        ------
        ValueError
            If it is that of another model, of other data or callbacks.
        """
        self._check(state["of"])
        if state["sample"] != self._sample():
            warn.warn(
                "the backup is of a training with other values of x, y or sample_weight, in arrays "
                "of the same sizes: the bits will be those of neither training",
                UserWarning,
            )
        for name, value in state["at"].items():
            setattr(self, name, value)
        self.batches.set_state(state["batches"])
        if self.held_out is not None:
            self.held_out.set_state(state["held_out"])
        self.mark()
        self.set_values(state)

    def set_values(self, state):
        """Put back the values that change while an epoch is under way: weights, what optimizers,
        metrics and callbacks keep, and the generators of random numbers.

        Parameters
        ----------
        state : dict
            As `get_state` returned it.
        """
        values = state["values"]
        for path, variable in self._variables().items():
            variable.assign(values["model"][path])
        for name, optimizer in self._optimizers().items():
            self._set_optimizer(optimizer, values["optimizers"][name])
        if len(values["metrics"]) > len(self._metrics()):  # they come with a first batch
            self.model._objectives_for(self.model.output_shape)
        for metric, arrays in zip(self._metrics(), values["metrics"], strict=True):
            _set_metric(metric, arrays, self.model._precision)
        for callback, found in zip(self._stateful(), values["callbacks"], strict=True):
            callback.set_state(found)
        self.model.stop_training = values["stop"]
        config.set_random_state(values["random"])
        np.random.set_state(values["numpy.random"])  # noqa: NPY002, as data may draw from it
        random.setstate(values["python.random"])

    def _values(self):
        return {
            "model": {path: v._data for path, v in self._variables().items()},
            "optimizers": {k: self._of_optimizer(v) for k, v in self._optimizers().items()},
            "metrics": [[v._data for v in variables_in(m)] for m in self._metrics()],
            "callbacks": [c.get_state() for c in self._stateful()],
            "stop": self.model.stop_training,
            "random": config.random_state(),
            "numpy.random": np.random.get_state(legacy=False),  # noqa: NPY002
            "python.random": random.getstate(),
        }

    def _variables(self):
        return state_of(self.model, optimizer=False)[0]

    def _optimizers(self):
        """Those that are attributes of the model."""
        return {k: v for k, v in vars(self.model).items() if isinstance(v, Optimizer)}

    def _metrics(self):
        """Those of the model, and those in them; an epoch begins with none that has counted."""
        return list(metrics_in(self.model.metrics)) if self.done else []

    def _stateful(self):
        return [c for c in self.callbacks if c.get_state()]

    def _of_optimizer(self, optimizer):
        """Its own values, and of each weight that it changes the path and the slots."""
        paths = {id(v): path for path, v in self._variables().items()}
        return {
            "own": [v._data for v in _own(optimizer)],
            "slots": [
                (paths.get(key), {name: v._data for name, v in made.items()})
                for key, (_, made) in optimizer._slots.items()
            ],
        }

    def _set_optimizer(self, optimizer, state):
        variables = self._variables()
        owners = [variables[path] for path, _ in state["slots"]]
        optimizer.build(owners)
        for variable, array in zip(_own(optimizer), state["own"], strict=True):
            variable.assign(array)
        for owner, (_, slots) in zip(owners, state["slots"]):
            for name, array in slots.items():
                optimizer._slots[id(owner)][1][name].assign(array)

    def _sample(self):
        """A number that tells arrays from others: a checksum of some rows. Else None."""
        if self._checksum is None and isinstance(self.batches, ArrayBatches):
            rows = np.arange(0, self.batches.rows, -(-self.batches.rows // _SAMPLED))
            rows = rows if self.batches.numbers is None else self.batches.numbers[rows]
            for source in leaves(self.batches.sources):
                values = np.ascontiguousarray(source.values(rows))
                self._checksum = zlib.crc32(values.tobytes(), self._checksum or 0)
        return self._checksum

    def _description(self):
        """What two fits must have in common for one to go on where the other was."""
        return {
            "weights": {path: (v.shape, v.dtype) for path, v in self._variables().items()},
            "optimizers": {k: type(v).__name__ for k, v in self._optimizers().items()},
            "data": {**self.batches.get_state()["of"], "steps_per_epoch": self._steps_asked},
            "validation": None if self.held_out is None else self.held_out.get_state()["of"],
            "callbacks": [_class_of(c).__name__ for c in self._stateful()],
        }

    def _check(self, of):
        for name, now in self._description().items():
            before = of[name]
            if now == before:
                continue
            if isinstance(now, dict) and isinstance(before, dict):  # say what differs only
                keys = [k for k in (*before, *now) if before.get(k) != now.get(k)]
                before, now = ({k: d[k] for k in keys[:3] if k in d} for d in (before, now))
            raise ValueError(f"expected a fit with the {name} {before}, got {now}")


def _class_of(callback):
    return type(callback.callback if isinstance(callback, Foreign) else callback)


def _own(optimizer):
    """The Variables of an optimizer that belong to no weight."""
    slots = {id(v) for _, made in optimizer._slots.values() for v in made.values()}
    held = (*optimizer.variables, *vars(optimizer).values())
    found = {id(v): v for v in held if isinstance(v, Variable) and id(v) not in slots}
    return list(found.values())


def metrics_in(parts):
    """Some metrics, and those in them."""
    for metric in parts:
        yield metric
        yield from metrics_in(objects_in([*vars(metric).values()], Metric))


def variables_in(part):
    """The Variables of a metric or layer, without those of others in it."""
    found = objects_in([*vars(part).values()], Variable)
    return list({id(v): v for v in found}.values())


def _set_metric(metric, arrays, precision):
    """Set the Variables of a metric; one that makes them with the first batch has none yet."""
    if arrays and not variables_in(metric):
        with config.precision(precision):
            metric._running(*(a.shape for a in arrays))
    for variable, array in zip(variables_in(metric), arrays, strict=True):
        variable.assign(array)
