"""Keras itself as the reference, where it is installed: same weights, steps, losses and rules."""

import inspect
import os

import numpy as np
import pytest

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", exc_type=ImportError)

from cases_optimizers import RULES, SETTINGS  # noqa: E402

import nnlite  # noqa: E402

ROWS = 24
LOSSES = [
    "CategoricalCrossentropy",
    "SparseCategoricalCrossentropy",
    "BinaryCrossentropy",
    "MeanSquaredError",
]
# A long chain of float32 operations on both sides, in different orders.
CLOSE = {"rtol": 2e-4, "atol": 2e-5}


def defaults(function):
    if hasattr(function, "_signature"):  # with what **kwargs passes on to the bases
        return function._signature()
    parameters = inspect.signature(function).parameters.values()
    return {
        p.name: p.default for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    }


def random_specs(rng, classes):
    """Names and arguments of layers, and the shape of one sample: a random small network."""
    shape = (int(rng.integers(2, 5)), int(rng.integers(2, 5)))
    activations = ["relu", "tanh", "sigmoid", "linear", "softmax", "leaky_relu", None]
    specs = [("Flatten", {})] if rng.random() < 0.5 else [("Reshape", {"target_shape": (-1,)})]
    for _ in range(rng.integers(0, 4)):
        name = rng.choice(["Dense", "Activation", "Dropout", "Reshape", "Flatten"])
        specs.append(
            {
                "Dense": (
                    "Dense",
                    {
                        "units": int(rng.integers(1, 9)),
                        "activation": rng.choice(activations),
                        "use_bias": bool(rng.random() < 0.8),
                    },
                ),
                "Activation": ("Activation", {"activation": rng.choice(activations[:-1])}),
                "Dropout": ("Dropout", {"rate": 0.0}),
                "Reshape": ("Reshape", {"target_shape": (1, -1)}),
                "Flatten": ("Flatten", {}),
            }[name]
        )
    last = "softmax" if classes > 1 else rng.choice(["sigmoid", "linear"])
    return shape, [*specs, ("Flatten", {}), ("Dense", {"units": classes, "activation": last})]


def twins(shape, specs):
    """The same model in Keras and in nnlite, with the same weights."""
    theirs = keras.Sequential(
        [keras.Input(shape), *(getattr(keras.layers, n)(**a) for n, a in specs)]
    )
    ours = nnlite.Sequential(
        [nnlite.Input(shape), *(getattr(nnlite.layers, n)(**a) for n, a in specs)]
    )
    ours.set_weights(theirs.get_weights())
    return theirs, ours


