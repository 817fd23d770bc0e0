"""The rules that the code keeps: who imports whom, how long files are, what must be explained."""

import ast
import doctest
import graphlib
import importlib
import inspect
import platform
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from all_ops import OPS
from paths import ROOT

from nnlite.engine import dispatch
from nnlite.ops.activation import GATES, KINDS
from nnlite.ops.rows import SOURCE_CODES
from nnlite.ops.warp import FILL_CODES

# The names in nnlite/ in the order in which they may import each other.
FLOORS = re.search(
    r"^```floors\n(.*?)^```$", (ROOT / "docs" / "architecture.md").read_text(), re.M | re.S
)[1].split()

# These packages may be imported inside a function or a `try`: not everyone has them, and only
# estimators need scikit-learn.
OPTIONAL = {
    "PIL",
    "ai_edge_litert",
    "flatbuffers",
    "h5py",
    "matplotlib",
    "mlflow",
    "onnx",
    "onnxruntime",
    "optuna",
    "requests",
    "scipy",
    "skl2onnx",
    "skopt",
    "sklearn",
    "tensorboardX",
    "tflite",
    "tqdm",
}
# These modules may import these others inside a function: the command line its commands, and the
# service what scikit-learn comes with.
LAZY = {
    ("__main__", "demo"),
    ("__main__", "serving"),
    ("serving.served", "estimators.files"),
    ("serving.served", "estimators.served"),
}


def sources():
    """Module name -> file of everything in nnlite/."""
    found = {}
    for path in sorted((ROOT / "nnlite").rglob("*.py")):
        parts = path.relative_to(ROOT / "nnlite").with_suffix("").parts
        found[".".join(p for p in parts if p != "__init__") or "nnlite"] = path
    return found


SOURCES = sources()


def named(module):
    """'nnlite.ops.shape' -> 'ops.shape'; 'nnlite' stays; of another package, its name, which ends
    with a point where a module of ours has the same: Python's math."""
    if module == "nnlite":
        return module
    if module.startswith("nnlite."):
        return module.removeprefix("nnlite.")
    package = module.split(".")[0]
    return f"{package}." if package in SOURCES else package


def put_off(tree):
    """The statements of a file's blocks of `lazy.imports`."""
    blocks = [n for n in tree.body if isinstance(n, ast.With)]
    return [
        node
        for block in blocks
        if ast.unparse(block.items[0]).endswith("lazy.imports(__name__)")
        for node in block.body
    ]


def imports(path):
    """(module, where) for each import of a file: 'top', where it may be tried, 'lazy', 'inside'."""
    tree = ast.parse(path.read_text())
    top = [n for node in tree.body for n in (node.body if isinstance(node, ast.Try) else [node])]
    later = put_off(tree)
    for node in ast.walk(tree):
        where = "top" if node in top else "lazy" if node in later else "inside"
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield named(alias.name), where
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            for alias in node.names:
                inner = named(f"{node.module}.{alias.name}")
                known = node.module.startswith("nnlite") and inner in SOURCES
                yield inner if known else named(node.module), where


def floor(module):
    """The place of a module in FLOORS."""
    return FLOORS.index("__init__" if module == "nnlite" else module.split(".")[0])


def test_every_file_and_folder_has_its_floor():
    tops = {"__init__" if m == "nnlite" else m.split(".")[0] for m in SOURCES}
    assert tops == set(FLOORS) and len(FLOORS) == len(set(FLOORS))


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_imports_go_down(module):
    for other, where in imports(SOURCES[module]):
        above = (module, other) in LAZY or (module, where) == ("nnlite", "lazy")
        if other in SOURCES and not above:
            same = other.split(".")[0] == module.split(".")[0]
            assert same or floor(other) < floor(module), f"{module} imports {other}"


def test_no_imports_form_a_circle():
    needs = {
        m: {
            other
            for other, where in imports(SOURCES[m])
            if other in SOURCES and (m, other) not in LAZY and where != "lazy"
        }
        for m in SOURCES
    }
    assert len(list(graphlib.TopologicalSorter(needs).static_order())) == len(SOURCES)


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_imports_stand_at_the_top(module):
    inside = {other for other, where in imports(SOURCES[module]) if where == "inside"}
    assert all(other in OPTIONAL or (module, other) in LAZY for other in inside)


def test_list_of_lazy_imports_is_not_longer_than_needed():
    used = {
        (m, other) for m in SOURCES for other, where in imports(SOURCES[m]) if where == "inside"
    }
    assert used >= LAZY and {other for _, other in used - LAZY} == OPTIONAL


FOR_OTHERS = {m: path for m, path in SOURCES.items() if "lazy.imports(" in path.read_text()}


