"""What predictions depend on: the short public place of `nnlite.inspection`."""

from nnlite import names
from nnlite.inspection import (
    grad_cam,
    integrated_gradients,
    occlusion,
    plot_dependence,
    plot_importance,
    plot_saliency,
)

__all__ = [
    "grad_cam",
    "integrated_gradients",
    "occlusion",
    "plot_dependence",
    "plot_importance",
    "plot_saliency",
]

__getattr__ = names.of(__name__)
