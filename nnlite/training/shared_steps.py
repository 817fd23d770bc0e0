"""Compiled steps that models of one structure have in common: one of them traces a step, the others
run its plan on Variables of their own.

Tracing and planning a step of a small network take as long as many of its epochs."""

import contextlib

from nnlite import config
from nnlite.metrics.metric import Metric
from nnlite.training.fit_state import metrics_in, variables_in
from nnlite.training.step_cache import layers_in


class SharedSteps:
    """The steps of models with equal layers, optimizers, losses and metrics, by their layouts.

    The caller who gives it to the models' caches vouches for that. Each of them holds what a step
    reads and changes at the same places.
    """

    def __init__(self):
        self._known = {}

    def step(self, layout, model, trace):
        """A model's step for a layout of data: that of another model on the Variables of this one,
        or what `trace` makes, where there is none or this model has no such Variables."""
        if layout in self._known:
            step, others = self._known[layout]
            with contextlib.suppress(KeyError):
                return step.on(_counterparts(others, model))
        step = trace()
        self._known.setdefault(layout, (step, _owned(model)))
        return step


def _owned(model):
    """The Variables and metrics of a model, its optimizer's too, by their places."""
    found = {}
    for number, layer in enumerate(layers_in(model)):
        found |= {("layer", number, i): v for i, v in enumerate(variables_in(layer))}
    for number, metric in enumerate(metrics_in(model.metrics)):
        found["metric", number] = metric
        found |= {("metric", number, i): v for i, v in enumerate(variables_in(metric))}
    if model.optimizer.built:
        found |= {("optimizer", i): v for i, v in enumerate(model.optimizer.variables)}
    return found


def _counterparts(others, model):
    """What a model has in the places of what another one owns: id of the other -> this one's."""
    if ("optimizer", 0) in others and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    for number, metric in enumerate(metrics_in(model.metrics)):
        other = others.get(("metric", number))
        # Metrics make what they have at the first batch, or when they are traced.
        if other is not None and not variables_in(metric):
            with config.precision(model._precision):
                metric._running(*(v.shape for v in variables_in(other)))
    owned = _owned(model)
    pairs = [(other, owned[place]) for place, other in others.items() if place in owned]
    return {id(other): own for other, own in pairs if _form(own) == _form(other)}


def _form(owned):
    return type(owned), None if isinstance(owned, Metric) else (owned.shape, owned.dtype)
