"""FlatBuffers of TensorFlow Lite's schema: nested tables become bytes."""

import numpy as np

# A buffer's data begin on such a multiple of bytes, as the schema demands.
_ALIGNMENT = 16


def require():
    """The packages tflite, the schema, and flatbuffers.

    Raises
    ------
    ImportError
        If one is not installed: says what to install.
    """
    try:
        import flatbuffers
        import tflite
    except ImportError:
        raise ImportError(
            'files .tflite need the packages tflite and flatbuffers: pip install "nnlite[tflite]"'
        ) from None
    return tflite, flatbuffers


class Table:
    """A table: its name in the schema and its fields, numbers, text, bytes, arrays, tables, or
    lists of tables; None is left out."""

    def __init__(self, kind, **fields):
        self.kind, self.fields = kind, fields


class Generated:
    """The schema of models: the functions of the package tflite."""

    def __init__(self):
        self._schema, _ = require()

    def start(self, builder, kind):
        getattr(self._schema, f"{kind}Start")(builder)

    def add(self, builder, kind, name, value):
        getattr(self._schema, f"{kind}Add{name}")(builder, value)


class Slots:
    """A schema without a package: the names of each table's fields in order.

    Parameters
    ----------
    tables : dict of str to sequence of str
        A field called 'Type' is a number of a byte; the others refer to something.
    """

    def __init__(self, tables):
        self._tables = tables

    def start(self, builder, kind):
        builder.StartObject(len(self._tables[kind]))

    def add(self, builder, kind, name, value):
        slot = self._tables[kind].index(name)
        if name == "Type":
            builder.PrependInt8Slot(slot, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)


def packed(schema, root, identifier):
    """The bytes of a table with all that it refers to."""
    _, flatbuffers = require()
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(_place(schema, builder, root), identifier)
    return bytes(builder.Output())


def _place(schema, builder, value):
    """Write a field's value; gives its offset, or the number itself."""
    if isinstance(value, Table):
        fields = {k: _place(schema, builder, v) for k, v in value.fields.items() if v is not None}
        schema.start(builder, value.kind)
        for name, field in fields.items():
            schema.add(builder, value.kind, name, field)
        return builder.EndObject()
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, bytes):
        builder.StartVector(1, len(value), _ALIGNMENT)
        builder.head -= len(value)
        builder.Bytes[builder.head : builder.head + len(value)] = value
        return builder.EndVector()
    if isinstance(value, np.ndarray):
        return builder.CreateNumpyVector(value)
    if isinstance(value, list):
        offsets = [_place(schema, builder, item) for item in value]
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()
    return value
