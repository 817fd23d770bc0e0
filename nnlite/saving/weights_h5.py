"""Weights alone as HDF5: written as the tree that Keras 3 writes, read from that or from a file of
the older layout, whatever the name of the file is."""

from nnlite.saving import hdf5, legacy_h5
from nnlite.saving.state import load_state, save_state


def write(path, model):
    """Write the weights of a model, and the state of its optimizer if it is built.

    Parameters
    ----------
    path : str or path
        A temporary name.
    model : Model
        Built.
    """
    h5py = hdf5.require_h5py()
    with h5py.File(path, "w") as file:
        save_state(file, model)


def read(path, model, skip_mismatch=False, by_name=False):
    """Read the weights of a model.

    Parameters
    ----------
    path : str or path
        Of weights alone or of a whole model, in the older layout or in that of Keras 3.
    model : Model
        Built.
    skip_mismatch : bool, default False
        Whether layers that do not fit are left as they are.
    by_name : bool, default False
        Whether each layer gets what stands under its name.
    """
    with hdf5.reading(path) as file:
        older = legacy_h5.weights_group(file)
        if older is not None:
            legacy_h5.load_weights(older, model, skip_mismatch, by_name)
        elif by_name:
            raise ValueError(
                "by_name: expected a file of the older layout, in which layers have names, got one "
                "of Keras 3"
            )
        else:
            load_state(file, model, skip_mismatch)
