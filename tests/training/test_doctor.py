"""`nnlite.doctor` finds what was planted, nothing in sound networks, and changes nothing."""

import io
import pickle
import sys

import networks_examined as nets
import numpy as np
import pytest
from networks_examined import BROKEN, SOUND, THREE, TWO, X, classifier
from sklearn.linear_model import LogisticRegression

import nnlite
from nnlite import NNClassifier, config
from nnlite.diagnosis import case, of_training
from nnlite.layers import Dense, Dropout, Input
from nnlite.optimizers import Adam


def names(diagnosis):
    return [f.name for f in diagnosis.findings]


@pytest.mark.parametrize("fault", BROKEN)
def test_planted_fault_is_found(fault):
    found = nnlite.doctor(*BROKEN[fault]()).findings
    assert fault in [f.name for f in found]
    assert all(f.figure and f.cure for f in found)


@pytest.mark.parametrize("name", SOUND)
def test_nothing_is_found_in_a_sound_network(name):
    diagnosis = nnlite.doctor(*SOUND[name]())
    assert diagnosis.findings == [], diagnosis


def test_labels_that_the_loss_refuses_are_found_and_say_which():
    diagnosis = nnlite.doctor(classifier(8), X, THREE + 1)
    (found,) = diagnosis.findings
    assert found.name == "labels out of range" and "[0, 3)" in found.figure and "3" in found.figure
    assert "learning rate" in diagnosis.missed


def test_rows_of_validation_data_that_are_among_those_of_x_are_found():
    model = classifier(8)
    own = (X[:20], THREE[:20])
    (found,) = nnlite.doctor(model, X, THREE, validation_data=own).findings
    assert found.name == "duplicated rows across the split" and "20 of 20" in found.figure
    apart = (X[:20] + 1, THREE[:20])
    assert names(nnlite.doctor(model, X, THREE, validation_data=apart)) == []


def test_equal_rows_of_few_values_are_no_finding():
    rows = (X > 0).astype(np.float32)
    diagnosis = nnlite.doctor(classifier(8), rows, THREE)
    assert names(diagnosis) == [] and "no sign of a copy" in diagnosis.missed["duplicated rows"]


def test_frozen_layers_are_but_a_note():
    (found,) = nnlite.doctor(classifier(Dense(8, trainable=False), 8), X, THREE).findings
    assert (found.severity, found.name, found.layer) == ("note", "untrained layer", "dense")


def test_layers_are_named_and_the_gravest_findings_come_first():
    diagnosis = nnlite.doctor(*BROKEN["one-unit softmax"]())
    assert names(diagnosis)[0] == "one-unit softmax"
    severities = [("error", "warning", "note").index(f.severity) for f in diagnosis.findings]
    assert severities == sorted(severities)
    (dead,) = nnlite.doctor(*BROKEN["dead units"]()).findings
    assert dead.layer == "dense" and dead.figure.startswith("24 of 32")


def everything(model):
    """What an examination might change: weights, state, slots, settings and compiled steps."""
    return pickle.dumps(model), dict(model._step_cache.steps), model.__dict__.get("_version")


def test_the_model_the_data_and_all_seeds_stay_as_they_are():
    model = classifier(16, Dropout(0.5))
    model.fit(X, THREE, epochs=2, verbose=0)
    model.predict(X)
    before, x = everything(model), X.copy()
    with config.seeded(3):
        global_numpy = np.random.get_state()  # noqa: NPY002
        nnlite.doctor(model, X, THREE)
        drawn = config.next_seed()
    assert everything(model) == before and np.array_equal(x, X)
    assert pickle.dumps(np.random.get_state()) == pickle.dumps(global_numpy)  # noqa: NPY002
    with config.seeded(3):
        assert drawn == config.next_seed()


def test_a_model_that_is_not_built_is_examined_and_stays_so():
    model = nnlite.Sequential([Dense(8, "relu"), Dense(3)])
    model.compile("adam", "sparse_categorical_crossentropy")
    assert names(nnlite.doctor(model, X, THREE)) == ["logits taken as probabilities"]
    assert not model.built and not model.weights


def test_estimators_are_examined_and_stay_as_they_are():
    raw = NNClassifier((16,), normalize=False, random_state=np.random.RandomState(0))
    before = pickle.dumps(raw)
    (found,) = nnlite.doctor(raw, X * nets.SCALES, TWO).findings
    assert found.name == "unscaled inputs" and "normalize=True" in found.cure
    assert pickle.dumps(raw) == before and not hasattr(raw, "model_")
    fitted = NNClassifier((16,), epochs=2).fit(X, TWO)
    before = pickle.dumps(fitted)
    nnlite.doctor(fitted, X, TWO)
    assert pickle.dumps(fitted) == before


def test_what_cannot_be_looked_at_is_said():
    class Own(nnlite.Sequential):
        def train_step(self, data):
            x, _ = data
            with nnlite.GradientTape() as tape:
                loss = nnlite.ops.mean(nnlite.ops.square(self(x, training=True)))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables))
            return {"loss": loss}

    model = Own([Dense(2)])
    model.compile("adam")
    diagnosis = nnlite.doctor(model, X, THREE)
    assert "gradients" in diagnosis.missed and "not looked at: gradients" in repr(diagnosis)


