"""Edge 1: every kernel gives the oracle's values, on every ISA and in both precisions."""

import cases
import numpy as np
import pytest
import samples
from all_ops import OPS
from cases import CASES, ULP
from cases_losses import rows_of_logits
from kernels import (
    ISAS,
    KERNELS,
    ORACLE,
    PACKED,
    check,
    engine,
    expected,
    run,
    same_bits,
)
from nnlite.engine._engine import MAX_ATTRS, MAX_NDIM, MAX_OPERANDS
from oracle import philox4x32, random_words
from teams import team_of

from nnlite import ops
from nnlite.engine import dispatch
from nnlite.engine.recording import scope
from nnlite.engine.tensor import REALS, Tensor, Variable
from nnlite.ops.random import seed_state
from nnlite.ops.rows import SOURCE_CODES, gather


def test_every_op_has_an_oracle_a_case_and_a_tolerance():
    assert set(OPS) - PACKED == set(ORACLE) == set(CASES) == set(ULP)
    assert all(CASES.values())


def shapes(case):
    """Those of the inputs."""
    return [a.shape for a in case.arrays("float32")]


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", KERNELS)
def test_kernel_equals_oracle_on_each_instruction_set(name, real):
    for case in CASES[name]:
        right = expected(name, case, real)
        for isa in ISAS:
            results, bad = run(name, case, isa, real)
            assert bad == (-1 if case.bad is None else case.bad), isa
            check(name, case, results, real, right, isa)


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", KERNELS)
def test_result_does_not_depend_on_thread_count(name, real):
    for isa in ISAS:
        alone = [run(name, case, isa, real, threads=1) for case in CASES[name]]
        for threads in (2, 3) if isa == ISAS[0] else (3,):
            with team_of(threads):
                for case, (one, bad) in zip(CASES[name], alone):
                    many, also_bad = run(name, case, isa, real, threads=threads)
                    assert bad == also_bad
                    assert all(map(same_bits, one, many)), (threads, shapes(case), case.attrs)


@pytest.mark.skipif(
    not {"avx2", "avx512"} <= set(ISAS), reason="this CPU does not run AVX2 and AVX-512"
)
@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", KERNELS)
def test_avx2_and_avx512_give_the_same_bits(name, real):
    for case in CASES[name]:
        a, b = (run(name, case, isa, real)[0] for isa in ("avx2", "avx512"))
        assert all(map(same_bits, a, b)), f"{name}: {shapes(case)} {case.attrs}"


@pytest.mark.parametrize("name", sorted(CASES))
def test_apply_gives_what_the_kernel_gives(name, real):
    op, isa = OPS[name], dispatch.engine(real).isa
    for case in CASES[name]:
        if case.bad is not None:
            continue
        attrs = case.attrs_for(real)
        inputs = [
            Variable(a, dtype=str(a.dtype)) if i in op.writes else Tensor(a.shape, str(a.dtype), a)
            for i, a in enumerate(case.arrays(real))
        ]
        outputs = dispatch.apply(op, inputs, attrs)
        quick = dispatch.quickest(op, inputs, outputs, attrs, isa).name
        results = [t._data for t in [*outputs, *(inputs[i] for i in op.writes)]]
        assert [t.shape for t in outputs] == [t._data.shape for t in outputs]
        if op.view:
            check(name, case, results, real, expected(name, case, real), isa)
        else:
            assert all(map(same_bits, results, run(quick, case, isa, real)[0]))


# As their rows say: an input of the result's shape may be the same memory.
IN_PLACE = [name for name, op in OPS.items() if op.in_place]


@pytest.mark.parametrize("name", IN_PLACE)
def test_result_may_take_the_place_of_an_input(name, isa, real):
    op, e = OPS[name], engine(isa, real)
    for case in CASES[name]:
        results, _ = run(name, case, isa, real)
        results = results[: len(results) - len(op.writes)]
        for i, o in op.in_place:
            inputs, want = case.arrays(real), results[o]
            if inputs[i].shape != want.shape or inputs[i].dtype != want.dtype:
                continue
            outputs = [inputs[i] if k == o else np.empty_like(r) for k, r in enumerate(results)]
            e.call(e.op_ids[name], inputs, outputs, op.c_attrs(case.attrs_for(real)), 2)
            assert all(map(same_bits, outputs, results))


