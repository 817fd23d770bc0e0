"""Weights as files, in the format that the name of the file says."""

from nnlite.atomic_write import replacing
from nnlite.errors import prefixed
from nnlite.saving import keras_file, legacy_h5, safetensors, weights_h5
from nnlite.saving.description import check_built
from nnlite.saving.paths import format_of, refuse_older

# What writes weights alone, and what reads them, by the ending of the name.
WEIGHTS_ENDINGS = {
    ".weights.h5": (weights_h5.write, weights_h5.read),
    ".h5": (legacy_h5.write_weights, weights_h5.read),
    ".hdf5": (legacy_h5.write_weights, weights_h5.read),
    ".safetensors": (safetensors.write_weights, safetensors.read_weights),
}


def save_weights(model, filepath, overwrite=True):
    """Write the weights of a model, without what it is made of.

    Parameters
    ----------
    model : Model
        Built.
    filepath : str or path
        Its ending says the format: '.weights.h5', as Keras 3 writes it, with the state of the
        optimizer if that is built; '.h5' or '.hdf5', as Keras 2 did; or '.safetensors'.
    overwrite : bool, default True
        Whether a file of this name may be replaced.

    Raises
    ------
    FileExistsError
        If there is such a file and it must not be replaced.
    ImportError
        If the format needs a package that is not installed.
    ValueError
        If the model is not built, or no format has the ending.

    Examples
    --------
    >>> import nnlite
    >>> model, other = (
    ...     nnlite.Sequential([nnlite.layers.Dense(2, input_shape=(3,))]) for _ in range(2)
    ... )
    >>> nnlite.saving.save_weights(model, "model.weights.h5")
    >>> nnlite.saving.load_weights(other, "model.weights.h5")
    >>> bool((other.get_weights()[0] == model.get_weights()[0]).all())
    True
    """
    path, (write, _) = format_of(filepath, WEIGHTS_ENDINGS)
    with prefixed(f"model {model.name!r}: "):
        check_built(model, "save")
    refuse_older(path, overwrite)
    with replacing(path) as temporary, prefixed(f"model {model.name!r}: "):
        write(temporary, model)


def load_weights(model, filepath, skip_mismatch=False, by_name=False):
    """Read weights into a model, of a file that nnlite or Keras wrote.

    Layers get what layers of the same place had; those without weights do not count. If the file
    holds the state of an optimizer and that of the model is built, it gets that, too.

    Parameters
    ----------
    model : Model
        Built.
    filepath : str or path
        Of weights alone ('.weights.h5', '.h5', '.hdf5', '.safetensors') or of a whole model
        ('.keras', '.h5', '.safetensors').
    skip_mismatch : bool, default False
        Whether layers that do not fit are left as they are, with a warning.
    by_name : bool, default False
        Whether layers get what stands under their names instead, and those without such a name
        stay as they are. Only of files '.h5' and '.hdf5'.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If the format needs a package that is not installed.
    ValueError
        If the model is not built, if the file is not whole, or if a weight is missing or has
        another shape. No weight is changed then.
    """
    path, (_, read) = format_of(
        filepath, {**WEIGHTS_ENDINGS, ".keras": (None, keras_file.read_weights)}
    )
    with prefixed(f"model {model.name!r}: "):
        check_built(model, "load into")
    if not path.exists():
        raise FileNotFoundError(f"filepath: expected a file, got {filepath}, which is not there")
    with prefixed(f"{filepath}: "):
        read(path, model, bool(skip_mismatch), bool(by_name))
