"""Files tell Keras layers that it lacks by others: the same results, weights and optimizer."""

import numpy as np
import pytest
from models_saved import assert_equal, assert_goes_on_alike

import nnlite
from nnlite import layers
from nnlite.layers import (
    Dense,
    Embedding,
    GlobalAveragePooling1D,
    GroupQueryAttention,
    MultiHeadAttention,
    PositionEmbedding,
    SinePositionEncoding,
    TimeDistributed,
    TransformerDecoder,
    TransformerEncoder,
)

RNG = np.random.default_rng(8)
TOKENS = np.array([[1, 2, 3, 4, 5], [6, 2, 0, 0, 0], [3, 0, 0, 0, 0], [4, 5, 6, 7, 0]])


def of_tokens(*parts, **kwargs):
    return nnlite.Sequential(
        [
            nnlite.Input((5,)),
            Embedding(9, 4, mask_zero=True, **kwargs),
            *parts,
            GlobalAveragePooling1D(),
        ]
    )


def twice():
    """Layers that are called twice, and two of the same names inside."""
    x, y = nnlite.Input((5, 4)), nnlite.Input((5, 4))
    places, block, other = PositionEmbedding(7), TransformerEncoder(6, 2), TransformerEncoder(5, 1)
    parts = [other(block(z + places(z))) for z in (x, y)]
    return nnlite.Model([x, y], layers.Concatenate()(parts))


def decoder():
    x, y = nnlite.Input((5,)), nnlite.Input((3, 4))
    z = Embedding(9, 4, mask_zero=True)(x)
    first = TransformerDecoder(6, 2, normalize_first=True)(z, y)
    return nnlite.Model([x, y], GlobalAveragePooling1D()(TransformerDecoder(6, 2)(first, z)))


def inside():
    steps = nnlite.Sequential([MultiHeadAttention(2, 3), Dense(3)])
    return nnlite.Sequential([nnlite.Input((3, 5, 4)), TimeDistributed(steps)])


def steps_of(layer):
    return nnlite.Sequential([nnlite.Input((3, 5, 4)), TimeDistributed(layer), Dense(2)])


MODELS = {
    "attention of steps": lambda: steps_of(layers.Attention()),
    "blocks of tokens": lambda: of_tokens(
        TransformerEncoder(6, 2), TransformerEncoder(6, 2, normalize_first=True)
    ),
    "decoders": decoder,
    "encoder of steps": lambda: steps_of(TransformerEncoder(6, 2)),
    "group query attention of steps": lambda: steps_of(GroupQueryAttention(2, 2, 1)),
    "heads in a model of steps": inside,
    "heads of steps": lambda: steps_of(MultiHeadAttention(2, 3)),
    "sines": lambda: nnlite.Sequential([nnlite.Input((5, 4)), SinePositionEncoding(), Dense(2)]),
    "twice": twice,
}


@pytest.fixture(params=MODELS)
def made(request):
    """A model with weights of its own, and data."""
    model = MODELS[request.param]()
    for w in model.weights:
        w.assign(w.numpy() + 0.2 * RNG.normal(size=w.shape))
    shapes = model.input_shape
    shapes = shapes if isinstance(shapes, list) else [shapes]
    x = [TOKENS if s[1:] == (5,) else RNG.normal(size=(4, *s[1:])) for s in shapes]
    x = [values.astype("float32") for values in x]
    return model, x if x[1:] else x[0]


def trained(model, x):
    """The model after two steps, and targets."""
    y = np.ones_like(model.predict(x, verbose=0))
    model.compile(nnlite.optimizers.SGD(0.01, momentum=0.9), "mse")
    model.fit(x, y, epochs=2, shuffle=False, verbose=0)
    return y


def test_what_keras_is_told_computes_the_same(made):
    model, x = made
    trained(model, x)
    other = model._for_keras()
    assert other is not model
    own = (layers.TransformerEncoder, layers.TransformerDecoder, PositionEmbedding)
    assert not any(isinstance(layer, (*own, SinePositionEncoding)) for layer in other.layers)
    expected = model.predict(x, verbose=0)
    np.testing.assert_allclose(other.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)
    assert {id(v) for v in other.weights} == {id(v) for v in model.weights}
    slots = [v.shape for v in other.optimizer.variables[2:]]
    assert slots == [v.shape for v in other.trainable_weights]


def test_a_file_goes_on_alike(made, tmp_path):
    model, x = made
    y = trained(model, x)
    model.save(tmp_path / "model.keras")
    again = nnlite.models.load_model(tmp_path / "model.keras")
    assert_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert_goes_on_alike([model, again], x, y)


def test_keras_reads_it_and_goes_on(made, tmp_path):
    keras = pytest.importorskip("keras", exc_type=ImportError)
    model, x = made
    y = trained(model, x)
    model.save(tmp_path / "model.keras")
    theirs = keras.models.load_model(tmp_path / "model.keras")
    for _ in range(2):
        found, expected = (m.predict(x, verbose=0) for m in (theirs, model))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
        for m in (theirs, model):
            m.fit(x, y, epochs=2, shuffle=False, verbose=0)


def test_a_layer_of_ones_own_around_heads_is_called_as_it_is():
    class Own(MultiHeadAttention):
        def call(self, x):
            return super().call(x, x[:, :2])

    model = steps_of(Own(2, 3))
    x = RNG.normal(size=(2, 3, 5, 4)).astype("float32")
    found = model._for_keras().predict(x, verbose=0)
    np.testing.assert_allclose(found, model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
