"""What Keras says of its networks: parameters with the top and without it, first layer behind
the input and last one, smallest size of images."""

PUBLISHED = {
    "VGG16": (138_357_544, 14_714_688, "block1_conv1", "predictions", 32),
    "VGG19": (143_667_240, 20_024_384, "block1_conv1", "predictions", 32),
    "MobileNet": (4_253_864, 3_228_864, "conv1", "predictions", 32),
    "MobileNetV2": (3_538_984, 2_257_984, "Conv1", "predictions", 32),
}
