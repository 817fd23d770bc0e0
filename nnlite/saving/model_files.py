"""Models as files, in the format that the name of the file says."""

from nnlite.atomic_write import replacing
from nnlite.errors import prefixed
from nnlite.registry import custom_object_scope
from nnlite.saving import keras_file, legacy_h5, safetensors, tfjs_file
from nnlite.saving.paths import check_there, format_of, refuse_older
from nnlite.saving.weights_files import WEIGHTS_ENDINGS

MODEL_ENDINGS = {
    ".keras": keras_file,
    ".h5": legacy_h5,
    ".hdf5": legacy_h5,
    ".safetensors": safetensors,
}
_READERS = {**MODEL_ENDINGS, ".json": tfjs_file}
OF_WEIGHTS_ALONE = tuple(ending for ending in WEIGHTS_ENDINGS if ending not in MODEL_ENDINGS)


_SAVE_FORMATS = ("keras", "h5")  # Keras's words for formats


def save_model(model, filepath, overwrite=True, include_optimizer=True, save_format=None):
    """Write a model: what it is made of, its weights, how it was compiled, and its optimizer.

    Parameters
    ----------
    model : Model
        Built. Of one without weights, a file '.keras' says what it is made of, with a warning, and
        a model without weights is loaded again.
    filepath : str or path
        Its ending says the format: '.keras', '.h5' or '.hdf5' as in Keras 2, or '.safetensors',
        which needs no package.
    overwrite : bool, default True
        Whether a file of this name may be replaced.
    include_optimizer : bool, default True
        Whether the state of the optimizer is written, too.
    save_format : {'keras', 'h5'}, optional
        Accepted for Keras's signature: it must be what the ending says.

    Raises
    ------
    FileExistsError
        If there is such a file and it must not be replaced.
    ImportError
        If the format needs a package that is not installed.
    TypeError
        If something of the model cannot be described as data, such as a lambda.
    ValueError
        If the model is not built (but for '.keras'), no format has the ending, or `save_format` is
        another one.

    Examples
    --------
    >>> import nnlite
    >>> model = nnlite.Sequential([nnlite.layers.Dense(2, input_shape=(3,))])
    >>> nnlite.saving.save_model(model, "model.keras")
    >>> again = nnlite.saving.load_model("model.keras")
    >>> bool((again(nnlite.ones((1, 3))).numpy() == model(nnlite.ones((1, 3))).numpy()).all())
    True
    """
    path, file_format = format_of(filepath, MODEL_ENDINGS)
    if path.name.endswith(OF_WEIGHTS_ALONE):
        raise ValueError(
            f"filepath: expected a name of a whole model, got {filepath}: save_weights writes it"
        )
    if save_format is not None:
        _check_format(save_format, path, file_format)
    refuse_older(path, overwrite)
    with replacing(path) as temporary, prefixed(f"model {model.name!r}: "):
        file_format.write(temporary, model, include_optimizer)


def _check_format(save_format, path, file_format):
    """Raise a ValueError if a format is not that of the file's ending."""
    if save_format not in _SAVE_FORMATS:
        raise ValueError(
            f"save_format: expected {' or '.join(map(repr, _SAVE_FORMATS))}, got {save_format!r}"
        )
    if MODEL_ENDINGS[f".{save_format}"] is not file_format:
        raise ValueError(
            f"save_format: expected what the ending of {path.name!r} says, got {save_format!r}"
        )


def load_model(filepath, custom_objects=None, compile=True, safe_mode=True):
    """Read a model that nnlite or Keras wrote, or a converter for TensorFlow.js.

    Parameters
    ----------
    filepath : str or path
        '.keras', '.h5', '.hdf5' or '.safetensors'; of a layers-model of TensorFlow.js its
        'model.json'.
    custom_objects : dict of str to class or function, optional
        Classes and functions of one's own by name.
    compile : bool, default True
        Whether to compile it as it was, with the state of its optimizer.
    safe_mode : bool, default True
        Accepted for Keras's signature: code in a file is refused, whatever it says.

    Returns
    -------
    Model

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If the format needs a package that is not installed.
    ValueError
        If the file is not whole, or describes no model that nnlite can make.
    """
    path, file_format = format_of(filepath, _READERS)
    check_there(path)
    with custom_object_scope(custom_objects), prefixed(f"{filepath}: "):
        return file_format.read(path, compile)
