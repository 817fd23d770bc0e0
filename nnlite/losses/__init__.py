"""Losses: the error of a batch of predictions. Functions return one value per sample; classes
reduce these values to a scalar."""

from nnlite import configurable, names, registry
from nnlite.losses.loss import Loss, LossFunctionWrapper
from nnlite.losses.margin import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from nnlite.losses.probabilistic import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    KLDivergence,
    Poisson,
    SparseCategoricalCrossentropy,
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from nnlite.losses.regression import (
    Huber,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Pinball,
    Quantile,
    huber,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    pinball,
    quantile,
)
from nnlite.losses.similarity import (
    Circle,
    CosineSimilarity,
    Dice,
    Tversky,
    circle,
    cosine_similarity,
    dice,
    tversky,
)

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalHinge",
    "Circle",
    "CosineSimilarity",
    "Dice",
    "Hinge",
    "Huber",
    "KLDivergence",
    "LogCosh",
    "Loss",
    "LossFunctionWrapper",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "Pinball",
    "Poisson",
    "Quantile",
    "SparseCategoricalCrossentropy",
    "SquaredHinge",
    "Tversky",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "dice",
    "get",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "pinball",
    "poisson",
    "quantile",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]

__getattr__ = names.of(__name__)

_CLASSES = [v for v in globals().values() if isinstance(v, type) and issubclass(v, Loss)]
_BY_NAME = {
    configurable.snake_case(c.__name__): c for c in _CLASSES if c not in (Loss, LossFunctionWrapper)
}
_BY_NAME |= {
    alias: _BY_NAME[name]
    for alias, name in {
        "bce": "binary_crossentropy",
        "huber_loss": "huber",
        "kld": "kl_divergence",
        "kullback_leibler_divergence": "kl_divergence",
        "logcosh": "log_cosh",
        "mae": "mean_absolute_error",
        "mape": "mean_absolute_percentage_error",
        "mse": "mean_squared_error",
        "msle": "mean_squared_logarithmic_error",
        "pinball": "quantile",
    }.items()
}


def get(identifier):
    """The loss object for an identifier.

    Parameters
    ----------
    identifier : str, type, Loss or callable
        - a name: 'mean_squared_error', 'MeanSquaredError', 'mse', ...,
        - a subclass of Loss,
        - a Loss, which is returned itself,
        - a function `f(y_true, y_pred)` that returns one value per sample.

    Returns
    -------
    Loss

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If the identifier is of another kind.
    """
    found = registry.find("loss", identifier, _BY_NAME, callable)
    return found if isinstance(found, Loss) else LossFunctionWrapper(found)
