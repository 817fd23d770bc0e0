"""What people know of MLPClassifier, Keras and PyTorch: words, attributes, and the warning of
epochs that were too few."""

import pickle
import re
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_regression
from sklearn.exceptions import ConvergenceWarning

from nnlite import NNClassifier, NNRegressor, Sequential, layers
from nnlite.estimators import words
from nnlite.estimators.convergence import is_falling
from nnlite.optimizers import LBFGS
from nnlite.wrappers.scikit_learn import KerasClassifier

X, Y = load_iris(return_X_y=True)
FEW = {"epochs": 3, "hidden_layer_sizes": (8, 5), "random_state": 0, "ensemble": 1}


@pytest.mark.parametrize("cls", [NNClassifier, NNRegressor])
@pytest.mark.parametrize("word", words.WORDS)
def test_a_word_of_others_says_what_it_is_called_here(cls, word):
    here = words.WORDS[word].format("0.25")
    with pytest.raises(TypeError) as raised:
        cls(**{word: 0.25})
    assert str(raised.value) == f"{cls.__name__}: unknown argument '{word}'; here that is {here}"
    with pytest.raises(ValueError, match=f"'{word}'.*; here that is {re.escape(here[:7])}"):
        cls().set_params(**{word: 0.25})
    assert word not in cls().get_params()
    known = {*cls().get_params(), "kernel_regularizer", "fit(X", "nothing"}
    assert re.split("[=:,]", here)[0] in known


@pytest.mark.parametrize(
    "given, message",
    [
        ({"epochs": 3}, "it is a setting: NNClassifier(epochs=3)"),
        ({"batch_size": 32}, "it is a setting: NNClassifier(batch_size=32)"),
        ({"max_iter": 3}, "sample_weight_val; here that is epochs=3"),
        ({"validation_data": (X, Y)}, "here that is fit(X, y, X_val=..., y_val=...)"),
        ({"x_val": X}, "sample_weight_val; did you mean 'X_val' or 'y_val'?"),
    ],
)
def test_fit_says_where_a_setting_belongs(given, message):
    with pytest.raises(TypeError) as raised:
        NNClassifier().fit(X, Y, **given)
    start = f"NNClassifier.fit: unknown argument '{next(iter(given))}'; it "
    assert str(raised.value).startswith(start) and str(raised.value).endswith(message)


@pytest.mark.parametrize("rate", words.RATES)
def test_a_rate_that_changes_by_name_says_what_does_the_same(rate):
    with pytest.raises(ValueError) as raised:
        NNClassifier(learning_rate=rate).fit(X, Y)
    assert str(raised.value).endswith(f"got {rate!r}; {words.RATES[rate]}")


@pytest.mark.parametrize("theirs, ours", words.ACTIVATIONS.items())
def test_names_of_activations_of_scikit_learn_work(theirs, ours):
    some, other = (NNClassifier(activation=a, **FEW).fit(X, Y) for a in (theirs, ours))
    assert np.array_equal(some.predict_proba(X), other.predict_proba(X))
    assert some.get_params()["activation"] == theirs


def test_attributes_of_mlp_classifier_are_there():
    X_val, y_val = X[::5], Y[::5]
    model = NNClassifier(**FEW).fit(X, Y, X_val=X_val, y_val=y_val)
    assert [w.shape for w in model.coefs_] == [(4, 8), (8, 5), (5, 3)]
    assert [b.shape for b in model.intercepts_] == [(8,), (5,), (3,)]
    assert np.array_equal(model.coefs_[-1], model.model_.layers[-1].kernel.numpy())
    assert (model.n_layers_, model.out_activation_, model.t_) == (4, "softmax", 450)
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.validation_scores_ == model.history_["val_accuracy"]
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.validation_scores_[-1] == pytest.approx(model.score(X_val, y_val))
    copied = pickle.loads(pickle.dumps(model))
    assert copied.t_ == 450 and np.array_equal(copied.coefs_[0], model.coefs_[0])


def test_attributes_follow_the_target_the_scoring_and_further_epochs():
    columns, numbers = make_regression(60, 3, random_state=0)
    model = NNRegressor(scoring="r2", warm_start=True, **FEW)
    model.fit(columns, numbers, X_val=columns, y_val=numbers)
    assert model.out_activation_ == "identity"
    assert model.validation_scores_ == model.history_["val_score"]
    model.fit(columns[:40], numbers[:40])
    assert model.t_ == 3 * 60 + 3 * 40
    assert model.validation_scores_ is None and model.best_validation_score_ is None
    model.partial_fit(columns[:10], numbers[:10])
    assert model.t_ == 3 * 60 + 3 * 40 + 10
    assert NNClassifier(**FEW).fit(X[:100], Y[:100]).out_activation_ == "logistic"


