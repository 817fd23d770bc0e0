"""What users get wrong with the estimators: each is an error of `fit` that says what is expected,
never one of the constructor or of `set_params`, never a silent result."""

import datetime
import warnings

import numpy as np
import pytest
from refused import (
    FORMS,
    IRIS,
    KIND,
    LENGTH,
    classifier,
    compiled,
    regressor,
)
from sklearn.exceptions import NotFittedError

import nnlite
from nnlite import MLP, NNClassifier, Stack
from nnlite.callbacks import EarlyStopping
from nnlite.layers import Activation, Dense, Dropout, Softmax
from nnlite.optimizers import SGD, Adam

# Settings

KINDS = {
    "-1": -1,
    "2.5": 2.5,
    "text": "nonsense",
    "bytes": b"8",
    "object": object(),
    "dict": {"a": 1},
    "list of text": ["a"],
    "class": int,
    "nan": np.nan,
    "inf": np.inf,
    "complex": 1j,
    "array": np.array([1.5, -2.0]),
    "pair": (1, -1),
    "set": {3},
    "date": datetime.date(2020, 1, 1),
}
LEGAL = {
    ("learning_rate", "2.5"),
    ("scoring", "class"),  # a function, as far as can be seen before rows are held out
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(NNClassifier().get_params(deep=False)))
def test_a_setting_of_the_wrong_kind_is_an_error_of_fit_that_names_it(name, kind):
    if (name, kind) in LEGAL:
        return
    estimator = classifier(**{name: KINDS[kind]})
    assert classifier().set_params(**{name: KINDS[kind]}).get_params()[name] is KINDS[kind]
    with pytest.raises((ValueError, TypeError), match=r"expected|unknown|must be a") as raised:
        estimator.fit(IRIS, KIND)
    assert name in str(raised.value).replace("an optimizer", "optimizer")
    with pytest.raises(NotFittedError):
        estimator.predict(IRIS)


@pytest.mark.parametrize(
    "layers, words",
    [
        (
            [("a", Dense(3)), ("a", Dense(3))],
            "layers: expected every step's name once, got 'a' twice",
        ),
        ([("a__b", Dense(3))], "layers: expected names of steps without '__'"),
        ([("", Dense(3))], "layers: expected names of steps"),
        (
            [("epochs", Dense(3))],
            "none of the estimator's settings, got 'epochs'; those are activatio",
        ),
        ([("a", 3)], FORMS),
        ([(3, Dense(3))], FORMS),
        ([("a", Dense(3), 4)], FORMS),
        ([("a", Dense)], FORMS),
        ([[Dense(3)]], FORMS),
        ([MLP()], FORMS),
        (Stack(MLP()), FORMS),
        (Stack(Stack(Dense(3))), FORMS),
        ({"a": Dense(3)}, FORMS),
        ("", FORMS),
        ((64, None), FORMS),
        ((Dense(3) for _ in range(2)), FORMS),
        (["64"], FORMS),
        ((True,), FORMS),
        (dict, FORMS),
        (compiled(), "got a compiled model; give the function that makes it"),
        (lambda: 3.5, "layers: expected a positive integer, got 3.5"),
        (lambda: "x", FORMS),
        (lambda: Dense, FORMS),
        (lambda: lambda: 3, "expected the function to return layers"),
        (lambda: [Dense(-1)], "units: expected a positive integer, got -1"),
        (lambda: compiled(5), "layers: expected a compiled model with 3 outputs .*got 5"),
        ("64-", "sizes are such as 64, .*'64-32'"),
        ("64,32", "sizes are such as"),
        ("-64", "sizes are such as"),
        ((0,), "sizes are such as"),
        ((64.5,), "sizes are such as"),
        (np.array([[3, 4]]), "sizes are such as"),
        (MLP("x"), "units: expected a positive integer, got 'x'"),
        (MLP(None), "units: expected a positive"),
        (MLP(dropout=1), r"MLP: dropout: expected a number in \[0, 1\), got 1"),
        (MLP(dropout="x"), "MLP: dropout: expected a number"),
        (MLP(depth=-1), "depth: expected a positive"),
        (MLP(depth=2.5), "depth: expected a positive"),
        (MLP(width=0), "width: expected a positive"),
        (MLP(batch_norm="x"), "batch_norm: expected True or F"),
        (MLP(activation="rleu"), "unknown activation 'rleu'; known: "),
        (MLP((), depth=2), r"MLP: expected width= where depth="),
    ],
)
def test_layers_that_are_none(layers, words):
    with pytest.raises((ValueError, TypeError), match=words):
        classifier(layers).fit(IRIS, KIND)


def test_sizes_are_no_bytes_sets_or_dicts():
    for sizes in (b"x", {3}, {}, {3: 4}, np.array(2.5), "", [[3]]):
        with pytest.raises(
            ValueError, match="hidden_layer_sizes: expected a positive integer, got"
        ):
            classifier(hidden_layer_sizes=sizes).fit(IRIS, KIND)
    for sizes in (np.array(3), np.array([3]), range(3, 4), [3.0], np.int8(3), "3"):
        fitted = classifier(hidden_layer_sizes=sizes).fit(IRIS, KIND)
        assert fitted.model_.layers[-2].units == 3


