"""The documents' code runs: what stands in blocks marked ```python run, one after the other."""

import re

import pytest
from paths import ROOT

DOCS = ROOT / "docs"
DOCUMENTS = [*DOCS.glob("*.md"), *ROOT.glob("*.md"), ROOT / "csrc" / "README.md"]
BLOCK = re.compile(r"^```python run\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(path):
    """Line -> the code that begins there."""
    text = path.read_text()
    return {text.count("\n", 0, m.start(1)) + 1: m[1] for m in BLOCK.finditer(text)}


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda p: p.stem)
def test_code_of_a_document_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "document"}
    for line, code in blocks(path).items():
        exec(compile("\n" * (line - 1) + code, path.name, "exec"), names)


def test_migration_runs_an_after_for_every_before():
    text = (DOCS / "migration.md").read_text()
    parts = text.split("\n## ")[1:]
    assert [p.splitlines()[0].split()[-1] for p in parts] == ["MLPClassifier", "SciKeras", "skorch"]
    assert all("```python\n" in part and "```python run\n" in part for part in parts)


def test_files_that_documents_link_to_are_there():
    for path in DOCUMENTS:
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_documents_name_are_there(path):
    """Names in backticks that begin with a folder of the project, but for patterns."""
    named = re.findall(r"`((?:nnlite|csrc|tests|docs|benchmarks)/[\w./]+)`", path.read_text())
    missing = [n for n in named if not (ROOT / n).exists() and not re.search("FAMILY|NAME|ISA", n)]
    assert not missing
