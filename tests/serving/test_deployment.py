"""Containers start what there is: commands and options, paths of probes, users and times."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import distribution

import pytest
from paths import ROOT

pytest.importorskip("uvicorn")
from service import Service

import nnlite
from nnlite.__main__ import _parser
from nnlite.layers import Dense

FILES = {
    name: ROOT / name
    for name in ("docker/Dockerfile", "deploy/compose.yaml", "deploy/kubernetes.yaml")
}
if not all(path.exists() for path in FILES.values()):
    pytest.skip("no files of containers", allow_module_level=True)
TEXTS = {name: path.read_text() for name, path in FILES.items()}


def instructions():
    """(instruction, what follows) of the Dockerfile, continued lines joined."""
    text = re.sub(r"^#.*\n", "", TEXTS["docker/Dockerfile"], flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def last(instruction):
    """What follows the last such instruction."""
    return [what for name, what in instructions() if name == instruction][-1]


def arguments(*command):
    """The settings that `nnlite` reads from a command."""
    assert command[0] == "nnlite"
    return vars(_parser().parse_args(command[1:]))


def test_the_image_has_two_stages_and_no_root():
    known = {
        "FROM", "RUN", "COPY", "ARG", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "STOPSIGNAL",
        "ENTRYPOINT", "CMD",
    }  # fmt: skip
    names = [name for name, _ in instructions()]
    assert set(names) == known and names.count("FROM") == 2
    images = [what.split()[0] for name, what in instructions() if name == "FROM"]
    assert len(set(images)) == 1 and re.fullmatch(r"python:3\.\d+-\$\{BASE\}", images[0])
    assert instructions()[0] == ("ARG", "BASE=slim")
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert [*map(int, re.findall(r"\d+", images[0]))] >= [*map(int, re.findall(r"\d+", needed))]
    second = names.index("FROM", names.index("FROM") + 1)
    after = dict(instructions()[second:])
    assert after["USER"].isdigit() and int(after["USER"]) > 0
    copies = [what for name, what in instructions()[second:] if name == "COPY"]
    assert copies and all(what.startswith("--from=build ") for what in copies)


@pytest.mark.parametrize("line", [what for name, what in instructions() if name == "RUN"])
def test_commands_of_the_image_are_shell(line):
    shlex.split(line)
    done = subprocess.run(["sh", "-n", "-c", line], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "apt-get install" not in line or "--no-install-recommends" in line
    assert "apk add" not in line or "apk add --no-cache" in line


def test_the_image_is_built_from_what_there_is():
    ignored = (ROOT / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    kept = [line[1:] for line in ignored if line.startswith("!")]
    assert all((ROOT / name).exists() for name in kept)
    assert {"csrc", "nnlite", "meson.build", "pyproject.toml"} <= set(kept)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(project["license-files"]) | {project["readme"]} <= set(kept)


def packages_of_a_service():
    """The packages of `nnlite[serve]`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    listed = [*project["dependencies"], *extras["serve"]]
    inside = {extra for extra in extras if f"nnlite[{extra}]" in listed}
    listed += [name for extra in inside for name in extras[extra]]
    names = {re.match(r"[\w-]+", requirement)[0] for requirement in listed}
    return names - {"nnlite"}


def test_the_image_has_the_packages_that_a_service_needs():
    line = next(what for name, what in instructions() if name == "RUN" and "httptools" in what)
    named, of_slim = line.split("--no-compile")[1].split("$(")
    assert of_slim.strip(" )").endswith("|| echo scikit-learn")
    assert {*named.split(), "scikit-learn"} == packages_of_a_service()


