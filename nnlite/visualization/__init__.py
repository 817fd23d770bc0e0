"""Pictures and tables of models, and plots of trainings.

`outline` lists the calls in a model, `graph_layout` places boxes and lines, `node_box` draws a box,
`canvas` writes SVG or paints with matplotlib, and `diagram` has `plot_model`. `summary` makes the
table of a model; `curves` and `report` plot trainings and searches.
"""

from nnlite import lazy, names

with lazy.imports(__name__):
    from nnlite.visualization.curves import plot_history
    from nnlite.visualization.diagram import model_html, plot_model
    from nnlite.visualization.summary import summary as summary_text

__all__ = ["model_html", "plot_history", "plot_model", "summary_text"]

__getattr__ = names.of(__name__)
