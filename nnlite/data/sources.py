"""Sources: data as training reads it. Arrays stay where they are; each step gathers its rows by
index.

What goes into a step is (x, y, sample_weight), each a `Source`, None, or for models of several
inputs or outputs a list or dict of Sources."""

import copy
from collections.abc import Mapping

import numpy as np

from nnlite import config
from nnlite.checks import is_number, refuse_masked
from nnlite.data.kinds import is_read_by_slices
from nnlite.data.sliced_source import SlicedSource
from nnlite.data.source import Source
from nnlite.engine.dispatch import MAX_NDIM
from nnlite.engine.lengths import fits
from nnlite.engine.tensor import Tensor, kind_of
from nnlite.errors import prefixed
from nnlite.ops.rows import SOURCE_CODES, gather, gather_csr
from nnlite.tree import flatten, is_shape, map_structure

CODES = {np.dtype(name): code for name, code in SOURCE_CODES.items()}  # a name takes 1 us to find
INT32 = np.iinfo(np.int32)


class ArraySource(Source):
    """An array whose rows are samples, of any element type.

    Parameters
    ----------
    values : array-like
        Floats, integers or booleans; rows along the first axis.
    name : str
        For messages.
    integer : bool or 'if possible', default False
        Whether values stay integers (int32). True: others are an error, as for token ids;
        'if possible': integers do that int32 holds, as for labels.
    """

    def __init__(self, values, name, integer=False):
        array = array_of(values, name)
        if array.ndim == 0:
            kind = ValueError if array.dtype.kind in "biuf" else TypeError
            raise kind(f"{name}: expected an array with a row for each sample, got {values!r}")
        if array.dtype.kind == "O":
            try:
                array = array.astype(np.float64)
            except (TypeError, ValueError):
                raise TypeError(f"{name}: expected numbers, got {kind_of(array)}") from None
        if array.dtype.kind not in "biuf":
            raise TypeError(f"{name}: expected numbers, got {kind_of(array)}")
        if array.ndim > MAX_NDIM:
            raise ValueError(f"{name}: expected at most {MAX_NDIM} axes, got shape {array.shape}")
        if integer is True:
            array = _whole(array, name)
        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        if array.dtype not in CODES:
            array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
        if not (_rows_are_contiguous(array) and array.flags.aligned):
            array = np.require(array, requirements="CA")
        self.integer = bool(integer) and array.dtype.kind in "biu" and _fits_int32(array)
        self.array, self.name = array, name
        self.rows, self.row_shape = len(array), array.shape[1:]
        self.row_bytes = array.strides[0] if self.rows > 1 else array[:1].nbytes
        self.code = CODES[array.dtype]

    @property
    def layout(self):
        return (self.code, self.row_bytes, self.row_shape, self.integer)

    def _numbers(self):
        return self.array

    def slice(self, rows):
        return ArraySource(self.array[rows], self.name, self.integer)

    def as_column(self):
        """Samples that are one number each become samples of one feature."""
        self.array, self.row_shape = self.array[:, None], (1,)

    def values(self, rows):
        """Some rows as an array: a slice, or an array of row numbers."""
        return self.array[rows]

    def placeholders(self, index, count):
        """The tensors that stand for the array's memory in a trace. Consecutive rows of the model's
        own type need no gathering: one tensor of `count` rows stands for them."""
        lies = self.array.dtype == self.dtype and self.row_bytes == self.array[:1].nbytes
        return [Tensor((count, *self.row_shape) if lies and index is None else (), self.dtype)]

    def feeds(self, start, step):
        """(memory, offset, stride) in bytes for each placeholder: the first row is `start`, a step
        moves on by `step` rows. Both are 0 if rows are gathered by index."""
        return [(self.array, start * self.row_bytes * (step > 0), step * self.row_bytes)]

    def read(self, placeholders, index, count):
        """`count` rows as a tensor: the rows of `index`, or consecutive ones if it is None."""
        (source,) = placeholders
        if source.shape:
            return source
        rows = count if index is None else self.rows
        return gather(
            source, index, count, self.row_shape, self.dtype, self.code, self.row_bytes, rows
        )


