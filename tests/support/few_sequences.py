"""A cut of the real data of texts and series, or made up where there are none, on which examples
run in seconds."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

REAL = Path(os.environ.get("NNLITE_DATA", ""))


def save_sequences(folder):
    """Write the files that examples look for into a folder, and return it."""
    rng = np.random.default_rng(0)

    def sentence(*words):
        return " ".join(rng.choice(["the", "film", "plot", *words], 9))

    for kind, words in {"pos": ("fine", "warm"), "neg": ("dull", "cold")}.items():
        made = [sentence(*words) for _ in range(150)]
        save(folder, f"rt-polarity/rt-polarity.{kind}.gz", made, slice(150))
    lines = [f"{sentence('KING:', 'Good')}." for _ in range(150)]
    save(folder, "tinyshakespeare.txt.gz", lines, slice(150))
    waves = 60 + 50 * np.sin(np.arange(700) / 21)
    months = [f'"{1749 + k // 12}-{1 + k % 12:02}",{spots:.1f}' for k, spots in enumerate(waves)]
    save(folder, "tabular/monthly-sunspots.csv.gz", ['"Month","Sunspots"', *months], slice(700))
    for part in ("TRAIN", "TEST"):
        rows = []
        for speaker in (1, 2, 9) * 9:
            values = rng.normal(speaker, 1, (12, rng.integers(7, 29))).round(3)
            rows.append(":".join(",".join(map(str, channel)) for channel in values.tolist()))
            rows[-1] += f":{speaker}"
        save(folder, f"tsc/JapaneseVowels_{part}.ts.gz", ["@data", *rows], slice(None, None, 9))
    return folder


def save(folder, name, made, chosen):
    """Write some of the lines of a real file, or those that are made up."""
    lines, head = made, []
    if (REAL / name).is_file():
        lines = gzip.decompress((REAL / name).read_bytes()).decode("latin-1").splitlines()
        if "@data" in lines:
            at = lines.index("@data") + 1
            head, lines = lines[:at], lines[at:]
        lines = head + lines[chosen]
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(gzip.compress("\n".join(lines).encode("latin-1")))


def japanese_vowels():
    """(series, labels) to train on, and to test on; skips the test where NNLITE_DATA lacks them."""
    folder = REAL / "tsc"
    if not folder.is_dir():
        pytest.skip("NNLITE_DATA has no folder tsc")
    return [_read_series(folder / f"JapaneseVowels_{part}.ts.gz") for part in ("TRAIN", "TEST")]


def _read_series(path):
    """The series of a file, (steps, channels), and their labels."""
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    rows = [line.split(":") for line in lines if line and line[0] not in "#@"]
    X = [np.array([channel.split(",") for channel in row[:-1]], float).T for row in rows]
    return X, np.array([row[-1] for row in rows])
