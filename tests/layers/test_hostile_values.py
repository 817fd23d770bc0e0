"""What losses, metrics, activations and their like say of values that they cannot take."""

import inspect

import numpy as np
import pytest
from hostile import POOL

import nnlite as keras
from nnlite import (
    activations,
    constraints,
    initializers,
    losses,
    metrics,
    optimizers,
    regularizers,
    schedules,
)
from nnlite.layers import Dense

NOT_NUMBERS = ["None", "'x'", "{'a': 1}", "b'relu'", "1j", "an object", "texts", "None and 1"]
NOT_NUMBERS = [POOL[label]() for label in NOT_NUMBERS]
NEEDED = {
    "default_optimizer": optimizers.SGD(),
    "inner_optimizer": optimizers.SGD(),
    "optimizer_map": optimizers.OptimizerMap(optimizers.SGD()),
    "num_classes": 2,
    "target_class_ids": [0],
    "fn": losses.mean_squared_error,
    "total_steps": 10,
    "boundaries": [1],
    "values": [1.0, 0.5],
}
BASES = {"Loss", "Metric", "LearningRateSchedule", "Initializer", "Regularizer"}


def classes(module):
    """The classes of a module, each once."""
    found = {getattr(module, name) for name in module.__all__}
    found = [c for c in found if isinstance(c, type) and hasattr(c, "from_config")]
    return sorted(found, key=lambda c: c.__name__)


def made(cls):
    """An object of a class whose required arguments are plain ones."""
    required = {k for k, d in cls._signature().items() if d is inspect.Parameter.empty}
    return cls(**{k: NEEDED.get(k, 0.5) for k in required})


CALLED = [
    *(c for c in classes(losses) if c.__name__ not in BASES),
    *(c for c in classes(metrics) if c.__name__ not in BASES | {"Mean", "Sum"}),
]
GOOD = [[0, 1], [1, 0], [0, 1]]


@pytest.mark.parametrize("cls", CALLED, ids=lambda c: c.__module__.split(".")[1] + c.__name__)
@pytest.mark.parametrize("place", ["y_true", "y_pred", "sample_weight"])
def test_values_that_are_no_numbers_are_named(cls, place):
    for value in NOT_NUMBERS if place != "sample_weight" else NOT_NUMBERS[1:]:
        y_true = [0, 1, 0] if cls.__name__.startswith(("Sparse", "CategoricalGen")) else GOOD
        y_true = [0, 1, 0] if cls.__name__ == "Circle" else y_true
        y_pred = GOOD
        if cls.__name__ == "CTC":
            y_true, y_pred = [[1], [1], [1]], [GOOD] * 3
        given = {"y_true": y_true, "y_pred": y_pred, "sample_weight": None, place: value}
        with pytest.raises((TypeError, ValueError), match=rf"^{place}: .*expected"):
            made(cls)(**given)


