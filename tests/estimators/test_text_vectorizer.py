"""TextVectorizer: a transformer of texts, alone, in pipelines and in searches."""

import pickle

import numpy as np
import pytest
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks

import nnlite
from nnlite import NNClassifier, TextVectorizer, layers

TEXTS = ["good film", "a very bad film", "good, good", "awful bad", "nice", "a bad thing"] * 5
Y = np.array(["yes", "no"] * 15)


@pytest.mark.parametrize("mode", ["int", "multi_hot", "count", "tf_idf"])
@pytest.mark.parametrize("settings", [{}, {"ngrams": 2, "max_tokens": 6}, {"split": "character"}])
def test_it_gives_what_the_layer_gives(mode, settings):
    layer = layers.TextVectorization(output_mode=mode, **settings)
    layer.adapt(TEXTS)
    made = TextVectorizer(output_mode=mode, **settings).fit(TEXTS)
    result = made.transform(TEXTS)
    np.testing.assert_array_equal(result, layer(TEXTS).numpy())
    assert result.dtype == (np.int32 if mode == "int" else np.float32)
    assert made.vocabulary_ == layer.get_vocabulary()
    assert len(made.get_feature_names_out()) == result.shape[1]
    np.testing.assert_array_equal(made.fit_transform(TEXTS), result)
    for copied in (pickle.loads(pickle.dumps(made)), clone(made).fit(TEXTS)):
        np.testing.assert_array_equal(copied.transform(TEXTS[:4]), result[:4])
    if mode != "int":
        sparse = clone(made).set_params(sparse=True).fit_transform(TEXTS)
        assert issparse(sparse) and np.array_equal(sparse.toarray(), result)


FORMS = [list, np.array, tuple, iter]
FORMS += [lambda x: np.array(x)[:, None], lambda x: np.array(x, "S")]


@pytest.mark.parametrize("form", FORMS)
def test_texts_may_come_in_any_form(form):
    expected = TextVectorizer().fit_transform(TEXTS)
    made = TextVectorizer().fit(form(TEXTS))
    np.testing.assert_array_equal(made.transform(form(TEXTS)), expected)


def test_sequences_are_as_long_as_those_of_fit_unless_a_length_is_given():
    assert TextVectorizer().fit(TEXTS).transform(["one two three four five"]).shape == (1, 4)
    assert TextVectorizer(output_sequence_length=2).fit(TEXTS).transform(["a", "b"]).shape == (2, 2)
    assert TextVectorizer().fit(["", "a"]).transform(["b b"]).tolist() == [[1]]
    with pytest.raises(ValueError, match="X: expected a text with a token, got"):
        TextVectorizer().fit(["", "!"])


def test_a_vocabulary_of_ones_own_is_not_learned():
    made = TextVectorizer(vocabulary=["good", "bad"], output_mode="count", max_tokens=4)
    made.set_params(pad_to_max_tokens=True).fit(TEXTS)
    assert made.transform(["good bad, bad x"]).tolist() == [[1, 1, 2, 0]]
    assert made.get_feature_names_out().tolist() == ["[UNK]", "good", "bad", "unused0"]


def test_columns_have_names_in_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"text": TEXTS})
    made = TextVectorizer(output_mode="count").set_output(transform="pandas")
    result = made.fit_transform(frame["text"])
    assert list(result.columns) == made.vocabulary_ and result["good"].tolist()[:3] == [1, 0, 2]
    assert np.array_equal(made.transform(frame[["text"]]), result)
    numbers = TextVectorizer().set_output(transform="pandas").fit_transform(TEXTS)
    assert list(numbers.columns) == ["token0", "token1", "token2", "token3"]


CHECKS = """
    parameters_default_constructible no_attributes_set_in_init get_params_invariance set_params
    estimator_cloneable estimator_repr mixin_order
""".split()


@pytest.mark.parametrize("name", CHECKS)
def test_check_of_scikit_learn_passes(name):
    getattr(estimator_checks, f"check_{name}")("TextVectorizer", TextVectorizer())


def test_tags_say_that_texts_are_taken():
    tags = TextVectorizer().__sklearn_tags__()
    assert tags.input_tags.string and not tags.input_tags.two_d_array
    assert clone(TextVectorizer(ngrams=2)).get_params() == TextVectorizer(ngrams=2).get_params()


def pipeline():
    network = NNClassifier(
        layers=[layers.Embedding(20, 4, mask_zero=True), layers.LSTM(3), layers.Dropout(0.1)],
        epochs=2,
        verbose=0,
        random_state=0,
    )
    return make_pipeline(TextVectorizer(max_tokens=20, output_sequence_length=4), network)


def test_pipeline_is_fitted_pickled_and_searched():
    model = pipeline().fit(TEXTS, Y)
    copied = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copied.predict_proba(TEXTS), model.predict_proba(TEXTS))
    assert np.array_equal(pipeline().fit(TEXTS, Y).predict_proba(TEXTS), model.predict_proba(TEXTS))
    grid = {
        "textvectorizer__max_tokens": [5, 20],
        "nnclassifier__lstm_1__units": [2],
        "nnclassifier__dropout_1__rate": [0.0],
    }
    search = GridSearchCV(pipeline(), grid, cv=2, error_score="raise").fit(TEXTS, Y)
    assert len(search.cv_results_["params"]) == 2 and search.predict(TEXTS).shape == (30,)


def test_the_layer_makes_a_model_of_texts():
    model = pipeline().fit(TEXTS, Y)
    first, network = model[0], model[1].model_
    whole = nnlite.Sequential([first.layer_, network])
    assert np.array_equal(whole.predict(TEXTS), network.predict(first.transform(TEXTS)))


REFUSED = [
    (lambda: TextVectorizer(max_tokens=1).fit(TEXTS), "^max_tokens: expected an integer in"),
    (lambda: TextVectorizer(output_mode="x").fit(TEXTS), "output_mode: expected 'int'"),
    (lambda: TextVectorizer(sparse=2).fit(TEXTS), "^sparse: expected True or False, got 2"),
    (
        lambda: TextVectorizer(output_mode="count", output_sequence_length=2).fit(TEXTS),
        "expected None",
    ),
    (lambda: TextVectorizer().fit("one text"), "X: expected an array or list of texts, got one"),
    (lambda: TextVectorizer().fit([]), "X: expected at least one text"),
    (lambda: TextVectorizer().fit([["a", "b"]]), r"X: expected texts .* got shape \(1, 2\)"),
    (lambda: TextVectorizer().fit([1.0]), "X: expected strings, got 1.0 at position"),
    (lambda: TextVectorizer().fit(TEXTS).transform([None]), "X: expected strings, got None"),
]


@pytest.mark.parametrize("call, message", REFUSED)
def test_is_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_it_is_to_be_fitted_first():
    with pytest.raises(NotFittedError):
        TextVectorizer().transform(TEXTS)


@pytest.mark.parametrize("kind", [list, np.array, lambda texts: np.array(texts, object)])
def test_texts_without_it_are_refused_with_its_name(kind):
    with pytest.raises(
        ValueError, match=r"X: expected numbers, got .*; texts .* by nnlite.TextVectorizer"
    ):
        NNClassifier(epochs=1).fit(kind(["a film", "b"]), [0, 1])
