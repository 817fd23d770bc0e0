"""What MLPClassifier and MLPRegressor compute, for files of other formats."""

from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from nnlite import ops
from nnlite.exporting.program import Computation
from nnlite.ops.activation import activation

_NAMES = {"identity": "linear", "logistic": "sigmoid", "relu": "relu", "tanh": "tanh"}
_FUNCTIONS = {"exp": ops.exp, "softmax": ops.softmax}


def computation_of(mlp):
    """The Computation of a fitted network, of its `coefs_` and `intercepts_`."""
    check_is_fitted(mlp)
    layers, classifies = list(zip(mlp.coefs_, mlp.intercepts_)), is_classifier(mlp)
    precision = str(layers[0][0].dtype)

    def function(x):
        for kernel, bias in layers[:-1]:
            x = ops.linear(x, kernel, bias, _NAMES[mlp.activation])
        x = ops.linear(x, *layers[-1])
        if mlp.out_activation_ in _FUNCTIONS:
            return _FUNCTIONS[mlp.out_activation_](x)
        y = activation(x, _NAMES[mlp.out_activation_])
        return ops.concatenate([1.0 - y, y], axis=1) if classifies and mlp.n_outputs_ == 1 else y

    def predict(x):
        return [(mlp.predict_proba if classifies else mlp.predict)(x).reshape(len(x), -1)]

    labels = classifies and not mlp._label_binarizer.y_type_.startswith("multilabel")
    return Computation(
        function=function,
        inputs=[("X", (mlp.n_features_in_,), precision)],
        outputs=["probabilities" if classifies else "predictions"],
        precision=precision,
        predict=predict,
        classes=mlp.classes_ if labels else None,
        name=type(mlp).__name__,
    )
