"""Layers that slide a window over volumes (N, D, H, W, C)."""

from nnlite.layers.conv_base import Conv, ConvTranspose
from nnlite.layers.spatial import Volumes


class Conv3D(Volumes, Conv):
    """activation(convolution of volumes with filters + bias).

    Parameters
    ----------
    filters : int
        F, the number of channels of the result.
    kernel_size : int or (int, int, int)
        KD, KH, KW: depth, height and width of the filters.
    strides : int or (int, int, int), default (1, 1, 1)
        Distance of neighbouring windows along each axis.
    padding : {'valid', 'same'}, default 'valid'
        - 'valid': windows lie within the volume.
        - 'same': zeros around the volume, so that OD = ceil(D / stride), and so for OH and OW.
    data_format : {'channels_last', 'channels_first'}, optional
    dilation_rate : int or (int, int, int), default (1, 1, 1)
        Distance of neighbouring elements of a filter along each axis.
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
    Input (N, D, H, W, C), output (N, OD, OH, OW, F). Weights: kernel (KD, KH, KW, C / groups, F),
    bias (F,). While it is computed, its input is held KD / stride times: the windows along the
    depth. Training gathers them again, and does not keep them.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Conv3D(8, 3, activation="relu")(nnlite.ones((2, 9, 28, 28, 1))).shape
    (2, 7, 26, 26, 8)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1, 1),
        padding="valid",
        data_format=None,
        dilation_rate=(1, 1, 1),
        groups=1,
        activation=None,
        **kwargs,
    ):
        window = (filters, kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, groups=groups, **kwargs)


class Conv3DTranspose(Volumes, ConvTranspose):
    """The transposed convolution of volumes, with bias and activation: it enlarges volumes.

    M. D. Zeiler, D. Krishnan, G. W. Taylor, R. Fergus: "Deconvolutional networks", CVPR 2010.

    Parameters
    ----------
    filters : int
        F, the number of channels of the result.
    kernel_size : int or (int, int, int)
        KD, KH, KW: depth, height and width of the filters.
    strides : int or (int, int, int), default (1, 1, 1)
        Distance, in the result, of what neighbouring elements make.
    padding : {'valid', 'same'}, default 'valid'
        As for `Conv2DTranspose`, along each axis.
    data_format : {'channels_last', 'channels_first'}, optional
    output_padding : int or (int, int, int), optional
        As for `Conv2DTranspose`.
    dilation_rate : int or (int, int, int), default (1, 1, 1)
        Distance of neighbouring elements of a filter, in the result.
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
    Input (N, D, H, W, C), output (N, OD, OH, OW, F). Weights: kernel (KD, KH, KW, F, C), bias (F,).

    Examples
    --------
    >>> import nnlite
    >>> nnlite.layers.Conv3DTranspose(8, 3, strides=2)(nnlite.ones((2, 4, 14, 14, 1))).shape
    (2, 9, 29, 29, 8)
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=(1, 1, 1),
        padding="valid",
        data_format=None,
        output_padding=None,
        dilation_rate=(1, 1, 1),
        activation=None,
        **kwargs,
    ):
        window = (filters, kernel_size, strides, padding, data_format, dilation_rate)
        super().__init__(*window, activation, output_padding=output_padding, **kwargs)


Convolution3D, Convolution3DTranspose = Conv3D, Conv3DTranspose
