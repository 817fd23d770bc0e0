"""Layers: settings, weights, and `call` written in `nnlite.ops`."""

from nnlite import identifiers, lazy, names
from nnlite.layers.core import Activation, Dense, Flatten, Identity, InputLayer, Reshape
from nnlite.layers.layer import Layer

with lazy.imports(__name__):
    from nnlite.layers.activation import ELU, LeakyReLU, PReLU, ReLU, Softmax
    from nnlite.layers.adaptive_pooling import (
        AdaptiveAveragePooling1D,
        AdaptiveAveragePooling2D,
        AdaptiveAveragePooling3D,
        AdaptiveMaxPooling1D,
        AdaptiveMaxPooling2D,
        AdaptiveMaxPooling3D,
    )
    from nnlite.layers.attention import AdditiveAttention, Attention, BahdanauAttention
    from nnlite.layers.categories import CategoryEncoding, Discretization
    from nnlite.layers.conv import (
        Conv2D,
        Conv2DTranspose,
        Convolution2D,
        Convolution2DTranspose,
        DepthwiseConv2D,
        SeparableConv2D,
        SeparableConvolution2D,
    )
    from nnlite.layers.conv1d import (
        Conv1D,
        Conv1DTranspose,
        Convolution1D,
        Convolution1DTranspose,
        DepthwiseConv1D,
        SeparableConv1D,
        SeparableConvolution1D,
    )
    from nnlite.layers.conv3d import Conv3D, Conv3DTranspose, Convolution3D, Convolution3DTranspose
    from nnlite.layers.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
    from nnlite.layers.einsum_dense import EinsumDense
    from nnlite.layers.embedding import Embedding, Masking, ReversibleEmbedding
    from nnlite.layers.function_layer import Lambda
    from nnlite.layers.hashing import HashedCrossing, Hashing
    from nnlite.layers.image import CenterCrop, Resizing
    from nnlite.layers.image_mixing import CutMix, MixUp
    from nnlite.layers.input_spec import InputSpec
    from nnlite.layers.lookup import IntegerLookup, StringLookup
    from nnlite.layers.merging import (
        Add,
        Average,
        Concatenate,
        Dot,
        Maximum,
        Minimum,
        Multiply,
        Subtract,
        add,
        average,
        concatenate,
        dot,
        maximum,
        minimum,
        multiply,
        subtract,
    )
    from nnlite.layers.multi_head_attention import GroupQueryAttention, MultiHeadAttention
    from nnlite.layers.normalization import (
        BatchNormalization,
        GroupNormalization,
        LayerNormalization,
        RMSNormalization,
        UnitNormalization,
    )
    from nnlite.layers.numeric_encoding import (
        LearnedScaling,
        PeriodicEmbedding,
        PiecewiseLinearEncoding,
    )
    from nnlite.layers.padding_mask import PaddingMask
    from nnlite.layers.pooling import (
        AveragePooling1D,
        AveragePooling2D,
        AveragePooling3D,
        AvgPool1D,
        AvgPool2D,
        AvgPool3D,
        GlobalAveragePooling1D,
        GlobalAveragePooling2D,
        GlobalAveragePooling3D,
        GlobalAvgPool1D,
        GlobalAvgPool2D,
        GlobalAvgPool3D,
        GlobalMaxPool1D,
        GlobalMaxPool2D,
        GlobalMaxPool3D,
        GlobalMaxPooling1D,
        GlobalMaxPooling2D,
        GlobalMaxPooling3D,
        MaxPool1D,
        MaxPool2D,
        MaxPool3D,
        MaxPooling1D,
        MaxPooling2D,
        MaxPooling3D,
    )
    from nnlite.layers.positions import PositionEmbedding, SinePositionEncoding
    from nnlite.layers.preprocessing import InputScaling, Normalization, Rescaling
    from nnlite.layers.random_color import (
        RandomColorDegeneration,
        RandomColorJitter,
        RandomGrayscale,
        RandomHue,
        RandomSaturation,
    )
    from nnlite.layers.random_detail import RandomErasing, RandomGaussianBlur, RandomSharpness
    from nnlite.layers.random_elastic import RandomElasticTransform
    from nnlite.layers.random_geometry import (
        RandomCrop,
        RandomFlip,
        RandomPerspective,
        RandomRotation,
        RandomShear,
        RandomTranslation,
        RandomZoom,
    )
    from nnlite.layers.random_light import (
        AutoContrast,
        ContrastLimitedAdaptiveHistogramEqualization,
        Equalization,
        RandomBrightness,
        RandomContrast,
        RandomInvert,
        RandomPosterization,
        Solarization,
    )
    from nnlite.layers.random_policies import AugMix, RandAugment
    from nnlite.layers.recurrent import RNN, StackedRNNCells
    from nnlite.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell
    from nnlite.layers.recurrent_layers import GRU, LSTM, SimpleRNN
    from nnlite.layers.regularization import (
        ActivityRegularization,
        AlphaDropout,
        Dropout,
        GaussianDropout,
        GaussianNoise,
        SpatialDropout1D,
        SpatialDropout2D,
        SpatialDropout3D,
    )
    from nnlite.layers.shaping import (
        Cropping1D,
        Cropping2D,
        Cropping3D,
        Permute,
        RepeatVector,
        UpSampling1D,
        UpSampling2D,
        UpSampling3D,
        ZeroPadding1D,
        ZeroPadding2D,
        ZeroPadding3D,
    )
    from nnlite.layers.spectral_normalization import SpectralNormalization
    from nnlite.layers.spectrograms import MelSpectrogram, STFTSpectrogram
    from nnlite.layers.table import TableEncoding
    from nnlite.layers.text import TextVectorization
    from nnlite.layers.transformer import TransformerDecoder, TransformerEncoder
    from nnlite.layers.wrappers import Bidirectional, TimeDistributed, Wrapper

