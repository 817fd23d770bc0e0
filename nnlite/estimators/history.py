"""The curves of a fitted estimator."""

from sklearn.utils.validation import check_is_fitted

from nnlite.visualization.curves import plot_history


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
