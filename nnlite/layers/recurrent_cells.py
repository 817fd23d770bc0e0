"""Cells of recurrent layers: what one step computes, from its input and the states before it.

The one idea: a cell of this file runs all steps of a sequence, `over_sequence`, as one op if C has
its activations; one step is a sequence of length 1. Cells of one's own define `call` for one step,
and `RNN` goes through the steps."""

from nnlite import activations, initializers, ops
from nnlite.checks import positive_int
from nnlite.config import next_seed
from nnlite.configurable import Configurable
from nnlite.engine.tensor import Tensor, convert_to_tensor
from nnlite.layers import settings
from nnlite.layers.layer import Layer
from nnlite.layers.recurrent_steps import through_steps, zero_states
from nnlite.ops.random import seed_state

_AS_ONE_OP = {**activations.FUSED, activations.sigmoid: ("sigmoid", 0.0)}
OF_CELLS = {
    "units": positive_int,
    "activation": settings.activation,
    "recurrent_activation": settings.activation,
    "use_bias": "bool",
    "unit_forget_bias": "bool",
    "reset_after": "bool",
    "dropout": "[0, 1]",
    "recurrent_dropout": "[0, 1]",
    "seed": "int",
    **settings.of_weights("kernel", "recurrent", "bias"),
}


def keep_settings(layer):
    """Make attributes of the settings of a layer that are its class's own, but for those whose
    names its class has a property of."""
    known = Layer._signature()
    for name, value in Configurable._identity(layer).items():
        if name not in known and not isinstance(getattr(type(layer), name, None), property):
            setattr(layer, name, value)


def without_those_of_keras_2(layer, settings):
    """Settings without `implementation` and `time_major`, which Keras 2 knew and wrote into files.

    Parameters
    ----------
    layer : Layer
    settings : dict
    """
    if settings.get("time_major"):
        raise ValueError(
            f"{type(layer).__name__}: time_major: expected False, as sequences are (N, T, C), got "
            f"{settings['time_major']!r}"
        )
    return {k: v for k, v in settings.items() if k not in ("implementation", "time_major")}


