"""What a trained network makes its predictions of: attributions of rows, and pictures.

scikit-learn's `sklearn.inspection` asks any estimator; what is here needs the network's gradients,
or draws."""

from nnlite import names
from nnlite.inspection.gradients import integrated_gradients
from nnlite.inspection.pictures import plot_dependence, plot_importance

__all__ = ["integrated_gradients", "plot_dependence", "plot_importance"]

__getattr__ = names.of(__name__)