@pytest.mark.parametrize(
    "module", [losses, metrics, optimizers, initializers, regularizers, constraints, schedules]
)
def test_settings_of_a_wrong_kind_are_named_when_they_are_given(module):
    loose = {"dtype", "axis", "num_labels"}  # ignored, or said when it is used
    seen = 0
    for cls in classes(module):
        for name in cls._signature().keys() - loose:
            required = {k for k, d in cls._signature().items() if d is inspect.Parameter.empty}
            settings = {k: NEEDED.get(k, 0.5) for k in required}
            for value in ({"a": 1}, object(), 1j):
                named = {"lr": "learning_rate"}.get(name, name)
                with pytest.raises((TypeError, ValueError), match=rf"\b{named}\b"):
                    cls(**{**settings, name: value})
                seen += 1
    assert seen


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: optimizers.SGD().apply_gradients(3), "grads_and_vars: expected a list, got 3"),
        (
            lambda: optimizers.SGD().apply_gradients([1]),
            r"grads_and_vars: expected pairs .*, got \[1",
        ),
        (lambda: optimizers.SGD().apply(3, []), "apply: grads: expected a list, got 3"),
        (lambda: optimizers.SGD().apply([], 3), "trainable_variables: expected a list, got 3"),
        (lambda: optimizers.SGD().build([3]), r"build: expected a list of float Variables, got \["),
        (
            lambda: optimizers.SGD().exclude_from_weight_decay("w"),
            "var_list: expected a list, got 'w'",
        ),
        (lambda: initializers.Zeros()("a"), "Zeros: shape: expected a tuple of integers"),
        (
            lambda: initializers.Zeros()((2,), dtype="half"),
            r"dtype: expected one of float32, .*'half'",
        ),
        (lambda: initializers.compute_fans(3), "compute_fans: shape: expected a tuple"),
        (lambda: initializers.draw(3, (), "float32"), "expected an initializer or a function of"),
        (
            lambda: activations.celu([1.0], alpha=0),
            r"celu: alpha: expected a number in \(0, inf\), got 0",
        ),
        (lambda: activations.glu([1.0, 2.0], axis="a"), "glu: axis: expected an integer"),
        (lambda: activations.hard_shrink([1.0], "a"), "hard_shrink: threshold: expected"),
        (lambda: losses.binary_crossentropy([1], [1], "no"), "from_logits: expected True or False"),
        (lambda: losses.circle([0, 1], [1.0, 2.0]), r"circle: expected outputs of shape \(N, F\)"),
        (lambda: losses.circle([0], [[1.0], [2.0]]), "circle: y_true: expected a label for"),
        (lambda: metrics.Precision(class_id=0.5), "Precision: class_id: expected an integer"),
        (lambda: metrics.AUC(2**40), "AUC: num_thresholds: expected an integer in"),
        (lambda: metrics.BinaryAccuracy(0.3), "BinaryAccuracy: name: expected a string"),
        (lambda: losses.Quantile([[0.1], [0.2, 0.3]]), "quantile: expected numbers between"),
        (
            lambda: losses.LossFunctionWrapper(losses.mean_squared_error, name=np.ones(2)),
            "name: expected a string",
        ),
        (
            lambda: initializers.RandomUniform(2.0, 1.0),
            "maxval: expected a number of at least minval = 2.0, got 1.0",
        ),
        (lambda: optimizers.get(schedules.CosineDecay), "optimizer without arguments: CosineDec"),
        (lambda: keras.ones((2,))["a"], "index: expected integers, slices, None and"),
        (lambda: keras.Sequential(np.array("a")), "layers: expected a list of layers, .*got array"),
        (lambda: Dense(1).set_weights(keras.Input((3,))), "weights: expected a list of 0 arrays"),
        (lambda: Dense(1).set_weights(memoryview(np.ones((2, 2)))), "weights: expected a list"),
        (
            lambda: Dense(2, activation=print)(keras.Input((3,))),
            "layer 'dense' .*call: expected it to return a tensor, got None",
        ),
        (
            lambda: keras.Sequential([Dense(1)]).predict(np.ones((1,) * 7)),
            "x: expected at most 6 axes, got shape",
        ),
    ],
)
def test_wrong_argument_is_named(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


@pytest.mark.parametrize("name", ["sparsemax", "hard_shrink", "soft_shrink", "hard_tanh", "relu6"])
def test_activation_of_minus_infinity_is_its_limit(name):
    x = keras.convert_to_tensor([[-np.inf, 0.5, 1.0], [2.0, -np.inf, -np.inf]])
    far = keras.convert_to_tensor([[-1e9, 0.5, 1.0], [2.0, -1e9, -1e9]])
    function = getattr(activations, name)
    close, limit = function(far).numpy(), function(x).numpy()
    assert np.array_equal(np.maximum(limit, -1e9), np.maximum(close, -1e9))


def test_a_loss_of_a_symbol_is_part_of_the_model():
    targets, rows = np.eye(4, 3, dtype="float32"), np.linspace(-1, 1, 12).reshape(4, 3)
    loss, inputs = losses.LogCosh(reduction="none"), keras.Input((3,))
    found = keras.Model(inputs, loss(targets, inputs)).predict(rows)
    assert np.array_equal(found, loss(targets, rows).numpy())


def test_what_a_function_of_the_learning_rate_gives_is_named():
    model = keras.Sequential([Dense(1)])
    model.compile(optimizers.SGD(learning_rate=lambda: None), "mse")
    with pytest.raises(TypeError, match="SGD: learning_rate: expected a function that returns a"):
        model.fit(np.ones((2, 3)), np.ones(2), verbose=0)
