"""Layers of sequences, of volumes, transposed convolutions and functions as layers for the random
models of `models_random`: layer -> settings for samples of some shape."""


def _windows(c, *paddings):
    """Keras takes strides or a dilation above 1, not both."""
    apart = {"dilation_rate": 2} if c.whether(0.2) else c.some(strides=lambda: 2)
    return {"kernel_size": c.of(1, 2, 3), "padding": c.of("valid", "same", *paddings), **apart}


def _weights(c):
    return c.some(
        activation=lambda: c.of("relu", "tanh", "softmax"),
        use_bias=lambda: c.whether(),
        bias_initializer=lambda: "ones",
        activity_regularizer=lambda: {"new": "regularizers.L2", "l2": 0.01},
    )


def _enlarged(c):
    settings = {"filters": c.of(2, 3), "kernel_size": c.of(2, 3), "padding": c.of("valid", "same")}
    extra = {"strides": 2, **c.some(output_padding=lambda: 1)} if c.whether() else {}
    return {**settings, **extra, **_weights(c)}


def _pooled(c):
    return {"pool_size": c.of(2, 3), "padding": c.of("valid", "same"), **c.some(strides=lambda: 1)}


SERIES = {
    "AdaptiveAveragePooling1D": lambda c, s: {"output_size": c.of(2, 3)},
    "AdaptiveMaxPooling1D": lambda c, s: {"output_size": c.of(2, 3)},
    "AveragePooling1D": lambda c, s: _pooled(c),
    "Conv1D": lambda c, s: {
        "filters": c.of(2, 4),
        **_windows(c, "causal"),
        **_weights(c),
        **({"groups": 2} if s[-1] % 2 == 0 and c.whether(0.3) else {}),
    },
    "Conv1DTranspose": lambda c, s: _enlarged(c),
    "Cropping1D": lambda c, s: {"cropping": c.of(1, [1, 0])},
    "DepthwiseConv1D": lambda c, s: {**_windows(c), **_weights(c), "depth_multiplier": c.of(1, 2)},
    "GlobalAveragePooling1D": lambda c, s: c.some(keepdims=c.whether),
    "GlobalMaxPooling1D": lambda c, s: c.some(keepdims=c.whether),
    "MaxPooling1D": lambda c, s: _pooled(c),
    "SeparableConv1D": lambda c, s: {"filters": c.of(2, 3), **_windows(c), **_weights(c)},
    "SpatialDropout1D": lambda c, s: {"rate": 0.0},
    "UpSampling1D": lambda c, s: {"size": c.of(1, 2)},
    "ZeroPadding1D": lambda c, s: {"padding": c.of(1, [0, 2])},
}
VOLUMES = {
    "AdaptiveAveragePooling3D": lambda c, s: {"output_size": c.of(2, [1, 2, 3])},
    "AdaptiveMaxPooling3D": lambda c, s: {"output_size": c.of(2, [1, 2, 3])},
    "AveragePooling3D": lambda c, s: _pooled(c),
    "Conv3D": lambda c, s: {
        "filters": c.of(2, 4),
        **_windows(c),
        **_weights(c),
        **({"groups": 2} if s[-1] % 2 == 0 and c.whether(0.3) else {}),
    },
    "Conv3DTranspose": lambda c, s: _enlarged(c),
    "Cropping3D": lambda c, s: {"cropping": c.of(1, [[1, 0], [0, 1], [0, 0]])},
    "GlobalAveragePooling3D": lambda c, s: c.some(keepdims=c.whether),
    "GlobalMaxPooling3D": lambda c, s: c.some(keepdims=c.whether),
    "MaxPooling3D": lambda c, s: _pooled(c),
    "SpatialDropout3D": lambda c, s: {"rate": 0.0},
    "UpSampling3D": lambda c, s: {"size": c.of(2, [1, 2, 1])},
    "ZeroPadding3D": lambda c, s: {"padding": c.of(1, [[1, 0], [0, 2], [0, 0]])},
}
IMAGES = {
    "AdaptiveAveragePooling2D": lambda c, s: {"output_size": c.of(2, [1, 3])},
    "AdaptiveMaxPooling2D": lambda c, s: {"output_size": c.of(2, [1, 3])},
    "Conv2DTranspose": lambda c, s: _enlarged(c),
}