def test_gradients_that_explode_on_the_way_back_are_found():
    found = nnlite.doctor(nets.exploding_backwards(), X, THREE).findings
    assert ("exploding gradients", "rescaling") in [(f.name, f.layer) for f in found]


def test_weights_that_are_no_numbers_are_found():
    diagnosis = nnlite.doctor(nets.not_finite(), X, THREE)
    first = diagnosis.findings[0]
    assert (first.name, first.severity, first.layer) == ("exploding gradients", "error", "dense_1")
    assert diagnosis.missed["learning rate"] == "the loss is nan"
    assert diagnosis.plot() is not None


def test_an_output_of_several_is_named():
    inputs = Input((6,))
    outputs = [Dense(3, "softmax", name="kind")(inputs), Dense(1, name="size")(inputs)]
    model = nnlite.Model(inputs, outputs)
    model.compile("adam", ["sparse_categorical_crossentropy", "mse"])
    (found,) = nnlite.doctor(model, X, [THREE, 1e4 * nets.NUMBERS]).findings
    assert (found.name, found.layer) == ("unscaled targets", "size")


def test_large_networks_are_given_fewer_rows_and_no_steps(monkeypatch):
    monkeypatch.setattr(of_training, "MOST_SECONDS", 0)
    monkeypatch.setattr(case, "BATCH_BYTES", 20 * 8 * (16 + 3 + 3))
    diagnosis = nnlite.doctor(classifier(16, optimizer=Adam(1e-6)), X, THREE)
    assert names(diagnosis) == [] and "takes too long" in diagnosis.missed["learning rate"]
    assert len(diagnosis._layers[0].output) == 20


def test_a_learning_rate_that_is_far_too_high_is_found():
    model = classifier(16, optimizer=nnlite.optimizers.SGD(1e4))
    (found,) = nnlite.doctor(model, X, THREE).findings
    assert (found.name, found.severity) == ("learning rate too high", "error")
    assert 1e-3 < float(found.cure.removeprefix("take learning_rate=")) < 10


def test_optimizers_without_a_learning_rate_are_left_alone():
    class Fixed(nnlite.optimizers.Optimizer):
        def __init__(self):
            super().__init__(0.1)

        def update_step(self, gradient, variable, learning_rate):
            nnlite.ops.assign(variable, variable - learning_rate * gradient)

    diagnosis = nnlite.doctor(classifier(8, optimizer=Fixed()), X, THREE)
    assert names(diagnosis) == [] and "no learning_rate" in diagnosis.missed["learning rate"]


WRONG = {
    "uncompiled": (lambda: nnlite.Sequential([Dense(3)]), X, THREE, RuntimeError, "call compile"),
    "width": (lambda: classifier(8), X[:, :4], THREE, ValueError, "6 features .* got shape"),
    "targets missing": (lambda: classifier(8), X, None, ValueError, "y: expected the targets"),
    "rows": (lambda: classifier(8), X, THREE[:9], ValueError, "y: expected 400 samples"),
    "batches": (lambda: classifier(8), iter([X]), THREE, TypeError, "X: expected arrays"),
    "not a model": (LogisticRegression, X, TWO, TypeError, "model: expected a Model"),
    "a class": (lambda: NNClassifier, X, TWO, TypeError, "got the class NNClassifier"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_examined_is_an_error_that_says_what_to_do(name):
    make, x, y, kind, words = WRONG[name]
    with pytest.raises(kind, match=words):
        nnlite.doctor(make(), x, y)


@pytest.mark.parametrize(
    "given, kind",
    [
        ((X[:, :4], THREE), ValueError),
        (X, TypeError),
        ((X,), TypeError),
        ((None, THREE), TypeError),
    ],
)
def test_validation_data_of_another_form_are_an_error_that_names_them(given, kind):
    with pytest.raises(kind, match=r"validation_data: (x: )?expected"):
        nnlite.doctor(classifier(8), X, THREE, validation_data=given)


def strange():
    model = nnlite.Sequential([Dense(8, "relu", name="<b>schön"), Dense(3, "softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return nnlite.doctor(model, X * nets.SCALES, THREE)


def test_html_escapes_names():
    html = strange()._repr_html_()
    assert "&lt;b&gt;schön" in html and "<b>schön" not in html
    assert "nothing found" in nnlite.doctor(*SOUND["linear"]())._repr_html_()


def test_table_fits_the_terminal_and_its_characters(monkeypatch):
    diagnosis = strange()
    assert "<b>schön" in repr(diagnosis)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    text = str(diagnosis)
    assert text.isascii() and "<b>sch?n" in text and "-> scale them" in text
    assert max(map(len, text.splitlines())) <= 100
    monkeypatch.setattr(sys, "stdout", None)
    assert "unscaled inputs" in str(diagnosis)


def test_picture_shows_every_layer_and_marks_those_of_findings(tmp_path):
    pytest.importorskip("matplotlib")
    diagnosis = nnlite.doctor(*BROKEN["dead units"]())
    figure = diagnosis.plot(tmp_path / "layers.png")
    assert (tmp_path / "layers.png").read_bytes()[1:4] == b"PNG"
    labels = figure.axes[0].get_yticklabels()
    assert [t.get_text() for t in labels] == ["dense", "dense_1", "dense_2"]
    assert labels[0].get_color() != labels[1].get_color()
    assert len(figure.axes[1].lines) == 2
    with pytest.raises(ValueError, match="path"):
        diagnosis.plot("layers.xyz")
