"""How many batches an epoch has: what is asked for, and never more than the data."""

import pytest
from small_models import D, N, X, Y, arrays_equal, line

from nnlite import utils

SIZE = 20  # rows of a batch; the last of N has fewer


def parts(*arrays):
    """The batches of some arrays, a list."""
    return [tuple(a[k : k + SIZE] for a in arrays) for k in range(0, N, SIZE)]


class Again:
    """Batches that can be gone through again, how many is not told."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


class ByNumber(utils.PyDataset):
    """Batches by number."""

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


@pytest.mark.parametrize("make", [None, ByNumber, Again], ids=str)
def test_an_epoch_ends_with_the_data_and_says_so_once(make):
    model, batches = line(D), -(-N // SIZE)
    steps = {"steps_per_epoch": batches + 2, "epochs": 3, "verbose": 0, "shuffle": False}
    message = f"steps_per_epoch: expected at most {batches}, .* over x, got {batches + 2}; each"
    with pytest.warns(RuntimeWarning, match=message) as caught:
        if make is None:
            history = model.fit(X, Y, batch_size=SIZE, **steps)
        else:
            history = model.fit(make(parts(X, Y)), **steps)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert history.epoch == [0, 1, 2] and int(model.optimizer.iterations) == 3 * batches
    plain = line(D)
    plain.fit(X, Y, batch_size=SIZE, epochs=3, shuffle=False, verbose=0)
    assert arrays_equal(model.get_weights(), plain.get_weights())


class NumBatches(utils.PyDataset):
    """Says its number of batches as `num_batches`; has a batch for every number."""

    def __init__(self, batches, number):
        super().__init__()
        self.batches, self.number, self.asked = batches, number, []

    @property
    def num_batches(self):
        return self.number

    def __getitem__(self, index):
        self.asked.append(index)
        return self.batches[index % len(self.batches)]


def test_num_batches_is_the_number_of_batches_and_none_is_no_end_of_them():
    data = NumBatches(parts(X, Y), 3)
    assert len(data) == 3
    line(D).fit(data, epochs=2, verbose=0)
    assert sorted(set(data.asked[1:])) == [0, 1, 2]
    data = NumBatches(parts(X, Y), None)
    model = line(D)
    model.fit(data, steps_per_epoch=9, epochs=2, verbose=0)
    assert int(model.optimizer.iterations) == 18 and data.asked[-18:] == list(range(18))
    message = r"x: expected a number of steps .*num_batches is None"
    for call in (model.fit, model.evaluate, model.predict):
        with pytest.raises(ValueError, match=message):
            call(data)
