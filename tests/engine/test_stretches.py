"""Stretches of calls that a thread does for a few samples at a time: engine/stretches.py."""

import numpy as np
import pytest
import samples
from all_ops import OPS
from cases import CASES
from kernels import ISAS, engine, result_types
from teams import team_of

from nnlite import config, layers, ops
from nnlite.engine import stretches
from nnlite.engine.dispatch import Call
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor
from nnlite.models import Model, Sequential
from nnlite.ops.activation import activation_gradient

BY_SAMPLE = sorted(name for name, op in OPS.items() if op.by_sample and name in CASES)


def block(x, channels):
    """Three convolutions, of which the middle one has many channels, around which x goes, too."""
    y = layers.Conv2D(4 * channels, 1, use_bias=False)(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu")(y)
    return layers.Add()([x, layers.Conv2D(channels, 1, activation="tanh")(y)])


def network():
    """Two blocks, pooling and a strided convolution of padded images; all of it by sample."""
    with config.seeded(7):
        x = layers.Input((12, 11, 3))
        y = block(layers.Conv2D(5, 3, activation="relu")(x), 5)
        y = layers.MaxPooling2D(2)(block(y, 5))
        y = layers.Conv2D(9, 3, strides=2)(layers.ZeroPadding2D(1)(y))
        model = Model(x, layers.Multiply()([y, layers.AveragePooling2D(1)(y)]))
    rng = np.random.default_rng(3)
    for v in model.weights:
        v.assign(rng.uniform(0.2, 0.9, v.shape) - 0.4 * v.trainable)
    return model


@pytest.fixture
def small(monkeypatch):
    """Sets how many bytes a turn may read and write."""

    def set_bytes(size, least=1):
        monkeypatch.setattr(stretches, "TURN_BYTES", size)
        monkeypatch.setattr(stretches, "TIMES_WEIGHTS", 0)
        monkeypatch.setattr(stretches, "LEAST_SAMPLES", least)

    return set_bytes


def plans_of(model):
    return [step.plan for step in model._step_cache.steps.values()]


# One sample in each turn, a few, and turns of the last of which there are fewer samples left.
@pytest.mark.parametrize("size", [18_000, 40_000, 80_000])
def test_predictions_have_the_same_bits_in_stretches(size, small, isa, real):
    x = samples.normal(19, 12, 11, 3).astype(real)
    with config.precision(real):
        model, other = network(), network()
    small(1 << 40)
    expected = model.predict(x)
    assert not any(plan.stretches for plan in plans_of(model))
    with team_of(3):
        small(size * (2 if real == "float64" else 1))
        y = other.predict(x)
        found = [s for plan in plans_of(other) for s in plan.stretches]
        assert found and max(len(s.calls) for s in found) > 3
        assert y.tobytes() == expected.tobytes()
        for threads in (1, 2):
            other.n_threads = threads
            assert other.predict(x).tobytes() == expected.tobytes()


def test_what_lies_between_the_calls_of_a_stretch_takes_memory_of_a_few_samples(small):
    x = np.zeros((64, 12, 11, 3), "float32")

    def arena_bytes(size):
        small(size)
        model = network()
        model.predict(x)
        return max(plan.arena_bytes for plan in plans_of(model))

    assert arena_bytes(20_000) < arena_bytes(1 << 40) / 4


def test_what_others_read_too_is_kept_for_all_samples(small):
    """A second output, and what a training needs for its gradients."""
    small(20_000)
    x = samples.normal(16, 12, 11, 3)
    model = network()
    middle = model.layers[4].output
    several = Model(model.input, [model.output, middle])
    y, z = several.predict(x)
    assert any(plan.stretches for plan in plans_of(several))
    small(1 << 40)
    assert np.array_equal(z, Model(model.input, middle).predict(x))
    assert np.array_equal(y, model.predict(x))


def test_training_behind_frozen_layers_has_the_same_bits_in_stretches(small):
    x, y = samples.normal(48, 12, 11, 3), samples.labels(48, 4)

    def trained(size, **settings):
        small(size)
        base = network()
        base.trainable = False
        with config.seeded(2):
            model = Sequential([base, layers.Flatten(), layers.Dense(4, activation="softmax")])
            model.compile("adam", "sparse_categorical_crossentropy", **settings)
            for k in range(0, 48, 16):
                model.train_on_batch(x[k : k + 16], y[k : k + 16])
        return model

    plain = trained(1 << 40).get_weights()
    with team_of(2):
        for threads in (1, 2):
            model = trained(20_000, n_threads=threads)
            assert any(plan.stretches for plan in plans_of(model))
            assert all(map(np.array_equal, model.get_weights(), plain))


def test_few_samples_and_heavy_weights_stay_as_they_were(monkeypatch):
    monkeypatch.setattr(stretches, "TURN_BYTES", 25_000)
    for rows, side, channels, found in [(56, 12, 4, True), (4, 12, 4, False), (64, 3, 40, False)]:
        x = layers.Input((side, side, channels))
        model = Model(x, block(x, channels))
        with team_of(2):
            model.predict(np.zeros((rows, side, side, channels), "float32"))
            assert any(plan.stretches for plan in plans_of(model)) is found


def test_a_call_that_is_fused_to_a_product_is_in_no_stretch(small, monkeypatch):
    monkeypatch.setattr(OPS["activation_gradient"], "by_sample", (0, 1))
    small(4 * 40)
    x, w = Tensor((16, 8), "float32"), Tensor((8, 8), "float32")
    with Recording(executing=False) as trace:
        y = ops.relu(ops.exp(x * 0.5) - 1.5)
        dz = activation_gradient(ops.matmul(x, w), y, 1, 0.0)
        result = ops.tanh(ops.exp(dz * 0.5) + y)
    plan = Plan(trace, [x, w], [result])
    stretched = [c.op.name for s in plan.stretches for c in s.calls]
    assert plan.fusion.tensors and "exp" in stretched and "activation_gradient" not in stretched


def results(call, inputs, n, isa, real):
    """What the C function of a call makes of `n` samples."""
    e, made = engine(isa, real), [np.empty((n, *t.shape[1:]), t.dtype) for t in call.outputs]
    e.call(e.op_ids[call.op.name], inputs, made, call.op.c_attrs(call.attrs), 1)
    return made


@pytest.mark.parametrize("name", BY_SAMPLE)
def test_a_sample_alone_gives_what_it_gives_among_others(name, real):
    op, compared = OPS[name], 0
    for case in CASES[name]:
        given, attrs = case.arrays(real), case.attrs_for(real)
        if all(a.ndim == 1 for a in given):
            given = [a[:, None] for a in given]
        for a in given:  # denormal numbers count as zero, or pass, in whatever lane they are
            a[np.abs(a) < np.finfo(real).tiny] = 0
        inputs = [Tensor(a.shape, str(a.dtype)) for a in given]
        shapes = op.infer(*[a.shape for a in given], **attrs)
        outputs = [Tensor(s, d) for s, d in zip(shapes, result_types(op, real, attrs))]
        call = Call(op, inputs, outputs, attrs, ())
        which = stretches.rows(call)
        for isa in ISAS if which else ():
            whole = results(call, given, outputs[0].shape[0], isa, real)
            for n in range(min(3, outputs[0].shape[0])):
                some = [a[n : n + 1] if k in which else a for k, a in enumerate(given)]
                alone = results(call, some, 1, isa, real)
                assert alone[0].tobytes() == whole[0][n : n + 1].tobytes(), (isa, call)
                compared += 1
    assert compared > 3
