"""`nnlite.nn` and `nnlite.backend`: TensorFlow's and Keras 2's names, on tensors, arrays, lists."""

import inspect

import numpy as np
import pytest
from small_models import arrays_equal, data

import nnlite as keras
from nnlite import backend as K
from nnlite import layers, nn

X, Z = data((4, 6)), data((4, 6), seed=1)
P = np.exp(X) / np.exp(X).sum(-1, keepdims=True)
LABELS = np.array([0, 5, 2, 2])
IMAGES, KERNEL = data((2, 6, 7, 3)), data((3, 2, 3, 4))
ONE_HOT = np.eye(6)[LABELS]
LOG_P = X - np.log(np.exp(X).sum(-1, keepdims=True))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# A call with arrays, and what comes out in float64 NumPy.
NN = {
    "relu": ([X], np.maximum(X, 0)),
    "relu6": ([9 * X], np.clip(9 * X, 0, 6)),
    "leaky_relu": ([X], np.where(X > 0, X, 0.2 * X)),
    "leaky_relu alpha": ([X, 0.4], np.where(X > 0, X, 0.4 * X)),
    "elu": ([X], np.where(X > 0, X, np.expm1(X))),
    "selu": ([X], 1.0507009873554805 * np.where(X > 0, X, 1.6732632423543772 * np.expm1(X))),
    "gelu": ([X, True], X * (1 + np.tanh(np.sqrt(2 / np.pi) * (X + 0.044715 * X**3))) / 2),
    "silu": ([X], X * sigmoid(X)),
    "swish": ([X, 2.0], X * sigmoid(2 * X)),
    "sigmoid": ([X], sigmoid(X)),
    "tanh": ([X], np.tanh(X)),
    "softplus": ([X], np.log1p(np.exp(X))),
    "softsign": ([X], X / (1 + np.abs(X))),
    "softmax": ([X], P),
    "softmax axis": ([X, 0], np.exp(X) / np.exp(X).sum(0)),
    "log_softmax": ([X, None], LOG_P),
    "bias_add": ([X, Z[0]], X + Z[0]),
    "batch_normalization": (
        [X, Z[0], Z[1] ** 2, Z[2], Z[3], 0.1],
        (X - Z[0]) / np.sqrt(Z[1] ** 2 + 0.1) * Z[3] + Z[2],
    ),
    "l2_normalize": ([X, 1], X / np.sqrt((X**2).sum(1, keepdims=True))),
    "l2_loss": ([X], (X**2).sum() / 2),
    "softmax_cross_entropy_with_logits": ([ONE_HOT, X], -LOG_P[np.arange(4), LABELS]),
    "sparse_softmax_cross_entropy_with_logits": ([LABELS, X], -LOG_P[np.arange(4), LABELS]),
    "sigmoid_cross_entropy_with_logits": (
        [P, X],
        -P * np.log(sigmoid(X)) - (1 - P) * np.log(sigmoid(-X)),
    ),
    "dropout": ([X, 0.0], X),
    "conv2d": ([IMAGES, KERNEL, 2, "SAME"], None),
    "depthwise_conv2d": ([IMAGES, KERNEL, [1, 1, 1, 1], "VALID"], None),
    "max_pool2d": ([IMAGES, 2, 2, "VALID"], None),
    "max_pool": ([IMAGES, [1, 3, 2, 1], (1, 2), "SAME"], None),
    "avg_pool2d": ([IMAGES, [2], [2], "SAME"], None),
    "avg_pool": ([IMAGES, (3, 2), [1, 2, 2, 1], "VALID"], None),
    "moments": ([X, 0], None),
}

