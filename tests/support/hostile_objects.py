"""Hostile calls of whatever is made from settings: constructors of layers, losses, metrics,
optimizers, schedules, initializers, regularizers, constraints, callbacks; layers, losses and
metrics called."""

import inspect

import numpy as np
from hostile import ROWS, Call, some_of

from nnlite import (
    callbacks,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    optimizers,
    regularizers,
)
from nnlite.optimizers import schedules

CALLS = 700
FAMILIES = [
    layers,
    losses,
    metrics,
    optimizers,
    schedules,
    initializers,
    regularizers,
    constraints,
    callbacks,
]
# What a layer calls its input.
INPUTS = ["inputs?", "Tensor", "tensors?", "shapes?", "dimensions", "channels"]
# What the constructors need beside the hostile argument.
NEEDED = {
    "units": 3, "filters": 2, "kernel_size": 3, "rate": 0.3, "n": 2, "dims": (1,), "axis": -1,
    "shape": (3,), "target_shape": (3,),
    "scale": 0.5, "stddev": 0.1, "num_classes": 3, "sensitivity": 0.5,
    "specificity": 0.5, "precision": 0.5, "recall": 0.5, "thresholds": [0.5],
    "fn": losses.mean_squared_error,
    "initial_learning_rate": 0.1, "decay_steps": 10, "decay_rate": 0.5, "boundaries": [1, 2],
    "values": [0.1, 0.2, 0.3], "end_learning_rate": 0.01, "schedule": lambda epoch: 0.1, "l": 0.1,
    "target_class_ids": [0], "first_decay_steps": 10, "activation": "relu", "factor": 1,
    "height_factor": 0.1, "width_factor": 0.1, "filename": None, "function": lambda x: x,
    "height": 3, "width": 2, "layer": layers.LSTM(2),
    "num_bins": 3, "num_tokens": 3, "bin_boundaries": [0.5], "vocabulary": [1, 2],
    "input_dim": 9, "output_dim": 2, "cell": layers.GRUCell(2), "cells": [layers.LSTMCell(2)],
}  # fmt: skip

# What needs an argument that has a default.
ALSO = {
    "CategoryEncoding": ["num_tokens"],
    "Discretization": ["bin_boundaries"],
    "IntegerLookup": ["vocabulary"],
}
CELLS = ["SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells"]  # they take states, too
# Bases, and what adapts before a call.
NOT_CALLED = ["Layer", "InputLayer", "InputSpec", "Wrapper", "PiecewiseLinearEncoding", *CELLS]


def classes(family):
    """The public classes of a module that can be made."""
    found = [getattr(family, name) for name in family.__all__]
    return [c for c in found if inspect.isclass(c)]


def parameters(cls):
    """The names of a constructor's arguments, and those without a default."""
    known = inspect.signature(cls).parameters.values()
    named = [p for p in known if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    needed = [p.name for p in named if p.default is p.empty]
    return [p.name for p in named], needed + ALSO.get(cls.__name__, [])


def constructors(rng):
    """One constructor with one hostile argument."""
    cls = _one(rng, classes(_one(rng, FAMILIES)))
    names, needed = parameters(cls)
    if not names:
        return None
    name, ((shown, value),) = _one(rng, names), some_of(rng, 1)
    if cls is layers.InputLayer:
        needed = ["shape"]
    settings = {n: NEEDED[n] for n in needed if n in NEEDED} | {name: value}
    if any(n not in settings for n in needed):
        return None
    label = f"{cls.__module__}.{cls.__name__}({name}={shown})"
    return Call(label, [name, *needed], lambda: cls(**settings), [value])


def called_layers(rng):
    """A sound layer on a hostile input."""
    cls = _one(rng, classes(layers))
    needed = parameters(cls)[1]
    if any(n not in NEEDED for n in needed) or cls.__name__ in NOT_CALLED:
        return None
    ((shown, value),) = some_of(rng, 1)
    layer = cls(**{n: NEEDED[n] for n in needed})
    label = f"layers.{cls.__name__}()({shown})"
    words = [*INPUTS, "vocabulary"]  # which a look-up has to have before
    return Call(label, words, lambda: layer(value), [value])


def called_losses(rng):
    """A sound loss on a hostile target or prediction."""
    cls = _one(rng, classes(losses))
    if parameters(cls)[1]:
        return None
    return _on_pairs(rng, f"losses.{cls.__name__}()", cls())


def called_metrics(rng):
    """A sound metric on a hostile target or prediction."""
    cls = _one(rng, classes(metrics))
    needed = parameters(cls)[1]
    if any(n not in NEEDED for n in needed) or cls in (metrics.Metric, metrics.Mean, metrics.Sum):
        return None
    metric = cls(**{n: NEEDED[n] for n in needed})
    return _on_pairs(rng, f"metrics.{cls.__name__}()", metric)


def _on_pairs(rng, label, function):
    given = {"y_true": np.eye(ROWS, 3), "y_pred": np.full((ROWS, 3), 0.3)}
    name = _one(rng, ["y_true", "y_pred", "sample_weight"])
    ((shown, given[name]),) = some_of(rng, 1)
    label = f"{label}({name}={shown})"
    names = ["y_true", "y_pred", "sample_weight", "shape", "labels", "values"]
    return Call(label, names, lambda: function(**given), [given[name]])


def _one(rng, items):
    return items[rng.integers(len(items))]


def calls(rng):
    kinds = [constructors, constructors, called_layers, called_losses, called_metrics]
    made = 0
    while made < CALLS:
        call = _one(rng, kinds)(rng)
        if call is not None:
            made += 1
            yield call