class Cell(Layer):
    """Base of the cells of this file.

    A subclass says how many gates there are, and defines `_all_steps` and `_by_ops`. Both get the
    product of the inputs with the kernel, of all steps and of one.
    """

    _legal = OF_CELLS
    _takes = (2, 2, "an input of shape (N, features)")
    _gates = 1
    recurrent_activation = "linear"

    def __init__(self, **kwargs):
        super().__init__(**without_those_of_keras_2(self, kwargs))
        keep_settings(self)

    def build(self, input_shape):
        self._step_shape = tuple(input_shape[1:])
        self._function = activations.get(self.activation)
        self._recurrent_function = activations.get(self.recurrent_activation)
        wide = self._gates * positive_int("units", self.units)
        self.kernel = self._add("kernel", (self._channels(input_shape), wide), "kernel")
        self.recurrent_kernel = self._add("recurrent", (self.units, wide), "recurrent_kernel")
        self.bias = self._add("bias", self._bias_shape(wide), "bias") if self.use_bias else None
        if self.dropout or self.recurrent_dropout:
            self.seed_state = seed_state(next_seed() if self.seed is None else int(self.seed))

    def _channels(self, input_shape):
        """The number of features of an input."""
        return input_shape[-1]

    def _add(self, kind, shape, name):
        return self.add_weight(
            shape,
            self._initializer_of(kind),
            name=name,
            regularizer=getattr(self, f"{kind}_regularizer"),
            constraint=getattr(self, f"{kind}_constraint"),
        )

    def _initializer_of(self, kind):
        return getattr(self, f"{kind}_initializer")

    def _bias_shape(self, wide):
        return (wide,)

    @property
    def state_size(self):
        """The sizes of the states: a number, or a list of them."""
        return self.units

    @property
    def output_size(self):
        """The size of the output."""
        return self.units

    def get_initial_state(self, batch_size=None):
        """The states before the first step: zeros.

        Parameters
        ----------
        batch_size : int

        Returns
        -------
        list of Tensor
        """
        return zero_states(self, batch_size)

    @property
    def runs_as_one_op(self):
        """Whether C has both activations."""
        return {self._function, self._recurrent_function} <= _AS_ONE_OP.keys()

    def call(self, inputs, states, training=False):
        """One step.

        Parameters
        ----------
        inputs : Tensor, shape (N, C)
        states : list of Tensor, shape (N, U), or a Tensor
        training : bool, default False
            Whether `dropout` and `recurrent_dropout` act.

        Returns
        -------
        output : Tensor, shape (N, U)
        states : list of Tensor, or a Tensor
            The new states, as those before were given.
        """
        given = self._as_states(states, inputs.shape[0])
        if inputs.shape[1:] != self._step_shape:
            shown = ", ".join(map(str, ("N", *self._step_shape)))
            raise ValueError(f"expected an input of shape ({shown}), got shape {inputs.shape}")
        x = ops.expand_dims(inputs, 1)
        outputs, after = self.over_sequence(x, given, training=training)
        return outputs[:, 0], after if isinstance(states, (list, tuple)) else after[0]

    def _as_states(self, states, n):
        """The states that `call` was given, as a list of tensors."""
        found = list(states) if isinstance(states, (list, tuple)) else [states]
        found = [convert_to_tensor(state) for state in found]
        expected = [state.shape for state in self.get_initial_state(n)]
        if [state.shape for state in found] != expected:
            raise ValueError(
                f"states: expected states of shapes {expected}, got "
                f"{[state.shape for state in found]}"
            )
        return found

    def over_sequence(self, x, states, mask=None, training=False, reverse=False):
        """The output of each step of sequences, and the states after the last one.

        Parameters
        ----------
        x : Tensor, shape (N, T, C)
        states : list of Tensor, shape (N, U)
        mask : Tensor, shape (N, T), optional
            At a step where it is 0 the states stay.
        training : bool, default False
        reverse : bool, default False
            Whether the last step comes first.

        Returns
        -------
        outputs : Tensor, shape (N, T, U)
        states : list of Tensor, shape (N, U)
        """
        drop = None
        if training and self.dropout:
            x = self._for_gates(x)
            x = ops.multiply(x, self._dropped(self.dropout, (x.shape[0], 1, *x.shape[2:]), x))
        if training and self.recurrent_dropout:
            drop = self._dropped(self.recurrent_dropout, self._for_gates(states[0]).shape, x)
        z = self._of_inputs(x)
        if not self.runs_as_one_op:
            return through_steps(lambda *step: self._step(*step, drop), z, states, mask, reverse)
        kinds = {
            "activation": _AS_ONE_OP[self._function],
            "recurrent_activation": _AS_ONE_OP[self._recurrent_function],
        }
        after = self._all_steps(z, states, mask=mask, drop=drop, reverse=reverse, **kinds)
        last = 0 if reverse else -1
        return after[0], [state[:, last] for state in after]

    def _of_inputs(self, x):
        """What the steps get of their inputs: the product with the kernel, and the bias."""
        return ops.linear(x, self.kernel, self.bias)

    def _for_gates(self, x):
        """What is dropped of inputs or of a state: all gates see the same."""
        return x

    def _step(self, z, states, drop):
        """One step by ops, for activations that C does not have."""
        h, *others = states
        kept = h if drop is None else ops.multiply(self._for_gates(h), drop)
        after = self._by_ops(z, h, kept, *others)
        return after[0], after

    def _dropped(self, rate, shape, like):
        """What is kept in all steps of a sequence, 1 / (1 - rate), and 0 for what is dropped."""
        key = ops.random_key(self.seed_state)
        return ops.dropout(ops.ones(shape, like.dtype), key, rate)