def test_attributes_of_other_networks_and_before_fit_are_absent():
    names = [name for name in dir(NNClassifier) if name.endswith("_") and name[0] != "_"]
    assert {"coefs_", "intercepts_", "n_layers_", "best_loss_", "out_activation_"} <= {*names}
    assert not any(hasattr(NNClassifier(), name) for name in names)
    model = NNClassifier([layers.Dense(4, use_bias=False)], epochs=1).fit(X, Y)
    assert model.intercepts_[0].tolist() == [0, 0, 0, 0] and len(model.intercepts_) == 2
    model = NNClassifier([layers.Reshape((4, 1)), layers.GRU(2)], epochs=1).fit(X, Y)
    with pytest.raises(AttributeError, match="coefs_: expected a network of Dense layers, got GRU"):
        _ = model.coefs_
    model = NNClassifier((4,), epochs=1, ensemble=2).fit(X, Y)
    with pytest.raises(AttributeError, match="expected one network, as ensemble=1 trains, got 2"):
        _ = model.coefs_


@pytest.mark.parametrize(
    "losses, falls",
    [
        (np.linspace(1, 0, 30), True),
        (0.9 ** np.arange(20.0), True),
        (0.9 ** np.arange(200.0), False),
        (np.linspace(0, 1, 30), False),
        (np.ones(30), False),
        (np.linspace(1, 0, 9), False),
        (np.full(30, np.nan), False),
        ([*np.linspace(1, 0, 20), *np.zeros(10)], False),
        ([], False),
    ],
)
def test_losses_that_still_fall_are_found(losses, falls):
    assert is_falling(list(losses)) is falls


def fit_warnings(X=X, y=Y, **settings):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model = NNClassifier(random_state=0, **settings).fit(X, y)
    found = [w for w in caught if w.category is ConvergenceWarning]
    return model, [str(w.message) for w in found], [w.filename for w in found]


def test_epochs_that_are_used_up_while_the_loss_falls_are_a_warning():
    _, messages, files = fit_warnings(ensemble=1, schedule=None, epochs=20)
    assert len(messages) == 1 and files == [__file__]
    assert messages[0].startswith("the loss was still falling when the 20 epochs were used up: ")


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 20},  # the rate falls to 0 by plan
        {"schedule": None, "epochs": 5},  # nothing can be said
        {"schedule": None, "epochs": 400, "learning_rate": 0.05},
        {"schedule": None, "epochs": 400, "early_stopping": True, "learning_rate": 0.05},
    ],
)
def test_a_fit_that_is_done_gives_no_warning(settings):
    assert fit_warnings(**settings)[1] == []


def test_a_wrapper_of_keras_does_not_warn_of_epochs():
    def build():
        return Sequential([layers.Dense(8), layers.Dense(3, "softmax")])

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = KerasClassifier(build, epochs=12, random_state=0).fit(X, Y)
    assert is_falling(model.loss_curve_)


def test_lbfgs_stops_where_it_has_converged_and_warns_where_it_has_not():
    model, messages, _ = fit_warnings(
        hidden_layer_sizes=256, ensemble=1, optimizer="lbfgs", epochs=10
    )
    assert len(messages) == 1 and model.n_iter_ == 10
    model, messages, _ = fit_warnings(ensemble=1, optimizer=LBFGS(tol=0.01), epochs=300)
    assert messages == [] and model.n_iter_ < 200 and model.score(X, Y) > 0.97


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"learning_rate": 0.1}, "learning_rate: expected None, as LBFGS searches .*, got 0.1"),
        ({"schedule": "cosine"}, "schedule: expected 'auto' or None, as LBFGS has no .*'cosine'"),
    ],
)
def test_lbfgs_has_no_rate(settings, message):
    with pytest.raises(ValueError, match=message):
        NNClassifier(optimizer="lbfgs", **settings).fit(X, Y)


def test_partial_fit_refuses_an_optimizer_of_all_rows():
    with pytest.raises(ValueError, match="optimizer: expected one that takes batches for partial"):
        NNClassifier(optimizer="lbfgs").partial_fit(X, Y, classes=[0, 1, 2])
