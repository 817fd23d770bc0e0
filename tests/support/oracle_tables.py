"""The op that encodes numbers of tables in plain NumPy, as in `oracle.py`."""

import numpy as np


def piecewise_linear_encoding(x, lower, scale, bins, keep):
    """The part of each bin that lies below x; none of it for NaN."""
    through = (np.repeat(x, bins, axis=-1) - lower) * scale
    through = np.where(np.isnan(through), 0, np.clip(through, 0, 1))
    return np.concatenate([x, through], axis=-1) if keep else through


ORACLE = {"piecewise_linear_encoding": lambda x, a: [piecewise_linear_encoding(*x, **a)]}
