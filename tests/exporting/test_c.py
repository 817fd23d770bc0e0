"""C files, compiled and run on this machine: the bits of predict with the generic engine."""

import re
import shutil
import subprocess

import cases_layers
import models_built
import models_random
import models_random_sequences
import nets_int8
import numpy as np
import oracle_int8
import pytest
from all_ops import OPS
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from small_models import data

import nnlite
from nnlite import NNClassifier, layers, ops
from nnlite.engine import dispatch
from nnlite.exporting import c as writer
from nnlite.exporting.checking import samples_of
from nnlite.exporting.pipelines import computation_of
from nnlite.exporting.program import program_of
from nnlite.exporting.quantization import Quantization

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
# Clang's checks need a library that not every machine has: without it they end the program.
COMPILERS = {
    "gcc": [*STRICT, "-fsanitize=undefined,address", "-fno-sanitize-recover=all"],
    "clang": [*STRICT, "-fsanitize=undefined", "-fsanitize-trap=all"],
}
ROWS = 2
# The layers whose predictions C does not hold, and why.
REFUSED = {
    "ContrastLimitedAdaptiveHistogramEqualization": r"\(clahe\)",
    "IntegerLookup": "begins with look-ups",
    "Hashing": "begins with look-ups",
}
needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")


def rows_of(shape):
    x = data(shape) if isinstance(shape, tuple) else np.asarray(shape)
    x = x[np.arange(ROWS) % len(x)]
    return np.ascontiguousarray(x, "int32" if x.dtype.kind in "iu" else "float32")


def joined(cases, before=None):
    """One model with an input and an output for each case, and rows of each input."""
    nnlite.utils.set_random_seed(0)
    arrays, inputs, outputs = [], [], []
    for number, (make, shape, *_) in enumerate(cases.values()):
        x = rows_of(shape)
        given = layers.Input(x.shape[1:], dtype=str(x.dtype), name=f"x{number}")
        hidden = before(x.shape[-1])(given) if before and x.dtype == np.float32 else given
        outputs.append(make()(hidden))
        arrays.append(x)
        inputs.append(given)
    return nnlite.Model(inputs, outputs), arrays


def files_of(model, folder, arrays=None, **options):
    """The Report of a model's files, whose self-test computes the arrays if they are given."""
    computation = computation_of(model)
    if arrays is not None:
        computation.samples = lambda rows: arrays
        computation.rows = arrays
    report = writer.write(computation, folder / "model.c", **options)
    report.save(verbose=False)
    return report


@pytest.fixture
def generic():
    dispatch.use_isa("generic")
    yield
    dispatch.use_isa()


def compiled(compiler, source, program, *flags):
    if not shutil.which(compiler):
        pytest.skip(f"no {compiler}")
    command = [compiler, *COMPILERS[compiler], *flags, str(source), "-o", str(program)]
    subprocess.run(command, check=True)
    return program


def same_bits(a, b):
    return a.shape == b.shape and a.tobytes() == b.tobytes()


WRITTEN = {name: case for name, case in cases_layers.CASES.items() if name not in REFUSED}


@needs_compiler
def test_every_layer_has_the_bits_of_predict(tmp_path, generic):
    model, arrays = joined(WRITTEN)
    report = files_of(model, tmp_path, arrays)
    _, outputs = writer.run(report, arrays)
    expected = model.predict(arrays)
    wrong = [
        name for name, y, z in zip(WRITTEN, outputs, expected) if not same_bits(y, np.asarray(z))
    ]
    assert not wrong
    for compiler in filter(shutil.which, COMPILERS):
        program = compiled(compiler, report.path, tmp_path / compiler, "-DMODEL_SELFTEST")
        assert subprocess.run([program]).returncode == 0


def test_nothing_but_copies_of_memory_is_asked_of_the_c_library(tmp_path):
    if not shutil.which("cc") or not shutil.which("nm"):
        pytest.skip("no compiler")
    model, _ = joined({name: WRITTEN[name] for name in ("LSTM", "Attention", "PeriodicEmbedding")})
    report, made = files_of(model, tmp_path), str(tmp_path / "model.o")
    subprocess.run(["cc", "-std=c99", "-O2", "-c", str(report.path), "-o", made], check=True)
    told = subprocess.run(["nm", "-u", made], capture_output=True, text=True, check=True)
    assert set(told.stdout.split()) - {"U"} <= {"memcpy", "memset", "_GLOBAL_OFFSET_TABLE_"}


