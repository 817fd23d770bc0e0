"""Sequences: padded to one length, cut into windows of a series, paired for word2vec; under Keras
2's names."""

import json
import random

import numpy as np

from nnlite import names
from nnlite.checks import check_choice, check_setting, is_number, positive_int
from nnlite.config import next_seed
from nnlite.data.py_dataset import PyDataset
from nnlite.errors import memory_for

__all__ = ["TimeseriesGenerator", "make_sampling_table", "pad_sequences", "skipgrams"]

__getattr__ = names.of(__name__)

SIDES = ("pre", "post")


def pad_sequences(
    sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0
):
    """One array of sequences of different lengths.

    Parameters
    ----------
    sequences : sequence of sequences, such as lists of tokens or arrays (steps, ...)
        All entries of all of them have the same shape.
    maxlen : int, optional
        Steps of the result; by default those of the longest sequence.
    dtype : dtype, default 'int32'
        Of the result; 'float32' for measured values, `object` for strings.
    padding : {'pre', 'post'}, default 'pre'
        Whether a shorter sequence is filled up before its first step or after its last.
    truncating : {'pre', 'post'}, default 'pre'
        Whether a longer one loses its first steps or its last.
    value : number or str, default 0.0
        What it is filled up with.

    Returns
    -------
    array, shape (number of sequences, maxlen, ...)

    Raises
    ------
    ValueError
        If something is no sequence, shapes differ, or `dtype` does not hold the values.

    Examples
    --------
    >>> from nnlite.preprocessing.sequence import pad_sequences
    >>> pad_sequences([[5], [6, 7, 8]], maxlen=2)
    array([[0, 5],
           [7, 8]], dtype=int32)
    """
    check_choice("padding", padding, SIDES)
    check_choice("truncating", truncating, SIDES)
    if isinstance(sequences, (str, bytes)) or not hasattr(sequences, "__len__"):
        raise ValueError(f"sequences: expected a list of sequences, got {sequences!r}")
    arrays = [_steps(sequence, k) for k, sequence in enumerate(sequences)]
    longest = max(map(len, arrays), default=0)
    maxlen = longest if maxlen is None else positive_int("maxlen", maxlen)
    shape = next((a.shape[1:] for a in arrays if len(a)), ())
    dtype = np.dtype(dtype)
    filling = _cast(np.asarray(value), dtype, "value")
    with memory_for("pad_sequences", (len(arrays), maxlen, *shape), dtype.name):
        padded = np.full((len(arrays), maxlen, *shape), filling, dtype)
    for k, array in enumerate(arrays):
        if not len(array):
            continue
        if array.shape[1:] != shape:
            raise ValueError(
                f"sequences: expected steps of one shape, got {shape} and, in sequence {k}, "
                f"{array.shape[1:]}"
            )
        kept = array[-maxlen:] if truncating == "pre" else array[:maxlen]
        places = slice(maxlen - len(kept), None) if padding == "pre" else slice(len(kept))
        padded[k, places] = _cast(kept, dtype, "sequences")
    return padded


def _steps(sequence, number):
    """A sequence as an array."""
    if isinstance(sequence, (str, bytes)) or not hasattr(sequence, "__len__"):
        raise ValueError(f"sequences: expected sequences, got {sequence!r} as number {number}")
    try:
        return np.asarray(sequence)
    except ValueError:
        raise ValueError(
            f"sequences: expected steps of one shape, got several in sequence {number}"
        ) from None


def _cast(values, dtype, name):
    """Values in another type, which must hold them: a fraction that is cut off, or a word that is
    cut short, is nothing that anybody asks for."""
    if dtype.kind == "O" or dtype == values.dtype:
        return values
    if (dtype.kind in "US") != (values.dtype.kind in "US"):
        raise ValueError(
            f"{name}: expected what dtype={dtype.name!r} holds, got {values.tolist()!r:.40}; "
            "dtype=object holds strings of any length"
        )
    try:
        with np.errstate(invalid="ignore", over="ignore"):
            cast = values.astype(dtype)
    except (TypeError, OverflowError) as error:  # None, or an integer that int64 does not hold
        raise ValueError(f"{name}: expected what dtype={dtype.name!r} holds ({error})") from None
    if dtype.kind in "iuUS" and not np.array_equal(cast, values):
        lost = values[cast != values].tolist()[0]
        other = "dtype='float32' holds fractions" if dtype.kind in "iu" else "dtype=object does"
        raise ValueError(f"{name}: expected what dtype={dtype.name!r} holds, got {lost!r}; {other}")
    return cast


