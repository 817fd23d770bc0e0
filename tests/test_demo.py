"""`nnlite demo` does the main job from the data to the picture, and says what it did."""

import os
import pickle
import re
import struct
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from nnlite import demo, progress
from nnlite.__main__ import main
from nnlite.layers import Conv2D
from nnlite.visualization import curves, report

GIVEN = os.environ.get("NNLITE_DATA", "")


def run(folder, *arguments, **environment):
    """Run `nnlite ...` in another process and in that folder."""
    return subprocess.run(
        [sys.executable, "-m", "nnlite", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, **environment},
    )


@pytest.fixture
def short_search(monkeypatch):
    """A search of few settings and short trainings: for what is not about it."""
    for name, number in {"SEARCH_SETTINGS": 2, "INITIAL_SETTINGS": 2, "SEARCH_EPOCHS": 1}.items():
        monkeypatch.setattr(demo, name, number)


def accuracies_in(text):
    """The test accuracies that the demo printed, in percent: the perceptron's, the CNN's."""
    dense, convolutional = re.findall(r"test accuracy +([\d.]+)%", text)
    return float(dense), float(convolutional)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which the demo has run on digits, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    few = "import sys; from nnlite import demo, __main__; demo.SEARCH_SETTINGS = 6; "
    code = f"{few}demo.INITIAL_SETTINGS = 4; sys.exit(__main__.main(sys.argv[1:]))"
    command = [sys.executable, "-P", "-c", code, "demo", "--data", "digits", "--epochs", "8"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_demo_says_how_well_and_how_fast_it_trained(finished):
    _, text = finished
    assert min(accuracies_in(text)) > 90
    assert len(re.findall(r"  seconds +[\d.]+\n", text)) == 2
    assert len(re.findall(r"samples/second +[\d,]+\n", text)) == 2
    assert re.search("Fits =+ 18/18 ", text)


def test_demo_on_small_data_has_no_line_for_each_epoch(finished):
    assert "Epoch" not in finished[1]


def test_demo_says_what_it_searches_and_why_the_figures_are_lower(finished):
    text = finished[1]
    assert re.search(r"searched +\d architectures, .*learning rates", text)
    assert re.search(r"on +1,347 of the training images, 5 epochs for each of 3 folds", text)
    assert re.search(r"so +accuracies are below those above", text)


def test_perceptron_stops_at_its_best_epoch(capsys):
    data = demo._digits(0)
    demo._train(data, data.networks[0], 0)
    text = capsys.readouterr().out
    last, best = re.search(
        r"stopped +after epoch (\d+); .* of epoch (\d+), the best", text
    ).groups()
    assert int(best) + 2 == int(last) < 40


def test_report_counts_what_is_read_as_what():
    ax = curves.new_figure((4, 4)).subplots()
    report._draw_confusion(ax, np.array([3, 3, 5, 8]), np.array([3, 5, 5, 3]))
    shown = {t.get_position(): t.get_text() for t in ax.texts}
    assert shown == {(0, 0): "1", (1, 0): "1", (1, 1): "1", (0, 2): "1"}
    assert [t.get_text() for t in ax.get_yticklabels()] == ["3", "5", "8"]


def test_demo_sums_up_both_networks(finished):
    results = re.findall(r"^  (\w+ \w+) +([\d.]+)% in [\d.]+ seconds$", finished[1], re.MULTILINE)
    assert [name for name, _ in results] == ["multilayer perceptron", "convolutional network"]
    assert tuple(float(accuracy) for _, accuracy in results) == accuracies_in(finished[1])


def test_what_is_kept_is_the_convolutional_network(finished):
    with open(finished[0] / "nnlite-demo" / "model.pkl", "rb") as file:
        network = pickle.load(file)["network"].model_
    assert isinstance(network.layers[0], Conv2D) and network.input_shape == (None, 8, 8, 1)


ROW = re.compile(r"^ +([\d.]+)% ± [\d.]+% +(\w+) +([\d.e-]+) +(\d.*?)(  best)?$", re.MULTILINE)


def test_demo_marks_one_setting_of_the_search_as_best(finished):
    tried = ROW.findall(finished[1])
    assert len(tried) == 6
    scores = [float(score) for score, *_ in tried]
    assert scores == sorted(scores, reverse=True)
    assert [bool(mark) for *_, mark in tried] == [True] + 5 * [False]


def test_demo_searches_architecture_and_optimizer(finished):
    pytest.importorskip("skopt")
    text = finished[1]
    assert "Bayesian search" in text and "of 6 settings" in text and "Grid search" not in text
    assert float(ROW.search(text)[1]) > 90


def test_demo_without_scikit_optimize_searches_a_grid(short_search, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "skopt", None)
    arguments = ["demo", "--data", "digits", "--epochs", "1", "--output", str(tmp_path)]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "Grid search" in text and "pip install scikit-optimize" in text
    assert "of 6 settings" in text


def test_demo_writes_nothing_but_its_two_files(finished):
    folder, _ = finished
    assert [p.name for p in folder.iterdir()] == ["nnlite-demo"]
    assert sorted(p.name for p in (folder / "nnlite-demo").iterdir()) == ["model.pkl", "report.png"]


def test_report_is_a_png_of_readable_size(finished):
    head = (finished[0] / "nnlite-demo" / "report.png").read_bytes()[:24]
    width, height = struct.unpack(">2i", head[16:])
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert 800 <= width <= 2000 and 600 <= height <= 2500


def test_model_predicts_the_same_bits_in_another_process(finished):
    folder, text = finished
    assert "predictions of 450 images are bitwise the same" in text
    code = (
        "import pickle, sys; from sklearn.datasets import load_digits\n"
        "model = pickle.load(open('nnlite-demo/model.pkl', 'rb'))\n"
        "sys.stdout.buffer.write(model.predict_proba(load_digits().images).tobytes())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, check=True
    ).stdout
    with open(folder / "nnlite-demo" / "model.pkl", "rb") as file:
        model = pickle.load(file)
    assert there == model.predict_proba(load_digits().images).tobytes()


def test_same_seed_gives_the_same_model(finished, short_search, tmp_path, capsys):
    folder, text = finished
    out = tmp_path / "here"
    assert main(["demo", "--data", "digits", "--epochs", "8", "--output", str(out)]) == 0
    assert accuracies_in(capsys.readouterr().out) == accuracies_in(text)
    first, second = (
        pickle.loads((f / "model.pkl").read_bytes()) for f in (folder / "nnlite-demo", out)
    )
    for a, b in zip(first["network"].model_.get_weights(), second["network"].model_.get_weights()):
        assert a.tobytes() == b.tobytes()


@pytest.mark.skipif(
    not os.path.exists(os.path.join(GIVEN, "mnist", "train-images-idx3-ubyte.gz")),
    reason="NNLITE_DATA names no folder with MNIST in it",
)
def test_mnist_is_read_with_at_least_97_5_and_98_8_percent(
    short_search, monkeypatch, tmp_path, capsys
):
    data = demo._mnist()
    epochs = zip(data.networks, (4, 2))  # fewer than the demo's 10 and 3 are enough
    data = data._replace(networks=[n._replace(epochs=number) for n, number in epochs])
    monkeypatch.setattr(demo, "_mnist", lambda: data)
    assert main(["demo", "--output", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "MNIST, 60,000 training and 10,000 test images" in text
    dense, convolutional = accuracies_in(text)
    assert dense >= 97.5 and convolutional >= 98.8


@pytest.fixture
def no_mnist(monkeypatch):
    def load_data():
        raise OSError("MNIST is not on this machine")

    monkeypatch.setattr(demo.mnist, "load_data", load_data)


def test_digits_take_the_place_of_mnist_and_demo_says_so(no_mnist, short_search, tmp_path, capsys):
    assert main(["demo", "--epochs", "1", "--output", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "MNIST is not on this machine" in text and "digits take its place" in text
    assert "digits, 1,347 training and 450 test images" in text


def test_mnist_that_was_asked_for_is_an_error_where_it_cannot_be_had(no_mnist, tmp_path, capsys):
    assert main(["demo", "--data", "mnist", "--output", str(tmp_path)]) == 1
    assert "nnlite demo: MNIST is not on this machine" in capsys.readouterr().err


def test_demo_without_matplotlib_says_what_to_install(short_search, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    arguments = ["demo", "--data", "digits", "--epochs", "1", "--output", str(tmp_path)]
    assert main(arguments) == 0
    assert re.search(r"report +not drawn: .*pip install matplotlib", capsys.readouterr().out)
    assert [p.name for p in tmp_path.iterdir()] == ["model.pkl"]


def test_demo_fails_if_the_reloaded_model_predicts_other_bits(
    short_search, monkeypatch, tmp_path, capsys
):
    class Changed:
        @staticmethod
        def loads(content):
            model = pickle.loads(content)
            network = model["network"].model_
            network.set_weights([np.nextafter(w, 2) for w in network.get_weights()])
            return model

        dumps = pickle.dumps

    monkeypatch.setattr(demo, "pickle", Changed)
    arguments = ["demo", "--data", "digits", "--epochs", "1", "--output", str(tmp_path)]
    assert main(arguments) == 1
    assert "PREDICTIONS DIFFER" in capsys.readouterr().out


def test_output_that_cannot_be_a_folder_is_said_before_any_work(tmp_path, capsys):
    (tmp_path / "taken").write_text("a file")
    assert main(["demo", "--data", "digits", "--output", str(tmp_path / "taken")]) == 1
    out, err = capsys.readouterr()
    assert "taken" in err and "Epoch" not in out


def test_help_names_commands_and_options(tmp_path):
    text = run(tmp_path, "--help").stdout
    assert "demo" in text and "versions" in text
    text = run(tmp_path, "demo", "--help").stdout
    assert all(option in text for option in ("--data", "--epochs", "--output", "--seed"))


def test_versions_are_those_of_show_versions(tmp_path):
    done = run(tmp_path, "versions")
    assert done.returncode == 0 and re.match(r"nnlite +\d", done.stdout)
    assert "numpy" in done.stdout


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["dmeo"], "choose from"),
        (["demo", "--data", "cifar"], "choose from"),
        (["demo", "--epochs", "0"], "expected an integer from 1, got '0'"),
        (["demo", "--seed", "-1"], "seed"),
    ],
)
def test_wrong_command_line_says_what_there_is(arguments, said, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_curves_count_epochs_from_one():
    history = {"loss": [3, 2, 1], "accuracy": [0.1, 0.2, 0.3], "val_loss": [4, 3, 2]}
    loss, accuracy = curves.plot_history(history)
    training, validation = loss.get_lines()
    assert training.get_xdata().tolist() == [1, 2, 3] and list(training.get_ydata()) == [3, 2, 1]
    assert list(validation.get_ydata()) == [4, 3, 2]
    assert len(accuracy.get_lines()) == 1
    assert [t.get_text() for t in loss.get_legend().get_texts()] == ["training", "validation"]


def test_history_without_a_loss_is_an_error():
    with pytest.raises(ValueError, match="expected a history with a loss, got mse"):
        curves.plot_history({"mse": [1.0]})


def test_progress_of_a_search_shows_the_best_so_far(tmp_path):
    ax = curves.plot_search([0.8, 0.9, 0.85, 0.1, 0.88], path=tmp_path / "search.png")
    tried, far, best = ax.get_lines()
    assert tried.get_xdata().tolist() == [1, 2, 3, 5] and far.get_xdata().tolist() == [4]
    assert best.get_ydata().tolist() == [0.8, 0.9, 0.9, 0.9, 0.9]
    assert (tmp_path / "search.png").read_bytes()[1:4] == b"PNG"
    with pytest.raises(ValueError, match="expected scores of a fitted search"):
        curves.plot_search([])


def test_misread_images_are_shown_with_both_labels():
    labels = np.arange(10)
    figure = curves.plot_misread(np.zeros((10, 4, 4)), labels, labels // 5 * 5, rows=2, columns=3)
    shown = [ax.get_title() for ax in figure.axes]
    assert shown == [f"{k} read as {k // 5 * 5}" for k in (1, 2, 3, 4, 6, 7)]
    assert figure.texts[0].get_text() == "8 of 10 misread, the first 6"


def test_nothing_misread_is_no_error():
    figure = curves.plot_misread(np.zeros((2, 4, 4)), [1, 2], [1, 2])
    assert figure.texts[0].get_text() == "0 of 2 misread"


def test_misread_needs_arrays_that_fit():
    with pytest.raises(ValueError, match=r"got shapes \(2, 16\), \(2,\) and \(2,\)"):
        curves.plot_misread(np.zeros((2, 16)), [1, 2], [1, 2])


def test_drawing_leaves_pyplot_alone(tmp_path):
    code = (
        "import sys, nnlite.plotting\n"
        "assert 'matplotlib' not in sys.modules\n"
        "nnlite.plotting.plot_history({'loss': [1.0]})\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


@pytest.mark.parametrize("columns", [79, 99, 119])
@pytest.mark.parametrize("total", ["18", "430", "123456"])
def test_line_of_progress_fits_the_terminal(columns, total):
    logs = "loss: 0.1234 - accuracy: 0.9512 - val_loss: 0.1234 - val_accuracy: 0.9512"
    line = progress.line_format("Epoch 1/5", total, logs, columns).format(
        desc="Epoch 1/5", bar="", n_fmt=total, total_fmt=total, elapsed="00:01"
    )
    assert len(line) <= columns
    brief = logs.replace(":", "").replace(" - ", " ")
    assert line.endswith((logs, brief))


def test_progress_writes_one_line_where_nobody_watches(capsys):
    bar = progress.ProgressBar(4, "Work")
    for done in range(1, 5):
        bar.update(done, {"loss": 1 / done})
    bar.close({"loss": 0.25})
    assert capsys.readouterr().out == "Work ============ 4/4 00:00 loss: 0.2500\n"


def test_progress_of_unknown_length_counts_bytes(capsys):
    bar = progress.ProgressBar(0, "Work", unit="B")
    bar.update(2_500_000)
    bar.close()
    assert capsys.readouterr().out == "Work ............ 2.5M/? 00:00\n"