class SimpleRNNCell(Cell):
    """activation(x @ kernel + h @ recurrent_kernel + bias).

    J. L. Elman: "Finding structure in time", Cognitive Science 14, 1990.

    Parameters
    ----------
    units : int
        U, the size of the state; at least 1.
    activation : str or function, default 'tanh'
    use_bias : bool, default True
    kernel_initializer, recurrent_initializer, bias_initializer : str or Initializer
        By default 'glorot_uniform', 'orthogonal' and 'zeros'.
    kernel_regularizer, recurrent_regularizer, bias_regularizer : str or Regularizer, optional
    kernel_constraint, recurrent_constraint, bias_constraint : str or Constraint, optional
    dropout, recurrent_dropout : float in [0, 1], default 0.0
        The share of the input, and of h before its product, that is dropped while training; the
        same in all steps.
    seed : int, optional
        Of what is dropped; by default the next seed of the process.
    **kwargs
        Of `Layer`: name, trainable.

    Notes
    -----
    Called on an input (N, C) and a list of the state (N, U), returns the output and a list of the
    new state. Weights: kernel (C, U), recurrent_kernel (U, U), bias (U,).

    Examples
    --------
    >>> import nnlite
    >>> cell = nnlite.layers.SimpleRNNCell(4)
    >>> y, states = cell(nnlite.ones((2, 3)), [nnlite.zeros((2, 4))])
    >>> y.shape, len(states)
    ((2, 4), 1)
    """

    def __init__(
        self,
        units,
        activation="tanh",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)

    def _all_steps(self, z, states, activation, recurrent_activation, **how):
        return [ops.simple_rnn(z, self.recurrent_kernel, *states, activation=activation, **how)]

    def _by_ops(self, z, h, kept):
        return [self._function(z + ops.matmul(kept, self.recurrent_kernel))]


class OfLSTM(Cell):
    """Base of the cells that are a long short-term memory, whatever its products are."""

    _gates = 4

    @property
    def state_size(self):
        """The sizes of h and c."""
        return [self.units, self.units]

    def _initializer_of(self, kind):
        return self._biases if kind == "bias" else super()._initializer_of(kind)

    def _biases(self, shape, dtype):
        """The bias, with ones for the forget gate."""
        made = initializers.draw(initializers.get(self.bias_initializer), shape, dtype).numpy()
        if self.unit_forget_bias:
            made[self.units : 2 * self.units] = 1
        return Tensor(shape, made.dtype.name, made)

    def _by_ops(self, z, h, kept, c):
        return self._after(z + ops.matmul(kept, self.recurrent_kernel), c)

    def _after(self, z, c, axis=-1):
        """The states h and c of what the gates and the candidate, along an axis, are made of."""
        i, f, g, o = ops.split(z, 4, axis=axis)
        i, f, o = (self._recurrent_function(gate) for gate in (i, f, o))
        c = f * c + i * self._function(g)
        return [o * self._function(c), c]


class LSTMCell(OfLSTM):
    """Long short-term memory, one step.

    S. Hochreiter, J. Schmidhuber: "Long short-term memory", Neural Computation 9, 1997; F. A. Gers,
    J. Schmidhuber, F. Cummins: "Learning to forget", Neural Computation 12, 2000.

    Parameters
    ----------
    units : int
        U, the size of both states; at least 1.
    activation : str or function, default 'tanh'
        Of the candidate, and of the state c for the output.
    recurrent_activation : str or function, default 'sigmoid'
        Of the gates.
    use_bias : bool, default True
    kernel_initializer, recurrent_initializer, bias_initializer : str or Initializer
        By default 'glorot_uniform', 'orthogonal' and 'zeros'.
    unit_forget_bias : bool, default True
        Whether the bias of the forget gate begins with ones.
        R. Jozefowicz, W. Zaremba, I. Sutskever: "An empirical exploration of recurrent network
        architectures", ICML 2015.
    kernel_regularizer, recurrent_regularizer, bias_regularizer : str or Regularizer, optional
    kernel_constraint, recurrent_constraint, bias_constraint : str or Constraint, optional
    dropout, recurrent_dropout : float in [0, 1], default 0.0
        As of `SimpleRNNCell`.
    seed : int, optional
        Of what is dropped; by default the next seed of the process.
    **kwargs
        Of `Layer`: name, trainable.

    Notes
    -----
    Called on an input (N, C) and a list of the states h and c (N, U), returns the output h and a
    list of the new states. Weights: kernel (C, 4 * U), recurrent_kernel (U, 4 * U), bias (4 * U,);
    of the gates i and f, the candidate, and the gate o.

    Examples
    --------
    >>> import nnlite
    >>> cell = nnlite.layers.LSTMCell(4)
    >>> y, states = cell(nnlite.ones((2, 3)), cell.get_initial_state(2))
    >>> y.shape, len(states)
    ((2, 4), 2)
    """

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        unit_forget_bias=True,
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)

    def _all_steps(self, z, states, **how):
        return list(ops.lstm(z, self.recurrent_kernel, *states, **how))