BACKEND = {
    "abs": ([X], np.abs(X)),
    "all": ([X > -9, 1], np.ones(4)),
    "any": ([X > 0, 1], (X > 0).any(1)),
    "argmax": ([X], X.argmax(-1)),
    "argmin": ([X, 0], X.argmin(0)),
    "batch_flatten": ([IMAGES], IMAGES.reshape(2, -1)),
    "binary_crossentropy": ([ONE_HOT, P], -np.log(np.where(ONE_HOT, P, 1 - P))),
    "binary_crossentropy logits": (
        [ONE_HOT, X, True],
        np.log1p(np.exp(X)) - X * ONE_HOT,
    ),
    "cast": ([X, "int32"], X.astype(int)),
    "categorical_crossentropy": ([ONE_HOT, P], -LOG_P[np.arange(4), LABELS]),
    "categorical_crossentropy logits": ([ONE_HOT, X, True], -LOG_P[np.arange(4), LABELS]),
    "clip": ([X, -0.5, 0.5], np.clip(X, -0.5, 0.5)),
    "concatenate": ([[X, Z]], np.concatenate([X, Z], -1)),
    "constant": ([3], 3.0),
    "constant of a shape": ([3, None, (2, 2)], np.full((2, 2), 3.0)),
    "count_params": ([X], 24),
    "dot": ([X, Z.T], X @ Z.T),
    "dot of three axes": ([IMAGES[0], KERNEL[0, 0]], IMAGES[0] @ KERNEL[0, 0]),
    "dropout": ([X, 0.0], X),
    "elu": ([X, 0.5], np.where(X > 0, X, 0.5 * np.expm1(X))),
    "equal": ([LABELS, 2], LABELS == 2),
    "eval": ([X], X),
    "exp": ([X], np.exp(X)),
    "expand_dims": ([X], X[..., None]),
    "flatten": ([X], X.ravel()),
    "get_value": ([X], X),
    "greater": ([X, Z], X > Z),
    "greater_equal": ([LABELS, 2], LABELS >= 2),
    "l2_normalize": ([X], X / np.sqrt((X**2).sum())),
    "less": ([X, Z], X < Z),
    "less_equal": ([LABELS, 2], LABELS <= 2),
    "log": ([P], np.log(P)),
    "max": ([X, 1], X.max(1)),
    "maximum": ([X, Z], np.maximum(X, Z)),
    "mean": ([X, -1, True], X.mean(-1, keepdims=True)),
    "min": ([X], X.min()),
    "minimum": ([X, Z], np.minimum(X, Z)),
    "ndim": ([IMAGES], 4),
    "not_equal": ([LABELS, 2], LABELS != 2),
    "one_hot": ([LABELS, 6], ONE_HOT),
    "ones": ([(2, 3)], np.ones((2, 3))),
    "ones_like": ([keras.convert_to_tensor(X)], np.ones((4, 6))),
    "permute_dimensions": ([IMAGES, (0, 3, 1, 2)], IMAGES.transpose(0, 3, 1, 2)),
    "pow": ([P, 2.5], P**2.5),
    "relu": ([X], np.maximum(X, 0)),
    "relu of all settings": ([9 * X, 0.1, 6, 1.0], None),
    "reshape": ([X, (2, -1)], X.reshape(2, 12)),
    "shape": ([IMAGES], IMAGES.shape),
    "int_shape": ([IMAGES], IMAGES.shape),
    "sigmoid": ([X], sigmoid(X)),
    "sign": ([X], np.sign(X)),
    "softmax": ([X], P),
    "softplus": ([X], np.log1p(np.exp(X))),
    "softsign": ([X], X / (1 + np.abs(X))),
    "sparse_categorical_crossentropy": ([LABELS, P], -LOG_P[np.arange(4), LABELS]),
    "sqrt": ([P], np.sqrt(P)),
    "square": ([X], X**2),
    "squeeze": ([X[:, None], 1], X),
    "stack": ([[X, Z]], np.stack([X, Z])),
    "std": ([X, 0], X.std(0)),
    "sum": ([X, (0, 1)], X.sum()),
    "switch": ([X[:, 0] > 0, X, Z], np.where(X[:, :1] > 0, X, Z)),
    "switch of functions": ([X > 0, lambda: X, lambda: 0.0 * X], np.maximum(X, 0)),
    "tanh": ([X], np.tanh(X)),
    "transpose": ([X], X.T),
    "var": ([X, 1], X.var(1)),
    "variable": ([LABELS], LABELS),
    "where": ([X > 0, X, Z], np.where(X > 0, X, Z)),
    "zeros": ([3], np.zeros(3)),
    "zeros_like": ([keras.convert_to_tensor(X)], np.zeros((4, 6))),
}
# Tested on their own below, or in test_config's place: settings of the process.
APART = """
    backend clear_session dtype epsilon floatx image_data_format is_float_dtype is_int_dtype
    is_keras_tensor random_normal random_uniform set_epsilon set_floatx set_image_data_format
    set_value standardize_dtype update update_add update_sub
""".split()
WINDOWS = {
    "conv2d": lambda: keras.ops.conv2d(IMAGES, KERNEL, strides=2, padding="same"),
    "depthwise_conv2d": lambda: keras.ops.depthwise_conv2d(IMAGES, KERNEL),
    "max_pool2d": lambda: keras.ops.max_pool2d(IMAGES, 2),
    "max_pool": lambda: keras.ops.max_pool2d(IMAGES, (3, 2), (1, 2), "same"),
    "avg_pool2d": lambda: keras.ops.average_pool2d(IMAGES, 2, 2, "same"),
    "avg_pool": lambda: keras.ops.average_pool2d(IMAGES, (3, 2), 2),
    "relu of all settings": lambda: keras.ops.relu(9 * X, 0.1, 6, 1.0),
}


