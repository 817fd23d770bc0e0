"""Attention: against its formula, its gradient against differences, what it refuses."""

import itertools

import cases_attention
import numpy as np
import oracle_attention
import pytest
from cases import key as random_key
from cases_gradients import Smooth
from gradients import check_gradient
from kernels import same_bits
from samples import normal

from nnlite import ops
from nnlite.autodiff import GradientTape
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor, Variable

SIZES = [  # B, T, S, N, K, H, V
    *((1, 1, 1, 1, 1, 1, 1), (2, 3, 5, 2, 2, 4, 4), (1, 7, 1, 3, 3, 5, 2)),
    *((2, 17, 33, 4, 2, 37, 37), (1, 1, 40, 6, 1, 16, 16), (0, 3, 4, 2, 2, 8, 8)),
    (2, 0, 3, 1, 1, 4, 4),
]


def inputs_of(b, t, s, n, k, h, v):
    return normal(b, t, n, h), normal(b, s, k, h, seed=1), normal(b, s, k, v, seed=2)


def key_of(seed):
    return Tensor((4,), "int32", random_key(seed))


@pytest.mark.parametrize("size", SIZES)
def test_attention_is_its_formula_for_heads_in_groups_too(size, double):
    b, t, s, n, *_, h, _ = size
    query, key, value = inputs_of(*size)
    biases = [None, normal(s, seed=5), normal(n, t, s, seed=6)]
    for bias, mask, causal in itertools.product(biases, cases_attention.masks(b, t, s), (0, 1)):
        for scale in (None, 0.3, 0.0, -0.7):
            got = ops.dot_product_attention(
                query, key, value, bias=bias, mask=mask, scale=scale, is_causal=causal
            )
            factor = h**-0.5 if scale is None else scale
            want, *_ = oracle_attention.attention(query, key, value, bias, mask, factor, causal, 1)
            np.testing.assert_allclose(got.numpy(), want, rtol=1e-12, atol=1e-13)


def test_query_that_sees_no_key_gets_the_mean_of_all_values(real):
    query, key, value = inputs_of(2, 3, 5, 2, 2, 4, 4)
    for mask in (np.zeros((3, 5), bool), np.zeros((2, 1, 1, 1), np.int32)):
        got = ops.dot_product_attention(query, key, value, mask=mask, is_causal=True).numpy()
        want = np.broadcast_to(value.mean(axis=1, keepdims=True), got.shape)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_a_sample_does_not_depend_on_those_beside_it(isa, real):
    query, key, value = (x.astype(real) for x in inputs_of(5, 33, 70, 3, 3, 37, 16))
    mask = cases_attention.masks(5, 33, 70)[1]
    whole = ops.dot_product_attention(query, key, value, mask=mask, is_causal=True).numpy()
    for part in (slice(0, 1), slice(2, 4), slice(4, None)):
        some = (query[part], key[part], value[part])
        got = ops.dot_product_attention(*some, mask=mask[part], is_causal=True).numpy()
        assert same_bits(got, whole[part])


def test_a_matrix_of_a_stack_is_multiplied_as_if_it_were_alone(isa, real):
    a, b = normal(5, 33, 70).astype(real), normal(5, 70, 17, seed=1).astype(real)
    whole = ops.matmul(a, b).numpy()
    for i in range(5):
        assert same_bits(ops.matmul(a[i], b[i]).numpy(), whole[i])
        assert same_bits(ops.matmul(a[i : i + 1], b[i : i + 1]).numpy()[0], whole[i])


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_gradient_is_the_numerical_one(causal, rate, double):
    for size in [(2, 3, 4, 2, 2, 3, 3), (1, 2, 3, 4, 2, 3, 5)]:
        b, t, s, n, *_ = size
        hole = (normal(b, 1, t, s, seed=4) < 0.5) * 1.0
        hole[:, :, :1] = 0
        for bias, mask in [
            (None, None),
            (normal(n, t, s, seed=3), hole),
            (normal(b, 1, 1, s), None),
        ]:
            given = [*inputs_of(*size), *([] if bias is None else [bias])]

            def projected(x, mask=mask):
                y = ops.dot_product_attention(
                    *x, mask=mask, is_causal=causal, dropout_rate=rate, dropout_key=key_of(3)
                )
                return ops.sum(y * normal(*y.shape, seed=8))

            check_gradient(projected, Smooth(given, wrt=tuple(range(len(given)))))


