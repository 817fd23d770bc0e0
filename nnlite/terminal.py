"""The terminal: the one place that writes to standard output, or to a log in its place.

There may be none (a service, pythonw), it may be closed, or it may know fewer characters than a
text has (ASCII, cp1252). Then the text is plainer, or nobody reads it; work goes on.
"""

import sys

from nnlite import config, lazy

with lazy.imports(__name__):
    import logging

# What the lines of a table become where the output does not know them.
_PLAIN = str.maketrans("━─┃│┏┳┓┡╇┩├┼┤└┴┘\u00a0", "=-||++++++++++++ ")


def write(text, end="\n"):
    """Write a text to standard output at once, as well as the output can show it; or to the logger
    'nnlite' of `logging`, if interactive logging is disabled.

    Parameters
    ----------
    text : str
    end : str, default a new line
        What follows the text.

    Examples
    --------
    >>> from nnlite import terminal
    >>> terminal.write("ready")
    ready
    """
    if not config.is_interactive_logging_enabled():
        logging.getLogger("nnlite").info(text.strip("\r"))
        return
    out = sys.stdout
    if out is None or getattr(out, "closed", False):
        return
    try:
        out.write(text + end)
    except UnicodeEncodeError:
        out.write(plain(text + end, getattr(out, "encoding", None) or "ascii"))
    if hasattr(out, "flush"):
        out.flush()


def plain(text, encoding):
    """A text in the characters of an encoding: lines of tables in ASCII, '?' for what else it
    does not know.

    Parameters
    ----------
    text : str
    encoding : str

    Examples
    --------
    >>> from nnlite import terminal
    >>> terminal.plain("─ schön", "ascii")
    '- sch?n'
    """
    return text.translate(_PLAIN).encode(encoding, "replace").decode(encoding)


def is_live(stream):
    """Whether a stream, such as `sys.stdout`, is a terminal, where a line can be drawn again; never
    if interactive logging is disabled."""
    if not config.is_interactive_logging_enabled():
        return False
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # None, an object that can only be written to, closed
        return False
