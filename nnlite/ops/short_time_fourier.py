"""Short-time Fourier transforms: of windows that slide over a signal.

The one idea: windows are rows of the signal, whose axis comes first, by their numbers; what adds
them up again is the gradient of that."""

import numpy as np

from nnlite.checks import check_size, positive_int
from nnlite.ops.axes import pad
from nnlite.ops.elementwise import divide, multiply
from nnlite.ops.fourier import irfft, rfft
from nnlite.ops.operands import operands
from nnlite.ops.places import segment_sum
from nnlite.ops.rows import take
from nnlite.ops.shape import moveaxis, reshape

# Of windows, the factors of their cosines, with alternating signs. F. J. Harris: "On the use of
# windows for harmonic analysis with the discrete Fourier transform", Proc. IEEE 66, 1978.
_COSINES = {
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}
# Of other windows, the values by the distance from the middle, which is 1 at the ends.
_BY_DISTANCE = {
    "bartlett": lambda d: 1 - d,
    "barthann": lambda d: 0.62 - 0.24 * d + 0.38 * np.cos(np.pi * d),
    "bohman": lambda d: (1 - d) * np.cos(np.pi * d) + np.sin(np.pi * d) / np.pi,
    "lanczos": np.sinc,
    "tukey": lambda d: 0.5 + 0.5 * np.cos(2 * np.pi * np.maximum(d - 0.5, 0)),
}
_NAMES = (*_COSINES, *_BY_DISTANCE)


def check_window(name, value):
    """Raise a ValueError unless a setting is a window: a name, an array of its values or None."""
    if isinstance(value, str):
        if value not in _NAMES:
            known = ", ".join(map(repr, _NAMES))
            raise ValueError(f"{name}: expected {known}, an array or None, got {value!r}")
    elif value is not None:
        try:
            found = np.asarray(value, np.float64)
        except (TypeError, ValueError):
            found = np.asarray(np.nan)
        if found.ndim != 1 or not np.isfinite(found).all():
            raise ValueError(
                f"{name}: expected a name, an array of one axis or None, got {value!r}"
            )


def window_of(window, length, periodic=True):
    """The values of a window, in float64.

    Parameters
    ----------
    window : str, array of shape (length,) or None
        None is a window of ones.
    length : int
    periodic : bool, default True
        Whether the values are those of a period, which a copy follows; else they are symmetric.
    """
    check_window("window", window)
    if window is None or isinstance(window, str):
        turn = np.arange(length) / max(length if periodic else length - 1, 1)
        name = "boxcar" if window is None or length == 1 else window
        if name in _BY_DISTANCE:
            return _BY_DISTANCE[name](abs(2 * turn - 1))
        factors = enumerate(_COSINES[name])
        return sum((-1) ** k * a * np.cos(2 * np.pi * k * turn) for k, a in factors)
    found = np.asarray(window, np.float64)
    if found.shape != (length,):
        raise ValueError(f"window: expected an array of shape {(length,)}, got shape {found.shape}")
    return found


def _places(count, length, stride):
    """The places of the entries of `count` windows, (count, length)."""
    return np.add.outer(np.arange(count) * stride, np.arange(length))


