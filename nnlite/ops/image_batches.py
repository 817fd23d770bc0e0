"""What functions of images take: a batch or one image, the channels last or first."""

from nnlite.checks import check_choice
from nnlite.ops.operands import operands
from nnlite.ops.shape import reshape, transpose


def as_batch(images, data_format=None):
    """Images as a Tensor (N, H, W, C), and a function that gives such a Tensor the order of axes of
    the images.

    Parameters
    ----------
    images : tensor, shape (N, H, W, C) or (H, W, C)
    data_format : {'channels_last', 'channels_first'}, optional
        (N, C, H, W) or (C, H, W) for 'channels_first'.

    Raises
    ------
    ValueError
        For other numbers of axes.
    """
    if data_format is not None:
        check_choice("data_format", data_format, ("channels_last", "channels_first"))
    (x,) = operands(images)
    if x.ndim not in (3, 4):
        raise ValueError(
            "expected images of shape (N, height, width, channels), or one without N, got shape "
            f"{x.shape}"
        )
    single, first = x.ndim == 3, data_format == "channels_first"
    if single:
        x = reshape(x, (1, *x.shape))
    if first:
        x = transpose(x, (0, 2, 3, 1))

    def back(y):
        y = transpose(y, (0, 3, 1, 2)) if first else y
        return reshape(y, y.shape[1:]) if single else y

    return x, back
