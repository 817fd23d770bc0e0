"""Models: layers that can be compiled, trained, evaluated and asked for predictions."""

import threading

from nnlite import config, losses, metrics, ops, optimizers, training
from nnlite.callbacks import Callback
from nnlite.data import Source, split, unpack_x_y_sample_weight, weights_of
from nnlite.dispatch import Recording
from nnlite.layers.core import positive_int
from nnlite.layers.layer import Layer
from nnlite.symbolic import Graph, Symbol, mapped, symbols_of
from nnlite.tensor import Tensor


class Model(Layer):
    """A layer made of layers: what leads from `inputs` to `outputs`, or a subclass that sets layers
    as attributes in `__init__` and uses them in `call`.

    Parameters
    ----------
    inputs : symbol, or list or dict of them, optional
        What `Input` gave, or any symbol on the way from there.
    outputs : symbol, or list or dict of them, optional
        What layers and functions of `nnlite.ops` gave when they were called on `inputs`.
    name : str, optional

    Examples
    --------
    >>> import nnlite
    >>> inputs = nnlite.Input((3,))
    >>> x = nnlite.layers.Dense(8, activation="relu")(inputs)
    >>> outputs = nnlite.layers.Dense(2)(nnlite.layers.concatenate([x, inputs]))
    >>> nnlite.Model(inputs, outputs).count_params()
    56

    >>> import nnlite
    >>> class MyModel(nnlite.Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = nnlite.layers.Dense(3, activation="relu")
    ...         self.out = nnlite.layers.Dense(2)
    ...     def call(self, x):
    ...         return self.out(self.hidden(x))
    >>> MyModel()(nnlite.ones((1, 3))).shape
    (1, 2)
    """

    def __init__(self, inputs=None, outputs=None, name=None, trainable=True, **kwargs):
        super().__init__(name=name, trainable=trainable, **kwargs)
        self._start()
        if inputs is not None or outputs is not None:
            self._follow(Graph(inputs, outputs))

    def _start(self):
        self._graph = None
        self._real = None
        self._lock = threading.RLock()
        self.__dict__.update(
            _plans={}, _plans_made_at=0
        )  # not through __setattr__: no part of a pickle
        self._warned_not_finite = False
        self.stop_training = False
        self.history = None
        self.optimizer = self.loss = None
        self._loss_tracker = metrics.Mean("loss")
        self._metrics, self._weighted_metrics = [], []
        self.run_eagerly, self.n_threads = False, None

    def _follow(self, graph):
        """Become the model of a graph; its layers were built as it was put together."""
        self._graph = graph
        self._real = config.floatx()
        self.built = True
        name_apart(self.sublayers)
        self._output_shape = mapped(graph.outputs, Symbol, lambda s: s.shape)
        if isinstance(graph.inputs, Symbol):
            self.input_shape_given = graph.inputs.shape[1:]

    # Symbols refer to each other as deep as a model is; a graph is pickled flat, they are not.
    def __getnewargs_ex__(self):
        return (), {k: v for k, v in self._given.items() if k not in ("inputs", "outputs")}

    def __getstate__(self):
        state = super().__getstate__()
        state["_lock"], state["_plans"] = None, {}
        state["_given"] = self.__getnewargs_ex__()[1]
        state["_given_symbols"] = "outputs" in self._given
        return state

    def __setstate__(self, state):
        symbols = state.pop("_given_symbols", False)
        self.__dict__.update(state)
        self._lock = threading.RLock()
        if symbols:
            self._given.update(inputs=self._graph.inputs, outputs=self._graph.outputs)

    def changed(self, **params):
        """A fresh, unbuilt copy with some settings changed."""
        if "outputs" not in self._given:
            return super().changed(**params)
        copy = self._graph.copied(lambda part: part.changed() if isinstance(part, Layer) else part)
        config = {**self._given, "inputs": copy.inputs, "outputs": copy.outputs, **params}
        return type(self)(**config)

    def call(self, inputs):
        if self._graph is None:
            return super().call(inputs)
        return self._graph.run(inputs)

    @property
    def input(self):
        """The symbol, or list of them, that the model begins with."""
        return super().input if self._graph is None else self._graph.inputs

    @property
    def output(self):
        """The symbol, or list of them, that the model ends with."""
        return super().output if self._graph is None else self._graph.outputs

    @property
    def inputs(self):
        """The symbols that the model begins with, a list."""
        return symbols_of(self.input)

    @property
    def outputs(self):
        """The symbols that the model ends with, a list."""
        return symbols_of(self.output)

    @property
    def sublayers(self):
        return super().sublayers if self._graph is None else self._graph.layers(Layer)

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        if name[0] != "_" and name in self.__dict__.get("_tracked", ()):
            name_apart(self.sublayers)

    @property
    def real(self):
        """The model's precision: `floatx()` when it was built."""
        return self._real or config.floatx()

    @property
    def layers(self):
        """The layers of the model."""
        return self.sublayers

    def get_layer(self, name=None, index=None):
        """The layer of this name, or at this place."""
        if index is not None:
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(
            f"no layer {name!r}; the model has {', '.join(x.name for x in self.layers)}"
        )

    def _build_for(self, inputs):
        if type(self).build is not Model.build:
            return super()._build_for(inputs)
        name_apart(self.sublayers)
        # Nothing of its own to build: the layers inside are built as `call` reaches them.
        if isinstance(inputs, Tensor):
            self.input_shape_given = inputs.shape[1:]
        self.built = True

    def build(self, input_shape):
        """Build every layer for samples of `input_shape[1:]`."""
        if not self.built:
            _dry_run(self, input_shape)

    def __call__(self, inputs, *args, training=None, **kwargs):
        if self._real is None:
            self._real = config.floatx()
        with config.precision(self._real):
            return super().__call__(inputs, *args, training=training, **kwargs)

    def compile(
        self,
        optimizer="rmsprop",
        loss=None,
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
        metrics : list of str, Metric or function, optional
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
        self.loss = None if loss is None else losses.get(loss)
        self._metrics = _metric_list(metrics)
        self._weighted_metrics = _metric_list(weighted_metrics)
        self.run_eagerly = bool(run_eagerly)
        self.n_threads = None if n_threads is None else positive_int("n_threads", n_threads)
        self._plans.clear()

    @property
    def metrics(self):
        """The running figures: the loss, then the compiled metrics."""
        return [self._loss_tracker, *self._metrics, *self._weighted_metrics]

    def reset_metrics(self):
        """Forget all batches."""
        for m in self.metrics:
            m.reset_state()

    def metric_results(self):
        """The running figures by name."""
        results = {}
        for prefix, group in (
            ("", [self._loss_tracker, *self._metrics]),
            ("weighted_", self._weighted_metrics),
        ):
            for m in group:
                base = name = prefix + m.name if m.name in results else m.name
                number = 0
                while name in results:
                    number += 1
                    name = f"{base}_{number}"
                results[name] = m.figure()
        return results

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        """The loss of a batch, regularization penalties included: a scalar tensor."""
        if y is None:
            raise ValueError(f"y: expected targets for the loss {self.loss.name!r}, got None")
        total = self.loss(y, y_pred, sample_weight)
        for penalty in self.losses:
            total = total + penalty
        return total

    def track(self, loss, x, y, y_pred, sample_weight):
        """Take a batch into account in all running figures."""
        if (
            sample_weight is not None
            and getattr(self.loss, "reduction", "") == "mean_with_sample_weight"
        ):
            count = ops.sum(sample_weight)  # the mean over batches is the mean over samples, too
        else:
            count = ops.full_like(loss, y_pred.shape[0])
        self._loss_tracker.update_state(loss, count)
        for m in self._metrics:
            m.update_state(y, y_pred)
        for m in self._weighted_metrics:
            m.update_state(y, y_pred, sample_weight)
        return self.metric_results()

    def train_step(self, data):
        """One step of training on a batch; override it to train in another way.

        It is written in ops and traced once, so it runs in C even with a GradientTape inside.
        """
        return training.train_step(self, data)

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

    def _need(self, compiled=True):
        if compiled and self.loss is None and type(self).train_step is Model.train_step:
            raise RuntimeError(
                f"model {self.name!r}: call compile(optimizer=..., loss=...) before training or "
                "evaluating"
            )

    def _ready_for(self, x, y=None):
        """Build the model for the rows of a Source, and check that they and the targets fit, before
        any work."""
        if not x.row_shape and self.input_shape == (None, 1):
            x.as_column()
        if not self.built:
            _dry_run(self, (None, *x.row_shape))
        if y is not None and self.loss is not None and self.output_shape is not None:
            self.loss.check_targets(y.array, self.output_shape)

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
        validation_batch_size=None,
    ):
        """Train.

        Parameters
        ----------
        x : array, shape (N, ...)
            Floats, integers or uint8; read in place.
        y : array, shape (N, ...)
        batch_size : int, default 32
        epochs : int, default 1
        verbose : {'auto', 0, 1, 2}
            Silent, a progress bar for each epoch ('auto', 1), or a line for each.
        callbacks : Callback or list of them, optional
        validation_split : float in [0, 1), default 0
            The last part of the data, taken before shuffling, is evaluated after each epoch.
        validation_data : (x, y) or (x, y, sample_weight), optional
        shuffle : bool, default True
            Whether each epoch takes the rows in a new random order.
        class_weight : dict of int to float, optional
            A weight for the samples of each class.
        sample_weight : array, shape (N,), optional
        initial_epoch : int, default 0
        validation_batch_size : int, optional
            By default `batch_size`.

        Returns
        -------
        History
            Its `history` has one list of floats for each figure.

        Raises
        ------
        ValueError
            If shapes do not fit or values are not finite, before any work.
        """
        self._need()
        batch = 32 if batch_size is None else positive_int("batch_size", batch_size)
        epochs = positive_int("epochs", epochs)
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"fit: expected verbose 'auto', 0, 1 or 2, got {verbose!r}")
        if initial_epoch:
            initial_epoch = positive_int("initial_epoch", initial_epoch)
        if validation_batch_size is not None:
            validation_batch_size = positive_int("validation_batch_size", validation_batch_size)
        callbacks = [callbacks] if isinstance(callbacks, Callback) else callbacks or []
        for c in callbacks:
            if not isinstance(c, Callback):
                raise TypeError(f"fit: expected a Callback or a list of them, got {c!r}")
        weight = weights_of(y, sample_weight, class_weight)
        validation = None
        if validation_data is not None:
            validation = training.sources_of(*unpack_x_y_sample_weight(validation_data))
        elif validation_split:
            (x, y, weight), held_out = split(x, y, weight, validation_split)
            validation = training.sources_of(*held_out)
        sources = training.sources_of(x, y, weight)
        for s in sources + (validation or []):
            if s is not None:
                s.check_finite()
        self._ready_for(*sources[:2])
        if validation is not None:
            self._ready_for(*validation[:2])
        return training.fit(
            self,
            sources,
            validation,
            epochs,
            min(batch, sources[0].rows),
            shuffle,
            list(callbacks),
            1 if verbose == "auto" else verbose,
            initial_epoch,
            validation_batch_size,
        )

    def evaluate(
        self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, return_dict=False
    ):
        """The loss and metrics on some data.

        Returns
        -------
        float, list of float or dict
            The loss alone if there are no metrics, else [loss, metrics...], or by name with
            `return_dict`.
        """
        self._need()
        sources = training.sources_of(x, y, sample_weight)
        self._ready_for(*sources[:2])
        batch = 32 if batch_size is None else positive_int("batch_size", batch_size)
        logs = training.evaluate(self, sources, min(batch, sources[0].rows))
        if return_dict:
            return logs
        values = list(logs.values())
        return values if len(values) > 1 else values[0]

    def predict(self, x, batch_size=None, verbose="auto", steps=None):
        """The outputs for every row of `x`, an array.

        Rows do not influence each other: any subset gives the same bits, whatever `batch_size` is.
        """
        source = Source(x, "x")
        if source.rows == 0:
            raise ValueError(f"x: expected at least one sample, got shape {source.array.shape}")
        self._ready_for(source)
        if self.run_eagerly:
            return self(source.array).numpy()
        return training.predict(self, source)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """One step of training on one batch; returns its loss and metrics as `evaluate` does."""
        self._need()
        sources = training.sources_of(x, y, weights_of(y, sample_weight, class_weight))
        for s in sources:
            if s is not None:
                s.check_finite()
        self._ready_for(*sources[:2])
        self.reset_metrics()
        training.run_batches(self, "train", sources, sources[0].rows)
        logs = self.metric_results()
        values = list(logs.values())
        return logs if return_dict else values if len(values) > 1 else values[0]

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False):
        """The loss and metrics of one batch."""
        return self.evaluate(x, y, len(x), sample_weight=sample_weight, return_dict=return_dict)

    def predict_on_batch(self, x):
        """The outputs for one batch."""
        return self.predict(x)

    @property
    def input_shape(self):
        """What a batch looks like, None for its size; None before the model is built."""
        if self._graph is not None:
            return mapped(self._graph.inputs, Symbol, lambda s: s.shape)
        given = self.input_shape_given
        return None if given is None else (None, *given)

    def summary(self, line_length=None, print_fn=None):
        """Print the layers with their output shapes and numbers of parameters."""
        from nnlite.summary import summary

        (print_fn or print)(summary(self, line_length))


def _dry_run(model, input_shape):
    """Build a model by tracing it on one sample."""
    with Recording(executing=False):
        model(Tensor((1, *input_shape[1:]), model.real), training=False)


def name_apart(layers):
    """Number the layers without a name of their own, so that names differ: dense, dense_1, ..."""
    used = {layer._given["name"] for layer in layers if layer._given.get("name")}
    for layer in layers:
        if layer._given.get("name"):
            continue
        base, number = config.snake_case(type(layer).__name__), 0
        name = base
        while name in used:
            number += 1
            name = f"{base}_{number}"
        used.add(name)
        if layer.name != name:
            layer._name = name


def _metric_list(given):
    if given is None:
        return []
    if isinstance(given, (str, metrics.Metric)) or callable(given):
        given = [given]
    return [metrics.get(m) for m in given]
