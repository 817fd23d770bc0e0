"""Estimators as files: the same bits after loading, every attribute, every setting; what is
refused."""

import json
import sys
import zipfile

import numpy as np
import pytest
from estimators_saved import (
    ESTIMATORS,
    KNOWN,
    RNG,
    TWO,
    X,
    assert_same,
    assert_same_estimator,
    assert_same_predictions,
)
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

import nnlite
from nnlite import NNClassifier, callbacks, layers
from nnlite.estimators.sequences import as_array
from nnlite.models import load_model
from nnlite.saving import safetensors

pytest.importorskip("h5py")


@pytest.fixture(params=[(kind, end) for kind in ESTIMATORS for end in ("keras", "safetensors")])
def saved(request, tmp_path):
    """A fitted estimator, the path of its file, and its data."""
    kind, ending = request.param
    make, x, y = ESTIMATORS[kind]
    estimator = make(random_state=3, epochs=3, warm_start=True)
    path = tmp_path / f"estimator.{ending}"
    estimator.fit(x, y).save(path)
    return estimator, path, x, y


def test_loaded_estimator_is_the_one_that_was_saved_and_goes_on_with_its_bits(saved):
    estimator, path, x, y = saved
    again = nnlite.load(path, KNOWN)
    assert_same_estimator(estimator, again)
    assert_same_predictions(estimator, again, x, y)
    if estimator.early_stopping == "auto" or not estimator.early_stopping:
        for e in (estimator, again):
            e.partial_fit(x, y)
        assert_same_predictions(estimator, again, x, y)
    for e in (estimator, again):
        e.fit(x, y)
    assert_same_predictions(estimator, again, x, y)
    assert_same_estimator(estimator, again)


def test_same_estimator_gives_the_same_bytes(saved, tmp_path):
    _, path, _, _ = saved
    nnlite.load(path, KNOWN).save(tmp_path / f"again{path.suffix}")
    assert (tmp_path / f"again{path.suffix}").read_bytes() == path.read_bytes()


def test_file_holds_the_model_for_load_model_too(saved):
    estimator, path, x, _ = saved
    model = load_model(path)
    x = as_array(estimator, x, reset=False)[0]
    assert_same(model.predict(x, verbose=0), estimator.model_.predict(x, verbose=0))


def test_without_the_optimizer_the_file_is_smaller_and_predicts_the_same(saved, tmp_path):
    estimator, path, x, y = saved
    size = path.stat().st_size
    estimator.save(path, include_optimizer=False)
    has_state = len(getattr(estimator, "best_epochs_", [1])) == 1  # several networks train on anew
    assert path.stat().st_size < size + (not has_state)
    again = nnlite.load(path, KNOWN)
    assert_same_predictions(estimator, again, x, y)
    again.fit(x, y)


@pytest.mark.parametrize("ending", ["keras", "safetensors"])
@pytest.mark.parametrize("kind", ESTIMATORS)
def test_estimator_that_is_not_fitted_comes_back_with_its_settings(kind, ending, tmp_path):
    make, x, y = ESTIMATORS[kind]
    estimator = make(random_state=1, epochs=2)
    estimator.save(tmp_path / f"e.{ending}")
    again = nnlite.load(tmp_path / f"e.{ending}", KNOWN)
    assert_same_estimator(estimator, again)
    assert_same_predictions(estimator.fit(x, y), again.fit(x, y), x, y)


@pytest.fixture
def small():
    return NNClassifier((4,), epochs=2, random_state=0).fit(X, TWO)


def there_and_back(estimator, tmp_path, **known):
    estimator.save(tmp_path / "e.safetensors")
    return nnlite.load(tmp_path / "e.safetensors", known)


def test_any_new_attribute_is_kept_or_refused_by_name(small, tmp_path):
    small.discovered_ = (np.float32(0.5), {"a": range(3)})
    small._remembered = np.arange(3)
    again = there_and_back(small, tmp_path)
    assert_same_estimator(small, again)
    small._open = sys.stdout
    with pytest.raises(TypeError, match=r"^_open: expected what a file can describe"):
        small.save(tmp_path / "other.safetensors")


