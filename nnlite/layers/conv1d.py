"""Layers that slide a window over sequences (N, T, C)."""

from nnlite.layers import settings
from nnlite.layers.conv_base import Conv, ConvTranspose, DepthwiseConv, SeparableConv
from nnlite.layers.spatial import Sequences


class Conv1D(Sequences, Conv):
    """activation(convolution of sequences with filters + bias).

    Parameters
    ----------
    filters : int
        F, the number of channels of the result.
    kernel_size : int
        K, the length of the filters, in steps.
    strides : int, default 1
        Distance of neighbouring windows, in steps.
    padding : {'valid', 'same', 'causal'}, default 'valid'
        - 'valid': windows lie within the sequence.
        - 'same': zeros around the sequence, so that there are ceil(T / stride) windows.
        - 'causal': zeros before the first step, as in Keras. The ceil(T / stride) windows end at
          the steps 0, stride, 2 stride, and so on; none of them sees a later step.
    data_format : {'channels_last', 'channels_first'}, optional
    dilation_rate : int, default 1
        Distance of neighbouring elements of a filter, in steps.
    groups : int, default 1
        Channels and filters are split into this number of equal groups; the filters of a group see
        only its channels.
    activation : str or function, optional
    use_bias : bool, default True
    kernel_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
    kernel_constraint, bias_constraint : str or Constraint, optional
    **kwargs
        Of `Layer`: name, trainable, activity_regularizer, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, windows, F). Weights: kernel (K, C / groups, F), bias (F,).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Conv1D(8, 3, activation="relu")(nnlite.ones((2, 28, 4))).shape
    (2, 26, 8)
    >>> nnlite.layers.Conv1D(8, 3, padding="causal")(nnlite.ones((2, 28, 4))).shape
    (2, 28, 8)
    """

    _legal = {"padding": settings.causal_padding}

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        groups=1,
        activation=None,
        **kwargs,
    ):
        window = (filters, kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, groups=groups, **kwargs)


class DepthwiseConv1D(Sequences, DepthwiseConv):
    """activation(convolution of each channel of sequences with its own filters + bias).

    Parameters
    ----------
    kernel_size : int
        K, the length of the filters, in steps.
    strides : int, default 1
    padding : {'valid', 'same'}, default 'valid'
        As for `Conv1D`.
    depth_multiplier : int, default 1
        D, the number of filters for each channel.
    data_format : {'channels_last', 'channels_first'}, optional
    dilation_rate : int, default 1
    activation : str or function, optional
    use_bias : bool, default True
    depthwise_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    depthwise_regularizer, bias_regularizer : str or Regularizer, optional
    depthwise_constraint, bias_constraint : str or Constraint, optional
    **kwargs
        Of `Layer`: name, trainable, activity_regularizer, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, windows, C * D). Weights: kernel (K, C, D), bias (C * D,).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.DepthwiseConv1D(3, padding="same")(nnlite.ones((2, 9, 4))).shape
    (2, 9, 4)
    """

    def __init__(
        self,
        kernel_size,
        strides=1,
        padding="valid",
        depth_multiplier=1,
        data_format=None,
        dilation_rate=1,
        activation=None,
        **kwargs,
    ):
        window = (kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, depth_multiplier=depth_multiplier, **kwargs)


class SeparableConv1D(Sequences, SeparableConv):
    """A depthwise convolution, then a convolution of single steps over all channels, bias and
    activation.

    F. Chollet: "Xception: deep learning with depthwise separable convolutions", CVPR 2017.

    Parameters
    ----------
    filters : int
        F, the number of channels of the result.
    kernel_size : int
        K, the length of the depthwise filters, in steps.
    strides : int, default 1
    padding : {'valid', 'same'}, default 'valid'
        As for `Conv1D`.
    data_format : {'channels_last', 'channels_first'}, optional
    dilation_rate : int, default 1
    depth_multiplier : int, default 1
        D, the number of depthwise filters for each channel.
    activation : str or function, optional
    use_bias : bool, default True
    depthwise_initializer, pointwise_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    depthwise_regularizer, pointwise_regularizer, bias_regularizer : str or Regularizer, optional
    depthwise_constraint, pointwise_constraint, bias_constraint : str or Constraint, optional
    **kwargs
        Of `Layer`: name, trainable, activity_regularizer, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, windows, F). Weights: depthwise_kernel (K, C, D), pointwise_kernel
    (1, C * D, F), bias (F,).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.SeparableConv1D(8, 3)(nnlite.ones((2, 9, 4))).shape
    (2, 7, 8)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        data_format=None,
        dilation_rate=1,
        depth_multiplier=1,
        activation=None,
        **kwargs,
    ):
        window = (filters, kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, depth_multiplier=depth_multiplier, **kwargs)


class Conv1DTranspose(Sequences, ConvTranspose):
    """The transposed convolution of sequences, with bias and activation: it lengthens sequences.

    M. D. Zeiler, D. Krishnan, G. W. Taylor, R. Fergus: "Deconvolutional networks", CVPR 2010.

    Parameters
    ----------
    filters : int
        F, the number of channels of the result.
    kernel_size : int
        K, the length of the filters, in steps.
    strides : int, default 1
        Distance, in the result, of what neighbouring steps make.
    padding : {'valid', 'same'}, default 'valid'
        The result has S steps, of which k = (K - 1) * dilation + 1 are under a filter:

        - 'valid': S = (T - 1) * stride + max(k, stride).
        - 'same': S = T * stride.
    output_padding : int, optional
        Less than strides. S = (T - 1) * stride + k + output_padding then for 'valid', and
        S = (T - 1) * stride + k % 2 + output_padding for 'same'.
    data_format : {'channels_last', 'channels_first'}, optional
    dilation_rate : int, default 1
        Distance of neighbouring elements of a filter, in steps.
    activation : str or function, optional
    use_bias : bool, default True
    kernel_initializer : str or Initializer, default 'glorot_uniform'
    bias_initializer : str or Initializer, default 'zeros'
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
    kernel_constraint, bias_constraint : str or Constraint, optional
    **kwargs
        Of `Layer`: name, trainable, activity_regularizer, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, S, F). Weights: kernel (K, F, C), bias (F,).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Conv1DTranspose(8, 3, strides=2)(nnlite.ones((2, 14, 1))).shape
    (2, 29, 8)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        padding="valid",
        output_padding=None,
        data_format=None,
        dilation_rate=1,
        activation=None,
        **kwargs,
    ):
        window = (filters, kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, output_padding=output_padding, **kwargs)


Convolution1D, SeparableConvolution1D = Conv1D, SeparableConv1D
Convolution1DTranspose = Conv1DTranspose
