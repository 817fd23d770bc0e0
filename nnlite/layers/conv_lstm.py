"""ConvLSTM1D, ConvLSTM2D, ConvLSTM3D: an LSTM whose products are convolutions.

The one idea: the cell is that of an LSTM with other products. That of the inputs is one
convolution of all steps; that of the state is made step by step, by ops."""

from nnlite import ops
from nnlite.checks import positive_int
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor
from nnlite.layers import settings
from nnlite.layers.recurrent import OfCell
from nnlite.layers.recurrent_cells import OfLSTM
from nnlite.layers.spatial import Images, Sequences, Volumes, of_axes
from nnlite.ops.windows import sizes

_LEGAL = {
    "filters": positive_int,
    "padding": settings.padding,
    "data_format": settings.data_format,
}


class _ConvLSTMCell(OfLSTM):
    """One step. A class that is used has the number of axes as its second base."""

    _legal = _LEGAL
    runs_as_one_op = False

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
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

    @property
    def units(self):
        """F, the number of channels of the states."""
        return self.filters

    @property
    def _takes(self):
        return of_axes(*self._axes, first=self.data_format == "channels_first")

    def build(self, input_shape):
        if None in input_shape[1:]:
            raise ValueError(
                "expected known sizes of a step, as the states depend on them, got shape "
                f"{tuple(input_shape[1:])}"
            )
        self._size = sizes("kernel_size", self.kernel_size, self.rank)
        self._window = {
            "strides": sizes("strides", self.strides, self.rank),
            "padding": self.padding,
            "data_format": self.data_format,
            "dilation_rate": sizes("dilation_rate", self.dilation_rate, self.rank),
        }
        super().build(input_shape)
        with Recording(executing=False, shapes_only=True):
            z = self._of_inputs(Tensor((1, 1, *input_shape[1:]), self.kernel.dtype))
            self._state_shape = ops.split(z[:, 0], self._gates, self._channels_axis)[0].shape[1:]

    def _channels(self, input_shape):
        return input_shape[self._channels_axis]

    def _add(self, kind, shape, name):
        return super()._add(kind, shape if kind == "bias" else (*self._size, *shape), name)

    def get_initial_state(self, batch_size=None):
        """The states before the first step: zeros.

        Parameters
        ----------
        batch_size : int
        """
        if not self.built:
            raise RuntimeError(
                f"layer {self.name!r}: expected it to be built: its states have the size of images"
            )
        shape = (batch_size, *self._state_shape)
        return [ops.zeros(shape, self.kernel.dtype) for _ in self.state_size]

    def over_sequence(self, x, *states_and_more, **more):
        if x.shape[2:] != self._step_shape:
            raise ValueError(f"expected steps of shape {self._step_shape}, got shape {x.shape}")
        return super().over_sequence(x, *states_and_more, **more)

    def _of_inputs(self, x):
        n, steps, *size = x.shape
        y = ops.reshape(x, (n * steps, *size))
        y = ops.conv(y, self.kernel, bias=self.bias, **self._window)
        return ops.reshape(y, (n, steps, *y.shape[1:]))

    def _for_gates(self, x):
        """Each gate sees what is dropped for it alone: the channels are there four times, and the
        convolution has as many groups."""
        return ops.concatenate([x] * self._gates, axis=x.ndim - self.rank - 2 + self._channels_axis)

    def _by_ops(self, z, h, kept, c):
        kernel, data_format = self.recurrent_kernel, self.data_format
        z = z + ops.conv(kept, kernel, padding="same", data_format=data_format)
        return self._after(z, c, self._channels_axis)


class ConvLSTM1DCell(_ConvLSTMCell, Sequences):
    """That of `ConvLSTM1D`."""


class ConvLSTM2DCell(_ConvLSTMCell, Images):
    """That of `ConvLSTM2D`."""


class ConvLSTM3DCell(_ConvLSTMCell, Volumes):
    """That of `ConvLSTM3D`."""


