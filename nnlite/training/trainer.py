"""Trainer: what every model does with data: compile, fit, evaluate, predict."""

import numpy as np

from nnlite import ops, optimizers
from nnlite.callbacks import Callback
from nnlite.checks import positive_int
from nnlite.data.batches import ArrayBatches, Span, StreamBatches, yields_batches
from nnlite.data.sources import (
    Source,
    by_class,
    leaves,
    sources_of,
    split,
    unpack_x_y_sample_weight,
)
from nnlite.training import loop, prediction, step_cache
from nnlite.training.objectives import Goals, is_nested, names_of
from nnlite.tree import mapped


class Trainer:
    """The part of a Model that trains it, and runs it on data."""

    _one_array = False  # whether a list given as data is one array, also while nothing is built

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        n_threads=None,
        **kwargs,
    ):
        """Say how to train.

        Parameters
        ----------
        optimizer : str or Optimizer
        loss : str, Loss or function
            Of a model with several outputs one for all of them, a list of one for each, or a dict
            by the outputs' names; None for an output without a loss.
        loss_weights : float, or list or dict of float, optional
            What the loss of each output is multiplied by in the total; 1 by default.
        metrics : list of str, Metric or function, optional
            Of several outputs a list with an entry for each, or a dict by name; an entry is one
            metric, a list of them or None.
        weighted_metrics : list, optional
            Metrics that take sample weights into account.
        run_eagerly : bool, default False
            Run every step in Python, so that values inside `call` can be looked at.
        n_threads : int, optional
            At most this many threads; by default as many as the work is worth.
        """
        if kwargs.keys() - {"jit_compile", "steps_per_execution"}:
            raise TypeError(f"compile: unknown arguments {', '.join(kwargs)}")
        self.optimizer = optimizers.get(optimizer)
        self._compiled = {
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        names, self._goals, self.loss = self._output_names(), None, loss
        if names is not None or not is_nested(loss):  # else the first batch tells
            self._goals = Goals(names, **self._compiled)
        if names is None and self._goals is not None:
            self.loss = next(iter(self._goals)).loss
        self.run_eagerly = bool(run_eagerly)
        self.n_threads = None if n_threads is None else positive_int("n_threads", n_threads)
        self._plans.clear()

    def _output_names(self):
        """The names of several outputs; None if there is one only, or it is not known yet."""
        shape = self.output_shape
        known = None if self._graph is None else [s.name for s in self.outputs]
        return None if shape is None or _is_shape(shape) else names_of(shape, known)

    def _goals_of(self, outputs):
        """The goals for such outputs."""
        names = names_of(outputs, self._output_names())
        if self._goals is None or names != self._goals.names:
            self._goals = Goals(names, **self._compiled)
        return self._goals

    @property
    def metrics(self):
        """The running figures: the loss, then the losses of several outputs and the metrics."""
        return [self._loss_tracker, *(m for _, m in self._figures())]

    def _figures(self):
        return () if self._goals is None else self._goals.figures()

    def reset_metrics(self):
        """Forget all batches."""
        for m in self.metrics:
            m.reset_state()

    def get_metrics_result(self):
        """The running figures by name."""
        figures = [("loss", self._loss_tracker), *self._figures()]
        return {name: m.figure() for name, m in figures}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        """The loss of a batch, regularization penalties included: a scalar tensor."""
        goals, total = self._goals_of(y_pred), None
        if y is None:
            names = [repr(g.loss.name) for g in goals if g.loss is not None]
            raise ValueError(f"y: expected targets for the loss {', '.join(names)}, got None")
        for goal, *data in self._by_output(goals, y, y_pred, sample_weight):
            if goal.loss is None:
                continue
            loss = goal.loss(*data)
            if goal.tracker is not None:
                goal.tracker.update_state(loss, _samples(loss, data[1]))
            loss = loss if goal.weight == 1.0 else loss * goal.weight
            total = loss if total is None else total + loss
        for penalty in self.losses:
            total = penalty if total is None else total + penalty
        return total

    def _by_output(self, goals, y, y_pred, sample_weight):
        """(goal, y, y_pred, sample_weight) of each output."""
        return zip(
            goals,
            goals.spread("y", y),
            goals.spread("y_pred", y_pred),
            goals.spread("sample_weight", sample_weight, shared=True),
        )

    def track(self, loss, x, y, y_pred, sample_weight):
        """Take a batch into account in all running figures."""
        goals = self._goals_of(y_pred)
        count = _samples(loss, goals.spread("y_pred", y_pred)[0])
        if (
            sample_weight is not None
            and getattr(self.loss, "reduction", "") == "mean_with_sample_weight"
        ):
            count = ops.sum(sample_weight)  # the mean over batches is the mean over samples, too
        self._loss_tracker.update_state(loss, count)
        for goal, targets, outputs, weight in self._by_output(goals, y, y_pred, sample_weight):
            for m in goal.metrics:
                m.update_state(targets, outputs)
            for m in goal.weighted_metrics:
                m.update_state(targets, outputs, weight)
        return self.get_metrics_result()

    def train_step(self, data):
        """One step of training on a batch; override it to train in another way.

        It is written in ops and traced once, so it runs in C even with a GradientTape inside.
        """
        return step_cache.train_step(self, data)

    def test_step(self, data):
        """One step of evaluation on a batch."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        return self.track(
            self.compute_loss(x, y, y_pred, sample_weight), x, y, y_pred, sample_weight
        )

    def predict_step(self, data):
        """The outputs for a batch."""
        return self(data, training=False)

    def _need(self):
        if self.loss is None and type(self).train_step is Trainer.train_step:
            raise RuntimeError(
                f"model {self.name!r}: call compile(optimizer=..., loss=...) before training or "
                "evaluating"
            )

    def _ready_for(self, x, y=None, sample_weight=None):
        """Build the model for Sources, and check that they and the targets fit, before any
        work."""
        if isinstance(x, Source) and not x.row_shape and self.input_shape == (None, 1):
            x.as_column()
        if not self.built:
            step_cache.dry_run(self, mapped(x, Source, lambda s: (None, *s.row_shape)))
        if y is not None and self._goals is not None and self.output_shape is not None:
            self._check_targets(y, sample_weight)

    def _check_targets(self, y, sample_weight):
        goals = self._goals_of(None if _is_shape(self.output_shape) else self.output_shape)
        shape = self.output_shape
        shapes = [shape] if _is_shape(shape) else goals.spread("outputs", shape)
        goals.spread("sample_weight", sample_weight, shared=True)
        for goal, targets, shape in zip(goals, goals.spread("y", y), shapes):
            if goal.loss is not None and targets is not None:
                goal.loss.check_targets(targets.array, shape)

    def _several(self):
        """Whether a list of inputs, and one of outputs, is one entry for each; None if it is not
        known yet."""
        if self._one_array:
            return False, False
        shapes = self.input_shape, self.output_shape
        return tuple(None if s is None else not _is_shape(s) for s in shapes)

    def _sources(self, data, class_weight=None, finite=True):
        """(x, y, sample_weight) as Sources."""
        sources = by_class(sources_of(*data, several=self._several()), class_weight)
        for s in leaves(sources) if finite else ():
            s.check_finite()
        return sources

    def _batches(self, data, size, name="x", class_weight=None, finite=True):
        """The batches of (x, y, sample_weight), for which the model is made ready."""
        if not yields_batches(data[0]):
            sources = self._sources(data, class_weight, finite)
            self._ready_for(*sources)
            return ArrayBatches(sources, size)
        for what, given in zip(("y", "sample_weight"), data[1:]):
            if given is not None:
                raise ValueError(
                    f"{what}: expected None beside batches, which bring their own, got "
                    f"{type(given).__name__}"
                )

        def read(item):
            return self._sources(unpack_x_y_sample_weight(item), class_weight, finite)

        stream = StreamBatches(data[0], name, read, lambda sources: self._ready_for(*sources))
        if not self.built:
            self._ready_for(*stream.first())
        return stream

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """Train.

        Parameters
        ----------
        x : array, shape (N, ...), or what yields batches
            Floats, integers or uint8; read in place. Of a model with several inputs a list or dict
            of arrays. Batches, each (x, y) or (x, y, sample_weight), may come from a generator or
            other iterable, or from an object with `__getitem__` and `__len__` as
            `utils.PyDataset`; the next one is fetched in a second thread while one is trained on.
        y : array, shape (N, ...), or list or dict of them
            None if x yields batches.
        batch_size : int, default 32
            Of arrays.
        epochs : int, default 1
            The number of the last one: with `initial_epoch` fewer are run.
        verbose : {'auto', 0, 1, 2}
            Silent, a progress bar for each epoch ('auto', 1), or a line for each.
        callbacks : Callback or list of them, optional
        validation_split : float in [0, 1), default 0
            The last part of arrays, taken before shuffling, is evaluated after each epoch.
        validation_data : (x, y), (x, y, sample_weight) or what yields batches, optional
        shuffle : bool, default True
            Whether each epoch takes the rows in a new random order; of batches that can be asked
            for by number, the batches. Others come as they come.
        class_weight : dict of int to float, optional
            A weight for the samples of each class, 1 for the others.
        sample_weight : array, shape (N,), optional
            None if x yields batches.
        initial_epoch : int, default 0
        steps_per_epoch : int, optional
            Batches of an epoch, the data being gone through as often as it takes; by default one
            pass. What yields without end needs it.
        validation_steps : int, optional
            The same for the validation data, of which each evaluation begins anew.
        validation_batch_size : int, optional
            By default `batch_size`.
        validation_freq : int or list of int, default 1
            Every how many epochs to evaluate, or after which, counted from 1.

        Returns
        -------
        History
            Its `history` has one list of floats for each figure.

        Raises
        ------
        ValueError
            If shapes do not fit or values are not finite: of arrays before any work.
        """
        self._need()
        size = _count("batch_size", batch_size, 32)
        validation_size = _count("validation_batch_size", validation_batch_size, size)
        epochs = positive_int("epochs", epochs)
        initial_epoch = positive_int("initial_epoch", initial_epoch) if initial_epoch else 0
        steps = _count("steps_per_epoch", steps_per_epoch)
        validation_steps = _count("validation_steps", validation_steps)
        if not isinstance(validation_freq, (list, tuple, set)):
            validation_freq = positive_int("validation_freq", validation_freq)
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"fit: expected verbose 'auto', 0, 1 or 2, got {verbose!r}")
        data, held_out = (x, y, sample_weight), None
        if validation_split and validation_data is None:
            if yields_batches(x):
                raise ValueError(
                    "validation_split: expected arrays to take a part of, got batches from "
                    f"{type(x).__name__}; pass validation_data"
                )
            data, held_out = split(self._sources(data), validation_split)
        elif validation_data is not None:
            held_out = unpack_x_y_sample_weight(validation_data)
        batches = self._batches(data, size, class_weight=class_weight)
        validation = None
        if held_out is not None:
            validation = self._batches(held_out, validation_size, "validation_data")
            if validation.once and validation_steps is None and epochs > initial_epoch + 1:
                raise ValueError(
                    "validation_steps: expected a number, as validation_data can be gone through "
                    "only once, got None"
                )
        return loop.fit(
            self,
            batches.shuffled() if shuffle else batches,
            validation,
            epochs,
            _callback_list("fit", callbacks),
            1 if verbose == "auto" else verbose,
            initial_epoch,
            steps,
            validation_steps,
            validation_freq,
        )

    def evaluate(
        self,
        x=None,
        y=None,
        batch_size=None,
        verbose="auto",
        sample_weight=None,
        steps=None,
        callbacks=None,
        return_dict=False,
    ):
        """The loss and metrics on some data.

        Parameters
        ----------
        x, y, batch_size, sample_weight
            As of `fit`.
        verbose : ignored
        steps : int, optional
            At most so many batches.
        callbacks : Callback or list of them, optional
            Their `on_test_...` methods are called.
        return_dict : bool, default False

        Returns
        -------
        float, list of float or dict
            The loss alone if there are no metrics, else [loss, metrics...], or by name with
            `return_dict`.
        """
        self._need()
        size, steps = _count("batch_size", batch_size, 32), _count("steps", steps)
        callbacks = _callback_list("evaluate", callbacks)
        batches = self._batches((x, y, sample_weight), size, finite=False)
        loop.introduce(callbacks, self, {"epochs": 1, "steps": steps or batches.steps})
        return _figures(loop.evaluate(self, batches, steps, callbacks), return_dict)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None):
        """The outputs for every row of `x`.

        Rows do not influence each other: any subset gives the same bits, whatever `batch_size` is.

        Parameters
        ----------
        x : array, shape (N, ...), or what yields batches
            As of `fit`; of a batch that is a tuple only the first entry is looked at.
        batch_size : int, default 32
            What callbacks see of arrays as a batch, and `steps` counts.
        verbose : ignored
        steps : int, optional
            At most so many batches.
        callbacks : Callback or list of them, optional
            Their `on_predict_...` methods are called.

        Returns
        -------
        array, or list or dict of them for several outputs
        """
        if x.__class__ is np.ndarray and batch_size is steps is callbacks is None:
            y = prediction.predict_again(self, x)
            if y is not None:
                return y
        size, steps = _count("batch_size", batch_size, 32), _count("steps", steps)
        callbacks = _callback_list("predict", callbacks)
        if yields_batches(x):
            batches = StreamBatches(x, "x", self._inputs, lambda sources: self._ready_for(*sources))
        else:
            sources = self._inputs((x,))
            self._ready_for(*sources)
            rows = leaves(sources)[0].rows
            if steps is None and not callbacks:
                return prediction.predict_rows(self, Span(sources, 0, rows, 1))
            seen = steps is not None or any(c.wants_batches("predict") for c in callbacks)
            batches = ArrayBatches(sources, size if seen else rows)
        loop.introduce(callbacks, self, {"epochs": 1, "steps": steps or batches.steps})
        return prediction.predict(self, batches, steps, callbacks)

    def _inputs(self, item):
        return sources_of(unpack_x_y_sample_weight(item)[0], several=self._several())

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One step of training on one batch; returns its loss and metrics as `evaluate` does."""
        self._need()
        sources = self._sources((x, y, sample_weight), class_weight)
        self._ready_for(*sources)
        self.reset_metrics()
        loop.run_batches(self, "train", [Span(sources, 0, leaves(sources)[0].rows, 1)])
        return _figures(self.get_metrics_result(), return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """The loss and metrics of one batch."""
        self._need()
        sources = self._sources((x, y, sample_weight), finite=False)
        self._ready_for(*sources)
        self.reset_metrics()
        loop.run_batches(self, "test", [Span(sources, 0, leaves(sources)[0].rows, 1)])
        return _figures(self.get_metrics_result(), return_dict)

    def predict_on_batch(self, x):
        """The outputs for one batch."""
        return self.predict(x)


def _is_shape(shape):
    """Whether it is one shape, not a list or dict of them."""
    return isinstance(shape, tuple) and not any(isinstance(n, (tuple, list, dict)) for n in shape)


def _count(name, value, default=None):
    """A positive number that may be left out."""
    return default if value is None else positive_int(name, value)


def _callback_list(method, callbacks):
    callbacks = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
    for c in callbacks:
        if not isinstance(c, Callback):
            raise TypeError(f"{method}: expected a Callback or a list of them, got {c!r}")
    return callbacks


def _figures(logs, return_dict):
    """Figures by name, or a list of them, or the only one."""
    values = list(logs.values())
    return logs if return_dict else values if len(values) > 1 else values[0]


def _samples(loss, outputs):
    """The number of samples of a batch, as a tensor beside its loss."""
    return ops.full_like(loss, outputs.shape[0])
