"""Several networks that are trained at once and predict as one: their mean.

Each of them is what a fit of a copy of the estimator gives, with a seed of its own and without
another fold of the rows, which say its best epoch. So every row is trained on by all but one of
them, and predicted by one that has not seen it: the predictions out of fold.

L. Hansen, P. Salamon: "Neural network ensembles", IEEE Transactions on Pattern Analysis and Machine
Intelligence 12(10), 1990 (networks of several seeds, averaged). L. Breiman: "Bagging predictors",
Machine Learning 24, 1996 (each on other rows). A. Krogh, J. Vedelsby: "Neural network ensembles,
cross validation, and active learning", NIPS 1994 (each holds out another fold).
"""

import contextvars
import copy
import math
import threading
import warnings
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from functools import partial

import numpy as np
from sklearn.metrics import check_scoring

from nnlite import config, terminal, warn
from nnlite.callbacks import Callback
from nnlite.configurable import clone, frozen
from nnlite.engine import _engine
from nnlite.estimators import validation_split
from nnlite.estimators.defaults import is_auto
from nnlite.estimators.nested_params import settings_of
from nnlite.layers import Activation, Average, Input, InputLayer
from nnlite.models.model import Model
from nnlite.models.sequential import Sequential
from nnlite.progress import ProgressBar, format_logs
from nnlite.training.shared_steps import SharedSteps

LOOK_SECONDS = 0.1  # between two looks at the networks in training
VALUES_AT_A_TIME = 1 << 18  # of the rows held out that are copied for a prediction
_OF_FOLDS = ("oof_prediction_", "oof_score_")


def check_settings(estimator):
    """Raise a ValueError if the settings ask for several networks and for what only one can do."""
    networks = estimator._resolve_auto("ensemble")
    if networks is None or is_auto(networks) or networks == 1:
        return
    if estimator.refit_full:
        raise ValueError(f"refit_full: expected False with ensemble={networks}, got True")
    for callback in estimator._callbacks():
        if callback._of_one_fit:
            raise ValueError(
                "callbacks: expected none that write files or tell another library with "
                f"ensemble={networks}, as the networks train at once, got {callback!r}"
            )


