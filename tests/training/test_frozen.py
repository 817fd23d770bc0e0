"""Frozen layers cost no gradient, and what they give is computed once if asked."""

import functools
import warnings

import numpy as np
import pytest

import nnlite
from nnlite import callbacks, layers, ops
from nnlite.data.batches import make_batches
from nnlite.data.dataset import Dataset

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 9, 9, 2)).astype("float32")
Y = (X.mean((1, 2, 3)) > 0).astype("int32")


def base_of(*more, trainable=False, size=9):
    """A small convolutional network with statistics of its own."""
    nnlite.utils.set_random_seed(1)
    model = nnlite.Sequential(
        [
            layers.Conv2D(4, 3, activation="relu", input_shape=(size, size, 2)),
            layers.BatchNormalization(),
            *more,
            layers.Conv2D(3, 3, strides=2),
            layers.GlobalAveragePooling2D(),
        ],
        name="base",
    )
    for v in model.layers[1].non_trainable_weights:
        v.assign(np.linspace(0.5, 1.5, 4))
    model.trainable = trainable
    return model


def inside_a_sequential(base):
    head = [layers.Dense(5, "relu"), layers.Dropout(0.3), layers.Dense(2, "softmax")]
    return nnlite.Sequential([layers.Rescaling(0.5), base, *head])


def before_a_head(base):
    x = layers.Dropout(0.3)(layers.Dense(5, "relu")(base.output))
    return nnlite.Model(base.input, layers.Dense(2, "softmax")(x))


def before_branches(base, inputs=lambda *symbols: [*symbols]):
    other = nnlite.Input((3,))
    x = layers.concatenate([layers.Dense(5, "relu")(base.output), other])
    return nnlite.Model(inputs(base.input, other), layers.Dense(2, "softmax")(x))


def compiled(make, base=None, **settings):
    nnlite.utils.set_random_seed(0)
    model = make(base_of() if base is None else base)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"], **settings)
    return model


class Ops(callbacks.Callback):
    """The names of the ops of the steps, as each epoch ends."""

    def __init__(self):
        self.names = set()

    def on_epoch_end(self, epoch, logs=None):
        for step in self.model._step_cache.steps.values():
            self.names |= {call.op.name for call in step.plan.calls}


def trained(cache, make=inside_a_sequential, x=X, y=Y, epochs=3, base=None, **settings):
    """History and weights of a fit, and the ops of its steps."""
    model, seen = compiled(make, base), Ops()
    nnlite.utils.set_random_seed(0)
    settings = {"batch_size": 16, "callbacks": [seen], "verbose": 0, **settings}
    history = model.fit(x, y, epochs=epochs, cache_frozen=cache, **settings).history
    return history, [v.numpy() for v in model.weights], seen.names


def check_same(**settings):
    """Cached or not, a fit gives the same; only one has the base in its steps."""
    (plain, weights, ops_of_plain), (cached, others, ops_of_cached) = (
        trained(cache, **settings) for cache in (False, True)
    )
    assert plain.keys() == cached.keys() and len(plain["loss"]) == 3
    for name, values in plain.items():
        np.testing.assert_allclose(cached[name], values, rtol=1e-5, atol=1e-7)
    for a, b in zip(weights, others):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    of_base = {"conv2d", "conv2d_packed"}
    assert of_base & {*ops_of_plain} and not of_base & {*ops_of_cached}


@pytest.mark.parametrize("make", [inside_a_sequential, before_a_head])
def test_frozen_layers_cost_no_gradient(make):
    def names(trainable):
        model = compiled(make, base_of(trainable=trainable))
        batches = make_batches(model, (X, Y, None), 16)
        step = model._step_cache.step(model, "train", next(iter(batches.epoch())))
        return [call.op.name for call in step.plan.calls], len(model.trainable_weights)

    frozen, count = names(False)
    thawed, more = names(True)
    of_base = {"conv2d_gradient_kernel", "conv2d_gradient_input", "batch_norm_gradient"}
    assert of_base < set(thawed) and not {name for name in frozen if name in of_base}
    assert frozen.count("adam_update") == count == 4 and thawed.count("adam_update") == more == 10
    assert (
        "moving_update" in thawed and "moving_update" not in frozen and "batch_norm" not in frozen
    )


