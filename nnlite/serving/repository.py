"""The models of a service: which files they are, their versions, and what changed on the disk.

The one idea: files are looked at, never watched. A file that is new or other than before is loaded
beside what is served, and takes its place when it is whole."""

import asyncio
import concurrent.futures
import functools
import os
import re
from pathlib import Path

from nnlite.saving.model_files import MODEL_ENDINGS, OF_WEIGHTS_ALONE
from nnlite.serving.batching import Batcher
from nnlite.serving.served import load

_NAME = re.compile(r"[\w][\w. -]*")
_VERSION = re.compile(r"[0-9]{1,18}")


class Entry:
    """A version of a model.

    Attributes
    ----------
    name, version : str
    path : Path
    seen : tuple
        What was known of the file when it was loaded, or was found to be broken.
    served : ServedModel, ServedEstimator or None
    batcher : Batcher or None
    error : str or None
        Why it cannot be loaded, or not the file that stands there now.
    """

    def __init__(self, name, version, path, seen):
        self.name, self.version, self.path, self.seen = name, version, path, seen
        self.served = self.batcher = self.error = None

    @property
    def state(self):
        """TensorFlow Serving's word."""
        return "AVAILABLE" if self.served is not None else "END"


class Repository:
    """What is served.

    Parameters
    ----------
    sources : iterable of str
        Files of models and folders of them, each also as NAME=PATH.
    largest_batch : int
    batch_wait : float
        Seconds.
    tell : function of dict
        Is told what is loaded, fails or goes.
    on_batch : function of (name, rows)

    Raises
    ------
    FileNotFoundError
        If a source is not there.
    ValueError
        If a source is no file of a model, or two have one name.
    """

    def __init__(self, sources, largest_batch, batch_wait, tell, on_batch):
        self._sources = [_source(text) for text in sources]
        self._largest, self._wait = largest_batch, batch_wait
        self._tell, self._on_batch = tell, on_batch
        self._executor = concurrent.futures.ThreadPoolExecutor(
            os.cpu_count() or 1, thread_name_prefix="nnlite-serving"
        )
        self.entries = {}  # (name, version) -> Entry
        self._pending = {}  # (name, version) -> what was seen of a file that may be growing
        self._ignored = set()  # files whose name and version another one has
        named = [name for name, _ in self._sources if name is not None]
        for name in named:
            if named.count(name) > 1:
                raise ValueError(
                    f"models: expected different names, got {name!r} twice: name them NAME=PATH"
                )

    def versions(self, name):
        """The Entries of a model, the newest first; those that cannot predict come last."""
        found = [entry for entry in self.entries.values() if entry.name == name]
        return sorted(found, key=lambda e: (e.served is None, -int(e.version)))

    def broken_files(self):
        """What is wrong with files that were named themselves, not by their folder."""
        files = {path for _, path in self._sources}
        entries = [e for e in self.entries.values() if e.served is None and e.path in files]
        return [f"{entry.path}: {entry.error}" for entry in entries]

    def names(self):
        """The names of all models."""
        return list(dict.fromkeys(entry.name for entry in self.entries.values()))

    async def refresh(self, at_once=False):
        """Load what is new or changed, and forget what is gone; gives whether anything did.

        Parameters
        ----------
        at_once : bool, default False
            Whether a file is loaded when it is first seen; else when it did not change since the
            last look, as it may still be written.
        """
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._executor, self._found)
        changed = False
        for key in self.entries.keys() - found.keys():
            del self.entries[key]
            self._pending.pop(key, None)
            self._tell({"event": "removed", "model": key[0], "version": key[1]})
            changed = True
        for key, (path, seen) in found.items():
            entry = self.entries.get(key)
            if entry is not None and entry.seen == seen:
                continue
            if not at_once and self._pending.get(key) != seen:
                self._pending[key] = seen
                continue
            self._pending.pop(key, None)
            fresh = Entry(*key, path, seen)
            await self._load(fresh)
            if fresh.error is not None and entry is not None and entry.served is not None:
                entry.error, entry.seen = fresh.error, seen  # it goes on as it was
            else:
                self.entries[key] = fresh
            changed = True
        return changed

    async def _load(self, entry):
        loop, about = asyncio.get_running_loop(), {"model": entry.name, "version": entry.version}
        try:
            entry.served = await loop.run_in_executor(self._executor, load, entry.path)
        except Exception as error:  # whatever is wrong with a file, others are served
            entry.error = f"{type(error).__name__}: {error}"
            self._tell({"event": "failed", **about, "path": str(entry.path), "error": entry.error})
            return
        entry.batcher = Batcher(
            entry.served.run,
            self._executor,
            self._largest,
            self._wait,
            entry.served.seconds_a_row,
            functools.partial(self._on_batch, entry.name),
        )
        self._tell({"event": "loaded", **about, "path": str(entry.path)})

    def _found(self):
        """(name, version) -> (path, what identifies its content) of each file there is."""
        found = {}
        for name, path in self._sources:
            for key, file in _files_of(name, path):
                try:
                    state = file.stat()
                except OSError:  # it went in between
                    continue
                seen = (str(file), state.st_mtime_ns, state.st_size, state.st_ino)
                if found.setdefault(key, (file, seen))[0] != file and file not in self._ignored:
                    self._ignored.add(file)
                    about = {"model": key[0], "version": key[1], "path": str(file)}
                    self._tell({"event": "ignored", **about, "served": str(found[key][0])})
        return found


def _source(text):
    """(name or None, path) of what the command line names."""
    name, equals, path = text.partition("=")
    if not equals or Path(text).exists():
        name, path = None, text
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"models: expected a file or folder, got {path}, which is not there"
        )
    if path.is_file():
        if not _is_model(path):
            raise ValueError(
                f"models: expected a name that ends in {', '.join(MODEL_ENDINGS)}, got {path}"
            )
        name = name or _stem(path)
    if name is not None and not _NAME.fullmatch(name):
        raise ValueError(
            f"models: expected a name of letters, digits, '.', '_', '-' and spaces, got {name!r}"
        )
    return name, path


def _files_of(name, path):
    """((name, version), file) for each model in a source."""
    if path.is_dir():
        yield from _versions_in(name, path) if name else _models_in(path)
    else:
        yield (name, "1"), path


def _models_in(folder):
    """Of a folder: files are models, folders hold a model's versions."""
    for path in _listed(folder):
        is_folder = path.is_dir()
        name = path.name if is_folder else _stem(path)
        if not _NAME.fullmatch(name):
            continue
        if is_folder:
            yield from _versions_in(name, path)
        elif _is_model(path):
            yield (name, "1"), path


def _versions_in(name, folder):
    """Of a folder: `3.keras`, or a file in a folder `3`, is version 3."""
    for path in _listed(folder):
        version = path.name if path.is_dir() else _stem(path)
        if not _VERSION.fullmatch(version):
            continue
        files = _listed(path) if path.is_dir() else [path]
        for file in [f for f in files if f.is_file() and _is_model(f)][:1]:
            yield (name, str(int(version))), file


def _listed(folder):
    """What is in a folder and not hidden, in order; nothing if it went in between."""
    try:
        return sorted(p for p in folder.iterdir() if p.name[0] not in "._")
    except OSError:
        return []


def _is_model(path):
    return path.name.endswith(tuple(MODEL_ENDINGS)) and not path.name.endswith(OF_WEIGHTS_ALONE)


def _stem(path):
    return path.name.removesuffix(path.suffix)
