"""`nnlite demo`: train, evaluate, search, save and plot, as a scikit-learn user would.

It trains Pipelines with a dense and with a convolutional network, runs a search, pickles the second
Pipeline, checks that the loaded one predicts the same bits, and draws a picture.
"""

import io
import math
import os
import pickle
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from nnlite.atomic_write import write_whole
from nnlite.callbacks import EarlyStopping
from nnlite.datasets import mnist
from nnlite.engine import _engine, dispatch
from nnlite.estimators import NNClassifier
from nnlite.estimators.architecture import Stack
from nnlite.layers import Conv2D, Dense, Dropout, Flatten, Layer, MaxPooling2D
from nnlite.optimizers import Adam
from nnlite.optimizers.schedules import CosineDecay
from nnlite.progress import ProgressBar
from nnlite.terminal import is_live, write
from nnlite.versions import __version__
from nnlite.visualization import report

SEARCH_ROWS, SEARCH_EPOCHS, FOLDS = 3_000, 5, 3
SEARCH_SETTINGS, INITIAL_SETTINGS, SHOWN_SETTINGS = 16, 8, 6  # settings of the Bayesian search


class Network(NamedTuple):
    """A network that the demo trains, with its training settings."""

    name: str
    description: str
    layers: list[Layer]
    batch: int
    epochs: int
    rate: float | None  # initial learning rate, which falls to 0; None: Adam's constant default
    patience: (
        int | None
    )  # epochs without a better one after which training stops; None: it never does


class Trained(NamedTuple):
    """A trained network and its results."""

    pipeline: Pipeline
    history: dict
    predictions: np.ndarray  # of the test images
    accuracy: float
    seconds: float


class Data(NamedTuple):
    """A data set, with the settings of the demo for it."""

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    white: int  # the largest value of a pixel
    held_out: int  # images of x_train that are kept for the validation curve
    networks: tuple[Network, ...]  # the first is searched, the last is kept

    @property
    def is_small(self):
        """Whether an epoch is too short to be worth a line."""
        return len(self.x_train) < 10_000


def scale_pixels(images, white):
    """Images (N, H, W) with pixels in [0, white] as rows of float32 in [0, 1].

    The pickled pipeline refers to this function; a program that loads it imports `nnlite.demo`.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite.demo import scale_pixels
    >>> scale_pixels(np.array([[[0, 255], [51, 102]]], np.uint8), 255)
    array([[0. , 1. , 0.2, 0.4]], dtype=float32)
    """
    images = np.asarray(images)
    return np.divide(images.reshape(len(images), -1), np.float32(white), dtype=np.float32)


def _mnist():
    (x_train, y_train), (x_test, y_test) = mnist.load_data()
    convolutions = [
        Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)),
        MaxPooling2D((2, 2)),
        Conv2D(64, (3, 3), activation="relu"),
        MaxPooling2D((2, 2)),
        Conv2D(64, (3, 3), activation="relu"),
        Flatten(),
        Dense(64, activation="relu"),
    ]
    networks = (
        _perceptron("784-512-256-10, dropout 0.2", epochs=10),
        _convolutional("32-64-64 filters of 3 x 3, 64-10", convolutions, batch=128, epochs=3),
    )
    return Data("MNIST", x_train, y_train, x_test, y_test, 255, 2_000, networks)


def _digits(seed):
    digits = load_digits()
    images = digits.images.astype(np.uint8)
    x_train, x_test, y_train, y_test = train_test_split(
        images, digits.target, test_size=0.25, random_state=seed, stratify=digits.target
    )
    convolutions = [
        Conv2D(32, (3, 3), activation="relu", padding="same", input_shape=(8, 8, 1)),
        Conv2D(64, (3, 3), activation="relu"),
        MaxPooling2D((2, 2)),
        Flatten(),
        Dropout(0.4),
        Dense(64, activation="relu"),
    ]
    networks = (
        _perceptron("64-512-256-10, dropout 0.2", epochs=40),
        _convolutional("32-64 filters of 3 x 3, 64-10", convolutions, batch=32, epochs=20),
    )
    return Data("digits", x_train, y_train, x_test, y_test, 16, 200, networks)


