"""What memory does not hold is said: by whom, for what, and how large it would be."""

import gc
import os

import numpy as np
import pytest

import nnlite
from nnlite import errors, initializers, layers, ops, optimizers, utils

MEGABYTES = 400
HUGE = 2**28  # numbers of float32 take 1.07 GB


@pytest.fixture
def little_memory():
    """This process gets no more than some megabytes beyond what it has."""
    resource = pytest.importorskip("resource")
    if not os.path.exists("/proc/self/statm"):
        pytest.skip("the limit of addresses is Linux's")
    gc.collect()  # what earlier tests left would give room meanwhile
    with open("/proc/self/statm") as f:
        used = int(f.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEGABYTES * 2**20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


ROW = np.ones((1, 1, 1, 1))
TOO_LARGE = {
    "weight 'kernel'": lambda: layers.Dense(HUGE)(ROW),
    "'conv2d' .* 'kernel'": lambda: layers.Conv2D(HUGE, 1)(ROW),
    "'depthwise_conv2d' .* weight '.*kernel'": lambda: layers.DepthwiseConv2D(
        1, depth_multiplier=HUGE
    )(ROW),
    "'up_sampling2d' .* broadcast_to": lambda: layers.UpSampling2D(2**14)(ROW),
    "GlorotUniform": lambda: initializers.GlorotUniform()((HUGE,)),
    "Variable 'v'": lambda: nnlite.Variable(np.zeros(HUGE // 4, "float32"), name="v"),
    "Tensor": lambda: nnlite.convert_to_tensor(np.broadcast_to(1.0, HUGE)),
    "zeros": lambda: ops.zeros(HUGE),
    "ones": lambda: ops.ones((HUGE, 1)),
    "fill": lambda: nnlite.fill((HUGE,), 1.0),
    "eye": lambda: nnlite.eye(2**14),
    "one_hot": lambda: ops.one_hot([0], HUGE),
    "broadcast_to": lambda: ops.broadcast_to(1.0, (HUGE,)),
    "to_categorical": lambda: utils.to_categorical([0], HUGE),
}


@pytest.mark.parametrize("what", TOO_LARGE)
def test_an_array_that_memory_does_not_hold_is_named_with_its_size(little_memory, what):
    said = rf"{what}: expected a shape that memory holds, got .* GB of (float32|float64)"
    with pytest.raises(MemoryError, match=said):
        TOO_LARGE[what]()


def test_a_weight_too_large_is_named_with_its_layer_and_nothing_is_kept(little_memory):
    model = nnlite.Sequential([layers.Dense(HUGE, name="wide"), layers.Dense(1)])
    said = r"layer 'wide' \(Dense\): weight 'kernel': .* got \(2, 268435456\): 2.1 GB of float32"
    with pytest.raises(MemoryError, match=said):
        model.build((None, 2))
    assert model.weights == [] and not model.built


def test_an_optimizer_says_whose_slot_is_too_large(little_memory):
    v = nnlite.Variable(np.zeros(2**24, "float32"), name="v")
    v.shape = (HUGE,)  # as if there were memory for it alone
    with pytest.raises(MemoryError, match=r"Adam: 'v/m.*': .* 1.1 GB of float32"):
        optimizers.Adam()._slots_of(v)


def test_more_than_the_machine_has_is_refused_before_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(errors, "memory_of_machine", lambda: 1e6)
    with pytest.raises(MemoryError, match=r"weight 'kernel': .* \(1000, 300\): 0.0012 GB of"):
        layers.Dense(300)(np.ones((1, 1000)))
