"""What may change between two fits of one network, and what becomes of a change that may not."""

import numpy as np
import pytest

import nnlite
from nnlite import NNClassifier, NNRegressor, metrics
from nnlite.layers import Dense, Dropout
from nnlite.optimizers import SGD, Adam
from nnlite.wrappers.scikit_learn import KerasClassifier

RNG = np.random.RandomState(0)
X, Y = RNG.normal(size=(60, 4)), np.arange(60) % 3
SETTINGS = {"hidden_layer_sizes": (4,), "epochs": 1, "random_state": 0, "warm_start": True}


def net(units=3):
    model = nnlite.Sequential([Dense(units, "relu", input_shape=(4,)), Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def bare(units=3, rate=0.0):
    return nnlite.Sequential([Dense(units), Dropout(rate), Dense(3, "softmax")])


def again(estimator, how):
    return estimator.fit(X, Y) if how == "fit" else estimator.partial_fit(X, Y)


def first(make, how="fit", **settings):
    estimator = make(**{**SETTINGS, **settings})
    options = {"classes": [0, 1, 2]} if how == "partial_fit" and make is not NNRegressor else {}
    return getattr(estimator, how)(X, Y, **options)


def wrapper(how, function=net, **settings):
    made = KerasClassifier(function, random_state=0, warm_start=True, **settings)
    return made.fit(X, Y) if how == "fit" else made.partial_fit(X, Y, classes=[0, 1, 2])


NETWORKS = {
    "sizes": (lambda how: first(NNClassifier, how), {"hidden_layer_sizes": (9, 9)}),
    "activation": (lambda how: first(NNClassifier, how), {"activation": "tanh"}),
    "layers": (lambda how: first(NNClassifier, how), {"layers": [Dense(7)]}),
    "a layer's setting": (
        lambda how: first(NNClassifier, how, layers=[("hidden", Dense(4)), Dropout(0.1)]),
        {"hidden__units": 5},
    ),
    "normalize": (lambda how: first(NNRegressor, how), {"normalize": False}),
    "dtype": (lambda how: first(NNRegressor, how), {"dtype": "float32"}),
    "units": (lambda how: wrapper(how, units=3), {"units": 9}),
    "model__units": (lambda how: wrapper(how), {"model__units": 9}),
    "build_fn": (wrapper, {"build_fn": bare}),
}


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
@pytest.mark.parametrize("case", NETWORKS)
def test_what_made_the_network_cannot_change(case, how):
    make, change = NETWORKS[case]
    estimator = make(how)
    before = [w.numpy().copy() for w in estimator.model_.weights]
    name = "layers" if case == "a layer's setting" else next(iter(change)).removeprefix("model__")
    with pytest.raises(ValueError, match=rf"^{name}: expected .*warm_start=False"):
        again(estimator.set_params(**change), how)
    for one, other in zip(before, estimator.model_.weights, strict=True):
        assert np.array_equal(one, other.numpy())
    assert estimator.set_params(warm_start=False).fit(X, Y).n_iter_ == 1


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
@pytest.mark.parametrize("make", [NNClassifier, NNRegressor])
def test_what_trains_the_network_may_change(make, how):
    estimator = first(make, how, optimizer=Adam(0.01))
    optimizer = estimator.model_.optimizer
    estimator.set_params(batch_size=7, random_state=3, verbose=0, n_threads=1)
    assert again(estimator, how).model_.optimizer is optimizer
    assert estimator.model_.n_threads == 1 and estimator.n_iter_ == 2
    again(estimator.set_params(optimizer__learning_rate=0.25), how)
    assert float(estimator.model_.optimizer.learning_rate) == 0.25
    again(estimator.set_params(optimizer=SGD(0.5)), how)
    assert isinstance(estimator.model_.optimizer, SGD)
    again(estimator.set_params(metrics=["mae"]), how)
    assert np.isnan(estimator.history_["mae"]).tolist() == [True] * 4 + [False]
    again(estimator.set_params(metrics=None), how)
    assert np.isnan(estimator.history_["mae"]).tolist() == [True] * 4 + [False, True]
    assert estimator.n_iter_ == 6 and not np.isnan(estimator.loss_curve_).any()
    assert isinstance(estimator.model_.optimizer, SGD)


def test_a_value_that_means_the_same_is_no_change():
    estimator = first(NNClassifier, layers=[Dense(4, kernel_regularizer="l2")])
    model = estimator.model_
    for layers in ([Dense(4, kernel_regularizer="l2")], (Dense(4, kernel_regularizer="l2"),)):
        assert again(estimator.set_params(layers=layers), "fit").model_ is model
    estimator = first(NNClassifier)
    assert again(estimator.set_params(hidden_layer_sizes=[4]), "fit").n_iter_ == 2


def test_the_loss_of_a_wrapper_may_change_if_it_compiles_the_model():
    rows = wrapper("fit", bare, loss="sparse_categorical_crossentropy", optimizer="sgd")
    optimizer = rows.model_.optimizer
    rows.set_params(loss="categorical_hinge", metrics=[metrics.CategoricalAccuracy()]).fit(X, Y)
    assert "hinge" in repr(rows.model_.loss).lower() and rows.model_.optimizer is optimizer
    assert np.isnan(rows.history_["categorical_accuracy"]).tolist() == [True, False]
    rows.set_params(optimizer="adam", rate=0.0).fit(X, Y)
    assert isinstance(rows.model_.optimizer, Adam)


def test_a_rate_that_a_callback_lowered_stays_lowered():
    lower = nnlite.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    estimator = first(NNClassifier, "partial_fit", learning_rate=0.5, callbacks=[lower])
    optimizer = again(estimator, "partial_fit").model_.optimizer
    assert float(optimizer.learning_rate) == 0.125
    assert int(optimizer.iterations.numpy()) == 2
