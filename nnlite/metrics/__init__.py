"""Metrics: running values over batches. The split into batches does not change them."""

from nnlite import configurable, identifiers, lazy, losses, names
from nnlite.metrics.accuracy import AccuracyByShape
from nnlite.metrics.metric import Mean, MeanMetricWrapper, Metric, Sum

with lazy.imports(__name__):
    from nnlite.losses import (
        binary_crossentropy,
        binary_focal_crossentropy,
        categorical_crossentropy,
        categorical_focal_crossentropy,
        categorical_hinge,
        hinge,
        huber,
        kl_divergence,
        log_cosh,
        mean_absolute_error,
        mean_absolute_percentage_error,
        mean_squared_error,
        mean_squared_logarithmic_error,
        poisson,
        sparse_categorical_crossentropy,
        squared_hinge,
    )
    from nnlite.metrics.accuracy import (
        Accuracy,
        BinaryAccuracy,
        CategoricalAccuracy,
        SparseCategoricalAccuracy,
        SparseTopKCategoricalAccuracy,
        TopKCategoricalAccuracy,
        binary_accuracy,
        categorical_accuracy,
        sparse_categorical_accuracy,
        sparse_top_k_categorical_accuracy,
        top_k_categorical_accuracy,
    )
    from nnlite.metrics.confusion import (
        F1Score,
        FalseNegatives,
        FalsePositives,
        FBetaScore,
        Precision,
        Recall,
        TrueNegatives,
        TruePositives,
    )
    from nnlite.metrics.curves import (
        AUC,
        PrecisionAtRecall,
        RecallAtPrecision,
        SensitivityAtSpecificity,
        SpecificityAtSensitivity,
    )
    from nnlite.metrics.means import (
        BinaryCrossentropy,
        CategoricalCrossentropy,
        CategoricalHinge,
        ConcordanceCorrelation,
        CosineSimilarity,
        Hinge,
        KLDivergence,
        LogCoshError,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanSquaredError,
        MeanSquaredLogarithmicError,
        PearsonCorrelation,
        Poisson,
        RootMeanSquaredError,
        SparseCategoricalCrossentropy,
        SquaredHinge,
        concordance_correlation,
        cosine_similarity,
        pearson_correlation,
    )
    from nnlite.metrics.overlap import BinaryIoU, IoU, MeanIoU, OneHotIoU, OneHotMeanIoU
    from nnlite.metrics.r2 import R2Score

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "BinaryCrossentropy",
    "BinaryIoU",
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "ConcordanceCorrelation",
    "CosineSimilarity",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Hinge",
    "IoU",
    "KLDivergence",
    "LogCoshError",
    "Mean",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanIoU",
    "MeanMetricWrapper",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Metric",
    "OneHotIoU",
    "OneHotMeanIoU",
    "PearsonCorrelation",
    "Poisson",
    "Precision",
    "PrecisionAtRecall",
    "R2Score",
    "Recall",
    "RecallAtPrecision",
    "RootMeanSquaredError",
    "SensitivityAtSpecificity",
    "SparseCategoricalAccuracy",
    "SparseCategoricalCrossentropy",
    "SparseTopKCategoricalAccuracy",
    "SpecificityAtSensitivity",
    "SquaredHinge",
    "Sum",
    "TopKCategoricalAccuracy",
    "TrueNegatives",
    "TruePositives",
    "binary_accuracy",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "concordance_correlation",
    "cosine_similarity",
    "deserialize",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "pearson_correlation",
    "poisson",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
    "sparse_top_k_categorical_accuracy",
    "squared_hinge",
    "top_k_categorical_accuracy",
]

__getattr__ = names.of(__name__)

_CLASSES = {
    configurable.snake_case(name): name
    for name in __all__
    if name[0].isupper() and name not in ("Metric", "MeanMetricWrapper")
}
_CLASSES |= {
    alias: _CLASSES[name]
    for alias, name in {
        "acc": "accuracy",
        "bce": "binary_crossentropy",
        "fbeta_score": "f_beta_score",
        "kld": "kl_divergence",
        "logcosh": "log_cosh_error",
        "mae": "mean_absolute_error",
        "mape": "mean_absolute_percentage_error",
        "mse": "mean_squared_error",
        "msle": "mean_squared_logarithmic_error",
        "rmse": "root_mean_squared_error",
    }.items()
}
_BY_NAME = lazy.Objects(
    losses._BY_NAME.paths  # the mean of any loss is a metric, too
    | {key: f"{__name__}.{name}" for key, name in _CLASSES.items()}
)
_NAMES = lazy.Objects(_BY_NAME.paths | {name: f"{__name__}.{name}" for name in _CLASSES.values()})


def get(identifier):
    """The metric object for an identifier.

    Parameters
    ----------
    identifier : str, dict, type, Metric, Loss, callable or None
        - a name of a metric or a loss: 'AUC', 'mae', ...,
        - a dict of a 'class_name' and its 'config', or a subclass of Metric,
        - a Metric, which is returned itself,
        - a Loss, or a function `f(y_true, y_pred)`: the metric is its mean over samples,
        - None, which is returned itself.

    Returns
    -------
    Metric or None

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If the identifier is of another kind.
    """
    found = identifiers.find("metric", identifier, _NAMES, callable)
    return found if found is None or isinstance(found, Metric) else MeanMetricWrapper(found)


serialize, deserialize = identifiers.as_dicts(__name__, "metric", get, "AUC(curve='PR')")


def as_metric(identifier):
    """The metric for an identifier, as a model needs it.

    A name becomes the key in logs, and 'accuracy' or 'acc' an accuracy that fits the outputs.

    Parameters
    ----------
    identifier
        As for `get`.

    Returns
    -------
    Metric
    """
    by_shape = isinstance(identifier, str) and identifier.lower() in ("accuracy", "acc")
    found = AccuracyByShape() if by_shape else get(identifier)
    if isinstance(identifier, str):
        found.name = identifier
    return found