class SparseSource(Source):
    """A sparse matrix of which each batch is made dense, never the whole.

    Parameters
    ----------
    values : sparse matrix or array of SciPy
        Of any format; CSR is read in place if its values are floats.
    name : str
        For messages.
    """

    def __init__(self, values, name):
        check_sparse(values, name)
        matrix = values.tocsr()
        if len(matrix.shape) != 2 or matrix.dtype.kind not in "biuf":
            raise TypeError(
                f"{name}: expected a sparse matrix of numbers, got shape {matrix.shape} of type "
                f"{matrix.dtype}"
            )
        if not matrix.has_canonical_format:
            matrix = matrix.copy()
            matrix.sum_duplicates()
        self.array, self.name = matrix, name
        self.rows, self.row_shape = matrix.shape[0], matrix.shape[1:]
        entries = matrix.data
        if entries.dtype not in (np.float32, np.float64):
            entries = entries.astype(np.float32 if entries.dtype.itemsize < 4 else np.float64)
        self.code = CODES[entries.dtype]
        self._entries = np.ascontiguousarray(entries)
        self._columns = np.ascontiguousarray(matrix.indices, np.int32)
        self._begin = np.ascontiguousarray(matrix.indptr, np.int64)
        self._first = 0  # the row of the matrix that is the first here

    @property
    def layout(self):
        return ("csr", self.code, self.row_shape)

    def _numbers(self):
        return self._entries[self._begin[0] : self._begin[-1]]

    def slice(self, rows):
        start, stop, _ = rows.indices(self.rows)
        part = copy.copy(self)
        part.rows, part._begin = stop - start, self._begin[start : stop + 1]
        part._first += start
        return part

    def values(self, rows):
        rows = np.arange(self.rows)[rows] + self._first
        return self.array[rows].toarray()

    def placeholders(self, index, count):
        return [Tensor((), "int32") for _ in range(3)]

    def feeds(self, start, step):
        begin = (self._begin, 8 * start * (step > 0), 8 * step)
        return [(self._entries, 0, 0), (self._columns, 0, 0), begin]

    def read(self, placeholders, index, count):
        rows = count if index is None else self.rows
        shape = (count, *self.row_shape)
        return gather_csr(*placeholders, index, shape, config.floatx(), self.code, rows)


class LookedUp(list):
    """What the look-ups at the beginning of a model made of its inputs (`models/front.py`)."""


def check_sparse(values, name):
    """Refuse a CSR or CSC matrix whose arrays point outside of each other: C would follow them."""
    kind = getattr(values, "format", None)
    if not isinstance(kind, str) or kind not in (
        "csr",
        "csc",
    ):  # a DataFrame may have such a column
        return
    lines, entries = values.shape if kind == "csr" else values.shape[::-1]
    begin, places = values.indptr, values.indices
    stored = min(len(places), len(values.data))
    if (
        len(begin) != lines + 1
        or begin[0] != 0
        or begin[-1] > stored
        or (begin[1:] < begin[:-1]).any()
    ):
        raise ValueError(
            f"{name}: expected the indptr of a {kind.upper()} matrix of shape {values.shape} to "
            f"rise from 0 to {stored} at most, the number of its entries; was it edited?"
        )
    if len(places) and not 0 <= places.min() <= places.max() < entries:
        raise ValueError(
            f"{name}: expected the indices of a {kind.upper()} matrix of shape {values.shape} to "
            f"be from 0 to {entries - 1}, got {places.min()} to {places.max()}"
        )


def source_of(values, name, integer=False):
    """The Source of an array, dense or sparse; a Source is its own."""
    if isinstance(values, Source):
        return values
    if is_read_by_slices(values):
        return SlicedSource(values, name)
    sparse = hasattr(values, "tocsr")
    return SparseSource(values, name) if sparse else ArraySource(values, name, integer)


def _fits_int32(array):
    """Whether int32 holds these integers."""
    if not array.size or array.dtype.itemsize < 4:
        return True
    return bool(INT32.min <= array.min() and array.max() <= INT32.max)


def _whole(array, name):
    """Numbers that are to be integers, of an integer type that int32 holds."""
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = array.astype(np.int64)
        if not np.array_equal(whole, array):
            raise ValueError(f"{name}: expected integers, as the input's dtype says, got fractions")
        array = whole
    if not _fits_int32(array):
        raise ValueError(
            f"{name}: expected integers of the range of int32, got {array.min()} to {array.max()}"
        )
    return array