class _ConvLSTM(OfCell):
    """Base of the layers: what they take."""

    _legal = _LEGAL

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
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
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)

    @property
    def _takes(self):
        kind, *axes = self._axes
        first = self.data_format == "channels_first"
        return of_axes(f"sequences of {kind}", *axes, first=first, steps=["T"])


class ConvLSTM1D(_ConvLSTM, Sequences):
    """Long short-term memory of sequences of sequences: its products are convolutions.

    X. Shi et al.: "Convolutional LSTM network: a machine learning approach for precipitation
    nowcasting", NeurIPS 2015.

    Parameters
    ----------
    filters : int
        F, the number of channels of the states and of the result.
    kernel_size : int
        K, the length of the filters.
    strides : int, default 1
        Distance of neighbouring windows of the input's convolution.
    padding : {'valid', 'same'}, default 'valid'
        Of the input's convolution, as for `Conv1D`. That of the state has 'same'.
    data_format : {'channels_last', 'channels_first'}, optional
    dilation_rate : int, default 1
        Distance of neighbouring elements of a filter of the input's convolution.
    activation : str or function, default 'tanh'
        Of the candidate, and of the state c for the output.
    recurrent_activation : str or function, default 'sigmoid'
        Of the gates.
    use_bias : bool, default True
    kernel_initializer, recurrent_initializer, bias_initializer : str or Initializer
        By default 'glorot_uniform', 'orthogonal' and 'zeros'.
    unit_forget_bias : bool, default True
        Whether the bias of the forget gate begins with ones.
    kernel_regularizer, recurrent_regularizer, bias_regularizer : str or Regularizer, optional
    activity_regularizer : str, Regularizer or function, optional
        As for `Layer`.
    kernel_constraint, recurrent_constraint, bias_constraint : str or Constraint, optional
    dropout, recurrent_dropout : float in [0, 1], default 0.0
        The share of the input, and of h before its convolution, that is dropped while training, for
        each gate by itself; the same in all steps.
    seed : int, optional
        Of what is dropped; by default the next seed of the process.
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask : bool
        As of `RNN`; all False by default.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, T, L, C), output (N, OL, F), or with `return_sequences`
    (N, T, OL, F); L and C are known when the layer is built. `call(sequences,
    initial_state=None, mask=None, training=False)`; a mask is (N, T). Weights: kernel
    (K, C, 4 * F), recurrent_kernel (K, F, 4 * F), bias (4 * F,); of the gates i
    and f, the candidate, and the gate o.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.ConvLSTM1D(4, 3, padding="same")
    >>> layer(nnlite.ones((2, 5, 8, 3))).shape
    (2, 8, 4)
    """

    _cell = ConvLSTM1DCell


