"""What builds wheels elsewhere names what is here."""

import re
import tomllib

import pytest
from paths import ROOT

SETTINGS = ROOT / "pyproject.toml"
WORKFLOW = ROOT / ".github" / "workflows" / "wheels.yml"
pytestmark = pytest.mark.skipif(not WORKFLOW.exists(), reason="needs the source")


def test_wheels_are_tested_by_files_that_there_are():
    wheels = tomllib.loads(SETTINGS.read_text())["tool"]["cibuildwheel"]
    tested = re.findall(r"\{project\}/(\S+)", wheels["test-command"])
    tested += re.findall(r"pytest (tests\S+)", WORKFLOW.read_text())
    assert len(tested) == 3
    assert all((ROOT / path).exists() for path in tested)


def test_wheels_are_for_the_pythons_that_the_package_asks_for():
    settings = tomllib.loads(SETTINGS.read_text())
    first = settings["project"]["requires-python"].removeprefix(">=3.")
    built = [int(v) for v in re.findall(r"cp3(\d+)-\*", settings["tool"]["cibuildwheel"]["build"])]
    assert built == list(range(int(first), built[-1] + 1)) and len(built) >= 3


def test_options_of_builds_are_those_of_meson():
    used = re.findall(r"-D(\w+)=", SETTINGS.read_text())
    known = re.findall(r"option\('(\w+)'", (ROOT / "meson.options").read_text())
    assert used and set(used) <= set(known)
