"""Sequences as X: channels that are scaled, tokens that are not, lists of different lengths."""

import pickle

import numpy as np
import pytest
from few_sequences import japanese_vowels
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import nnlite
from nnlite import NNClassifier, NNRegressor, layers
from nnlite.wrappers.scikit_learn import KerasClassifier

RANDOM = np.random.RandomState(0)
LENGTHS = RANDOM.randint(2, 8, 60)
KIND = np.arange(60) % 2
# Signs of the last step tell the kinds apart; the channels have scales of their own.
SERIES = [RANDOM.randn(n, 3) for n in LENGTHS]
for x, kind in zip(SERIES, KIND):
    x[-1] = (2 * kind - 1) * np.abs(x[-1])
    x *= [1.0, 100.0, 0.01]
    x += [0.0, 1000.0, 5.0]
    x[...] = x.astype(np.float32)  # as a layer that is called reads them
TOKENS = [RANDOM.randint(0, 9, n) for n in LENGTHS]
LARGE = np.array([x[0] > 4 for x in TOKENS])


def of_series(units=4):
    return [layers.GRU(units)]


def of_tokens(units=4, **embedding):
    return [layers.Embedding(9, 3, **embedding), layers.GRU(units)]


def classifier(made, **settings):
    return NNClassifier(
        made, **{"ensemble": 1, "epochs": 3, "random_state": 0, "learning_rate": 0.02, **settings}
    )


def outputs(estimator, X):
    return getattr(estimator, "predict_proba", estimator.predict)(X)


CASES = {"series": (of_series, SERIES, KIND), "tokens": (of_tokens, TOKENS, LARGE)}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


# One mechanism: what stands behind the end does not count


def test_it_learns_from_sequences_of_different_lengths(case):
    made, X, y = case
    fitted = classifier(made(), epochs=60).fit(X, y)
    assert fitted.score(X, y) > 0.9
    assert fitted.n_features_in_ == (3 if made is of_series else 1)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_sequence_is_predicted_as_alone_without_padding(case, wrapped):
    made, X, y = case
    network = made()
    if wrapped:
        network[-1] = layers.Bidirectional(network[-1])
    fitted = classifier(network, dtype="float32").fit(X, y)
    together = fitted.predict_proba(X)
    inner = [layer for layer in fitted.model_.layers if layer.name != "padding_mask"]
    for k in (0, 7, 33):
        assert_array_equal(fitted.predict_proba(X[k : k + 1])[0], together[k])
        alone = X[k][None].astype("float32" if made is of_series else int)
        for layer in inner:
            alone = layer(alone)
        assert_allclose(alone.numpy().ravel(), together[k][1:], rtol=2e-6)


def test_a_longer_neighbour_changes_nothing(case):
    made, X, y = case
    fitted = classifier(made()).fit(X, y)
    short = [x for x in X if len(x) < 5]
    among = dict(zip(LENGTHS.tolist(), range(60)))
    assert max(among) == 7 and len(short) > 10
    assert_array_equal(
        fitted.predict_proba([*short, X[among[7]]])[:-1], fitted.predict_proba(short)
    )


FORMS = {
    "list": list,
    "tuple": tuple,
    "lists": lambda X: [x.tolist() for x in X],
    "objects": lambda X: np.array([*X, None], dtype=object)[:-1],
    "floats": lambda X: [x.astype("f4").astype(float) for x in X],
}


def test_every_form_gives_the_same_bits(case):
    made, X, y = case
    X = [x.astype("f4").astype(x.dtype) for x in X]
    expected = classifier(made(), dtype="float32").fit(X, y).predict_proba(X)
    for name, form in FORMS.items():
        fitted = classifier(made(), dtype="float32").fit(form(X), y)
        assert_array_equal(fitted.predict_proba(form(X)), expected, err_msg=name)


@pytest.mark.parametrize("head", [None, layers.Bidirectional(layers.LSTM(3))])
def test_sequences_longer_than_those_of_fit_are_predicted_as_alone(case, head):
    made, X, y = case
    network = [*made(), layers.RepeatVector(2), head] if head else made()
    fitted = classifier(network).fit(X, y)
    longer = [np.concatenate([x] * k) for x, k in zip(X[:6], (1, 3, 1, 4, 3, 9))]
    for method in ("predict_proba", "decision_function", "predict"):
        together = getattr(fitted, method)(longer)
        for k in range(6):
            assert_array_equal(getattr(fitted, method)(longer[k : k + 1])[0], together[k])
        assert_array_equal(together[[0, 2]], getattr(fitted, method)(X[:3])[[0, 2]])


