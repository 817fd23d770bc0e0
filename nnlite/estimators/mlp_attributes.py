"""What MLPClassifier tells of a fit, also of NNClassifier and NNRegressor."""

import math

import numpy as np

from nnlite.layers import Dense

ACTIVATIONS = {None: "identity", "sigmoid": "logistic"}


class MLPAttributes:
    """The fitted attributes of MLPClassifier and MLPRegressor, under their names."""

    @property
    def coefs_(self):
        """The kernels of the Dense layers, copies of shape (inputs, units), if those are the only
        layers with weights that are trained. They are those of the scaled inputs."""
        return [layer.kernel.numpy() for layer in self._dense_layers("coefs_")]

    @property
    def intercepts_(self):
        """The biases of the Dense layers, as `coefs_`; 0 of one without."""
        layers = self._dense_layers("intercepts_")
        return [
            np.zeros(x.units, x.kernel.dtype) if x.bias is None else x.bias.numpy() for x in layers
        ]

    @property
    def n_layers_(self):
        """The number of Dense layers and that of the inputs, as `coefs_`."""
        return len(self._dense_layers("n_layers_")) + 1

    @property
    def out_activation_(self):
        """The activation of the last layer, by scikit-learn's names: 'logistic', 'softmax' or
        'identity'."""
        self._model_for("out_activation_")
        return ACTIVATIONS.get(self._target.activation, self._target.activation)

    @property
    def best_loss_(self):
        """The least loss of an epoch of training."""
        self._model_for("best_loss_")
        return min(self.loss_curve_, default=math.nan)

    @property
    def validation_scores_(self):
        """The score of the rows held out after each epoch: that of `scoring`, else a classifier's
        accuracy; None if there is none."""
        self._model_for("validation_scores_")
        return self.history_.get("val_score", self.history_.get("val_accuracy"))

    @property
    def best_validation_score_(self):
        """The best of `validation_scores_`, or None."""
        scores = self.validation_scores_
        return max(scores) if scores else None

    def _model_for(self, name):
        if not hasattr(self, "model_"):
            raise AttributeError(f"{type(self).__name__}: {name}: expected fit before, got none")
        return self.model_

    def _dense_layers(self, name):
        model = self._model_for(name)
        if len(self.best_epochs_) > 1:
            raise AttributeError(
                f"{type(self).__name__}: {name}: expected one network, as ensemble=1 trains, got "
                f"{len(self.best_epochs_)}; model_.get_weights() has the weights of all"
            )
        layers = [x for x in model.layers if x.trainable_variables]
        others = [x for x in layers if not isinstance(x, Dense)]
        if others:
            raise AttributeError(
                f"{type(self).__name__}: {name}: expected a network of Dense layers, got "
                f"{type(others[0]).__name__}; model_.get_weights() has the weights of any"
            )
        return layers
