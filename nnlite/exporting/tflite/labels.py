"""The labels of a classifier in its file, where TensorFlow Lite's task libraries look for them:
metadata that name a text file, which lies in a zip archive behind the model."""

import io
import zipfile

from nnlite.exporting.tflite.flat import Slots, Table, packed

FILE = "labels.txt"
# One line for each entry along the last axis of an output.
_AXIS_LABELS = 2
_SCHEMA = Slots(
    {
        "ModelMetadata": (
            *("Name", "Description", "Version", "SubgraphMetadata"),
            *("Author", "License", "AssociatedFiles", "MinParserVersion"),
        ),
        "SubGraphMetadata": (
            *("Name", "Description", "InputTensorMetadata", "OutputTensorMetadata"),
            "AssociatedFiles",
        ),
        "TensorMetadata": (
            *("Name", "Description", "DimensionNames", "Content", "ProcessUnits", "Stats"),
            "AssociatedFiles",
        ),
        "AssociatedFile": ("Name", "Description", "Type"),
    }
)


def metadata(computation):
    """The metadata of a file: pairs of a name and bytes."""
    if computation.classes is None:
        return []
    file = Table("AssociatedFile", Name=FILE, Type=_AXIS_LABELS)
    inputs = [Table("TensorMetadata", Name=name) for name, *_ in computation.inputs]
    first, *rest = computation.outputs
    outputs = [
        Table("TensorMetadata", Name=first, AssociatedFiles=[file]),
        *(Table("TensorMetadata", Name=name) for name in rest),
    ]
    graph = Table("SubGraphMetadata", InputTensorMetadata=inputs, OutputTensorMetadata=outputs)
    root = Table(
        "ModelMetadata",
        Name=computation.name,
        SubgraphMetadata=[graph],
        MinParserVersion="1.0.0",
    )
    return [("TFLITE_METADATA", packed(_SCHEMA, root, b"M001"))]


def archive(computation):
    """The bytes behind the model: an archive with a label in each line; none without labels."""
    if computation.classes is None:
        return b""
    lines = "\n".join(" ".join(str(label).split("\n")) for label in computation.classes)
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as files:
        files.writestr(zipfile.ZipInfo(FILE), lines + "\n")
    return whole.getvalue()
