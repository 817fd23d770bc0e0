"""Python's operators on tensors and symbols, and the defaults of functions that Keras has, too."""

import numpy as np
import pytest

import nnlite
from nnlite import ops
from nnlite.engine.symbolic import Symbol

A = np.array([[1.0, -2.0, 3.5], [0.0, 5.0, -7.0]], "float32")
B = np.array([2.0, -2.0, 3.5], "float32")
W = np.arange(6.0, dtype="float32").reshape(3, 2)


def run(function, x):
    """`function` of x: at once, in a functional model, and in a traced call."""
    inputs = nnlite.Input(x.shape[1:])
    outputs = function(inputs)
    assert isinstance(outputs, Symbol)

    class Traced(nnlite.layers.Layer):
        def call(self, inputs):
            return function(inputs)

    found = [
        function(nnlite.convert_to_tensor(x)).numpy(),
        nnlite.Model(inputs, outputs).predict(x),
        nnlite.Sequential([Traced()]).predict(x),
    ]
    assert all(np.array_equal(y, found[0]) for y in found)
    return found[0]


OPERATORS = {
    "==": lambda x: x == B,
    "== number": lambda x: x == 5,
    "number ==": lambda x: np.float32(5) == x,
    "array ==": lambda x: B == x,
    "== list": lambda x: x == [1, -2, 3],
    "!=": lambda x: x != B,
    "!= number": lambda x: x != 5.0,
    "array !=": lambda x: B != x,
    "@": lambda x: x @ W,
    "//": lambda x: x // 2,
    "number //": lambda x: 7 // (x + 0.5),
    "%": lambda x: x % 3,
    "% negative": lambda x: x % -3,
    "array %": lambda x: B % (x + 0.25),
    "&": lambda x: (x > -3) & (x < 2),
    "|": lambda x: (x < -3) | (x == 5),
    "~": lambda x: ~(x > 0),
    "^": lambda x: (x > -3) ^ (x < 2),
    "& array": lambda x: (x > 0) & np.array([True, False, True]),
    "abs": abs,
    "-": lambda x: -x,
}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_compute_what_numpys_do(name):
    np.testing.assert_array_equal(run(OPERATORS[name], A), OPERATORS[name](A))


def test_a_matrix_on_the_left_multiplies_a_tensor():
    np.testing.assert_array_equal((W @ nnlite.convert_to_tensor(A)).numpy(), W @ A)


@pytest.mark.parametrize(
    "shapes",
    [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((4, 2, 3), (3, 5)), ((4, 2, 3), (4, 3, 5)),
     ((2, 3), (4, 3, 5)), ((4, 2, 3), (3,)), ((3,), (4, 3, 5))],
)  # fmt: skip
def test_matmul_takes_vectors_and_stacks_of_matrices(shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape).astype("float32") for shape in shapes)
    got = nnlite.convert_to_tensor(a) @ b
    assert got.shape == (a @ b).shape
    np.testing.assert_allclose(got.numpy(), a @ b, rtol=1e-5, atol=1e-6)


def test_the_gradient_of_a_stack_of_products_is_that_of_each():
    a, b = nnlite.ones((4, 2, 3)), nnlite.convert_to_tensor(np.arange(60.0).reshape(4, 3, 5))
    with nnlite.GradientTape() as tape:
        total = ops.sum(a @ b)
    np.testing.assert_array_equal(tape.gradient(total, a).numpy()[:, 0], b.numpy().sum(-1))


@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((2, 3), ()), ((), (3,)), ((3,), (2, 1))])
def test_what_does_not_multiply_is_said(shapes):
    with pytest.raises(ValueError, match="matmul: expected inner sizes that agree"):
        nnlite.ones(shapes[0]) @ nnlite.ones(shapes[1])


@pytest.mark.parametrize("make", [nnlite.Variable, nnlite.convert_to_tensor])
def test_tensors_compare_by_element_and_are_hashed_by_identity(make):
    x = make([1.0, 2.0])
    y = make([1.0, 3.0])
    assert (x == y).numpy().tolist() == [1, 0] and (x != y).numpy().tolist() == [0, 1]
    assert {x: "x", y: "y"}[x] == "x" and x in [x, y] and len({x, y, x}) == 2
    for other in (None, "auto", object(), dict):
        assert (x == other) is False and (x != other) is True


