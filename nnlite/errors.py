"""Errors whose messages say where they come from."""

import contextlib


@contextlib.contextmanager
def prefixed(prefix):
    """Put `prefix` before the message of a ValueError or TypeError that leaves the block."""
    try:
        yield
    except (ValueError, TypeError) as error:
        error.args = (f"{prefix}{error}",)
        raise
