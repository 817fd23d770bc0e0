"""Pictures of trainings and searches, by their public path."""

from nnlite.visualization.curves import plot_history, plot_misread, plot_search
from nnlite.visualization.report import demo_report

__all__ = ["demo_report", "plot_history", "plot_misread", "plot_search"]
