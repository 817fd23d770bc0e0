"""Pictures of models: what is called (`outline`), where boxes and lines go (`layout`), what they
look like (`boxes`), SVG and paint (`drawing`), and `plot_model` (`diagram`)."""

from nnlite.visualization.diagram import plot_model

__all__ = ["plot_model"]
