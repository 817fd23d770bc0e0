"""The next year of sunspots from the eleven years before, a window that slides over 230 years.

    NNLITE_DATA=... python examples/forecast.py

reads monthly-sunspots.csv.gz from the folder tabular in there.
"""

import csv
import gzip
import os
import sys
from pathlib import Path

import numpy as np

import nnlite as keras
from nnlite import layers

PAST, AHEAD = 132, 12  # months
file = Path(os.environ.get("NNLITE_DATA", ""), "tabular", "monthly-sunspots.csv.gz")
try:
    months = list(csv.reader(gzip.decompress(file.read_bytes()).decode().splitlines()))[1:]
except FileNotFoundError:
    sys.exit(f"There is no {file}: set NNLITE_DATA to a folder with it in its folder tabular.")
spots = np.array([month[1] for month in months], "float32")
cut = len(spots) * 4 // 5
mean, spread = spots[:cut].mean(), spots[:cut].std()
scaled = (spots - mean) / spread


def windows(first, last):
    """Batches of (past, next year) whose next year lies within these months."""
    return keras.utils.timeseries_dataset_from_array(
        scaled[first - PAST : last, None],
        np.lib.stride_tricks.sliding_window_view(scaled[first:last], AHEAD),
        sequence_length=PAST, batch_size=32, shuffle=last == cut, seed=0)


keras.utils.set_random_seed(0)
model = keras.Sequential([layers.GRU(32), layers.Dense(AHEAD)])
model.compile(keras.optimizers.Adam(0.002), "mae")
model.fit(windows(PAST, cut), epochs=10)

years = np.lib.stride_tricks.sliding_window_view(spots[cut:], AHEAD)
found = model.predict(windows(cut, len(spots)), verbose=0) * spread + mean
before = np.lib.stride_tricks.sliding_window_view(spots[cut - AHEAD : -AHEAD], AHEAD)
print(f"{len(spots)} months, {months[0][0]} to {months[-1][0]}; the last fifth is the test")
print(f"mean error of the network: {np.abs(found - years).mean():.1f} spots")
print(f"of the same month a year before: {np.abs(before - years).mean():.1f}")