def assert_same_weights(theirs, ours, **close):
    for a, b in zip(theirs.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_allclose(b, a, **(close or CLOSE))


OPTIMIZERS = {
    "sgd": ("SGD", {"learning_rate": 0.1}),
    "momentum": ("SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    "nesterov": ("SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {"learning_rate": 0.01}),
    "another adam": (
        "Adam",
        {"learning_rate": 0.01, "beta_1": 0.7, "beta_2": 0.9, "epsilon": 1e-3},
    ),
    "amsgrad": ("Adam", {"learning_rate": 0.01, "amsgrad": True, "clipnorm": 0.3}),
    "adamw": ("AdamW", {"learning_rate": 0.01, "weight_decay": 0.3, "global_clipnorm": 0.5}),
    "rmsprop": ("RMSprop", {"learning_rate": 0.002, "momentum": 0.7}),
    "centered": ("RMSprop", {"learning_rate": 0.002, "centered": True, "clipvalue": 0.1}),
    "adagrad": ("Adagrad", {"learning_rate": 0.1, "weight_decay": 0.1}),
    "adadelta": ("Adadelta", {"learning_rate": 1.0}),
    "adamax": ("Adamax", {"learning_rate": 0.01}),
    "nadam": ("Nadam", {"learning_rate": 0.01}),
    "ftrl": ("Ftrl", {"learning_rate": 0.1, "l2_regularization_strength": 0.01}),
    "lamb": ("Lamb", {"learning_rate": 0.01, "weight_decay": 0.1}),
    "adafactor": ("Adafactor", {"learning_rate": 0.05}),
    "muon": ("Muon", {"learning_rate": 0.01}),
    "accumulated": ("Adam", {"learning_rate": 0.01, "gradient_accumulation_steps": 2}),
}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_random_models_agree_in_outputs_losses_and_weights_after_training(seed, optimizer):
    rng = np.random.default_rng(seed)
    classes = [1, 3, 4][seed % 3]
    shape, specs = random_specs(rng, classes)
    theirs, ours = twins(shape, specs)
    x = rng.normal(size=(ROWS, *shape)).astype("float32")
    np.testing.assert_allclose(ours.predict(x), theirs(x), rtol=1e-5, atol=1e-6)
    if classes == 1:
        y = rng.integers(0, 2, (ROWS, 1))
        loss = "binary_crossentropy" if specs[-1][1]["activation"] == "sigmoid" else "mse"
    elif seed % 2:
        y, loss = rng.integers(0, classes, ROWS), "sparse_categorical_crossentropy"
    else:
        y, loss = np.eye(classes)[rng.integers(0, classes, ROWS)], "categorical_crossentropy"
    name, settings = OPTIMIZERS[optimizer]
    weight = rng.random(ROWS)
    for model, package in ((theirs, keras), (ours, nnlite)):
        rule = getattr(package.optimizers, name)(**settings)
        # Keras traces longer than it runs.
        model.compile(rule, loss, metrics=["accuracy"], run_eagerly=package is keras)
    for step in range(4):
        rows = slice(0, ROWS) if step % 2 else slice(0, 10)
        a = theirs.train_on_batch(x[rows], y[rows], sample_weight=weight[rows], return_dict=True)
        b = ours.train_on_batch(x[rows], y[rows], sample_weight=weight[rows], return_dict=True)
        assert set(a) == set(b)
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-4, abs=1e-6)
        assert b["accuracy"] == pytest.approx(a["accuracy"], abs=1e-6)
    assert_same_weights(theirs, ours)


@pytest.mark.parametrize(
    "cls, settings", SETTINGS, ids=[f"{cls.__name__}{settings}" for cls, settings in SETTINGS]
)
def test_optimizers_agree_step_by_step(cls, settings):
    if cls.__name__ == "ScheduleFreeAdamW" and keras.backend.backend() == "tensorflow":
        pytest.skip("Keras takes the new momentum for the old one with TensorFlow, not with JAX")
    rng = np.random.default_rng(0)
    first = [rng.normal(size=shape).astype("float32") for shape in [(), (3,), (4, 5)]]
    results = []
    for package in (keras, nnlite):
        rule = getattr(package.optimizers, cls.__name__)(**settings)
        variables = [package.Variable(w) for w in first]
        for step in range(10):
            gradients = [np.cos(step * w + w).astype("float32") for w in first]
            gradients = [
                (keras.ops if package is keras else nnlite).convert_to_tensor(g) for g in gradients
            ]
            rule.apply_gradients(zip(gradients, variables))
        results.append([np.asarray(v) for v in variables])
    for theirs, ours in zip(*results):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=3e-6)


SCHEDULE_CASES = [
    ("ExponentialDecay", (0.1, 7, 0.9), {}),
    ("ExponentialDecay", (0.1, 7, 0.5), {"staircase": True}),
    ("InverseTimeDecay", (0.1, 7, 0.5), {}),
    ("InverseTimeDecay", (0.1, 7, 2.0), {"staircase": True}),
    ("PiecewiseConstantDecay", ([5, 6, 30], [1.0, 0.5, 0.1, 0.2]), {}),
    ("PolynomialDecay", (0.1, 20), {}),
    ("PolynomialDecay", (0.1, 20), {"end_learning_rate": 0.02, "power": 0.5}),
    ("PolynomialDecay", (0.1, 20), {"power": 2.0, "cycle": True}),
    ("CosineDecay", (0.1, 30), {}),
    ("CosineDecay", (0.1, 30), {"alpha": 0.1}),
    ("CosineDecay", (0.01, 30, 0.1), {"warmup_target": 0.2, "warmup_steps": 9}),
    ("CosineDecay", (0.01, 30), {"warmup_target": 0.2}),
    ("CosineDecayRestarts", (0.1, 10), {}),
    ("CosineDecayRestarts", (0.1, 7), {"t_mul": 1.5, "m_mul": 0.7, "alpha": 0.05}),
    ("CosineDecayRestarts", (0.1, 10), {"t_mul": 1.0, "m_mul": 0.9}),
]
SCHEDULES = list(dict.fromkeys(name for name, _, _ in SCHEDULE_CASES))