class TimeseriesGenerator(PyDataset):
    """Batches of windows of a series, each with the target of the step after it.

    Parameters
    ----------
    data : array-like, shape (steps, ...)
    targets : array-like, shape (steps, ...)
        `targets[i]` belongs to the window that ends before step i.
    length : int
        Steps from the first of a window to its target.
    sampling_rate : int, default 1
        A window has every so manieth step.
    stride : int, default 1
        Steps between the targets of two windows.
    start_index : int, default 0
        The first step that is used.
    end_index : int, optional
        The last target; by default that of the last step.
    shuffle : bool, default False
        Whether the windows of a batch are drawn at random, rather than in order.
    reverse : bool, default False
        Whether the steps of a window go back in time.
    batch_size : int, default 128
        Windows of a batch; the last one may have fewer.
    **kwargs
        Of `PyDataset`.

    Raises
    ------
    ValueError
        If there are not as many targets as steps, or no window.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite.preprocessing.sequence import TimeseriesGenerator
    >>> series = np.arange(10)
    >>> windows, targets = TimeseriesGenerator(series, series, length=3, batch_size=2)[0]
    >>> windows.tolist(), targets.tolist()
    ([[0, 1, 2], [1, 2, 3]], [3, 4])
    """

    def __init__(
        self,
        data,
        targets,
        length,
        sampling_rate=1,
        stride=1,
        start_index=0,
        end_index=None,
        shuffle=False,
        reverse=False,
        batch_size=128,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if len(data) != len(targets):
            raise ValueError(
                f"targets: expected one for each of the {len(data)} steps of data, got "
                f"{len(targets)}"
            )
        self.length = positive_int("length", length)
        self.sampling_rate = positive_int("sampling_rate", sampling_rate)
        self.stride = positive_int("stride", stride)
        self.batch_size = positive_int("batch_size", batch_size)
        check_setting("start_index", start_index, "int [0, inf)")
        last = len(data) - 1
        end_index = last if end_index is None else end_index
        check_setting("end_index", end_index, f"int [0, {last}]")
        self.start_index, self.end_index = int(start_index) + self.length, int(end_index)
        if self.start_index > self.end_index:
            raise ValueError(
                f"length: expected at most {self.end_index - int(start_index)}, so that there is a "
                f"window with a target, got {length!r}"
            )
        self.data, self.targets = data, targets
        self.shuffle, self.reverse = bool(shuffle), bool(reverse)
        self._rng = np.random.default_rng(next_seed()) if shuffle else None

    def __len__(self):
        windows = self.end_index - self.start_index + 1
        return -(-windows // (self.batch_size * self.stride))

    def __getitem__(self, index):
        if not -len(self) <= index < len(self):
            raise IndexError(f"batch {index}: expected a number below {len(self)}")
        if self.shuffle:
            rows = self._rng.integers(self.start_index, self.end_index + 1, self.batch_size)
        else:
            span = self.batch_size * self.stride
            first = self.start_index + index % len(self) * span
            rows = range(first, min(first + span, self.end_index + 1), self.stride)
        windows = [self.data[row - self.length : row : self.sampling_rate] for row in rows]
        targets = np.array([self.targets[row] for row in rows])
        windows = np.array(windows)
        return (windows[:, ::-1] if self.reverse else windows), targets

    def get_config(self):
        """The settings, with data and targets as JSON."""
        return {
            "data": _as_json("data", self.data),
            "targets": _as_json("targets", self.targets),
            "length": self.length,
            "sampling_rate": self.sampling_rate,
            "stride": self.stride,
            "start_index": self.start_index,
            "end_index": self.end_index,
            "shuffle": self.shuffle,
            "reverse": self.reverse,
            "batch_size": self.batch_size,
        }

    def to_json(self, **kwargs):
        """The settings, data and targets as JSON.

        Parameters
        ----------
        **kwargs
            For `json.dumps`.
        """
        config = {"class_name": type(self).__name__, "config": self.get_config()}
        return json.dumps(config, **kwargs)


def _as_json(name, values):
    try:
        return json.dumps(values.tolist() if isinstance(values, np.ndarray) else values)
    except TypeError:
        raise TypeError(
            f"{name}: expected an array or a list, to write it as JSON, got {type(values).__name__}"
        ) from None


def make_sampling_table(size, sampling_factor=1e-5):
    """How likely `skipgrams` keeps a word, by its rank, the most frequent words the least.

    The frequency of the word of a rank is that of Zipf's law.

    Parameters
    ----------
    size : int
        Words.
    sampling_factor : float, default 1e-5
        More than 0; words that are more frequent than this are left out at times.

    Returns
    -------
    array of float64, shape (size,)

    References
    ----------
    T. Mikolov et al.: Distributed representations of words and phrases and their compositionality,
    2013.

    Examples
    --------
    >>> from nnlite.preprocessing.sequence import make_sampling_table
    >>> make_sampling_table(4).round(5)
    array([0.00315, 0.00315, 0.00548, 0.00742])
    """
    ranks = np.maximum(np.arange(positive_int("size", size)), 1)
    check_setting("sampling_factor", sampling_factor, "(0, inf)")
    # The sum of 1 / r up to a rank is about log(rank) + 0.577, Euler's constant.
    inverse_frequency = ranks * (np.log(ranks) + 0.577) + 0.5 - 1 / (12 * ranks)
    return np.minimum(1.0, np.sqrt(sampling_factor * inverse_frequency))


def skipgrams(
    sequence,
    vocabulary_size,
    window_size=4,
    negative_samples=1.0,
    shuffle=True,
    categorical=False,
    sampling_table=None,
    seed=None,
):
    """Pairs of words that stand near each other, and of words with random ones.

    Parameters
    ----------
    sequence : sequence of int
        Words as numbers; 0 is no word.
    vocabulary_size : int
        The largest number of a word and 1 more.
    window_size : int, default 4
        How far two words may be from each other.
    negative_samples : float, default 1.0
        At least 0: random pairs for each pair of neighbours.
    shuffle : bool, default True
        Whether the pairs come in random order.
    categorical : bool, default False
        Whether a label is [0, 1] or [1, 0], rather than 1 or 0.
    sampling_table : sequence of float, optional
        How likely a word is kept, by its number, such as `make_sampling_table` makes it.
    seed : int, optional
        Of all that is random; by default Python's `random` is drawn from.

    Returns
    -------
    couples : list of [int, int]
    labels : list
        1 for neighbours.

    References
    ----------
    T. Mikolov, K. Chen, G. Corrado, J. Dean: Efficient estimation of word representations in vector
    space, 2013.

    Examples
    --------
    >>> from nnlite.preprocessing.sequence import skipgrams
    >>> skipgrams([1, 2, 3], 4, window_size=1, negative_samples=0, shuffle=False)
    ([[1, 2], [2, 1], [2, 3], [3, 2]], [1, 1, 1, 1])
    """
    size = positive_int("vocabulary_size", vocabulary_size)
    check_setting("window_size", window_size, "int [0, inf)")
    check_setting("negative_samples", negative_samples, "[0, inf)")
    words = [_word(word, size) for word in sequence]
    if sampling_table is not None and len(sampling_table) <= max(words, default=0):
        raise ValueError(
            f"sampling_table: expected a chance for each word up to {max(words)}, got "
            f"{len(sampling_table)}"
        )
    if negative_samples and size < 2:
        raise ValueError(f"vocabulary_size: expected at least 2, got {vocabulary_size!r}")
    rng = random if seed is None else random.Random(seed)
    couples = []
    for at, word in enumerate(words):
        if not word or (sampling_table is not None and sampling_table[word] < rng.random()):
            continue
        before = words[max(0, at - int(window_size)) : at]
        near = before + words[at + 1 : at + 1 + int(window_size)]
        couples += [[word, other] for other in near if other]
    yes, no = ([0, 1], [1, 0]) if categorical else (1, 0)
    labels = [yes] * len(couples)
    if negative_samples:
        centres = [word for word, _ in couples]
        rng.shuffle(centres)
        for k in range(int(len(couples) * negative_samples)):
            couples.append([centres[k % len(centres)], rng.randint(1, size - 1)])
            labels.append(no)
    if shuffle:
        order = list(range(len(couples)))
        rng.shuffle(order)
        couples, labels = [couples[k] for k in order], [labels[k] for k in order]
    return couples, [list(label) for label in labels] if categorical else labels


def _word(word, size):
    """The number of a word, checked."""
    if not is_number(word, f"[0, {size - 1}]") or word % 1:
        raise ValueError(f"sequence: expected integers in [0, {size}), got {word!r}")
    return int(word)
