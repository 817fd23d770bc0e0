"""Classes of one's own with a `get_config` in Keras's manner."""

import copy

import pytest

import nnlite as keras
from nnlite.configurable import clone


@pytest.mark.parametrize(
    "base", ["Layer", "Model", "Loss", "Metric", "Optimizer", "Initializer", "Regularizer"]
)
def test_a_config_of_ones_own_adds_what_the_constructor_of_its_base_does_not_take(base):
    base = getattr(keras, base)

    class Own(base):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def get_config(self):
            return dict(units=self.units, **super().get_config())

    class Further(Own):  # without a config of its own
        def __init__(self, depth=1, **kwargs):
            super().__init__(**kwargs)
            self.depth = depth

    config = Own(3).get_config()
    assert {k: v for k, v in config.items() if k not in base._signature()} == {"units": 3}
    again = Further.from_config(Further(depth=4, units=2).get_config())
    assert (again.units, again.depth) == (2, 4)
    for copied in clone(again), copy.deepcopy(again):
        assert (copied.units, copied.depth) == (2, 4)