@pytest.mark.filterwarnings("ignore:layer 'flatten' .* drops the mask")
@pytest.mark.parametrize("length, most", [(None, 7), (7, 7), (10, 10)])
def test_networks_for_one_length_take_no_longer_sequences(case, length, most):
    made, X, y = case
    network = made()
    if length is None:
        network = [*network[:-1], layers.Flatten()]
    else:
        wanted = {"input_length": length} if made is of_tokens else {"input_shape": (length, 3)}
        kind = type(network[0])
        network[0] = kind.from_config({**network[0].get_config(), **wanted})
    fitted = classifier(network).fit(X, y)
    assert fitted.predict(X).shape == (60,)
    assert fitted.model_.input_shape[1] == most
    longer = np.concatenate(X[:5])
    message = f"expected sequences of at most {most} steps, as the network takes, got {len(longer)}"
    with pytest.raises(ValueError, match=f"{message} at position 1"):
        fitted.predict([X[0], longer])
    with pytest.raises(ValueError, match="expected sequences of at most"):
        classifier(network).fit([*X, longer], [*y, y[0]]) if length else fitted.predict([longer])


def test_objects_of_one_length_are_an_array(case):
    made, X, y = case
    objects = np.empty(60, object)
    objects[:] = [x[:2].tolist() for x in X]
    fitted = classifier(made()).fit(objects, y)
    expected = classifier(made()).fit(np.array([x[:2] for x in X]), y).predict_proba(objects)
    assert_array_equal(fitted.predict_proba(objects), expected)


@pytest.mark.parametrize("form", [np.array, list])
def test_a_first_layer_of_unknown_length_takes_arrays_of_any_length(case, form):
    made, X, y = case
    start = layers.Input((None,) if made is of_tokens else (None, 3))
    same = form([x[:2] for x in X])
    fitted = classifier([start, *made()]).fit(same, y)
    assert fitted.n_features_in_ == (3 if made is of_series else 1)
    longer = form([np.concatenate([x, x])[:4] for x in X])
    expected = fitted.predict_proba(list(longer))
    assert_array_equal(fitted.predict_proba(longer), expected)
    inner = [layer for layer in fitted.model_.layers if layer.name != "padding_mask"]
    alone = np.asarray(longer).astype("float64" if made is of_series else int)
    with nnlite.config.precision(fitted.model_._precision):
        for layer in inner:
            alone = layer(alone)
    assert_allclose(alone.numpy().ravel(), expected[:, 1], rtol=2e-6)


def test_samples_of_one_length_are_taken_after_a_fit_on_several(case):
    made, X, y = case
    fitted = classifier(made()).fit(X, y)
    same = [x[:3] for x in X if len(x) > 2][:9]
    expected = fitted.predict_proba(same)
    assert_array_equal(fitted.predict_proba(np.array(same)), expected)
    assert_array_equal(np.vstack([fitted.predict_proba([x]) for x in same]), expected)


def test_copies_and_files_predict_the_same(case, tmp_path):
    made, X, y = case
    fitted = classifier(made()).fit(X, y)
    fitted.save(tmp_path / "e.safetensors")
    for again in (pickle.loads(pickle.dumps(fitted)), nnlite.load(tmp_path / "e.safetensors")):
        assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
        assert again.n_features_in_ == fitted.n_features_in_
        longer = [*X, np.concatenate(X[:4])]
        assert_array_equal(again.predict_proba(longer), fitted.predict_proba(longer))


