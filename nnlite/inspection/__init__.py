"""What a trained network makes its predictions of: attributions of rows and of the parts of images,
and pictures.

scikit-learn's `sklearn.inspection` asks any estimator; what is here needs the network's gradients,
or draws."""

from nnlite import names
from nnlite.inspection.gradients import integrated_gradients
from nnlite.inspection.pictures import plot_dependence, plot_importance, plot_saliency
from nnlite.inspection.saliency import grad_cam, occlusion

__all__ = [
    "grad_cam",
    "integrated_gradients",
    "occlusion",
    "plot_dependence",
    "plot_importance",
    "plot_saliency",
]

__getattr__ = names.of(__name__)
