"""Objectives: what each output of a model is trained for, and the metrics that measure it."""

import numbers
from dataclasses import dataclass

from nnlite import losses
from nnlite.configurable import unique_name
from nnlite.errors import prefixed
from nnlite.metrics import Mean, as_metric
from nnlite.tree import flatten, is_shape


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

    @property
    def needs_targets(self):
        """Whether something compares the output with targets."""
        return self.loss is not None or bool(self.metrics or self.weighted_metrics)


class Objectives:
    """The objectives of all outputs, in order.

    Parameters
    ----------
    names : str, or list, tuple or dict of them
        As `names_of` gives them.
    loss, loss_weights, metrics, weighted_metrics
        As of `Model.compile`.

    Raises
    ------
    ValueError
        If a setting is not one for all outputs, a list of one for each, a dict by name or
        structured as the outputs.
    """

    def __init__(self, names, loss, loss_weights=None, metrics=None, weighted_metrics=None):
        self.structure, self.names = names, flatten(names)
        self.outputs = None  # the shapes that the names were taken from
        chosen = [self._one_loss(*pair) for pair in zip(self.names, self._each("loss", loss))]
        without = {name for name, found in zip(self.names, chosen) if found is None}
        settings = (
            chosen,
            self._each("loss_weights", loss_weights, without),
            self._each("metrics", metrics, partly=True),
            self._each("weighted_metrics", weighted_metrics, partly=True),
        )
        shown = [None] if self.single else self.names
        self.objectives = [_objective(*entries) for entries in zip(shown, *settings)]
        with_loss = [g for g in self.objectives if g.loss is not None]
        for g in with_loss if len(with_loss) > 1 else ():
            g.tracker = Mean(f"{g.name}_loss")

    def __iter__(self):
        return iter(self.objectives)

    @property
    def single(self):
        """Whether there is one output only."""
        return len(self.names) == 1

    def rename(self, names):
        """Know the names of the outputs, as `names_of` gives them, better than before."""
        self.structure, self.names = names, flatten(names)

    def _each(self, what, given, unused=frozenset(), partly=False):
        """The setting of each output; unused outputs may have none."""
        shared = what == "loss"
        if self.single and not isinstance(given, dict):
            return [given if partly else self._only(what, given)]
        if given is None or (shared and not isinstance(given, (list, tuple, dict))):
            return [given] * len(self.names)
        found = self._matched(given, unused)
        if found is None and given and (shared or partly) and not isinstance(self.structure, str):
            found = _structured(self.structure, given, set(self.names))  # dicts of some outputs
        if found is not None:
            return found
        if self.single:
            return [self._only(what, given) if given or not partly else None]
        names = ", ".join(self.names)
        if isinstance(given, dict):
            if not partly or given.keys() - set(self.names):
                raise ValueError(
                    f"{what}: expected the outputs {names} as keys, "
                    f"got {', '.join(map(str, given))}"
                )
            return [given.get(name) for name in self.names]
        raise ValueError(
            f"{what}: expected a list of one entry for each of the outputs {names}, or a dict, "
            f"got {given!r}"
        )

    def _one_loss(self, name, given):
        """The loss of an output, also as a list of one."""
        listed = isinstance(given, (list, tuple))
        if listed and len(given) == 1:
            return self._one_loss(name, given[0])
        if listed or (isinstance(given, dict) and "class_name" not in given):
            raise ValueError(
                f"loss: expected one loss for the output {name!r}, got {len(given)}: {given!r}; "
                "to add several, or to compare outputs together, define compute_loss"
            )
        return given

    def per_output(self, what, values, shared=False):
        """The entry of each output in a list or dict of them; with `shared` one for all may do.

        Outputs that nothing compares with targets may have no entry.
        """
        if values is None:
            return [None] * len(self.names)
        unused = {name for name, g in zip(self.names, self) if not g.needs_targets}
        found = self._matched(values, unused)
        if found is not None:
            return found
        if self.single:
            return [self._only(what, values)]
        if shared and not isinstance(values, (list, tuple)):
            return [values] * len(self.names)
        names = ", ".join(self.names)
        if isinstance(values, dict):
            raise ValueError(
                f"{what}: expected entries for the outputs {names}, "
                f"got {', '.join(map(str, values))}"
            )
        got = f"{len(values)} entries" if isinstance(values, (list, tuple)) else "one array"
        raise ValueError(f"{what}: expected one entry for each of the outputs {names}, got {got}")

    def _matched(self, values, unused=frozenset()):
        """The entries of values that have the structure of the outputs, or are a list or dict by
        name of them; else None. Those of unused outputs may be missing, and are None then."""
        found = None
        if not isinstance(self.structure, str):
            found = _structured(self.structure, values, unused)
        return _entries(self.names, values, unused) if found is None else found

    def _only(self, what, given):
        """A setting of the only output, also as a list of one entry."""
        if isinstance(given, dict):
            raise ValueError(
                f"{what}: expected the output {self.names[0]!r} as the only key, "
                f"got {', '.join(map(repr, given)) or 'none'}"
            )
        if isinstance(given, (list, tuple)):
            if len(given) != 1:
                raise ValueError(f"{what}: expected one entry for one output, got {len(given)}")
            return given[0]
        return given

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


