"""Settings of estimators: how each is named, read and changed."""

import itertools

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks
from small_settings import IMAGES, IRIS, KIND, bits, build, classifier, units, wide

import nnlite
from nnlite import MLP, NNClassifier, NNRegressor, Stack
from nnlite.callbacks import EarlyStopping, ReduceLROnPlateau
from nnlite.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
)
from nnlite.optimizers import SGD, Adam
from nnlite.optimizers.schedules import ExponentialDecay
from nnlite.regularizers import L2

# Names


def names(estimator, *starts):
    return [n for n in estimator.get_params() if "__" not in n and n.startswith(starts)]


def test_steps_are_named_by_type_and_place():
    layers = [
        Input((4,)),
        Dense(4),
        Dropout(0.1),
        Dense(3),
        Dense(2, name="mine"),
        None,
        ("dense_2", Dense(5)),
        BatchNormalization(),
        Dense(2, name="epochs"),
    ]
    found = names(classifier(layers), "dense", "drop", "mine", "batch_n", "input")
    assert found == [
        "input_layer_1",
        "dense_1",
        "dropout_1",
        "dense_3",
        "mine",
        "dense_2",
        "batch_normalization_1",
        "dense_4",
    ]
    for given in (tuple(layers), Stack(*layers)):
        assert names(classifier(given), *found) == found
    assert classifier(layers).get_params()["epochs"] == 2


def test_a_step_that_is_none_keeps_its_name_and_number():
    estimator = classifier([Dense(4), Dropout(0.1), Dense(3), Dropout(0.2), Dense(2)])
    before = names(estimator, "dense_", "dropout_")
    for step in ("dense_1", "dropout_1", "dense_2"):
        estimator.set_params(**{step: None})
        assert names(estimator, "dense_", "dropout_") == before
        assert names(clone(estimator), "dense_", "dropout_") == before
    assert units(estimator) == [2]
    estimator.set_params(dense_2=Dropout(0.3), dropout_1=Dense(7), dense_1="passthrough")
    assert names(estimator, "dense_", "dropout_") == before
    assert units(estimator) == [7, 2]


@pytest.mark.parametrize("kind", [list, tuple, lambda layers: Stack(*layers)])
def test_every_argument_of_every_step_has_a_name(kind):
    given = kind([("hidden", Dense(64)), ("drop", Dropout(0.2)), Dense(8, kernel_regularizer="l1")])
    estimator = classifier(given)
    read = estimator.get_params()
    assert read["hidden__units"] == 64 and read["drop__rate"] == 0.2 and read["layers"] is given
    assert read["hidden__kernel_regularizer"] is None
    assert read["hidden__kernel_regularizer__l2"] == 0
    assert read["hidden__kernel_initializer"] == "glorot_uniform"
    assert read["dense_1__kernel_regularizer__l1"] == 0.01
    estimator.set_params(
        hidden__units=7,
        drop__rate=0.1,
        hidden__kernel_regularizer__l2=0.5,
        hidden__kernel_initializer="he_normal",
        dense_1__units=3,
        dense_1__kernel_regularizer__l1=0.2,
        dense_1__bias_initializer__value=3.0,
        dense_1__bias_initializer="constant",
    )
    assert type(estimator.layers) is type(given) and units(estimator) == [7, 3]
    hidden, drop, dense = estimator.model_.layers[:3]
    assert hidden.kernel_regularizer.l2 == 0.5 and drop.rate == 0.1
    assert hidden.kernel_initializer == "he_normal" and dense.bias_initializer.value == 3.0
    assert dense.kernel_regularizer.l1 == 0.2
    assert classifier(given).get_params()["hidden__units"] == 64  # what was given is as it was


def test_settings_of_an_mlp_of_a_layer_and_of_a_function():
    assert units(classifier(MLP()).set_params(layers__depth=3, layers__width=5)) == [5, 5, 5]
    assert units(classifier().set_params(layers__width=5, layers=MLP((4, 3)))) == [5, 5]
    assert units(classifier(Dense(3)).set_params(layers__units=6)) == [6]
    searched = classifier(build).set_params(layers__depth=3, layers__width=4)
    assert units(searched) == [4, 4, 4] == units(clone(searched))
    assert searched.get_params()["layers__depth"] == 3 and classifier(build).layers is build
    assert set(k for k in searched.get_params() if k.startswith("layers__")) == {
        "layers__depth",
        "layers__width",
        "layers__activation",
        "layers__optimizer",
    }
    assert units(classifier(lambda **kw: kw["n"]).set_params(layers__n=5)) == [5]
    with pytest.raises(ValueError, match="build: no setting 'deep'; it has depth, width, act"):
        classifier(build).set_params(layers__deep=3)


