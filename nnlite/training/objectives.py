"""Objectives: what each output of a model is trained for, and the metrics that measure it."""

import numbers
from dataclasses import dataclass

from nnlite import losses
from nnlite.configurable import unique_name
from nnlite.metrics import Mean, as_metric
from nnlite.tree import flatten


@dataclass
class Objective:
    """What one output is trained for.

    Attributes
    ----------
    name : str or None
        The output's; None if it is the only one.
    loss : Loss or None
    weight : float
        Of the loss in the total.
    metrics, weighted_metrics : list of Metric
    tracker : Mean or None
        The mean of the loss, before its weight; where several outputs have one.
    """

    name: str
    loss: object
    weight: float
    metrics: list
    weighted_metrics: list
    tracker: object = None


class Objectives:
    """The objectives of all outputs, in order.

    Parameters
    ----------
    names : list of str or None
        Those of the outputs; None: there is one only.
    loss, loss_weights, metrics, weighted_metrics
        As of `Model.compile`.

    Raises
    ------
    ValueError
        If a setting is not one for all outputs, a list of one for each or a dict by name.
    """

    def __init__(self, names, loss, loss_weights=None, metrics=None, weighted_metrics=None):
        self.names = names
        settings = (
            self._each("loss", loss, shared=True),
            self._each("loss_weights", loss_weights),
            self._each("metrics", metrics, partly=True),
            self._each("weighted_metrics", weighted_metrics, partly=True),
        )
        self.objectives = [_objective(*entries) for entries in zip(names or [None], *settings)]
        with_loss = [g for g in self.objectives if g.loss is not None]
        for g in with_loss if len(with_loss) > 1 else ():
            g.tracker = Mean(f"{g.name}_loss")

    def __iter__(self):
        return iter(self.objectives)

    def _each(self, what, given, shared=False, partly=False):
        """The setting of each output."""
        if self.names is None:
            return [given if partly else only(what, given)]
        names = ", ".join(self.names)
        if given is None or (shared and not isinstance(given, (list, tuple, dict))):
            return [given] * len(self.names)
        if isinstance(given, dict):
            wrong = given.keys() - set(self.names)
            if wrong or (not partly and len(given) < len(self.names)):
                raise ValueError(
                    f"{what}: expected the outputs {names} as keys, "
                    f"got {', '.join(map(str, given))}"
                )
            return [given.get(name) for name in self.names]
        if not isinstance(given, (list, tuple)) or len(given) != len(self.names):
            raise ValueError(
                f"{what}: expected a list of one entry for each of the outputs {names}, or a dict, "
                f"got {given!r}"
            )
        return list(given)

    def per_output(self, what, values, shared=False):
        """The entry of each output in a list or dict of them; with `shared` one for all may
        do."""
        if self.names is None:
            return [only(what, values)]
        if isinstance(values, dict):
            if values.keys() != set(self.names):
                raise ValueError(
                    f"{what}: expected entries for the outputs {', '.join(self.names)}, "
                    f"got {', '.join(map(str, values))}"
                )
            return [values[name] for name in self.names]
        if shared and not isinstance(values, (list, tuple)):
            return [values] * len(self.names)
        if len(self.names) == 1 and not isinstance(values, (list, tuple)):
            return [values]
        got = f"{len(values)} entries" if isinstance(values, (list, tuple)) else "one array"
        if got != f"{len(self.names)} entries":
            raise ValueError(
                f"{what}: expected one entry for each of the outputs {', '.join(self.names)}, "
                f"got {got}"
            )
        return list(values)

    def named_metrics(self):
        """(name, Metric) of each running metric but the total loss, in the order of
        `evaluate`."""
        found = {g.tracker.name: g.tracker for g in self.objectives if g.tracker is not None}
        for group in ("metrics", "weighted_metrics"):
            for objective in self.objectives:
                start = "" if objective.name is None else f"{objective.name}_"
                for m in getattr(objective, group):
                    name = start + m.name
                    if name in found and group == "weighted_metrics":
                        name = f"{start}weighted_{m.name}"
                    found[unique_name(name, {"loss", *found})] = m
        return found.items()


def is_nested(given):
    """Whether a setting has entries for several outputs."""
    return isinstance(given, (list, tuple, dict)) and len(given) > 1


def names_of(outputs, known=None):
    """The names of several outputs, each once: keys, `known` ones or output_1, ...; None of a
    single one."""
    if not is_nested(outputs):
        return None
    if isinstance(outputs, dict):
        return list(outputs)
    names = []
    for k in range(len(outputs)):
        names.append(unique_name(known[k] if known else f"output_{k + 1}", names))
    return names


def only(what, given):
    """A setting of the only output, also as a list or dict of one entry."""
    if isinstance(given, (list, tuple, dict)):
        entries = list(given.values()) if isinstance(given, dict) else given
        if len(entries) != 1:
            raise ValueError(f"{what}: expected one entry for one output, got {len(entries)}")
        return entries[0]
    return given


def _objective(name, loss, weight, measured, weighted):
    return Objective(
        name,
        losses.as_loss(loss),
        1.0 if weight is None else _number(weight),
        _metrics(measured),
        _metrics(weighted),
    )


def _number(weight):
    """The weight of a loss as a float."""
    if isinstance(weight, bool) or not isinstance(weight, numbers.Real):
        raise TypeError(
            f"loss_weights: expected a number for each output, got {weight!r}; metrics are given "
            "by name: metrics=[...]"
        )
    return float(weight)


def _metrics(given):
    return [as_metric(m) for m in flatten(given) if m is not None]