def test_symbols_compare_by_element_and_are_hashed_by_identity():
    x, y = nnlite.Input((2,)), nnlite.Input((2,))
    assert {x: "x", y: "y"}[y] == "y" and x in [x, y]
    assert (x == None) is False and (x != "auto") is True  # noqa: E711


def test_settings_that_are_tensors_are_compared_by_identity():
    w = nnlite.Variable([1.0, 2.0])
    one, two = nnlite.initializers.Constant(w), nnlite.initializers.Constant(w)
    assert one == two and hash(one) == hash(two) and "Variable" in repr(one)
    assert one != nnlite.initializers.Constant(nnlite.Variable([1.0, 2.0]))


def test_one_element_is_formatted_rounded_and_used_as_a_number():
    x = nnlite.convert_to_tensor(2.34567)
    assert (
        f"{x:.3f}" == "2.346" and f"{x:>8.1f}" == "     2.3" and round(x, 1) == pytest.approx(2.3)
    )
    assert f"{x}" == repr(x)
    assert [10, 20, 30][nnlite.convert_to_tensor(2)] == 30


X = nnlite.convert_to_tensor(A)
SYMBOL = nnlite.Input((3,), name="pixels")
INTEGERS = nnlite.convert_to_tensor([1, 2])


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: f"{X:.3f}", ValueError, r"one element, got shape \(2, 3\)"),
        (lambda: bool(X == 1), ValueError, r"one element, got shape \(2, 3\); reduce it first"),
        (lambda: [1][X[0, 0]], TypeError, "expected an integer, got a tensor of float32"),
        (lambda: INTEGERS & 1, TypeError, r"&: expected conditions as in \(x > 0\) & \(x < 1\)"),
        (lambda: (X > 0) | 3, TypeError, r"\|: expected conditions .* got 3"),
        (lambda: ~INTEGERS, TypeError, r"~: expected conditions as in ~\(x > 0\)"),
        (lambda: X + None, TypeError, "expected numbers, got None"),
        (lambda: nnlite.convert_to_tensor([[1], [1, 2]]), ValueError, "rows of equal lengths"),
        (lambda: nnlite.convert_to_tensor(object), TypeError, "expected numbers, got <class"),
        (
            lambda: nnlite.convert_to_tensor(np.ma.masked_equal([1.0, 2.0], 2)),
            ValueError,
            "Tensor: expected no masked values, got 1; fill them",
        ),
        (lambda: np.log(SYMBOL), TypeError, r"'pixels' .* has no values.*ops.log, not np.log"),
        (lambda: np.mean(SYMBOL), TypeError, "'pixels' .* has no values"),
        (lambda: f"{SYMBOL:.2f}", TypeError, "'pixels' .* has no values"),
        (lambda: 1 if SYMBOL == 1 else 0, TypeError, "has no values"),
        (lambda: list(SYMBOL), TypeError, "'pixels' .* first axis is the batch"),
        (lambda: len(SYMBOL), TypeError, "'pixels' .* first axis is the batch"),
        (lambda: ops.zeros_like(int), TypeError, "expected numbers, got <class 'int'>"),
        (lambda: ops.argmax(X, (0, 1)), TypeError, "argmax: axis: expected an integer"),
        (
            lambda: ops.sum(X, "last"),
            TypeError,
            "^sum: axis: expected an integer or several of them",
        ),
        (lambda: ops.concatenate([X, X], 0.5), TypeError, "concatenate: axis: expected an"),
        (lambda: ops.one_hot([1], 2.5), ValueError, "num_classes: expected"),
        (
            lambda: ops.one_hot([1], 3, axis=2),
            ValueError,
            r"one_hot: axis: expected a number in \[-2, 2\)",
        ),
        (
            lambda: ops.softmax(X, (0, 2)),
            ValueError,
            r"^softmax: axis: expected a number in \[-2, 2\) for shape .*, got 2",
        ),
        (
            lambda: ops.stack([X, X[:1]]),
            ValueError,
            "^stack: expected shapes that differ along",
        ),
        (
            lambda: ops.expand_dims(X, 3),
            ValueError,
            r"^expand_dims: axis: expected a number in \[-3, 3\)",
        ),
        (lambda: ops.stack(3), ValueError, "stack: expected a list of tensors, got 3"),
    ],
)
def test_what_cannot_be_done_with_a_tensor_is_said_in_plain_words(wrong, error, message):
    with pytest.raises(error, match=message):
        wrong()