@pytest.mark.parametrize("name, args, settings", SCHEDULE_CASES)
def test_schedules_agree(name, args, settings):
    theirs, ours = (
        getattr(package.optimizers.schedules, name)(*args, **settings)
        for package in (keras, nnlite)
    )
    for step in range(100):
        a, b = float(theirs(keras.Variable(step, dtype="int32"))), float(ours(step))
        assert b == pytest.approx(a, rel=2e-6, abs=1e-7)


@pytest.mark.parametrize("name", ["SGD", "AdamW", "Nadam"])
def test_optimizers_with_a_schedule_agree_in_fit(name):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 5)).astype("float32"), rng.normal(size=(30, 1))
    theirs, ours = twins(
        (5,), [("Dense", {"units": 6, "activation": "tanh"}), ("Dense", {"units": 1})]
    )
    for model, package in ((theirs, keras), (ours, nnlite)):
        decay = package.optimizers.schedules.CosineDecay(
            0.01, 6, 0.1, warmup_target=0.1, warmup_steps=3
        )
        model.compile(getattr(package.optimizers, name)(decay, weight_decay=0.05), "mse")
        model.fit(x, y, batch_size=10, epochs=3, shuffle=False, verbose=0)
    assert_same_weights(theirs, ours)
    rates = [float(model.optimizer.learning_rate) for model in (theirs, ours)]
    assert rates[0] == pytest.approx(rates[1], rel=1e-6)


def test_fit_agrees_in_history_and_weights():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 5)).astype("float32"), rng.integers(0, 3, 50)
    specs = [
        ("Dense", {"units": 6, "activation": "tanh"}),
        ("Dropout", {"rate": 0.0}),
        ("Dense", {"units": 3, "activation": "softmax"}),
    ]
    theirs, ours = twins((5,), specs)
    histories = []
    for model, package in ((theirs, keras), (ours, nnlite)):
        model.compile(
            package.optimizers.Adam(0.01),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            weighted_metrics=["accuracy"],
        )
        histories.append(
            model.fit(
                x,
                y,
                epochs=4,
                batch_size=7,
                shuffle=False,
                validation_split=0.21,
                verbose=0,
                sample_weight=np.linspace(0, 2, 50),
                initial_epoch=1,
            )
        )
    assert histories[0].epoch == histories[1].epoch
    assert set(histories[0].history) == set(histories[1].history)
    for key, values in histories[0].history.items():
        assert histories[1].history[key] == pytest.approx(values, rel=1e-4), key
    assert_same_weights(theirs, ours)


def test_class_weight_agrees():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 4)).astype("float32"), rng.integers(0, 3, 30)
    theirs, ours = twins((4,), [("Dense", {"units": 3, "activation": "softmax"})])
    for model in (theirs, ours):
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(x, y, shuffle=False, verbose=0, class_weight={0: 3.0, 2: 0.25}, epochs=3)
    assert_same_weights(theirs, ours)


def test_regularized_training_agrees():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 4)).astype("float32"), rng.normal(size=(20, 1)).astype("float32")
    models = []
    for package in (keras, nnlite):
        r = package.regularizers
        model = package.Sequential(
            [
                package.layers.Dense(
                    5, "tanh", kernel_regularizer=r.L1L2(0.01, 0.02), bias_regularizer="l2"
                ),
                package.layers.Dense(1, kernel_regularizer="l1"),
            ]
        )
        model.build((None, 4))
        model.compile(package.optimizers.SGD(0.1), "mse")
        models.append(model)
    theirs, ours = models
    ours.set_weights(theirs.get_weights())
    a, b = (m.fit(x, y, epochs=3, shuffle=False, verbose=0).history["loss"] for m in models)
    assert b == pytest.approx(a, rel=1e-5)
    assert_same_weights(theirs, ours)