def test_names_of_features_are_checked_as_before(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    small = NNClassifier((4,), epochs=1, random_state=0).fit(frame, TWO)
    again = there_and_back(small, tmp_path)
    assert again.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert_same_predictions(small, again, frame, TWO)
    with pytest.raises(ValueError, match="feature names"):
        again.predict(frame[["b", "a", "c", "d"]])
    with pytest.raises(ValueError, match="feature names"):
        again.predict(frame[["a", "b", "c"]])


def test_clone_and_searches_work_after_loading(small, tmp_path):
    again = there_and_back(small, tmp_path)
    assert_same_predictions(clone(again).fit(X, TWO), clone(small).fit(X, TWO), X, TWO)
    grid = {"hidden_layer_sizes": [(2,)], "optimizer__learning_rate": [0.01, 0.1]}
    scores = [
        GridSearchCV(e.set_params(layers=None), grid, cv=2).fit(X, TWO).cv_results_
        for e in (again, small)
    ]
    key = "mean_test_score"
    assert scores[0][key].tolist() == scores[1][key].tolist()


def test_requests_for_metadata_come_back(small, tmp_path):
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        small.set_fit_request(sample_weight=True, X_val="other")
        again = there_and_back(small, tmp_path)
        assert (
            again.get_metadata_routing()._serialize() == small.get_metadata_routing()._serialize()
        )


def test_random_state_goes_on_where_it_was(tmp_path):
    small = NNClassifier((4,), epochs=1, random_state=np.random.RandomState(3)).fit(X, TWO)
    again = there_and_back(small, tmp_path)
    assert_same_predictions(small.fit(X, TWO), again.fit(X, TWO), X, TWO)


class Mine(NNClassifier):
    def __init__(self, layers=None, *, extra=1, **settings):
        super().__init__(layers, **settings)
        self.extra = extra


def test_subclass_comes_back_where_it_is_known(tmp_path):
    mine = Mine(extra=(3,), epochs=1, random_state=0).fit(X, TWO)
    assert_same_estimator(mine, there_and_back(mine, tmp_path, Mine=Mine))
    with pytest.raises(ValueError, match="expected one of KerasClassifier"):
        nnlite.load(tmp_path / "e.safetensors")


def test_keras_opens_the_file_as_a_plain_model(tmp_path):
    keras = pytest.importorskip("keras")
    for name in ("two classes", "float32", "three", "labels", "images", "numbers"):
        make, x, y = ESTIMATORS[name]
        fitted = make(epochs=2, random_state=0).fit(x, y)
        fitted.save(tmp_path / "e.keras")
        theirs = keras.models.load_model(tmp_path / "e.keras")
        found = theirs.predict(x.astype("f4"), verbose=0)
        expected = fitted.model_.predict(x, verbose=0)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        for one, other in zip(theirs.optimizer.variables, fitted.model_.optimizer.variables):
            np.testing.assert_array_equal(np.asarray(one), other.numpy().astype(one.dtype))


def test_layers_that_keras_lacks_are_told_it_in_others(tmp_path):
    scaled = layers.InputScaling(mean=np.array([1.0, 2.0]), variance=4.0, input_shape=(2,))
    later = layers.Normalization(mean=0.5, variance=2.0)
    inner = nnlite.Sequential([layers.Dense(3)])
    model = nnlite.Sequential([scaled, later, inner, layers.Normalization()])
    names, first = [layer.name for layer in model.layers], model.layers[0].output
    model.save(tmp_path / "m.keras")
    assert [layer.name for layer in model.layers] == names and model.layers[0].output is first
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        config = json.loads(archive.read("config.json"))
    kinds = [entry["class_name"] for entry in config["config"]["layers"]]
    tail = [
        "Divide",
        "Square",
        "Add",
        "Sqrt",
        "Divide",
        "Normalization",
        "Sequential",
        "Normalization",
    ]
    assert kinds == ["InputLayer", "Normalization", *tail]
    del config["nnlite"]
    plain = nnlite.models.model_from_json(json.dumps(config))
    plain.set_weights(model.get_weights())
    again = load_model(tmp_path / "m.keras")
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in model.layers]
    x = RNG.normal(size=(9, 2))
    assert_same(again.predict(x, verbose=0), model.predict(x, verbose=0))
    np.testing.assert_allclose(plain.predict(x, verbose=0), again.predict(x, verbose=0), rtol=1e-5)


# What is refused


