"""What wrappers take at a prediction, as Keras 2 and SciKeras do."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

import nnlite as keras
from nnlite.callbacks import LambdaCallback
from nnlite.wrappers.scikit_learn import KerasClassifier, KerasRegressor

X, Y = np.random.RandomState(0).normal(size=(60, 4)), np.arange(60) % 2


def made(last="sigmoid", loss="binary_crossentropy"):
    model = keras.Sequential([keras.layers.Dense(1, last, input_shape=(4,))])
    model.compile("sgd", loss)
    return model


def logits():
    return made(None, keras.losses.BinaryCrossentropy(from_logits=True))


CLASSIFIERS = {"sigmoid": made, "logits": logits}
CLASSIFIERS = {k: KerasClassifier(f, random_state=0).fit(X, Y) for k, f in CLASSIFIERS.items()}
REGRESSOR = KerasRegressor(made, last=None, loss="mse", random_state=0).fit(X, 1.0 * Y)
FITTED = {**CLASSIFIERS, "regressor": REGRESSOR}
METHODS = [(k, m) for k in FITTED for m in ("predict", "predict_proba", "score")][:-2]
METHODS += [("regressor", "score")]


def called(name, method, **options):
    return getattr(FITTED[name], method)(X, *[Y] * (method == "score"), **options)


@pytest.mark.parametrize("name, method", METHODS)
def test_predictions_take_the_options_of_the_models_predict(name, method):
    seen = []
    each = LambdaCallback(on_predict_batch_end=lambda batch, logs: seen.append(batch))
    options = {"batch_size": 16, "verbose": 0, "callbacks": [each]}
    assert np.array_equal(called(name, method, **options), called(name, method))
    assert seen == [0, 1, 2, 3]
    kind = type(FITTED[name]).__name__
    with pytest.raises(TypeError, match=rf"{kind}\.{method}: .*'batch'.*batch_size"):
        called(name, method, batch=16)
    with pytest.raises(ValueError, match="batch_size: expected"):
        called(name, method, batch_size=0)


def test_steps_are_the_most_batches_that_are_predicted():
    assert len(called("regressor", "predict", steps=2, batch_size=16)) == 32


def test_scores_have_weights_and_need_a_fit():
    weight = np.arange(60.0)
    right = called("sigmoid", "predict") == Y
    assert np.isclose(FITTED["sigmoid"].score(X, Y, weight), np.average(right, weights=weight))
    with pytest.raises(NotFittedError):
        KerasClassifier(made).score(X, Y, batch_size=16)
