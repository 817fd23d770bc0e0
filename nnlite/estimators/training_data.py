"""The rows that an estimator trains or evaluates a network on, with their targets and weights."""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class TrainingData:
    """Rows with their targets and weights; every array has one entry for each row of `X`.

    Parameters
    ----------
    X : array or sparse matrix
        The samples, as `fit` received them.
    target : array
        The encoded targets, on the scale on which the network learns them.
    sample_weight : array or None
        The weights; None if all are equal.
    y : array
        The targets as `fit` received them: scorers compare predictions with these.
    numbers : array, optional
        Which rows of the arrays these are, in order; by default all. Steps gather them from there.
    kept : array of bool, optional
        Which of the rows of `fit` these are; by default all.
    is_chunk : bool, default False
        Whether other rows will follow, which may be different.
    known : dict, optional
        What was found out about all rows of the arrays, and parts of them share.
    """

    X: Any
    target: Any
    sample_weight: Any
    y: Any
    numbers: Any = None
    kept: Any = None
    is_chunk: bool = False
    known: dict = dataclasses.field(default_factory=dict)

    @property
    def rows(self):
        """The number of rows."""
        return self.X.shape[0] if self.numbers is None else len(self.numbers)

    def once(self, key, function):
        """What a function gives, which has found it out under this key: networks of the same rows
        share it."""
        if key not in self.known:
            self.known[key] = function()
        return self.known[key]

    def part(self, numbers):
        """The data of some rows by their numbers; nothing is copied."""
        return self.replace(numbers=numbers)

    def take(self, indices):
        """A copy of some rows, selected by indices or by a boolean for each row."""
        weight = self.sample_weight
        return TrainingData(
            self.X[indices],
            self.target[indices],
            None if weight is None else weight[indices],
            self.y[indices],
        )

    def without_zero_weights(self):
        """The rows of non-zero weight. (A batch of rows of weight 0 has a loss of 0 / 0.)"""
        kept = None if self.sample_weight is None else self.sample_weight > 0
        return self if kept is None or kept.all() else self.take(kept).replace(kept=kept)

    def replace(self, **arrays):
        """A copy with some arrays replaced."""
        return dataclasses.replace(self, **arrays)
