"""Which data float32 cannot hold well enough to learn from."""

import numpy as np

ROUNDING = 2.0**-24  # the largest error of a float32, relative to the number
SHARE = 1e-4  # of the span of a column, which an error may be
SMALL = 16_384  # values of X, of which float64 costs little


def is_small(X):
    """Whether X has so few values that float64 costs little.

    Parameters
    ----------
    X : array or sparse matrix, shape (N, F)
    """
    return X.dtype == np.float64 and X.shape[0] * X.shape[1] <= SMALL


def is_lost_in_float32(X):
    """Whether float32 would round away what varies in a column.

    Parameters
    ----------
    X : array or sparse matrix, shape (N, F)

    Returns
    -------
    bool
    """
    if X.dtype != np.float64:
        return False
    least, most = X.min(axis=0), X.max(axis=0)
    if not isinstance(least, np.ndarray):  # of a sparse matrix
        least, most = least.toarray(), most.toarray()
    largest, span = np.maximum(np.abs(least), np.abs(most)), most / 2 - least / 2
    varies, limits = span > 0, np.finfo(np.float32)
    fits = (largest * ROUNDING <= 2 * SHARE * span) & (largest <= limits.max)
    return bool((varies & ~(fits & (span * SHARE >= limits.tiny))).any())
