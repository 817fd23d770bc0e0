"""How training goes on: which settings may change between two fits of one network.

A network is made once, from some of the settings: to change these is an error that names them. All
others are read again by each fit."""

from nnlite.configurable import frozen
from nnlite.saving.values import described

# What each fit reads again, and what a model is compiled with.
_OF_A_FIT = {
    "batch_size",
    "callbacks",
    "class_weight",
    "early_stopping",
    "epochs",
    "learning_rate",
    "optimizer",
    "random_state",
    "refit_full",
    "schedule",
    "scoring",
    "shuffle",
    "validation_fraction",
    "validation_split",
    "verbose",
    "warm_start",
}
_COMPILED = {"loss", "metrics", "n_threads"}


def remember(estimator):
    """Note the settings that an estimator's network was made and compiled with."""
    estimator._made_with = _settings_that_count(estimator)


def resumed(estimator):
    """The fitted model, compiled as the settings say now.

    The optimizer goes on with its state unless its settings were changed.

    Raises
    ------
    ValueError
        If a setting was changed that made the network.
    """
    model, before = estimator.model_, getattr(estimator, "_made_with", {})
    now = _settings_that_count(estimator)
    changed = {name for name in before if not _same(before[name], now.get(name))}
    changed |= now.keys() - before.keys() if before else set()
    for name in sorted(changed - _COMPILED - {"optimizer"}):
        raise ValueError(
            f"{name}: expected {before.get(name)!r}, with which the network was made that is "
            f"trained further, got {now.get(name)!r}; a fit with warm_start=False makes a new one"
        )
    optimizer = now["optimizer"] if "optimizer" in changed else model.optimizer
    if changed & _COMPILED:
        model.optimizer = estimator._optimizer_made
        estimator._compile(model)
    model.optimizer = optimizer
    return model


def _settings_that_count(estimator):
    """The settings by name that a network is made and compiled with, and its optimizer, new."""
    settings = {**estimator._defaults(), **estimator.get_params(deep=False)}
    found = {
        name.removeprefix("model__"): list(value) if isinstance(value, list) else value
        for name, value in settings.items()
        if name not in _OF_A_FIT and not name.startswith("optimizer__")
    }
    return {**found, "optimizer": estimator._optimizer_spec(estimator._optimizer_made)}


def _same(a, b):
    """Whether two values of a setting are the same, also if one comes from a file."""
    if a is b or frozen(a) == frozen(b):
        return True
    try:
        return described(a) == described(b)
    except TypeError:
        return False