@pytest.mark.parametrize(
    "settings, words",
    [
        (
            {"layers": lambda: 8},
            "^layers: expected what a file can describe.*got <function <lambda>",
        ),
        ({"layers": [layers.Dense(3, lambda x: x)]}, "^layers: Dense: activation: .*<lambda>"),
        (
            {"callbacks": callbacks.LambdaCallback(print)},
            "^callbacks: LambdaCallback: on_epoch_beg",
        ),
        ({"scoring": StandardScaler()}, r"^scoring: expected .*got StandardScaler\(\)"),
        ({"class_weight": {1: sys.stdout}}, "^class_weight: expected .*got <"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
@pytest.mark.parametrize("ending", ["keras", "safetensors"])
def test_settings_that_are_no_data_are_refused_before_anything_is_written(
    settings, words, ending, tmp_path
):
    with pytest.raises(TypeError, match=f"(?s){words}"):
        NNClassifier(**settings).save(tmp_path / f"e.{ending}")
    held = []
    held.append(held)
    with pytest.raises(TypeError, match=r"^layers: expected a value that does not hold itself"):
        NNClassifier(held).save(tmp_path / f"e.{ending}")
    assert [*tmp_path.iterdir()] == []


def test_wrong_names_and_files_are_refused(small, tmp_path):
    with pytest.raises(
        ValueError, match=r"filepath: expected a name that ends in \.keras or \.safe"
    ):
        small.save(tmp_path / "e.pkl")
    with pytest.raises(FileNotFoundError, match="filepath: expected a file"):
        nnlite.load(tmp_path / "e.keras")
    small.save(tmp_path / "e.keras")
    with pytest.raises(FileExistsError, match="overwrite=False"):
        small.save(tmp_path / "e.keras", overwrite=False)
    for ending in ("keras", "safetensors"):
        path = tmp_path / f"m.{ending}"
        small.model_.save(path)
        with pytest.raises(ValueError, match=r"expected a file that an estimator.*load_model") as e:
            nnlite.load(path)
        assert str(path) in str(e.value)


def test_without_h5py_nothing_is_written(small, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r'pip install "nnlite\[files\]"'):
        small.save(tmp_path / "e.keras")
    assert [*tmp_path.iterdir()] == []
    assert_same_predictions(small, there_and_back(small, tmp_path), X, TWO)


def test_member_that_unpacks_to_much_is_refused_unread(small, tmp_path):
    path = tmp_path / "e.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("nnlite.json", b" " * 10**7)
    with pytest.raises(ValueError, match=r"nnlite\.json: expected at most 100 times the bytes"):
        nnlite.load(path)


def changed(path, change):
    """A copy of a .safetensors file whose data of the estimator were changed."""
    with open(path, "rb") as file:
        opened = safetensors.SafetensorsFile(file)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    data = json.loads(opened.strings["nnlite.estimator"])
    data = change(data) or data
    header["__metadata__"]["nnlite.estimator"] = data if isinstance(data, str) else json.dumps(data)
    text = json.dumps(header).encode()
    made = path.with_name("changed.safetensors")
    made.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    return made


def put(*keys, to):
    def change(data):
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = to

    return change


WRONG = {
    "no JSON": (lambda data: "{", "nnlite.json: expected JSON"),
    "no dict": (lambda data: "[1]", "nnlite.json: expected a dict"),
    "deep": (lambda data: "[" * 10**5, "nnlite.json: expected JSON"),
    "no class": (put("class", to=None), "expected one of KerasClassifier"),
    "other class": (
        put("class", to={"class_name": "system", "module": "os", "registered_name": "system"}),
        "expected one of KerasClassifier",
    ),
    "module that is not ours": (put("class", "module", to="os"), "expected one of KerasClassifier"),
    "no settings": (put("settings", to=None), "expected what an estimator is made of"),
    "unknown setting": (put("settings", "epoch", to=3), "unknown argument 'epoch'"),
    "unknown value": (put("settings", "epochs", to={"eval": "1"}), "epochs: expected a dict with"),
    "code": (
        put("settings", "scoring", to={"function": {"class_name": "system", "module": "os"}}),
        "scoring: function: 'system': expected a class or function of nnlite",
    ),
    "target": (put("target", 0, to="Target"), "target: expected one of Binary"),
    "target of nothing": (put("target", to=[]), "expected"),
    "requests": (put("requests", to={"dict": [["fit", 3]]}), "expected what an estimator"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_data_are_refused_with_the_name_of_the_file(kind, small, tmp_path):
    small.save(tmp_path / "e.safetensors")
    change, words = WRONG[kind]
    path = changed(tmp_path / "e.safetensors", change)
    with pytest.raises(ValueError, match=words) as caught:
        nnlite.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("ending", ["keras", "safetensors"])
def test_file_cut_anywhere_is_refused(ending, small, tmp_path):
    path = tmp_path / f"e.{ending}"
    small.save(path)
    whole = path.read_bytes()
    for size in RNG.integers(0, len(whole), 30):
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="expected"):
            nnlite.load(path)
