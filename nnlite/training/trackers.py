"""Trackers: the running metrics of a model, of which each evaluation has its own.

A model has one loss tracker and one object for each metric. While a fit or an evaluation uses them,
whatever else is asked of the model (in a callback, in another thread) is done by a twin: a model of
the same layers and weights, whose metrics are copies."""

import contextlib
import copy

from nnlite.configurable import structure_version
from nnlite.metrics.metric import Metric
from nnlite.tree import flatten


@contextlib.contextmanager
def own_trackers(model):
    """The model, or while its metrics are in use a twin that has others, for a `with` block."""
    cache = model._step_cache
    if cache.in_use.acquire(blocking=False):
        try:
            yield model
        finally:
            cache.in_use.release()
        return
    twins = cache.twins  # those of now: when the model changes the cache begins with others
    try:
        twin = twins.pop()
    except IndexError:
        twin = _twin(model)
    structure_version.of(model)  # a version, so that the twin has the same
    vars(twin).update((k, v) for k, v in vars(model).items() if k not in twin._own)
    vars(twin)["_tracked"] = {name: vars(twin)[name] for name, _ in model._held()}
    yield twin
    twins.append(twin)


def _twin(model):
    """A model of the same layers and weights, with copies of the metrics."""
    own = {
        name: value
        for name, value in model._held()
        if (parts := flatten(value)) and all(isinstance(m, Metric) for m in parts)
    }
    own["_compiled"] = {
        name: value for name, value in model._compiled.items() if name.endswith("metrics")
    }
    objectives = model._objectives
    own["_objectives"] = both = objectives and (objectives.objectives, objectives.with_loss)
    # Objectives are copied without their losses, which may be anything and hold no state.
    losses = {id(g.loss): g.loss for g in (both or [()])[-1]}
    own = copy.deepcopy(own, losses)
    own["_compiled"] = {**model._compiled, **own["_compiled"]}
    if objectives is not None:
        copied = copy.copy(objectives)
        copied.objectives, copied.with_loss = own["_objectives"]
        own["_objectives"] = copied
    own["_step_cache"] = type(model._step_cache)()
    twin = object.__new__(type(model))
    vars(twin).update(own, _own=own.keys())
    return twin
