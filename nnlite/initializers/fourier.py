"""STFT: kernels whose convolution is a short-time Fourier transform."""

import numpy as np

from nnlite import ops
from nnlite.initializers.initializer import Initializer


def _check_window(*given):
    """As of `ops.stft`, whose file is imported when the first window is given."""
    return ops.short_time_fourier.check_window(*given)


class STFT(Initializer):
    """The kernel of a convolution that gives one part of a short-time Fourier transform.

    Parameters
    ----------
    side : {'real', 'imag'}, default 'real'
        Which part.
    window : str, array or None, default 'hann'
        As of `ops.stft`.
    scaling : {'density', 'spectrum'}, optional
        What the window is divided by: the root of the sum of its squares, or the sum of its
        absolute values.
    periodic : bool, default False
        Whether the window is that of a period, which a copy follows; else it is symmetric.

    Notes
    -----
    Of a shape (T, 1, F): a window of T samples, and the first F of 2 (F - 1) frequencies.

    Examples
    --------
    >>> from nnlite import initializers
    >>> initializers.STFT("real", None)((2, 1, 2)).numpy()[:, 0]
    array([[ 1.,  1.],
           [ 1., -1.]], dtype=float32)
    """

    _legal = {
        "side": ("real", "imag"),
        "window": _check_window,
        "scaling": ("density", "spectrum", None),
        "periodic": "bool",
    }

    def __init__(self, side="real", window="hann", scaling="density", periodic=False):
        self.side, self.window, self.scaling, self.periodic = side, window, scaling, periodic
        self._check_given()

    def values(self, shape, rng):
        if len(shape) != 3 or shape[1] != 1:
            raise ValueError(f"STFT: expected a weight of shape (T, 1, F), got shape {shape}")
        length, _, count = shape
        size = max(2 * (count - 1), 1)
        cosine, sine = ops.fourier.circle(
            np.outer(np.arange(length), np.arange(count)) % size / size
        )
        kernel = cosine if self.side == "real" else -sine
        if self.window is not None:
            window = ops.short_time_fourier.window_of(self.window, length, self.periodic)
            if not window.any():
                raise ValueError(
                    f"STFT: window: expected values of which not all are 0, got {self.window!r} of "
                    f"length {length}"
                )
            norms = {"density": np.linalg.norm(window), "spectrum": np.abs(window).sum()}
            kernel = kernel * (window / norms.get(self.scaling, 1.0))[:, None]
        return kernel[:, None]
