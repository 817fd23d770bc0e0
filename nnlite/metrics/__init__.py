"""Metrics: running values over batches. The split into batches does not change them."""

from nnlite import configurable, losses, names, registry
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
from nnlite.metrics.metric import Mean, MeanMetricWrapper, Metric, Sum
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
    "categorical_accuracy",
    "concordance_correlation",
    "cosine_similarity",
    "get",
    "pearson_correlation",
    "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy",
    "top_k_categorical_accuracy",
]

__getattr__ = names.of(__name__)

_CLASSES = {
    v
    for v in globals().values()
    if isinstance(v, type) and issubclass(v, Metric) and v not in (Metric, MeanMetricWrapper)
}
_BY_NAME = {configurable.snake_case(c.__name__): c for c in _CLASSES}
_BY_NAME |= {
    alias: _BY_NAME[name]
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
_BY_NAME = losses._BY_NAME | _BY_NAME  # the mean of any loss is a metric, too


def get(identifier):
    """The metric object for an identifier.

    Parameters
    ----------
    identifier : str, type, Metric, Loss or callable
        - a name of a metric or a loss: 'accuracy', 'AUC', 'mae', ...; it becomes the key in logs,
        - a subclass of Metric,
        - a Metric, which is returned itself,
        - a Loss, or a function `f(y_true, y_pred)`: the metric is its mean over samples.

    Returns
    -------
    Metric

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If the identifier is of another kind.
    """
    found = registry.find("metric", identifier, _BY_NAME, callable)
    if not isinstance(found, Metric):
        found = MeanMetricWrapper(found)
    if isinstance(identifier, str):
        found.name = identifier
    return found
