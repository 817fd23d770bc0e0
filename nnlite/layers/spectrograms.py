"""Layers of signals: how much of each frequency is in them, over time."""

import math

import numpy as np

from nnlite import config, initializers, ops
from nnlite.checks import positive_int
from nnlite.layers import settings
from nnlite.layers.layer import Layer
from nnlite.layers.spatial import Sequences, SpatialLayer
from nnlite.ops.short_time_fourier import check_window

_AT_LEAST_0, _ABOVE_0 = "[0, inf)", "(0, inf)"


class STFTSpectrogram(Sequences, SpatialLayer):
    """The short-time Fourier transform of signals, as a convolution whose kernels may be trained.

    Parameters
    ----------
    mode : str, default 'log'
        What is made of the real and the imaginary parts of the transform:

        - 'magnitude': its absolute value; 'log': the logarithm of that.
        - 'psd': the power of each frequency and of its mirror.
        - 'angle': its angle.
        - 'real', 'imag': one part; 'stft': both, the real ones first.
    frame_length : int, default 256
        L, the length of the window, in samples.
    frame_step : int in [1, frame_length], optional
        Distance of neighbouring windows; by default `frame_length // 2`.
    fft_length : int, optional
        To which a window is filled up with zeros; at least `frame_length`. By default the next
        power of 2.
    window : str, array of shape (frame_length,) or None, default 'hann'
        As of `ops.stft`.
    periodic : bool, default False
        Whether the window is that of a period, which a copy follows; else it is symmetric.
    scaling : {'density', 'spectrum'} or None, default 'density'
        As of `initializers.STFT`.
    padding : {'valid', 'same'}, default 'valid'
        As for `Conv1D`.
    expand_dims : bool, default False
        Whether the frequencies have an axis of their own, so that the result is an image.
    data_format : {'channels_last', 'channels_first'}, optional
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, T, C), output (N, windows, C * F), or with `expand_dims` (N, windows, F, C); of
    channels that come first (N, C * F, windows) or (N, C, windows, F). F is
    `fft_length // 2 + 1`, for 'stft' twice that. Weights: real_kernel and imag_kernel (L, 1, F),
    but for 'imag' and 'real'.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.STFTSpectrogram("psd", frame_length=16, expand_dims=True)
    >>> layer(nnlite.ones((2, 100, 1))).shape
    (2, 11, 9, 1)
    """

    _legal = {
        "mode": ("log", "magnitude", "psd", "real", "imag", "angle", "stft"),
        "frame_length": positive_int,
        "frame_step": positive_int,
        "fft_length": positive_int,
        "window": check_window,
        "periodic": "bool",
        "scaling": ("density", "spectrum", None),
        "padding": settings.padding,
        "expand_dims": "bool",
    }

    def __init__(
        self,
        mode="log",
        frame_length=256,
        frame_step=None,
        fft_length=None,
        window="hann",
        periodic=False,
        scaling="density",
        padding="valid",
        expand_dims=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(data_format, **kwargs)
        self.mode, self.window, self.periodic, self.scaling = mode, window, periodic, scaling
        self.padding, self.expand_dims = padding, expand_dims
        self.frame_length, self.frame_step, self.fft_length = frame_length, frame_step, fft_length
        if frame_step is not None and frame_step > frame_length:
            raise ValueError(
                "STFTSpectrogram: frame_step: expected at most frame_length, "
                f"{frame_length!r}, got {frame_step!r}"
            )
        if fft_length is not None and fft_length < frame_length:
            raise ValueError(
                "STFTSpectrogram: fft_length: expected at least frame_length, "
                f"{frame_length!r}, got {fft_length!r}"
            )

    def build(self, input_shape):
        length = int(self.frame_length)
        size = self.fft_length or 2 ** math.ceil(math.log2(length))
        self._step = int(self.frame_step or max(length // 2, 1))
        self.real_kernel = self.imag_kernel = None
        for side, other in (("real", "imag"), ("imag", "real")):
            if self.mode != other:
                made = initializers.STFT(side, self.window, self.scaling, bool(self.periodic))
                shape = (length, 1, int(size) // 2 + 1)
                setattr(self, f"{side}_kernel", self.add_weight(shape, made, name=f"{side}_kernel"))

    def call(self, inputs):
        first = self.data_format == "channels_first"
        x = inputs if first else ops.moveaxis(inputs, -1, 1)
        signals = ops.reshape(x, (x.shape[0] * x.shape[1], x.shape[2], 1))
        real, imag = (
            kernel is not None and ops.conv(signals, kernel, self._step, self.padding)
            for kernel in (self.real_kernel, self.imag_kernel)
        )
        y = self._of_parts(real, imag)
        y = ops.reshape(y, (*x.shape[:2], *y.shape[1:]))  # (N, C, windows, F)
        if self.expand_dims:
            return y if first else ops.moveaxis(y, 1, -1)
        y = ops.moveaxis(y, 2, -1 if first else 1)
        n, a, b, c = y.shape
        return ops.reshape(y, (n, a * b, c) if first else (n, a, b * c))

    def _of_parts(self, real, imag):
        """What `mode` makes of the parts of the transform."""
        if self.mode in ("real", "imag"):
            return real if self.mode == "real" else imag
        if self.mode == "stft":
            return ops.concatenate([real, imag], axis=-1)
        if self.mode == "angle":
            return ops.arctan2(imag, real)
        power = ops.square(real) + ops.square(imag)
        if self.mode == "psd":
            twice = np.full(power.shape[-1], 2.0)
            twice[[0, -1]] = 1  # they mirror themselves
            return power * twice
        magnitude = ops.sqrt(ops.maximum(power, config.epsilon()))
        if self.mode == "magnitude":
            return magnitude
        return ops.log(ops.maximum(magnitude, config.epsilon()))


class MelSpectrogram(Layer):
    """How loud signals are over time, in bands of pitches as people hear them.

    S. S. Stevens, J. Volkmann, E. B. Newman: "A scale for the measurement of the psychological
    magnitude pitch", Journal of the Acoustical Society of America 8, 1937; the bands are those of
    S. Young et al.: "The HTK book".

    Parameters
    ----------
    fft_length : int, default 2048
        To which windows are filled up with zeros.
    sequence_stride : int, default 512
        Distance of neighbouring windows, in samples.
    sequence_length : int, optional
        The length of the window, at most `fft_length`, which is the default.
    window : str, array of shape (sequence_length,) or None, default 'hann'
        As of `ops.stft`.
    sampling_rate : int, default 16000
        Samples a second.
    num_mel_bins : int, default 128
        M, the number of bands.
    min_freq : float, default 20.0
        Where the first band begins, in hertz.
    max_freq : float, optional
        Where the last band ends; by default half of `sampling_rate`.
    power_to_db : bool, default True
        Whether the result is in decibels.
    top_db : float, default 80.0
        How far below the loudest of a signal the result goes, in decibels.
    mag_exp : float, default 2.0
        The exponent of magnitudes: 1 for magnitudes themselves, 2 for power.
    min_power : float, default 1e-10
        The least power, and the least of `ref_power`.
    ref_power : float, default 1.0
        The power of 0 decibels.
    **kwargs
        Of `Layer`: name, input_shape.

    Notes
    -----
    Input (N, samples) or (samples,), output (N, M, windows) or (M, windows), where the middle of
    window t is at sample t * sequence_stride. The loudest is that of each signal; Keras takes that
    of all signals of a batch.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.MelSpectrogram(256, 128, sampling_rate=8000, num_mel_bins=16)
    >>> layer(nnlite.ones((2, 1000))).shape
    (2, 16, 8)
    """

    _takes = (1, 2, "signals of shape (N, samples) or (samples,)")
    _legal = {
        **dict.fromkeys(("fft_length", "sequence_stride", "sequence_length"), positive_int),
        **dict.fromkeys(("sampling_rate", "num_mel_bins"), positive_int),
        "window": check_window,
        "min_freq": _AT_LEAST_0,
        "max_freq": _ABOVE_0,
        "power_to_db": "bool",
        "top_db": _AT_LEAST_0,
        "mag_exp": _ABOVE_0,
        "min_power": _ABOVE_0,
        "ref_power": "(-inf, inf)",
    }

    def __init__(
        self,
        fft_length=2048,
        sequence_stride=512,
        sequence_length=None,
        window="hann",
        sampling_rate=16000,
        num_mel_bins=128,
        min_freq=20.0,
        max_freq=None,
        power_to_db=True,
        top_db=80.0,
        mag_exp=2.0,
        min_power=1e-10,
        ref_power=1.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.fft_length, self.sequence_stride = fft_length, sequence_stride
        self.sequence_length = sequence_length or fft_length
        self.window, self.sampling_rate, self.num_mel_bins = window, sampling_rate, num_mel_bins
        self.min_freq, self.max_freq = min_freq, max_freq or int(sampling_rate / 2)
        self.power_to_db, self.top_db, self.mag_exp = power_to_db, top_db, mag_exp
        self.min_power, self.ref_power = min_power, ref_power
        if self.sequence_length > fft_length:
            raise ValueError(
                f"MelSpectrogram: sequence_length: expected at most fft_length, {fft_length!r}, "
                f"got {sequence_length!r}"
            )
        if self.min_freq >= self.max_freq:
            raise ValueError(
                f"MelSpectrogram: min_freq: expected less than {self.max_freq!r}, max_freq or half "
                f"of sampling_rate, got {min_freq!r}"
            )

    def call(self, inputs):
        lengths = int(self.sequence_length), int(self.sequence_stride), int(self.fft_length)
        real, imag = ops.stft(inputs, *lengths, window=self.window)
        power = ops.square(real) + ops.square(imag)
        if self.mag_exp != 2:
            power = ops.power(power, self.mag_exp / 2)
        y = ops.swapaxes(ops.matmul(power, self._bands()), -1, -2)
        return self._decibels(y) if self.power_to_db else y

    def _decibels(self, y):
        reference = max(abs(self.ref_power), self.min_power)
        y = 10 * (ops.log10(ops.maximum(y, self.min_power)) - math.log10(reference))
        return ops.maximum(y, ops.max(y, axis=(-2, -1), keepdims=True) - self.top_db)

    def _bands(self):
        """What each band takes of each frequency: a triangle, (frequencies, M)."""
        mels = _mels(np.linspace(0, self.sampling_rate / 2, int(self.fft_length) // 2 + 1))[:, None]
        ends = _mels(np.array([self.min_freq, self.max_freq], float))
        low, middle, high = (
            np.linspace(*ends, int(self.num_mel_bins) + 2)[k : k + int(self.num_mel_bins)]
            for k in range(3)
        )
        bands = np.minimum((mels - low) / (middle - low), (high - mels) / (high - middle))
        bands[0] = 0  # the mean of a signal is no pitch
        return np.maximum(bands, 0)


def _mels(hertz):
    """The pitch of frequencies."""
    return 1127 * np.log1p(hertz / 700)
