"""Losses: the error of a batch of predictions. Functions return one value per sample; classes
reduce these values to a scalar."""

from nnlite import configurable, identifiers, lazy, names
from nnlite.losses.loss import Loss, LossFunctionWrapper

with lazy.imports(__name__):
    from nnlite.losses.ctc_loss import CTC, ctc
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
        CategoricalCrossentropy,
        KLDivergence,
        Poisson,
        SparseCategoricalCrossentropy,
        binary_crossentropy,
        categorical_crossentropy,
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
    from nnlite.losses.weighted import (
        BinaryFocalCrossentropy,
        CategoricalFocalCrossentropy,
        CategoricalGeneralizedCrossEntropy,
        binary_focal_crossentropy,
        categorical_focal_crossentropy,
        categorical_generalized_cross_entropy,
    )

__all__ = [
    "CTC",
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "CategoricalGeneralizedCrossEntropy",
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
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "cosine_similarity",
    "ctc",
    "deserialize",
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
    "serialize",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]

__getattr__ = names.of(__name__)

_BASES = ("Loss", "LossFunctionWrapper")
_CLASSES = {
    configurable.snake_case(name): name
    for name in __all__
    if name[0].isupper() and name not in (*_BASES, "Pinball")  # Keras's name of Quantile
}
_CLASSES |= {
    alias: _CLASSES[name]
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
_BY_NAME = lazy.Objects({key: f"{__name__}.{name}" for key, name in _CLASSES.items()})
# A function is named as its class, in snake case.
_NAMES = lazy.Objects(
    {key: f"{__name__}.{configurable.snake_case(name)}" for key, name in _CLASSES.items()}
    | {name: f"{__name__}.{name}" for name in _CLASSES.values()}
)


def get(identifier):
    """The loss for an identifier.

    Parameters
    ----------
    identifier : str, dict, type, Loss, callable or None
        - a name in snake case: 'mean_squared_error', 'mse', ..., for the function, which gives one
          value per sample,
        - the name of a class: 'MeanSquaredError', ..., for a Loss,
        - a dict of a 'class_name' and its 'config', or a subclass of Loss, for a Loss,
        - a Loss, or a function `f(y_true, y_pred)`, which is returned itself,
        - None, which is returned itself.

    Returns
    -------
    Loss, callable or None

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If the identifier is of another kind.
    """
    return identifiers.find("loss", identifier, _NAMES, callable)


serialize, deserialize = identifiers.as_dicts(__name__, "loss", get, "Huber(0.5)")


def as_loss(identifier):
    """The Loss for an identifier, as a model needs it: that of a function is its mean over the
    batch.

    Parameters
    ----------
    identifier
        As for `get`.

    Returns
    -------
    Loss or None
    """
    found = get(identifier)
    if found is None or isinstance(found, Loss):
        return found
    known = _BY_NAME.get(getattr(found, "__name__", None))
    ours = known is not None and known.function is found
    return known() if ours else LossFunctionWrapper(found)
