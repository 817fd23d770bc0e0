"""Import paths of Keras and TensorFlow lead to nnlite's own modules, and a name that is missing is
explained."""

import importlib
import pickle
import subprocess
import sys

import numpy as np
import pytest

import nnlite
import nnlite as tf
from nnlite import names


def python(code):
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


PATHS = """
    keras:Sequential keras.models:Sequential keras.layers:Dense keras.layers.core:Dense
    keras.datasets:mnist keras.datasets.mnist:load_data keras.callbacks:EarlyStopping
    keras.preprocessing.image:ImageDataGenerator keras.optimizers.legacy:Adam
    keras.preprocessing.text:Tokenizer keras.preprocessing.sequence:pad_sequences
    keras.preprocessing:sequence keras.utils:pad_sequences keras.utils.data_utils:get_file
    keras.datasets:imdb keras.datasets.reuters:get_label_names
    keras.utils:text_dataset_from_directory keras.preprocessing:image_dataset_from_directory
    keras.preprocessing.image:load_img keras.utils:img_to_array
    keras.preprocessing:timeseries_dataset_from_array
    keras.layers.experimental.preprocessing:Rescaling keras.layers.experimental:preprocessing
    keras.layers.advanced_activations:LeakyReLU keras.layers.convolutional:Conv2D
    keras.layers.merge:concatenate keras.layers.lookup:StringLookup
    keras.callbacks.backup:BackupAndRestore keras.utils:np_utils keras.utils.np_utils:to_categorical
    keras.wrappers.scikit_learn:KerasClassifier keras.optimizers.schedules:CosineDecay
    keras.backend:floatx keras.config:floatx keras.random:normal keras.regularizers:l2
    keras.constraints:max_norm keras.applications:VGG16 keras.applications.vgg16:preprocess_input
    keras.applications.resnet50:ResNet50 keras.applications.imagenet_utils:decode_predictions
    optimizers.legacy:SGD layers.experimental.preprocessing:Normalization
""".split()


@pytest.mark.parametrize("path", PATHS)
def test_paths_of_keras_lead_to_the_modules_of_nnlite(path):
    module, name = path.split(":")
    found = getattr(importlib.import_module(f"nnlite.{module}"), name)
    if hasattr(found, "__module__"):
        assert sys.modules[found.__module__].__name__ == found.__module__
        assert not found.__module__.startswith("nnlite.keras")


def test_no_file_is_imported_under_two_names():
    imports = "; ".join(f"import nnlite.{path.split(':')[0]}" for path in PATHS)
    code = f"""{imports}
import sys
files = [(m.__file__, id(m)) for m in sys.modules.values() if getattr(m, "__file__", None)]
files = {{f for f in files if "nnlite" in f[0]}}
print(len(files) - len({{f for f, _ in files}}), nnlite.keras.layers is nnlite.layers)"""
    assert python(code) == "0 True"


def test_what_is_pickled_through_keras_names_the_real_module():
    assert b"keras" not in pickle.dumps(nnlite.keras.layers.Dense)


def test_keras_as_an_import_brings_neither_scikit_learn_nor_downloads():
    code = "import nnlite.keras as keras, sys; from nnlite.keras.layers import Dense\n"
    assert python(code + "print({'sklearn', 'urllib.request'} & {*sys.modules})") == "set()"


# Names


@pytest.mark.parametrize("owner", names.COMING)
def test_no_name_that_is_said_to_come_is_there(owner):
    if owner == "nnlite.models.Model":
        there = dir(nnlite.Model)
    else:
        module = importlib.import_module(owner)
        there = [*vars(module), *getattr(module, "__all__", ())]
    coming = [name for words, _ in names.COMING[owner] for name in words.split()]
    assert coming and not set(coming) & set(there)


def test_a_name_that_is_not_there_yet_says_what_does_instead():
    with pytest.raises(AttributeError, match="datasets has no boston_housing yet"):
        assert nnlite.datasets.boston_housing
    with pytest.raises(AttributeError, match=r"Model has no to_yaml yet; model.save\('"):
        nnlite.Sequential().to_yaml()
    assert not hasattr(nnlite.datasets, "boston_housing")


def test_a_module_within_is_an_attribute_that_is_imported_when_it_is_asked_for():
    code = """import nnlite, sys
print("nnlite.layers.recurrent" in sys.modules, nnlite.layers.recurrent.RNN.__name__)
print(getattr(nnlite.layers, "recurrent.RNN", None), getattr(nnlite.layers, "", None))"""
    assert python(code).split() == ["False", "RNN", "None", "None"]