def _perceptron(sizes, epochs):
    hidden = [Dense(512, activation="relu"), Dense(256, activation="relu")]
    layers = [hidden[0], Dropout(0.2), hidden[1], Dropout(0.2)]
    return Network("Multilayer perceptron", sizes, layers, 128, epochs, None, patience=2)


def _convolutional(description, layers, batch, epochs):
    return Network("Convolutional network", description, layers, batch, epochs, 0.002, None)


def _load(which, seed):
    """The data set `which`; for None MNIST, or digits if MNIST is not available."""
    if which == "digits":
        return _digits(seed)
    try:
        return _mnist()
    except OSError as error:
        if which == "mnist":
            raise
        _print(f"{error}\n\nMNIST is not available: scikit-learn's digits take its place.\n")
        return _digits(seed)


def _optimizer(data, network):
    """Adam, with a cosine decay of the learning rate if the network has an initial one."""
    if network.rate is None:
        return Adam()
    steps = math.ceil((len(data.x_train) - data.held_out) / network.batch)
    return Adam(CosineDecay(network.rate, steps * network.epochs))


def _stopping(network):
    """What stops the training, and keeps the best epoch. Where the rate falls to 0 with the last
    epoch, nothing does: it provides the validation curve."""
    if network.patience is None:
        return EarlyStopping(patience=network.epochs)
    return EarlyStopping(patience=network.patience, restore_best_weights=True)


def _pipeline(data, network, seed):
    """The classifier from images to labels."""
    return Pipeline(
        [
            ("scale", FunctionTransformer(scale_pixels, kw_args={"white": data.white})),
            (
                "network",
                NNClassifier(
                    network.layers,
                    optimizer=_optimizer(data, network),
                    batch_size=network.batch,
                    epochs=network.epochs,
                    random_state=seed,
                    verbose=0 if data.is_small else 1,
                    early_stopping=_stopping(network),
                    validation_fraction=data.held_out / len(data.x_train),
                ),
            ),
        ]
    )


class AccuracyWithProgress:
    """The accuracy as a scorer that advances a progress bar."""

    def __init__(self, bar):
        self.bar = bar

    def __call__(self, estimator, X, y):
        score = estimator.score(X, y)
        self.bar.update(self.bar.done + 1)
        return score


def _search_pipeline(pipeline):
    """A copy of the pipeline with shorter training, for the search."""
    return clone(pipeline).set_params(
        network__early_stopping=False,
        network__epochs=SEARCH_EPOCHS,
        network__batch_size=32,
        network__verbose=0,
    )


def _bayes_search(pipeline, data, seed):
    """An unfitted BayesSearchCV over architectures, optimizers and learning rates."""
    from skopt import BayesSearchCV
    from skopt.space import Categorical, Real

    shape = (*data.x_train.shape[1:], 1)
    architectures = [
        Stack(Dense(64, activation="relu")),
        Stack(Dense(256, activation="relu"), Dropout(0.2)),
        Stack(Dense(256, activation="relu"), Dense(64, activation="relu")),
        Stack(
            Conv2D(8, (3, 3), activation="relu", padding="same", input_shape=shape),
            MaxPooling2D((2, 2)),
            Flatten(),
            Dense(64, activation="relu"),
        ),
    ]
    space = {
        "network__layers": Categorical(architectures),
        "network__optimizer": Categorical(["adam", "rmsprop", "sgd"]),
        "network__learning_rate": Real(1e-4, 1e-1, "log-uniform"),
    }
    return BayesSearchCV(
        _search_pipeline(pipeline),
        space,
        n_iter=SEARCH_SETTINGS,
        optimizer_kwargs={"n_initial_points": INITIAL_SETTINGS},
        cv=FOLDS,
        random_state=seed,
        error_score="raise",
    )