def test_limits_of_the_binding_are_errors_that_name_them(monkeypatch):
    e = engine(ISAS[0], "float32")
    op, x, y = e.op_ids["concatenate"], np.ones((1, 1), np.float32), np.empty((1, 15), np.float32)
    assert e.call(op, [x] * 15, [y], (1,), 1) is None and (y == 1).all()
    too_many = [
        (MAX_OPERANDS, 1, "at most 16 inputs and outputs of an op, got 17"),
        (15, MAX_ATTRS + 1, "at most 16 attributes of an op, got 17"),
    ]
    for inputs, attrs, message in too_many:
        with pytest.raises(ValueError, match=message):
            e.call(op, [x] * inputs, [y], (1,) * attrs, 1)
        with pytest.raises(ValueError, match=message):
            e.scratch(op, ((1, 1),) * inputs, ((1, 15),), (1,) * attrs, 1)
    with pytest.raises(ValueError, match="at most 6 dimensions, got 7"):
        e.call(op, [x.reshape((1,) * (MAX_NDIM + 1))], [y], (1,), 1)
    with pytest.raises(ValueError, match="at most 6 dimensions, got 7"):
        e.scratch(op, ((1,) * (MAX_NDIM + 1),), ((1, 15),), (1,), 1)
    monkeypatch.delitem(OPS, "exp")
    with pytest.raises(ValueError, match="op 'exp': expected at most 16 attributes, got 17"):
        dispatch.Op("exp", infer=lambda x, **_: [x], attrs={f"attr_{k}": int for k in range(17)})
    assert "exp" not in OPS


@pytest.mark.parametrize("kind", ["matmul", "linear"])
def test_product_of_some_rows_is_some_rows_of_the_product(kind, isa, real):
    for m, n, k in cases.MATRICES:
        a, b = samples.normal(m, k).astype(real), samples.normal(k, n, seed=1).astype(real)

        def product(rows, b=b, n=n):
            rows = np.ascontiguousarray(rows)
            if kind == "linear":
                return ops.linear(rows, b, np.linspace(-1, 1, n).astype(real), "tanh").numpy()
            return ops.matmul(rows, b).numpy()

        whole = product(a)
        for rows in (
            slice(0, 1),
            slice(m - 1, None),
            slice(1, 4),
            slice(None, None, 3),
            slice(2, 17),
        ):
            assert same_bits(product(a[rows]), np.ascontiguousarray(whole[rows])), (m, n, k, rows)


@pytest.mark.parametrize(
    "name", ["softmax", "softmax_cross_entropy", "softmax_cross_entropy_gradient"]
)
def test_row_of_a_softmax_does_not_depend_on_its_neighbours(name, isa, real):
    for classes in (2, 10, 33, 1025):
        z = rows_of_logits((70, classes)).astype(real)
        t, dloss = samples.labels(70, classes), samples.normal(70).astype(real)

        def result(rows, z=z, t=t, dloss=dloss):
            inputs = (
                [z[rows]]
                if name == "softmax"
                else [z[rows], t[rows], dloss[rows]][: OPERANDS[name]]
            )
            case = samples.Case(inputs, {} if name == "softmax" else {"dense": 0})
            return run(name, case, isa, real)[0][0]

        assert same_bits(result(slice(3, 20)), result(slice(None))[3:20])


OPERANDS = {"softmax_cross_entropy": 2, "softmax_cross_entropy_gradient": 3}


def test_bad_label_is_an_error_that_names_op_and_position(isa, real):
    logits, bad = np.zeros((5, 3)), np.array([0, 2, 3, -1, 1], np.int32)
    with pytest.raises(ValueError, match=r"softmax_cross_entropy: .* position 2 "):
        ops.softmax_cross_entropy(logits, Tensor((5,), "int32", bad))
    with pytest.raises(ValueError, match=r"one_hot: .* position 2 "):
        ops.one_hot(bad, 3)
    with pytest.raises(ValueError, match=r"layer 'outer.inner': one_hot: .* position 0 "):
        with scope("outer"), scope("inner"):
            ops.one_hot([-1], 3)


def test_bad_row_number_is_an_error_that_names_op_and_position(isa, real):
    source = Tensor((4, 2), real, np.ones((4, 2), real))
    index = Tensor((3,), "int32", np.array([3, 0, 4], np.int32))
    code = SOURCE_CODES[real]
    with pytest.raises(ValueError, match=r"gather: .* position 2 "):
        gather(source, index, 3, (2,), real, code, source._data.strides[0], 4)


