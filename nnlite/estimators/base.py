"""How an estimator fits: from settings and data to a trained Model, and from rows to its outputs.

Constructors store, `fit` validates and builds, a trailing underscore means learned. Layers, the
optimizer and callbacks are settings: `fit` builds and changes copies of them, never the originals.
"""

import copy
import math

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state

from nnlite import config, errors
from nnlite.callbacks.foreign import own_of
from nnlite.data.batches import make_batches
from nnlite.data.source import check_range
from nnlite.estimators import (
    convergence,
    defaults,
    encoding,
    ensemble,
    examination,
    exported,
    gaps,
    input_validation,
    measured,
    moving_scale,
    resuming,
    scaling,
    sequences,
    validation_split,
    words,
)
from nnlite.estimators.builder import meta_of
from nnlite.estimators.compiled_model import check_outputs, compiled_loss
from nnlite.estimators.defaults import is_auto
from nnlite.estimators.docstrings import inject_docs
from nnlite.estimators.history import Curves, HistoryMixin
from nnlite.estimators.html_repr import block_of
from nnlite.estimators.logits import finite
from nnlite.estimators.mlp_attributes import MLPAttributes
from nnlite.estimators.parameters import NestedParamsMixin, as_int
from nnlite.estimators.persistence import PersistenceMixin
from nnlite.estimators.sample_weight import weights_of
from nnlite.estimators.sklearn_callbacks import CallbackSupportMixin, FitTasks, with_callbacks
from nnlite.estimators.training_data import TrainingData
from nnlite.models.model import Model
from nnlite.models.sequential import Sequential
from nnlite.training import loop


