"""Recurrent layers: what goes through the steps of sequences (N, T, ...)."""

import numpy as np

from nnlite import ops
from nnlite.engine.tensor import Variable, convert_to_tensor
from nnlite.errors import prefixed
from nnlite.layers.layer import Layer
from nnlite.layers.outer import LayerOfLayers
from nnlite.layers.recurrent_cells import (
    OF_CELLS,
    Cell,
    keep_settings,
    without_those_of_keras_2,
)
from nnlite.layers.recurrent_steps import through_steps, zero_states
from nnlite.tree import flatten, map_structure

SEQUENCES = (3, 6, "sequences of shape (N, T, features)")
_FLAGS = "return_sequences return_state go_backwards stateful unroll zero_output_for_mask"
OF_RECURRENT = dict.fromkeys(_FLAGS.split(), "bool")


class RNN(LayerOfLayers):
    """A cell that goes through the steps of sequences.

    Parameters
    ----------
    cell : Layer, or list of Layer
        What computes a step: `call(inputs, states)` returns the output and the new states, and
        `state_size` is a number or a list of them. A list is `StackedRNNCells` of it.
    return_sequences : bool, default False
        Whether to return the output of each step, (N, T, U), and not that of the last one, (N, U).
    return_state : bool, default False
        Whether to return the states after the last step, too: a list of the output and these. Those
        of stacked cells stand in lists, like their `state_size`.
    go_backwards : bool, default False
        Whether to begin with the last step; the outputs of all steps come in that order.
    stateful : bool, default False
        Whether a batch begins with the states in which the one before ended, sample by sample. All
        batches then have one size, until `reset_states` is called.
    unroll : bool, default False
        Accepted for Keras's signature: a sequence never runs in Python.
    zero_output_for_mask : bool, default False
        Whether the output of a step that is masked is 0, and not that of the step before.
    **kwargs
        Of `Layer`: name, trainable, input_shape. Of Keras 2, ignored: `implementation`.

    Notes
    -----
    Input (N, T, ...); `call` has the arguments.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.RNN([nnlite.layers.LSTMCell(4), nnlite.layers.GRUCell(5)])
    >>> layer(nnlite.ones((2, 7, 3))).shape
    (2, 5)
    """

    _takes = SEQUENCES
    _legal = OF_RECURRENT

    def __init__(
        self,
        cell,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        zero_output_for_mask=False,
        **kwargs,
    ):
        super().__init__(**without_those_of_keras_2(self, kwargs))
        with prefixed(f"{type(self).__name__}: cell: "):
            self.cell = StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else cell
        if not hasattr(self.cell, "state_size") or not callable(self.cell):
            raise TypeError(
                f"{type(self).__name__}: cell: expected a layer with `state_size`, whose call "
                f"takes an input and states, got {cell!r}"
            )
        self.return_sequences, self.return_state = return_sequences, return_state
        self.go_backwards, self.stateful, self.unroll = go_backwards, stateful, unroll
        self.zero_output_for_mask = zero_output_for_mask
        self._keep_states()

    def _keep_states(self):
        """Begin without states. A stateful layer keeps Variables, by the size of a batch; they are
        no weights."""
        vars(self)["_kept"] = {}

    def build(self, input_shape):
        if not isinstance(input_shape, tuple):  # with the shapes of states
            input_shape = input_shape[0]
        self.cell.build((input_shape[0], *input_shape[2:]))

    @property
    def states(self):
        """The states of a stateful layer, a list of Variables; None before its first batch."""
        kept = [states for states in self._kept.values() if any(s._data.any() for s in states)]
        return _like_sizes(self.cell, kept[0]) if kept else None

    def get_initial_state(self, batch_size):
        """The states before the first step, a list.

        Parameters
        ----------
        batch_size : int
        """
        return _like_sizes(self.cell, _first_states_of(self.cell, batch_size))

    def reset_states(self):
        """Begin the next batch of a stateful layer with the first states."""
        if not self.stateful:
            raise RuntimeError(f"layer {self.name!r}: expected stateful=True to reset states")
        for state in (state for states in self._kept.values() for state in states):
            state.assign(ops.zeros(state.shape, state.dtype).numpy())

    reset_state = reset_states

    supports_masking = True

    def compute_mask(self, inputs, previous_mask):
        mask = previous_mask[0] if isinstance(previous_mask, list) else previous_mask
        mask = mask if self.return_sequences else None
        return [mask, *[None] * len(_sizes(self.cell))] if self.return_state else mask

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Go through the steps.

        Parameters
        ----------
        sequences : Tensor, shape (N, T, C)
        initial_state : Tensor or list of Tensor, shape (N, U), optional
            The states before the first step, in lists as `return_state` gives them; by default
            zeros, or those that a stateful layer kept.
        mask : tensor, shape (N, T), optional
            0 at steps that are to be passed over: the states stay as they are.
        training : bool, default False

        Returns
        -------
        Tensor, or list of Tensor
            The output; with `return_state` a list of it and the states after the last step.
        """
        mask = _mask_of(mask, sequences)
        given = self._first_states(sequences, initial_state)
        if sequences.shape[1] == 0:
            raise ValueError(
                f"expected sequences of at least one step, got shape {sequences.shape}"
            )
        outputs, states = _over_sequence(
            self.cell, sequences, given, mask, bool(training), bool(self.go_backwards)
        )
        if mask is not None and (initial_state is not None or self.stateful):
            outputs = _zeros_before_the_first(outputs, mask, self.go_backwards)
        if mask is not None and self.zero_output_for_mask:
            outputs = outputs * _over(mask, outputs)
        last = outputs[:, 0 if self.go_backwards else -1]
        if self.stateful:
            for kept, state in zip(self._kept[sequences.shape[0]], states):
                ops.assign(kept, state)
        if self.return_sequences:
            result = outputs[:, ::-1] if self.go_backwards else outputs
        else:
            result = last
        return [result, *_like_sizes(self.cell, states)] if self.return_state else result

    def _first_states(self, sequences, initial_state):
        """The states before the first step: those that were given, kept, or zeros."""
        n = sequences.shape[0]
        if initial_state is not None:
            found = [convert_to_tensor(state) for state in flatten(initial_state)]
            expected = [state.shape for state in _first_states_of(self.cell, n)]
            if [state.shape for state in found] != expected:
                raise ValueError(
                    f"initial_state: expected states of shapes {expected}, "
                    f"got {[state.shape for state in found]}"
                )
            return found
        if not self.stateful:
            return _first_states_of(self.cell, n)
        self._check_size(n)
        return [state * 1.0 for state in self._kept[n]]  # what they are now, before they change

    def _check_size(self, n):
        """Keep states for batches of n samples; a ValueError if those of another size are kept."""
        for size, states in self._kept.items():
            if size != n and any(state._data.any() for state in states):
                raise ValueError(
                    f"expected a batch of {size} samples, as a stateful layer keeps their states, "
                    f"got {n}; call reset_states() to change it"
                )
        if n not in self._kept:
            self._kept[n] = [
                Variable(np.zeros(s.shape, s.dtype), False, f"{self.name}/state", s.dtype)
                for s in _first_states_of(self.cell, n)
            ]


def _mask_of(mask, sequences):
    """A mask as a real tensor of ones and zeros; None if there is none."""
    if mask is None:
        return None
    mask = ops.cast(mask, sequences.dtype) if hasattr(mask, "dtype") else convert_to_tensor(mask)
    if mask.shape != sequences.shape[:2]:
        raise ValueError(f"mask: expected shape {sequences.shape[:2]}, got {mask.shape}")
    return ops.cast(mask, "bool")


def _zeros_before_the_first(outputs, mask, backwards):
    """Outputs that are 0 before the first step that is not masked."""
    earlier = np.triu(np.ones((mask.shape[1],) * 2))
    seen = ops.matmul(mask, earlier.T if backwards else earlier)
    return ops.where(_over(ops.greater(seen, 0.0), outputs), outputs, 0.0)


def _over(mask, outputs):
    """A mask (N, T) with as many axes as the outputs of all steps."""
    return ops.reshape(mask, (*mask.shape, *[1] * (outputs.ndim - 2)))


class StackedRNNCells(LayerOfLayers):
    """Cells one after another, as one cell: each takes the output of the one before.

    Parameters
    ----------
    cells : list of Layer
    **kwargs
        Of `Layer`: name, trainable.

    Examples
    --------
    >>> import nnlite
    >>> cells = nnlite.layers.StackedRNNCells([nnlite.layers.LSTMCell(4), nnlite.layers.GRUCell(5)])
    >>> cells.state_size, cells.output_size
    ([[4, 4], 5], 5)
    """

    _takes = (2, 5, "an input of shape (N, features)")

    def __init__(self, cells, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(cells, (list, tuple)) or not cells:
            raise TypeError(f"StackedRNNCells: cells: expected a list of cells, got {cells!r}")
        for cell in cells:
            if not hasattr(cell, "state_size") or not callable(cell):
                raise TypeError(
                    f"StackedRNNCells: cells: expected layers with `state_size`, got {cell!r}"
                )
        self.cells = list(cells)

    def build(self, input_shape):
        for cell in self.cells:
            cell.build(input_shape)
            input_shape = (input_shape[0], getattr(cell, "output_size", _sizes(cell)[0]))

    @property
    def state_size(self):
        """The sizes of the states, a list of each cell's `state_size`."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self):
        """The size of the last cell's output."""
        last = self.cells[-1]
        return getattr(last, "output_size", _sizes(last)[0])

    def get_initial_state(self, batch_size=None):
        """The states of all cells before the first step, in lists like `state_size`.

        Parameters
        ----------
        batch_size : int
        """
        return _like_sizes(self, [s for c in self.cells for s in _first_states_of(c, batch_size)])

    def call(self, inputs, states, training=False):
        """One step of all cells.

        Parameters
        ----------
        inputs : Tensor, shape (N, C)
        states : list of Tensor
            Those of the first cell, then those of the next, in lists like `state_size`.
        training : bool, default False

        Returns
        -------
        output : Tensor
            That of the last cell.
        states : list of Tensor
        """
        found = []
        for cell, given in self._shares_of(flatten(states)):
            inputs, after = _step_of(cell)(inputs, given)
            found += after
        return inputs, _like_sizes(self, found)

    def _shares_of(self, states):
        """Each cell with the states that are its own."""
        left = list(states)
        counts = [len(_sizes(cell)) for cell in self.cells]
        if len(left) != sum(counts):
            raise ValueError(f"states: expected {sum(counts)} states, got {len(left)}")
        return [(cell, [left.pop(0) for _ in range(n)]) for cell, n in zip(self.cells, counts)]

    def over_sequence(self, x, states, mask=None, training=False, reverse=False):
        """The output of each step of sequences, and the states after the last one: each cell goes
        through all steps before the next one does.

        Parameters
        ----------
        x : Tensor, shape (N, T, C)
        states : list of Tensor
        mask : Tensor, shape (N, T), optional
            At a step where it is 0 the states stay.
        training : bool, default False
        reverse : bool, default False
            Whether the last step comes first.

        Returns
        -------
        outputs : Tensor, shape (N, T, U)
        states : list of Tensor
        """
        found = []
        for cell, given in self._shares_of(states):
            x, after = _over_sequence(cell, x, given, mask, training, reverse)
            found += after
        return x, found


