"""Weights as files, in the format that the name of the file says."""

from nnlite.atomic_write import replacing
from nnlite.errors import prefixed
from nnlite.saving import (
    keras_file,
    legacy_h5,
    onnx_file,
    safetensors,
    tfjs_file,
    torch_file,
    torch_weights,
    weights_h5,
)
from nnlite.saving.description import check_built
from nnlite.saving.paths import check_there, format_of, refuse_older

# What writes weights alone, and what reads them, by the ending of the name.
WEIGHTS_ENDINGS = {
    ".weights.h5": (weights_h5.write, weights_h5.read),
    ".h5": (legacy_h5.write_weights, weights_h5.read),
    ".hdf5": (legacy_h5.write_weights, weights_h5.read),
    ".safetensors": (safetensors.write_weights, safetensors.read_weights),
}
# What reads the arrays of files that others write, by name.
_ARRAYS = {
    ".safetensors": safetensors.read_arrays,
    ".json": tfjs_file.read_arrays,
    ".onnx": onnx_file.read_arrays,
    **dict.fromkeys((".pth", ".pt", ".bin"), torch_file.read_arrays),
}


def _of_torch(read_arrays):
    def read(path, model, skip_mismatch, by_name):
        torch_weights.fill(model, read_arrays(path), skip_mismatch, by_name)

    return read


# What reads weights.
_READERS = {
    **{ending: read for ending, (_, read) in WEIGHTS_ENDINGS.items()},
    ".keras": keras_file.read_weights,
    ".json": tfjs_file.read_weights,
    ".onnx": _of_torch(onnx_file.read_modules),
    **dict.fromkeys((".pth", ".pt", ".bin"), _of_torch(torch_file.read_arrays)),
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
    """Read weights into a model, of a file that nnlite, Keras or PyTorch wrote.

    Layers get what layers of the same place had; those without weights do not count. If the file
    holds the state of an optimizer and that of the model is built, it gets that, too.

    Parameters
    ----------
    model : Model
        Built.
    filepath : str or path
        Of weights alone ('.weights.h5', '.h5', '.hdf5', '.safetensors') or of a whole model
        ('.keras', '.h5', '.safetensors'); a state_dict of PyTorch ('.pth', '.pt', '.bin',
        '.safetensors'); a layers-model of TensorFlow.js ('model.json', with its shards beside it);
        '.onnx'.
    skip_mismatch : bool, default False
        Whether layers that do not fit are left as they are, with a warning.
    by_name : bool, default False
        Whether layers get what stands under their names instead, and those without such a name
        stay as they are. Of files '.h5' and '.hdf5', and of PyTorch, where a layer 'layer1_conv' is
        the module 'layer1.conv'.

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
    path, read = format_of(filepath, _READERS)
    with prefixed(f"model {model.name!r}: "):
        check_built(model, "load into")
    check_there(path)
    with prefixed(f"{filepath}: "):
        read(path, model, bool(skip_mismatch), bool(by_name))


def load_arrays(filepath):
    """The arrays in a file of weights that others wrote, by their names there.

    Parameters
    ----------
    filepath : str or path
        A state_dict of PyTorch ('.pth', '.pt', '.bin'), '.safetensors', a layers-model of
        TensorFlow.js ('model.json') or '.onnx'. Nothing in it is run.

    Returns
    -------
    dict of str to array
        As they stand in the file: PyTorch's kernels have the channels of the result first.
        bfloat16 becomes float32.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If no format has the ending, or the file is not whole.

    Examples
    --------
    >>> import nnlite
    >>> model = nnlite.Sequential([nnlite.layers.Dense(2, input_shape=(3,))])
    >>> model.save("model.safetensors")
    >>> [(name, a.shape) for name, a in nnlite.saving.load_arrays("model.safetensors").items()]
    [('layers.dense.vars.0', (3, 2)), ('layers.dense.vars.1', (2,))]
    """
    path, read = format_of(filepath, _ARRAYS)
    check_there(path)
    with prefixed(f"{filepath}: "):
        return read(path)
