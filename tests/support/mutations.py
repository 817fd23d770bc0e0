"""Files of models with something wrong: bytes, members or entries of configs changed at random."""

import copy
import io
import json
import zipfile

VALUES = [
    *(None, True, False, 0, -1, 1, 2, 10**9, 2**31, 2**63, 1e300, float("nan"), float("inf")),
    *("", "relu", "x", "../../etc/passwd", "__lambda__", [], {}, [[]], [1, 2]),
    *({"class_name": "Dense", "config": {}}, {"class_name": "__lambda__", "config": {}}),
    *({"class_name": "__tensor__", "config": 3}, {"class_name": "function", "config": "eval"}),
    {"class_name": "__numpy__", "config": {"value": [1], "dtype": "O"}},
]
KEYS = ["units", "name", "layers", "class_name", "module", "nothing"]


def mutated(content, rng):
    """A file's content with one or a few things changed.

    Parameters
    ----------
    content : bytes
    rng : random.Random
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile:
        return changed_bytes(content, rng)
    if rng.random() < 0.2:
        return changed_bytes(content, rng)
    name = rng.choice(sorted(members))
    change = changed_config if name.endswith(".json") else changed_bytes
    made, kind = io.BytesIO(), rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(made, "w", kind) as archive:
        for other, value in members.items():
            if other != name:
                archive.writestr(other, value)
            elif rng.random() < 0.98:
                archive.writestr(name, change(value, rng))
    return made.getvalue()


def changed_bytes(content, rng):
    """Bytes with some of them changed, cut now and then."""
    made = bytearray(content)
    for _ in range(rng.choice([1, 1, 3, 20])):
        made[rng.randrange(len(made))] = rng.randrange(256)
    return bytes(made[: rng.randrange(len(made))] if rng.random() < 0.2 else made)


def changed_config(text, rng):
    """JSON with entries removed, renamed, repeated elsewhere or replaced."""
    config = json.loads(text)
    places = [place for place in _places(config) if place]
    for _ in range(rng.choice([1, 1, 1, 2, 4]) if places else 0):
        *outer, key = rng.choice(places)
        try:
            holder, other = _at(config, outer), _at(config, rng.choice(places))
            change = rng.random()
            if change < 0.25:
                del holder[key]
            elif change < 0.35 and isinstance(holder, dict):
                holder[rng.choice(KEYS)] = holder.pop(key)
            elif change < 0.45:
                holder[key] = json.loads(json.dumps(other))
            else:
                holder[key] = copy.deepcopy(rng.choice(VALUES))
        except (IndexError, KeyError, TypeError):  # an earlier change took the place away
            continue
    return json.dumps(config).encode()


def _at(value, place):
    for key in place:
        value = value[key]
    return value


def _places(value, place=()):
    yield place
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(inner, (*place, key))
