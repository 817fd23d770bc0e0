"""Arguments of `fit` that cannot work are refused at once, by name and with a cure."""

import math
import re

import pytest
from small_models import LABELS, D, X, arrays_equal, classifier

import nnlite as keras

BAD = {
    "callback by name": (
        lambda: (X, LABELS),
        {"callbacks": "early_stopping"},
        TypeError,
        r"callbacks: expected Callback objects, got 'early_stopping'; write EarlyStopping\(...\)",
    ),
    "callback by a name like one": (
        lambda: (X, LABELS),
        {"callbacks": ["EarlyStoping"]},
        TypeError,
        r"callbacks: .*got 'EarlyStoping'; did you mean 'EarlyStopping'",
    ),
    "callback's class": (
        lambda: (X, LABELS),
        {"callbacks": [keras.callbacks.EarlyStopping]},
        TypeError,
        r"callbacks: .*; make an object of the class: EarlyStopping\(...\)",
    ),
    "function as callback": (
        lambda: (X, LABELS),
        {"callbacks": print},
        TypeError,
        r"callbacks: .*; LambdaCallback\(on_epoch_end=...\) makes one of a function",
    ),
    "data that only have an on_epoch_end": (
        lambda: (X, LABELS),
        {"callbacks": [keras.utils.PyDataset()]},
        TypeError,
        r"callbacks: expected Callback objects, got <",
    ),
    "validation_data of x alone": (
        lambda: (X, LABELS),
        {"validation_data": X},
        ValueError,
        r"validation_data: expected \(x, y\), .*, got one array; .*validation_split=0.2",
    ),
    "validation_data of a tuple of x": (
        lambda: (X, LABELS),
        {"validation_data": (X,)},
        ValueError,
        r"validation_data: expected \(x, y\), .*, got 1 entries, x alone",
    ),
    "a list of samples": (
        lambda: ([([0.5] * D, 1), ([0.25] * D, 0)],),
        {},
        ValueError,
        r"x: expected arrays, .*got a list of 2 tuples.*x, y = map\(np.array, zip\(\*pairs\)\)",
    ),
    "a list of pairs": (
        lambda: ([(X[:9], LABELS[:9]), (X[9:18], LABELS[9:18])],),
        {},
        ValueError,
        r"x: expected arrays, as in fit\(x, y\), got a list of 2 tuples; .*iter",
    ),
    **{
        f"{name}={value!r}": (
            lambda: (X, LABELS),
            {name: value},
            ValueError,
            rf"{name}: expected .*, got {re.escape(repr(value))}",
        )
        for name, value in (
            ("epochs", 1e308),
            ("epochs", 2**31),
            ("epochs", True),
            ("batch_size", 2**40),
            ("initial_epoch", -1),
            ("initial_epoch", []),
            ("initial_epoch", math.inf),
            ("steps_per_epoch", "3"),
            ("validation_steps", math.nan),
            ("validation_batch_size", 1e300),
            ("validation_freq", 0),
            ("validation_split", "half"),
            ("validation_split", -0.5),
            ("verbose", 3),
            ("verbose", None),
            ("verbose", "loud"),
        )
    },
    "validation_freq of no epochs": (
        lambda: (X, LABELS),
        {"validation_freq": [1, "2"]},
        ValueError,
        r"each epoch of validation_freq: expected a positive integer, got '2'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_fit_refuses_an_argument_before_any_work(case):
    data, arguments, error, message = BAD[case]
    model = classifier()
    before = model.get_weights()
    with pytest.raises(error, match=message):
        model.fit(*data(), **{"verbose": 0, **arguments})
    assert arrays_equal(model.get_weights(), before) and int(model.optimizer.iterations) == 0
