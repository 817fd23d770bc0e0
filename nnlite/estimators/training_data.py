"""The rows that an estimator trains or evaluates a network on, with all that belongs to a row."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class TrainingData:
    """Rows with their targets and weights; every array has one entry for each row.

    Attributes
    ----------
    X : array or sparse matrix
        The samples as `fit` was given them.
    target : array
        The encoded targets, on the scale on which the network learns them.
    sample_weight : array or None
        The weights, of which none is 0; None if all are equal.
    y : array
        The targets as `fit` was given them: scorers compare predictions with these.
    """

    X: Any
    target: Any
    sample_weight: Any
    y: Any

    @property
    def rows(self):
        """The number of rows."""
        return self.X.shape[0]

    def take(self, indices):
        """The data of some rows, by their numbers or by a boolean for each row."""
        weight = self.sample_weight
        return TrainingData(
            self.X[indices],
            self.target[indices],
            None if weight is None else weight[indices],
            self.y[indices],
        )

    def without_zero_weights(self):
        """The data of rows of non-zero weight: a batch of the others has a loss of 0 / 0."""
        kept = None if self.sample_weight is None else self.sample_weight > 0
        return self if kept is None or kept.all() else self.take(kept)

    def replace(self, **arrays):
        """The same rows with other arrays."""
        return dataclasses.replace(self, **arrays)
