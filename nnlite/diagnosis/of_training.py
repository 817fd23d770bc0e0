"""Checks of the training: the learning rate, and the curves of the last fit."""

import time
from dataclasses import dataclass

import numpy as np

from nnlite import config
from nnlite.configurable import clone
from nnlite.diagnosis.case import SEED
from nnlite.diagnosis.finding import Finding
from nnlite.training import loop

FACTORS = (0, 0.1, 1, 10, 100, 1000)  # of the learning rate; 0 says what chance does
BATCH, BLOCK, BLOCKS = 32, 8, 4  # rows; steps of which the mean loss is taken; how many of those
SECONDS = 1.0  # of the thread, not of the clock: what else runs must not change what is found


@dataclass(frozen=True)
class Trial:
    """What some steps with a learning rate did.

    Attributes
    ----------
    rate : float
    losses : list of float
        Of each block of steps.
    """

    rate: float
    losses: list


def learning_rate(case):
    """A few steps with the learning rate lower the loss, and not far less than larger ones do.

    Copies of the model take the same batches with rates from a tenth to a thousand times.
    """
    why = _why_not(case)
    if why:
        case.missed["learning rate"] = why
        return
    base, *tried = _trials(case)
    current = next(t for t in tried if t.rate == _rate(case.model.optimizer))
    start = base.losses[len(current.losses) - 1]
    known = abs(case.history["loss"][0]) if (case.history or {}).get("loss") else 0.0
    scale = max(abs(start), known if np.isfinite(known) else 0.0, 1e-12)
    gains = {t.rate: (start - t.losses[-1]) / scale for t in tried}
    gains = {rate: gain if np.isfinite(gain) else -np.inf for rate, gain in gains.items()}
    gain, best = gains[current.rate], max(gains, key=gains.get)
    steps = BLOCK * len(current.losses)
    shown = f"{steps} steps change a loss of {start:.4g} to {current.losses[-1]:.4g}"
    if best < current.rate and gain < -0.1 and gains[best] > 0:
        other = next(t for t in tried if t.rate == best)
        figure = f"with {current.rate:.2g}, {shown}; with {best:.2g} to {other.losses[-1]:.4g}"
        cure = f"take learning_rate={best:.1g}"
        yield Finding("learning rate too high", "error", figure, cure)
    elif _is_far_below(gains, current.rate, gains[best]):
        if known and abs(start) < 0.5 * known:
            return  # trained: small steps are right then
        other = next(t for t in tried if t.rate == best)
        figure = f"with {current.rate:.2g}, {shown}; with {best:.2g} to {other.losses[-1]:.4g}"
        cure = f"take learning_rate={best / 3:.1g} or so"
        yield Finding("learning rate too low", "warning", figure, cure)


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
    rate = _rate(case.model.optimizer)
    if not rate > 0 or not np.isfinite(rate):
        return f"the learning rate is {rate}"
    return None


def _rate(optimizer):
    return float(optimizer.learning_rate)


def _trials(case):
    """A Trial for each of the rates, with as many steps as there is time for."""
    rate, blocks = _rate(case.model.optimizer), BLOCKS
    for factor in FACTORS:
        began = time.thread_time()
        yield Trial(factor * rate, _run(case, factor * rate, blocks))
        seconds = (time.thread_time() - began) / blocks
        if factor == 0:
            blocks = int(np.clip(SECONDS / (len(FACTORS) * seconds), 1, BLOCKS))


def _run(case, rate, blocks):
    """The mean losses of blocks of steps with a rate."""
    with config.seeded(SEED), np.errstate(all="ignore"):
        model = case.copied()
        given = model.optimizer._given
        other = {"lr": None} if given.get("lr") is not None else {}
        model.optimizer = clone(model.optimizer, learning_rate=rate, **other)
        batches, found = case.batches(model, BATCH), []
        for _ in range(blocks):
            model.reset_metrics()
            _, logs = loop.run_batches(model, "train", batches.epoch(BLOCK))
            found.append(float(logs.get("loss", np.nan)))
    return found


def drifting_curves(case):
    """The validation loss does not rise while the training loss falls."""
    history = case.history or {}
    loss, held = (np.asarray(history.get(k, ()), float) for k in ("loss", "val_loss"))
    if len(loss) and not np.isfinite(loss[-1]):
        figure = f"the loss of the last training became {loss[-1]}"
        cure = "lower the learning rate, scale inputs and targets, or give the optimizer clipnorm=1"
        yield Finding("diverged training", "error", figure, cure)
        return
    if len(held) < 5 or len(loss) != len(held):
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