def test_packages_leave_room_below_200_mb_and_below_400_mb_with_scikit_learn():
    """The bases take some 50 MB and 130 MB. Of the packages here: their files without what the
    image removes; it also strips extension modules, and adds bytecode of a tenth of that."""
    removed = re.compile(r"/tests/|\.(py[ix]|pxd|h|hpp|c|cpp|a|pyc)$")

    def size(names):
        files = [file for name in names for file in distribution(name).files or ()]
        paths = [file.locate() for file in files if not removed.search(str(file))]
        return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6

    of_nnlite = [path for path in (ROOT / "nnlite").rglob("*") if path.suffix in (".py", ".so")]
    own = sum(path.stat().st_size for path in of_nnlite) / 1e6
    serving = packages_of_a_service() - {"scikit-learn"}
    estimators = {"scikit-learn", "scipy", "joblib", "threadpoolctl"}
    assert size(serving) + own < 110
    assert size(serving | estimators) + own < 240


def test_the_image_starts_a_command_that_there_is():
    given = arguments(*json.loads(last("ENTRYPOINT")), *json.loads(last("CMD")))
    assert given["command"] == "serve" and given["models"] == ["/models"]
    assert given["host"] == "0.0.0.0" and str(given["port"]) == last("EXPOSE")


def test_its_health_check_tells_a_service_that_is_ready_from_none(tmp_path):
    check = json.loads(last("HEALTHCHECK").split(" CMD ")[1])
    assert check[0] == "python" and ":8000/" in check[2]
    nnlite.Sequential([Dense(2, input_shape=(3,))]).save(tmp_path / "net.safetensors")

    def code(port):
        command = [sys.executable, check[1], check[2].replace(":8000", f":{port}")]
        return subprocess.run(command, capture_output=True).returncode

    with Service(tmp_path) as service:
        assert code(service.port) == 0
        port = service.port
    assert code(port) == 1


def test_compose_gives_options_that_there_are():
    text = TEXTS["deploy/compose.yaml"]
    command = json.loads(re.search(r"command: (\[.*\])", text)[1])
    given = arguments(*json.loads(last("ENTRYPOINT")), *command)
    name = given["token_file"].removeprefix("/run/secrets/")
    assert re.search(rf"^secrets:\n  {name}:$", text, re.MULTILINE)
    assert "127.0.0.1:8000:8000" in text and f"./models:{given['models'][0]}:ro" in text
    assert float(re.search(r"stop_grace_period: (\d+)s", text)[1]) > given["timeout"]
    dockerfile = re.search(r"dockerfile: (.*)", text)[1]
    assert (ROOT / "deploy" / ".." / dockerfile).exists()


def test_kubernetes_gives_options_and_probes_that_there_are(tmp_path):
    text = TEXTS["deploy/kubernetes.yaml"]
    given = arguments(
        *json.loads(last("ENTRYPOINT")), *json.loads(re.search(r"args: (\[.*\])", text)[1])
    )
    grace = float(re.search(r"terminationGracePeriodSeconds: (\d+)", text)[1])
    pause = float(re.search(r'"sleep", "(\d+)"', text)[1])
    assert grace > pause + given["timeout"]
    assert f"containerPort: {given['port']}" in text
    assert f"mountPath: {given['models'][0]}, readOnly: true" in text
    assert f"runAsUser: {last('USER')}" in text and "runAsNonRoot: true" in text
    version = nnlite.__version__
    assert f"image: nnlite:{version}" in text
    probes = re.findall(r"(\w+Probe):.*\n\s+httpGet: \{path: (\S+), port: http\}", text)
    assert {name for name, _ in probes} == {"startupProbe", "readinessProbe", "livenessProbe"}
    nnlite.Sequential([Dense(2, input_shape=(3,))]).save(tmp_path / "net.safetensors")
    token = re.search(r"name: (NNLITE_\w+)", text)[1]
    with Service(tmp_path, **{token: "abc"}) as service:
        assert service.ask("/v2").status == 401
        assert all(service.ask(path).status == 200 for _, path in probes)
        assert re.search("prometheus.io/path: (.*)", text)[1] == "/metrics"


@pytest.mark.parametrize("name", ["deploy/compose.yaml", "deploy/kubernetes.yaml"])
def test_manifests_are_yaml(name):
    yaml = pytest.importorskip("yaml")
    assert all(isinstance(part, dict) for part in yaml.safe_load_all(TEXTS[name]))
