"""Functions of numbers that a `call` of one's own may have, in every format."""

import shutil

import numpy as np
import pytest
from scipy import special

import nnlite
from nnlite import layers, ops

RUNTIMES = {".onnx": "onnxruntime", ".tflite": "ai_edge_litert.interpreter", ".c": None}
RNG = np.random.default_rng(0)
X = np.concatenate([[0, 1e-6, -1e-6, 0.5], RNG.normal(size=20)]).astype(np.float32).reshape(2, 4, 3)


def model_of(*functions):
    given = layers.Input(X.shape[1:])
    return nnlite.Model(given, [f(given) for f in functions])


def runtime_of(suffix):
    if RUNTIMES[suffix]:
        pytest.importorskip(RUNTIMES[suffix])
    elif not shutil.which("cc"):
        pytest.skip("no C compiler")


@pytest.mark.parametrize("suffix", RUNTIMES)
def test_each_format_has_them(suffix, tmp_path):
    runtime_of(suffix)
    model = model_of(
        ops.erf,
        ops.expm1,
        lambda x: ops.log1p(ops.abs(x)),
        lambda x: ops.power(ops.abs(x), 1.7),
        lambda x: ops.cumsum(x, axis=1),
        lambda x: ops.cumsum(x, axis=-1),
    )
    report = nnlite.export(model, tmp_path / f"model{suffix}", samples=X, verbose=False)
    assert report.rows == len(X) and report.largest_difference < 5e-7


def test_those_of_the_c_library_are_the_nearest_numbers(tmp_path):
    runtime_of(".c")
    from nnlite.exporting import c
    from nnlite.exporting.pipelines import computation_of

    limits = [0, -0.0, np.inf, -np.inf, np.nan, 1, -1, 2, -2, -3, 3.92, 88.8, -104, 3e38, -1e-4]
    x, y = (grid.ravel() for grid in np.meshgrid(limits, limits))
    wide = RNG.normal(size=(2, 4000)) * np.exp(RNG.normal(size=(2, 4000)) * 3)
    x, y = (np.concatenate(two).astype(np.float32) for two in zip((x, y), wide))
    functions = {
        "erf": lambda a, b: ops.erf(a),
        "expm1": lambda a, b: ops.expm1(a),
        "log1p": lambda a, b: ops.log1p(a),
        "power": ops.power,
    }
    inputs = [layers.Input(x.shape), layers.Input(y.shape)]
    model = nnlite.Model(inputs, [f(*inputs) for f in functions.values()])
    report = c.write(computation_of(model), tmp_path / "model.c")
    report.save(verbose=False)
    _, found = c.run(report, [x[None], y[None]])
    a, b = x.astype(np.float64), y.astype(np.float64)
    with np.errstate(all="ignore"):
        expected = special.erf(a), np.expm1(a), np.log1p(a), np.power(a, b)
        for name, z, right in zip(functions, found, expected):
            right = right.astype(np.float32)
            right[np.abs(right) < np.finfo(np.float32).tiny] *= 0  # denormal numbers count as 0
            wrong = ~((z[0] == right) | (np.isnan(z[0]) & np.isnan(right)))
            assert not wrong.any(), (name, x[wrong][:3], y[wrong][:3])
            zero = right == 0
            assert (np.signbit(z[0]) == np.signbit(right))[zero].all(), name