def test_a_plain_number_of_other_kinds_has_zeros_like_it():
    assert ops.zeros_like(3.0).item() == 0 and ops.ones_like([[1.0, 2.0]]).shape == (1, 2)
    assert ops.full_like(X, 2.5, dtype="float64").dtype == "float64"


# Defaults


def test_defaults_are_those_of_keras():
    assert ops.argmax(A).numpy() == A.argmax() and ops.argmin(A).numpy() == A.argmin()
    assert ops.argmax(A, axis=1, keepdims=True).numpy().tolist() == [[2], [1]]
    np.testing.assert_array_equal(ops.concatenate([A, A]).numpy(), np.concatenate([A, A]))
    np.testing.assert_array_equal(ops.flip(A).numpy(), np.flip(A))
    np.testing.assert_array_equal(ops.one_hot([0, 2], 3, 0).numpy(), np.eye(3)[[0, 2]].T)
    inner = np.sqrt(2 / np.pi) * (A + 0.044715 * A**3)
    np.testing.assert_allclose(ops.gelu(A).numpy(), A * (1 + np.tanh(inner)) / 2, atol=1e-6)


def test_one_hot_puts_the_classes_on_any_axis():
    labels = np.array([[0, 2, 1], [1, 1, 0]])
    for axis in range(-3, 3):
        want = np.moveaxis(np.eye(4)[labels], -1, axis)
        np.testing.assert_array_equal(ops.one_hot(labels, 4, axis).numpy(), want)


@pytest.mark.parametrize("axis", [(1, 2), (-1, 0), [2, 1, 0], (1,), 1])
def test_softmax_along_several_axes_sums_to_one_over_all_of_them(axis):
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    axes = tuple(np.atleast_1d(axis))
    want = np.exp(x.astype(float)) / np.exp(x.astype(float)).sum(axes, keepdims=True)
    np.testing.assert_allclose(ops.softmax(x, axis).numpy(), want, rtol=1e-5)
    np.testing.assert_allclose(ops.log_softmax(x, axis).numpy(), np.log(want), rtol=1e-5)


@pytest.mark.parametrize(
    "dtype, expected",
    [
        *((d, "int32") for d in ("int64", "uint8", "int", int, np.int16, np.dtype("int64"))),
        *((d, "float32") for d in (None, float, np.float32)),
        *((d, "float64") for d in ("float64", np.float64, np.dtype("float64"))),
        *((d, "truth") for d in ("bool", bool, np.bool_, np.dtype(bool))),
    ],
)
def test_a_dtype_may_be_called_as_numpy_and_keras_call_it(dtype, expected):
    values = np.array([[0.0, -1.75, 2.5]])
    right = {"int32": [[0, -1, 2]], "truth": [[0, 1, 1]]}.get(expected, values)
    expected = "float32" if expected == "truth" else expected
    for y in (
        ops.cast(values, dtype),
        *([] if dtype is None else [nnlite.convert_to_tensor(values, dtype)]),
        nnlite.Variable(values, dtype=dtype or "float32"),
        nnlite.cast(nnlite.convert_to_tensor(values), dtype),
    ):
        assert y.dtype == expected
        assert np.array_equal(y, right)
    for y in (ops.zeros((1,), dtype), nnlite.layers.Layer().add_weight((1,), "zeros", dtype)):
        assert y.dtype == expected


def test_truth_of_numbers_is_what_comparisons_give():
    assert np.array_equal(run(lambda x: ops.cast(x, "bool") * 2.0, A), 2.0 * (A != 0))
    for value in (5, nnlite.convert_to_tensor(5)):
        assert np.array_equal(ops.full_like(A, value, "bool"), np.ones(A.shape))
        assert np.array_equal(ops.full(A.shape, value, "bool"), np.ones(A.shape))


