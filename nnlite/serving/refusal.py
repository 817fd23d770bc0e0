"""What a request is told that cannot be answered."""

import reprlib


class Refused(Exception):
    """A request that is answered by an error.

    Parameters
    ----------
    status : int
        Of HTTP.
    message : str
    headers : tuple of (bytes, bytes), optional
        Of the answer.
    """

    def __init__(self, status, message, headers=()):
        super().__init__(message)
        self.status, self.headers = status, headers


def shown(value):
    """A JSON value for a message: of long or deep ones the beginning.

    Parameters
    ----------
    value : anything that JSON holds
    """
    return reprlib.repr(value)