@pytest.mark.parametrize("module", FOR_OTHERS)
def test_no_code_reads_a_name_that_its_module_imports_for_others(module):
    tree = ast.parse(FOR_OTHERS[module].read_text())
    own = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in put_off(tree):
        for name in [alias.asname or alias.name for alias in node.names]:
            assert isinstance(node, ast.Import) or name not in own
            # A file that is imported becomes an attribute of its folder, in the name's place.
            inner = name if module == "nnlite" else f"{module}.{name}"
            within = inner in SOURCES and FOR_OTHERS[module].name == "__init__.py"
            assert not within or named(node.module) == module


def test_batches_are_made_in_one_place():
    made = {
        m
        for m, path in SOURCES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in ("ArrayBatches", "IterableBatches", "sources_of")
    }
    assert made == {"data.batches"}


def test_scikit_learn_is_imported_by_what_makes_up_estimators_and_demo_alone():
    users = {
        m for m in SOURCES for other, _ in imports(SOURCES[m]) if other in ("sklearn", "scipy")
    }
    folders = ("estimators.", "inspection.", "neural_network.", "wrappers.")
    around = {u for u in SOURCES if u.startswith(folders)}
    assert users <= around | {"demo", "datasets.mnist", "optimizers.lbfgs"}


def loaded_by(statement):
    """The modules that a statement adds to sys.modules in a fresh interpreter, NumPy's aside."""
    code = f"import sys, numpy; before = {{*sys.modules}}; {statement}; "
    code += "print(*{getattr(m, '__name__', n) for n, m in sys.modules.items() if n not in before})"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("statement", ["import nnlite", "import nnlite.layers, nnlite.callbacks"])
def test_import_brings_no_optional_or_slow_package(statement):
    slow = {
        "sklearn",
        "scipy",
        "matplotlib",
        "tqdm",
        "pandas",
        "joblib",
        "threadpoolctl",
        "importlib_metadata",
    }
    slow |= set("concurrent csv difflib html inspect json logging pathlib random".split())
    slow |= set("shutil string tempfile traceback typing urllib uuid zipfile".split())
    packages = {module.split(".")[0] for module in loaded_by(statement)}
    assert not packages & slow and "nnlite" in packages


# A module takes about a quarter of a millisecond to import. What a small net does not use waits:
# `lazy.imports`.
MOST_MODULES = 125


def test_import_runs_what_a_small_net_needs_and_no_more():
    ours = {module for module in loaded_by("import nnlite") if module.startswith("nnlite")}
    assert len(ours) <= MOST_MODULES
    unused = "layers.recurrent layers.conv ops.convolution ops.recurrent optimizers.adam"
    unused += " visualization.diagram exporting.program saving.model_files data.dataset backend"
    assert not ours & {f"nnlite.{module}" for module in unused.split()}


def test_nothing_is_imported_that_a_name_does_not_ask_for():
    more = loaded_by("import nnlite; before |= {*sys.modules}; nnlite.layers.LSTM")
    assert "nnlite.layers.recurrent_layers" in more
    assert not more & {"nnlite.layers.conv", "nnlite.layers.attention", "nnlite.layers.text"}


def test_estimators_are_loaded_when_first_used():
    assert "sklearn" in loaded_by("import nnlite; nnlite.NNClassifier")
    assert "nnlite.estimators.classifier" not in loaded_by("import nnlite; nnlite.Sequential")


def test_files_are_short_enough_to_read():
    files = [
        p
        for folder in ("nnlite", "csrc", "tests")
        for p in (ROOT / folder).rglob("*")
        if p.suffix in (".py", ".pyx", ".c", ".h")
    ]
    assert len(files) > 50
    too_long = [
        f"{p.relative_to(ROOT)}: {n} lines"
        for p in files
        if (n := len(p.read_text().splitlines())) > 500
    ]
    too_wide = [
        f"{p.relative_to(ROOT)}:{n}"
        for p in files
        for n, line in enumerate(p.read_text().splitlines(), 1)
        if len(line) > 100
    ]
    assert not too_long
    assert not too_wide, f"{len(too_wide)} lines of more than 100 columns: {too_wide[:20]} ..."


C_FILES = sorted(p for p in (ROOT / "csrc").rglob("*.[ch]") if p.name != "op_list.h")
C_FLAGS = ["-std=gnu11", "-fsyntax-only", "-DNNL_ISA=generic", "-DNNL_REAL=float"]
OWN_CPU = {  # of the files that need an instruction set: whose it is, and the flags
    "microkernel_avx2.h": ("x86_64", ["-mavx2", "-mfma"]),
    "microkernel_avx512.h": (
        "x86_64",
        ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"],
    ),
    "microkernel_neon.h": ("aarch64", []),
}