@pytest.mark.parametrize(
    "settings, words",
    [
        (
            {"optimizer__learning_rate": -1},
            r"learning_rate: expected a number in \[0, inf\), got -1",
        ),
        ({"optimizer__beta_1": 2.0}, r"beta_1: expected a number in \[0, 1\), got 2.0"),
        ({"optimizer__clipnorm": "x"}, r"clipnorm: expected a number in \[0, inf\), got 'x'"),
        ({"early_stopping__patience": -1}, r"patience: expected a number in \[0, inf\], got -1"),
        (
            {"early_stopping__monitor": "val_auc"},
            "'val_auc' is not among the logs loss, accuracy",
        ),
        ({"hidden__units": None}, "layer 'hidden'.*units: expected a positive integer, got None"),
        ({"hidden__activation": 3}, "layer 'hidden'.*an activation, its name or a function, got 3"),
        ({"hidden__kernel_initializer": "x"}, "layer 'hidden'.*unknown initializer 'x'; known: "),
        ({"hidden__kernel_regularizer": "x"}, "layer 'hidden'.*unknown regularizer 'x'; known: "),
        ({"hidden__kernel_regularizer__l2": -1}, r"l2: expected a number in \[0, inf\), got -1"),
        ({"hidden": 3}, FORMS),
        ({"hidden": Dense}, FORMS),
        ({"drop__rate": -0.1}, r"layer 'drop'.*rate: expected a number in \[0, 1\), got -0.1"),
        (
            {"optimizer": SGD(), "optimizer__momentum": 2},
            r"momentum: expected a number in \[0, 1\], got 2",
        ),
        (
            {"optimizer": Adam(), "optimizer__epsilon": -1},
            r"epsilon: expected a number in \[0, inf\), got -1",
        ),
        ({"optimizer": "newton"}, "unknown optimizer 'newton'; known: adadelta, .*sgd"),
        ({"callbacks": [EarlyStopping]}, "callbacks: expected Callback objects"),
        ({"callbacks": [("epochs", EarlyStopping("loss"))]}, "callbacks: expected names of steps"),
        ({"callbacks": [("hidden", EarlyStopping("loss"))]}, "name once, got 'hidden' twice"),
        ({"warm_start": True, "refit_full": True}, "refit_full: expected False with warm_start"),
        (
            {"schedule": "cosine", "learning_rate": nnlite.optimizers.schedules.CosineDecay(1, 2)},
            "schedule: expected 'auto' or None, as the optimizer has a schedule",
        ),
    ],
)
def test_values_of_nested_names_are_checked_by_fit(settings, words):
    estimator = classifier([("hidden", Dense(4)), ("drop", Dropout(0.1))], early_stopping=True)
    estimator.set_params(**settings)
    with pytest.raises((ValueError, TypeError), match=words):
        estimator.fit(IRIS, KIND)


@pytest.mark.parametrize(
    "name, words",
    [
        ("nope", "'nope' for estimator NNClassifier. Valid parameters are: activation, batch_size"),
        ("nope__units", "'nope' for estimator NNClassifier. Valid parameters are: activation"),
        ("hidden__nope", "no setting 'nope'; it has units, activation"),
        ("optimizer__nope", "Adam: no setting 'nope'; it has learning_rate"),
        ("early_stopping__nope", "no setting 'nope'; it has monitor"),
        ("hidden__kernel_regularizer__nope", "L1L2: no setting 'nope'; it has l1, l2"),
        (
            "optimizer__learning_rate__nope",
            "learning_rate: no setting 'nope'; it has none, as 0.001",
        ),
        ("class_weight__nope", "class_weight is None, which has no settings"),
        ("optimizer__", "no setting ''"),
        ("hidden__", "no setting ''"),
        ("__units", "parameter ''"),
    ],
)
def test_set_params_of_an_unknown_name_lists_the_known_and_changes_nothing(name, words):
    estimator = classifier([("hidden", Dense(4))])
    with pytest.raises(ValueError, match=words):
        estimator.set_params(**{"epochs": 7, name: 1})
    assert estimator.epochs == 2
    with pytest.raises(TypeError, match="nope"):
        NNClassifier(nope=1)


# An output layer of one's own


@pytest.mark.parametrize(
    "last",
    [Dense(3, "softmax"), Softmax(), Activation("softmax"), Dense(5, nnlite.activations.softmax)],
    ids=["Dense", "Softmax", "Activation", "function"],
)
def test_a_softmax_as_the_last_hidden_layer_is_an_error(last):
    for layers in (
        [Dense(4, "relu"), last],
        Stack(last),
        lambda: [last],
        lambda: nnlite.Sequential([last]),
    ):
        for estimator, y in ((classifier, KIND), (regressor, LENGTH)):
            with pytest.raises(ValueError, match=r"adds the output layer, got .*; leave it"):
                estimator(layers).fit(IRIS, y)
    classifier([last, Dense(4)]).fit(IRIS, KIND)
    classifier(lambda: compiled()).fit(IRIS, KIND)


def test_a_sigmoid_that_looks_like_the_output_is_a_warning():
    several = np.eye(3, dtype=int)[KIND]
    for layers, y in (([Dense(1, "sigmoid")], KIND > 0), ([Dense(3, "sigmoid")], several)):
        with pytest.warns(UserWarning, match="leave it out unless it is meant to be hidden"):
            classifier(layers).fit(IRIS, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier([Dense(2, "sigmoid")]).fit(IRIS, KIND > 0)
        classifier([Dense(3, "sigmoid")]).fit(IRIS, KIND)
        classifier("1", activation="sigmoid").fit(IRIS, KIND > 0)
        regressor([Dense(1, "sigmoid")]).fit(IRIS, LENGTH)


def test_normalize_is_not_for_a_compiled_model():
    def linear():
        return compiled(1, None)

    for estimator, build, y in ((classifier, compiled, KIND), (regressor, linear, LENGTH)):
        with pytest.raises(ValueError, match="normalize: expected 'auto' or False for a compiled"):
            estimator(build, normalize=True).fit(IRIS, y)
        for value in ("auto", False):
            estimator(build, normalize=value).fit(IRIS, y)
