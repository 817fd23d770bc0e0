"""Messages of errors get more words on their way; the error stays what it is."""

import pytest

import nnlite
from nnlite import errors
from nnlite.atomic_write import write_whole


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


def test_a_file_that_cannot_be_written_is_named_as_it_was_given(tmp_path):
    path = tmp_path / "missing" / "net.png"
    with pytest.raises(FileNotFoundError) as raised:
        write_whole(path, b"")
    assert raised.value.filename == str(path) and str(raised.value).endswith("net.png'")


@pytest.mark.parametrize("value", ["small", 0, -1.0, float("nan"), float("inf"), None])
def test_epsilon_stays_what_it_was_if_another_is_no_positive_number(value):
    with pytest.raises(ValueError, match="set_epsilon: expected a positive number, got"):
        nnlite.config.set_epsilon(value)
    assert nnlite.config.epsilon() == 1e-7


def test_layers_that_are_not_in_a_list_are_said_to_need_one():
    layer = nnlite.layers.Dense
    with pytest.raises(TypeError, match=r"layers: expected a list of layers, as in Sequential\("):
        nnlite.Sequential(layer(2), layer(3))