def fit(estimator, recipe, data, seed, validation, tasks):
    """Train several networks, and let the estimator predict the mean of theirs.

    Parameters
    ----------
    estimator : NNClassifier or NNRegressor
        It knows the target already.
    recipe : Recipe
        How many networks and epochs.
    data : TrainingData
    seed : int
        The bits follow from it, on any number of threads.
    validation : TrainingData or None
        What all networks are judged on, in place of a fold each.
    tasks : FitTasks
        It is told of the epochs of the first network. Where a callback stops that, the others stop,
        too, and those that have not begun are left out.

    Raises
    ------
    KeyboardInterrupt
        At Ctrl-C. The estimator then predicts with the networks that had begun.
    """
    rows = data.rows if validation is None else math.inf
    networks, epochs = recipe
    stopping = estimator._stopping(rows, recipe)
    folds = None
    if validation is None and estimator._holds_out(stopping):
        if data.rows < 2:
            raise ValueError(
                "early_stopping: expected 'auto' or False for a single row, none of which can be "
                f"held out, got {estimator.early_stopping!r}"
            )
        stratify_by = estimator._target.stratify_by(data.target)
        folds = validation_split.folds(data.rows, networks, stratify_by, seed)
    cores = estimator.n_threads or _engine.max_threads()
    members, end = [], threading.Event()
    for number, own_seed in enumerate(np.random.RandomState(seed).randint(2**31, size=networks)):
        member = copy.copy(estimator)
        member.verbose, member.n_threads = 0, max(1, cores // networks)
        others = [tasks] if number == 0 else []
        member._warns_of_few_epochs = estimator._warns_of_few_epochs and number == 0
        members.append(_Network(member, data, int(own_seed), folds, number, others, end))
    if not estimator._callbacks():  # those of a user may change one network, and not another
        _share_steps([m.network for m in members])
    how = epochs, validation, stopping
    try:
        _train_all(members, how, min(networks, cores), int(estimator.verbose), tasks, end)
    except KeyboardInterrupt:
        _store(estimator, [m for m in members if m.begun and m.is_fitted])
        raise
    _store(estimator, [m for m in members if m.begun])
    if folds is not None and not tasks.stopped:
        _store_out_of_fold(estimator, members, data)


class _Network(Callback):
    """One of the networks: a copy of the estimator that trains, and stops when it is told to.

    Parameters
    ----------
    estimator : NNClassifier or NNRegressor
        A copy of its own.
    data : TrainingData
    seed : int
        Of its weights and of the order of its rows.
    folds : array of int or None
        The fold of each row.
    number : int
        Which of the networks it is, and which fold it does not train on.
    others : list of Callback
    end : threading.Event
        Set when no network is wanted any more, even if a second Ctrl-C comes while they are told.
    """

    def __init__(self, estimator, data, seed, folds, number, others, end):
        self.estimator, self.data, self.seed, self.others = estimator, data, seed, others
        self.end = end
        self.folds, self.fold = folds, None if folds is None else number % (folds.max() + 1)
        self.trained_on = data if folds is None else data.part(np.flatnonzero(folds != self.fold))
        self.network = estimator._model(self.trained_on, seed)
        self.begun, self.stopped, self.epochs_done, self.outputs = False, False, 0, None

    @property
    def is_fitted(self):
        """Whether the copy of the estimator has this network."""
        return vars(self.estimator).get("model_") is self.network

    @property
    def held_out(self):
        """The numbers of the rows that it does not train on."""
        return np.flatnonzero(self.folds == self.fold)

    def train(self, begin, epochs, validation, stopping):
        """Train from the event `begin` on, and predict the rows that were held out."""
        begin.wait()
        others = [self, *self.others]
        if self.folds is not None:
            validation = self.data.part(self.held_out)
        stopping = None if stopping is None else clone(stopping)
        seed = self.seed + 1
        how = epochs, validation, stopping, others
        self.estimator._train(self.network, seed, self.trained_on, 0, *how)
        if self.folds is not None and not self.stopped:
            self.outputs = _outputs_of(self.estimator, self.data.X, self.held_out)

    def stop(self):
        """End the training after the batches that it is at."""
        self.stopped = self.network.stop_training = self.network.stop_evaluating = True

    def on_train_begin(self, logs=None):
        self.begun = True
        self.model.stop_training = self._is_over()  # the loop has just set it to False

    def on_epoch_end(self, epoch, logs=None):
        self.epochs_done += 1
        if self._is_over():
            self.model.stop_training = True

    def _is_over(self):
        return self.stopped or self.end.is_set()


def _outputs_of(estimator, X, numbers):
    """What a fitted estimator's network gives for some rows of X, which are copied bit by bit."""
    parts, count = [], max(1, VALUES_AT_A_TIME // math.prod(X.shape[1:]))
    for start in range(0, len(numbers), count):
        rows = X[numbers[start : start + count]]
        parts.append(estimator._outputs_of(estimator._samples_for(estimator.model_, rows)))
    return np.concatenate(parts)


def _train_all(members, how, threads, verbose, tasks, end):
    """Train networks in a pool of threads, which end before this function does.

    They begin when all of them wait: the pool does not know of a thread whose start Ctrl-C broke.
    """
    said, futures, bar, begin = {}, [], None, threading.Event()
    epochs = how[0]
    if verbose == 1:
        bar = ProgressBar(len(members) * epochs, f"{len(members)} networks", "epoch")
    with ThreadPoolExecutor(threads, "nnlite network") as pool:
        try:
            for member in members:
                context = contextvars.copy_context()
                call = partial(warn.gathered, partial(member.train, begin, *how), said)
                futures.append(pool.submit(context.run, call))
            begin.set()
            waiting = set(futures)
            while waiting:
                done, waiting = wait(waiting, LOOK_SECONDS, FIRST_COMPLETED)
                for future in done:
                    future.result()
                    if verbose == 2:
                        _say(members, futures.index(future))
                if bar is not None:
                    bar.update(sum(m.epochs_done for m in members))
                if tasks.stopped:
                    waiting = _stop(members, futures)
        except BaseException:
            _stop(members, futures)
            raise
        finally:
            end.set()
            begin.set()
            if bar is not None:
                bar.close()
    for message, category in said.items():
        warnings.warn(message, category, stacklevel=warn.levels_to_the_caller())


def _stop(members, futures):
    """Stop all networks in training; the futures of these."""
    for member in members:
        member.stop()
    return {future for future in futures if not future.cancel() and not future.done()}


def _say(members, number):
    """Write a line about a network that is trained."""
    estimator = members[number].estimator
    last = {name: values[-1] for name, values in estimator.history_.items() if values}
    terminal.write(
        f"Network {number + 1}/{len(members)} - best epoch {estimator.best_epoch_} of "
        f"{estimator.n_iter_} - {format_logs(last)}"
    )


def _store(estimator, members):
    """Set the attributes that end with an underscore, as the networks have them."""
    if not members:
        return
    for member in members:
        member.network._step_cache.shared = None
    fitted = [m.estimator for m in members]
    model = mean_of([m.network for m in members], n_threads=estimator.n_threads)
    estimator._optimizer_made = fitted[0]._optimizer_made
    estimator.callbacks_ = [c for f in fitted for c in f.callbacks_]
    estimator.t_ = sum(f.t_ for f in fitted)
    estimator._store_results(model, _mean_history([f.history_ for f in fitted]), None)
    estimator.best_epochs_ = [f.best_epoch_ for f in fitted]
    estimator.best_epoch_ = round(float(np.mean(estimator.best_epochs_)))


def _mean_history(histories):
    """The mean of each epoch's values over the networks that came to that epoch."""
    found = {}
    for name in histories[0]:
        curves = [history.get(name, []) for history in histories]
        longest = max(map(len, curves))
        found[name] = [
            np.mean([curve[i] for curve in curves if i < len(curve)], axis=0).tolist()
            for i in range(longest)
        ]
    return found


def _store_out_of_fold(estimator, members, data):
    """Set what was predicted for each row by the network that had not seen it, and the score."""
    first = members[0].outputs
    outputs = np.empty((data.rows, *first.shape[1:]), first.dtype)
    for member in members:
        outputs[member.held_out] = member.outputs
    estimator.oof_score_ = _score(estimator, outputs, data)
    if data.kept is not None:
        everywhere = np.full((len(data.kept), *outputs.shape[1:]), np.nan, outputs.dtype)
        everywhere[data.kept] = outputs
        outputs = everywhere
    estimator.oof_prediction_ = estimator._as_predictions(outputs)


def _score(estimator, outputs, data):
    """The score of outputs of all rows by the estimator's `scoring`."""
    stand_in = copy.copy(estimator)
    stand_in.__dict__.update(_outputs=lambda X: outputs, _logits=lambda X: _logits_of(outputs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(check_scoring(stand_in, scoring=estimator.scoring)(stand_in, data.X, data.y))


def _logits_of(probabilities):
    """The logits that give probabilities."""
    p = np.clip(probabilities.astype(np.float64), 1e-300, 1 - 1e-16)
    return np.log(p) - np.log1p(-p) if p.shape[1] == 1 else np.log(p)


def mean_of(networks, n_threads=None):
    """A compiled model whose output is the mean of those of compiled networks, with their layers.

    What they begin with is in it once, if it is the same in all of them and does not train, as a
    layer that scales.

    Parameters
    ----------
    networks : list of Model
    n_threads : int, optional
    """
    first = networks[0]
    if len(networks) == 1:
        first.n_threads = n_threads
        return first
    chains = [n.layers if type(n) is Sequential else [n] for n in networks]
    shared = _shared(chains)
    with config.precision(first._precision):
        reads = next((x for x in chains[0][:1] if isinstance(x, InputLayer)), None)
        inputs = Input(first.input_shape[1:], dtype=getattr(reads, "dtype", None))
        x = inputs
        for layer in chains[0][:shared]:
            x = x if isinstance(layer, InputLayer) else layer(x)
        loss, ending = clone(first.loss), []
        if settings_of(loss).get("from_logits"):
            ending = ["sigmoid" if first.output_shape[-1] == 1 else "softmax"]
            loss = clone(loss, from_logits=False)
        parts = []
        for number, chain in enumerate(chains):
            part = Sequential(
                [*chain[shared:], *map(Activation, ending)], name=f"network_{number + 1}"
            )
            parts.append(part(x))
        model = Model(inputs, Average(name="mean")(parts))
    how = {**first._compiled, "optimizer": clone(first.optimizer), "loss": loss}
    model.compile(**how, n_threads=n_threads)
    for network in networks:
        network.optimizer = None  # its state is of no more use
    return model


def _shared(chains):
    """How many layers all networks begin with that are the same in all, and stay as they are."""
    count = 0
    for layers in zip(*(chain[:-1] for chain in chains), strict=False):
        if any(layer.trainable_weights for layer in layers) or not _are_equal(layers):
            break
        count += 1
    return count


def _share_steps(networks):
    """Let networks share their compiled steps, if they consist of layers and metrics of nnlite's
    own with equal settings: the first that trains traces them for all."""
    chains = [[*n.layers, n.optimizer, *n.metrics] for n in networks]
    ours = all(type(part).__module__.startswith("nnlite.") for part in chains[0])
    if ours and len({*map(len, chains)}) == 1 and all(map(_have_equal_settings, zip(*chains))):
        shared = SharedSteps()
        for network in networks:
            network._step_cache.shared = shared


def _have_equal_settings(parts):
    """Whether layers, optimizers or metrics are of one class, and have equal settings."""
    first = parts[0]
    settings = frozen(first)
    return all(type(p) is type(first) and frozen(p) == settings for p in parts[1:])


def _are_equal(layers):
    """Whether layers have equal settings and equal weights."""
    if not _have_equal_settings(layers):
        return False
    first = layers[0]
    for other in layers[1:]:
        pairs = zip(first.get_weights(), other.get_weights(), strict=True)
        if not all(np.array_equal(a, b) for a, b in pairs):
            return False
    return True


def forget_folds(estimator):
    """Remove what an earlier fit predicted out of fold."""
    for name in _OF_FOLDS:
        vars(estimator).pop(name, None)
