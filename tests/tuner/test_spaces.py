"""What can be asked of HyperParameters: which values there are, and what is refused."""

import json

import numpy as np
import pytest

from nnlite import tuner as kt
from nnlite.tuner.spaces import Boolean, Choice, Fixed, Float, Int

# The kind, and all its values; of a continuous range None.
KINDS = [
    (Int("n", 6, 12), [6, 7, 8, 9, 10, 11, 12]),
    (Int("n", 6, 13, step=3), [6, 9, 12]),
    (Int("n", 2, 32, step=2, sampling="log"), [2, 4, 8, 16, 32]),
    (Int("n", 2, 32, step=2, sampling="reverse_log"), [32, 30, 26, 18, 2]),
    (Int("n", 1, 1000, sampling="log"), None),
    (Int("n", 5, 5, sampling="log"), None),
    (Float("r", 0, 1, step=0.2), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    (Float("r", 0.3, 0.9, step=0.1), [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
    (Float("r", 1e-3, 10, step=10, sampling="log"), [1e-3, 1e-2, 0.1, 1.0, 10.0]),
    (Float("r", -2.0, 3.0), None),
    (Float("r", 1e-4, 1e-1, sampling="log"), None),
    (Float("r", 1e-4, 1e-1, sampling="reverse_log"), None),
    (Choice("c", ["a", "b", None, 3, 0.5, True]), ["a", "b", None, 3, 0.5, True]),
    (Choice("c", np.array([1, 5, 2])), [1, 5, 2]),
    (Boolean("b"), [False, True]),
    (Fixed("f", 7), [7]),
]


@pytest.mark.parametrize("kind, values", KINDS, ids=repr)
def test_a_kind_has_its_values_each_at_its_place(kind, values):
    if values is not None:
        assert kind.grid() == values and kind.n_values == len(values)
        assert [kind.place_of(v) for v in values] == list(range(len(values)))
        return
    assert kind.n_values is None and 1 <= len(kind.grid()) <= 10
    ends = [kind.value_at(place) for place in (0.0, 1.0)]
    assert sorted(ends) == pytest.approx([kind.min_value, kind.max_value], rel=1e-12)
    for place in np.linspace(0, 1, 21):
        value = kind.value_at(place)
        assert kind.min_value <= value <= kind.max_value
        assert kind.value_at(kind.place_of(value)) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("kind, values", KINDS, ids=repr)
def test_random_values_are_of_python_in_range_and_everywhere(kind, values):
    rng = np.random.default_rng(0)
    drawn = [kind.random(rng) for _ in range(300)]
    assert json.loads(json.dumps(drawn)) == drawn
    if values is not None:
        assert set(drawn) == set(values)
    else:
        assert all(type(v) is type(kind.min_value) for v in drawn)
        places = [kind.place_of(v) for v in drawn]
        wide = kind.max_value > kind.min_value
        assert not wide or np.histogram(places, 4, (0, 1))[0].min() > 45


def test_powers_of_ten_are_equally_likely_on_a_log_scale():
    rng = np.random.default_rng(1)
    drawn = [Float("r", 1e-4, 1e-1, sampling="log").random(rng) for _ in range(3000)]
    assert np.histogram(np.log10(drawn), 3, (-4, -1))[0] == pytest.approx(1000, abs=100)


@pytest.mark.parametrize("value", [0, 13, 7.5, "6", None, True], ids=repr)
def test_what_is_no_value_has_no_place(value):
    assert Int("n", 6, 12).place_of(value) is None
    assert Choice("c", ["a"]).place_of(value) is None


REFUSED = [
    (lambda hp: hp.Int("n", 1.5, 3), "Int 'n': min_value: expected a whole number, got 1.5"),
    (lambda hp: hp.Int("n", 5, 3), "Int 'n': max_value: expected at least min_value, 5, got 3"),
    (lambda hp: hp.Int("n", 1, 3, step=0), "Int 'n': step: expected more than 0, got 0"),
    (lambda hp: hp.Int("n", 0, 3, sampling="log"), "min_value: expected more than 0 with sampling"),
    (lambda hp: hp.Int("n", 1, 9, 1, "log"), "Int 'n': step: expected more than 1, got 1"),
    (lambda hp: hp.Int("n", 1, 9, default=10), "default: expected a number in [1, 9], got 10"),
    (
        lambda hp: hp.Float("r", 0, np.inf),
        "Float 'r': max_value: expected a finite number, got inf",
    ),
    (lambda hp: hp.Float("r", 0, 1, sampling="lin"), "Float 'r': sampling: expected 'linear'"),
    (lambda hp: hp.Float("r", "0", 1), "Float 'r': min_value: expected a finite number, got '0'"),
    (lambda hp: hp.Choice("c", []), "Choice 'c': values: expected at least one, got []"),
    (lambda hp: hp.Choice("c", "ab"), "Choice 'c': values: expected a list, got 'ab'"),
    (lambda hp: hp.Choice("c", [(3, 3)]), "values: expected str, int, float, bool or None"),
    (lambda hp: hp.Choice("c", ["a"], default="b"), "default: expected one of ['a'], got 'b'"),
    (lambda hp: hp.Choice("c", ["a"], ordered=True), "ordered: expected False"),
    (lambda hp: hp.Int("n", 1, 2, parent_name="kin", parent_values=[1]), "got 'kin'; did you mean"),
    (lambda hp: hp.Int("kind", 1, 2, parent_name="kind", parent_values="a"), "name: expected"),
    (lambda hp: hp["units"], "name: expected a hyperparameter, got 'units'"),
    (lambda hp: hp.get("asleep"), "name: expected a hyperparameter that is active, got 'asleep'"),
]


@pytest.mark.parametrize("ask, message", REFUSED, ids=[m for _, m in REFUSED])
def test_what_does_not_fit_is_refused_with_its_name(ask, message):
    hp = kt.HyperParameters()
    hp.Choice("kind", ["a", "b"])
    hp.Int("asleep", 1, 2, parent_name="kind", parent_values=["b"])
    before = hp.get_config()
    with pytest.raises((TypeError, ValueError, KeyError)) as caught:
        ask(hp)
    assert message in str(caught.value).replace('"', "'").replace("\\'", "'")
    assert hp.get_config() == before


def network(hp):
    """Asks as a model would: values, conditions in conditions, names in names."""
    asked = [hp.Choice("kind", ["mlp", "cnn"]), hp.Fixed("epochs", 3)]
    with hp.conditional_scope("kind", ["cnn"]), hp.name_scope("cnn"):
        asked.append(hp.Int("filters", 8, 64, step=8))
        asked.append(hp.Boolean("pool", default=True))
        with hp.conditional_scope("pool", True):
            asked.append(hp.Int("size", 2, 4))
    with hp.conditional_scope("kind", ["mlp"]):
        asked.append(hp.Float("rate", 0.1, 0.5))
    return asked


def test_what_was_asked_for_is_the_space_and_only_what_is_active_has_a_value():
    hp = kt.HyperParameters()
    assert network(hp) == ["mlp", 3, None, None, None, 0.1]
    names = ["kind", "epochs", "cnn/filters", "cnn/pool", "cnn/size", "rate"]
    assert [h.name for h in hp.space] == names
    assert hp.values == {"kind": "mlp", "epochs": 3, "rate": 0.1}
    assert "rate" in hp and "cnn/size" not in hp and hp["kind"] == "mlp"
    assert hp.is_active("rate") and not hp.is_active("cnn/size")
    hp.values["kind"] = "cnn"
    hp.ensure_active_values()
    assert hp.values == {
        "kind": "cnn", "epochs": 3, "cnn/filters": 8, "cnn/pool": True, "cnn/size": 2,
    }  # fmt: skip
    assert network(hp) == ["cnn", 3, 8, True, 2, None] and len(hp.space) == len(names)


def test_a_config_in_json_gives_the_space_back():
    hp = kt.HyperParameters()
    network(hp)
    hp.Int("n", np.int64(1), np.int32(9), default=np.int16(4))
    again = kt.HyperParameters.from_config(json.loads(json.dumps(hp.get_config())))
    assert again.get_config() == hp.get_config() and network(again) == network(hp)
    copy = hp.copy()
    copy.Int("more", 1, 2)
    copy.values["epochs"] = 5
    assert "more" not in hp and hp["epochs"] == 3


def test_merging_adds_and_replaces():
    hp, other = kt.HyperParameters(), kt.HyperParameters()
    hp.Int("n", 1, 9)
    other.Fixed("n", 4)
    other.Boolean("b")
    hp.merge(other, overwrite=False)
    assert hp.values == {"n": 1, "b": False}
    hp.merge(other)
    assert hp.values == {"n": 4, "b": False} and len(hp.space) == 2


def test_values_are_those_of_keras_tuner():
    theirs = pytest.importorskip("keras_tuner").HyperParameters()
    ours = kt.HyperParameters()
    for hp in (ours, theirs):
        hp.Int("a", 6, 13, step=3)
        hp.Int("b", 2, 32, step=2, sampling="log")
        hp.Int("c", 1, 1000, sampling="log")
        hp.Int("d", 2, 32, step=2, sampling="reverse_log")
        hp.Float("e", 0, 1, step=0.25)
        hp.Float("f", 1e-3, 10, step=10, sampling="log")
        hp.Float("g", -1.0, 4.0)
        hp.Choice("h", [1, 2, 5])
        hp.Boolean("i")
        with hp.conditional_scope("i", [True]):
            hp.Int("j", 1, 3)
    assert ours.values == theirs.values
    for mine, other in zip(ours.space, theirs.space):
        assert sorted(mine.grid()) == pytest.approx(sorted(other.values))