@pytest.mark.parametrize("dtype", ["float16", "nonsense", 5, np.complex64])
def test_a_dtype_that_no_tensor_has_is_refused(dtype):
    for make in (lambda: ops.cast(A, dtype), lambda: nnlite.convert_to_tensor(A, dtype)):
        with pytest.raises(ValueError, match="dtype: expected one of float32, float64, int32, got"):
            make()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rsqrt_is_one_over_the_root_and_has_its_gradient(dtype):
    values = np.array([0.0, 0.25, 3.0, 1e30, np.inf])
    found = ops.rsqrt(ops.convert_to_tensor(values, dtype))
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(found, 1 / np.sqrt(values), rtol=3 * np.finfo(dtype).eps)
    x = nnlite.Variable([0.25, 4.0], dtype=dtype)
    with nnlite.GradientTape() as tape:
        total = ops.sum(ops.rsqrt(x))
    assert tape.gradient(total, x).numpy().tolist() == [-4.0, -0.0625]
    assert run(ops.rsqrt, np.float32([[4.0, 0.25]])).tolist() == [[0.5, 2.0]]


def test_a_tensor_is_made_of_anything_and_converted_back():
    x = ops.convert_to_tensor([[1.0, 2.5]])
    assert x.dtype == "float32" and ops.convert_to_tensor(x) is x
    assert ops.convert_to_tensor([1, 2]).dtype == "int32"
    assert ops.convert_to_tensor(x, "int32").numpy().tolist() == [[1, 2]]
    values = ops.convert_to_numpy(x)
    values[...] = 0
    assert ops.convert_to_numpy(x).tolist() == [[1, 2.5]] and values.dtype == np.float32
    assert ops.convert_to_numpy([[1, 2]]).tolist() == [[1, 2]]


def test_conversions_within_a_model_are_part_of_it():
    found = run(lambda x: ops.convert_to_tensor(ops.convert_to_tensor(x, "int32"), "float32"), A)
    assert np.array_equal(found, np.trunc(A))


def test_the_shape_of_a_symbol_leaves_the_batch_open():
    assert ops.shape(nnlite.Input((3, 2))) == nnlite.shape(nnlite.Input((3, 2))) == (None, 3, 2)
    assert ops.shape(nnlite.ones((4, 1))) == ops.shape(np.ones((4, 1))) == (4, 1)
    assert ops.shape(3.0) == ()
    assert np.array_equal(run(lambda x: x / ops.shape(x)[1], A), A / np.float32(3))


@pytest.mark.parametrize("function", [ops.convert_to_numpy, nnlite.backend.get_value])
def test_a_symbol_has_no_values_to_convert(function):
    with pytest.raises(TypeError, match="has no values"):
        function(nnlite.Input((3,)))


def test_several_axes_come_and_go_at_once():
    for axis in (0, (0, 2), (-1, 1), [3, 0]):
        want = np.expand_dims(A, tuple(np.atleast_1d(axis)))
        y = ops.expand_dims(A, axis)
        np.testing.assert_array_equal(y.numpy(), want)
        np.testing.assert_array_equal(ops.squeeze(y, axis).numpy(), A)
    with pytest.raises(ValueError, match=r"squeeze: expected one entry along axis \(0, 1\)"):
        ops.squeeze(A[None], (0, 1))
    with pytest.raises(ValueError, match=r"expand_dims: axis: expected each place once, got \(0, "):
        ops.expand_dims(A, (0, -4))
    with pytest.raises(ValueError, match=r"moveaxis: .*each once, got \[0, 1\] and \[1, 1"):
        ops.moveaxis(A, (0, 1), (1, -1))


def test_arguments_that_may_be_none_are_those_of_keras():
    np.testing.assert_array_equal(ops.concatenate([A, B], None).numpy(), [*A.flat, *B])
    assert ops.sum(ops.softmax(A, None)).item() == pytest.approx(1)
    places = ops.where(A > 1)
    assert [p.numpy().tolist() for p in places] == [p.tolist() for p in np.nonzero(A > 1)]
    assert ops.full_like(A, nnlite.convert_to_tensor([1, 2, 3])).numpy().tolist() == [[1, 2, 3]] * 2
    with pytest.raises(ValueError, match="where: expected both x1 and x2, or neither"):
        ops.where(A > 1, 1.0)


