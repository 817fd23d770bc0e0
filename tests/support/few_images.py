"""A small MNIST, with which examples and tutorials run in seconds.

The test of the demo trains on all of it."""

import numpy as np
import pytest


def images():
    """A few hundred images for training and for testing, and their labels."""
    try:
        from nnlite.datasets import mnist

        (x, y), (x_test, y_test) = mnist.load_data()
        return x[:500], y[:500], x_test[:200], y_test[:200]
    except OSError:
        digits = pytest.importorskip("sklearn.datasets").load_digits()
        x = np.kron(digits.images, np.ones((3, 3))).repeat(2, axis=0)[:700] * 255 / 16
        x, y = np.pad(x, ((0, 0), (2, 2), (2, 2))), digits.target.repeat(2)[:700]
        return x[:500], y[:500], x[500:], y[500:]


RUN = """
import runpy, sys
import numpy as np
from nnlite.datasets import mnist
few = np.load(sys.argv[1])
mnist.load_data = lambda: ((few["x"], few["y"]), (few["x_test"], few["y_test"]))
runpy.run_path(sys.argv[2], run_name="__main__")
"""


def save_images(path):
    """Write the small MNIST to a file, which `RUN` reads."""
    x, y, x_test, y_test = images()
    np.savez(path, x=x.astype(np.uint8), y=y, x_test=x_test.astype(np.uint8), y_test=y_test)
    return path
