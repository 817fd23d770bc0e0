"""The data of a batch as one object: x alone, (x, y) or (x, y, sample_weight)."""


def unpack_x_y_sample_weight(data):
    """(x, y, sample_weight) of a tuple of one to three, or of x alone; what is missing is None.

    Parameters
    ----------
    data : tuple or list, or x itself

    Returns
    -------
    tuple of three

    Examples
    --------
    >>> from nnlite import utils
    >>> utils.unpack_x_y_sample_weight(([1.0], [2]))
    ([1.0], [2], None)
    """
    if not isinstance(data, (tuple, list)):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(f"expected (x,), (x, y) or (x, y, sample_weight), got {len(data)} entries")
    return (*data, None, None)[:3]


def pack_x_y_sample_weight(x, y=None, sample_weight=None):
    """The data of a batch as `train_step` gets them.

    Parameters
    ----------
    x : tensor, or list or dict of them
    y, sample_weight : tensor, or list or dict of them, optional

    Returns
    -------
    tuple, or x itself
        (x, y) or (x, y, sample_weight). Without y it is x, if that is neither a list nor a tuple,
        which would be taken for the whole: then (x,).

    Examples
    --------
    >>> from nnlite import utils
    >>> utils.pack_x_y_sample_weight(1.0), utils.pack_x_y_sample_weight(1.0, 2)
    (1.0, (1.0, 2))
    """
    if sample_weight is not None:
        return x, y, sample_weight
    if y is not None:
        return x, y
    return (x,) if isinstance(x, (list, tuple)) else x
