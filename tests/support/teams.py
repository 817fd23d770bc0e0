"""What tests of threads share: a fit that is worth several, and teams larger than this machine."""

import contextlib
import hashlib

import threadpoolctl
from sklearn.datasets import load_digits

from nnlite import NNClassifier
from nnlite.engine import _engine
from nnlite.layers import Dense, Dropout


@contextlib.contextmanager
def team_of(threads):
    """A run that is alone may use so many threads, in the calling thread."""
    _engine.simulate_cores(threads)
    try:
        with threadpoolctl.threadpool_limits(threads, user_api="openmp"):
            assert _engine.max_threads() == threads
            yield
    finally:
        _engine.simulate_cores(0)


def digest_of_a_fit(**settings):
    """The predictions, exactly, of an estimator whose steps are worth a second thread."""
    X, y = load_digits(return_X_y=True)
    hidden = [Dense(256, "relu"), Dropout(0.2), Dense(128, "tanh")]
    fitted = NNClassifier(hidden, epochs=2, random_state=0, **settings).fit(X[:600] / 16, y[:600])
    return hashlib.sha256(fitted.predict_proba(X[:600] / 16).tobytes()).hexdigest()
