"""FlatBuffers of TensorFlow Lite's schema: nested tables become bytes."""

import numpy as np

# A buffer's data begin on such a multiple of bytes, as the schema demands.
_ALIGNMENT = 16


def require(name="tflite"):
    """A package that the format needs.

    Raises
    ------
    ImportError
        If it is not installed: says what to install.
    """
    try:
        return __import__(name)
    except ImportError:
        raise ImportError(
            'files .tflite need the packages tflite and flatbuffers: pip install "nnlite[tflite]"'
        ) from None


class Table:
    """A table: its name in the schema and its fields, numbers, text, bytes, arrays, tables, or
    lists of tables; None is left out."""

    def __init__(self, kind, **fields):
        self.kind, self.fields = kind, fields


def packed(root, identifier):
    """The bytes of a table with all that it refers to."""
    schema, flatbuffers = require(), require("flatbuffers")
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(_place(schema, builder, root), identifier)
    return bytes(builder.Output())


def _place(schema, builder, value):
    """Write a field's value; gives its offset, or the number itself."""
    if isinstance(value, Table):
        fields = {k: _place(schema, builder, v) for k, v in value.fields.items() if v is not None}
        getattr(schema, f"{value.kind}Start")(builder)
        for name, field in fields.items():
            getattr(schema, f"{value.kind}Add{name}")(builder, field)
        return getattr(schema, f"{value.kind}End")(builder)
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
