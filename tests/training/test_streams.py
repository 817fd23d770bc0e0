"""Training, evaluation and prediction on what yields batches."""

import warnings

import numpy as np
import pytest
from small_models import LABELS, D, N, TwoLayers, X, Y, arrays_equal, classifier, line, trained

import nnlite as keras
from nnlite import callbacks, layers, utils

SIZE = 8  # rows of a batch; the last of N has fewer


def parts(*arrays, size=SIZE):
    """The batches of some arrays, a list."""
    return [tuple(a[k : k + size] for a in arrays) for k in range(0, N, size)]


class ByNumber(utils.PyDataset):
    """Batches by number; notes what is asked for."""

    def __init__(self, batches):
        super().__init__()
        self.batches, self.asked = batches, []

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        self.asked.append(index)
        return self.batches[index]

    def on_epoch_begin(self):
        self.asked.append("begin")

    def on_epoch_end(self):
        self.asked.append("end")


class Again:
    """Batches that can be gone through again, how many is not told."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


class Counted(Again):
    """Without end, but it tells how many batches are one pass."""

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        while True:
            yield from self.batches


class Forever:
    """An iterator without end that knows its length."""

    def __init__(self, batches):
        self.batches, self.taken = batches, 0

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        return self

    def __next__(self):
        self.taken += 1
        return self.batches[(self.taken - 1) % len(self.batches)]


def endless(batches):
    while True:
        yield from batches


STREAMS = {
    "by number": (ByNumber, {}),
    "iterable": (Again, {}),
    "iterable of known length": (Counted, {}),
    "iterator of known length": (Forever, {}),
    "generator": (endless, {"steps_per_epoch": -(-N // SIZE)}),
}


def of_lists(batch):
    return [part.tolist() for part in batch]


@pytest.mark.parametrize("change", [tuple, list, of_lists], ids=["tuples", "lists", "numbers"])
@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("kind", STREAMS)
def test_fit_on_batches_gives_the_bits_of_fit_on_arrays(kind, eager, change):
    weight = np.random.default_rng(3).random(N).astype("float32")
    make, steps = STREAMS[kind]
    settings = {"epochs": 3, "class_weight": {0: 2.0, 1: 0.5}, "shuffle": False}
    results = []
    for stream in (False, True):
        model = classifier(0, "adam", 0.3, metrics=["accuracy"], run_eagerly=eager)
        if stream:
            data = make([change(b) for b in parts(X, LABELS, weight)])
            history = trained(model, data, **settings, **steps)
        else:
            given = {"batch_size": SIZE, "sample_weight": weight}
            history = trained(model, X, LABELS, **settings, **given)
        results.append(([*model.get_weights()], history.history))
    assert arrays_equal(results[0][0], results[1][0]) and results[0][1] == results[1][1]


@pytest.mark.parametrize("kind", STREAMS)
def test_evaluate_and_predict_on_batches_equal_those_on_arrays(kind):
    make, steps = STREAMS[kind]
    steps = {"steps": steps.get("steps_per_epoch")}
    weight = np.random.default_rng(3).random(N)
    model = classifier(metrics=["accuracy"])
    model.fit(X, LABELS, verbose=0)
    expected = model.evaluate(X, LABELS, batch_size=SIZE, sample_weight=weight)
    assert model.evaluate(make(parts(X, LABELS, weight)), **steps) == expected
    for batches in (parts(X), [x for (x,) in parts(X)], parts(X, LABELS)):
        assert np.array_equal(model.predict(make(batches), **steps), model.predict(X))


@pytest.mark.parametrize("kind", STREAMS)
def test_validation_on_batches_equals_that_on_arrays_after_each_epoch(kind):
    make, steps = STREAMS[kind]
    steps = {"validation_steps": steps.get("steps_per_epoch")}
    figures = []
    for held_out in ((X, LABELS), make(parts(X, LABELS))):
        model = classifier()
        given = {"validation_batch_size": SIZE, "epochs": 3, **steps}
        history = trained(model, X, LABELS, validation_data=held_out, **given)
        figures.append(history.history["val_loss"])
    assert figures[0] == figures[1]


def test_batches_of_any_size_and_type_may_follow_each_other():
    sizes = [1, 7, 3, 7, 20, 12]
    ends = np.cumsum(sizes)
    batches = [(X[e - n : e], Y[e - n : e]) for n, e in zip(sizes, ends)]
    batches[2] = tuple(a.astype("float64") for a in batches[2])
    batches[3] = tuple(np.asfortranarray(a) for a in batches[3])
    a, b = line(D), line(D)
    a.fit(Again(batches), verbose=0)
    for x, y in batches:
        b.train_on_batch(x, y)
    assert arrays_equal(a.get_weights(), b.get_weights())


def test_model_without_a_shape_is_built_from_the_first_batch_which_is_not_lost():
    for make in (iter, Again, ByNumber):
        a, b = TwoLayers(), TwoLayers()
        for model in (a, b):
            model.compile("sgd", "mse")
        trained(a, make(parts(X, Y)), shuffle=False)
        trained(b, X, Y, batch_size=SIZE, shuffle=False)
        assert arrays_equal(a.get_weights(), b.get_weights())


def test_batches_by_number_are_shuffled_in_each_epoch_unless_told_otherwise():
    for shuffle in (True, False):
        data = ByNumber(parts(X, Y))
        trained(line(D), data, epochs=3, shuffle=shuffle)
        size = len(data) + 2
        epochs = [data.asked[k : k + size] for k in range(0, 3 * size, size)]
        assert all(e[0] == "begin" and e[-1] == "end" for e in epochs)
        orders = [e[1:-1] for e in epochs]
        assert all(sorted(order) == list(range(len(data))) for order in orders)
        assert len({tuple(order) for order in orders}) == (3 if shuffle else 1)
        again = ByNumber(parts(X, Y))
        trained(line(D), again, epochs=3, shuffle=shuffle)
        assert again.asked == data.asked  # the seed decides


@pytest.mark.parametrize("make", [ByNumber, Again, Forever, endless])
def test_epochs_of_some_steps_go_round_and_round(make):
    seen = []

    class Watched(keras.Sequential):
        def train_step(self, data):
            seen.append(data[0].numpy()[0, 0])
            return super().train_step(data)

    model = Watched([layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    batches = [(np.full((2, 1), k), np.zeros(2)) for k in range(5)]
    model.fit(make(batches), steps_per_epoch=3, epochs=4, shuffle=False, verbose=0)
    assert seen == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1]


def test_steps_per_epoch_with_arrays_goes_on_where_the_epoch_before_ended():
    a, b = line(D), line(D)
    history = a.fit(
        X, Y, batch_size=20, steps_per_epoch=2, epochs=3, shuffle=False, verbose=0
    ).history
    b.fit(X, Y, batch_size=20, epochs=2, shuffle=False, verbose=0)
    assert len(history["loss"]) == 3 and int(a.optimizer.iterations) == 6
    assert arrays_equal(a.get_weights(), b.get_weights())


def test_evaluation_and_prediction_of_some_steps_begin_with_the_first_batch():
    model = line(D)
    expected = (Y[:20].astype(float) ** 2).mean()
    for _ in range(2):
        assert model.evaluate(X, Y, batch_size=10, steps=2) == pytest.approx(expected, rel=1e-6)
        data = Again(parts(X, Y, size=10))
        assert model.evaluate(data, steps=2) == pytest.approx(expected, rel=1e-6)
        assert np.array_equal(model.predict(X, 10, steps=2), model.predict(X[:20]))
    held_out = {"validation_data": Again(parts(X, Y, size=10)), "validation_steps": 2}
    history = line(D, rate=0.0).fit(X, Y, epochs=2, verbose=0, **held_out).history
    assert history["val_loss"] == pytest.approx([expected] * 2, rel=1e-6)


def test_nothing_is_taken_from_an_iterator_beyond_the_steps_that_are_asked_for():
    data = Forever(parts(X, Y))
    model = line(D)
    model.fit(data, steps_per_epoch=3, epochs=2, verbose=0)
    assert data.taken == 6
    model.evaluate(data, steps=2)
    model.predict(data, steps=1)
    assert data.taken == 9


def test_callers_generator_can_be_used_on_afterwards():
    batches = endless(parts(X, Y))
    model = line(D)
    for _ in range(2):
        model.fit(batches, steps_per_epoch=2, verbose=0)
    assert np.array_equal(next(batches)[0], X[4 * SIZE : 5 * SIZE])


# Running out


def test_generator_that_runs_dry_ends_the_training_with_a_warning():
    model = line(D)
    with pytest.warns(RuntimeWarning, match="x ran out of data after 0 batches of epoch 2 of 5"):
        history = model.fit(iter(parts(X, Y)), epochs=5, verbose=0)
    assert history.epoch == [0] and len(history.history["loss"]) == 1
    with pytest.warns(RuntimeWarning, match="after 1 batches of epoch 3 of 5") as caught:
        history = model.fit(iter(parts(X, Y)), epochs=5, steps_per_epoch=3, verbose=0)
    assert history.epoch == [0, 1, 2] and caught[0].filename == __file__
    with pytest.warns(RuntimeWarning, match="x ran out of data after 7 batches of the evaluation"):
        model.evaluate(iter(parts(X, Y)), steps=9)
    with pytest.warns(RuntimeWarning, match="x ran out of data after 7 batches of the prediction"):
        assert len(model.predict(Again(parts(X)), steps=9)) == N


def test_one_pass_over_a_generator_needs_no_steps_and_warns_of_nothing():
    model = line(D)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(iter(parts(X, Y)), verbose=0)
        model.fit(X, Y, verbose=0, validation_data=iter(parts(X, Y)))
    assert int(model.optimizer.iterations) == 7 + 2


def bad(number):
    """Good batches but for one."""
    x, y = np.ones((2, D)), np.ones((2, 1))
    batch = [
        (np.full((2, D), np.nan), y),
        (x, np.ones((3, 1))),
        (x, y, y, y),
        ({"a": x}, y),
        ("text", y),
        (x[:0], y[:0]),
    ][number]
    return Again([(x, y), (x, y), batch, (x, y)])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda m: m.fit(iter(())), "x: expected at least one batch, got none"),
        (lambda m: m.fit(ByNumber([])), "x: expected at least one batch, got none"),
        (lambda m: m.evaluate(iter(())), "x: expected at least one batch, got none"),
        (lambda m: m.predict(Again([])), "x: expected at least one batch, got none"),
        (lambda m: m.fit(Again(parts(X, Y)), Y), "y: expected None beside batches.* got ndarray"),
        (
            lambda m: m.evaluate(Again(parts(X, Y)), sample_weight=[1]),
            "sample_weight: expected None beside batches.* got list",
        ),
        (
            lambda m: m.fit(Again(parts(X, Y)), validation_split=0.2),
            "validation_split: expected arrays to take a part of, got batches from Again",
        ),
        (
            lambda m: m.fit(X, Y, epochs=2, validation_data=iter(parts(X, Y))),
            "validation_steps: expected a number",
        ),
        (lambda m: m.fit(X, Y, steps_per_epoch=0), "steps_per_epoch"),
        (lambda m: m.fit(X, Y, validation_freq=0), "validation_freq"),
        (lambda m: m.fit(Again(parts(X))), "y: expected targets for the loss"),
        (lambda m: m.fit(bad(0)), "batch 2 of x: x: expected finite values"),
        (lambda m: m.fit(X, Y, validation_data=bad(0)), "batch 2 of validation_data: x: expected"),
        (lambda m: m.fit(bad(1)), "batch 2 of x: y: expected 2 samples, as many as x has, got 3"),
        (lambda m: m.fit(bad(2)), r"batch 2 of x: expected .*\(x, y, sample_weight\), got 4"),
        (lambda m: m.fit(bad(3)), "batch 2 of x: x: expected one array, got a dict of a"),
        (lambda m: m.fit(bad(4)), "batch 2 of x: x: expected an array with .*, got 'text'"),
        (lambda m: m.fit(bad(5)), "batch 2 of x: x: expected at least one sample"),
        (
            lambda m: m.fit((X, LABELS)),
            r"x: expected one array, got a tuple of 2; targets are the second argument, ",
        ),
    ],
)
def test_what_cannot_work_is_an_error_that_says_why(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call(line(D))


# The bar


def test_bar_counts_batches_whose_number_is_not_known(capsys):
    line(D).fit(Again(parts(X, Y)), verbose=1)
    assert "7/? " in capsys.readouterr().out
    line(D).fit(ByNumber(parts(X, Y)), verbose=1)
    assert "============ 7/7 " in capsys.readouterr().out
    seen = []
    watcher = callbacks.LambdaCallback(on_train_begin=lambda logs=None: seen.append(0))
    line(D).fit(endless(parts(X, Y)), steps_per_epoch=4, verbose=1, callbacks=watcher)
    assert "============ 4/4 " in capsys.readouterr().out and watcher.params["steps"] == 4


# Helpers that are public


def test_unpack_x_y_sample_weight():
    assert utils.unpack_x_y_sample_weight((1, 2, 3)) == (1, 2, 3)
    assert utils.unpack_x_y_sample_weight([1, 2]) == (1, 2, None)
    assert utils.unpack_x_y_sample_weight((1,)) == utils.unpack_x_y_sample_weight(1)
    with pytest.raises(ValueError, match="got 0 entries"):
        utils.unpack_x_y_sample_weight(())


def test_dataset_without_its_methods_says_so():
    assert utils.Sequence is utils.PyDataset

    class Half(utils.PyDataset):
        def __len__(self):
            return 2

    with pytest.raises(NotImplementedError, match="Half: define __getitem__"):
        line(D).fit(Half(), verbose=0)
    with pytest.raises(NotImplementedError, match="PyDataset: define __len__"):
        line(D).fit(utils.PyDataset(), verbose=0)