def test_shape_that_c_could_not_bear_is_an_error_that_names_the_op():
    key, x = Tensor((4,), "int32", samples.labels(4, 9)), np.ones((2, 3))
    short = Tensor((3,), "int32", samples.labels(3, 9))
    counter, state = Variable([1, 2]), Variable(np.zeros(3))
    counts = Variable(np.zeros((2, 2, 3, 2)))
    source = Tensor((4, 2), "float32", np.ones((4, 2), "float32"))
    for name, function in {
        "add": lambda: ops.add(np.ones((1,) * 7), 1.0),
        "broadcast_to": lambda: ops.broadcast_to(x, (1, 1, 1, 1, 1, 2, 3)),
        "reshape": lambda: ops.reshape(x, (1, 1, 1, 1, 1, 2, 3)),
        "one_hot": lambda: ops.one_hot([1], -1),
        "random_uniform": lambda: ops.random_uniform(short, (2,)),
        "dropout": lambda: ops.dropout(x, short, 0.5),
        "dropout: rate: expected": lambda: ops.dropout(x, key, 1.0),
        "random_key": lambda: ops.random_key(counter),
        "increment": lambda: ops.increment(counter),
        "accumulate": lambda: ops.accumulate(state, x),
        "accumulate: weights: expected": lambda: ops.accumulate(Variable(np.zeros(4)), x, x[0]),
        "accumulate_products": lambda: ops.accumulate_products(Variable(np.zeros((2, 2))), x),
        "accumulate_counts: .* of shape .labels": lambda: ops.accumulate_counts(state, [0.5], x, x),
        "accumulate_counts: expected 1 th": lambda: ops.accumulate_counts(counts, [], x, x),
        "accumulate_counts: expected labels": lambda: ops.accumulate_counts(counts, [1], x, x[:1]),
        "top_k": lambda: ops.top_k(x, 4),
        "sgd_update": lambda: ops.sgd_update(state, np.ones(2), 0.1),
        "adam_update": lambda: ops.adam_update(*[state] * 4, [0.1, 0.2], counter, 0.9, 0.99, 1e-7),
        "gather": lambda: gather(source, short, 4, (2,), "float32", 0, 8, 4),
        "softmax": lambda: ops.softmax(np.ones((2, 0))),
        "softmax_cross_entropy": lambda: ops.softmax_cross_entropy(x[:, :0], x[:, :0]),
        "matmul": lambda: ops.matmul(x, x),
        "transpose": lambda: ops.transpose(x, (0, 0)),
    }.items():
        with pytest.raises(ValueError, match=name):
            function()


# --- random numbers


def test_philox_oracle_gives_the_known_answers():
    """Those that Random123 publishes (kat_vectors: philox4x32, 10 rounds)."""
    ones = 0xFFFFFFFF
    for counter, key, want in [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ones,) * 4, (ones,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ]:
        assert philox4x32(np.array([counter], np.uint32), key)[0].tolist() == list(want)


def test_uniform_numbers_hold_the_known_answer(isa):
    """Block 0 of the stream of key 0 has its words at elements 0, 16, 32 and 48."""
    key = Tensor((4,), "int32", cases.key(0))
    values = ops.random_uniform(key, (64,), "float32").numpy()[::16] * 2**24
    assert values.astype(int).tolist() == [0x6627E8, 0xE169C5, 0xBC57AC, 0x9B00DB]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9])
def test_share_of_dropped_elements_is_the_rate(rate, isa, real):
    n = 200_000
    y = ops.dropout(np.ones(n), Tensor((4,), "int32", cases.key(7, 3)), rate).numpy()
    assert set(np.unique(y)) == ({np.array(1 / (1 - rate), real).item(), 0.0} if rate else {1.0})
    assert abs((y == 0).mean() - rate) <= 5 * np.sqrt(rate * (1 - rate) / n)


def test_uniform_numbers_are_uniform(isa, real):
    u = ops.random_uniform(Tensor((4,), "int32", cases.key(11)), (256_000,), real).numpy()
    assert u.min() >= 0 and u.max() < 1
    counts = np.histogram(u, 256, (0, 1))[0]
    assert 150 < ((counts - 1000.0) ** 2 / 1000).sum() < 380  # chi squared, 255 degrees of freedom
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.01


def test_running_sum_loses_nothing_over_many_batches(real):
    state = Variable([2.0**26, 0, 0, 0], dtype=real)
    for _ in range(5000):
        ops.accumulate(state, np.full(3, 0.125))
    total, lost, count, _ = state.numpy().astype(np.float64)
    assert (total + lost, count) == (2.0**26 + 1875, 15000)


def test_keys_of_one_state_differ_and_repeat_with_the_seed(real):
    def keys(seed):
        state = seed_state(seed)
        return [ops.random_key(state).numpy().tolist() for _ in range(3)]

    assert keys(5) == keys(5) != keys(6)
    assert len(set(map(tuple, keys(5)))) == 3
    words = [random_words(np.array(k, np.int32), 1000) for k in keys(5)]
    assert abs(np.corrcoef(words[0], words[1])[0, 1]) < 0.15
