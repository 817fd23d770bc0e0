"""TensorFlow Lite files, as ai-edge-litert runs them."""

import cases_layers
import numpy as np
import pytest
import tflite_run
from small_models import data

import nnlite
from nnlite.exporting.checking import difference

pytest.importorskip("tflite")
pytest.importorskip("ai_edge_litert.interpreter")

# The layers whose predictions TensorFlow Lite cannot hold, and why.
REFUSED = {
    "Hashing": "begins with look-ups",
    "IntegerLookup": "begins with look-ups",
}


def exported(model, path, **options):
    return nnlite.export(model, path / "model.tflite", verbose=False, **options)


def model_of(layer, x):
    inputs = nnlite.Input(x.shape[1:], dtype="int32" if x.dtype.kind in "iu" else "float32")
    return nnlite.Model(inputs, layer(inputs))


@pytest.mark.parametrize("name", sorted(cases_layers.CASES))
def test_every_layer_is_written_or_refused(name, tmp_path):
    nnlite.utils.set_random_seed(0)
    make, shape, _ = cases_layers.CASES[name]
    x = data(shape) if isinstance(shape, tuple) else np.asarray(shape)
    if name in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[name]):
            exported(model_of(make(), x), tmp_path)
        assert not list(tmp_path.iterdir())
        return
    model = model_of(make(), x)
    report = exported(model, tmp_path, samples=x)
    assert report.rows == len(x) and report.largest_difference < 1e-6
    # The same with the operators of the delegate that users have by default.
    (got,) = tflite_run.outputs_of(report.path, [x[:1]])
    assert difference(got, model.predict(x)[:1]) < 1e-5