# NumPy and other packages


@pytest.mark.parametrize("make", [nnlite.Variable, nnlite.convert_to_tensor])
def test_an_operator_between_an_array_and_a_tensor_gives_a_tensor_with_a_gradient(make):
    t = make([1.0, 2.0, 3.0])
    with nnlite.GradientTape(persistent=True) as tape:
        found = [B + t, B - t, B * t, B / t, B**t, B @ t, np.float64(2) * t, B > t, B == t]
    assert all(isinstance(y, nnlite.Tensor) for y in found)
    np.testing.assert_allclose(tape.gradient(found[2], t).numpy(), B)
    total = B.copy()
    total += t
    np.testing.assert_array_equal(total, B + t.numpy())


def test_numpys_functions_read_values_but_not_where_a_gradient_would_be_lost():
    x = nnlite.convert_to_tensor(A)
    assert isinstance(np.exp(x), np.ndarray) and np.add.reduce(x, axis=0).shape == (3,)
    with nnlite.GradientTape():
        with pytest.raises(TypeError, match=r"np.exp: .* GradientTape is recording .* nnlite\.ops"):
            np.exp(x)
        assert np.mean(x) == pytest.approx(A.mean())

    class Careless(nnlite.layers.Layer):
        def call(self, inputs):
            return np.exp(inputs)

    with pytest.raises(RuntimeError, match="no values here"):
        nnlite.Sequential([Careless()]).predict(A)


def test_dlpack_goes_both_ways():
    x = nnlite.Variable(A)
    copy = np.from_dlpack(x)
    np.testing.assert_array_equal(copy, A)

    class Foreign:
        def __dlpack__(self, **options):
            return A.copy().__dlpack__(**options)

        def __dlpack_device__(self):
            return (1, 0)

    np.testing.assert_array_equal(nnlite.convert_to_tensor(Foreign()).numpy(), A)
    np.testing.assert_array_equal(ops.add(Foreign(), 1.0).numpy(), A + 1)


def test_tensors_are_indexed_by_arrays_and_tensors_of_integers():
    x = nnlite.convert_to_tensor(A)
    np.testing.assert_array_equal(x[np.array([1, 0, 1])].numpy(), A[[1, 0, 1]])
    np.testing.assert_array_equal(x[nnlite.convert_to_tensor([[1], [-1]])].numpy(), A[[[1], [-1]]])
    np.testing.assert_array_equal(x[:, nnlite.convert_to_tensor(2)].numpy(), A[:, 2])
    assert x[[]].shape == (0, 3)


@pytest.mark.parametrize("mask", [A[:, 0] > 0, [True, False], X[:, 0] > 0, np.array([1.0, 0.0])])
def test_a_mask_is_no_index(mask):
    with pytest.raises(TypeError, match=r"index: expected integers, got .*ops\.where\(mask\)"):
        X[mask]
    np.testing.assert_array_equal(X[ops.where(mask)[0]].numpy(), A[:1])


# Shapes of symbols


@pytest.mark.parametrize(
    ("function", "shapes", "expected"),
    [
        (ops.transpose, [(3,)], (3, None)),
        (lambda x: ops.mean(x, axis=0), [(3,)], (3,)),
        (lambda x: x - ops.mean(x, axis=0), [(3,)], (None, 3)),
        (lambda x: ops.sum(x, keepdims=True), [(3,)], (1, 1)),
        (lambda x: ops.expand_dims(x, 0), [(3,)], (1, None, 3)),
        (lambda x: ops.reshape(x, (-1,)), [(3,)], (None,)),
        (lambda x: ops.take(x, [0, 1], axis=0), [(3,)], (2, 3)),
        (lambda x, y: ops.matmul(x, ops.transpose(y)), [(3,), (3,)], (None, None)),
        (ops.add, [(None, 3), (5, 3)], (None, 5, 3)),
        (ops.add, [(None, 3), (5, 1)], (None, 5, 3)),
    ],
)
def test_a_function_of_symbols_may_move_the_batch(function, shapes, expected):
    symbols = [nnlite.Input(shape) for shape in shapes]
    assert function(*symbols).shape == expected
