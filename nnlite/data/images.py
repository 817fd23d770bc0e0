"""Images of files, which Pillow reads and writes, as the arrays that networks take."""

import contextlib
import os

import numpy as np

from nnlite import config
from nnlite.atomic_write import replacing
from nnlite.checks import check_choice
from nnlite.data.resizing import check_size, resized
from nnlite.download import DamagedFile
from nnlite.engine.tensor import REALS
from nnlite.warn import warn

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}  # Pillow's words
PILLOW_INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
DATA_FORMATS = (None, "channels_last", "channels_first")


def pillow():
    """Pillow's module `Image`."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError(
            'images of files need Pillow: pip install "nnlite[images]", or pip install pillow'
        ) from None
    return Image


def load_img(
    path, color_mode="rgb", target_size=None, interpolation="nearest", keep_aspect_ratio=False
):
    """The image of a file.

    A camera notes how it was held (the orientation of EXIF); the image is turned upright, which
    Keras does not do. Of an animation it is the first picture. Transparency is left out where
    `color_mode` has none.

    Parameters
    ----------
    path : path, or file
        A file is open for reading bytes.
    color_mode : {'rgb', 'rgba', 'grayscale'}, default 'rgb'
        Of 16 bits, colours keep the upper 8. 'grayscale' keeps grey levels of 16 or 32 bits as they
        are.
    target_size : (height, width), optional
        By default the size of the image.
    interpolation : str, default 'nearest'
        How the size is changed: 'nearest', 'bilinear', 'bicubic', 'hamming', 'box' or 'lanczos', of
        Pillow. But for the first they blur what they make smaller.
    keep_aspect_ratio : bool, default False
        Whether the middle of the image is cut out first, with the ratio of `target_size`.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    ImportError
        Without Pillow.
    DamagedFile
        An OSError: if the file is no image, damaged, or larger than `PIL.Image.MAX_IMAGE_PIXELS`
        allows.
    ValueError
        For settings out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite.utils import img_to_array, load_img, save_img
    >>> save_img("grey.png", np.full((4, 6, 1), 9.0), scale=False)
    >>> img_to_array(load_img("grey.png", target_size=(2, 2)))[0, 0]
    array([9., 9., 9.], dtype=float32)
    """
    check_choice("color_mode", color_mode, [*MODES])
    check_choice("interpolation", interpolation, PILLOW_INTERPOLATIONS)
    size = None if target_size is None else check_size("target_size", target_size)
    image = _opened(path)
    if color_mode != "grayscale" or not _is_deep(image):
        image = _converted(image, MODES[color_mode])
    if size is None or image.size == size[::-1]:
        return image
    box = _middle(image.size, size) if keep_aspect_ratio else None
    return image.resize(size[::-1], getattr(pillow().Resampling, interpolation.upper()), box=box)


def read_image(path, color_mode, size, interpolation, fit, data_format):
    """The image of a file as an array of one size.

    Parameters
    ----------
    path : path
    color_mode : {'rgb', 'rgba', 'grayscale'}
    size : (height, width)
    interpolation, fit : str
        Of `resized`.
    data_format : {None, 'channels_last', 'channels_first'}

    Returns
    -------
    float32 array, shape (height, width, channels)
        Values in [0, 255].
    """
    image = _converted(_opened(path), MODES[color_mode])
    array = resized(
        np.asarray(image).reshape(image.height, image.width, -1), size, interpolation, fit
    )
    return array.transpose(2, 0, 1) if data_format == "channels_first" else array


def img_to_array(img, data_format=None, dtype=None):
    """The values of an image.

    Parameters
    ----------
    img : PIL.Image.Image, or array-like, shape (height, width) or (height, width, channels)
    data_format : {None, 'channels_last', 'channels_first'}, default None
        None is 'channels_last'.
    dtype : str, optional
        By default `floatx()`.

    Returns
    -------
    array, shape (height, width, channels)
        Or (channels, height, width) with 'channels_first'.

    Raises
    ------
    ValueError
        For other numbers of axes.

    Examples
    --------
    >>> from nnlite.utils import array_to_img, img_to_array
    >>> img_to_array(array_to_img([[[0.0], [1.0]]])).ravel()
    array([  0., 255.], dtype=float32)
    """
    check_choice("data_format", data_format, DATA_FORMATS)
    x = np.asarray(img, dtype=config.floatx() if dtype is None else dtype)
    if x.ndim not in (2, 3):
        raise ValueError(
            "img: expected one image, (height, width) or (height, width, channels), got shape "
            f"{x.shape}"
        )
    x = x[:, :, None] if x.ndim == 2 else x
    return x.transpose(2, 0, 1) if data_format == "channels_first" else x


def array_to_img(x, data_format=None, scale=True, dtype=None):
    """An image of some values.

    Parameters
    ----------
    x : array-like, shape (height, width, channels)
        With 1, 3 or 4 channels.
    data_format : {None, 'channels_last', 'channels_first'}, default None
        None is 'channels_last'.
    scale : bool, default True
        Whether the least value becomes 0 and the largest 255. Without it values are cut to
        integers; grey ones above 255 make an image of 32 bits.
    dtype : {'float32', 'float64'}, default `floatx()`
        In which the values are scaled.

    Returns
    -------
    PIL.Image.Image

    Raises
    ------
    ImportError
        Without Pillow.
    ValueError
        For other shapes, or values that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite.utils import array_to_img
    >>> array_to_img(np.zeros((4, 6, 3))).size
    (6, 4)
    """
    check_choice("data_format", data_format, DATA_FORMATS)
    dtype = config.floatx() if dtype is None else np.dtype(dtype).name
    check_choice("dtype", dtype, REALS)
    x = np.array(x, dtype)
    if x.ndim == 3 and data_format == "channels_first":
        x = x.transpose(1, 2, 0)
    if x.ndim != 3 or x.shape[2] not in (1, 3, 4) or not x.size:
        raise ValueError(
            "x: expected one image, (height, width, channels) with 1, 3 or 4 channels, got shape "
            f"{x.shape}"
        )
    if not np.isfinite(x).all():
        raise ValueError("x: expected finite values, got NaN or infinity")
    if scale:
        x -= x.min()
        x *= 255 / (x.max() or 1)
    if x.shape[2] == 1:
        x = x[:, :, 0]
        return pillow().fromarray(x.astype(np.int32 if x.max() > 255 else np.uint8))
    return pillow().fromarray(x.astype(np.uint8))


def save_img(path, x, data_format=None, file_format=None, scale=True, **kwargs):
    """Write some values as the file of an image, whole or not at all.

    Parameters
    ----------
    path : path, or file
        A file is open for writing bytes.
    x, data_format, scale
        As for `array_to_img`. JPEG has no transparency: the fourth channel is then left out, with a
        warning.
    file_format : str, optional
        Such as 'png'; by default the ending of `path`.
    **kwargs
        Of `PIL.Image.Image.save`, such as `quality`.

    Raises
    ------
    ImportError
        Without Pillow.
    ValueError
        For other shapes or values, or a format that Pillow does not know.
    OSError
        If the file cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from nnlite.utils import load_img, save_img
    >>> save_img("dark.png", np.zeros((4, 6, 3)))
    >>> load_img("dark.png").size
    (6, 4)
    """
    image, is_file = array_to_img(x, data_format, scale), hasattr(path, "write")
    if file_format is None:
        if is_file:
            raise ValueError("file_format: expected it, such as 'png', beside an open file")
        file_format = os.path.splitext(os.fspath(path))[1][1:]
    file_format = {"jpg": "jpeg"}.get(file_format.lower(), file_format.lower())
    pillow().init()  # what knows its formats
    if file_format.upper() not in pillow().SAVE:
        raise ValueError(
            f"file_format: expected a format that Pillow writes, such as 'png' or 'jpeg', got "
            f"{file_format!r}"
        )
    if image.mode == "RGBA" and file_format == "jpeg":
        warn("save_img: JPEG has no transparency; the fourth channel is left out")
        image = image.convert("RGB")
    if is_file:
        image.save(path, file_format, **kwargs)
        return
    with replacing(path, durable=False) as temporary:  # many may follow each other
        image.save(temporary, file_format, **kwargs)


def _opened(path):
    """The image of a file, read as a whole and upright."""
    image_module = pillow()
    from PIL import ImageOps

    try:
        with image_module.open(path) as image:
            image.load()
            with contextlib.suppress(Exception):  # notes that nobody can read turn nothing
                ImageOps.exif_transpose(image, in_place=True)
    except Exception as error:  # a damaged file raises almost anything
        if isinstance(error, MemoryError) or getattr(error, "errno", None) is not None:
            raise  # it is not there, or cannot be read
        name = getattr(path, "name", path)
        if isinstance(error, image_module.UnidentifiedImageError):
            error = "another file"
        raise DamagedFile(f"{name}: expected an image, got {error}") from None
    return image


def _is_deep(image):
    """Whether an image has grey levels of 16 or 32 bits."""
    return image.mode == "I" or image.mode.startswith("I;16")


def _converted(image, mode):
    """An image with Pillow's mode 'L', 'RGB' or 'RGBA', of 8 bits."""
    if _is_deep(image):  # `convert` would make white of all that is above 255
        levels = np.asarray(image).clip(0, 2**16 - 1) >> 8
        image = pillow().fromarray(levels.astype(np.uint8))
    return image if image.mode == mode else image.convert(mode)


def _middle(given, size):
    """The box in the middle of an image that has the ratio of a size."""
    (width, height), (target_height, target_width) = given, size
    high = min(height, width * target_height // target_width)
    wide = min(width, height * target_width // target_height)
    left, top = (width - wide) // 2, (height - high) // 2
    return left, top, left + wide, top + high