class ConvLSTM2D(_ConvLSTM, Images):
    """Long short-term memory of sequences of images: its products are convolutions.

    X. Shi et al.: "Convolutional LSTM network: a machine learning approach for precipitation
    nowcasting", NeurIPS 2015.

    Parameters
    ----------
    filters : int
        F, the number of channels of the states and of the result.
    kernel_size : int or (int, int)
        KH, KW: height and width of the filters, in pixels.
    strides : int or (int, int), default 1
        Distance of neighbouring windows of the input's convolution.
    padding : {'valid', 'same'}, default 'valid'
        Of the input's convolution, as for `Conv2D`. That of the state has 'same'.
    data_format : {'channels_last', 'channels_first'}, optional
    dilation_rate : int or (int, int), default 1
        Distance of neighbouring elements of a filter of the input's convolution.
    activation : str or function, default 'tanh'
        Of the candidate, and of the state c for the output.
    recurrent_activation : str or function, default 'sigmoid'
        Of the gates.
    use_bias : bool, default True
    kernel_initializer, recurrent_initializer, bias_initializer : str or Initializer
        By default 'glorot_uniform', 'orthogonal' and 'zeros'.
    unit_forget_bias : bool, default True
        Whether the bias of the forget gate begins with ones.
    kernel_regularizer, recurrent_regularizer, bias_regularizer : str or Regularizer, optional
    activity_regularizer : str, Regularizer or function, optional
        As for `Layer`.
    kernel_constraint, recurrent_constraint, bias_constraint : str or Constraint, optional
    dropout, recurrent_dropout : float in [0, 1], default 0.0
        The share of the input, and of h before its convolution, that is dropped while training, for
        each gate by itself; the same in all steps.
    seed : int, optional
        Of what is dropped; by default the next seed of the process.
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask : bool
        As of `RNN`; all False by default.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, T, H, W, C), output (N, OH, OW, F), or with `return_sequences`
    (N, T, OH, OW, F); H, W and C are known when the layer is built. `call(sequences,
    initial_state=None, mask=None, training=False)`; a mask is (N, T). Weights: kernel
    (KH, KW, C, 4 * F), recurrent_kernel (KH, KW, F, 4 * F), bias (4 * F,); of the gates i
    and f, the candidate, and the gate o.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.ConvLSTM2D(4, 3, padding="same")
    >>> layer(nnlite.ones((2, 5, 8, 8, 3))).shape
    (2, 8, 8, 4)
    """

    _cell = ConvLSTM2DCell


class ConvLSTM3D(_ConvLSTM, Volumes):
    """Long short-term memory of sequences of volumes: its products are convolutions.

    X. Shi et al.: "Convolutional LSTM network: a machine learning approach for precipitation
    nowcasting", NeurIPS 2015.

    Parameters
    ----------
    filters : int
        F, the number of channels of the states and of the result.
    kernel_size : int or (int, int, int)
        KD, KH, KW: depth, height and width of the filters.
    strides : int or (int, int, int), default 1
        Distance of neighbouring windows of the input's convolution.
    padding : {'valid', 'same'}, default 'valid'
        Of the input's convolution, as for `Conv3D`. That of the state has 'same'.
    data_format : {'channels_last', 'channels_first'}, optional
    dilation_rate : int or (int, int, int), default 1
        Distance of neighbouring elements of a filter of the input's convolution.
    activation : str or function, default 'tanh'
        Of the candidate, and of the state c for the output.
    recurrent_activation : str or function, default 'sigmoid'
        Of the gates.
    use_bias : bool, default True
    kernel_initializer, recurrent_initializer, bias_initializer : str or Initializer
        By default 'glorot_uniform', 'orthogonal' and 'zeros'.
    unit_forget_bias : bool, default True
        Whether the bias of the forget gate begins with ones.
    kernel_regularizer, recurrent_regularizer, bias_regularizer : str or Regularizer, optional
    activity_regularizer : str, Regularizer or function, optional
        As for `Layer`.
    kernel_constraint, recurrent_constraint, bias_constraint : str or Constraint, optional
    dropout, recurrent_dropout : float in [0, 1], default 0.0
        The share of the input, and of h before its convolution, that is dropped while training, for
        each gate by itself; the same in all steps.
    seed : int, optional
        Of what is dropped; by default the next seed of the process.
    return_sequences, return_state, go_backwards, stateful, unroll, zero_output_for_mask : bool
        As of `RNN`; all False by default.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, T, D, H, W, C), output (N, OD, OH, OW, F), or with `return_sequences`
    (N, T, OD, OH, OW, F); D, H, W and C are known when the layer is built. `call(sequences,
    initial_state=None, mask=None, training=False)`; a mask is (N, T). Weights: kernel
    (KD, KH, KW, C, 4 * F), recurrent_kernel (KD, KH, KW, F, 4 * F), bias (4 * F,); of the gates i
    and f, the candidate, and the gate o.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.ConvLSTM3D(4, 3, padding="same")
    >>> layer(nnlite.ones((2, 5, 4, 8, 8, 3))).shape
    (2, 4, 8, 8, 4)
    """

    _cell = ConvLSTM3DCell
