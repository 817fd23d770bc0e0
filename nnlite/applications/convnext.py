"""ConvNeXts: residual nets with the proportions of transformers."""

import functools

from nnlite import initializers, layers, names, ops
from nnlite.applications.explained import explained
from nnlite.applications.files import in_storage
from nnlite.applications.imagenet_utils import decode_predictions, preprocessing
from nnlite.applications.network import Asked, assembled, pooled
from nnlite.models.sequential import Sequential

__all__ = [
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "LayerScale",
    "decode_predictions",
    "preprocess_input",
]

EPSILON = 1e-6
MEAN, STDDEV = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of pixels in [0, 1]

preprocess_input = preprocessing(None)


class LayerScale(layers.Layer):
    """Each channel times a weight.

    Parameters
    ----------
    init_values : float
        What the weights begin with.
    projection_dim : int
        The number of channels.
    **kwargs
        Of `Layer`: name.
    """

    def __init__(self, init_values, projection_dim, **kwargs):
        super().__init__(**kwargs)
        self.init_values, self.projection_dim = init_values, projection_dim

    def build(self, input_shape):
        self.gamma = self.add_weight(
            shape=(self.projection_dim,), initializer=initializers.Constant(self.init_values)
        )

    def call(self, inputs):
        return ops.multiply(inputs, self.gamma)


def _body(x, name, counts, channels, include_preprocessing):
    if include_preprocessing and x.shape[-1] == 3:
        x = layers.Normalization(
            mean=[255 * m for m in MEAN],
            variance=[(255 * s) ** 2 for s in STDDEV],
            name=f"{name}_prestem_normalization",
        )(x)
    # Keras makes these layers before all others.
    starts = [
        _stem(name, channels[0]),
        *(_halving(name, i, count) for i, count in enumerate(channels[1:])),
    ]
    for stage, (start, count, width) in enumerate(zip(starts, counts, channels)):
        x = start(x)
        for i in range(count):
            x = _block(x, width, f"{name}_stage_{stage}_block_{i}")
    return x


def _stem(name, channels):
    return Sequential(
        [
            layers.Conv2D(channels, 4, strides=4, name=f"{name}_stem_conv"),
            layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_stem_layernorm"),
        ],
        name=f"{name}_stem",
    )


def _halving(name, number, channels):
    return Sequential(
        [
            layers.LayerNormalization(
                epsilon=EPSILON, name=f"{name}_downsampling_layernorm_{number}"
            ),
            layers.Conv2D(channels, 2, strides=2, name=f"{name}_downsampling_conv_{number}"),
        ],
        name=f"{name}_downsampling_block_{number}",
    )


def _block(inputs, channels, name):
    x = layers.Conv2D(channels, 7, padding="same", groups=channels, name=f"{name}_depthwise_conv")(
        inputs
    )
    x = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_layernorm")(x)
    x = layers.Dense(4 * channels, name=f"{name}_pointwise_conv_1")(x)
    x = layers.Activation("gelu", name=f"{name}_gelu")(x)
    x = layers.Dense(channels, name=f"{name}_pointwise_conv_2")(x)
    x = LayerScale(1e-6, channels, name=f"{name}_layer_scale")(x)
    return inputs + layers.Activation("linear", name=f"{name}_identity")(x)


def _top(x, classes, activation, name):
    x = layers.GlobalAveragePooling2D(name=f"{name}_head_gap")(x)
    x = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_head_layernorm")(x)
    return layers.Dense(classes, activation=activation, name=f"{name}_head_dense")(x)


def _pooled(x, pooling):
    return layers.LayerNormalization(epsilon=EPSILON)(pooled(x, pooling))


def _convnext(title, counts, channels, hashes):
    """The function that makes a ConvNeXt, of the blocks and channels of its four stages, and hashes
    of its files without the top and with it."""
    stem = f"convnext_{title.removeprefix('ConvNeXt').lower()}"

    @explained(
        path=f"convnext.{title}",
        summary=f"{title}: {sum(counts)} blocks of a depthwise convolution of 7 x 7 and two Dense "
        "layers, in four stages.",
        source="Z. Liu, H. Mao, C.-Y. Wu, C. Feichtenhofer, T. Darrell, S. Xie: A ConvNet for the "
        "2020s, 2022.",
        size=224,
        scaled=False,
        unscaled="them normalized by the means and standard deviations of ImageNet",
    )
    def function(
        include_top=True,
        include_preprocessing=True,
        weights="imagenet",
        input_tensor=None,
        input_shape=None,
        pooling=None,
        classes=1000,
        classifier_activation="softmax",
        name=stem,
    ):
        asked = Asked(
            include_top, weights, input_tensor, input_shape, pooling, classes, classifier_activation
        )
        file = in_storage(
            "convnext",
            f"{stem}{'' if include_top else '_notop'}.h5",
            hashes[bool(include_top)],
        )
        body = functools.partial(
            _body,
            name=name,
            counts=counts,
            channels=channels,
            include_preprocessing=include_preprocessing,
        )
        top = functools.partial(_top, name=name)
        return assembled(asked, name, body, top, size=224, file=file, pools=_pooled)

    return function


ConvNeXtTiny = _convnext(
    "ConvNeXtTiny",
    (3, 3, 9, 3),
    (96, 192, 384, 768),
    (
        "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1",
        "8ae6e78ce2933352b1ef4008e6dd2f17bc40771563877d156bc6426c7cf503ff",
    ),
)
ConvNeXtSmall = _convnext(
    "ConvNeXtSmall",
    (3, 3, 27, 3),
    (96, 192, 384, 768),
    (
        "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab",
        "ce1277d8f1ee5a0ef0e171469089c18f5233860ceaf9b168049cb9263fd7483c",
    ),
)
ConvNeXtBase = _convnext(
    "ConvNeXtBase",
    (3, 3, 27, 3),
    (128, 256, 512, 1024),
    (
        "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45",
        "52cbb006d3dadd03f6e095a8ca1aca47aecdd75acb4bc74bce1f5c695d0086e6",
    ),
)
ConvNeXtLarge = _convnext(
    "ConvNeXtLarge",
    (3, 3, 27, 3),
    (192, 384, 768, 1536),
    (
        "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd",
        "070c5ed9ed289581e477741d3b34beffa920db8cf590899d6d2c67fba2a198a6",
    ),
)
ConvNeXtXLarge = _convnext(
    "ConvNeXtXLarge",
    (3, 3, 27, 3),
    (256, 512, 1024, 2048),
    (
        "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05",
        "c1f5ccab661354fc3a79a10fa99af82f0fbf10ec65cb894a3ae0815f17a889ee",
    ),
)

__getattr__ = names.of(__name__)