@needs_compiler
def test_every_activation_has_the_bits_of_predict(tmp_path, generic):
    extremes = np.array([[-np.inf, -1e30, -90, -88, -20, -3, -0.0, 0, 1e-3, 10, 89, np.inf]])
    x = np.concatenate([extremes, data((1, 12)) * 3]).astype(np.float32)
    cases = {
        name: (lambda name=name: layers.Activation(name), x) for name in cases_layers.ACTIVATIONS
    }
    model, arrays = joined(cases)
    _, outputs = writer.run(files_of(model, tmp_path), arrays)
    wrong = [
        name
        for name, y, z in zip(cases, outputs, model.predict(arrays))
        if not same_bits(np.nan_to_num(y), np.nan_to_num(z))
    ]
    assert not wrong


@pytest.mark.parametrize("name", REFUSED)
def test_refused_layers_leave_no_file(name, tmp_path):
    make, shape, _ = cases_layers.CASES[name]
    model, _ = joined({name: (make, shape)})
    with pytest.raises(ValueError, match=REFUSED[name]):
        model.export(tmp_path / "model.c")
    assert not list(tmp_path.iterdir())


def test_an_op_without_a_rule_is_refused_by_the_name_of_its_layer(tmp_path):
    turned = layers.Lambda(
        lambda x: ops.image.affine_transform(x, np.eye(3).ravel()[:8]), name="turned"
    )
    model = nnlite.Sequential([layers.Input((3, 3, 1)), turned])
    with pytest.raises(ValueError, match=r"C cannot hold.*turned.*\(warp\)"):
        model.export(tmp_path / "model.c")
    model = nnlite.Sequential([layers.Input((None, 3)), layers.GRU(2)])
    with pytest.raises(ValueError, match=r"whose lengths are known.*`length`"):
        model.export(tmp_path / "model.c")
    assert not list(tmp_path.iterdir())
    model.export(tmp_path / "model.c", length=7, verify=False, verbose=False)
    assert "_INPUT_SIZE 21 " in (tmp_path / "model.h").read_text()


@needs_compiler
def test_long_sums_and_maxima_have_the_order_of_the_engine(tmp_path, generic):
    generator = np.random.default_rng(0)
    signs = np.where(generator.random((ROWS, 40, 1)) < 0.5, -0.0, 0.0).astype(np.float32)
    values = [generator.normal(size=(ROWS, *s)) for s in ((5000, 3), (300, 1), (9, 70), (9001, 1))]
    cases = {"zeros": (layers.GlobalMaxPooling1D, signs)}
    cases |= {str(x.shape): (layers.GlobalAveragePooling1D, x) for x in values}
    model, arrays = joined(cases)
    _, outputs = writer.run(files_of(model, tmp_path, arrays), arrays)
    assert all(same_bits(y, z) for y, z in zip(outputs, model.predict(arrays)))


@needs_compiler
@pytest.mark.parametrize("seed", range(8))
def test_random_models_have_the_bits_of_predict(seed, tmp_path, generic):
    nnlite.utils.set_random_seed(seed)
    spec = models_random.spec(seed)
    models = [models_built.built(spec, nnlite), models_random_sequences.network(seed, nnlite)[0]]
    for model in models:
        if any(getattr(layer, "stateful", False) for layer in model.layers):
            continue
        report = files_of(model, tmp_path)
        arrays = samples_of(report.program, ROWS)
        arrays = [np.ascontiguousarray(a, t.dtype) for a, t in zip(arrays, report.program.inputs)]
        _, outputs = writer.run(report, arrays)
        expected = report.program.of.predict(*arrays)
        assert all(same_bits(y, np.asarray(z)) for y, z in zip(outputs, expected))


