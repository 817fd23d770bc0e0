"""Sparse rows, as text makes them: the same bits as dense ones, and never dense all at once."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline

import nnlite
from nnlite import NNClassifier, NNRegressor
from nnlite.layers import Dense

RNG = np.random.RandomState(0)
DENSE = np.where(RNG.rand(150, 40) < 0.1, RNG.randn(150, 40), 0)
KIND = (DENSE[:, :3] + 0.1).argmax(axis=1)
FORMATS = [
    sparse.csr_array,
    sparse.csr_matrix,
    sparse.csc_array,
    sparse.csc_matrix,
    sparse.coo_array,
    sparse.lil_array,
    sparse.dok_array,
    sparse.bsr_array,
    sparse.dia_array,
]


# Rows and rates as they are: what is tested here is computed by hand from them.
PLAIN = {"normalize": False, "schedule": None, "batch_size": 200}


def classifier(**settings):
    return NNClassifier(
        **{"ensemble": 1, "epochs": 5, "random_state": 0, **PLAIN, "batch_size": 16, **settings}
    )


def weights(model):
    return [w.numpy().tobytes() for w in model.weights]


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.__name__)
@pytest.mark.filterwarnings("ignore:Constructing a DIA")
def test_every_format_trains_and_predicts_as_dense_rows_do(form):
    dense, fitted = classifier().fit(DENSE, KIND), classifier().fit(form(DENSE), KIND)
    assert weights(fitted.model_) == weights(dense.model_)
    assert_array_equal(fitted.predict_proba(form(DENSE)), dense.predict_proba(DENSE))
    assert_array_equal(fitted.decision_function(DENSE), dense.decision_function(form(DENSE)))


@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "int8", "bool", "uint16"])
def test_every_type_of_entries(kind):
    rows = np.round(3 * np.abs(DENSE)).astype(kind)
    dense, fitted = classifier().fit(rows, KIND), classifier().fit(sparse.csr_array(rows), KIND)
    assert fitted.dtype_ == dense.dtype_ and weights(fitted.model_) == weights(dense.model_)


def test_indices_of_64_bits_and_entries_out_of_order_or_twice():
    rows = sparse.csr_array(DENSE)
    rows.indices, rows.indptr = rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
    expected = weights(classifier().fit(DENSE, KIND).model_)
    assert weights(classifier().fit(rows, KIND).model_) == expected
    half = sparse.coo_array(DENSE / 2)
    twice = sparse.csr_array(
        (np.r_[half.data, half.data][::-1], np.tile(np.array(half.coords), 2)[:, ::-1]), DENSE.shape
    )
    begin = np.r_[0, np.cumsum(2 * (DENSE != 0).sum(axis=1))]
    columns = np.concatenate([np.tile(row.nonzero()[0], 2)[::-1] for row in DENSE])
    values = np.concatenate([np.tile(row[row != 0] / 2, 2)[::-1] for row in DENSE])
    raw = sparse.csr_array((values, columns, begin), DENSE.shape)
    before = raw.data.copy()
    for given in (twice, raw):
        assert weights(classifier().fit(given, KIND).model_) == expected
    assert_array_equal(raw.data, before)


def test_early_stopping_weights_and_rows_brought_along():
    settings = {"early_stopping": True, "scoring": "accuracy", "refit_full": True}
    w = RNG.randint(0, 3, 150)
    one = classifier(**settings).fit(DENSE, KIND, w)
    other = classifier(**settings).fit(sparse.csr_array(DENSE), KIND, w)
    assert weights(one.model_) == weights(other.model_) and one.history_ == other.history_
    rows = sparse.csr_array(DENSE)
    held = classifier().fit(rows, KIND, X_val=rows[:20], y_val=KIND[:20])
    assert len(held.validation_loss_curve_) == 5
    streamed = classifier().partial_fit(rows, KIND, classes=[0, 1, 2]).partial_fit(rows, KIND)
    assert streamed.n_iter_ == 2
    assert NNRegressor(epochs=1).fit(rows, DENSE[:, 0]).predict(rows).shape == (150,)


def test_a_model_takes_sparse_rows():
    def fitted(x, eagerly=False):
        nnlite.utils.set_random_seed(0)
        model = nnlite.Sequential([Dense(8, activation="relu"), Dense(3, activation="softmax")])
        model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=eagerly)
        model.fit(x, KIND, epochs=2, verbose=0, validation_split=0.2)
        return model

    rows = sparse.csr_matrix(DENSE)
    dense, thin = fitted(DENSE), fitted(rows)
    assert weights(dense) == weights(thin) == weights(fitted(rows, eagerly=True))
    assert_array_equal(thin.predict(rows, verbose=0), dense.predict(DENSE, verbose=0))
    assert thin.evaluate(rows, KIND, verbose=0) == dense.evaluate(DENSE, KIND, verbose=0)


def test_text():
    texts = ["good film", "bad film", "good fun", "bad taste", "fun", "no taste"] * 5
    mood = np.array(["+", "-", "+", "-", "+", "-"] * 5)
    for words in (TfidfVectorizer(), CountVectorizer()):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            pipe = make_pipeline(words, classifier(epochs=60)).fit(texts, mood)
        assert pipe.score(texts, mood) == 1.0


MEASURE = """
import resource, sys
import numpy as np
from scipy import sparse
from nnlite import NNClassifier

