"""What pictures, tables and progress bars cannot take is named; what logs hold may be anything."""

import math

import numpy as np
import pytest

import nnlite
from nnlite import layers, plotting, progress, utils


def net():
    model = nnlite.Sequential([layers.Dense(1, input_shape=(3,))])
    model.compile("sgd", "mse")
    return model


class Adds(nnlite.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        logs.update(note="a{b}", nothing=None, both=np.array([1.0, 2.0]), some={"a": 1})


@pytest.mark.parametrize("verbose", [1, 2])
def test_a_callback_may_add_anything_to_the_logs_that_are_shown(verbose, capsys):
    history = net().fit(np.ones((4, 3)), np.ones(4), verbose=verbose, callbacks=Adds())
    out = capsys.readouterr().out
    assert "note: a{b} - nothing: None - both: [1.0000 2.0000] - some: {'a': 1}" in out
    assert history.history["note"] == ["a{b}"]


def test_numbers_are_shown_with_four_digits():
    logs = {"loss": 0.12345, "small": 0.000123456, "nan": math.nan, "bool": True}
    assert progress.format_logs(logs) == "loss: 0.1235 - small: 0.0001235 - nan: nan - bool: 1.0000"


@pytest.mark.parametrize(
    "what, value",
    [
        *(("line_length", value) for value in ("wide", math.nan, -5, 2.5, [])),
        *(
            ("positions", value)
            for value in ("abc", [None] * 3, 3, {}, [math.nan] * 3, [0, 0.5, 1])
        ),
        *(("layer_range", value) for value in (3, "dense", ("(", "dense"), [1, 2], ())),
        *(("print_fn", value) for value in (3, "print")),
    ],
)
def test_a_summary_names_the_argument_that_it_cannot_take(what, value):
    with pytest.raises((TypeError, ValueError), match=rf"(expected .*)?{what}(: expected)?"):
        net().summary(**{what: value})


@pytest.mark.parametrize(
    "what, value",
    [
        *(("dpi", value) for value in (0, -1, "a", math.nan)),
        *(("to_file", value) for value in (3, "", b"a.png", "a.xyz")),
        *(("rankdir", value) for value in ("XX", 3)),
        *((f"show_{kind}", np.zeros(3)) for kind in ("shapes", "dtype", "trainable")),
        ("expand_nested", "yes"),
    ],
)
def test_a_picture_names_the_argument_that_it_cannot_take(what, value, tmp_path):
    given = {"to_file": str(tmp_path / "a.svg"), what: value}
    word = what.removeprefix("show_")
    with pytest.raises((TypeError, ValueError), match=rf"plot_model: {word}: expected"):
        utils.plot_model(net(), **given)


@pytest.mark.parametrize("value", [None, "loss", 3, [0.5]])
def test_curves_need_a_history(value):
    with pytest.raises(TypeError, match="plot_history: history: expected"):
        plotting.plot_history(value)
