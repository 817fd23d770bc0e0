"""Checks of the training: the learning rate, and the curves of the last fit."""

import itertools
import time

import numpy as np

from nnlite import config
from nnlite.configurable import clone
from nnlite.diagnosis.case import SEED
from nnlite.diagnosis.finding import Finding
from nnlite.training import loop

FACTORS = (0, 0.1, 1, 10, 100, 1000)  # of the learning rate; 0 says what chance does
LOWEST = 1e-6  # of it, the least that is tried where it and a tenth of it are too high
RISEN = -0.1  # gain of a rate with which the loss rises
BATCH, BLOCK, BLOCKS = 32, 8, 4  # rows; steps of which the mean loss is taken; how many of those
SECONDS, MOST_SECONDS = 1.0, 4.0  # that the steps take if they are few enough, and at the most


def learning_rate(case):
    """A few steps with the learning rate lower the loss, and not far less than larger ones do.

    Copies of the model take the same batches with rates from a tenth to a thousand times, and with
    lower ones where all of those are too high.
    """
    why = _why_not(case)
    if why:
        case.missed["learning rate"] = why
        return
    blocks = _blocks(case)
    if not blocks:
        case.missed["learning rate"] = "a step takes too long to try some with other rates"
        return
    rate = _rate(case.model.optimizer)
    losses = {f * rate: _loss_after(case, f * rate, blocks) for f in FACTORS}
    start = losses.pop(0.0)
    if not np.isfinite(start):
        case.missed["learning rate"] = f"the loss is {start}"
        return
    known = abs(case.history["loss"][0]) if (case.history or {}).get("loss") else 0.0
    scale = max(abs(start), known if np.isfinite(known) else 0.0, 1e-12)
    gains = {r: _gain(start - loss, scale) for r, loss in losses.items()}
    while gains[rate] < RISEN and max(gains.values()) <= 0 and min(gains) > LOWEST * rate:
        lower = min(gains) / 10
        losses[lower] = _loss_after(case, lower, blocks)
        gains[lower] = _gain(start - losses[lower], scale)
    best = max(gains, key=gains.get)
    figure = (
        f"with {rate:.2g}, {BLOCK * blocks} steps change a loss of {start:.4g} to "
        f"{losses[rate]:.4g}; with {best:.2g} to {losses[best]:.4g}"
    )
    if best < rate and gains[rate] < RISEN and gains[best] > 0:
        cure = f"take learning_rate={best:.1g}"
        yield Finding("learning rate too high", "error", figure, cure)
    elif _is_far_below(gains, rate, gains[best]):
        if known and abs(start) < 0.5 * known:
            return  # trained: small steps are right then
        cure = f"take learning_rate={best / 3:.1g} or so"
        yield Finding("learning rate too low", "warning", figure, cure)


def _gain(fall, scale):
    """How far a loss fell, relative to a scale."""
    return fall / scale if np.isfinite(fall) else -np.inf


def _is_far_below(gains, rate, best):
    """Whether a rate does next to nothing, and ten times it very little."""
    tenfold = min(gains, key=lambda other: abs(other - 10 * rate))
    return best > 0.1 and gains[rate] < 0.02 * best and gains[tenfold] < 0.2 * best


def _why_not(case):
    """Why no rates can be tried; None if they can."""
    if case.model.optimizer is None:
        return "the model has no optimizer that compile was given"
    if not case.model.trainable_weights:
        return "the model has no weights that training changes"
    if case.refused is not None:
        return "the loss refuses the targets"
    if "learning_rate" not in case.model.optimizer._signature():
        return "the optimizer takes no learning_rate"
    rate = _rate(case.model.optimizer)
    if not rate > 0 or not np.isfinite(rate):
        return f"the learning rate is {rate}"
    return None


def _rate(optimizer):
    return float(optimizer.learning_rate)


def _blocks(case):
    """How many blocks of steps there is time for with each rate; 0 if not even for one.

    The time is that of this thread: what else runs does not change what is found.
    """
    step = _losses(case, 0.0, 1)
    next(step)  # the first traces
    began = time.thread_time()
    next(step)
    seconds = len(FACTORS) * BLOCK * (time.thread_time() - began)
    if seconds > MOST_SECONDS:
        return 0
    return int(np.clip(SECONDS / max(seconds, 1e-9), 1, BLOCKS))


def _loss_after(case, rate, blocks):
    """The mean loss of the last of some blocks of steps with a rate."""
    *_, last = itertools.islice(_losses(case, rate, BLOCK), blocks)
    return last


def _losses(case, rate, steps):
    """Train a copy of the model with one learning rate; yield the loss of each group of steps."""
    with config.seeded(SEED):
        model = case.copied()
        given = model.optimizer._given
        other = {"lr": None} if given.get("lr") is not None else {}
        model.optimizer = clone(model.optimizer, learning_rate=rate, **other)
        batches = case.batches(model, BATCH)
    while True:
        with config.seeded(SEED):
            model.reset_metrics()
            _, logs = loop.run_batches(model, "train", batches.epoch(steps))
        yield float(logs.get("loss", np.nan))


def drifting_curves(case):
    """The validation loss does not rise while the training loss falls."""
    history = case.history or {}
    loss, held = (np.asarray(history.get(k, ()), float) for k in ("loss", "val_loss"))
    if len(loss) and not np.isfinite(loss[-1]):
        figure = f"the loss of the last training became {loss[-1]}"
        cure = "lower the learning rate, scale inputs and targets, or give the optimizer clipnorm=1"
        yield Finding("diverged training", "error", figure, cure)
        return
    if len(held) < 5 or len(loss) != len(held) or not np.isfinite(held).all():
        if len(loss):
            case.missed["curves that drift apart"] = "the last training had no validation loss"
        return
    best = int(np.nanargmin(held))
    stopped = case.estimator is not None and getattr(case.estimator, "best_epoch_", 0) == best + 1
    rise = held[-1] - held[best]
    if stopped or best + 1 >= len(held) or rise <= 0.15 * abs(held[best]) or loss[-1] >= loss[best]:
        return
    figure = (
        f"val_loss was {held[best]:.4g} after epoch {best + 1} and {held[-1]:.4g} after epoch "
        f"{len(held)}, while loss fell from {loss[best]:.4g} to {loss[-1]:.4g}"
    )
    cure = (
        "EarlyStopping(restore_best_weights=True), Dropout, weight_decay, a smaller network or "
        "more data"
    )
    yield Finding("overfitting", "warning", figure, cure)