def test_every_name_has_a_row():
    assert {name.split()[0] for name in NN} == set(nn.__all__)
    assert {name.split()[0] for name in BACKEND} | set(APART) == set(K.__all__)


@pytest.mark.parametrize("module", [keras.ops, nn, K])
def test_public_names_are_functions(module):
    assert all(inspect.isfunction(getattr(module, name)) for name in module.__all__)


@pytest.mark.parametrize("given", ["array", "list", "tensor"])
@pytest.mark.parametrize(
    "module, name", [*((nn, name) for name in NN), *((K, name) for name in BACKEND)]
)
def test_function_of_arrays_lists_and_tensors_is_that_of_numpy(module, name, given, real):
    arguments, want = (NN if module is nn else BACKEND)[name]
    kinds = {"array": lambda a: a, "list": np.ndarray.tolist, "tensor": keras.convert_to_tensor}
    got = getattr(module, name.split()[0])(
        *(kinds[given](a) if isinstance(a, np.ndarray) else a for a in arguments)
    )
    if name == "moments":
        mean, variance = got
        np.testing.assert_allclose(mean, X.mean(0), rtol=1e-5, atol=1e-6)
        got, want = variance, X.var(0)
    elif name in WINDOWS:
        want = WINDOWS[name]().numpy()
    tolerance = 2e-5 if real == "float32" or name.startswith("l2_n") else 1e-12
    assert np.shape(got) == np.shape(want)
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "leaky_relu", "softmax"])
def test_result_can_be_plotted_and_used_by_numpy(name):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    x = np.linspace(-10, 10, 100)
    y = getattr(nn, name)(x)
    figure, axes = pyplot.subplots()
    (line,) = axes.plot(x, y)
    assert np.array_equal(np.asarray(line.get_ydata()), y.numpy())
    axes.plot(y)
    assert axes.hist(y, 7)[0].sum() == 100
    axes.scatter(x, y)
    figure.canvas.draw()
    pyplot.close(figure)
    assert np.asarray(y).shape == (100,) and np.mean(y) == y.numpy().mean()
    assert list(map(float, y)) == y.numpy().tolist()


def test_own_activation_of_backend_functions_can_be_trained_and_kept_in_a_functional_model():
    def relu6(x):
        return K.relu(x, max_value=6)

    for build in (
        lambda: keras.Sequential([layers.Input((6,)), layers.Dense(8, relu6), layers.Dense(1)]),
        lambda: keras.Model(
            x := layers.Input((6,)), layers.Dense(1)(nn.relu(K.dot(x, np.eye(6)))[:, :4])
        ),
    ):
        keras.utils.set_random_seed(0)
        model = build()
        model.compile("sgd", "mse")
        first, *_, last = model.fit(X, Z[:, :1], epochs=10, verbose=0).history["loss"]
        assert last < first