class GRUCell(Cell):
    """Gated recurrent unit, one step.

    K. Cho et al.: "Learning phrase representations using RNN encoder-decoder for statistical
    machine translation", EMNLP 2014; `reset_after=False` is its last version, True the first one.

    Parameters
    ----------
    units : int
        U, the size of the state; at least 1.
    activation : str or function, default 'tanh'
        Of the candidate.
    recurrent_activation : str or function, default 'sigmoid'
        Of the gates.
    use_bias : bool, default True
    kernel_initializer, recurrent_initializer, bias_initializer : str or Initializer
        By default 'glorot_uniform', 'orthogonal' and 'zeros'.
    kernel_regularizer, recurrent_regularizer, bias_regularizer : str or Regularizer, optional
    kernel_constraint, recurrent_constraint, bias_constraint : str or Constraint, optional
    dropout, recurrent_dropout : float in [0, 1], default 0.0
        As of `SimpleRNNCell`.
    reset_after : bool, default True
        Whether the reset gate multiplies the state after its product with the recurrent kernel, or
        before it.
    seed : int, optional
        Of what is dropped; by default the next seed of the process.
    **kwargs
        Of `Layer`: name, trainable.

    Notes
    -----
    Called on an input (N, C) and a list of the state (N, U), returns the output and a list of the
    new state. Weights: kernel (C, 3 * U), recurrent_kernel (U, 3 * U), bias (2, 3 * U), of the
    input and of the state, or (3 * U,) without `reset_after`; of the update gate, the reset gate
    and the candidate.

    Examples
    --------
    >>> import nnlite
    >>> cell = nnlite.layers.GRUCell(4)
    >>> y, states = cell(nnlite.ones((2, 3)), cell.get_initial_state(2))
    >>> y.shape, len(states)
    ((2, 4), 1)
    """

    _gates = 3

    def __init__(
        self,
        units,
        activation="tanh",
        recurrent_activation="sigmoid",
        use_bias=True,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        recurrent_regularizer=None,
        bias_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        reset_after=True,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)

    @property
    def runs_as_one_op(self):
        """Whether C has both activations and the reset gate's place."""
        return bool(self.reset_after) and super().runs_as_one_op

    def _bias_shape(self, wide):
        return (2, wide) if self.reset_after else (wide,)

    def _biases(self):
        """That of the input and that of the state."""
        if self.bias is None or not self.reset_after:
            return self.bias, None
        return self.bias[0], self.bias[1]

    def _of_inputs(self, x):
        return ops.linear(x, self.kernel, self._biases()[0])

    def _all_steps(self, z, states, **how):
        recurrent_bias = self._biases()[1]
        if recurrent_bias is None:
            recurrent_bias = ops.zeros((3 * self.units,), z.dtype)
        return [ops.gru(z, self.recurrent_kernel, recurrent_bias, *states, **how)]

    def _by_ops(self, z, h, kept):
        n = 2 * self.units
        if self.reset_after:
            m = ops.linear(kept, self.recurrent_kernel, self._biases()[1])
            gates = self._recurrent_function(z[:, :n] + m[:, :n])
            update, reset = ops.split(gates, 2, axis=-1)
            candidate = z[:, n:] + reset * m[:, n:]
        else:
            kernel = self.recurrent_kernel
            gates = self._recurrent_function(z[:, :n] + ops.matmul(kept, kernel[:, :n]))
            update, reset = ops.split(gates, 2, axis=-1)
            candidate = z[:, n:] + ops.matmul(reset * kept, kernel[:, n:])
        return [update * h + (1.0 - update) * self._function(candidate)]
