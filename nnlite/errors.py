"""Errors that say what they are about: more words for the message of what is raised in a block, and
the name that was perhaps meant."""


class reworded:
    """Give the errors that are raised in a `with` block another message.

    Parameters
    ----------
    reword : function of str
        Takes the message and returns the new one. It is called only if there is an error.
    kinds : class or tuple of classes, default (TypeError, ValueError)
        The errors that are reworded; all others pass unchanged.

    Examples
    --------
    >>> with reworded(lambda message: f"{message}; give a number"):
    ...     float("one")
    Traceback (most recent call last):
    ValueError: could not convert string to float: 'one'; give a number
    """

    def __init__(self, reword, kinds=(TypeError, ValueError)):
        self.reword, self.kinds = reword, kinds

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, self.kinds):
            error.args = (self.reword(str(error)),)


def prefixed(prefix, kinds=(TypeError, ValueError)):
    """Begin the message of each error that is raised in a `with` block with a prefix.

    Parameters
    ----------
    prefix : str
    kinds : class or tuple of classes, default (TypeError, ValueError)
        The errors that get the prefix; all others pass unchanged.

    Examples
    --------
    >>> with prefixed("units: "):
    ...     float("one")
    Traceback (most recent call last):
    ValueError: units: could not convert string to float: 'one'
    """
    return reworded(lambda message: f"{prefix}{message}", kinds)


def did_you_mean(name, known):
    """The words '; did you mean ...?' with the known names most like an unknown one.

    Parameters
    ----------
    name : object
        What was given; only a string is like a name.
    known : iterable of str

    Returns
    -------
    str
        Empty if no known name is like it.

    Examples
    --------
    >>> did_you_mean("Adm", ["adam", "sgd"])
    "; did you mean 'adam'?"
    """
    import difflib

    by_lower = {str(k).lower(): str(k) for k in known}
    like = difflib.get_close_matches(str(name).lower(), by_lower, n=2)
    return f"; did you mean {' or '.join(repr(by_lower[k]) for k in like)}?" if like else ""