class Noisy(keras.Model):
    """`nn.dropout` in a model of one's own."""

    def __init__(self, seed=None):
        super().__init__()
        self.seed = seed

    def call(self, x):
        return nn.dropout(x, 0.5, seed=self.seed)


@pytest.mark.parametrize("seed", [None, 3])
def test_dropout_draws_other_masks_at_each_step_of_a_plan(seed):
    ones = np.ones((64, 50))
    some = Noisy(seed).predict(ones, batch_size=32, verbose=0)
    assert set(np.unique(some)) == {0.0, 2.0} and abs(some.mean() - 1) < 0.1
    assert not np.array_equal(some[:32], some[32:])


def test_dropout_on_a_symbol_draws_at_each_call():
    x = layers.Input((50,))
    model = keras.Model(x, nn.dropout(x, 0.5))
    a, b = (model(np.ones((20, 50))).numpy() for _ in range(2))
    assert set(np.unique(a)) == {0.0, 2.0} and not np.array_equal(a, b)


def test_dropout_follows_seeds_and_noise_shape():
    ones = np.ones((30, 4))
    assert arrays_equal(*([nn.dropout(ones, 0.5, seed=s).numpy()] for s in (1, 1)))
    assert not np.array_equal(nn.dropout(ones, 0.5, seed=1), nn.dropout(ones, 0.5, seed=2))
    assert not np.array_equal(nn.dropout(ones, 0.5), nn.dropout(ones, 0.5))
    keras.utils.set_random_seed(1)
    a = nn.dropout(ones, 0.5)
    keras.utils.set_random_seed(1)
    assert np.array_equal(a, nn.dropout(ones, 0.5))
    rows = nn.dropout(ones, 0.5, noise_shape=(30, 1)).numpy()
    assert (rows == rows[:, :1]).all() and len(np.unique(rows)) == 2


def test_random_numbers_of_the_backend():
    normal = K.random_normal((200, 100), mean=2.0, stddev=0.5, seed=1).numpy()
    assert abs(normal.mean() - 2) < 0.02 and abs(normal.std() - 0.5) < 0.02
    uniform = K.random_uniform((200, 100), -1.0, 3.0).numpy()
    assert uniform.min() >= -1 and uniform.max() < 3 and abs(uniform.mean() - 1) < 0.05
    assert np.array_equal(K.random_normal((3,), seed=1), K.random_normal((3,), seed=1))


def test_variables_of_the_backend_are_read_and_written():
    v = K.variable([1.0, 2.0])
    K.set_value(v, [3.0, 4.0])
    K.update_add(v, [1.0, 1.0])
    K.update_sub(v, [0.0, 2.0])
    assert K.get_value(v).tolist() == [4.0, 3.0] and K.dtype(v) == "float32"
    K.update(v, v * 2.0)
    assert K.eval(v).tolist() == [8.0, 6.0]
    K.clear_session()


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: nn.conv2d(IMAGES, KERNEL, [2, 1, 1, 1], "SAME"),
            r"strides: expected .* \[2, 1, 1, 1\]",
        ),
        (
            lambda: nn.max_pool2d(IMAGES, [1, 2, 3], 1, "SAME"),
            r"ksize: expected .* got \[1, 2, 3\]",
        ),
        (lambda: nn.conv2d(IMAGES, KERNEL, 1, "SAME", "NCHW"), "'NHWC', got 'NCHW'"),
        (lambda: nn.avg_pool2d(IMAGES, 2, 2, "FULL"), "'valid' or 'same', got 'full'"),
        (lambda: nn.dropout(X, 1.0), r"rate: expected a number in \[0, 1\), got 1.0"),
        (lambda: K.categorical_crossentropy(P, P, axis=0), "last axis, got axis 0"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