def extract_sequences(x, sequence_length, sequence_stride):
    """The windows that slide over the last axis.

    Parameters
    ----------
    x : tensor, shape (..., n)
    sequence_length : int
        Of a window; at most n.
    sequence_stride : int
        Distance of neighbouring windows.

    Returns
    -------
    Tensor, shape (..., windows, sequence_length)
        There are 1 + (n - sequence_length) // sequence_stride windows.

    Examples
    --------
    >>> from nnlite import ops
    >>> ops.extract_sequences([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3, 2).numpy()
    array([[1., 2., 3.],
           [3., 4., 5.]], dtype=float32)
    """
    (x,) = operands(x)
    length = positive_int("sequence_length", sequence_length)
    stride = positive_int("sequence_stride", sequence_stride)
    if not x.shape or x.shape[-1] < length:
        raise ValueError(
            f"x: expected at least {length} entries on the last axis, got shape {x.shape}"
        )
    places = _places(1 + (x.shape[-1] - length) // stride, length, stride)
    rows = take(moveaxis(x, -1, 0), places, axis=0)
    return moveaxis(moveaxis(rows, 0, -1), 0, -1)


def _added_up(windows, stride):
    """The sum of windows (..., windows, length), each at its place."""
    *lead, count, length = windows.shape
    rows = moveaxis(reshape(windows, (*lead, count * length)), -1, 0)
    places = _places(count, length, stride)
    return moveaxis(segment_sum(rows, places.ravel(), (count - 1) * stride + length), 0, -1)


def _centered(window, sequence_length, fft_length):
    """A window in the middle of `fft_length` entries, of which the others are 0."""
    length = positive_int("sequence_length", sequence_length)
    size = positive_int("fft_length", fft_length)
    if size < length:
        raise ValueError(
            f"fft_length: expected at least {length}, the sequence_length, got {fft_length!r}"
        )
    if window is None:
        return np.ones(size)
    before = (size - length) // 2
    return np.pad(window_of(window, length), (before, size - length - before))


def stft(x, sequence_length, sequence_stride, fft_length, window="hann", center=True):
    """The Fourier transforms of windows that slide over the last axis.

    Parameters
    ----------
    x : tensor, shape (..., n)
    sequence_length : int
        The length of the window.
    sequence_stride : int
        Distance of neighbouring windows.
    fft_length : int
        To which windows are filled up with zeros, half of them before; at least `sequence_length`.
    window : str, array of shape (sequence_length,) or None, default 'hann'
        What each piece is multiplied by: 'hann', 'hamming', 'blackman', 'nuttall',
        'blackmanharris', 'flattop', 'bartlett', 'barthann', 'bohman', 'lanczos', 'tukey', 'boxcar',
        all as SciPy has them, or values. None: nothing, all `fft_length` entries count.
    center : bool, default True
        Whether the middle of window t is at t * sequence_stride: half of `fft_length` entries are
        put before and after, by reflection.

    Returns
    -------
    (Tensor, Tensor), shape (..., windows, fft_length // 2 + 1)
        The real and the imaginary parts.

    Examples
    --------
    >>> from nnlite import ops
    >>> real, imag = ops.stft(ops.ones((2, 100)), 16, 8, 16)
    >>> real.shape
    (2, 13, 9)
    """
    (x,) = operands(x)
    values, size = _centered(window, sequence_length, fft_length), int(fft_length)
    if center:
        half = size // 2
        if not x.shape or x.shape[-1] <= half:
            raise ValueError(
                f"x: expected more than {half} entries on the last axis, half of fft_length, got "
                f"shape {x.shape}"
            )
        x = pad(x, [(0, 0)] * (x.ndim - 1) + [(half, half)], mode="reflect")
    return rfft(multiply(extract_sequences(x, size, sequence_stride), values))


def istft(x, sequence_length, sequence_stride, fft_length, length=None, window="hann", center=True):
    """The inverse of `stft`: a signal of the transforms of its windows.

    D. Griffin, J. Lim: "Signal estimation from modified short-time Fourier transform", IEEE
    Transactions on Acoustics, Speech and Signal Processing 32, 1984.

    Parameters
    ----------
    x : (tensor, tensor), shape (..., windows, fft_length // 2 + 1)
        The real and the imaginary parts.
    sequence_length, sequence_stride, fft_length, window, center
        As of `stft`.
    length : int, optional
        Of the result; by default what the windows cover, without the halves of `center`.

    Returns
    -------
    Tensor, shape (..., length)
        Where no window counts, 0.

    Examples
    --------
    >>> from nnlite import ops
    >>> x = ops.stft([1.0, 2.0, 3.0, 4.0, 5.0], 4, 1, 4)
    >>> ops.istft(x, 4, 1, 4).numpy().round(3)
    array([1., 2., 3., 4., 5.], dtype=float32)
    """
    values, size = _centered(window, sequence_length, fft_length), int(fft_length)
    stride = positive_int("sequence_stride", sequence_stride)
    windows = irfft(x, size)
    if windows.ndim < 2:
        raise ValueError(f"x: expected at least 2 axes, got shape {x[0].shape}")
    total = _added_up(multiply(windows, values), stride)
    places, squares = _places(windows.shape[-2], size, stride), values**2
    weight = np.bincount(places.ravel(), np.tile(squares, len(places)), total.shape[-1])
    first = size // 2 if center else 0
    last = total.shape[-1] - first if length is None else first + check_size("length", length)
    y = divide(total, np.where(weight > 1e-10, weight, np.inf))[..., first:last]
    missing = 0 if length is None else last - first - y.shape[-1]
    return pad(y, [(0, 0)] * (y.ndim - 1) + [(0, missing)]) if missing > 0 else y
