"""Plots of trainings and searches: the public place of these functions."""

from nnlite import names
from nnlite.visualization.curves import plot_history, plot_misread, plot_search
from nnlite.visualization.report import demo_report

__all__ = ["demo_report", "plot_history", "plot_misread", "plot_search"]

__getattr__ = names.of(__name__)
