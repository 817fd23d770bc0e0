"""Trainer: what every model does with data: compile, fit, evaluate, predict."""

import inspect
import warnings

import numpy as np

from nnlite import config, optimizers, warn
from nnlite.callbacks import TerminateOnNaN
from nnlite.callbacks import __all__ as CALLBACKS
from nnlite.callbacks.foreign import as_callbacks
from nnlite.checks import check_number, check_setting, positive_int
from nnlite.data.batches import ArrayBatches, make_batches, make_sources, yields_batches
from nnlite.data.packing import unpack_x_y_sample_weight
from nnlite.data.sources import Source, check_class_weight, split
from nnlite.errors import did_you_mean, prefixed
from nnlite.layers.tracking import keeps_states
from nnlite.serialization import made_from
from nnlite.training import arguments, loop, prediction, step_cache
from nnlite.training.objectives import Objectives
from nnlite.training.steps import Steps
from nnlite.training.trackers import own_trackers
from nnlite.tree import is_shape, map_structure


class Trainer(Steps):
    """The part of a Model that trains it, and runs it on data."""

    steps_per_execution = 1
    _compiled = None  # the settings of `compile`
    _one_array = False  # whether a list given as data is one array, also while nothing is built

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
        loss_weights=None,
        metrics=None,
        weighted_metrics=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        auto_scale_loss=True,
        n_threads=None,
        **unknown,
    ):
        """Say how to train.

        Parameters
        ----------
        optimizer : str or Optimizer, default 'rmsprop'
            None of a model that is not trained.
        loss : str, Loss or function, optional
            Of a model with several outputs one for all of them, a list of one for each, a dict by
            the outputs' names, or losses nested as the outputs are; None for an output without a
            loss. Where a model gives a dict, outputs that the dict of losses leaves out have none.
            A function, or a Loss of one's own, that stands where several outputs are gets them
            together, and their targets, nested as they are. Losses of the same output, or outputs,
            add up: a list in the place of an output, tuple or dict, a tuple in that of a list.
        loss_weights : float, or list or dict of float, optional
            What the loss of each output is multiplied by in the total; 1 by default. Nested as the
            losses are, where outputs are taken together or have several.
        metrics : list of str, Metric or function, optional
            Of several outputs a list with an entry for each, or a dict by name; an entry is one
            metric, a list of them or None.
        weighted_metrics : list, optional
            Metrics that take sample weights into account.
        run_eagerly : bool, default False
            Run every step in Python, so that values inside `call` can be looked at.
        steps_per_execution : int or 'auto', default 1
            Callbacks that want to see batches see groups of as many: `on_train_batch_begin` before
            the first, `on_train_batch_end` after the last of them. Nothing else depends on it: what
            nobody sees runs without Python between batches anyway.
        jit_compile, auto_scale_loss
            Ignored; accepted for Keras's signature.
        n_threads : int, optional
            The most threads; by default one for small steps and all cores for others.
        **unknown
            Any other argument is refused.

        Raises
        ------
        TypeError
            If an argument is unknown or of a wrong kind.
        ValueError
            If a name is unknown, or losses or metrics do not fit the outputs.
        """
        for name in unknown:
            raise TypeError(
                f"compile: unknown argument {name!r}; it takes {', '.join(_COMPILE)}"
                f"{did_you_mean(name, _COMPILE)}"
            )
        with prefixed("optimizer: "):
            self.optimizer = optimizers.get(optimizer)
        self._compiled = {
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        names, self._objectives, self.loss = self._output_names(), None, loss
        by_output = [arguments.tells_outputs(loss), arguments.tells_outputs(loss_weights)]
        by_output += [isinstance(m, dict) for m in (metrics, weighted_metrics)]
        if names is not None or not any(by_output):  # else the first batch tells
            self._objectives = Objectives(names or "output_1", **self._compiled)
            if self._objectives.single:
                self.loss = next(iter(self._objectives)).loss
        self.run_eagerly = arguments.flag("run_eagerly", run_eagerly)
        if isinstance(steps_per_execution, str) and steps_per_execution == "auto":
            steps_per_execution = 1
        self.steps_per_execution = positive_int("steps_per_execution", steps_per_execution)
        self.n_threads = None if n_threads is None else positive_int("n_threads", n_threads)
        self._step_cache.clear()

    @property
    def compiled(self):
        """Whether the model is compiled."""
        return self._compiled is not None

    def get_compile_config(self):
        """What `compile` was given, as a dict.

        Returns
        -------
        dict or None
            None if the model is not compiled, or if its class has a `compile` of its own: it then
            defines this method, too, and `compile_from_config`.
        """
        if self._compiled is None or type(self).compile is not Trainer.compile:
            return None
        return {
            "optimizer": self.optimizer,
            **self._compiled,
            "run_eagerly": self.run_eagerly,
            "steps_per_execution": self.steps_per_execution,
            "jit_compile": False,
        }

    def compile_from_config(self, config):
        """Compile as a dict says.

        Parameters
        ----------
        config : dict
            As `get_compile_config` gives it.
        """
        if type(self).compile is not Trainer.compile:
            warnings.warn(
                f"model {self.name!r} is not compiled: {type(self).__name__}.compile takes what "
                "only it knows; compile the model, or define compile_from_config",
                UserWarning,
                stacklevel=warn.levels_to_the_caller(),
            )
            return
        with prefixed("compile_config: "):
            self.compile(**made_from(config))

    def _check_compiled(self, step="train_step"):
        """Raise a RuntimeError unless `compile` gave what a step of the model needs."""
        if getattr(type(self), step) is not getattr(Trainer, step):
            return
        self._settings()
        if step == "train_step" and self.optimizer is None:
            raise RuntimeError(
                f"model {self.name!r}: expected an optimizer to train with, got "
                "compile(optimizer=None, ...)"
            )

    def _prepare_for(self, x, y=None, sample_weight=None):
        """Build the model for Sources, and check that they and the targets fit, before any
        work."""
        if isinstance(x, Source) and not x.row_shape and self._input_shape == (None, 1):
            x.as_column()
        if not self.built:
            step_cache.build_by_tracing(
                self, map_structure(lambda s: (None, *s.row_shape), x, Source)
            )
        if y is not None and self._objectives is not None and self._output_shape is not None:
            self._check_targets(y, sample_weight)

    @property
    def _own_targets(self):
        """Whether a subclass itself says what it compares with targets, which may be any then."""
        names = "compute_loss", "train_step", "test_step"
        return any(getattr(type(self), name) is not getattr(Trainer, name) for name in names)

    def _multi_input(self):
        """Whether a list of inputs, and one of targets, is one entry for each; None if it is not
        known."""
        inputs, outputs = (
            False if self._one_array else None if s is None else not is_shape(s)
            for s in (self._input_shape, self._output_shape)
        )
        return inputs, None if self._own_targets else outputs

    def _integer_inputs(self):
        """The numbers and names of the inputs that are integers, such as token ids."""
        if self._graph is None or not self._graph.has_integer_inputs:
            return ()
        inputs = self._graph.inputs
        named = inputs.items() if isinstance(inputs, dict) else ()
        symbols = [*enumerate(self._graph.input_symbols), *named]
        found = {key for key, symbol in symbols if symbol.dtype == "int32"}
        return found | {symbol.name for _, symbol in symbols if symbol.dtype == "int32"}

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
        cache_frozen=False,
    ):
        """Train.

        Parameters
        ----------
        x : array, shape (N, ...), or what yields batches
            Floats, integers or uint8; read in place. Of a model with several inputs a list or dict
            of arrays. Batches, each (x, y) or (x, y, sample_weight), may come from a generator or
            other iterable, or from an object with `__getitem__` and `__len__` as
            `utils.PyDataset`; the next one is fetched in a second thread while one is trained on.
            Datasets of h5py, arrays of zarr and others that give slices are read batch by batch;
            a Dataset of PyTorch is read sample by sample.
        y : array, shape (N, ...), or list or dict of them
            None if x yields batches.
        batch_size : int, default 32
            Of arrays.
        epochs : int, default 1
            The number of the last one: with `initial_epoch` fewer are run.
        verbose : {'auto', 0, 1, 2}
            Silent, a progress bar for each epoch (1), or a line for each (2). 'auto' is 1; after
            `config.disable_interactive_logging()` it is 2.
        callbacks : Callback or list of them, optional
            Also those of other libraries: objects that have `set_model` and methods `on_...`.
        validation_split : float in [0, 1), default 0
            The last part of arrays, taken before shuffling, is evaluated after each epoch.
        validation_data : (x, y), (x, y, sample_weight) or what yields batches, optional
        shuffle : bool, default True
            Whether each epoch takes the rows in a new random order; of batches that can be asked
            for by number, the batches. Others come as they come. Of an array that is read by
            slices, runs of rows come in random order, and rows are shuffled in blocks of some runs.
        class_weight : dict of int to float of at least 0, optional
            A weight for the samples of each class, 1 for the others; a class that no sample has may
            be there.
        sample_weight : array, shape (N,), optional
            None if x yields batches.
        initial_epoch : int, default 0
        steps_per_epoch : int, optional
            Batches of an epoch; by default one pass over the data, and no more: an epoch ends with
            the data, with a warning. The next one goes on where this one ended. A generator
            without an end needs it.
        validation_steps : int, optional
            The same for the validation data; each evaluation begins with its first batch.
        validation_batch_size : int, optional
            By default `batch_size`.
        validation_freq : int or list of int, default 1
            Every how many epochs to evaluate, or after which, counted from 1.
        cache_frozen : bool, default False
            Whether what frozen layers that the model begins with (`base.trainable = False`) give
            for each row is computed once, and kept in memory. Not with Dropout or augmentation
            among them. Batches of a Dataset come in each epoch as in the first.

        Returns
        -------
        History
            Its `history` has a list for each name in the logs, with a value for each epoch.

        Raises
        ------
        ValueError
            If shapes do not fit or values are not finite: of arrays before any work. (Values that
            are not finite are not refused beside a callback TerminateOnNaN, which watches the loss
            that they give.)
        """
        self._check_compiled()
        size = arguments.count("batch_size", batch_size, 32)
        validation_size = arguments.count("validation_batch_size", validation_batch_size, size)
        class_weight = check_class_weight(class_weight)
        epochs = positive_int("epochs", epochs)
        epochs = min(epochs, config.max_epochs() or epochs)
        check_setting("initial_epoch", initial_epoch, "int [0, 2147483647]")
        steps = arguments.steps("steps_per_epoch", steps_per_epoch)
        validation_steps = arguments.steps("validation_steps", validation_steps)
        validation_freq = arguments.frequency(validation_freq)
        verbose = arguments.verbosity(verbose)
        by_batches = isinstance(shuffle, str) and shuffle == "batch"  # as Keras 2 knew it
        shuffle = by_batches or arguments.flag("shuffle", shuffle)
        callbacks = as_callbacks(callbacks, CALLBACKS)
        check_number("validation_split", validation_split, "[0, 1)")
        if y is None:
            arguments.check_not_pairs(x, one_input=self._multi_input()[0] is False)
        cache_frozen = arguments.flag("cache_frozen", cache_frozen)
        with self._frozen_cached(cache_frozen, x) as kept:
            data, held_out = kept((x, y, sample_weight)), None
            if validation_data is not None:
                held_out = kept(self._unpacked_validation_data(validation_data))
            elif validation_split:
                if yields_batches(x):
                    raise ValueError(
                        "validation_split: expected arrays to take a part of, got batches from "
                        f"{type(x).__name__}; pass validation_data"
                    )
                data, held_out = split(make_sources(self, data), validation_split)
            self._advised = set()
            finite = not any(isinstance(c, TerminateOnNaN) for c in callbacks)
            batches = make_batches(self, data, size, class_weight=class_weight, finite=finite)
            if steps and batches.steps and steps > batches.steps and not batches.renews:
                loop.say_too_many(batches.name, steps, batches.steps)
                steps = batches.steps
            validation = None
            if held_out is not None:
                with prefixed("validation_data: "):
                    held_out = make_batches(self, held_out, validation_size, "validation_data")
                if held_out.single_pass and validation_steps is None and epochs > initial_epoch + 1:
                    raise ValueError(
                        "validation_steps: expected a number, as validation_data can be gone "
                        "through only once, got None"
                    )
                validation = loop.Validation(held_out, validation_steps, validation_freq)
            return loop.fit(
                self,
                batches.shuffled() if shuffle else batches,
                range(int(initial_epoch), epochs),
                steps=steps,
                validation=validation,
                callbacks=callbacks,
                verbose=verbose,
            )

    def _unpacked_validation_data(self, given):
        """(x, y, sample_weight) of `validation_data`, which needs targets as `fit` does."""
        if not isinstance(given, (tuple, list)) and not yields_batches(given):
            entries = "one array" if hasattr(given, "shape") else type(given).__name__
        elif isinstance(given, (tuple, list)) and not 1 <= len(given) <= 3:
            entries = f"{len(given)} entries"
        else:
            x, y, sample_weight = unpack_x_y_sample_weight(given)
            measured = any(g.needs_targets for g in self._objectives or ())
            own = type(self).test_step is not Trainer.test_step
            if y is not None or own or not measured or yields_batches(x):
                return x, y, sample_weight
            entries = f"{len(given)} entries, x alone"
        raise ValueError(
            "validation_data: expected (x, y), (x, y, sample_weight) or what yields such batches, "
            f"got {entries}; to hold out a part of x and y pass validation_split=0.2"
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
            As of `fit`, but NaN and infinity are taken as they are; values that the model's
            precision does not hold (1e300 in float32) are infinite.
        verbose : ignored
        steps : int, optional
            The most batches to take; by default one pass.
        callbacks : Callback or list of them, optional
            Their `on_test_...` methods are called.
        return_dict : bool, default False

        Returns
        -------
        float, list of float or dict
            The loss alone if there are no metrics, else [loss, metrics...], or by name with
            `return_dict`.
        """
        self._check_compiled("test_step")
        size, steps = arguments.count("batch_size", batch_size, 32), arguments.steps("steps", steps)
        callbacks = as_callbacks(callbacks, CALLBACKS)
        batches = make_batches(self, (x, y, sample_weight), size, finite=False)
        loop.introduce(callbacks, self, {"epochs": 1, "steps": steps or batches.steps})
        with own_trackers(self) as twin:
            logs = loop.evaluate(self, batches, steps, callbacks, twin)
        return loop.as_evaluated(logs, return_dict)

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None, *, fold=True):
        """The outputs for every row of `x`.

        Rows do not influence each other: any subset gives the same bits, whatever `batch_size` is.
        (Only a stateful recurrent layer goes on from batch to batch.)

        Parameters
        ----------
        x : array, shape (N, ...), or what yields batches
            As of `evaluate`; of a batch that is a tuple only the first entry is looked at.
        batch_size : int, default 32
            What callbacks see of arrays as a batch, and `steps` counts.
        verbose : ignored
        steps : int, optional
            The most batches to take; by default one pass.
        callbacks : Callback or list of them, optional
            Their `on_predict_...` methods are called.
        fold : bool, default True
            Whether convolutions take in the scale and shift of a BatchNormalization behind them,
            which then costs no time. Outputs differ by rounding. And whether kernels that few rows
            read are kept twice.

        Returns
        -------
        array, or list or dict of them for several outputs
        """
        steps = arguments.steps("steps", steps)
        return self._predict(x, batch_size, verbose, steps, callbacks, fold)

    def _predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None, fold=True):
        """`predict` without the limit of `config`."""
        if x.__class__ is np.ndarray and batch_size is steps is callbacks is None and fold:
            y = prediction.predict_cached(self, x)
            if y is not None:
                return y
        size = arguments.count("batch_size", batch_size, 32)
        callbacks = as_callbacks(callbacks, CALLBACKS)
        seen = steps is not None or any(c.wants_batches("predict") for c in callbacks)
        if not (seen or keeps_states(self)):
            size = None  # batches that nobody sees are all rows
        batches = make_batches(self, (x,), size, finite=False, inputs_only=True)
        if isinstance(batches, ArrayBatches) and size is None and not callbacks:
            return prediction.predict_rows(self, batches.all(), bool(fold))
        loop.introduce(callbacks, self, {"epochs": 1, "steps": steps or batches.steps})
        return prediction.predict(self, batches, steps, callbacks, bool(fold))

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One step of training on one batch.

        Parameters
        ----------
        x, y, sample_weight, class_weight
            As of `fit`, of one batch.
        return_dict : bool, default False

        Returns
        -------
        float, list of float or dict
            The loss and metrics of the batch, as `evaluate` gives them.
        """
        class_weight = check_class_weight(class_weight)
        logs = self._one_batch("train", (x, y, sample_weight), class_weight=class_weight)
        return loop.as_evaluated(logs, return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """The loss and metrics of one batch.

        Parameters
        ----------
        x, y, sample_weight
            As of `evaluate`, of one batch.
        return_dict : bool, default False

        Returns
        -------
        float, list of float or dict
            As `evaluate` gives them.
        """
        logs = self._one_batch("test", (x, y, sample_weight), finite=False)
        return loop.as_evaluated(logs, return_dict)

    def _one_batch(self, kind, data, **how):
        """The logs of one batch, with metrics that begin with it."""
        self._check_compiled(f"{kind}_step")
        batches = make_batches(self, data, None, **how)
        with own_trackers(self) as twin:
            twin.reset_metrics()
            return loop.run_batches(twin, kind, [batches.all()], asked=self)[1]

    def predict_on_batch(self, x):
        """The outputs for one batch.

        Parameters
        ----------
        x : array, or list or dict of them
        """
        return self._predict(x)


_COMPILE = [name for name in inspect.signature(Trainer.compile).parameters if name != "self"][:-1]