@pytest.mark.parametrize("y_shape", [(12,), (12, 1)])
@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize("loss", ["mse", "binary_crossentropy", "sparse_categorical_crossentropy"])
def test_shapes_of_targets_that_keras_takes_give_its_loss_and_accuracy(loss, units, y_shape):
    rng = np.random.default_rng(1)
    x, y = (
        rng.normal(size=(12, 4)).astype("float32"),
        rng.integers(0, 1 if units == 1 else 2, y_shape),
    )
    activation = "softmax" if "categorical" in loss else "sigmoid"
    theirs, ours = twins((4,), [("Dense", {"units": units, "activation": activation})])
    for model in (theirs, ours):
        model.compile("sgd", loss, metrics=["accuracy"])
    try:
        expected = theirs.evaluate(x, y, verbose=0)
    except Exception as error:  # TensorFlow has its own kinds
        pytest.skip(f"Keras does not take it: {type(error).__name__}")
    assert ours.evaluate(x, y) == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("shape", [(7, 1), (7, 4), (3, 2, 4)])
@pytest.mark.parametrize(
    "name, arguments",
    [
        (name, arguments)
        for name in LOSSES
        for arguments in ({}, {"from_logits": True}, {"label_smoothing": 0.2})
        if set(arguments) <= set(defaults(getattr(keras.losses, name)))
    ],
)
def test_losses_agree_on_random_input(name, arguments, shape):
    theirs, ours = getattr(keras.losses, name), getattr(nnlite.losses, name)
    rng = np.random.default_rng(0)
    p, y = rng.random(shape), rng.random(shape)
    if name == "SparseCategoricalCrossentropy":
        y = rng.integers(0, shape[-1], shape[:-1])
    if "from_logits" in arguments:
        p = 10 * p - 5
    p = p.astype("float32")
    weight = rng.random(shape[:-1]).astype("float32")
    for reduction in ("sum_over_batch_size", "sum", "none", "mean_with_sample_weight"):
        for w in (None, weight):
            a = theirs(reduction=reduction, **arguments)(y, p, sample_weight=w)
            b = ours(reduction=reduction, **arguments)(y, p, sample_weight=w)
            np.testing.assert_allclose(b.numpy(), np.asarray(a), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    "y_shape, p_shape",
    [
        ((9,), (9, 1)),
        ((9, 1), (9, 1)),
        ((9,), (9, 4)),
        ((9, 1), (9, 4)),
        ((9, 4), (9, 4)),
        ((3, 5), (3, 5, 4)),
        ((3, 5, 4), (3, 5, 4)),
    ],
)
def test_accuracy_is_resolved_as_keras_resolves_it(y_shape, p_shape):
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, y_shape), rng.random(p_shape).astype("float32")
    theirs, ours = (
        p.Sequential([p.layers.Flatten(), p.layers.Reshape(p_shape[1:])]) for p in (keras, nnlite)
    )
    theirs.compile("sgd", lambda y, p: keras.ops.mean(p) * 0, metrics=["accuracy"])
    ours.compile("sgd", lambda y, p: nnlite.ops.mean(p) * 0.0, metrics=["accuracy"])
    expected = theirs.evaluate(p, y, verbose=0, return_dict=True)["accuracy"]
    assert ours.evaluate(p, y, return_dict=True)["accuracy"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "softmax", "tanh", "linear"])
def test_activations_agree(name):
    x = np.random.default_rng(0).normal(size=(20, 7)).astype("float32") * 5
    ours, theirs = nnlite.activations.get(name)(x).numpy(), keras.activations.get(name)(x)
    np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-6)


class Scripted:
    """Stands for a model whose only weight is the number of the epoch."""

    stop_training = False
    metrics = ()

    def get_weights(self):
        return [self.epoch]

    def set_weights(self, weights):
        self.epoch = weights[0]


