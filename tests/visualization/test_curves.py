"""Curves of trainings."""

import os
import subprocess
import sys

import pytest
from small_models import LABELS, X, classifier

from nnlite.visualization import curves


def test_a_history_plots_all_its_entries(tmp_path):
    model = classifier(metrics=["accuracy", "sparse_categorical_crossentropy"])
    history = model.fit(X, LABELS, validation_split=0.2, epochs=3, verbose=0)
    history.history["learning_rate"] = [0.1, 0.01, 0.001]
    axes = history.plot(tmp_path / "curves.png")
    titles = ["Loss", "Accuracy", "Sparse categorical crossentropy", "Learning rate"]
    assert [ax.get_title(loc="left") for ax in axes] == [f"{title} per epoch" for title in titles]
    assert len(axes[0].figure.axes) == 4
    assert [len(ax.get_lines()) for ax in axes] == [2, 2, 2, 1]
    assert list(axes[0].get_lines()[1].get_ydata()) == history.history["val_loss"]
    assert axes[3].get_legend() is None
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 1


def test_epochs_are_counted_from_where_the_training_began():
    model = classifier()
    history = model.fit(X, LABELS, epochs=6, initial_epoch=3, verbose=0)
    assert history.plot()[0].get_lines()[0].get_xdata().tolist() == [4, 5, 6]


def test_notes_that_are_no_numbers_are_left_out():
    notes = {"loss": [1, 2], "weights": [[1, 2], [3, 4]], "words": ["a", "b"], "val_f1": [0, 1]}
    assert [ax.get_ylabel() for ax in curves.plot_history(notes)] == ["loss", "f1"]


def test_given_axes_are_drawn_on():
    given = curves.plot_history({"loss": [1], "a": [1], "b": [1]})[1:]
    for ax in given:
        ax.clear()
    assert curves.plot_history({"loss": [1.0], "b": [2.0]}, given) == given
    assert [ax.get_ylabel() for ax in given] == ["loss", "b"]
    assert len(curves.plot_history({"loss": [1.0], "b": [2.0]}, given[0])) == 1


def test_a_wrong_ending_is_an_error_before_anything_is_drawn():
    with pytest.raises(
        ValueError, match=r"plot_history: path: expected a name that ends in .*, got 'a.jpg'"
    ):
        curves.plot_history({"loss": [1.0]}, path="a.jpg")


@pytest.mark.parametrize("imported, figures", [("matplotlib.pyplot", 1), ("matplotlib", 0)])
def test_pyplot_shows_the_curves_where_it_is_in_use(imported, figures, tmp_path):
    code = (
        f"import {imported}, nnlite.plotting\n"
        "nnlite.plotting.plot_history({'loss': [1.0]})\n"
        "from matplotlib import pyplot\n"
        "print(len(pyplot.get_fignums()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "MPLBACKEND": "agg"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout == f"{figures}\n"
