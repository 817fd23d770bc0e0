"""What a service asks of a fitted estimator.

The one idea: rows are checked request by request, so that an error is that request's own; then
those of several requests are predicted in one run, from which labels and probabilities both
come."""

import copy

import numpy as np

from nnlite.estimators import input_validation


class Predictor:
    """A fitted estimator, for predictions of which checks and runs are apart.

    Parameters
    ----------
    estimator : NNClassifier or NNRegressor

    Attributes
    ----------
    columns : dict of str to str, or None
        The names that columns had in `fit`, and for each 'numbers', 'strings' or 'values' of any
        kind; None if there were no names.
    row_shape : tuple of int
        -1 stands for any length.
    filled_to : int or None
        The least length to which sequences of different lengths are filled up, beside that of the
        longest; None if X is no sequences of different lengths.
    takes_tokens : bool
    takes_lists : bool
        Whether X may be lists that are no array of numbers: of categories, of different lengths.
    classes : array or None
        Of a classifier.
    gives : tuple of str
        What is predicted: 'label' and 'probabilities', in the order of `classes`; or 'prediction'.
    """

    def __init__(self, estimator):
        self._estimator = estimator
        self._nameless = copy.copy(estimator)  # of which scikit-learn wants no names
        vars(self._nameless).pop("feature_names_in_", None)
        self._nameless._columns = None
        names = getattr(estimator, "feature_names_in_", None)
        self.columns = None
        if names is not None:
            known = [None] * len(names)
            if estimator._columns is not None:
                known = estimator._columns.vocabularies
            self.columns = {str(name): _kind_of(k) for name, k in zip(names, known)}
        shape = estimator._sample_shape
        self.row_shape = (-1, *shape[1:]) if estimator._ragged else tuple(shape)
        self.filled_to = shape[0] if estimator._ragged else None
        self.takes_tokens = estimator._vocabulary is not None
        self.takes_lists = estimator._ragged or estimator._columns is not None
        self.classes = getattr(estimator, "classes_", None)
        self.gives = ("prediction",) if self.classes is None else ("label", "probabilities")

    def rows(self, X):
        """X, checked, as the model takes it: an array whose first axis is that of the rows.

        Parameters
        ----------
        X : array-like, or dict of str to array
            As for `predict`; or the columns by name.
        """
        table = self._estimator._columns
        if isinstance(X, dict):
            in_order = [X[name] for name in self.columns]
            X = np.empty((len(in_order[0]), len(in_order)), np.float64 if table is None else object)
            for place, column in enumerate(in_order):
                X[:, place] = column
        if table is not None:
            X = table.encoded(np.asarray(X, object))
        return input_validation.validate_X(self._nameless, X)

    def predictions(self, rows):
        """What is predicted for rows that `rows` gave: an array for each name in `gives`."""
        target = self._estimator._target
        outputs = self._nameless._outputs_of(rows)
        if self.classes is None:
            return [target.decode(outputs)]
        return [target.decode(outputs), target.probabilities(outputs)]


def _kind_of(vocabulary):
    """What a column holds of which these categories are known."""
    if vocabulary is None:
        return "numbers"
    only_strings = all(isinstance(known, str) for known in vocabulary if known is not None)
    return "strings" if only_strings else "values"