def test_searches_folds_pipelines_and_early_stopping(case):
    made, X, y = case
    one = classifier(made(), early_stopping=True)
    assert cross_val_score(one, X, y, cv=2).shape == (2,)
    pipeline = make_pipeline(FunctionTransformer(lambda X: [x[-3:] for x in X]), one)
    grid = {"nnclassifier__gru_1__units": [2, 3], "nnclassifier__layers": [made(), made(5)]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert search.predict_proba(X).shape == (60, 2)
    shorter = [x[-3:] for x in X]
    assert_array_equal(search.predict(X), search.best_estimator_[-1].predict(shorter))
    with_scores = clone(one).set_params(scoring="roc_auc", refit_full=True).fit(X, y)
    assert len(with_scores.history_["val_score"]) == with_scores.n_iter_


def test_weight_2_counts_as_two_rows(case):
    made, X, y = case
    weight = 1 + (np.arange(60) % 3 == 0)
    settings = {"batch_size": 100, "epochs": 4, "dtype": "float64"}
    one = classifier(made(), **settings).fit(X, y, sample_weight=weight)
    twice = np.repeat(np.arange(60), weight)
    other = classifier(made(), **settings).fit([X[k] for k in twice], y[twice])
    assert_allclose(one.predict_proba(X), other.predict_proba(X), rtol=1e-9)


def test_partial_fit_and_warm_start_go_on(case):
    made, X, y = case
    part = classifier(made()).partial_fit(X, y, classes=np.unique(y))
    before = part.predict_proba(X)
    part.partial_fit([x[:2] for x in X], y)
    assert np.abs(part.predict_proba(X) - before).max() > 1e-4
    warm = classifier(made(), warm_start=True).fit(X, y)
    assert warm.fit([x[:2] for x in X], y).n_iter_ == 6


def test_validation_data_may_be_given(case):
    made, X, y = case
    fitted = classifier(made()).fit(X, y, X_val=X[:9], y_val=y[:9])
    assert len(fitted.history_["val_loss"]) == 3
    longer = [np.concatenate([x, x]) for x in X[:9]]
    seen = fitted.set_params(early_stopping=False).fit(X, y, X_val=longer, y_val=y[:9])
    right = fitted.predict_proba(longer)[np.arange(9), y[:9].astype(int)]
    assert_allclose(seen.history_["val_loss"][-1], -np.log(right).mean(), rtol=1e-5)
    with pytest.raises(ValueError, match="X_val, y_val: X: expected at least one step"):
        fitted.fit(X, y, X_val=[X[0], []], y_val=y[:2])


def test_a_regressor_takes_sequences():
    y = np.array([x[-1, 0] for x in SERIES])
    fitted = NNRegressor(of_series(8), epochs=120, learning_rate=0.02, random_state=0)
    assert fitted.fit(SERIES, y).score(SERIES, y) > 0.9


# Scale


def test_channels_are_scaled_by_all_their_steps():
    fitted = classifier(of_series()).fit(SERIES, KIND)
    first, second, *_ = fitted.model_.layers
    steps = np.vstack(SERIES)
    assert [first.name, second.name] == ["input_scaling", "padding_mask"]
    assert_allclose(first.mean.numpy().ravel(), steps.mean(axis=0), rtol=1e-6)
    assert_allclose(first.variance.numpy().ravel(), steps.var(axis=0), rtol=1e-5)
    plain = classifier(of_series(), normalize=False).fit(SERIES, KIND)
    assert [layer.name for layer in plain.model_.layers] == ["padding_mask", "gru", "dense"]


@pytest.mark.parametrize(
    "made",
    [
        lambda: [layers.LSTM(3)],
        lambda: [layers.Dropout(0.1), layers.Bidirectional(layers.GRU(3))],
        lambda: [layers.Input((4, 3)), layers.TimeDistributed(layers.Dense(2)), layers.Flatten()],
        lambda: nnlite.Sequential([layers.SimpleRNN(3)]),
        *(
            lambda first=first: [first(), layers.GlobalAveragePooling1D()]
            for first in (
                layers.Attention,
                layers.AdditiveAttention,
                lambda: layers.MultiHeadAttention(2, 3),
                lambda: layers.GroupQueryAttention(3, 4, 2),
                lambda: layers.TransformerEncoder(8, 2),
                lambda: layers.TransformerDecoder(8, 2),
                lambda: layers.Conv1D(4, 2),
            )
        ),
    ],
)
def test_arrays_of_sequences_are_scaled_by_channel(made):
    X = np.array([x[:1].repeat(4, axis=0) for x in SERIES])
    fitted = classifier(made(), epochs=1).fit(X, KIND)
    first = fitted.model_.layers[0]
    assert first.mean.shape == (1, 1, 3)
    assert_allclose(first.mean.numpy().ravel(), X.mean(axis=(0, 1)), rtol=1e-6)
    assert fitted.n_features_in_ == 4 and fitted.predict(X).shape == (60,)


@pytest.mark.parametrize(
    "made",
    [
        lambda: [layers.Masking(), layers.LSTM(3)],
        lambda: [layers.Flatten()],
        lambda: [layers.Reshape((4, 3, 1)), layers.Conv2D(2, 2), layers.Flatten()],
        lambda: [layers.BatchNormalization(), layers.Attention(), layers.LSTM(3)],
    ],
)
def test_other_layers_get_arrays_as_they_are(made):
    X = np.array([x[:1].repeat(4, axis=0) for x in SERIES])
    fitted = classifier(made(), epochs=1).fit(X, KIND)
    assert "input_scaling" not in [layer.name for layer in fitted.model_.layers]


# What is refused, before any training

BAD_TOKENS = {
    "too large": (
        [[1, 2], [3, 4, 9]],
        r"'embedding', integers in \[0, 9\), got 9 .*\(1, 2\)",
    ),
    "negative": (
        [[1, 2], [3, -1, 4]],
        r"'embedding', integers in \[0, 9\), got -1 .*\(1, 1\)",
    ),
    "no whole": ([[1, 2], [3, 0.5, 4]], r"integers in \[0, 9\), got 0.5 at position \(1, 1\)"),
    "missing": ([[1.0, np.nan], [1]], r"integers in \[0, 9\), got nan at position \(0, 1\)"),
    "empty": ([[1, 2], []], "expected at least one step in a sequence, got none at position 1"),
    "words": ([["a"], ["b", "c"]], "expected sequences of numbers, got <U1 at position 0"),
    "None": ([[1], [None, 2]], r"integers in \[0, 9\), got nan at position \(1, 0\)"),
    "two axes": (
        [[1, 2], [[1], [2], [3]]],
        r"tokens, shape \(steps,\), got shape \(3, 1\)",
    ),
}
BAD_SERIES = {
    "NaN": (
        [SERIES[0], [[1, 2, np.nan]]],
        r"NaN or infinity at position \(1, 0\)",
    ),
    "infinite": ([[[1, 2, np.inf]] * 2, SERIES[0][:1]], "NaN or infinity at position"),
    "features": ([SERIES[0], [[1, 2]]], "3 features at each step, as the first has, got 2"),
    "empty": ([SERIES[0], []], "expected at least one step in a sequence, got none at position 1"),
    "no features": (
        [[[], []], [[]]],
        r"shape \(steps, features\), got shape \(2, 0\)",
    ),
    "masked": ([SERIES[0], np.ma.masked_less(SERIES[1][:1], 5)], r"X\[1\]: "),
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_wrong_tokens_are_refused_with_their_place(name):
    X, message = BAD_TOKENS[name]
    with pytest.raises((TypeError, ValueError), match=message):
        classifier(of_tokens()).fit(X, [0, 1])
    fitted = classifier(of_tokens(), epochs=1).fit(TOKENS, LARGE)
    with pytest.raises((TypeError, ValueError), match=message):
        fitted.predict(X)


@pytest.mark.parametrize("name", BAD_SERIES)
def test_wrong_series_are_refused_with_their_place(name):
    X, message = BAD_SERIES[name]
    with pytest.raises((TypeError, ValueError), match=message):
        classifier(of_series()).fit(X, [0, 1])


@pytest.mark.parametrize("kind", [int, float, "u1"])
@pytest.mark.parametrize("made", [of_tokens(mask_zero=True), lambda: of_tokens()])
def test_wrong_tokens_of_arrays_are_refused_before_training(made, kind):
    X = np.array([x[:2] for x in TOKENS])
    beside = X.copy().astype(kind)
    beside[3, 1] = 9
    message = r"for layer 'embedding', integers in \[0, 9\), got 9.* at .*\(3, 1\)"
    seen = []
    watching = nnlite.callbacks.LambdaCallback(on_epoch_begin=lambda *a: seen.append(a))
    with pytest.raises(ValueError, match=message):
        classifier(made, callbacks=watching).fit(beside, LARGE)
    with pytest.raises(ValueError, match=r"X_val, y_val: .*|got 9"):
        classifier(made, callbacks=watching).fit(X, LARGE, X_val=beside, y_val=LARGE)
    assert not seen
    fitted = classifier(made, epochs=1).fit(X.astype(kind), LARGE)
    with pytest.raises(ValueError, match=message):
        fitted.predict(beside)


def test_rows_of_different_lengths_are_no_tokens_without_an_embedding():
    for made in (None, "8", of_series()):
        with pytest.raises(ValueError, match="rows of equal lengths, got rows of 2 to 7"):
            classifier(made).fit(TOKENS, LARGE)


def test_another_number_of_features_is_refused():
    fitted = classifier(of_series(), epochs=1).fit(SERIES, KIND)
    with pytest.raises(ValueError, match="X has 2 features, but NNClassifier is expecting 3"):
        fitted.predict([x[:, :2] for x in SERIES])
    for X in (np.ones(3), "abc", {"a": 1}, 3.0):
        with pytest.raises((TypeError, ValueError), match="X: expected "):
            fitted.predict(X)


def test_different_lengths_are_refused_after_a_fit_on_one():
    fitted = classifier(of_tokens(), epochs=1).fit(np.array([x[:2] for x in TOKENS]), LARGE)
    with pytest.raises(ValueError, match=r"one shape, \(2,\), as in fit, got .* 2 to 7 steps; a"):
        fitted.predict(TOKENS)


# Around the estimators


def test_default_networks_read_sequences_of_different_lengths():
    for made in (None, "8", nnlite.MLP((8, 4))):
        fitted = classifier(made, epochs=8, hidden_layer_sizes=8, dtype="float32")
        fitted.fit(SERIES, KIND)
        kinds = [type(layer).__name__ for layer in fitted.model_.layers]
        assert kinds[:3] == ["InputScaling", "PaddingMask", "Bidirectional"]
        assert fitted.score(SERIES, KIND) > 0.8


def test_a_function_is_told_that_lengths_differ():
    told = []
    for X, y in ((SERIES, KIND), (TOKENS, LARGE)):
        network = of_series() if X is SERIES else of_tokens()
        classifier(lambda meta, network=network: told.append(meta) or network).fit(X, y)
    assert [(m.sample_shape, m.n_features) for m in told] == [((None, 3), 3), ((None,), 1)]


def test_doctor_looks_at_sequences_and_rows_held_out(case):
    made, X, y = case
    for estimator in (classifier(made()), classifier(made()).fit(X, y)):
        found = nnlite.doctor(estimator, X[:40], y[:40], (X[30:], y[30:]))
        names = [finding.name for finding in found.findings]
        assert names == ["duplicated rows across the split"]
    longer = [np.concatenate([x, x]) for x in X[:3]]
    assert nnlite.doctor(estimator, X, y, (longer, y[:3])).findings == []


def compiled(tokens, functional):
    """A function that makes a compiled model of its own."""

    def make():
        if functional:
            x = start = nnlite.Input((7,), dtype="int32") if tokens else nnlite.Input((7, 3))
            for layer in (of_tokens if tokens else of_series)():
                x = layer(x)
            model = nnlite.Model(start, layers.Dense(1, "sigmoid")(x))
        else:
            model = nnlite.Sequential([*(of_tokens if tokens else of_series)()])
            model.add(layers.Dense(1, "sigmoid"))
        model.compile(nnlite.optimizers.Adam(0.02), "binary_crossentropy")
        return model

    return make


@pytest.mark.parametrize("functional", [False, True])
@pytest.mark.parametrize("kind", [NNClassifier, KerasClassifier])
def test_compiled_models_do_not_count_what_fills_up(case, kind, functional):
    made, X, y = case
    X = X if made is of_tokens else [x - [0, 1000, 5] for x in X]
    network = compiled(made is of_tokens, functional)
    fitted = kind(network, epochs=3, random_state=0, dtype="float32").fit(X, y)
    inner = fitted.model_.layers[-1]
    assert isinstance(inner.optimizer, nnlite.optimizers.Adam) and fitted.n_iter_ == 3
    together = fitted.predict_proba(X)
    for k in (0, 7, 33):
        alone = X[k][None].astype("float32" if made is of_series else int)
        for layer in inner.layers:
            alone = layer(alone) if layer.name != "input_layer" else alone
        assert_allclose(alone.numpy().ravel(), together[k][1:], rtol=2e-5)


def test_bayesian_search_over_layers_units_and_dropout_of_an_lstm(case):
    skopt = pytest.importorskip("skopt")
    made, X, y = case
    first = made()[:-1]
    lstm = nnlite.Stack(*first, ("rnn", layers.LSTM(3)), ("drop", layers.Dropout(0.1)))
    other = nnlite.Stack(*first, layers.GRU(2))
    spaces = [
        ({"rnn__units": (2, 5), "drop__rate": (0.0, 0.5)}, 2),
        ({"layers": skopt.space.Categorical([lstm, other]), "epochs": (1, 4)}, 2),
    ]
    search = skopt.BayesSearchCV(classifier(lstm), spaces, cv=2, random_state=0).fit(X, y)
    assert len(search.cv_results_["params"]) == 4
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.predict(X[:2]).shape == (2,)


def test_japanese_vowels_by_the_default_network():
    (X, y), (X_test, y_test) = japanese_vowels()
    assert max(map(len, X_test)) > max(map(len, X))
    fitted = NNClassifier(epochs=12, learning_rate=0.003, random_state=0).fit(X, y)
    assert fitted.score(X_test, y_test) > 0.96
