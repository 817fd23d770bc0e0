"""Preprocessing of training data, under Keras's names."""

from nnlite import names
from nnlite.data.directory import (
    image_dataset_from_directory,
    text_dataset_from_directory,
)
from nnlite.data.timeseries import timeseries_dataset_from_array
from nnlite.preprocessing import image, sequence, text

__all__ = [
    "image",
    "image_dataset_from_directory",
    "sequence",
    "text",
    "text_dataset_from_directory",
    "timeseries_dataset_from_array",
]

__getattr__ = names.of(__name__)