def test_callbacks_have_names():
    plateau, stop = ReduceLROnPlateau("loss"), EarlyStopping("loss")
    estimator = classifier(callbacks=[plateau, ("stop", stop), ReduceLROnPlateau("loss")])
    estimator.set_params(
        reduce_lr_on_plateau_2__factor=0.3, stop__patience=np.int64(4), reduce_lr_on_plateau_1=None
    )
    assert estimator.get_params()["reduce_lr_on_plateau_2__factor"] == 0.3
    first, second = estimator.fit(IRIS, KIND)._callbacks()
    assert first == EarlyStopping("loss", patience=4) and second.factor == 0.3
    assert stop.patience == 0 and plateau == ReduceLROnPlateau("loss")
    alone = classifier(callbacks=stop).set_params(callbacks__patience=9.0)
    assert alone.fit(IRIS, KIND).get_params()["callbacks__patience"] == 9
    with pytest.raises(TypeError, match="callbacks: expected Callback objects"):
        classifier(callbacks=[("a", 3)]).fit(IRIS, KIND)


# The optimizer and early stopping


@pytest.mark.parametrize("optimizer", ["adam", "Adam", Adam, Adam(), Adam(lr=0.001)])
def test_an_optimizer_by_name_has_settings(optimizer):
    estimator = classifier(optimizer=optimizer)
    assert estimator.get_params()["optimizer__learning_rate"] == 0.001
    estimator.set_params(optimizer__learning_rate=0.02, optimizer__beta_1=0.8)
    assert bits(estimator) == bits(classifier(optimizer=Adam(0.02, beta_1=0.8)))
    assert estimator.learning_rate is None


def test_both_names_of_the_learning_rate_agree():
    estimator = classifier(learning_rate=0.02)
    assert estimator.get_params()["optimizer__learning_rate"] == 0.02
    estimator.set_params(optimizer__learning_rate=0.03, optimizer__beta_1=0.8)
    assert estimator.get_params()["learning_rate"] == 0.03
    assert bits(estimator) == bits(classifier(optimizer=Adam(0.03, beta_1=0.8)))
    estimator.set_params(optimizer__lr=0.04)
    assert estimator.get_params()["optimizer__learning_rate"] == estimator.learning_rate == 0.04
    estimator.set_params(learning_rate=None)
    assert estimator.get_params()["optimizer__learning_rate"] == 0.001
    decay = ExponentialDecay(0.1, 10, 0.9)
    for estimator in (classifier(learning_rate=decay), classifier(optimizer=SGD(decay))):
        estimator.set_params(optimizer__learning_rate__decay_rate=0.5)
        assert estimator.get_params()["optimizer__learning_rate__decay_rate"] == 0.5
        assert decay == ExponentialDecay(0.1, 10, 0.9)
        assert estimator._optimizer_spec()._source == ExponentialDecay(0.1, 10, 0.5)


@pytest.mark.parametrize("learning_rate", [None, 0.3])
def test_the_order_of_names_of_the_learning_rate_does_not_matter(learning_rate):
    names = {"optimizer__learning_rate": 0.6, "optimizer__lr": 0.1}
    for order in (names, dict(reversed(names.items()))):
        estimator = classifier(learning_rate=learning_rate).set_params(**order)
        assert estimator.get_params()["optimizer__learning_rate"] == 0.6
    estimator.set_params(learning_rate=0.4, optimizer__lr=0.2)
    assert estimator.learning_rate == 0.2 and "optimizer__lr" not in estimator.get_params()
    estimator.set_params(learning_rate=None, optimizer__lr=0.7)
    assert estimator.learning_rate is None and estimator._optimizer_spec()._source == 0.7


@pytest.mark.parametrize("given", ["auto", True, EarlyStopping(patience=10)])
def test_early_stopping_has_settings(given):
    estimator = classifier(early_stopping=given).set_params(early_stopping__patience=3.0)
    assert estimator.early_stopping.patience == 3
    assert estimator.early_stopping.restore_best_weights == (not isinstance(given, EarlyStopping))
    assert estimator.fit(IRIS, KIND).validation_loss_curve_ is not None


# set_params


SETTINGS = {
    "layers": [("a", Dense(4)), Dense(3)],
    "a": Dense(9),
    "a__units": 5,
    "dense_1": None,
    "dense_1__units": 7,
    "optimizer__momentum": 0.5,
    "optimizer": "sgd",
}


@pytest.mark.parametrize("order", list(itertools.permutations(SETTINGS))[::487])
def test_the_order_of_names_does_not_matter(order):
    estimator = classifier().set_params(**{name: SETTINGS[name] for name in order})
    assert repr(estimator.layers) == "[('a', Dense(units=5)), ('dense_1', None)]"
    assert estimator.optimizer == SGD(momentum=0.5)


def test_settings_of_what_is_not_there_have_no_effect():
    none = {"layers__depth": 3, "callbacks__patience": 2, "learning_rate__decay_rate": 2}
    estimator = classifier(early_stopping=False, callbacks=None).set_params(
        **none, early_stopping__patience=3
    )
    assert repr(estimator) == repr(classifier(early_stopping=False, callbacks=None))
    for nothing in (None, "passthrough"):
        estimator = classifier([("drop", nothing), Dense(3)]).set_params(drop__rate=0.5)
        assert estimator.layers[0] == ("drop", nothing)
    estimator.set_params(drop__rate=0.5, drop=Dropout(0.1))
    assert estimator.get_params()["drop__rate"] == 0.5