def test_what_does_not_fit_is_refused_with_its_name():
    query, key, value = inputs_of(2, 3, 5, 4, 2, 6, 7)
    odd = inputs_of(2, 3, 5, 4, 3, 6, 7)[1]
    for name, function in {
        "query: expected 4 dim": lambda: ops.dot_product_attention(query[0], key, value),
        "key: expected 4 dim": lambda: ops.dot_product_attention(query, key[0], value),
        "key: expected shape": lambda: ops.dot_product_attention(query, key[:1], value),
        "key: expected shape .* S and H of at least 1": lambda: ops.dot_product_attention(
            query, key[:, :0], value[:, :0]
        ),
        "key: expected a number of heads": lambda: ops.dot_product_attention(query, odd, odd),
        "value: expected shape": lambda: ops.dot_product_attention(query, key, value[:, :4]),
        "mask: expected a shape": lambda: ops.dot_product_attention(
            query, key, value, mask=np.ones((3, 4))
        ),
        "bias: expected a shape": lambda: ops.dot_product_attention(
            query, key, value, bias=np.ones((1, 2, 4, 3, 5))
        ),
        "dropout_key: expected a key": lambda: ops.dot_product_attention(
            query, key, value, dropout_rate=0.5
        ),
        "dropout_rate: expected a number": lambda: ops.dot_product_attention(
            query, key, value, dropout_rate=1.0, dropout_key=key_of(1)
        ),
        "attn_logits_soft_cap: expected None": lambda: ops.dot_product_attention(
            query, key, value, attn_logits_soft_cap=30.0
        ),
    }.items():
        with pytest.raises(ValueError, match=name):
            function()
    with pytest.raises(TypeError, match="is_causal: expected True or False"):
        ops.dot_product_attention(query, key, value, is_causal="yes")


def test_keras_gives_the_same():
    keras = pytest.importorskip("keras")
    for size in [(2, 3, 5, 4, 4, 6, 6), (2, 4, 4, 4, 2, 8, 8)]:
        b, t, s, *_ = size
        given = [x.astype("float32") for x in inputs_of(*size)]
        hole = normal(b, 1, t, s, seed=4) < 0.5
        hole[:, :, :1] = False
        for mask, causal in itertools.product([None, hole], [False, True]):
            got = ops.dot_product_attention(*given, mask=mask, is_causal=causal).numpy()
            want = keras.ops.dot_product_attention(*given, mask=mask, is_causal=causal)
            np.testing.assert_allclose(got, np.asarray(want), rtol=2e-5, atol=2e-6)


def test_a_plan_gives_the_bits_of_the_op_with_and_without_what_a_gradient_reads(real):
    given = [x.astype(real) for x in inputs_of(2, 9, 40, 2, 2, 5, 6)]
    dropped = {"is_causal": True, "dropout_rate": 0.3, "dropout_key": key_of(4)}
    variables = [Variable(x, dtype=real) for x in given]

    def forward():
        return [ops.dot_product_attention(*variables, **dropped)]

    def backward():
        with GradientTape() as tape:
            y = ops.dot_product_attention(*variables, **dropped)
            total = ops.sum(y * y)
        return [y, *tape.gradient(total, variables)]

    for function in (forward, backward):
        want = [t.numpy() for t in function()]
        with Recording(executing=False) as trace:
            results = function()
        plan = Plan(trace, [], results, real)
        outputs = [np.zeros(t.shape, real) for t in results]
        plan.run([(x, 0, 0) for x in outputs], 1)
        assert all(map(same_bits, outputs, want))
        (call,) = [c for c in plan.calls if c.op.name == "attention"]
        assert len(call.outputs) == (1 if function is forward else 2)