__all__ = [
    "ELU",
    "GRU",
    "LSTM",
    "RNN",
    "Activation",
    "ActivityRegularization",
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "Add",
    "AdditiveAttention",
    "AlphaDropout",
    "Attention",
    "AugMix",
    "AutoContrast",
    "Average",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "BahdanauAttention",
    "BatchNormalization",
    "Bidirectional",
    "CategoryEncoding",
    "CenterCrop",
    "Concatenate",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "CutMix",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Discretization",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Equalization",
    "Flatten",
    "GRUCell",
    "GaussianDropout",
    "GaussianNoise",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "GlobalAveragePooling3D",
    "GlobalAvgPool1D",
    "GlobalAvgPool2D",
    "GlobalAvgPool3D",
    "GlobalMaxPool1D",
    "GlobalMaxPool2D",
    "GlobalMaxPool3D",
    "GlobalMaxPooling1D",
    "GlobalMaxPooling2D",
    "GlobalMaxPooling3D",
    "GroupNormalization",
    "GroupQueryAttention",
    "HashedCrossing",
    "Hashing",
    "Identity",
    "Input",
    "InputLayer",
    "InputScaling",
    "InputSpec",
    "IntegerLookup",
    "LSTMCell",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "LearnedScaling",
    "Masking",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "Maximum",
    "MelSpectrogram",
    "Minimum",
    "MixUp",
    "MultiHeadAttention",
    "Multiply",
    "Normalization",
    "PReLU",
    "PaddingMask",
    "PeriodicEmbedding",
    "Permute",
    "PiecewiseLinearEncoding",
    "PositionEmbedding",
    "RMSNormalization",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Resizing",
    "ReversibleEmbedding",
    "STFTSpectrogram",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "SimpleRNN",
    "SimpleRNNCell",
    "SinePositionEncoding",
    "Softmax",
    "Solarization",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "SpectralNormalization",
    "StackedRNNCells",
    "StringLookup",
    "Subtract",
    "TableEncoding",
    "TextVectorization",
    "TimeDistributed",
    "TransformerDecoder",
    "TransformerEncoder",
    "UnitNormalization",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "Wrapper",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]

__getattr__ = names.of(__name__)
serialize, deserialize = identifiers.as_dicts(__name__, "layer", Layer, "Dense(3)")


def Input(
    shape=None,
    batch_size=None,
    dtype=None,
    name=None,
    batch_shape=None,
    optional=False,
    sparse=None,
    ragged=None,
    tensor=None,
):
    """A symbol for the input of a functional `Model`; in a Sequential, the shape of its input.

    Parameters
    ----------
    shape : tuple of int or None
        The shape of one sample, without the batch. A size may be None, if weights do not depend on
        it: data may have any then, such as sequences of any length.
    batch_size : int, optional
        The size of a batch, for the shapes of symbols; data may come in batches of any size.
    dtype : str, optional
        'int32' or 'int64' for indices, such as token ids: they stay integers, as int32; 'string'
        for texts, which a look-up layer takes. Numbers of any other type are read as the model's
        precision.
    name : str, optional
    batch_shape : tuple, optional
        Instead of shape and batch_size: (batch_size, *shape).
    optional : bool, default False
        Whether data may be None in its place: layers that are called on it then get None.
    sparse : bool, optional
        Ignored: sparse matrices of SciPy are taken in any case.
    ragged : {False}, optional
        Sequences of different lengths are padded.
    tensor : Symbol, optional
        A symbol that is there, of another `Input` or of a layer: it is returned, if it has the
        shape and the type that are given. A model may begin with it.

    Returns
    -------
    Symbol

    Raises
    ------
    ValueError
        If the shape is missing or given twice, or `ragged` is true; or if `tensor` is no symbol,
        or has another shape or type.

    Notes
    -----
    A model makes a compiled step for each length that it meets, and keeps 32. Where the lengths of
    batches differ much, `utils.pad_sequences` brings them to few, such as multiples of 16, and a
    mask (`Embedding(mask_zero=True)`, `Masking`) takes care that padding does not count.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import layers
    >>> x = layers.Input((4,))
    >>> nnlite.Model(x, layers.Dense(3)(x)).output_shape
    (None, 3)
    >>> nnlite.Sequential([layers.Input((4,)), layers.Dense(3)]).output_shape
    (None, 3)
    """
    given = shape, batch_size, dtype, name, batch_shape, optional, sparse, ragged
    return InputLayer(*given).symbol() if tensor is None else InputLayer._checked(tensor, *given)
