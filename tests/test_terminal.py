"""Output of any kind, also none: training, evaluation and tables go on, plainer."""

import ast
import io
import sys
from pathlib import Path

import numpy as np
import pytest

import nnlite
from nnlite import callbacks, config, progress, terminal

X, Y = np.arange(24.0).reshape(8, 3) / 24, np.arange(8) % 2
PACKAGE = Path(nnlite.__file__).parent


class OnlyWrite:
    """The least that stands for an output: no flush, no isatty, no encoding."""

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text


def encoded(encoding):
    """An output that knows the characters of an encoding, as a file or a pipe."""
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")


def closed():
    out = io.StringIO()
    out.close()
    return out


OUTPUTS = {
    "none": lambda: None,
    "closed": closed,
    "only write": OnlyWrite,
    "ascii": lambda: encoded("ascii"),
    "cp1252": lambda: encoded("cp1252"),
}


def model(name="net"):
    model = nnlite.Sequential([nnlite.layers.Dense(1, "sigmoid", input_shape=(3,))], name=name)
    model.compile("sgd", "binary_crossentropy", metrics=[nnlite.metrics.MeanSquaredError("größe")])
    return model


def talkative():
    """A callback of each kind that writes."""
    return [
        callbacks.EarlyStopping(
            "loss", patience=0, verbose=1, min_delta=9, restore_best_weights=True
        ),
        callbacks.ReduceLROnPlateau("loss", patience=0, verbose=1, min_delta=9),
        callbacks.LearningRateScheduler(lambda epoch: 0.1, verbose=1),
    ]


@pytest.mark.parametrize("make", OUTPUTS.values(), ids=OUTPUTS)
def test_whatever_writes_goes_on_with_any_output(make, monkeypatch):
    monkeypatch.setattr(sys, "stdout", make())
    monkeypatch.setattr(sys, "stderr", make())
    net = model()
    for verbose in (1, 2):
        history = net.fit(X, Y, epochs=3, verbose=verbose, callbacks=talkative())
        assert 1 <= len(history.epoch) <= 3
    net.evaluate(X, Y, verbose=1)
    net.summary(expand_nested=True, show_trainable=True)
    nnlite.NNClassifier(epochs=2, verbose=1, hidden_layer_sizes=(2,)).fit(X, Y)
    nnlite.show_versions()


def test_a_table_has_plain_lines_where_the_output_knows_no_others(monkeypatch):
    inner = nnlite.Sequential([nnlite.layers.Dense(2, input_shape=(3,))], name="中")
    outer = nnlite.Sequential([inner, nnlite.layers.Dense(1)], name="net")
    for encoding in ("ascii", "cp1252"):
        out = encoded(encoding)
        monkeypatch.setattr(sys, "stdout", out)
        outer.summary(expand_nested=True)
        lines = out.buffer.getvalue().decode(encoding).splitlines()
        assert lines[0] == 'Model: "net"'
        assert set(lines[1]) == {"+", "="} and set(lines[3]) == {"+", "="}
        assert lines[2].startswith("| Layer (type) ") and lines[2].endswith("|")
        assert any(line.startswith("| ? (Sequential) ") for line in lines)
        assert len({len(line) for line in lines if line[0] in "|+"}) == 1


def test_a_line_that_the_output_knows_is_written_unchanged(monkeypatch):
    out = encoded("utf-8")
    monkeypatch.setattr(sys, "stdout", out)
    model().fit(X, Y, verbose=2)
    assert "größe: " in out.buffer.getvalue().decode()


def test_other_errors_of_an_output_are_not_hidden(monkeypatch):
    class Broken(OnlyWrite):
        def write(self, text):
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Broken())
    with pytest.raises(BrokenPipeError):
        terminal.write("text")


def test_a_bar_is_drawn_again_only_on_a_terminal(monkeypatch):
    class Screen(OnlyWrite):
        def isatty(self):
            return True

    for out, drawings in ((Screen(), 2), (OnlyWrite(), 1)):
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", None)
        bar = progress.ProgressBar(2, "Work")
        bar.update(1)
        bar.close()
        assert out.text.count("Work") == drawings


def test_a_log_gets_the_last_state_of_a_bar_alone(monkeypatch, caplog):
    class Screen(OnlyWrite):
        def isatty(self):
            return True

    out = Screen()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # as in a notebook
    monkeypatch.setitem(config._settings, "interactive_logging", False)
    with caplog.at_level("INFO", logger="nnlite"):
        bar = progress.ProgressBar(2, "Work")
        bar.update(1)
        bar.update(2)
        bar.close({"loss": 0.5})
    (line,) = caplog.messages
    assert line.startswith("Work ") and line.endswith(" loss: 0.5000") and out.text == ""


def test_only_one_module_writes_to_the_standard_output():
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print":
                to_a_file = any(k.arg == "file" for k in node.keywords)
                found += [] if to_a_file else [f"{path.relative_to(PACKAGE)}:{node.lineno}"]
    assert found == []