def test_setting_what_was_read_changes_nothing():
    for estimator in (
        classifier(),
        classifier([Dense(4), Dropout(0.1)], optimizer=Adam(lr=0.1)),
        classifier(MLP(), learning_rate=0.05),
        classifier(build),
    ):
        before = bits(clone(estimator))
        assert bits(clone(estimator.set_params(**estimator.get_params()))) == before


def test_a_value_that_a_constructor_refuses_is_an_error_of_fit():
    class Checked(Dense):
        def __init__(self, units=3):
            super().__init__(units)
            if units > 5:
                raise ValueError("too wide")

    estimator = classifier([Checked(), Dense(3)]).set_params(checked_1__units=6, dense_1__name=3)
    assert estimator.get_params()["checked_1__units"] == 6
    with pytest.raises(ValueError, match="too wide"):
        estimator.fit(IRIS, KIND)
    with pytest.raises(TypeError, match="name: expected a string, got 3"):
        estimator.set_params(checked_1__units=5).fit(IRIS, KIND)


def test_the_layers_of_a_sequential_are_steps():
    model = nnlite.Sequential([Input((4,)), Dense(4), Dropout(0.5), Dense(3, name="mine")])
    estimator = classifier(model).set_params(dense_1__units=7, mine__units=5, dropout_1=None)
    assert units(estimator) == [7, 5] and estimator.get_params()["dropout_1"] is None
    assert len(model.layers) == 3 and model.layers[0].units == 4


@pytest.mark.parametrize(
    "name",
    [
        "dense_3",
        "dense_3__units",
        "layers__depth",
        "units",
        "epochs__x",
        "optimiser__rate",
        "optimizer__lerning_rate",
        "dense_1__unit",
        "dense_1__kernel_regularizer__l3",
        "dense_1__kernel_constraint__max_value",
        "dense_1__units__x",
        "early_stopping__patiens",
    ],
)
def test_unknown_names_list_those_known_and_change_nothing(name):
    estimator = classifier([Dense(4), Dense(3)], optimizer="adam")
    before = repr(estimator)
    with pytest.raises(ValueError, match=r"Valid parameters are: .*dense_1|no setting.* it has"):
        estimator.set_params(**{"epochs": 9, name: 3})
    assert repr(estimator) == before


@pytest.mark.parametrize(
    "value",
    [
        -1,
        3.0,
        "helloworld",
        np.array(1.0),
        [1],
        {},
        [],
        (),
        None,
        np.arange(3),
        lambda: 3,
        object(),
        "passthrough",
        ("a", 1),
    ],
)
def test_any_value_is_stored_and_read(value):
    for name in classifier().get_params(deep=False):
        estimator = classifier().set_params(**{name: value})
        assert estimator.get_params()[name] is value
        clone(estimator)
    estimator = classifier([Dense(4)]).set_params(dense_1__units=value)
    estimator.set_params(dense_1__activation=value)
    assert type(estimator.get_params()["dense_1__units"]) is type(value)
    assert estimator.set_params(dense_1=value).get_params()["dense_1"] is value


def test_whole_numbers_of_every_kind():
    def fitted(kind):
        return bits(
            classifier(
                MLP((kind(8), kind(4)), dropout=np.float32(0.25), batch_norm=np.bool_(True)),
                epochs=kind(3),
                batch_size=kind(16),
                random_state=kind(3),
                verbose=kind(0),
                n_threads=kind(1),
                early_stopping=EarlyStopping(patience=kind(2)),
            )
        )

    assert fitted(float) == fitted(np.float64) == fitted(np.int32) == fitted(int)
    layers = [Conv2D(2.0, 3, input_shape=(6, 6, 1)), Flatten(), Dense(np.float64(4))]
    classifier(layers).fit(IMAGES, KIND)


# Scikit-learn's contract


@pytest.fixture(autouse=True)
def array_api(monkeypatch):
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@parametrize_with_checks(
    [
        NNClassifier(layers=MLP(width=16)),
        NNRegressor(layers=Stack(("hidden", Dense(32, "relu")))),
    ]
)
def test_estimators_of_specs_keep_the_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "layers",
    [
        [("hidden", Dense(16, "relu")), ("drop", None)],
        "32",
        wide,
        [Dense(16, "relu"), Dense(16, "relu", kernel_regularizer=L2(1e-4))],
    ],
    ids=["named", "sizes", "function", "regularized"],
)
def test_other_forms_keep_it_too(layers):
    check_estimator(NNClassifier(layers, epochs=30, learning_rate=0.05), on_skip=None)


@pytest.mark.parametrize("estimator", [NNClassifier, NNRegressor])
def test_a_setting_that_is_misspelt_is_named_with_what_was_meant(estimator):
    message = f"{estimator.__name__}: unknown argument 'epoch'; did you mean 'epochs'"
    with pytest.raises(TypeError, match=message):
        estimator(epoch=3)
    with pytest.raises(ValueError, match="optimizer: unknown optimizer 'adm'"):
        estimator(optimizer="adm").fit([[0.0], [1.0]], [0, 1])
