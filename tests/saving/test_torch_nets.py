"""Weights of PyTorch for the networks of nnlite.applications: those that fit, and those of other
networks of the same names."""

import numpy as np
import pytest
from torch_saved import torch_file

from nnlite import applications
from nnlite.initializers.initializer import left_unset
from nnlite.saving.safetensors import write_arrays
from nnlite.saving.torch_nets import known_order
from nnlite.saving.torch_weights import _slots


def of_modules(model, names):
    """Tensors for the modules of a model in their order, each with its own numbers."""
    slots, found = _slots(model), {}
    for i, (slot, name) in enumerate(zip(slots, names, strict=True)):
        for j, (tensor, shape) in enumerate(slot.shapes.items()):
            found[f"{name}.{tensor}"] = np.full(shape, i + j / 8, "f4")
    return found


def of_densenet(sizes):
    """The names of modules as torchvision makes them."""
    names = ["features.conv0", "features.norm0"]
    for block, size in enumerate(sizes, start=1):
        for layer in range(1, size + 1):
            inside = f"features.denseblock{block}.denselayer{layer}"
            names += [f"{inside}.{name}" for name in ("norm1", "conv1", "norm2", "conv2")]
        if block < len(sizes):
            names += [f"features.transition{block}.norm", f"features.transition{block}.conv"]
    return [*names, "features.norm5", "classifier"]


def test_a_densenet_is_read_in_its_order_from_files_that_keep_none(tmp_path):
    with left_unset():
        model = applications.DenseNet121(weights=None, input_shape=(32, 32, 3))
    names = of_densenet((6, 12, 24, 16))
    tensors = of_modules(model, names)
    with open(tmp_path / "a.safetensors", "wb") as file:
        write_arrays(file, dict(sorted(tensors.items())), {"format": "pt"})
    model.load_weights(tmp_path / "a.safetensors")
    for i, slot in enumerate(_slots(model)):
        first = slot.parts[0].variable
        assert np.all(first.numpy() == i), slot


@pytest.mark.parametrize("sizes", [(6, 12, 32, 32), (6, 12, 48, 32)])
def test_orders_of_the_larger_ones_are_known(sizes):
    names = of_densenet(sizes)
    assert known_order(sorted(names)) == names


DIFFERENT = {
    "MobileNetV2": "features.18.1.running_var",
    "MobileNetV3Small": "features.4.block.2.fc1.weight",
    "ResNet50": "layer4.1.bn2.running_var",
    "InceptionV3": "Mixed_7c.branch_pool.bn.running_var",
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_other_networks_of_the_same_name_are_refused(name, tmp_path):
    with left_unset():
        model = getattr(applications, name)(weights=None, include_top=False)
    before = model.get_weights()[0]
    (tmp_path / "a.pth").write_bytes(torch_file({DIFFERENT[name]: np.ones(3, "f4")}))
    with pytest.raises(
        ValueError, match=rf"a\.pth: .* those of another: {name[:6]}.* of torchvision"
    ):
        model.load_weights(tmp_path / "a.pth")
    assert model.get_weights()[0].tobytes() == before.tobytes()
