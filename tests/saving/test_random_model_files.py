"""Random models go through files: to nnlite again with every bit, to Keras and back to the rounding
of float32. `NNLITE_MODELS` says how many there are where Keras takes part."""

import json
import os

import models_built
import models_random
import numpy as np
import pytest

import nnlite
from nnlite.models import load_model
from nnlite.saving.model_files import MODEL_ENDINGS
from nnlite.tree import flatten

pytest.importorskip("h5py")

FORMATS = [ending for ending in (".keras", ".h5", ".safetensors") if ending in MODEL_ENDINGS]
OF_KERAS = [ending for ending in FORMATS if ending != ".safetensors"]
N_MODELS = 150
N_WITH_KERAS = int(os.environ.get("NNLITE_MODELS", 40))


def parts_of(spec):
    """The steps of a spec, and of those inside of it."""
    for step in spec["steps"]:
        yield step
        if step[1] == "model:":
            yield from parts_of(step[2])


def test_specs_are_of_all_kinds_and_the_same_each_time():
    specs = [models_random.spec(seed) for seed in range(N_MODELS)]
    assert json.loads(json.dumps(specs)) == specs == [*map(models_random.spec, range(N_MODELS))]
    called = {step[1] for spec in specs for step in parts_of(spec)}
    assert {f"layer:{name}" for name in models_random.LAYERS} <= called
    assert {name.partition(":")[0] for name in called} == {
        "again",
        "layer",
        "model",
        "operator",
        "ops",
        "slice",
    }
    text = json.dumps(specs)
    for name in (*models_random.OPTIMIZERS, *models_random.SCHEDULES):
        assert f'optimizers.{name}"' in text or f'schedules.{name}"' in text
    for kind in ("one", "list", "dict"):
        assert f'"takes": "{kind}"' in text and f'"gives": "{kind}"' in text


@pytest.mark.parametrize("seeds", [range(n, n + 25) for n in range(0, N_MODELS, 25)])
def test_models_of_all_formats_predict_and_go_on_with_the_same_bits(seeds, tmp_path):
    for seed in seeds:
        spec = models_random.spec(seed)
        x, y = models_built.data_for(spec)
        nnlite.utils.set_random_seed(seed)
        model = models_built.built(spec, nnlite)
        model.fit(x, y, epochs=1, batch_size=4, verbose=0)
        for ending in FORMATS:
            model.save(tmp_path / f"model{ending}")
        expected = model.predict(x, verbose=0), *goes_on(model, x, y, seed)
        for ending in FORMATS:
            again = load_model(tmp_path / f"model{ending}")
            found = again.predict(x, verbose=0), *goes_on(again, x, y, seed)
            assert found[1].keys() == expected[1].keys()
            assert_equal(found, expected, f"seed {seed}{ending}")


def goes_on(model, x, y, seed):
    """The history of further epochs, and the values that a model and its optimizer then have."""
    nnlite.utils.set_random_seed(seed)
    history = model.fit(x, y, epochs=2, batch_size=4, verbose=0).history
    return history, model.get_weights(), [v.numpy() for v in model.optimizer.variables]


def assert_equal(found, expected, where):
    for one, other in zip(flatten(found), flatten(expected), strict=True):
        np.testing.assert_array_equal(one, other, err_msg=where)


def assert_near(found, expected):
    """Equal but for the rounding of float32."""
    for one, other in zip(flatten(found), flatten(expected), strict=True):
        scale = float(np.max(np.abs(other), initial=1))
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5 * scale)


def outputs(model, x):
    """What a model of Keras computes; a call takes a tenth of the time of its `predict`."""
    found = model(x, training=False)
    if isinstance(found, dict):
        return {name: np.asarray(value) for name, value in found.items()}
    return [np.asarray(value) for value in found] if isinstance(found, list) else np.asarray(found)


def draws(spec):
    """Whether training draws random numbers, which differ between the libraries."""
    return any(
        s[2].get("rate") or s[2].get("stddev") or s[2].get("dropout")
        for s in parts_of(spec)
        if s[1][:5] == "layer"
    )


def step(model, x, y):
    """Loss and metrics of a further step of training."""
    model.reset_metrics()
    return {k: np.asarray(v) for k, v in model.train_on_batch(x, y, return_dict=True).items()}


@pytest.mark.parametrize("seed", range(N_WITH_KERAS))
@pytest.mark.parametrize("ending", OF_KERAS)
def test_keras_and_nnlite_read_of_each_other_and_take_the_same_next_step(seed, ending, tmp_path):
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(seed)
    spec = models_random.spec(seed)
    x, y = models_built.data_for(spec)
    first = models_built.built(spec, keras)
    first.run_eagerly = True  # a step in a graph takes ten times as long to make as to run
    first.train_on_batch(x, y)
    first.save(tmp_path / f"first{ending}")
    ours = load_model(tmp_path / f"first{ending}")
    ours.save(tmp_path / f"ours{ending}")
    last = keras.models.load_model(tmp_path / f"ours{ending}")
    last.run_eagerly = True
    expected = outputs(first, x)
    assert_near(ours.predict(x, verbose=0), expected)
    assert_near(outputs(last, x), expected)
    if draws(spec) or seed % 3:
        return
    expected = step(first, x, y)
    # Of an .h5, Keras does not find the weights again that its optimizer was made for.
    for model in (ours, last) if ending == ".keras" else (ours,):
        found = step(model, x, y)
        assert found.keys() == expected.keys()
        assert_near([found[name] for name in expected], [*expected.values()])
        assert_near(model.get_weights(), first.get_weights())
