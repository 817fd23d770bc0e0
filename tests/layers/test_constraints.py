"""Constraints: what they make of weights, and that optimizers apply them after each step."""

import copy
import inspect
import json
import pickle

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

import nnlite
from nnlite import Sequential, Variable, constraints, layers, ops
from nnlite.constraints import Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm
from nnlite.optimizers import SGD, Adam, Nadam, RMSprop

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(24, 5)), RNG.normal(size=(24, 3))
EPSILON = 1e-7


class Limited(Constraint):
    def __init__(self, low=-0.125, high=0.125):
        self.low, self.high = low, high

    def __call__(self, w):
        return ops.clip(w, self.low, self.high)


def lengths(w, axis=0):
    axis = tuple(axis) if isinstance(axis, list) else axis
    return np.sqrt(np.sum(np.square(w, dtype=np.float64), axis, keepdims=True))


def scaled(w, axis, desired):
    n = lengths(w, axis)
    return w * (desired(n) / (n + EPSILON))


# The formulas

WEIGHTS = {
    "matrix": RNG.normal(size=(6, 4)) * [0.01, 1, 9, 0],
    "filters": RNG.normal(size=(3, 3, 2, 4)) * [0.01, 1, 9, 0],
    "vector": RNG.normal(size=7),
}
FORMULAS = [
    (MaxNorm(), "matrix", lambda w: scaled(w, 0, lambda n: np.minimum(n, 2))),
    (MaxNorm(0.5, 1), "matrix", lambda w: scaled(w, 1, lambda n: np.minimum(n, 0.5))),
    (MaxNorm(1, [0, 1, 2]), "filters", lambda w: scaled(w, (0, 1, 2), lambda n: np.minimum(n, 1))),
    (MaxNorm(1, None), "filters", lambda w: scaled(w, None, lambda n: np.minimum(n, 1))),
    (MaxNorm(0), "vector", lambda w: 0 * w),
    (NonNeg(), "filters", lambda w: np.maximum(w, 0)),
    (UnitNorm(), "matrix", lambda w: w / (lengths(w, 0) + EPSILON)),
    (UnitNorm((0, -2)), "filters", lambda w: w / (lengths(w, (0, 2)) + EPSILON)),
    (UnitNorm(), "vector", lambda w: w / (lengths(w, 0) + EPSILON)),
    (MinMaxNorm(), "matrix", lambda w: scaled(w, 0, lambda n: np.minimum(n, 1))),
    (
        MinMaxNorm(0.5, 2.0, 0.25, axis=-1),
        "matrix",
        lambda w: scaled(w, -1, lambda n: 0.25 * np.clip(n, 0.5, 2) + 0.75 * n),
    ),
    (Constraint(), "matrix", lambda w: w),
]


@pytest.mark.parametrize("constraint, weight, formula", FORMULAS)
def test_what_a_constraint_makes_of_a_weight_is_its_formula(constraint, weight, formula):
    w = WEIGHTS[weight]
    for real, close in (("float32", 1e-6), ("float64", 1e-14)):
        values = nnlite.convert_to_tensor(w, real)
        made = constraint(values)
        assert made.dtype == real
        np.testing.assert_allclose(made.numpy(), formula(values.numpy().astype("f8")), rtol=close)
    np.testing.assert_allclose(constraint(w).numpy(), formula(w), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("constraint, weight, _", FORMULAS)
def test_keras_makes_the_same_of_a_weight(constraint, weight, _):
    peer = pytest.importorskip("keras", exc_type=ImportError)
    theirs = getattr(peer.constraints, type(constraint).__name__)(**constraint.get_config())
    w = WEIGHTS[weight].astype("float32")
    np.testing.assert_allclose(constraint(w).numpy(), np.asarray(theirs(w)), rtol=1e-6)


# After each step


def model_of(*built, optimizer="sgd", **how):
    with nnlite.config.seeded(7):
        model = Sequential([nnlite.Input((5,)), *built])
    model.compile(optimizer, "mse", **how)
    return model


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}], ids=["planned", "eager"])
@pytest.mark.parametrize("make", [SGD, Adam, RMSprop, Nadam])
def test_each_step_is_the_update_and_then_the_constraint(make, how):
    optimizer = make(0.1, weight_decay=0.5, clipnorm=1.0)
    held = model_of(layers.Dense(3, kernel_constraint=MaxNorm(0.5), bias_constraint=NonNeg()))
    free = model_of(layers.Dense(3))
    moved = []
    held.compile(optimizer, "mse", **how)
    free.compile(make(0.1, weight_decay=0.5, clipnorm=1.0), "mse", **how)
    for _ in range(4):
        for model in (held, free):
            model.train_on_batch(X, Y)
        kernel, bias = free.get_weights()
        expected = [MaxNorm(0.5)(kernel).numpy(), np.maximum(bias, 0)]
        moved += [not np.array_equal(kernel, expected[0]), not np.array_equal(bias, expected[1])]
        for ours, wanted in zip(held.get_weights(), expected, strict=True):
            np.testing.assert_array_equal(ours, wanted)
        assert lengths(held.get_weights()[0]).max() <= 0.5
        free.set_weights(expected)
    assert any(moved[::2]) and any(moved[1::2])