# Ops that predictions may have, and that C files have no function for.
WITHOUT_A_RULE = {
    "affine_transform": "moves images by maps that are drawn",
    "batch_norm": "has the statistics of a batch",
    "clahe": "counts the values of tiles of images, 2 KB of bins for each",
    "equalize": "counts the values of images, 64 KB of bins",
    "gather_csr": "reads sparse batches",
    "scatter_add": "is of a gradient",
    "sum_abs": "sums a whole batch",
    "sum_squares": "sums a whole batch",
    "warp": "moves images by maps that are drawn",
    "windows": "is written by its formula",
}
OF_TRAINING = re.compile(
    r"\w+_(gradient|update|advance|cross_entropy)|\w+_gradient_(kernel|input)|accumulate\w*|"
    r"random_\w+|assign\w*|decay_weights|dropout|increment|count_steps|ctc_loss|lamb_direction|"
    r"encoded_linear|pack_kernel|\w+_packed|conv2d_winograd"  # of plans
)


def test_every_op_of_predictions_has_a_rule_or_a_reason():
    written = writer.RULES.keys() | {name for name, op in OPS.items() if op.view}
    left = {name for name in OPS.keys() - written if not OF_TRAINING.fullmatch(name)}
    assert left == set(WITHOUT_A_RULE)


def image_net():
    nnlite.utils.set_random_seed(0)
    return nnlite.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(128, "relu"),
            layers.Dense(10, "softmax"),
        ]
    )


def test_results_that_are_pooled_are_never_stored(tmp_path):
    report = files_of(image_net(), tmp_path)
    assert "RAM 28032 " in (tmp_path / "model.h").read_text()  # two pooled images, of 13 and 5 rows
    assert report.figures["RAM"].startswith("28,032 bytes")
    assert report.figures["multiply-adds"] == f"{26 * 26 * 288 + 121 * 288 * 64 + 206080:,}"


def test_the_memory_of_a_recurrent_layer_does_not_grow_with_the_steps(tmp_path):
    for kind in (layers.SimpleRNN, layers.LSTM, layers.GRU):
        needed = set()
        for steps in (5, 50):
            model = nnlite.Sequential([layers.Input((steps, 16)), kind(8), layers.Dense(2)])
            needed.add(files_of(model, tmp_path).figures["RAM"])
        assert len(needed) == 1