def _grid_search(pipeline):
    """An unfitted GridSearchCV over layers and learning rates."""
    grid = {
        "network__layers": [
            Stack(Dense(64, activation="relu")),
            Stack(Dense(256, activation="relu"), Dense(128, activation="relu")),
        ],
        "network__learning_rate": [0.0003, 0.001, 0.003],
    }
    return GridSearchCV(_search_pipeline(pipeline), grid, cv=FOLDS, error_score="raise")


def _search(pipeline, data, seed):
    """A fitted search on some of the images: BayesSearchCV if it is installed, else a grid."""
    try:
        search, tried = _bayes_search(pipeline, data, seed), SEARCH_SETTINGS
        _heading("Bayesian search")
        _row("searched", "4 architectures, 3 optimizers, learning rates from 0.0001 to 0.1")
    except ImportError:
        search = _grid_search(pipeline)
        tried = math.prod(len(values) for values in search.param_grid.values())
        _heading("Grid search")
        _print("  (a Bayesian one with scikit-optimize: pip install scikit-optimize)")
        _row("searched", "2 architectures, 3 learning rates")
    rows = min(SEARCH_ROWS, len(data.x_train))
    _row("on", f"{rows:,} of the training images, {SEARCH_EPOCHS} epochs for each of {FOLDS} folds")
    _row("so", "accuracies are below those above, of networks that saw more images more often")
    bar = ProgressBar(FOLDS * tried, "Fits", unit="fit")
    search.set_params(scoring=AccuracyWithProgress(bar))
    try:
        search.fit(data.x_train[:SEARCH_ROWS], data.y_train[:SEARCH_ROWS])
    finally:
        bar.close()
    return search


def demo(which=None, epochs=None, output="nnlite-demo", seed=0):
    """Run the demo and print its results.

    Parameters
    ----------
    which : {'mnist', 'digits'}, optional
        By default MNIST, or digits if MNIST is not available.
    epochs : int, optional
        The most epochs of each network; by default 10 and 3 on MNIST, 40 and 20 on digits.
    output : str or path, default 'nnlite-demo'
        Folder to which `model.pkl` and `report.png` are written.
    seed : int, default 0
        Determines the split of digits, the initial weights and the order of the batches.

    Returns
    -------
    int
        The exit code: 0, or 1 if the reloaded model gave other predictions.

    Raises
    ------
    OSError
        If the folder cannot be written, or `which` is MNIST and it is not available.
    """
    began = time.perf_counter()
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    _print(
        f"nnlite {__version__}, engine {dispatch.engine('float32').isa}, "
        f"threads {_engine.max_threads()}\n"
    )
    data = _load(which, seed)
    counts = f"{len(data.x_train):,} training and {len(data.x_test):,} test images"
    height, width = data.x_train.shape[1:]
    _row("data", f"{data.name}, {counts} of {height} x {width}")
    networks = [n._replace(epochs=epochs or n.epochs) for n in data.networks]
    trained = {network.name: _train(data, network, seed) for network in networks}
    first, *_, last = trained.values()

    search = _search(first.pipeline, data, seed)
    _show_search(search)

    _heading("Results")
    for name, one in trained.items():
        _row(name.lower(), f"{one.accuracy:.2%} in {one.seconds:.1f} seconds")
    same = _save_and_reload(last.pipeline, data, output / "model.pkl")
    _draw(output / "report.png", data, trained, search)
    _row("all in", f"{time.perf_counter() - began:.1f} seconds")
    return 0 if same else 1