@inject_docs
class BaseNeuralNetwork(
    MLPAttributes, CallbackSupportMixin, HistoryMixin, PersistenceMixin, NestedParamsMixin
):
    """The base class of NNClassifier and NNRegressor."""

    _columns = None  # what the columns of a table with categories are
    _reads_gaps = False  # whether `model_` does
    _ragged = False  # whether X of `fit` was sequences of different lengths
    _seen = None  # what is known of the columns, from which X is scaled: `scaling.observed`
    _warns_of_few_epochs = True
    _vocabulary = None  # of the `Embedding` that reads X, as `defaults.vocabulary_of` gives it

    def __init__(
        self,
        layers=None,
        *,
        hidden_layer_sizes="auto",
        activation="relu",
        normalize="auto",
        categorical_features="from_dtype",
        numeric_encoding="auto",
        ensemble="auto",
        preset="default",
        optimizer="adam",
        learning_rate=None,
        schedule="auto",
        batch_size="auto",
        epochs="auto",
        early_stopping="auto",
        validation_fraction=0.1,
        scoring=None,
        metrics=None,
        refit_full=False,
        warm_start=False,
        callbacks=None,
        random_state=None,
        verbose=0,
        n_threads=None,
        dtype="auto",
        **unknown,
    ):
        for name, value in unknown.items():
            meant = words.meant_by(name, repr(value), self._get_param_names())
            raise TypeError(f"{type(self).__name__}: unknown argument {name!r}{meant}")
        self.layers = layers
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.normalize = normalize
        self.categorical_features = categorical_features
        self.numeric_encoding = numeric_encoding
        self.ensemble = ensemble
        self.preset = preset
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.batch_size = batch_size
        self.epochs = epochs
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.scoring = scoring
        self.metrics = metrics
        self.refit_full = refit_full
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.random_state = random_state
        self.verbose = verbose
        self.n_threads = n_threads
        self.dtype = dtype

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self._builder().reads_tables
        return tags

    @words.refuses_settings
    @with_callbacks
    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None, sample_weight_val=None):
        """Train a new model, or train the fitted one further if `warm_start` is set.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features), (n_samples, height, width, channels) or \
(n_samples, steps, features); or list of sequences
            Finite numbers. Arrays of float32, float64, integers and uint8 are read in place, and
            their values are not changed: pixels stay between 0 and 255. If the first layer has an
            `input_shape`, X may also be rows of as many values, or images without an axis for
            their single channel.

            Rows of a table may have gaps, NaN: the mean of the column takes their place, and the
            network reads beside it whether there is a gap, in columns that have some in `fit`. A
            table may also have categories, see `categorical_features`. A network whose first layer
            has a scale of its own, or that a function compiled, reads neither.

            If the first layer is an `Embedding`, X is tokens, whole numbers from 0 to below its
            `input_dim`: an array of shape (n_samples, steps), or sequences.

            Sequences may differ in length: a list or an object array of arrays of shape (steps,
            features), or of tokens. The network does not count what fills them up to one length; a
            layer that drops masks does, and warns. Later sequences may be longer, unless a layer
            has weights that depend on the length, as behind `Flatten`, or says it (`input_shape`).
            So may those of an array, if the first layer has `input_shape=(None, features)`, or
            `(None,)` of tokens.
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
            Labels of any type for a classifier; for a regressor one or several numbers per row.
        sample_weight : array-like, shape (n_samples,), optional
            Weights of at least 0, which are not all 0. The loss is divided by their sum. Rows of
            weight 0 are left out.
        X_val, y_val, sample_weight_val : array-like, optional
            Validation data, evaluated after each epoch; they take the place of rows held out of X.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            If a setting or the data are wrong. The message names what is wrong and says what was
            expected.
        KeyboardInterrupt
            At Ctrl-C. The estimator is then fitted with the weights that it has reached.
        """
        self._check_settings()
        tasks = FitTasks(self)
        given, resumes = (X, y, sample_weight), self.warm_start and hasattr(self, "model_")
        X, y = input_validation.validate_X_y(self, X, y, not resumes, sample_weight)
        recipe = self._recipe(X)
        tasks.begin((2 if self.refit_full else 1) * recipe.epochs, *given)
        if not resumes:
            self._learn_target(y)
        all_data = self._training_data(X, y, sample_weight, learn_scale=not resumes)
        seed = self._seed()
        validation = validation_split.validation_data(self, X_val, y_val, sample_weight_val)
        if not resumes:
            self._warn_of_channels_first(X)
        if recipe.networks > 1 and not resumes:
            ensemble.fit(self, recipe, all_data, seed, validation, tasks)
            tasks.finish()
            return self
        stopping = self._stopping(all_data.rows if validation is None else math.inf)
        data, splits = all_data, validation is None and self._holds_out(stopping)
        if splits:
            data, validation = map(all_data.part, self._split(all_data, seed))
        model = self._resumed() if resumes else self._model(data, seed, small_in_float64=True)
        epochs_done = self.n_iter_ if resumes else 0
        epochs = epochs_done + recipe.epochs
        order_seed = seed + 1 + epochs_done
        self._train(model, order_seed, data, epochs_done, epochs, validation, stopping, [tasks])
        if splits and self.refit_full:
            recorded = self.history_, self.callbacks_
            model = self._model(all_data, seed, small_in_float64=True)
            self._train(model, order_seed, all_data, 0, self.best_epoch_, others=[tasks])
            history, self.callbacks_ = recorded
            self._store_results(model, history, stopping)
        tasks.finish()
        return self

    def _warn_of_channels_first(self, X):
        """Warn if X looks like images whose channels come first, and the network reads images."""
        if not self._builder().flattens_first:
            input_validation.warn_of_channels_first(X)

    def _holds_out(self, stopping):
        """Whether rows are held out if `fit` is given no X_val: an EarlyStopping asks for them."""
        return stopping is not None and str(stopping.monitor).startswith("val_")

    def _split(self, data, seed):
        """The indices of the rows to train on, and of the rows held out."""
        stratify_by = self._target.stratify_by(data.target)
        return validation_split.split(data.rows, self.validation_fraction, stratify_by, seed)

    def _targets_for_loss(self, model, target):
        """Encoded targets in the form that the model's loss expects."""
        return target

    def _samples_for(self, model, X):
        """X in the form that the model takes."""
        vocabulary = defaults.vocabulary_of(model._sublayers)
        return input_validation.samples_for(model, X, vocabulary, self._ragged)

    def _shuffled(self, batches):
        """The batches, with their rows in a new random order in each epoch."""
        return batches.shuffled()

    def _partial_fit(self, X, y, sample_weight, classes=None):
        """Train for one epoch, from the weights of the fitted model if there is one."""
        self._check_settings()
        if self._stopping(0) is not None:
            raise ValueError(
                "early_stopping: expected 'auto' or False for partial_fit, got "
                f"{self.early_stopping!r}"
            )
        defaults.check_takes_batches(self._optimizer_spec())
        first = not hasattr(self, "model_")
        X, y = input_validation.validate_X_y(self, X, y, first, sample_weight)
        if first:
            self._learn_target(y, classes)
        data = self._training_data(X, y, sample_weight, learn_scale=first).replace(is_chunk=True)
        epochs_done, seed = 0 if first else self.n_iter_, self._seed()
        model = self._model(data, seed) if first else self._resumed()
        if first:
            self._warn_of_channels_first(X)
            moving_scale.begin(self, model)
        else:
            data = moving_scale.followed(self, data)
        self._train(model, seed + 1 + epochs_done, data, epochs_done, epochs_done + 1)
        return self

    @config.isolated
    def _train(
        self, model, seed, data, epochs_done, epochs, validation=None, stopping=None, others=()
    ):
        """Run the epochs after the first `epochs_done` and store the results, also after Ctrl-C."""
        measured.show_metrics(model, self._target)
        history, user_callbacks = Curves(), self._callbacks()
        self.callbacks_ = own_of(user_callbacks)
        schedule = self._resolve_auto("schedule")
        annealing = defaults.annealing(
            schedule, model.optimizer, user_callbacks, epochs - epochs_done
        )
        callbacks = [*annealing, *user_callbacks]
        if epochs_done:
            history.history = {
                name: list(values)
                for name, values in self.history_.items()
                if validation is not None or not name.startswith("val_")
            }
        if validation is not None and self.scoring is not None:
            scorer = validation_split.ScorerCallback(self, self.scoring, validation)
            callbacks.insert(0, scorer)
        callbacks += [c for c in (stopping, history, *others) if c is not None]
        validation_split.say_that_scores_rise(callbacks)
        for other in others:
            other.history = history
        rows_before = self.t_ if epochs_done else 0
        try:
            with config.precision(model._precision), config.seeded(seed):
                self._run_epochs(model, data, validation, epochs_done, epochs, callbacks)
        except KeyboardInterrupt:
            self._store_results(model, history.history, stopping)
            raise
        finally:
            done = len(history.history.get("loss", ())) - epochs_done
            self.t_ = rows_before + max(0, done) * data.rows
        self._store_results(model, history.history, stopping)
        if self._warns_of_few_epochs:
            convergence.warn_if_falling(self.history_, epochs_done, epochs, callbacks)

    def _run_epochs(self, model, data, validation, epochs_done, epochs, callbacks):
        """Call the training loop: the one place where an estimator makes batches."""
        size = defaults.batch_rows(self.batch_size, data.rows)

        def batches(data, name="X"):
            with errors.prefixed("" if name == "X" else f"{name}: "):
                x = self._samples_for(model, data.X)
            check_range(name, x, model._precision)
            target = self._targets_for_loss(model, data.target)
            given = (x, target, data.sample_weight)
            return make_batches(model, given, size, finite=False, numbers=data.numbers)

        rows, held_out = batches(data), None
        if validation is not None:
            held_out = loop.Validation(batches(validation, "X_val"))
        loop.fit(
            model,
            self._shuffled(rows),
            range(epochs_done, epochs),
            validation=held_out,
            callbacks=callbacks,
            verbose=int(self.verbose),
        )

    def _store_results(self, model, history, stopping):
        """Set the attributes that end with an underscore."""
        self._set_model(model)
        resuming.remember(self)
        self.dtype_, self.history_ = np.dtype(model._precision), history
        self.loss_curve_ = history.get("loss", [])
        self.validation_loss_curve_ = history.get("val_loss")
        self.n_iter_ = self.best_epoch_ = len(self.loss_curve_)
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else math.nan
        if stopping is not None and self.n_iter_:
            self.best_epoch_ = stopping.best_epoch + 1
        self.best_epochs_ = [self.best_epoch_]
        ensemble.forget_folds(self)

    def _as_fitted(self, model, history):
        """A fitted copy of this estimator, with a copy of a model that is still being trained."""
        fitted = copy.copy(self)
        fitted._store_results(copy.deepcopy(model), copy.deepcopy(history.history), None)
        return fitted

    def _set_model(self, model):
        """Set the model that predicts, and what follows from it alone."""
        self.model_, self._vocabulary = model, defaults.vocabulary_of(model._sublayers)
        self._reads_gaps = gaps.are_read_by(model)

    def _defaults(self):
        """Settings that count, but are no settings of the constructor: what a function takes."""
        return {}

    def _check_settings(self):
        super()._check_settings()
        if self.warm_start and self.refit_full:
            raise ValueError("refit_full: expected False with warm_start=True, got True")
        ensemble.check_settings(self)
        if self.scoring is not None:
            check_scoring(self, scoring=self.scoring)

    def _seed(self):
        return int(check_random_state(as_int(self.random_state)).randint(2**31))

    def _model(self, data, seed, small_in_float64=False):
        """A fresh model, compiled, in the precision that suits the data and the model's size."""
        small = small_in_float64 and defaults.is_small_float64(data.X)
        precision = ("float64" if small else "float32") if self.dtype == "auto" else self.dtype
        model = self._build(data, seed, precision)
        if self.dtype == "auto" and small and model.count_params() > defaults.FLOAT64_WEIGHTS:
            model = self._build(data, seed, "float32")
        self._seen = scaling.taken_from(model)
        self._optimizer_made = model.optimizer  # None, unless a function compiled the model
        self._compile(model)
        return model

    def _resumed(self):
        """The fitted model, compiled as the settings say now."""
        return resuming.resumed(self)

    def _compile(self, model):
        """Compile a model that was built."""
        loss = self._target.loss()
        model.compile(
            self._optimizer_spec(model.optimizer),
            loss if model.optimizer is None else compiled_loss(model, loss),
            weighted_metrics=measured.metrics_of(self._target, self.metrics),
            n_threads=self.n_threads,
        )

    _check_outputs = staticmethod(check_outputs)

    @config.isolated
    def _build(self, data, seed, precision):
        """A fresh model, whose first weights follow from the seed."""
        X, builder = data.X, self._builder()
        with config.precision(precision), config.seeded(seed):
            output = self._target.output_layer()
            meta = meta_of((None, *X.shape[2:]) if self._ragged else X.shape[1:], output)
            made = builder.build(meta)
            whole_model = isinstance(made, Model)
            with errors.reworded(lambda m: input_validation.with_advice(m, X), ValueError):
                if whole_model:
                    gaps.check_plain(X, self._columns, "a compiled model")
                else:
                    normalize = self._resolve_auto("normalize")
                    flattens = builder.flattens_first and X.ndim > 2 and not self._ragged
                    made = scaling.prepended(
                        made, data, normalize, flattens, self._ragged, self._columns
                    )
                    wanted, networks = self._resolve_auto("numeric_encoding"), self._recipe(X)[0]
                    made = encoding.prepended(made, data, wanted, self._target, networks)
                    made = [*made, output]
                if self._ragged:
                    model = sequences.network(made, X)
                else:
                    model = made if whole_model else Sequential(made)
                if not model.built:  # the shape that its first layer was given is that of images
                    model.build((None, *X.shape[1:]))
        if len(model.output_shape) != 2:
            last = model.output_shape
            if not whole_model:
                last = model.layers[-2].output_shape if made[1:] else (None, *X.shape[1:])
            raise ValueError(
                f"layers: expected the last to give one row per sample, got shape {last}; "
                "end with Flatten()"
            )
        if whole_model:
            self._check_outputs(model, meta)
            encoding.refuse(self._resolve_auto("numeric_encoding"), "a compiled model")
            if self._resolve_auto("normalize"):
                raise ValueError(
                    "normalize: expected 'auto' or False for a compiled model, whose inputs come "
                    f"as they are, got {self.normalize!r}; a Normalization layer can be its first"
                )
        return model

    def _recipe(self, X):
        """How many networks a fit of X trains, and for how many epochs."""
        table = X.ndim == 2 and not hasattr(X, "tocsr") and not self._ragged
        return defaults.recipe_of(self, X.shape[0], table and self._builder().of_sizes)

    def _resolve_auto(self, name):
        """The value of a setting; None for 'auto' if a function makes the network and decides."""
        value = getattr(self, name)
        return None if is_auto(value) and self._builder().decides_scale else value

    def _training_data(self, X, y, sample_weight, learn_scale=False):
        """The rows of non-zero weight, with encoded targets.

        With `learn_scale` the target takes its scale from them.
        """
        target = self._target.encode(y)
        weight = weights_of(X, sample_weight, self._class_factors(target))
        data = TrainingData(X, target, weight, y).without_zero_weights()
        if learn_scale and self._resolve_auto("normalize"):
            self._target.learn_scale(data.target, data.sample_weight)
        return data.replace(target=self._target.scaled(data.target))

    def _class_factors(self, target):
        """A function that multiplies sample weights by class weights, or None."""

    def _outputs(self, X, **options):
        """The model's outputs for the rows of X, with options of `Model.predict`."""
        return self._outputs_of(input_validation.validate_X(self, X), **options)

    def _outputs_of(self, rows, **options):
        """The model's outputs for rows as it takes them."""
        outputs = sequences.predicted(self, self.model_, rows, **options)
        return finite(outputs, self._target.fallback)

    _for_examination = examination.seen_by_the_doctor
    _computation = exported.computation_of

    def __sklearn_is_fitted__(self):
        return hasattr(self, "model_")

    def _sk_visual_block_(self):
        return block_of(self)
