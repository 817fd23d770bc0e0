"""What callbacks know of the value they watch: whether higher is better."""

import types

import numpy as np
import pytest
from small_models import D, X, Y, line

import nnlite as keras
from nnlite import callbacks, layers, losses, metrics, ops
from nnlite.callbacks.monitor import higher_is_better

NO_MEASURES = {
    getattr(m, n) for m in (metrics, losses) for n in ("get", "serialize", "deserialize")
}
RISING = [
    metrics.Recall(name="sensitivity"),
    metrics.AUC(name="roc"),
    metrics.BinaryAccuracy(name="hits"),
    metrics.F1Score(name="loss_of_none"),
    metrics.CosineSimilarity(),
    metrics.PearsonCorrelation(axis=0),
    metrics.BinaryIoU(),
    metrics.R2Score(name="explained"),
    metrics.TruePositives(),
    metrics.SpecificityAtSensitivity(0.5),
    metrics.MeanMetricWrapper(metrics.binary_accuracy),
    metrics.MeanMetricWrapper(metrics.pearson_correlation, name="error"),
    metrics.F1Score(name="f_loss"),
]
FALLING = [
    metrics.MeanAbsoluteError(name="accuracy_of_none"),
    metrics.FalseNegatives(),
    metrics.RootMeanSquaredError(name="scored"),
    metrics.MeanMetricWrapper(losses.Huber(), name="auc_like"),
    metrics.MeanMetricWrapper(losses.huber, name="score"),
    metrics.MeanMetricWrapper(lambda y, p: y, name="accel_loss"),
    metrics.Mean(name="g_loss"),
]


@pytest.mark.parametrize("metric", RISING + FALLING, ids=lambda m: m.name)
def test_metric_says_itself_whether_higher_is_better(metric):
    model = keras.Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse", metrics=[metric])
    for name in (metric.name, f"val_{metric.name}"):
        assert higher_is_better(model, name) is (metric in RISING)


@pytest.mark.parametrize(
    "name, expected",
    [
        *(("loss", False), ("val_loss", False), ("accel_loss", False), ("val_g_loss", False)),
        *(
            ("log_error", None),
            ("val_score", None),
            ("acc", None),
            ("val_auc", None),
            ("mse", None),
        ),
        *(("accuracy", None), ("lossy", None), ("learning_rate", None)),
    ],
)
def test_no_name_says_it_but_that_of_a_loss(name, expected):
    assert higher_is_better(types.SimpleNamespace(), name) is expected


def test_every_metric_and_function_of_nnlite_says_it_but_mean_and_sum():
    silent = {
        c
        for n, c in metrics._BY_NAME.items()
        if n in metrics._CLASSES and c.higher_is_better is None
    }
    assert silent == {metrics.Mean, metrics.Sum}
    functions = [
        f
        for m in (metrics, losses)
        for f in [getattr(m, n) for n in m.__all__]
        if f not in NO_MEASURES
    ]
    functions = [f for f in functions if not isinstance(f, type)]
    assert len(functions) > 20
    rising = {f for f in functions if metrics.MeanMetricWrapper(f).higher_is_better}
    assert rising == {f for f in functions if f.__module__.startswith("nnlite.metrics")}


class InKeras(metrics.Mean):
    """A metric that says it as Keras's do."""

    def __init__(self, direction):
        super().__init__("ours")
        self._direction = direction


@pytest.mark.parametrize("direction, expected", [("up", True), ("down", False), (None, None)])
def test_a_metric_or_function_may_say_it_as_in_keras(direction, expected):
    def ours(y_true, y_pred):
        return y_pred

    ours._direction = direction
    for metric in (InKeras(direction), ours, metrics.MeanMetricWrapper(ours)):
        model = line(D, metrics=[metric])
        assert higher_is_better(model, "val_ours") is expected


def test_an_instance_may_say_it():
    metric = metrics.MeanMetricWrapper(lambda y, p: p, name="spread")
    metric.higher_is_better = True
    assert higher_is_better(line(D, metrics=[metric]), "spread") is True


def test_losses_of_outputs_say_it_though_their_names_are_taken():
    a = keras.Input((3,))
    outputs = [layers.Dense(1, name=name)(a) for name in ("a", "a_loss")]
    model = keras.Model(a, outputs)
    model.compile("sgd", "mse")
    for name, metric in model._named_metrics():
        assert higher_is_better(model, name) is metric.higher_is_better is False


def test_metric_of_an_output_and_of_an_attribute_says_it():
    class Tracked(keras.Sequential):
        def __init__(self, *args):
            super().__init__(*args)
            self.hits = metrics.BinaryAccuracy(name="inner")

    model = Tracked([layers.Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse")
    assert higher_is_better(model, "val_inner") is True
    a = keras.Input((3,))
    left, right = layers.Dense(1, name="left")(a), layers.Dense(1, name="right")(a)
    model = keras.Model(a, [left, right])
    model.compile("sgd", "mse", metrics={"left": [metrics.R2Score(name="explained")]})
    assert higher_is_better(model, "left_explained") is True
    assert higher_is_better(model, "left_loss") is False


@pytest.mark.parametrize("kind", [callbacks.EarlyStopping, callbacks.ReduceLROnPlateau])
def test_what_does_not_say_it_asks_for_a_mode(kind):
    def spread(y_true, y_pred):
        return ops.max(y_pred, axis=-1)

    trained = []

    def fit(**settings):
        model = line(D)
        model.compile("sgd", "mse", metrics=[spread])
        watch = kind(monitor="spread", patience=1, **settings)
        note = callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: trained.append(epoch))
        return model.fit(X, Y, epochs=2, verbose=0, callbacks=[note, watch])

    with pytest.raises(ValueError, match=r"mode: expected 'min' or 'max', .*'spread' are better"):
        fit()
    assert not trained  # it is known before the first epoch
    assert len(fit(mode="max").epoch) == 2
    spread.higher_is_better = False
    assert len(fit().epoch) == 2


def test_best_epoch_is_that_of_the_highest_value_of_a_metric_under_any_name():
    model = keras.Sequential([layers.Dense(1, "sigmoid", input_shape=(3,))])
    model.set_weights([np.array([[-1.0], [0.5], [0.5]]), np.zeros(1)])  # wrong at first
    model.compile(keras.optimizers.SGD(1.0), "bce", metrics=[metrics.AUC(name="roc")])
    x = np.random.default_rng(0).normal(size=(100, 3))
    stop = callbacks.EarlyStopping("roc", patience=99, restore_best_weights=True)
    history = model.fit(x, x[:, :1] > 0, epochs=8, verbose=0, callbacks=stop).history["roc"]
    assert stop.best == max(history) > history[0] and stop.best_epoch == np.argmax(history)


def test_value_of_several_numbers_cannot_be_watched():
    model = keras.Sequential([layers.Dense(3, "softmax", input_shape=(3,))])
    model.compile("sgd", "categorical_crossentropy", metrics=[metrics.F1Score()])
    x = np.eye(3)
    with pytest.raises(
        ValueError, match="monitor: expected one number under the name 'f1_score', got"
    ):
        model.fit(x, x, verbose=0, callbacks=callbacks.EarlyStopping("f1_score"))
