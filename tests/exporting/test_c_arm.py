"""C files on other processors, emulated: their self-tests find the bits of this machine."""

import platform
import shutil
import subprocess

import numpy as np
import pytest
from cortex_m import BOARDS, run_on_board

import nnlite
from nnlite import NNClassifier, layers
from nnlite.exporting import c as writer
from nnlite.exporting.pipelines import computation_of

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="elsewhere the engine fuses multiply-adds"
)
# Linux's emulators, by their processors: the compiler and its flags.
PROCESSORS = {
    "arm": ["arm-linux-gnueabihf-gcc", "-mfpu=vfpv4"],
    "aarch64": ["aarch64-linux-gnu-gcc"],
}


def images():
    return nnlite.Sequential(
        [
            layers.Input((9, 9, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.SeparableConv2D(6, 2, activation="silu"),
            layers.BatchNormalization(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(5, "softmax"),
        ]
    )


def sequences():
    inputs = nnlite.Input((7,), dtype="int32")
    x = layers.Embedding(20, 6)(inputs)
    x = layers.LayerNormalization()(layers.MultiHeadAttention(2, 3)(x, x))
    return nnlite.Model(inputs, [layers.LSTM(5)(x), layers.GRU(4)(x), layers.SimpleRNN(3)(x)])


def table():
    x = np.random.default_rng(0).normal(20, 3, (100, 3))
    return NNClassifier(ensemble=1, epochs=2, random_state=0).fit(x, x[:, 0] > 20)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """C files with self-tests, as one program of each."""
    folder, found = tmp_path_factory.mktemp("c"), []
    nnlite.utils.set_random_seed(0)
    for make in (images, sequences, table):
        for quantize in (None, "int8"):
            computation = computation_of(make())
            shape = computation.inputs[0][1]
            rows = np.random.default_rng(1).normal(size=(20, *shape)).astype(np.float32)
            if make is sequences:
                rows = np.random.default_rng(1).integers(0, 20, (20, *shape), np.int32)
            computation.rows = [rows]
            name = f"{make.__name__}_{quantize or 'float32'}"
            report = writer.write(computation, folder / f"{name}.c", quantize=quantize)
            report.save(verbose=False)
            found.append(report.path)
    return found


def one_program(sources, folder):
    """A file whose `main` returns the number of models that do not pass their self-tests."""
    names = [path.stem for path in sources]
    lines = []
    for path in sources:
        text = path.read_text().replace("int main(void)", f"int {path.stem}_main(void)")
        (folder / path.name).write_text(f"#define {path.stem.upper()}_SELFTEST\n{text}")
        (folder / f"{path.stem}.h").write_text(path.with_suffix(".h").read_text())
        lines.append(f"int {path.stem}_main(void);")
    wrong = " + ".join(f"{name}_main()" for name in names)
    main = folder / "main.c"
    main.write_text("\n".join([*lines, f"int main(void) {{ return {wrong}; }}\n"]))
    return [str(main), *(str(folder / path.name) for path in sources)]


@pytest.mark.parametrize("processor", BOARDS)
def test_a_microcontroller_has_the_same_bits(processor, sources, tmp_path):
    for tool in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if not shutil.which(tool):
            pytest.skip(f"no {tool}")
    program = one_program(sources, tmp_path)
    assert run_on_board(processor, program, tmp_path, "-std=gnu99") == 0
    main = tmp_path / "main.c"
    main.write_text("int main(void) { return 3; }")
    assert run_on_board(processor, [str(main)], tmp_path) == 3


@pytest.mark.parametrize("processor", PROCESSORS)
def test_another_processor_has_the_same_bits(processor, sources, tmp_path):
    compiler, *flags = PROCESSORS[processor]
    emulator = f"qemu-{processor}"
    for tool in (compiler, emulator):
        if not shutil.which(tool):
            pytest.skip(f"no {tool}")
    made = str(tmp_path / "program")
    given = [*flags, "-std=gnu99", "-O2", "-static", "-Wall", "-Wextra", "-Werror"]
    subprocess.run([compiler, *given, *one_program(sources, tmp_path), "-o", made], check=True)
    assert subprocess.run([emulator, made]).returncode == 0