def _train(data, network, seed):
    """Train a network and print its results."""
    _heading(network.name)
    _row("network", f"{network.description}, relu and softmax")
    most = "" if network.patience is None else "at most "
    _row("training", f"Adam, batches of {network.batch}, {most}{network.epochs} epochs")
    pipeline = _pipeline(data, network, seed)
    began = time.perf_counter()
    pipeline.fit(data.x_train, data.y_train)
    seconds = time.perf_counter() - began
    predictions = pipeline.predict(data.x_test)
    accuracy = float(np.mean(predictions == data.y_test))
    history, best = pipeline["network"].history_, pipeline["network"].best_epoch_
    epochs = len(history["loss"])
    rows = (len(data.x_train) - data.held_out) * epochs
    if epochs < network.epochs:
        _row("stopped", f"after epoch {epochs}; the weights are those of epoch {best}, the best")
    _row("weights", f"{pipeline['network'].model_.count_params():,}")
    _row("test accuracy", f"{accuracy:.2%}")
    _row("seconds", f"{seconds:.1f}")
    _row("samples/second", f"{rows / seconds:,.0f}")
    return Trained(pipeline, history, predictions, accuracy, seconds)


def _show_search(search):
    """Print a table of the best settings that were tried."""
    results = search.cv_results_
    order = np.argsort(-np.asarray(results["mean_test_score"]), kind="stable")
    _print(f"  {'accuracy':<16}{'optimizer':<11}{'rate':<9}hidden layers")
    for at in order[:SHOWN_SETTINGS]:
        tried = results["params"][at]
        mean, spread = results["mean_test_score"][at], results["std_test_score"][at]
        accuracy = f"{mean:.1%} ± {spread:.1%}"
        optimizer = tried.get("network__optimizer", "adam")
        rate, layers = f"{tried['network__learning_rate']:.2g}", _describe(tried["network__layers"])
        best = "  best" if at == search.best_index_ else ""
        _print(f"  {accuracy:<16}{optimizer:<11}{rate:<9}{layers}{best}")
    _print(f"  ... of {len(order)} settings, in {FOLDS} folds each")


def _describe(architecture):
    """A short description of an architecture."""
    words = {
        Dense: lambda layer: str(layer.units),
        Conv2D: lambda layer: f"{layer.filters} filters",
        Dropout: lambda layer: f"dropout {layer.rate}",
        MaxPooling2D: lambda layer: "pooled",
    }
    layers = [words[type(x)](x) for x in architecture.layers if type(x) in words]
    return ", ".join(layers)


def _save_and_reload(pipeline, data, path):
    """Pickle the pipeline, load it, and return whether the loaded one predicts the same bits."""
    write_whole(path, pickle.dumps(pipeline))
    again = pickle.loads(path.read_bytes())
    before, after = pipeline.predict_proba(data.x_test), again.predict_proba(data.x_test)
    same = before.dtype == after.dtype and before.tobytes() == after.tobytes()
    _row("model", f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
    _row(
        "reloaded",
        f"predictions of {len(after):,} images are bitwise the same"
        if same
        else "PREDICTIONS DIFFER from those of the model that was saved",
    )
    return same


def _draw(path, data, trained, search):
    """Write the picture, or print why it cannot be drawn."""
    picture = io.BytesIO()
    histories = {
        f"{name}: {one.accuracy:.2%} of the test images, {one.seconds:.1f} seconds": one.history
        for name, one in trained.items()
    }
    *_, (name, last) = trained.items()
    count = f"{len(data.x_test):,} test images"
    best = search.best_estimator_["network"].model_
    rows = f"{min(SEARCH_ROWS, len(data.x_train)):,} images, {SEARCH_EPOCHS} epochs"
    found = f"Search on {rows}: {search.best_score_:.2%} in {FOLDS} folds, by the network below"
    searched = found, search, best
    title = f"{data.name}: the {name.lower()} reads {last.accuracy:.2%} of {count}"
    try:
        report.demo_report(
            picture, histories, data.x_test, data.y_test, last.predictions, title, searched
        )
    except ImportError as error:
        _row("report", f"not drawn: {error}")
    else:
        write_whole(path, picture.getvalue())
        _row("report", path)


def _print(text):
    write(text)


def _row(name, value):
    _print(f"  {name:<23}{value}")


def _heading(text):
    bold = is_live(sys.stdout) and "NO_COLOR" not in os.environ
    _print(f"\n\033[1m{text}\033[0m" if bold else f"\n{text}")