rows, columns = 5_000, 20_000  # dense: 400 MB in float32
X = sparse.random_array((rows, columns), density=1e-3, format=sys.argv[1], dtype=np.float32,
                        rng=np.random.default_rng(0))
y = np.arange(rows) % 2
X[:500].toarray()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
small = NNClassifier(hidden_layer_sizes=4, epochs=1)
before = peak()
small.fit(X, y)
small.predict(X)
print(peak() - before)
"""


@pytest.mark.parametrize("form", ["csr", "csc"])
def test_only_batches_become_dense(form, tmp_path):
    command = [sys.executable, "-c", MEASURE, form]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    # A batch of 256 rows takes 20 MB, all of them 400.
    assert int(done.stdout) < 200


def test_wrong_sparse_rows_are_errors():
    bad = sparse.csr_array(DENSE)
    bad.data[3] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        classifier().fit(bad, KIND)
    fitted = classifier().fit(sparse.csr_array(DENSE), KIND)
    with pytest.raises(ValueError, match=r"39 features.*40 features"):
        fitted.predict(sparse.csr_array(DENSE[:, :39]))
    images = classifier(layers=[nnlite.layers.Flatten(input_shape=(5, 8))])
    with pytest.raises(ValueError, match=r"X: expected shape \(N, 5, 8\)"):
        images.fit(sparse.csr_array(DENSE), KIND)
    model = nnlite.Sequential([Dense(3)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="x: expected finite values"):
        model.fit(bad, KIND, verbose=0)


# Other rows that lie where they lie


def test_read_only_and_memory_mapped_rows(tmp_path):
    expected = weights(classifier().fit(DENSE, KIND).model_)
    np.save(tmp_path / "rows.npy", DENSE)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    fixed, labels = DENSE.copy(), KIND.copy()
    fixed.flags.writeable = labels.flags.writeable = False
    thin = sparse.csr_array(DENSE)
    thin.data.flags.writeable = thin.indices.flags.writeable = thin.indptr.flags.writeable = False
    for X in (mapped, fixed, thin):
        fitted = classifier().fit(X, labels)
        assert weights(fitted.model_) == expected
        assert_array_equal(fitted.predict(X), fitted.predict(DENSE))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(library):
    frames = pytest.importorskip(library)
    names = [f"f{k}" for k in range(40)]
    frame = frames.DataFrame({name: DENSE[:, k] for k, name in enumerate(names)})
    fitted = classifier().fit(frame, frames.Series(KIND))
    assert_array_equal(fitted.feature_names_in_, names)
    assert weights(fitted.model_) == weights(classifier().fit(DENSE, KIND).model_)
    other = frame[names[::-1]]
    with pytest.raises(ValueError, match=r"[Ff]eature names"):
        fitted.predict(other)
