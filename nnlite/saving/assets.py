"""Files that layers of one's own write and read themselves, as in Keras, by `save_assets` and
`load_assets`: members of an archive."""

import tempfile
import zipfile
from pathlib import Path, PurePosixPath

_ASSETS = "assets"
_MOST_COMPRESSED = 100  # times, as of the other members


def write_assets(archive, parts):
    """Write what the `save_assets` of layers make into an archive.

    Parameters
    ----------
    archive : zipfile.ZipFile
    parts : dict of str to Layer
        By path.
    """
    for path, part in parts.items():
        if not hasattr(part, "save_assets"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            part.save_assets(folder)
            for file in sorted(Path(folder).rglob("*")):
                if file.is_file():
                    inner = file.relative_to(folder).as_posix()
                    info = zipfile.ZipInfo("/".join(filter(None, (_ASSETS, path, inner))))
                    archive.writestr(info, file.read_bytes())


def load_assets(archive, parts):
    """Let layers read the files that their `save_assets` made: from a folder of their own.

    Parameters
    ----------
    archive : zipfile.ZipFile
    parts : dict of str to Layer
        By path.

    Raises
    ------
    ValueError
        If a name leads out of the folder or is no file's, or a file is much larger than what it
        takes.
    """
    for path, part in parts.items():
        if not hasattr(part, "load_assets"):
            continue
        start = "/".join(filter(None, (_ASSETS, path))) + "/"
        with tempfile.TemporaryDirectory() as folder:
            for info in archive.infolist():
                if info.filename.startswith(start) and not info.is_dir():
                    target = Path(folder, *_parts(info, start))
                    content = archive.read(info)
                    try:
                        target.parent.mkdir(parents=True, exist_ok=True)
                        target.write_bytes(content)
                    except OSError as error:  # a name that is a folder's, too, or too long
                        raise ValueError(
                            f"{info.filename}: expected a file within the folder of a layer, "
                            f"got {error}"
                        ) from None
            part.load_assets(folder)


def _parts(info, start):
    """The names of the folders and the file of a member within the folder of its layer."""
    parts = PurePosixPath(info.filename[len(start) :]).parts
    if not parts or ".." in parts or any(set(part) & set("\\/:\0") for part in parts):
        raise ValueError(f"{info.filename}: expected a name within the folder of a layer")
    if info.file_size > _MOST_COMPRESSED * max(info.compress_size, 1000):
        raise ValueError(
            f"{info.filename}: expected at most {_MOST_COMPRESSED} times the bytes that it takes, "
            f"{info.compress_size}, got {info.file_size}"
        )
    return parts
