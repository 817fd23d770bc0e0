"""The curves of an estimator: recorded over all fits of one network, and drawn."""

import math

from sklearn.utils.validation import check_is_fitted

from nnlite.callbacks import History
from nnlite.visualization.curves import plot_history


class Curves(History):
    """A History with a value for each epoch of each curve: NaN where a metric was not asked for, as
    settings may change from fit to fit."""

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        epochs = max(map(len, self.history.values()))
        for name, values in self.history.items():
            place = 0 if name in logs else len(values)
            values[place:place] = [math.nan] * (epochs - len(values))


class HistoryMixin:
    """An estimator whose `history_` can be drawn."""

    def plot(self, ax=None, path=None):
        """Draw the curves of `history_`: the loss and each metric over the epochs, of the rows
        trained on and of those held out.

        Parameters
        ----------
        ax : matplotlib Axes, or a sequence of them, optional
            Axes to draw on, the loss first; by default those of a new figure.
        path : str or path, optional
            File to which the picture is also written: .png (default), .svg or .pdf.

        Returns
        -------
        list of Axes

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        return plot_history(self.history_, ax, path)
