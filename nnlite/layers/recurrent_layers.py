"""SimpleRNN, LSTM and GRU: recurrent layers whose steps run as one op."""

from nnlite.layers.recurrent import OfCell
from nnlite.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell


class SimpleRNN(OfCell):
    """The simple recurrent layer: h = activation(x_t @ kernel + h @ recurrent_kernel + bias).

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
    activity_regularizer : str, Regularizer or function, optional
        As for `Layer`.
    kernel_constraint, recurrent_constraint, bias_constraint : str or Constraint, optional
    dropout, recurrent_dropout : float in [0, 1], default 0.0
        The share of the input, and of h before its product, that is dropped while training; the
        same in all steps.
    seed : int, optional
        Of what is dropped; by default the next seed of the process.
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask : bool
        As of `RNN`; all False by default.
    **kwargs
        Of `Layer`: name, trainable, input_shape. Of Keras 2, ignored: `implementation`.

    Notes
    -----
    Input (N, T, C), output (N, U), or (N, T, U) with `return_sequences`. `call(sequences,
    initial_state=None, mask=None, training=False)`.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.SimpleRNN(4)(nnlite.ones((2, 7, 3))).shape
    (2, 4)
    """

    _cell = SimpleRNNCell

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
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        zero_output_for_mask=False,
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)


class LSTM(OfCell):
    """Long short-term memory.

    S. Hochreiter, J. Schmidhuber: "Long short-term memory", Neural Computation 9, 1997.

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
    activity_regularizer : str, Regularizer or function, optional
        As for `Layer`.
    kernel_constraint, recurrent_constraint, bias_constraint : str or Constraint, optional
    dropout, recurrent_dropout : float in [0, 1], default 0.0
        The share of the input, and of h before its product, that is dropped while training; the
        same in all steps.
    seed : int, optional
        Of what is dropped; by default the next seed of the process.
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask : bool
        As of `RNN`; all False by default.
    use_cudnn
        Ignored; accepted for Keras's signature.
    **kwargs
        Of `Layer`: name, trainable, input_shape. Of Keras 2, ignored: `implementation`.

    Notes
    -----
    Input (N, T, C), output (N, U), or (N, T, U) with `return_sequences`. `call(sequences,
    initial_state=None, mask=None, training=False)`.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.LSTM(4)(nnlite.ones((2, 7, 3))).shape
    (2, 4)
    """

    _cell = LSTMCell

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
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        zero_output_for_mask=False,
        use_cudnn="auto",
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)


class GRU(OfCell):
    """Gated recurrent unit.

    K. Cho et al.: "Learning phrase representations using RNN encoder-decoder for statistical
    machine translation", EMNLP 2014.

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
    activity_regularizer : str, Regularizer or function, optional
        As for `Layer`.
    kernel_constraint, recurrent_constraint, bias_constraint : str or Constraint, optional
    dropout, recurrent_dropout : float in [0, 1], default 0.0
        The share of the input, and of h before its product, that is dropped while training; the
        same in all steps.
    reset_after : bool, default True
        Whether the reset gate multiplies the state after its product with the recurrent kernel, or
        before it.
    seed : int, optional
        Of what is dropped; by default the next seed of the process.
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask : bool
        As of `RNN`; all False by default.
    use_cudnn
        Ignored; accepted for Keras's signature.
    **kwargs
        Of `Layer`: name, trainable, input_shape. Of Keras 2, ignored: `implementation`.

    Notes
    -----
    Input (N, T, C), output (N, U), or (N, T, U) with `return_sequences`. `call(sequences,
    initial_state=None, mask=None, training=False)`.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.GRU(4)(nnlite.ones((2, 7, 3))).shape
    (2, 4)
    """

    _cell = GRUCell

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
        activity_regularizer=None,
        kernel_constraint=None,
        recurrent_constraint=None,
        bias_constraint=None,
        dropout=0.0,
        recurrent_dropout=0.0,
        seed=None,
        return_sequences=False,
        return_state=False,
        go_backwards=False,
        stateful=False,
        unroll=False,
        zero_output_for_mask=False,
        reset_after=True,
        use_cudnn="auto",
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
