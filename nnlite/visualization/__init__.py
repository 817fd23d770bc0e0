"""Pictures and tables of models, and plots of trainings.

`outline` lists the calls in a model, `graph_layout` places boxes and lines, `node_box` draws a box,
`canvas` writes SVG or paints with matplotlib, and `diagram` has `plot_model`. `summary` makes the
table of a model; `curves` and `report` plot trainings and searches.
"""

from nnlite.visualization.diagram import plot_model

__all__ = ["plot_model"]
