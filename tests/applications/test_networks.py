"""Networks have the layers, names and numbers of weights that Keras's have."""

import pytest
from networks_published import PUBLISHED

from nnlite import applications

SMALL = ["MobileNet", "MobileNetV2"]  # built by each run of the tests


@pytest.mark.parametrize("name", SMALL)
def test_counts_and_names_are_those_that_keras_publishes(name):
    count, without_top, first, last, _ = PUBLISHED[name]
    model = getattr(applications, name)(weights=None)
    assert model.count_params() == count
    assert (model.layers[1].name, model.layers[-1].name) == (first, last)
    base = getattr(applications, name)(weights=None, include_top=False)
    assert base.count_params() == without_top
