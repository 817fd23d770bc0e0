"""What is made from settings answers hostile calls in the user's words."""

import pytest
from hostile import complaints


@pytest.mark.parametrize("seed", [0])
def test_constructors_and_calls_refuse_by_the_name_of_the_argument(seed):
    found = complaints("hostile_objects", count=700, seed=seed)
    assert not found, f"{len(found)} complaints\n" + "\n".join(found)