def test_fit_holds_the_constraint_after_every_batch():
    seen = []

    class Look(nnlite.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(lengths(self.model.get_weights()[0]).max())

    model = model_of(layers.Dense(3, kernel_constraint=MaxNorm(0.25)), optimizer=SGD(1.0))
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[Look()])
    assert len(seen) == 6 and 0.24 < min(seen) and max(seen) <= 0.25


def test_a_loop_with_a_tape_holds_the_constraint():
    w = Variable(np.ones((5, 3)))
    w.constraint = UnitNorm()
    optimizer = Adam(0.1)
    for _ in range(3):
        with nnlite.GradientTape() as tape:
            loss = ops.mean(ops.square(ops.matmul(X, w) - Y))
        optimizer.apply_gradients([(tape.gradient(loss, w), w)])
        np.testing.assert_allclose(lengths(w.numpy()), 1, rtol=1e-6)


def test_a_constraint_of_a_variable_that_is_no_function_is_named():
    w = Variable(1.0, name="w")
    w.constraint = "non_neg"
    with pytest.raises(TypeError, match="constraint of 'w': expected a function of the val"):
        SGD(0.1).apply_gradients([(1.0, w)])


def test_a_weight_without_a_gradient_and_a_frozen_one_stay():
    free, still = Variable([-1.0]), Variable([-1.0])
    free.constraint = still.constraint = NonNeg()
    with pytest.warns(UserWarning, match="no gradient"):
        SGD(0.1).apply_gradients([([1.0], free), (None, still)])
    assert free.item() == 0 and still.item() == -1
    frozen = layers.Dense(4, kernel_constraint="non_neg", trainable=False)
    model = model_of(frozen, layers.Dense(3))
    before = frozen.get_weights()[0]
    model.train_on_batch(X, Y)
    assert before.min() < 0 and np.array_equal(frozen.get_weights()[0], before)


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}], ids=["planned", "eager"])
def test_averages_are_of_weights_before_the_constraint_which_holds_for_averages_too(how):
    optimizer = SGD(1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3)
    model = model_of(layers.Dense(3, use_bias=False, kernel_constraint=Limited()))
    model.compile(optimizer, "mse", **how)
    w, average = model.get_weights()[0].astype("f8"), None
    x, y = X.astype("f4").astype("f8"), Y.astype("f4").astype("f8")
    for step in range(1, 8):
        w = w - 2 / Y.size * x.T @ (x @ w - y)
        average = w if average is None else 0.5 * average + 0.5 * w
        w = np.clip(average if step % 3 == 0 else w, -0.125, 0.125)
        model.train_on_batch(X, Y)
        np.testing.assert_allclose(model.get_weights()[0], w, rtol=1e-4, atol=1e-6)
    assert np.abs(average).max() > 0.2
    optimizer.finalize_variable_values(model.trainable_variables)
    np.testing.assert_allclose(model.get_weights()[0], average, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("ema", [None, 2, 3])
def test_keras_ends_with_the_same_weights(ema):
    peer = pytest.importorskip("keras", exc_type=ImportError)
    models = []
    for package in (peer, nnlite):
        given, c = package.layers, package.constraints
        model = package.Sequential(
            [
                package.Input((5,)),
                given.Dense(4, "tanh", kernel_constraint=c.MaxNorm(0.5), bias_constraint="NonNeg"),
                given.BatchNormalization(gamma_constraint="unit_norm", beta_constraint="non_neg"),
                given.Dense(3, kernel_constraint=c.MinMaxNorm(0.2, 0.4, rate=0.5, axis=1)),
            ]
        )
        average = {"use_ema": ema is not None, "ema_overwrite_frequency": ema, "ema_momentum": 0.5}
        model.compile(package.optimizers.SGD(0.2, momentum=0.5, **average), "mse")
        models.append(model)
    theirs, ours = models
    ours.set_weights(theirs.get_weights())
    for model in models:
        model.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    for a, b in zip(theirs.get_weights(), ours.get_weights(), strict=True):
        np.testing.assert_allclose(b, a, rtol=2e-4, atol=2e-5)


def orthogonal(w):
    """A step towards orthogonal columns; matrix products are what plans fuse with updates."""
    return 1.5 * w - 0.5 * ops.matmul(w, ops.matmul(w, w, transpose_a=True))


def test_a_constraint_with_products_gives_the_bits_of_eager_steps():
    def trained(**how):
        hidden = layers.Dense(17, "relu", kernel_constraint=orthogonal, bias_constraint=Limited())
        model = model_of(hidden, layers.Dense(3, kernel_constraint=orthogonal), **how)
        model.compile(SGD(0.1, momentum=0.9), "mse", **how)
        model.fit(X, Y, batch_size=8, epochs=2, verbose=0, shuffle=False)
        return [w.tobytes() for w in model.get_weights()]

    assert trained() == trained(run_eagerly=True) == trained(n_threads=2)


# On layers

HELD = [
    (cls, name)
    for cls in {getattr(layers, n) for n in layers.__all__ if isinstance(getattr(layers, n), type)}
    for name in cls._signature()
    if name.endswith("_constraint")
]
HELD.sort(key=lambda pair: (pair[0].__name__, pair[1]))
NEEDED = {
    "units": 4,
    "filters": 2,
    "kernel_size": 2,
    "groups": 1,
    "input_dim": 9,
    "output_dim": 3,
    "equation": "ab,bc->ac",
    "output_shape": 3,
    "bias_axes": "c",
    "num_heads": 2,
    "key_dim": 3,
    "head_dim": 3,
    "num_query_heads": 2,
    "num_key_value_heads": 1,
}
SEQUENCES = {"SimpleRNN", "LSTM", "GRU", "SimpleRNNCell", "LSTMCell", "GRUCell"}
SEQUENCES |= {"MultiHeadAttention", "GroupQueryAttention"}


def input_of(cls):
    """Values of the shape that a layer of a class takes."""
    if issubclass(cls, layers.Embedding):
        return RNG.integers(0, 9, (8, 5))
    axes = 1 if cls.__name__ in SEQUENCES else getattr(cls, "rank", 0)
    axes += issubclass(cls, layers.RNN) and axes > 0 and cls.__name__ not in SEQUENCES
    return RNG.normal(size=(8, 5) if axes == 0 else (8, *[4] * axes, 3))


def test_every_weight_that_may_have_a_regularizer_may_have_a_constraint():
    assert {cls.__name__ for cls, _ in HELD} >= {"Dense", "Conv2D", "BatchNormalization", "PReLU"}
    for cls in filter(inspect.isclass, [getattr(layers, name) for name in layers.__all__]):
        names = {n.rpartition("_")[0] for n in cls._signature() if n.endswith("_regularizer")}
        assert {f"{n}_constraint" for n in names - {"activity"}} <= {*cls._signature()}, cls


@pytest.mark.parametrize("cls, name", HELD)
def test_keras_has_the_same_constraints_of_the_layer(cls, name):
    peer = pytest.importorskip("keras", exc_type=ImportError)
    theirs = inspect.signature(getattr(peer.layers, cls.__name__)).parameters
    assert [n for n in theirs if n.endswith("_constraint")] and name in theirs


@pytest.mark.parametrize("cls, name", HELD)
def test_the_constraint_of_each_weight_of_each_layer_holds(cls, name):
    given = {*cls._signature()} - (set() if issubclass(cls, layers.Embedding) else {"input_dim"})
    settings = {k: v for k, v in NEEDED.items() if k in given}
    x = input_of(cls)
    kept = name.removesuffix("_constraint")
    layer = cls(**settings, **{name: Limited(0.25, 0.5)})
    with nnlite.config.seeded(1):
        part = layers.RNN(layer) if cls.__name__.endswith("Cell") else layer
        start = layers.Input(x.shape[1:])
        model = nnlite.Model(start, layers.Dense(1)(layers.Flatten()(part(start))))
    model.compile(SGD(0.01), "mse")
    model.train_on_batch(x, np.ones((8, 1)))
    limited = [v for v in layer.weights if v.constraint is not None]
    assert limited if layer._sublayers else len(limited) == 1
    for weight in limited:
        assert weight.name.split("/")[-1] in (kept, f"{kept}_kernel", "kernel")
        assert 0.25 <= weight.numpy().min() and weight.numpy().max() <= 0.5
    assert layer.get_config()[name] == Limited(0.25, 0.5)
    assert cls.from_config(layer.get_config()).get_config()[name] == Limited(0.25, 0.5)


@pytest.mark.parametrize("given", ["max_norm", MaxNorm, MaxNorm(), {"class_name": "MaxNorm"}])
def test_add_weight_takes_what_stands_for_a_constraint(given):
    weight = layers.Layer().add_weight((2, 3), constraint=given)
    assert weight.constraint == MaxNorm() and layers.Layer().add_weight((2,)).constraint is None
    assert nnlite.backend.variable([1.0], constraint=given).constraint == MaxNorm()


def test_positional_arguments_of_dense_are_those_of_keras():
    given = layers.Dense(3, None, True, "zeros", "ones", "l1", "l2", "l1", "max_norm", "non_neg")
    config = given.get_config()
    assert config["kernel_constraint"] == "max_norm" and config["bias_constraint"] == "non_neg"
    assert config["activity_regularizer"] == "l1" == config["kernel_regularizer"]


# As objects


def test_a_constraint_goes_through_copies_names_and_dicts():
    for made in (MaxNorm(3.0, (0, 1)), NonNeg(), UnitNorm([1]), MinMaxNorm(0.5, 2.0, 0.5)):
        plain = json.loads(json.dumps(constraints.serialize(made)))
        assert constraints.deserialize(plain) == made == constraints.get(plain)
        assert pickle.loads(pickle.dumps(made)) == made == copy.deepcopy(made)
        assert type(made).from_config(made.get_config()) == made
        assert constraints.get(made) is made
        name = nnlite.configurable.snake_case(type(made).__name__)
        assert constraints.get(name) == type(made)() == constraints.get(type(made).__name__)
        assert getattr(constraints, name) is type(made)
    assert constraints.get(None) is None and constraints.get(orthogonal) is orthogonal
    assert MaxNorm(3) != MaxNorm(2) == MaxNorm()
    config = constraints.serialize(Limited(-1.0, 1.0))
    assert constraints.deserialize(config, {"Limited": Limited}) == Limited(-1.0, 1.0)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_of_a_model_goes_on_with_its_constraints(copied):
    model = model_of(layers.Dense(3, kernel_constraint=Limited()), optimizer=SGD(1.0))
    again = copied(model)
    for m in (model, again):
        m.train_on_batch(X, Y)
    assert np.abs(again.get_weights()[0]).max() == 0.125
    assert np.array_equal(again.get_weights()[0], model.get_weights()[0])


# Refusals


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: MaxNorm(-1), r"MaxNorm: max_value: expected a number in \[0, inf\), got -1"),
        (lambda: MaxNorm("a"), r"MaxNorm: max_value: expected a number in \[0, inf\), got 'a'"),
        (lambda: MaxNorm(axis=0.5), "MaxNorm: axis: expected an int or several of them, got 0.5"),
        (lambda: UnitNorm(()), r"UnitNorm: axis: expected an int or several of them, got \(\)"),
        (
            lambda: MinMaxNorm(2),
            r"min_value: expected a number in \[0, 1.0\], as max_value=1.0",
        ),
        (lambda: MinMaxNorm(rate=1.5), r"MinMaxNorm: rate: expected a number in \[0, 1\], got 1.5"),
        (lambda: MaxNorm(max_val=1), "MaxNorm: .* It takes max_value, axis; did you mean 'max_va"),
        (lambda: constraints.get("maxnorm"), "unknown constraint 'maxnorm'; known: .*'max_norm'"),
        (lambda: constraints.get(3), "expected a constraint, its name or a function, got 3"),
        (
            lambda: layers.Dense(2, bias_constraint="nope"),
            "Dense: bias_constraint: unknown constraint 'nope'; known: .*non_neg",
        ),
    ],
)
def test_what_cannot_be_a_constraint_is_refused_when_it_is_given(make, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make()


@pytest.mark.parametrize(
    "constraint, error, message",
    [
        (MaxNorm(axis=2), ValueError, r"axis: expected a number in \[-2, 2\) for .*, got 2"),
        (lambda w: ops.sum(w), ValueError, r"assign: expected shape \(5, 3\), got \(\)"),
        (lambda w: None, TypeError, "expected numbers, got None"),
    ],
)
def test_a_constraint_that_does_not_fit_its_weight_is_named_and_changes_nothing(
    constraint, error, message
):
    model = model_of(layers.Dense(3, kernel_constraint=constraint))
    before = model.get_weights()
    with pytest.raises(error, match=f"constraint of 'dense/kernel': .*{message}"):
        model.fit(X, Y, verbose=0)
    assert all(map(np.array_equal, model.get_weights(), before))


def test_numpy_in_a_constraint_or_regularizer_is_refused_in_a_plan():
    # The plan would take the values of the time of the trace in each step.
    for name, function in (
        ("kernel_constraint", lambda w: np.maximum(w, 0)),
        ("kernel_constraint", lambda w: w * (w.numpy() > 0)),
        ("kernel_regularizer", lambda w: np.sum(np.square(w))),
    ):
        model = model_of(layers.Dense(3, **{name: function}))
        with pytest.raises(RuntimeError, match=r"use functions of nnlite\.ops .* run_eagerly"):
            model.train_on_batch(X, Y)
        model.compile("sgd", "mse", run_eagerly=True)
        if name == "kernel_regularizer":  # its gradient is asked for, which NumPy does not have
            with pytest.raises(TypeError, match=r"np\.square: .* no gradient"):
                model.train_on_batch(X, Y)
        else:
            model.train_on_batch(X, Y)
            assert model.get_weights()[0].min() == 0


# As hyperparameters


def classifier():
    hidden = [("hidden", layers.Dense(6, "tanh", kernel_constraint="max_norm"))]
    return nnlite.NNClassifier(hidden, epochs=3, random_state=0, learning_rate=0.1)


def test_the_settings_of_a_constraint_can_be_searched():
    kind = (X[:, 0] > 0).astype(int)
    values = [0.125, 0.5, 8.0]
    grid = {"hidden__kernel_constraint__max_value": values}
    search = GridSearchCV(classifier(), grid, cv=2, refit=False).fit(X, kind)
    tried = [p["hidden__kernel_constraint__max_value"] for p in search.cv_results_["params"]]
    assert tried == values
    for value in values:
        fitted = classifier().set_params(hidden__kernel_constraint__max_value=value).fit(X, kind)
        longest = lengths(fitted.model_.get_layer("hidden").kernel.numpy()).max()
        assert longest <= value and (value == 8 or longest == pytest.approx(value))
    assert classifier().get_params()["hidden__kernel_constraint__max_value"] == 2


def test_the_kind_of_a_constraint_can_be_searched_with_its_settings():
    kind = (X[:, 0] > 0).astype(int)
    grid = {
        "hidden__kernel_constraint": [None, MaxNorm(), UnitNorm()],
        "hidden__kernel_constraint__axis": [0, 1],
    }
    search = GridSearchCV(classifier(), grid, cv=2, refit=False, error_score="raise")
    assert np.isfinite(search.fit(X, kind).cv_results_["mean_test_score"]).all()
    free = classifier().set_params(hidden__kernel_constraint=None)
    with pytest.raises(ValueError, match="kernel_constraint: no setting 'max_value'; it has none"):
        free.set_params(hidden__kernel_constraint__max_value=3)
    with pytest.raises(ValueError, match=r"max_value: expected a number in \[0, inf\), got -1"):
        classifier().set_params(hidden__kernel_constraint__max_value=-1).fit(X, kind)
