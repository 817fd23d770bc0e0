"""Pictures of trainings and searches, by their public path."""

from nnlite.visualization.curves import demo_report, plot_history, plot_misread, plot_search

__all__ = ["demo_report", "plot_history", "plot_misread", "plot_search"]