@pytest.mark.parametrize("seed", range(60))
def test_early_stopping_follows_keras_on_random_figures(seed):
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.integers(-3, 4, 15)) / 2  # exact, with ties
    settings = {
        "monitor": "loss",
        "mode": str(rng.choice(["min", "max"])),
        "patience": int(rng.integers(0, 4)),
        "min_delta": float(rng.choice([0, 0.5, 1, -1])),
        "baseline": None if rng.random() < 0.6 else float(rng.integers(-3, 4)),
        "start_from_epoch": int(rng.integers(0, 3)),
        "restore_best_weights": bool(rng.random() < 0.7),
    }
    results = []
    for package in (keras, nnlite):
        stop, model = package.callbacks.EarlyStopping(**settings), Scripted()
        stop.set_model(model)
        stop.on_train_begin()
        for epoch, value in enumerate(values):
            model.epoch = epoch
            stop.on_epoch_end(epoch, {"loss": float(value)})
            if model.stop_training:
                break
        stop.on_train_end()
        results.append((epoch, model.epoch, stop.stopped_epoch, stop.best_epoch, stop.wait))
    assert results[0] == results[1], settings


# Arguments that one side alone has are no concern here; shared ones have one default.
CLASSES = {
    "layers": ["Dense", "Activation", "Dropout", "Reshape"],
    "optimizers": [cls.__name__ for cls in RULES],
    "optimizers.schedules": SCHEDULES,
    "losses": LOSSES,
    "initializers": [
        "Constant",
        "RandomNormal",
        "RandomUniform",
        "TruncatedNormal",
        "VarianceScaling",
        "GlorotUniform",
        "HeNormal",
        "LecunUniform",
    ],
    "regularizers": ["L1", "L2", "L1L2"],
    "constraints": ["MaxNorm", "MinMaxNorm", "UnitNorm"],
    "callbacks": ["EarlyStopping"],
    "utils": ["to_categorical"],
}
SIGNATURES = ["Input", *(f"{module}.{name}" for module, names in CLASSES.items() for name in names)]
METHODS = [
    "fit",
    "compile",
    "evaluate",
    "predict",
    "train_on_batch",
    "test_on_batch",
    "predict_on_batch",
]


def look_up(package, path):
    for name in path.split("."):
        package = getattr(package, name)
    return package


@pytest.mark.parametrize("path", SIGNATURES)
def test_shared_arguments_have_the_defaults_of_keras(path):
    theirs, ours = (defaults(look_up(package, path)) for package in (keras, nnlite))
    unnamed = path[:5] in ("optim", "losse")  # by default: they have their names nevertheless
    shared = [k for k in theirs if k in ours and not (unnamed and k == "name")]
    assert shared
    assert {k: ours[k] for k in shared} == {k: theirs[k] for k in shared}


@pytest.mark.parametrize("method", METHODS)
def test_shared_arguments_of_methods_keep_the_order_and_defaults_of_keras(method):
    theirs, ours = (defaults(getattr(p.Model, method)) for p in (keras, nnlite))
    shared = [k for k in theirs if k in ours]
    assert [k for k in ours if k in theirs] == shared
    assert {k: ours[k] for k in shared} == {k: theirs[k] for k in shared}


@pytest.mark.parametrize("path", [p for p in SIGNATURES if p[:5] in ("layer", "optim")])
def test_positional_arguments_come_in_the_order_of_keras(path):
    theirs, ours = (list(defaults(look_up(package, path))) for package in (keras, nnlite))
    shared = [k for k in theirs if k in ours and k != "name"]
    assert [k for k in ours if k in shared] == shared


def test_global_defaults_agree():
    ours, theirs = nnlite.backend, keras.backend
    for name in ("floatx", "epsilon", "image_data_format"):
        assert getattr(ours, name)() == getattr(theirs, name)()


def test_weights_have_the_order_and_shapes_of_keras():
    specs = [
        ("Dense", {"units": 4}),
        ("Dense", {"units": 3, "use_bias": False}),
        ("Dense", {"units": 2}),
    ]
    theirs, ours = twins((5,), specs)
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]
    assert [w.name.split("/")[-1] for w in ours.weights] == [w.name for w in theirs.weights]
    assert ours.count_params() == theirs.count_params()


def test_to_categorical_agrees():
    for labels, classes in (([0, 2, 1], None), ([[0], [2]], 4), (np.array([[0, 1], [2, 0]]), 3)):
        a = keras.utils.to_categorical(labels, classes)
        b = nnlite.utils.to_categorical(labels, classes)
        assert a.dtype == b.dtype and np.array_equal(a, b)