def test_an_import_of_a_name_says_the_same():
    with pytest.raises(ImportError, match="datasets has no boston_housing yet"):
        from nnlite.keras.datasets import boston_housing  # noqa: F401
    with pytest.raises(ImportError, match="no attribute 'Sequental'; did you mean 'Sequential'"):
        from nnlite import Sequental  # noqa: F401


PUBLIC = """
    activations:rleu applications:ResNet5 applications.vgg16:VGG architecture:Stak
    backend:squre callbacks:EarlyStoping data:Datset
    constraints:maxnorm
    datasets:mnits estimators:NNClasifier initializers:he_norml layers:Desne losses:MeanSquareError
    math:reduce_men metrics:Recal models:Sequental nn:softmx ops:matmull ops.image:resise
    optimizers:Adamm
    optimizers.schedules:CosineDecy saving:load_modl plotting:plot_histori preprocessing:imag
    preprocessing.image:ImageDataGenerater preprocessing.text:Tokeniser
    preprocessing.sequence:pad_sequence random:norml regularizers:L1L3 schedules:CosineDecy
    utils:to_categorial wrappers:scikitlearn wrappers.scikit_learn:KerasClasifier
""".split()


@pytest.mark.parametrize("path", PUBLIC)
def test_each_public_module_asks_what_a_misspelt_name_means(path):
    module, name = path.split(":")
    module = importlib.import_module(f"nnlite.{module}")
    with pytest.raises(AttributeError, match=f"{name}'; did you mean '"):
        getattr(module, name)


def test_a_misspelt_attribute_of_a_model_means_no_private_one():
    with pytest.raises(AttributeError, match=r"attribute 'foo'$"):
        nnlite.Sequential().foo  # noqa: B018
    with pytest.raises(AttributeError, match="'sumary'; did you mean 'summary'"):
        nnlite.Sequential().sumary()


def test_a_property_that_raises_keeps_its_own_words():
    class Unset(nnlite.Model):
        @property
        def temperature(self):
            raise AttributeError("call heat() first")

    with pytest.raises(AttributeError, match=r"call heat\(\) first"):
        Unset().temperature  # noqa: B018


# TensorFlow


X = np.array([[1.0, -2.0, 3.0], [0.5, 4.0, -1.0]], "float32")
SAME = {
    "reduce_mean": (lambda f: f(X, axis=1), X.mean(1)),
    "reduce_sum": (lambda f: f(X, 0, True), X.sum(0, keepdims=True)),
    "reduce_max": (lambda f: f(X), X.max()),
    "argmax": (lambda f: f(X), X.argmax(0)),
    "argmin": (lambda f: f(X, 1), X.argmin(1)),
    "cast": (lambda f: f(X > 0, tf.float32), X > 0),
    "concat": (lambda f: f([X, X], 0), np.concatenate([X, X])),
    "stack": (lambda f: f([X, X], axis=1), np.stack([X, X], 1)),
    "unstack": (lambda f: f(X, axis=1), X.T),
    "split": (lambda f: f(X, [1, 2], axis=1)[1], X[:, 1:]),
    "expand_dims": (lambda f: f(X, -1), X[..., None]),
    "squeeze": (lambda f: f(X[None], 0), X),
    "reshape": (lambda f: f(X, shape=[3, -1]), X.reshape(3, 2)),
    "transpose": (lambda f: f(X, perm=[1, 0]), X.T),
    "matmul": (lambda f: f(X, X, transpose_b=True), X @ X.T),
    "square": (lambda f: f(X), X * X),
    "equal": (lambda f: f(X, 4.0), X == 4),
    "where": (lambda f: f(X > 0, X, 0.0), np.where(X > 0, X, 0)),
    "clip_by_value": (lambda f: f(X, -1, 1), X.clip(-1, 1)),
    "clip_by_norm": (lambda f: f(X, 1.0, axes=[1]), X / np.linalg.norm(X, axis=1, keepdims=True)),
    "clip_by_global_norm": (
        lambda f: np.stack(f([X, None, 2 * X], 1.0)[0][::2]),
        np.stack([X, 2 * X]) / np.linalg.norm([X, 2 * X]),
    ),
    "norm": (lambda f: f(X), np.linalg.norm(X)),
    "gather": (lambda f: f(X, [1, 1, 0]), X[[1, 1, 0]]),
    "is_tensor": (lambda f: [f(tf.ones(2)), f(X)], [True, False]),
    "tile": (lambda f: f(X, [1, 2]), np.tile(X, (1, 2))),
    "cumsum": (lambda f: f(X), X.cumsum(0)),
    "linspace": (lambda f: f(0.0, 1.0, 5), np.linspace(0, 1, 5)),
    "floor": (lambda f: f(X), np.floor(X)),
    "round": (lambda f: f(X), np.round(X)),
    "sin": (lambda f: f(X), np.sin(X)),
    "cos": (lambda f: f(X), np.cos(X)),
    "logical_and": (lambda f: f(X > 0, X < 2), (X > 0) & (X < 2)),
    "logical_or": (lambda f: f(X > 2, X < 0), (X > 2) | (X < 0)),
    "logical_not": (lambda f: f(X > 0), X <= 0),
    "one_hot": (lambda f: f([2, 0], depth=3), np.eye(3)[[2, 0]]),
    "zeros_like": (lambda f: f(X), 0 * X),
    "range": (lambda f: f(2, 8, 3), [2, 5]),
    "fill": (lambda f: f([2, 2], 7), np.full((2, 2), 7)),
    "eye": (lambda f: f(3), np.eye(3)),
    "shape": (lambda f: f(X), (2, 3)),
}


