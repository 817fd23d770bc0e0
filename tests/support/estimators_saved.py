"""Estimators of many settings with data, for tests of files, and what "the same" means."""

import functools
import json

import numpy as np

import nnlite
from nnlite import MLP, NNClassifier, NNRegressor, Stack, callbacks, layers, losses, optimizers
from nnlite.configurable import Configurable, frozen
from nnlite.estimators.files import OF_THE_PROCESS
from nnlite.estimators.targets import Target
from nnlite.saving.description import description_of
from nnlite.saving.state import state_of
from nnlite.wrappers.scikit_learn import KerasClassifier, KerasRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 4))
IMAGES = RNG.random((48, 6, 6, 1)).astype("float32")
TWO = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]
THREE = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0)
LABELS = (X[:, :3] > 0).astype(int)
NUMBERS = X[:, :2] ** 2
TOKENS = [RNG.integers(0, 9, n) for n in RNG.integers(2, 6, 48)]
SERIES = [x.reshape(-1, 2)[: 1 + n % 2] for n, x in enumerate(X)]


def branches(meta, depth=1):
    """A compiled model, for `layers=`."""
    start = nnlite.Input((meta.n_features,))
    x = start
    for _ in range(depth):
        x = layers.Concatenate()([layers.Dense(4, "relu")(x), start])
    x = layers.Dropout(0.2, seed=3)(x)
    model = nnlite.Model(start, layers.Dense(meta.n_outputs)(x))
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizers.Adam(0.01), loss)
    return model


def compiled(units=3, meta=None):
    model = nnlite.Sequential([layers.Dense(units, "tanh"), layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


KNOWN = {"branches": branches, "compiled": compiled}
STOPPING = callbacks.EarlyStopping(monitor="loss", patience=np.int64(2))
RATE = optimizers.schedules.ExponentialDecay(0.01, 10, 0.9)
ESTIMATORS = {
    "two classes": (lambda **s: NNClassifier(**s), X, TWO),
    "several": (lambda **s: NNClassifier((4,), ensemble=2, early_stopping=True, **s), X, THREE),
    "float32": (
        lambda **s: NNClassifier((8, 4), class_weight={"no": 2.0}, **s),
        X.astype("f4"),
        TWO,
    ),
    "three": (lambda **s: NNClassifier(MLP("8-4", dropout=0.3, batch_norm=True), **s), X, THREE),
    "labels": (lambda **s: NNClassifier("8", optimizer=optimizers.SGD, **s), X, LABELS),
    "images": (
        lambda **s: NNClassifier(
            [("conv", layers.Conv2D(3, 3, activation="relu")), layers.Flatten(), None],
            normalize=True,
            **s,
        ),
        IMAGES,
        TWO,
    ),
    "objects": (lambda **s: NNClassifier(**s), X, TWO.astype(object)),
    "function": (
        lambda **s: NNClassifier(functools.partial(branches, depth=2), **s),
        X.astype("f4"),
        THREE,
    ),
    "numbers": (
        lambda **s: NNRegressor(
            Stack(layers.Dense(8, "gelu"), layers.GaussianNoise(0.1)),
            optimizer=optimizers.RMSprop(RATE, momentum=0.5),
            **s,
        ),
        X,
        NUMBERS,
    ),
    "one number": (
        lambda **s: NNRegressor([layers.Dense(8)], early_stopping=STOPPING, scoring="r2", **s),
        X,
        1e3 * NUMBERS[:, 0],
    ),
    "large": (lambda **s: NNRegressor(normalize=True, **s), X.astype("f4"), 1e30 * NUMBERS),
    "tokens": (lambda **s: NNClassifier([layers.Embedding(9, 3), layers.GRU(2)], **s), TOKENS, TWO),
    "series": (lambda **s: NNRegressor(layers=layers.LSTM(3), **s), SERIES, NUMBERS),
    "keras": (lambda **s: KerasRegressor(compiled, model__units=5, **s), X, NUMBERS[:, 0]),
    "keras classes": (
        lambda **s: KerasClassifier(compiled, loss="bce", optimizer__momentum=0.5, **s),
        X,
        TWO,
    ),
}


def assert_same(a, b, name=""):
    """That two values of attributes are of one type and equal to the last bit."""
    assert type(a) is type(b), name
    if isinstance(a, nnlite.Model) and a.built:
        assert json.dumps(description_of(a)) == json.dumps(description_of(b)), name
        variables, others = state_of(a)[0], state_of(b)[0]
        assert variables.keys() == others.keys(), name
        for path, variable in variables.items():
            assert_same(variable.numpy(), others[path].numpy(), f"{name} {path}")
    elif isinstance(a, Configurable):
        assert frozen(a) == frozen(b) or isinstance(a, layers.Layer), name
        assert_same(a._given, b._given, name)
    elif isinstance(a, (Target, Stack)):
        assert_same(vars(a), vars(b), name)
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape), name
        assert a.tolist() == b.tolist(), name
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), name
        for key, value in a.items():
            assert_same(value, b[key], f"{name} {key}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), name
        for one, other in zip(a, b):
            assert_same(one, other, name)
    elif isinstance(a, functools.partial):
        assert_same([a.func, a.args, a.keywords], [b.func, b.args, b.keywords], name)
    else:
        assert a == b or (a != a and b != b), name


def assert_same_estimator(a, b):
    assert type(a) is type(b)
    kept = vars(a).keys() - {*OF_THE_PROCESS}
    assert kept == vars(b).keys() - {*OF_THE_PROCESS}
    for name in kept:
        value = vars(a)[name]
        if name != "_logits_model":
            assert_same(value, vars(b)[name], name)


def assert_same_predictions(a, b, x, y):
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        if hasattr(a, method):
            assert_same(getattr(a, method)(x), getattr(b, method)(x), method)
    assert a.score(x, y) == b.score(x, y)
