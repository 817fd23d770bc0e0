"""Transfer learning as tutorials write it: a base with weights from a file, a head of one's own."""

import numpy as np
import pytest

import nnlite
from nnlite.applications import VGG16

FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder for NNLITE_DATA with random weights of VGG16 under their published name, and the
    first of them."""
    pytest.importorskip("h5py")
    folder = tmp_path_factory.mktemp("data")
    base = VGG16(weights=None, include_top=False)
    base.save_weights(folder / FILE)
    return folder, base.get_weights()[0]


def test_a_head_on_the_output_of_vgg16(data, monkeypatch):
    monkeypatch.setenv("NNLITE_DATA", str(data[0]))
    from nnlite.keras.layers import Dense, Flatten
    from nnlite.keras.models import Model
    from nnlite.keras.optimizers import Adam

    from nnlite.keras.applications import VGG16

    base_model = VGG16(weights="imagenet", include_top=False, input_shape=(224, 224, 3))
    x = base_model.output
    x = Flatten()(x)
    x = Dense(32, activation="relu")(x)
    x = Dense(16, activation="relu")(x)
    output = Dense(10, activation="softmax")(x)
    model = Model(inputs=base_model.input, outputs=output)
    model.compile(loss="categorical_crossentropy", optimizer=Adam(lr=0.0001), metrics=["accuracy"])
    assert model.output_shape == (None, 10) and len(model.layers) == 19 + 4
    assert np.array_equal(model.get_weights()[0], data[1])


def test_vgg16_as_a_layer_of_a_sequential_frozen(data, monkeypatch):
    monkeypatch.setenv("NNLITE_DATA", str(data[0]))
    from nnlite.keras.layers import Dense, GlobalAveragePooling2D
    from nnlite.keras.models import Sequential

    from nnlite.keras.applications import VGG16

    base_model = VGG16(weights="imagenet", include_top=False, input_shape=(32, 32, 3))
    base_model.trainable = False
    model = Sequential()
    model.add(base_model)
    model.add(GlobalAveragePooling2D())
    model.add(Dense(10, activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    images, labels = rng.normal(size=(4, 32, 32, 3)), np.arange(4)
    head = model.layers[-1].get_weights()[0].copy()
    model.fit(images, labels, epochs=1, verbose=0)
    assert np.array_equal(model.get_weights()[0], data[1])
    assert not np.array_equal(model.layers[-1].get_weights()[0], head)


def test_a_network_may_be_saved_loaded_and_cut(tmp_path):
    pytest.importorskip("h5py")
    with nnlite.config.seeded(3):
        model = nnlite.applications.MobileNetV2(
            alpha=0.35, weights=None, include_top=False, pooling="avg", input_shape=(32, 32, 3)
        )
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    model.save(tmp_path / "m.keras")
    again = nnlite.models.load_model(tmp_path / "m.keras")
    assert np.array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    features = nnlite.Model(model.input, model.get_layer("block_5_add").output)
    assert features.predict(x, verbose=0).shape == (2, 4, 4, 16)