def test_costs_are_told_before_anything_is_written(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(
        "nnlite.terminal.write", lambda text: said.append((text, list(tmp_path.iterdir())))
    )
    image_net().export(tmp_path / "model.c", verify=False)
    assert "RAM: 28,032 bytes" in said[0][0] and said[0][1] == []


@needs_compiler
@pytest.mark.parametrize("quantize", [None, "int8"])
def test_a_self_test_finds_wrong_weights(quantize, tmp_path):
    model, arrays = joined({"Dense": WRITTEN["Conv1D"]})
    report = files_of(model, tmp_path, arrays, quantize=quantize)
    program = compiled("gcc", report.path, tmp_path / "right", "-DMODEL_SELFTEST")
    assert subprocess.run([program]).returncode == 0
    text = report.path.read_text()
    at = text.index("_kernel[")
    at = text.index("{", at) + 1
    report.path.write_text(text[:at] + " 9," + text[text.index(",", at) + 1 :])
    program = compiled("gcc", report.path, tmp_path / "wrong", "-DMODEL_SELFTEST")
    assert subprocess.run([program]).returncode == 1


@needs_compiler
def test_a_self_test_of_a_machine_that_fuses_multiply_adds_allows_for_them(tmp_path, monkeypatch):
    monkeypatch.setattr(writer.selftest, "_BITS", False)
    model, arrays = joined({"Dense": WRITTEN["Conv1D"]})
    report = files_of(model, tmp_path, arrays)
    text = report.path.read_text()
    program = compiled("gcc", report.path, tmp_path / "right", "-DMODEL_SELFTEST")
    assert subprocess.run([program]).returncode == 0
    at = text.index("{", text.index("expected_output[")) + 1
    report.path.write_text(text[:at] + " 9.f," + text[text.index(",", at) + 1 :])
    program = compiled("gcc", report.path, tmp_path / "wrong", "-DMODEL_SELFTEST")
    assert subprocess.run([program]).returncode == 1


@needs_compiler
def test_fused_multiply_adds_are_kept_out(tmp_path, generic):
    """Where the processor has them, compilers use them if they are not told otherwise."""
    with open("/proc/cpuinfo") as file:
        if " fma " not in file.read():
            pytest.skip("no such processor")
    model, arrays = joined({name: WRITTEN[name] for name in ("Conv2D", "GRU", "Attention")})
    report = files_of(model, tmp_path, arrays)
    for compiler in filter(shutil.which, COMPILERS):
        flags = ["-std=gnu99", "-O3", "-march=haswell", "-DMODEL_SELFTEST"]
        command = [compiler, *flags, str(report.path), "-o", str(tmp_path / compiler)]
        subprocess.run(command, check=True)
        assert subprocess.run([tmp_path / compiler]).returncode == 0


@needs_compiler
def test_a_token_out_of_range_is_told_and_counts_as_zeros(tmp_path):
    model = nnlite.Sequential([layers.Input((3,), dtype="int32"), layers.Embedding(5, 2)])
    report = files_of(model, tmp_path)
    (tmp_path / "main.c").write_text(
        """\
#include "model.h"
int main(void) {
    const int32_t right[3] = {0, 4, 2}, wrong[3] = {0, 5, -1};
    float y[MODEL_OUTPUT_SIZE];
    model_memory memory;
    if (model_predict(right, y) != 0 || y[2] == 0) return 1;
    if (model_run(wrong, y, &memory) != 1) return 2;
    return y[0] == 0 || y[2] != 0 || y[5] != 0;
}
"""
    )
    program = compiled("gcc", tmp_path / "main.c", tmp_path / "main", str(report.path))
    assert subprocess.run([program]).returncode == 0


@needs_compiler
@pytest.mark.parametrize("labels", [[3, 5, 9], ["no", 'ma"y?', "yés"]])
def test_estimators_have_their_scaling_and_their_labels(labels, tmp_path, generic):
    x = np.random.default_rng(0).normal(5, 3, (150, 4)).astype(np.float32)
    y = np.array(labels)[np.digitize(x[:, 0], [4, 6])]
    estimator = NNClassifier(ensemble=1, epochs=30, random_state=0).fit(x, y)
    report = files_of(estimator, tmp_path)
    _, (outputs,) = writer.run(report, [x])
    assert same_bits(outputs, estimator.predict_proba(x))
    expected = estimator.predict(x[:1])[0]
    is_it = "model_labels[best] == %s" if isinstance(labels[0], int) else "!strcmp(label, %s)"
    label = str(expected) if isinstance(labels[0], int) else writer.files.string(str(expected))
    (tmp_path / "main.c").write_text(
        f"""\
#include "model.h"
#include <string.h>
int main(void) {{
    const float x[MODEL_INPUT_SIZE] = {{{", ".join(map(repr, x[0].tolist()))}}};
    float y[MODEL_OUTPUT_SIZE];
    model_predict(x, y);
    const int32_t best = model_argmax(y);
    {"" if isinstance(labels[0], int) else "const char *label = model_labels[best];"}
    return !({is_it % label});
}}
"""
    )
    program = compiled("gcc", tmp_path / "main.c", tmp_path / "main", str(report.path))
    assert subprocess.run([program]).returncode == 0


@needs_compiler
def test_models_of_float64_are_rounded(tmp_path):
    x = np.random.default_rng(0).normal(1e6, 1, (100, 3))  # float32 alone would lose the columns
    estimator = NNClassifier(ensemble=1, epochs=3, random_state=0).fit(x, x[:, 0] > 1e6)
    assert estimator.model_.weights[0].dtype == "float64"
    x = x.astype(np.float32)
    report = files_of(estimator, tmp_path)
    _, (outputs,) = writer.run(report, [x])
    assert np.abs(outputs - estimator.predict_proba(x)).max() < 1e-5


@needs_compiler
@pytest.mark.parametrize("quantize", [None, "int8"])
def test_a_pipeline_is_one_file(quantize, tmp_path, generic):
    x = np.random.default_rng(0).normal(5, 3, (150, 6)).astype(np.float32)
    network = NNClassifier(ensemble=1, epochs=30, random_state=0)
    pipeline = make_pipeline(StandardScaler(), PCA(4), network).fit(x, x[:, 0] > 5)
    report = nnlite.export(
        pipeline, tmp_path / "model.c", samples=x, quantize=quantize, verbose=False
    )
    assert report.largest_difference < (0.05 if quantize else 1e-5)


# --- 8-bit integers

_NOT_FINITE = {"PaddingMask", "TableEncoding", "InputLayer"}


@needs_compiler
def test_every_layer_in_integers_has_the_integers_of_the_oracle(tmp_path):
    names = sorted(name for name in WRITTEN.keys() - _NOT_FINITE if " " not in name)
    model, arrays = joined({name: WRITTEN[name] for name in names}, before=layers.Dense)
    report = files_of(model, tmp_path, arrays, quantize="int8")
    _, outputs = writer.run(report, arrays)
    quantization = Quantization(program_of(computation_of(model)), arrays)
    expected = [oracle_int8.outputs(quantization, [a[i : i + 1] for a in arrays]) for i in (0, 1)]
    wrong = []
    for n, (name, y) in enumerate(zip(names, quantization.program.outputs)):
        affine = quantization.of(y)
        weighted = "Attention" in name or "Transformer" in name  # by a softmax, one step away
        recurrent = any(kind in name for kind in ("Bidirectional", "GRU", "LSTM", "RNN"))
        # Where a number lies between two integers, it may become the other one.
        allowed = 1.01 * affine.scale if affine else 1 / 64 if weighted else 1e-5
        allowed = 1e-3 if recurrent and not affine else allowed
        apart = np.abs(outputs[n] - np.concatenate([row[n] for row in expected]))
        if apart.max() > allowed or (recurrent and not affine and np.median(apart) > 1e-6):
            wrong.append(name)
    assert not wrong
    program = compiled("gcc", report.path, tmp_path / "program", "-DMODEL_SELFTEST")
    assert subprocess.run([program]).returncode == 0


def test_sequences_of_integers_are_never_stored_as_real_numbers(tmp_path):
    parts = [layers.Embedding(30, 16), layers.Bidirectional(layers.GRU(4)), layers.Dense(2)]
    model = nnlite.Sequential([layers.Input((None,), dtype="int32"), *parts])
    x = np.arange(120).reshape(2, 60) % 30
    report = nnlite.export(
        model, tmp_path / "m.c", quantize="int8", samples=x, length=60, verbose=False, verify=False
    )
    assert int(report.figures["RAM"].split()[0].replace(",", "")) < 60 * 16 + 400


@needs_compiler
def test_integers_are_those_of_the_tensorflow_lite_file(tmp_path):
    pytest.importorskip("tflite")
    pytest.importorskip("ai_edge_litert.interpreter")
    model, x = image_net(), np.random.default_rng(0).normal(size=(20, 28, 28, 1))
    x = x.astype(np.float32)
    _, (ours,) = writer.run(files_of(model, tmp_path, [x], quantize="int8"), [x])
    from nnlite.exporting import tflite

    computation = computation_of(model)
    computation.rows = [x]
    _, (theirs,) = tflite.run(tflite.write(computation, tmp_path / "m.tflite", "int8"), [x])
    assert np.abs(ours - theirs).max() <= 1 / 256


@needs_compiler
@pytest.mark.parametrize("name", nets_int8.RECURRENT)
def test_recurrent_kernels_in_integers_are_a_third_as_large_and_compute_as_the_oracle(
    name, tmp_path
):
    model, x = nets_int8.made(name)
    flash = [
        int(files_of(model, tmp_path, [x], quantize=q).figures["flash"].split()[0].replace(",", ""))
        for q in (None, "int8")
    ]
    assert flash[1] < 0.36 * flash[0]  # each row of a kernel has a scale and a bias beside it
    report = files_of(model, tmp_path, [x], quantize="int8")
    _, (got,) = writer.run(report, [x])
    found = Quantization(program_of(computation_of(model)), [x])
    expected = np.concatenate([oracle_int8.outputs(found, [row[None]])[0] for row in x])
    apart = np.abs(got - expected)
    # Where a number lies between two integers, float64 may choose the other one.
    assert np.median(apart) < 1e-6 and apart.max() < 1e-2
    assert np.abs(expected - model.predict(x)).max() < 0.05
    program = compiled("gcc", report.path, tmp_path / "program", "-DMODEL_SELFTEST")
    assert subprocess.run([program]).returncode == 0


def test_integers_need_rows(tmp_path):
    with pytest.raises(ValueError, match="samples: expected rows"):
        image_net().export(tmp_path / "model.c", quantize="int8")
    with pytest.raises(ValueError, match="quantize"):
        image_net().export(tmp_path / "model.c", quantize="int4")
