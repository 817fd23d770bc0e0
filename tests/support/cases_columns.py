"""Cases of layers of tables, as in `cases_layers.py`, and what they refuse."""

import numpy as np

from nnlite import layers
from nnlite.layers import Dense

# Two columns of numbers with gaps among them, and categories: 2, 3, 1, 12 and 10 of them.
TABLE = np.array(
    [
        [1.5, 1, 3, np.nan, 1, 12, 10],
        [np.nan, 2, 1, 0.5, 0, 0, 0],
        [-2.0, 0, 0, 2.5, 1, 3, 7],
        [0.25, 1, 2, -1, 1, 1, 1],
    ]
)
PAIR = np.array([0.0, 1.0, -1.0])


def limited(x):
    """What `InputScaling` makes of standardised numbers."""
    return x / np.sqrt(1 + (x / 8) ** 2)


def encoded(x):
    """What `TableEncoding` makes of the first five columns of `TABLE`, with 7 for a gap of the
    fourth."""
    numbers = np.c_[np.nan_to_num(x[:, 0]), np.nan_to_num(x[:, 3], nan=7.0)]
    one_hot = np.c_[x[:, 2:3] == [1, 2, 3], x[:, 4] == 1]
    return np.c_[numbers, np.isnan(x[:, 3]), PAIR[x[:, 1].astype(int)], one_hot]


CASES = {
    "InputScaling": (
        lambda: layers.InputScaling(mean=[1.0, 2.0, 3.0], variance=4.0),
        (4, 5, 3),
        lambda x, w: limited((x - [1, 2, 3]) / 2),
    ),
    "InputScaling beside categories": (
        lambda: layers.InputScaling(mean=[1.0, 2.0, 0.0], variance=1.0, categories=[2]),
        (4, 3),
        lambda x, w: np.c_[limited(x[:, :2] - [1, 2]), x[:, 2:]],
    ),
    "TableEncoding": (
        lambda: layers.TableEncoding([0, 2, 3, 0, 1], gaps=[3], centers=[0, 0, 0, 7.0, 0]),
        TABLE[:, :5],
        lambda x, w: encoded(x),
    ),
    "TableEncoding of many categories": (
        lambda: layers.TableEncoding([0, 2, 3, 0, 1, 12, 10], gaps=[3], embedding_dim=4),
        TABLE,
        lambda x, w: np.c_[
            np.where(encoded(x) == 7, 0, encoded(x)),
            w[0][x[:, 5].astype(int)],
            w[0][13 + x[:, 6].astype(int)],
        ],
    ),
    "TableEncoding with an encoding": (
        lambda: layers.TableEncoding([0, 2, 0], encoding=Dense(3)),
        TABLE[:, [0, 1, 3]],
        lambda x, w: np.c_[np.nan_to_num(x[:, [0, 2]]) @ w[0] + w[1], PAIR[x[:, 1].astype(int)]],
    ),
}

SHAPES = {
    "InputScaling": [
        (lambda: layers.InputScaling(), None, (3,), r"other axes than the batch, got -1"),
        (lambda: layers.InputScaling(categories=[3]), None, (2, 3), r"categories: .* got \[3\]"),
    ],
    "TableEncoding": [
        (lambda: layers.TableEncoding([0, 2]), None, (2, 3), r"2 columns, .* got shape"),
        (lambda: layers.TableEncoding([0]), None, (3, 1, 1), r"of shape \(N, columns\), got shape"),
    ],
}

SETTINGS = [
    (lambda: layers.TableEncoding([]), r"sizes: expected one for each column, got none"),
    (lambda: layers.TableEncoding([0, -1]), r"sizes: expected .*, got \[0, -1\]"),
    (lambda: layers.TableEncoding([0, 2], [1]), r"gaps: .*, those with 0 in sizes=\[0, 2\], got"),
    (lambda: layers.TableEncoding([0, 2], (), [1.0]), r"centers: .* as in sizes=\[0, 2\], got"),
    (lambda: layers.TableEncoding([0], encoding=3), r"encoding: expected a layer or None, got 3"),
]