@pytest.mark.parametrize("name", SAME)
def test_names_of_tensorflow_compute_what_numpy_does(name):
    compute, expected = SAME[name]
    result = np.asarray(compute(getattr(tf, name)))
    assert result.shape == np.shape(expected)
    np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_a_training_loop_of_tensorflow_runs_with_the_import_line_changed():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 3)).astype("float32")
    y = x @ np.array([[1.0], [-2.0], [0.5]], "float32")
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(64, seed=1).batch(16).prefetch(1)
    w = tf.Variable(tf.zeros((3, 1)))
    optimizer = tf.keras.optimizers.SGD(0.3)

    @tf.function
    def step(rows, targets):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(tf.matmul(rows, w) - targets))
        optimizer.apply_gradients(zip(tape.gradient(loss, [w]), [w]))
        return loss

    losses = [float(step(rows, targets)) for _ in range(20) for rows, targets in data]
    assert losses[-1] < 1e-3 < losses[0]
    np.testing.assert_allclose(w.numpy(), [[1], [-2], [0.5]], atol=0.05)


def test_config_and_data_are_those_of_tensorflow():
    assert tf.config.list_physical_devices("GPU") == []
    assert len(tf.config.list_physical_devices()) == 1
    assert tf.data.AUTOTUNE == tf.data.experimental.AUTOTUNE


def test_functions_are_eager_but_in_a_model_that_is_traced():
    seen = []

    class Look(nnlite.layers.Layer):
        def call(self, x):
            seen.append(nnlite.executing_eagerly())
            return x

    layer = Look()
    layer(np.ones((1, 2)))
    layer(nnlite.Input((2,)))
    assert nnlite.executing_eagerly() and seen == [True, False]


def test_random_numbers_follow_from_set_seed():
    def draw():
        tf.random.set_seed(3)
        return tf.random.normal((4,)).numpy().tobytes(), tf.random.uniform((2,)).numpy().tobytes()

    assert draw() == draw()


def test_set_random_seed_seeds_numpy_and_python_too():
    import random

    def draw():
        tf.keras.utils.set_random_seed(11)
        return random.random(), np.random.rand(), float(tf.random.normal(()))  # noqa: NPY002

    assert draw() == draw()


def test_modules_within_are_imported_when_first_asked_for():
    assert python("""
import nnlite
print(nnlite.ops.image.resize.__name__, nnlite.layers.attention.Attention.__name__)
print(hasattr(nnlite.layers, "nothing"), hasattr(nnlite.backend, "nothing"))
""").split() == ["resize", "Attention", "False", "False"]


def test_threads_may_ask_for_names_that_are_imported_when_first_used():
    assert not python("""
import builtins, sys, threading
import sklearn.base  # which imports in a circle
import nnlite

def ask(number):
    try:
        for module in (nnlite.layers, nnlite.ops, nnlite):
            for name in sorted(dir(module), key=lambda name: hash((name, number))):
                getattr(module, name)
    except BaseException as error:
        print(repr(error))

sys.setswitchinterval(1e-6)
own = builtins.__import__
threads = [threading.Thread(target=ask, args=[n]) for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert builtins.__import__ is own
""")