def _rows_are_contiguous(array):
    """Whether each row's elements lie together, so that a row is one run of memory."""
    return array.shape[0] == 0 or (array[0].flags.c_contiguous and array.strides[0] >= 0)


def array_of(values, name):
    """A NumPy array of whatever was given."""
    if isinstance(values, Tensor):
        with prefixed(f"{name}: ", RuntimeError):  # one of a trace has no values
            return values.numpy()
    refuse_masked(name, values)
    if hasattr(values, "__dlpack__") and not hasattr(values, "__array__"):
        values = np.from_dlpack(values)
    if isinstance(values, Mapping):
        of = f"a dict of {', '.join(map(str, values))}" if values else "an empty dict"
        raise TypeError(f"{name}: expected one array, got {of}")
    try:
        with prefixed(f"{name}: ", TypeError):  # a symbol has no values
            return np.asarray(values)
    except ValueError:  # ragged
        shapes = [getattr(v, "shape", None) or _size(v) for v in values]
        raise ValueError(
            f"{name}: expected one array, got a {type(values).__name__} of {len(values)} parts "
            f"that differ in shape: {', '.join(map(str, shapes[:4]))}"
        ) from None


def _size(part):
    """What a message says of a part of a list that is no array."""
    return f"of {len(part)}" if hasattr(part, "__len__") else repr(part)


def sources_of(
    x, y=None, sample_weight=None, multi_input=(False, False), integer=(), output_shape=None
):
    """(x, y, sample_weight) as Sources of the same number of rows, at least one.

    Parameters
    ----------
    x, y, sample_weight : array-like, or list or dict of them
    multi_input : pair of bool or None
        Whether a list is one entry for each input, or output, rather than one array. None: it is
        if its entries are arrays.
    integer : collection of int and str
        The numbers, in order, and names of the inputs that stay integers.
    output_shape : tuple, optional
        That of the only output, if it is known: by it an array in a list is told from a row.

    Raises
    ------
    TypeError, ValueError
        If something is no array of numbers, x holds no array, or numbers of rows differ.
    """
    inputs, outputs = multi_input
    shared = None if outputs else outputs  # one weight of a sample may do for all outputs
    sources = (_sources(x, "x", inputs, lambda key: key in integer),)
    if not leaves(sources):
        raise ValueError(f"x: expected at least one array, got {x!r}")
    how = leaves(sources)[0].rows, outputs, output_shape
    y, sample_weight = (_alone(values, *how) for values in (y, sample_weight))
    sources += (
        None if y is None else _sources(y, "y", outputs, lambda key: "if possible"),
        None
        if sample_weight is None
        else _sources(sample_weight, "sample_weight", shared, lambda key: False),
    )
    first, *others = leaves(sources)
    if first.rows == 0:
        raise ValueError(
            f"{first.name}: expected at least one sample, got shape {first.array.shape}"
        )
    for s in others:
        if s.rows != first.rows:
            raise ValueError(
                f"{s.name}: expected {first.rows} samples, as many as x has, got {s.rows}"
            )
    return sources


def input_alone(model, x):
    """The data of a model's only input, where they come in a list or a dict of one.

    Parameters
    ----------
    model : Model
    x : array-like, or list or dict of them
    """
    shape = model._input_shape
    if not isinstance(x, (list, tuple, dict)) or len(x) != 1 or not is_shape(shape):
        return x
    if isinstance(x, dict):
        return x if model._graph is None else x.get(model.input_names[0], x)
    # A list of one row is an array, too: its row has one dimension less.
    given = getattr(x[0], "shape", ())
    return x[0] if given and fits(given[1:], shape[1:]) else x


def _alone(values, rows, several, output_shape):
    """Targets or weights that are the only entry of a tuple, as a data set may yield them, or of a
    list for the only output, as they are."""
    if not isinstance(values, (list, tuple)) or len(values) != 1:
        return values
    listed, shape = isinstance(values, list), getattr(values[0], "shape", ())
    if np.ndim(shape) != 1 or not shape or (listed and several is not False):
        return values
    known = several is False and output_shape is not None
    if rows != 1 or (known and fits(shape, output_shape)):
        return values[0]
    # Beside one row of x a list of one row is an array, too.
    is_row = fits((1, *shape), output_shape) if known else listed
    return values if is_row or shape[0] != 1 else values[0]