@pytest.mark.parametrize("make", [inside_a_sequential, before_a_head])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"validation_split": 0.25},
        {"validation_data": (X[:20], Y[:20])},
        {"shuffle": False, "sample_weight": np.linspace(0, 1, 60), "class_weight": {0: 2.0}},
        {"x": (X * 50).astype("uint8")},
    ],
)
def test_what_frozen_layers_give_is_computed_once_and_the_same(make, settings):
    check_same(make=make, **settings)


def test_several_inputs_are_taken():
    other = RNG.normal(size=(60, 3)).astype("float32")
    check_same(make=before_branches, x=[X, other], validation_split=0.25)
    named = functools.partial(before_branches, inputs=lambda x, other: {"image": x, "other": other})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_same(make=named, x={"other": other, "image": X})


def test_what_frozen_layers_give_may_be_an_output_and_of_tokens():
    def make(base):
        x = nnlite.Input((7,), dtype="int32")
        embedding = layers.Embedding(50, 4)
        y = layers.GlobalAveragePooling1D()(embedding(x))
        embedding.trainable = False
        return nnlite.Model(x, [layers.Dense(2, "softmax")(y), layers.Dense(1)(y), y])

    x = np.arange(420).reshape(60, 7) % 50
    found = []
    for cache in (False, True):
        nnlite.utils.set_random_seed(0)
        model = make(None)
        model.compile("adam", ["sparse_categorical_crossentropy", "mse", "mse"])
        y = [Y, X[:, 0, 0, 0], np.ones((60, 4))]
        found.append(model.fit(x, y, epochs=2, verbose=0, cache_frozen=cache).history)
    assert found[0].keys() == found[1].keys() and len(found[0]) == 4
    for name, values in found[0].items():
        np.testing.assert_allclose(found[1][name], values, rtol=1e-5)


def test_features_are_computed_before_the_first_epoch_and_not_again(monkeypatch):
    rows, predict = [], nnlite.Model._predict

    def counted(self, x, **settings):
        rows.append(len(x))
        return predict(self, x, **settings)

    monkeypatch.setattr(nnlite.Model, "_predict", counted)
    trained(True, epochs=4, validation_data=(X[:20], Y[:20]))
    assert rows == [60, 20]


class Batches(nnlite.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, number):
        rows = slice(15 * number, 15 * number + 15)
        return X[rows], Y[rows]


@pytest.mark.parametrize(
    "batches", [Batches, lambda: Dataset.from_tensor_slices((X, Y)).batch(15)], ids=["py", "tf"]
)
def test_batches_are_kept(batches):
    check_same(x=batches(), y=None, validation_data=batches())


def test_batches_come_as_in_the_first_epoch():
    read = []

    def elements():
        for number in range(4):
            read.append(number)
            yield Batches()[number]

    trained(True, make=before_a_head, x=Dataset.from_generator(elements), y=None)
    assert read == [0, 1, 2, 3]


def test_steps_and_precision_and_eager_steps():
    check_same(steps_per_epoch=2)
    with nnlite.config.precision("float64"):
        check_same(x=X.astype("float64"))
    base = base_of()
    model = compiled(before_a_head, base, run_eagerly=True)
    assert np.isfinite(model.fit(X, Y, verbose=0, cache_frozen=True).history["loss"]).all()


def test_sizes_of_images_may_be_unknown():
    def make(base):
        x = nnlite.Input((None, None, 2))
        convolution = layers.Conv2D(4, 3)
        y = layers.GlobalMaxPooling2D()(convolution(x))
        convolution.trainable = False
        return nnlite.Model(x, layers.Dense(2, "softmax")(y))

    check_same(make=make)


def test_callbacks_see_the_model_as_it_is(tmp_path):
    pytest.importorskip("h5py")
    seen = []

    class Predictions(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.predict(X[:5], verbose=0))
            loss = self.model.evaluate(X, Y, verbose=0)[0]
            assert abs(loss - logs["val_loss"]) < 1e-6

    path = tmp_path / "best.keras"
    kept = [Predictions(), callbacks.ModelCheckpoint(path), callbacks.EarlyStopping("loss")]
    model = compiled(before_a_head)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=kept, cache_frozen=True, validation_data=(X, Y))
    np.testing.assert_allclose(seen[-1], model.predict(X[:5], verbose=0), rtol=1e-6)
    loaded = nnlite.models.load_model(path)
    np.testing.assert_allclose(seen[-1], loaded.predict(X[:5], verbose=0), rtol=1e-6)