def names_of(outputs, known=None):
    """A structure like the outputs (tensors or shapes), with a name in the place of each.

    An output is called by its key in a dict, else by the name in `known`, or output_1, ...; within
    nested dicts by all keys that lead to it, as 'a/b'.
    """
    found = []

    def named(part, path=(), key=None):
        inner = path if key is None else (*path, key)
        if isinstance(part, dict):
            return {k: named(v, inner, str(k)) for k, v in part.items()}
        if isinstance(part, (list, tuple)) and not is_shape(part):
            return [named(v, inner) for v in part]
        number = len(found)
        own = key or (known[number] if known else f"output_{number + 1}")
        found.append(unique_name("/".join((*path, own)), found))
        return found[-1]

    return named(outputs)


def _entries(names, values, unused):
    """The entries of a list or dict for each name, but for the unused ones; else None."""
    used = [name for name in names if name not in unused]
    if isinstance(values, dict):
        fits = set(used) <= values.keys() <= set(names)
        return [values.get(name) for name in names] if fits else None
    values = values if isinstance(values, (list, tuple)) else [values]
    for given in (names, used):
        if values and len(values) == len(given):
            found = dict(zip(given, values))
            return [found.get(name) for name in names]
    return None


def _structured(names, values, unused):
    """The entries of values that are nested as the names are; else None."""
    if isinstance(names, str):
        return [values]
    if values is None and unused.issuperset(flatten(names)):
        return [None] * len(flatten(names))
    if isinstance(names, dict):
        if not isinstance(values, dict) or not values.keys() <= names.keys():
            return None
        missing = [names[key] for key in names.keys() - values.keys()]
        if not unused.issuperset(flatten(missing)):
            return None
        pairs = [(name, values.get(key)) for key, name in names.items()]
    elif isinstance(values, (list, tuple)) and len(values) == len(names):
        pairs = zip(names, values)
    else:
        return None
    parts = [_structured(*pair, unused) for pair in pairs]
    return None if any(p is None for p in parts) else [entry for p in parts for entry in p]


def _objective(name, loss, weight, measured, weighted):
    with prefixed("loss: "):
        loss = losses.as_loss(loss)
    weight = 1.0 if weight is None else _number(weight)
    return Objective(
        name, loss, weight, _metrics("metrics", measured), _metrics("weighted_metrics", weighted)
    )


def _number(weight):
    """The weight of a loss as a float."""
    if isinstance(weight, bool) or not isinstance(weight, numbers.Real):
        raise TypeError(
            f"loss_weights: expected a number for each output, got {weight!r}; metrics are given "
            "by name: metrics=[...]"
        )
    return float(weight)


def _metrics(argument, given):
    with prefixed(f"{argument}: "):
        return [as_metric(m) for m in flatten(given) if m is not None]
