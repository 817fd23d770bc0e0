"""`data.Dataset` chains steps from arrays to batches, which `fit` and loops read."""

import numpy as np
import pytest

import nnlite as tf
from nnlite.data import Dataset


def values(dataset):
    return [np.asarray(e).tolist() for e in dataset.as_numpy_iterator()]


STEPS = {
    "map": (lambda d: d.map(lambda x: x * 2), [0, 2, 4, 6, 8]),
    "filter": (lambda d: d.filter(lambda x: x > 2), [3, 4]),
    "batch": (lambda d: d.batch(2), [[0, 1], [2, 3], [4]]),
    "batch of full size": (lambda d: d.batch(2, drop_remainder=True), [[0, 1], [2, 3]]),
    "unbatch": (lambda d: d.batch(2).unbatch(), [0, 1, 2, 3, 4]),
    "repeat": (lambda d: d.repeat(2), 2 * [0, 1, 2, 3, 4]),
    "repeat and take": (lambda d: d.repeat().take(7), [0, 1, 2, 3, 4, 0, 1]),
    "skip": (lambda d: d.skip(3), [3, 4]),
    "take": (lambda d: d.take(2), [0, 1]),
    "cache": (lambda d: d.cache(), [0, 1, 2, 3, 4]),
    "prefetch": (lambda d: d.prefetch(tf.data.AUTOTUNE), [0, 1, 2, 3, 4]),
}


@pytest.mark.parametrize("name", STEPS)
def test_each_step_gives_the_same_elements_in_each_pass(name):
    step, expected = STEPS[name]
    dataset = step(Dataset.range(5))
    assert values(dataset) == values(dataset) == expected
    assert dataset.cardinality() in (len(expected), -2)


def test_elements_are_structures_of_tensors():
    dataset = Dataset.from_tensor_slices(({"a": [1, 2], "b": [[0.5], [1.5]]}, [3, 4]))
    inputs, label = next(iter(dataset.batch(2)))
    assert isinstance(inputs["a"], tf.Tensor) and inputs["b"].numpy().tolist() == [[0.5], [1.5]]
    assert label.numpy().tolist() == [3, 4]
    numbered = Dataset.zip(Dataset.range(2), dataset).enumerate()
    assert [int(k) for k, _ in numbered] == [0, 1] and len(numbered) == 2


def test_a_buffer_shuffles_all_elements_and_each_pass_differs():
    shuffled = Dataset.range(50).shuffle(8, seed=0)
    first, second = values(shuffled), values(shuffled)
    assert sorted(first) == sorted(second) == list(range(50)) and first != second
    assert max(k - at for at, k in enumerate(first)) < 8  # what the buffer has seen by then
    assert values(Dataset.range(50).shuffle(8, seed=0)) == first
    same = Dataset.range(50).shuffle(50, seed=0, reshuffle_each_iteration=False)
    assert values(same) == values(same)


def test_cache_runs_the_steps_before_it_once():
    calls = []
    dataset = Dataset.range(3).map(lambda x: calls.append(1) or x).cache()
    assert values(dataset) == values(dataset) == [0, 1, 2] and len(calls) == 3


def test_generators_are_started_for_each_pass():
    dataset = Dataset.from_generator(lambda: ((k, [k, k]) for k in range(2)))
    assert [int(x) for x, _ in dataset] == [int(x) for x, _ in dataset] == [0, 1]
    with pytest.raises(TypeError, match="number of elements"):
        len(dataset)


def test_fit_reads_a_dataset_as_it_reads_the_arrays():
    x, y = np.arange(24.0).reshape(12, 2) / 24, np.arange(12) % 2

    def weights(*data, **how):
        tf.keras.utils.set_random_seed(0)
        model = tf.keras.Sequential([tf.keras.layers.Dense(1, "sigmoid", input_shape=(2,))])
        model.compile("adam", "binary_crossentropy")
        history = model.fit(*data, epochs=2, verbose=0, **how)
        return model.get_weights()[0].tobytes(), history.history

    dataset = Dataset.from_tensor_slices((x, y)).batch(5)
    arrays = weights(x, y, batch_size=5, shuffle=False, validation_data=(x, y))
    assert weights(dataset, validation_data=dataset) == arrays


def test_minus_1_stands_for_all_elements():
    three = Dataset.range(3)
    assert values(three.take(-1)) == [0, 1, 2] and len(three.take(-1)) == 3
    assert values(three.skip(-1)) == [] and len(three.skip(-1)) == 0
    assert values(three.repeat(-1).take(4)) == [0, 1, 2, 0]


def from_list(*elements):
    return Dataset.from_generator(lambda: elements)


REFUSED = {
    "rows": (lambda: Dataset.from_tensor_slices(([1, 2], [3])), "tensors: .*same number of rows"),
    "number": (lambda: Dataset.from_tensor_slices(3), r"tensors: expected .*, got shape \(\)"),
    "nothing": (lambda: Dataset.from_tensor_slices(()), "tensors: expected .*, got none"),
    "size of batches": (lambda: Dataset.range(3).batch(0), "batch_size"),
    "size of buffer": (lambda: Dataset.range(3).shuffle(-1), "buffer_size"),
    "seed": (lambda: Dataset.range(3).shuffle(2, seed="one"), "seed: expected an integer"),
    "take": (lambda: Dataset.range(3).take("two"), "count: expected an integer"),
    "skip": (lambda: Dataset.range(3).skip(-2), r"count: .* in \[-1, inf\), got -2"),
    "repeat": (lambda: Dataset.range(3).repeat(-2), r"count: .* in \[-1, inf\), got -2"),
    "enumerate": (lambda: Dataset.range(3).enumerate("one"), "start: expected an integer"),
    "fraction": (lambda: Dataset.range(2.5), "limits: expected an integer, got 2.5"),
    "no limit": (lambda: Dataset.range(), "limits: expected 1 to 3 integers, got 0"),
    "step": (lambda: Dataset.range(0, 3, 0), "limits: expected a step other than 0"),
    "map": (lambda: Dataset.range(3).map(None), "map_func: expected a function, got None"),
    "filter": (lambda: Dataset.range(3).filter(2), "predicate: expected a function, got 2"),
    "zip": (lambda: Dataset.zip([1], [2]), "datasets: expected Datasets, got list, list"),
    "zip nothing": (lambda: Dataset.zip(), "datasets: expected Datasets, got none"),
    "generator": (lambda: values(Dataset.from_generator(lambda: 5)), "generator: .*, got 5"),
    "shapes": (lambda: values(from_list([1], [1, 2]).batch(2)), "batch: .* of one shape"),
    "lengths": (lambda: values(from_list((1, 2), (1,)).batch(2)), "a tuple of 1 and a tuple of 2"),
    "keys": (lambda: values(from_list({"a": 1}, {"b": 1}).batch(2)), "a dict of a and a dict of b"),
    "kinds": (lambda: values(from_list((1, 2), 3).batch(2)), "a tuple of 2 and an array"),
    "ragged": (lambda: values(from_list([[1], [1, 2]])), "element: expected one array"),
    "unbatch": (lambda: values(Dataset.range(3).unbatch()), "unbatch: .* rows, got shape"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_by_name(name):
    make, said = REFUSED[name]
    with pytest.raises((ValueError, TypeError), match=said):
        make()
