"""Layers of signals, as in `cases_layers`, and what they refuse, as in `test_layer_refusals`."""

import numpy as np
from cases_calls import extract_sequences, stft, windowed

from nnlite import layers

SIGNALS = (2, 29, 2)


def spectrum(x, fft_length=8, step=4, window=None, length=8):
    """The transforms of windows of (N, T, C), as (N, windows, C, F)."""
    window = np.hanning(length) if window is None else window
    frames = extract_sequences(np.moveaxis(x, 1, -1), length, step)
    y = np.fft.rfft(frames * window / np.linalg.norm(window), fft_length)
    return np.moveaxis(y, 1, 2)


def flat(y):
    return y.reshape(*y.shape[:2], -1)


def magnitude(y):
    return np.sqrt(np.maximum(np.abs(y) ** 2, 1e-7))


def mels(hertz):
    return 2595 * np.log10(1 + hertz / 700)


def bands(count, low, high, rate, size):
    """The triangles of bands, by `numpy.interp`."""
    ends, pitches = (
        np.linspace(mels(low), mels(high), count + 2),
        mels(np.fft.rfftfreq(size, 1 / rate)),
    )
    found = [np.interp(pitches, ends[k : k + 3], [0, 1, 0]) for k in range(count)]
    return np.stack(found, 1) * (pitches > 0)[:, None]


def mel(x, decibels=True):
    """Of 5 bands from 20 to 4000 hertz, of windows of 16 samples at 8000 a second."""
    real, imag = stft(x, 12, 8, 16)
    y = (real**2 + imag**2) @ bands(5, 20, 4000, 8000, 16)
    y = np.swapaxes(y, -1, -2)
    if not decibels:
        return y
    y = 10 * np.log10(np.maximum(y, 1e-10) / 2)
    return np.maximum(y, y.max((-2, -1), keepdims=True) - 6)


def spectrogram(mode, **options):
    return lambda: layers.STFTSpectrogram(mode, frame_length=8, **options)


MEL = dict(fft_length=16, sequence_stride=8, sampling_rate=8000, num_mel_bins=5)
CASES = {
    "STFTSpectrogram": (
        spectrogram("magnitude"),
        SIGNALS,
        lambda x, w: flat(magnitude(spectrum(x))),
    ),
    "STFTSpectrogram of decibels": (
        spectrogram("log", fft_length=10, frame_step=7, expand_dims=True),
        (2, 29, 1),
        lambda x, w: np.log(magnitude(np.moveaxis(spectrum(x, 10, 7), 2, -1))),
    ),
    "STFTSpectrogram of power": (
        spectrogram("psd", padding="same", data_format="channels_first"),
        (2, 2, 16),
        lambda x, w: np.moveaxis(
            flat(
                np.abs(spectrum(np.pad(np.moveaxis(x, 1, -1), ((0, 0), (2, 2), (0, 0))))) ** 2
                * [1, 2, 2, 2, 1]
            ),
            1,
            -1,
        ),
    ),
    "STFTSpectrogram of parts": (
        spectrogram("stft", window=[1, 2, 3, 4, 5, 6, 7, 8]),
        SIGNALS,
        lambda x, w: flat(
            np.concatenate(
                [part(spectrum(x, window=np.arange(1.0, 9.0))) for part in (np.real, np.imag)], -1
            )
        ),
    ),
    "STFTSpectrogram of angles": (
        spectrogram("angle", window="hamming", periodic=True),
        np.random.default_rng(0).uniform(1, 2, (2, 12, 1)),  # a positive mean has the angle 0
        lambda x, w: np.angle(flat(spectrum(x, window=windowed(8, 8, "hamming")))),
    ),
    "MelSpectrogram": (
        lambda: layers.MelSpectrogram(sequence_length=12, ref_power=2.0, top_db=6.0, **MEL),
        (2, 40),
        lambda x, w: mel(x),
    ),
    "MelSpectrogram of magnitudes": (
        lambda: layers.MelSpectrogram(sequence_length=12, power_to_db=False, **MEL),
        (2, 40),
        lambda x, w: mel(x, decibels=False),
    ),
}

SHAPES = {
    "STFTSpectrogram": [
        (
            spectrogram("log"),
            None,
            (2, 29),
            r"sequences of shape \(N, steps, channels\), got shape",
        ),
        (spectrogram("log"), None, (2, 7, 1), r"at least 8 steps .* got shape \(2, 7, 1\)"),
    ],
    "MelSpectrogram": [
        (lambda: layers.MelSpectrogram(**MEL), None, SIGNALS, r"signals of shape .*, got shape"),
        (lambda: layers.MelSpectrogram(**MEL), None, (2, 8), r"more than 8 entries .* \(2, 8\)"),
    ],
}
SETTINGS = [
    (lambda: layers.STFTSpectrogram("power"), r"mode: expected .* got 'power'"),
    (
        lambda: layers.STFTSpectrogram(window="hanning"),
        r"window: expected 'boxcar', 'hann'.*hanning",
    ),
    (
        lambda: layers.STFTSpectrogram(frame_step=300),
        r"frame_step: expected at most frame_length, 256",
    ),
    (
        lambda: layers.STFTSpectrogram(fft_length=8),
        r"fft_length: expected at least frame_length, 256",
    ),
    (
        lambda: layers.MelSpectrogram(sequence_length=4096),
        r"sequence_length: expected at most fft_l",
    ),
    (
        lambda: layers.MelSpectrogram(min_freq=9000),
        r"min_freq: expected less than 8000, .* got 9000",
    ),
    (
        lambda: layers.MelSpectrogram(num_mel_bins=0),
        r"num_mel_bins: expected a positive integer, got 0",
    ),
]
