"""What Keras keeps under `keras.utils`, by its names; each stands where it belongs."""

from nnlite.config import set_random_seed
from nnlite.data.batches import PyDataset
from nnlite.data.sources import to_categorical, unpack_x_y_sample_weight
from nnlite.visualization import plot_model

Sequence = PyDataset

__all__ = [
    "PyDataset",
    "Sequence",
    "plot_model",
    "set_random_seed",
    "to_categorical",
    "unpack_x_y_sample_weight",
]