@pytest.mark.parametrize("path", C_FILES, ids=lambda p: str(p.relative_to(ROOT / "csrc")))
def test_every_c_file_compiles_alone(path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler")
    cpu, own = OWN_CPU.get(path.name, (platform.machine(), []))
    if cpu != platform.machine():
        pytest.skip("not for this CPU")
    flags = [*C_FLAGS, "-Wall", "-Wextra", "-Wno-unused-function", *own]
    done = subprocess.run(
        [compiler, "-x", "c", *flags, str(path)], capture_output=True, text=True, cwd=ROOT
    )
    # What gemm.h declares is defined once, in gemm.c; engine.c compiles both together.
    wrong = [
        line
        for line in done.stderr.splitlines()
        if re.search("(error|warning): ", line) and "used but never defined" not in line
    ]
    assert done.returncode == 0 and not wrong, done.stderr


def test_every_c_op_has_one_row_in_python_and_the_reverse():
    text = (ROOT / "csrc" / "op_list.h").read_text()
    listed = re.findall(r"^NNL_OP\((\w+), \d+, \d+, \w+\)", text, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert sorted(listed) == sorted(name for name, op in OPS.items() if not op.view)
    for engine in dispatch._all_engines:
        assert list(engine.op_ids) == listed


# Where C names the values of an attribute, and the Python table of their numbers.
NUMBERED = [
    ("math/activation.h", "NNL_", "linear", KINDS),
    ("math/activation.h", "NNL_", "silu", GATES),
    ("ops/shape.c", "FROM_", "float32", SOURCE_CODES),
    ("ops/warp.c", "FILL_", "constant", FILL_CODES),
]


@pytest.mark.parametrize("path, prefix, first, numbers", NUMBERED, ids=lambda v: str(v)[:20])
def test_c_and_python_number_the_values_of_an_attribute_alike(path, prefix, first, numbers):
    text = (ROOT / "csrc" / path).read_text()
    (names,) = re.findall(rf"enum \{{(\s*{prefix}{first.upper()},[^}}]*)\}}", text)
    in_c = [name.strip().removeprefix(prefix).lower() for name in names.split(",")]
    assert in_c == list(numbers) and list(numbers.values()) == list(range(len(in_c)))


def test_every_c_op_is_explained_and_defined_once():
    text = "".join(p.read_text() for p in sorted((ROOT / "csrc" / "ops").rglob("*.c")))
    for name in OPS:
        if not OPS[name].view:
            assert len(re.findall(rf"^static void op_{name}\(", text, re.MULTILINE)) == 1
    assert all("/*" in p.read_text().splitlines()[0] for p in (ROOT / "csrc" / "ops").rglob("*.c"))


def modules():
    """Every module of the package that can be imported here."""
    for name in SOURCES:
        if name != "__main__":
            yield importlib.import_module("nnlite" if name == "nnlite" else f"nnlite.{name}")


def test_everything_public_is_explained():
    missing = []
    for module in modules():
        if not inspect.getdoc(module):
            missing.append(module.__name__)
        for name, value in vars(module).items():
            ours = getattr(value, "__module__", None) == module.__name__
            if name.startswith("_") or not ours or not callable(value):
                continue
            if not (value.__doc__ or "").strip() and not issubclass(type(value), Exception):
                missing.append(f"{module.__name__}.{name}")
    assert not missing


def test_docstring_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tried = 0
    with np.printoptions():
        for module in modules():
            result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
            assert result.failed == 0, module.__name__
            tried += result.attempted
    assert tried > 50


def test_versions_of_the_lint_tools_are_the_same_everywhere():
    pinned = re.findall(r"((?:ruff|clang-format)==[\d.]+)", (ROOT / "pyproject.toml").read_text())
    hooks = re.findall(r"\[(.*==.*)\]", (ROOT / ".pre-commit-config.yaml").read_text())
    assert len(pinned) == 2 and set(hooks) == set(pinned)


def test_dir_of_the_package_shows_what_is_public():
    import nnlite

    assert dir(nnlite) == sorted({*nnlite.__all__, *nnlite.tensorflow_names.__all__})
    assert all(hasattr(nnlite, name) for name in nnlite.__all__)


PUBLIC_PATHS = """
    nnlite.architecture:Stack nnlite.callbacks:EarlyStopping nnlite.datasets.mnist:load_data
    nnlite.estimators:NNClassifier nnlite.losses:MeanSquaredError nnlite.models:Sequential
    nnlite.optimizers.schedules:CosineDecay nnlite.plotting:plot_history nnlite.plotting:demo_report
    nnlite.preprocessing.image:ImageDataGenerator nnlite.schedules:CosineDecay
    nnlite.utils:to_categorical nnlite.utils:plot_model nnlite.wrappers.scikit_learn:KerasClassifier
    nnlite.backend:floatx nnlite.nn:relu nnlite.regularizers:l2 nnlite.initializers:GlorotUniform
    nnlite.constraints:max_norm nnlite.tuner:RandomSearch
    nnlite.tuner.tuners:Hyperband
""".split()


@pytest.mark.parametrize("path", PUBLIC_PATHS)
def test_public_import_paths_stay(path):
    module, name = path.split(":")
    assert hasattr(importlib.import_module(module), name)