def test_a_step_of_ones_own_gets_what_the_base_gives():
    class Mine(nnlite.Model):
        def train_step(self, data):
            x, y = data
            with nnlite.GradientTape() as tape:
                loss = self.compute_loss(x, y, self(x, training=True))
            weights = self.trainable_weights
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
            return {"loss": loss}

    def make(base):
        return Mine(base.input, layers.Dense(2, "softmax")(base.output))

    check_same(make=make)


def test_after_an_error_and_after_the_fit_the_model_is_whole():
    class Stop(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise OSError("full disk")

    base = base_of()
    model = compiled(inside_a_sequential, base)
    with pytest.raises(OSError, match="full disk"):
        model.fit(X, Y, verbose=0, callbacks=[Stop()], cache_frozen=True)
    assert model._graph.front is None
    base.trainable = True  # fine-tuning
    model.compile("adam", "sparse_categorical_crossentropy")
    before = base.layers[0].kernel.numpy().copy()
    model.fit(X, Y, verbose=0)
    assert not (base.layers[0].kernel.numpy() == before).all()


class Penalized(layers.Dense):
    def call(self, x):
        self.add_loss(ops.sum(x))
        return super().call(x)


class Doubled(layers.Dense):
    def call(self, x, training=False):
        y = super().call(x)
        return y * 2.0 if training else y


def chain(*parts, frozen=1):
    """A model of some layers, of which the first ones are frozen."""
    model = nnlite.Sequential([nnlite.Input((6,)), *parts, layers.Dense(1)])
    for layer in model.layers[:frozen]:
        layer.trainable = False
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: chain(layers.Dense(3), frozen=0), "begins with .* got 'dense', whose weights tr"),
        (lambda: chain(layers.Dropout(0.2), layers.Dense(3), frozen=2), "'dropout', which is ano"),
        (
            lambda: chain(layers.GaussianNoise(0.2)),
            "'gaussian_noise', which is another in training",
        ),
        (lambda: chain(Doubled(3)), "'doubled', which is another in training"),
        (lambda: chain(Penalized(3)), "'penalized', which adds to the loss"),
        (lambda: chain(layers.Dense(3, activity_regularizer="l2")), "which adds to the loss"),
        (
            lambda: chain(nnlite.Sequential([layers.Dense(3), layers.Dropout(0.1)], name="base")),
            "got 'base', which is another in training, as Dropout",
        ),
        (lambda: chain(layers.Embedding(9, 4, mask_zero=True), layers.LSTM(3)), "has a mask"),
        (
            lambda: chain(layers.Reshape((2, 3)), layers.LSTM(3, stateful=True), frozen=2),
            "keeps something from batch to batch",
        ),
        (lambda: nnlite.Sequential([layers.Flatten(), layers.Activation("relu")]), "none with wei"),
    ],
)
def test_what_cannot_be_cached_is_refused(make, message):
    model = make()
    model.compile("sgd", "mse")
    x = np.ones((4, 6), "float32")
    with pytest.raises(ValueError, match=f"cache_frozen: expected a model that .*{message}"):
        model.fit(x, np.ones(4), batch_size=4, verbose=0, cache_frozen=True)
    front = None if model._graph is None else model._graph.front
    assert front is None


def test_frozen_layers_behind_dropout_are_named_in_a_warning():
    base = base_of(layers.Dropout(0.2))
    model = compiled(before_a_head, base)
    with pytest.warns(UserWarning, match=r"in each step \(conv2d_1\), behind 'dropout', which is"):
        model.fit(X, Y, verbose=0, cache_frozen=True)


def test_iterators_and_other_models_are_refused():
    model = compiled(inside_a_sequential)
    with pytest.raises(ValueError, match="cache_frozen: expected arrays, a Dataset or a PyDataset"):
        model.build((None, 9, 9, 2))
        model.fit(iter([(X, Y)]), verbose=0, steps_per_epoch=1, cache_frozen=True)

    class Own(nnlite.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, "softmax")

        def call(self, x):
            return self.dense(ops.reshape(x, (x.shape[0], -1)))

    with pytest.raises(ValueError, match=r"expected a Sequential or Model\(inputs, outputs\), bui"):
        compiled(lambda base: Own()).fit(X, Y, verbose=0, cache_frozen=True)
    with pytest.raises(ValueError, match="cache_frozen: expected True or False"):
        model.fit(X, Y, verbose=0, cache_frozen="yes")
