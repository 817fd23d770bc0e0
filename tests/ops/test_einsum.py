"""`einsum` computes what NumPy's does, with gradients, and refuses what does not fit."""

from types import SimpleNamespace

import gradients
import numpy as np
import pytest

from nnlite import ops

SIZES = {"a": 2, "b": 3, "c": 4, "d": 2, "e": 3, "f": 5}
CASES = """ab,bc->ac ab,bc ab,cb->ca ba,bc->ac ab,b->a a,b->ba a,a-> ab->ba ab-> ba abc->b
aa->a aa ada->d aab,b->a
abc,cd->abd abc,cde->abde abde,def->abf abc,bc->ab abc,bcd->abd abcd,aecd->acbe acbe,aecd->abcd
ab,abc->ac ab,ab->ab ab,a,b-> ab,bc,cd->ad abc,abd,ac->dc ,ab->ba abc,cb->a""".split()
WITH_DOTS = {
    "...ab,...bc->...ac": [(5, 2, 3), (3, 4)],
    "...ab,...bc": [(5, 1, 2, 3), (6, 3, 4)],
    "a...,ab->b...": [(2, 3, 4), (2, 5)],
    "b...a,a->...b": [(2, 3, 4, 5), (5,)],
    "...,...->...": [(2, 1), (1, 3)],
    "...a->...": [(2, 3)],
    "ab...": [(2, 3, 4)],
}


def operands_of(subscripts):
    shapes = WITH_DOTS.get(subscripts)
    if shapes is None:
        terms = subscripts.split("->")[0].split(",")
        shapes = [tuple(SIZES[letter] for letter in term) for term in terms]
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("subscripts", [*CASES, *WITH_DOTS])
def test_value_and_gradients_are_those_of_the_sum_of_products(subscripts):
    arrays = operands_of(subscripts)
    expected = np.einsum(subscripts, *arrays)
    weights = np.random.default_rng(1).normal(size=expected.shape)
    y = ops.einsum(subscripts, *gradients.tensors(arrays))
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-12)
    smooth = SimpleNamespace(inputs=arrays, wrt=range(len(arrays)), attrs=subscripts)
    gradients.check_gradient(lambda xs: ops.sum(ops.einsum(subscripts, *xs) * weights), smooth)


REFUSED = {
    ("aa->a", 1): "one size of letter 'a', got 2 and 3",
    ("ab->aab", 1): "each letter once in a term, got 'aab'",
    ("ab,b", 1): "a term for each of 1 operands, got 'ab,b'",
    ("ab->abc", 1): "letters of operands in the result, got 'c'",
    ("...a->a", 1): "'...' in the result, too",
    ("a1->a", 1): "letters such as 'ij,jk->ik', got 'a1->a'",
    ("a->a", 1): r"a letter for each axis of shape \(2, 3\), got 'a'",
    ("abc...->a", 1): r"a letter for each axis of shape \(2, 3\)",
    ("ab,bc->ac", 2): "one size of letter 'b', got 3 and 2",
    ("a...,b...->ab...", 2): None,
    (3, 1): "a string such as 'ij,jk->ik', got 3",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_a_reason(case):
    (subscripts, n), message = case, REFUSED[case]
    x = np.ones((2, 3))
    if message is None:
        assert ops.einsum(subscripts, *[x] * n).shape == (2, 2, 3)
        return
    with pytest.raises((TypeError, ValueError), match=f"einsum: .*{message}"):
        ops.einsum(subscripts, *[x] * n)
