"""Images in folders, one for each class, become a dataset; a small convolutional network learns it.

    python examples/image_folder.py

Scikit-learn's digits are written as PNGs into folders `0` to `9`, as one's own photographs might
lie. Files are read while the network trains, so there may be more than memory holds. It needs
Pillow: pip install "nnlite[images]".
"""

import pathlib
import tempfile

from sklearn.datasets import load_digits

import nnlite as keras
from nnlite import layers
from nnlite.utils import image_dataset_from_directory, img_to_array, load_img, save_img


def write_digits(folder):
    """An image of each digit, in the folder of its class."""
    digits = load_digits()
    for number, (image, label) in enumerate(zip(digits.images, digits.target)):
        path = folder / str(label) / f"{number:04}.png"
        path.parent.mkdir(exist_ok=True)
        save_img(path, image[:, :, None])


keras.utils.set_random_seed(0)
with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    write_digits(folder)
    train, test = image_dataset_from_directory(
        folder,
        color_mode="grayscale",
        image_size=(16, 16),
        batch_size=64,
        validation_split=0.2,
        subset="both",
        seed=0,
    )
    print("classes:", *train.class_names)

    model = keras.Sequential([
        layers.Rescaling(1 / 255, input_shape=(16, 16, 1)),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu"),
        layers.GlobalMaxPooling2D(),
        layers.Dense(len(train.class_names), activation="softmax"),
    ])
    model.compile(
        keras.optimizers.Adam(0.005), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(train, epochs=8, verbose=2)
    print(f"accuracy on other images: {model.evaluate(test, verbose=0)[1]:.3f}")

    path = test.file_paths[0]
    image = load_img(path, "grayscale", target_size=(16, 16), interpolation="bilinear")
    found = model.predict(img_to_array(image)[None], verbose=0)[0]
    print(f"{pathlib.Path(path).relative_to(folder)} is a {train.class_names[found.argmax()]}")