def _sources(values, name, several, integer):
    if isinstance(values, LookedUp):
        return values
    if isinstance(values, Mapping) and (several is not False or (name != "x" and len(values) == 1)):
        return {k: _entry(v, f"{name}[{k!r}]", integer(k)) for k, v in values.items()}
    if isinstance(values, (list, tuple)) and values:
        if several is None:
            several = _holds_arrays(values)
        if several or isinstance(values[0], Source):
            return [_entry(v, f"{name}[{k}]", integer(k)) for k, v in enumerate(values)]
    return source_of(values, name, integer(0))


def _entry(values, name, integer):
    """The Source of one of several inputs or outputs, or what is nested in its place."""
    if values is None:
        return None
    several = isinstance(values, (list, tuple)) and len(values) > 0 and _holds_arrays(values)
    if isinstance(values, Mapping) or several:
        return _sources(values, name, True, lambda key: integer)
    return source_of(values, name, integer)


def _holds_arrays(values):
    """Whether a list holds arrays, or lists and dicts of them, rather than being rows of one."""
    return all(
        isinstance(v, Mapping)
        or (
            len(v.shape) > 0
            if hasattr(v, "shape")
            else isinstance(v, (list, tuple)) and len(v) > 0 and _holds_arrays(v)
        )
        for v in values
    )


def leaves(sources):
    """The Sources in (x, y, sample_weight) or a part of it, in order."""
    found = []
    for s in sources:
        if s.__class__ is ArraySource:  # nearly always
            found.append(s)
        elif s is not None:
            found += [leaf for leaf in flatten(s) if leaf is not None]
    return found


def check_class_weight(class_weight):
    """The weights of classes as a dict of int to float; an error if a key is no class number."""
    if class_weight is None:
        return None
    if not isinstance(class_weight, Mapping):
        raise TypeError(f"class_weight: expected a dict of class to weight, got {class_weight!r}")
    for label, factor in class_weight.items():
        if not (isinstance(label, np.bool_ | bool) or is_number(label, "(-inf, inf)")) or label % 1:
            raise ValueError(
                "class_weight: expected the numbers of classes as keys, such as {0: 1.0, 1: 2.0}, "
                f"got the key {label!r}"
            )
        if not is_number(factor, "[0, inf)"):
            raise ValueError(
                f"class_weight: expected a number in [0, inf) for class {label!r}, got {factor!r}"
            )
    return {int(label): float(factor) for label, factor in class_weight.items()}


def apply_class_weight(sources, class_weight):
    """Sources in which each sample's weight is multiplied by that of its class, 1 if it has
    none."""
    if class_weight is None:
        return sources
    x, y, weight = sources
    if not isinstance(y, Source) or not isinstance(weight, (Source, type(None))):
        raise ValueError("class_weight: expected the targets of one output")
    labels = y.array
    if labels.ndim > 2:
        raise ValueError(
            "class_weight: expected one class for each sample, as y of shape (N,), (N, 1) or "
            f"(N, classes), got y of shape {labels.shape}"
        )
    if labels.ndim == 2 and labels.shape[1] > 1:
        labels = labels.argmax(axis=1)
    weights = np.ones(y.rows)
    for label, factor in class_weight.items():
        weights[labels.reshape(-1) == label] = factor
    if weight is not None:
        if weight.array.shape != weights.shape:
            raise ValueError(
                f"sample_weight: expected shape {weights.shape}, got {weight.array.shape}"
            )
        weights = weights * weight.array
    return x, y, ArraySource(weights, "sample_weight")


def split(sources, fraction):
    """Sources of the first rows, for training, and of the last `fraction` of them, for
    validation."""
    rows = leaves(sources)[0].rows
    at = int(rows * (1 - fraction))
    if at == 0 or at == rows:
        raise ValueError(f"validation_split: {fraction} of {rows} samples leaves one part empty")
    parts = slice(at), slice(at, None)
    return [map_structure(lambda s, part=part: s.slice(part), sources, Source) for part in parts]
