"""Messages of errors get more words on their way; the error stays what it is."""

import pytest

from nnlite import errors


def test_a_prefix_comes_before_the_message_and_the_error_stays_the_same():
    error = ValueError("expected 2, got 3")
    with pytest.raises(ValueError, match=r"^layer 'a': expected 2, got 3$") as caught:
        with errors.prefixed("layer 'a': "):
            raise error
    assert caught.value is error


def test_other_errors_and_success_pass_unchanged():
    with pytest.raises(KeyError, match=r"^'a'$"), errors.prefixed("no: "):
        raise KeyError("a")
    with pytest.raises(KeyboardInterrupt), errors.prefixed("no: "):
        raise KeyboardInterrupt
    with pytest.raises(TypeError, match=r"^no$"), errors.prefixed("x: ", ValueError):
        raise TypeError("no")
    with errors.prefixed("no: "):
        pass


def test_a_message_is_reworded_only_if_there_is_an_error():
    with errors.reworded(lambda message: pytest.fail("called")):
        pass
    with pytest.raises(ValueError, match=r"^no; say yes$"):
        with errors.reworded(lambda message: f"{message}; say yes"):
            raise ValueError("no")