def _over_sequence(cell, x, states, mask, training, reverse):
    """The output of each step of sequences, and the states after the last one."""
    if getattr(type(cell), "call", None) in (Cell.call, StackedRNNCells.call):
        return cell.over_sequence(x, states, mask, training, reverse)
    return through_steps(_step_of(cell), x, states, mask, reverse)


def _step_of(cell):
    """A function of an input and a list of states: the output, and a list of new states."""

    def step(x, states):
        y, after = cell(x, _like_sizes(cell, states))
        return y, flatten(after)

    return step


def _first_states_of(cell, batch_size):
    """A cell's states before the first step, a list."""
    make = getattr(cell, "get_initial_state", None)
    made = zero_states(cell, batch_size) if make is None else make(batch_size=batch_size)
    return flatten(made)


def _sizes(cell):
    """The sizes of a cell's states, one after another."""
    return flatten(cell.state_size)


def _like_sizes(cell, states):
    """A cell's states, which come one after another, in lists like its `state_size`."""
    left, size = iter(states), cell.state_size
    sizes = list(size) if isinstance(size, (list, tuple)) else [size]
    return map_structure(lambda _: next(left), sizes, (int, np.integer))


class OfCell(RNN):
    """Base of the layers whose cell has the same settings."""

    _legal = {**OF_CELLS, **OF_RECURRENT}
    _takes = (3, 3, SEQUENCES[2])
    _cell = None

    def __init__(self, **kwargs):
        """Make the cell of the settings that it has in common with the layer."""
        Layer.__init__(self, **without_those_of_keras_2(self, kwargs))
        keep_settings(self)
        known = self._cell._signature().keys() - Layer._signature().keys()
        self.cell = self._cell(**{name: getattr(self, name) for name in known})
        self._keep_states()
