"""Objectives: what the outputs of a model are trained for, and the metrics that measure them."""

import numbers
from dataclasses import dataclass

from nnlite import losses
from nnlite.configurable import unique_name
from nnlite.errors import prefixed
from nnlite.metrics import Mean, as_metric
from nnlite.training.loss_terms import Term, terms_of
from nnlite.tree import flatten, is_shape, like, map_structure


@dataclass
class Objective:
    """What one output, or several together, are trained for.

    Attributes
    ----------
    name : str or None
        The output's; None if it is the only one.
    metrics, weighted_metrics : list of Metric
        Of an output; an objective beyond the first of an output has none.
    part : str, or list, tuple or dict of them
        The name of the output, or those of the outputs that the loss takes together, nested as they
        are.
    needs_targets : bool
        Whether something compares the output with targets.
    loss : Loss or None
    weight : float
        Of the loss in the total.
    tracker : Mean or None
        The mean of the loss, before its weight, or of the sum of all losses of the same outputs;
        None if there are no others.
    view : function of (metric, targets, outputs) or None
        What a metric sees of an output: two tensors; None if it sees both as they are. It is no
        part of a model's description: the estimator that trains the model sets it.
    """

    name: str
    metrics: list
    weighted_metrics: list
    part: object
    needs_targets: bool
    loss: object = None
    weight: float = 1.0
    tracker: object = None
    view: object = None

    def __post_init__(self):
        self.needs_targets |= bool(self.metrics or self.weighted_metrics)

    def seen_by(self, metric, targets, outputs):
        """Targets and outputs as a metric sees them."""
        return (targets, outputs) if self.view is None else self.view(metric, targets, outputs)


class Objectives:
    """The objectives of all outputs, in order.

    Parameters
    ----------
    names : str, or list, tuple or dict of them
        As `names_of` gives them.
    loss, loss_weights, metrics, weighted_metrics
        As of `Model.compile`.

    Attributes
    ----------
    objectives : list of Objective
        One for each output, in order.
    with_loss : list of Objective
        One for each loss: those of outputs, of further losses of them, and of losses that take
        several outputs together.

    Raises
    ------
    ValueError
        If a setting is not one for all outputs, a list of one for each, a dict by name or
        structured as the outputs.
    """

    def __init__(self, names, loss, loss_weights=None, metrics=None, weighted_metrics=None):
        self.structure, self.names = names, flatten(names)
        self.outputs = None  # the shapes that the names were taken from
        terms = self._terms(loss, loss_weights)
        metrics = self._each("metrics", metrics, partly=True)
        weighted_metrics = self._each("weighted_metrics", weighted_metrics, partly=True)
        compared = {name for term in terms for name in flatten(term.part)}
        self.objectives = [
            Objective(
                name,
                _metrics("metrics", measured),
                _metrics("weighted_metrics", weighted),
                name,
                name in compared,
            )
            for name, measured, weighted in zip(self.names, metrics, weighted_metrics)
        ]
        by_name, self.with_loss = {g.name: g for g in self.objectives}, []
        for term in terms:
            g = by_name.pop(term.name, None) if isinstance(term.part, str) else None
            g = g or Objective(term.name, [], [], term.part, True)
            with prefixed("loss: "):
                g.loss = losses.as_loss(term.loss)
            g.weight = 1.0 if term.weight is None else _number(term.weight)
            self.with_loss.append(g)
        trackers = {}
        for g in self.with_loss:
            if str(g.part) not in trackers:
                taken = {tracker.name for tracker in trackers.values()}
                tracker = trackers[str(g.part)] = Mean(unique_name(f"{g.name}_loss", taken))
                tracker.higher_is_better = False
            g.tracker = trackers[str(g.part)]
        for g in (*self.objectives, *self.with_loss):
            g.name = None if self.single else g.name
            g.tracker = g.tracker if len(trackers) > 1 else None

    def _terms(self, loss, loss_weights):
        """The terms of the loss: those of one loss for each output in the order of the outputs."""
        terms = terms_of(self.structure, loss)
        of_one = {term.part for term in terms if isinstance(term.part, str)}
        if len(of_one) < len(terms):  # weights by outputs would not do
            terms = terms_of(self.structure, loss, loss_weights)
        else:
            by_name = {term.part: term.loss for term in terms}
            without = {name for name in self.names if by_name.get(name) is None}
            weights = self._each("loss_weights", loss_weights, without)
            terms = [Term(n, n, by_name.get(n), weight) for n, weight in zip(self.names, weights)]
        return [term for term in terms if term.loss is not None]

    def __iter__(self):
        return iter(self.objectives)

    @property
    def single(self):
        """Whether there is one output only."""
        return len(self.names) == 1

    def rename(self, names):
        """Know the name of the only output, as `names_of` gives it, better than before."""
        self.structure, self.names = names, flatten(names)
        for g in (*self.objectives, *self.with_loss):
            g.part = self.names[0]

    def _each(self, what, given, unused=frozenset(), partly=False):
        """The setting of each output; unused outputs may have none."""
        if self.single and not isinstance(given, dict):
            return [given if partly else self._only(what, given)]
        if given is None:
            return [None] * len(self.names)
        found = self._matched(given, unused)
        if found is None and given and partly and not isinstance(self.structure, str):
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

    def compared(self, y, y_pred, sample_weight):
        """(objective, y, y_pred, sample_weight) of each loss."""
        values = [
            self.per_output("y", y),
            self.per_output("y_pred", y_pred),
            self.per_output("sample_weight", sample_weight, shared=True),
        ]
        targets, outputs, weights = (dict(zip(self.names, entries)) for entries in values)
        for g in self.with_loss:
            found = {id(weights[name]): weights[name] for name in flatten(g.part)}
            if len(found) > 1:
                raise ValueError(
                    f"sample_weight: expected one array for the loss of the outputs "
                    f"{', '.join(flatten(g.part))} together, got one for each"
                )
            parts = (map_structure(by.__getitem__, g.part, str) for by in (targets, outputs))
            yield g, *parts, *found.values()

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
        found = {g.tracker.name: g.tracker for g in self.with_loss if g.tracker is not None}
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
            return like(part, [named(v, inner) for v in part])
        number = len(found)
        own = key or (known[number] if known else f"output_{number + 1}")
        found.append(unique_name("/".join((*path, own)), found))
        return found[-1]

    return named(outputs)


def as_lists(names):
    """A structure of names with lists for tuples: equal for outputs that are matched alike."""
    if isinstance(names, dict):
        return {key: as_lists(value) for key, value in names.items()}
    return [as_lists(value) for value in names] if isinstance(names, (list, tuple)) else names


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
