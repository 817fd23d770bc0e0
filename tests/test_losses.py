"""Losses against their formulas in float64 NumPy: values, reductions, extremes, errors."""

import pickle

import numpy as np
import pytest

import nnlite as keras
from nnlite import layers, losses, ops

RNG = np.random.default_rng(0)
N, L = 64, 5
EPSILON = 1e-7


def probabilities(shape=(N, L)):
    p = RNG.random(shape) + 0.05
    return p / p.sum(-1, keepdims=True)


def one_hot(labels, classes=L):
    return np.eye(classes)[labels]


LABELS = RNG.integers(0, L, N)
P = probabilities()
TARGETS = probabilities()
LOGITS = RNG.normal(size=(N, L)) * 3
YES = RNG.integers(0, 2, (N, L))
Q = RNG.random((N, L)) * 0.98 + 0.01
VALUES = RNG.normal(size=(N, L))


def clipped(p):
    return np.clip(p, EPSILON, 1 - EPSILON)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def cce(t, p, smoothing=0.0):
    t = t * (1 - smoothing) + smoothing / t.shape[-1]
    return -(t * np.log(clipped(p / p.sum(-1, keepdims=True)))).sum(-1)


def bce(t, p, smoothing=0.0):
    t, p = t * (1 - smoothing) + smoothing / 2, clipped(p)
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(-1)


# name of the class: (targets, outputs, arguments, one value for each sample)
CASES = {
    "CategoricalCrossentropy": [
        (TARGETS, P, {}, cce(TARGETS, P)),
        (one_hot(LABELS), 3 * P, {}, cce(one_hot(LABELS), P)),
        (TARGETS, LOGITS, {"from_logits": True}, cce(TARGETS, softmax(LOGITS))),
        (TARGETS, P, {"label_smoothing": 0.2}, cce(TARGETS, P, 0.2)),
        (
            one_hot(LABELS),
            LOGITS,
            {"from_logits": True, "label_smoothing": 0.1},
            cce(one_hot(LABELS), softmax(LOGITS), 0.1),
        ),
    ],
    "SparseCategoricalCrossentropy": [
        (LABELS, P, {}, -np.log(P[np.arange(N), LABELS])),
        (LABELS[:, None], P, {}, -np.log(P[np.arange(N), LABELS])),
        (LABELS.astype("float32"), P, {}, -np.log(P[np.arange(N), LABELS])),
        (LABELS.astype("uint8"), P, {}, -np.log(P[np.arange(N), LABELS])),
        (LABELS.tolist(), P.tolist(), {}, -np.log(P[np.arange(N), LABELS])),
        (LABELS, LOGITS, {"from_logits": True}, -np.log(softmax(LOGITS)[np.arange(N), LABELS])),
    ],
    "BinaryCrossentropy": [
        (YES, Q, {}, bce(YES, Q)),
        (YES[:, :1], Q[:, :1], {}, bce(YES[:, :1], Q[:, :1])),
        (YES[:, 0], Q[:, :1], {}, bce(YES[:, :1], Q[:, :1])),
        (YES.astype(bool), Q, {}, bce(YES, Q)),
        (YES.tolist(), Q.tolist(), {}, bce(YES, Q)),
        (YES, LOGITS, {"from_logits": True}, bce(YES, sigmoid(LOGITS))),
        (YES, Q, {"label_smoothing": 0.3}, bce(YES, Q, 0.3)),
        (
            YES,
            LOGITS,
            {"from_logits": True, "label_smoothing": 0.3},
            bce(YES, sigmoid(LOGITS), 0.3),
        ),
    ],
    "MeanSquaredError": [
        (VALUES, Q, {}, ((VALUES - Q) ** 2).mean(-1)),
        (VALUES[:, 0], Q[:, :1], {}, (VALUES[:, 0] - Q[:, 0]) ** 2),
        (VALUES[:, :1], Q, {}, ((VALUES[:, :1] - Q) ** 2).mean(-1)),
        (YES.tolist(), Q.tolist(), {}, ((YES - Q) ** 2).mean(-1)),
    ],
}
CASE_LIST = [
    pytest.param(name, *case, id=f"{name}-{k}")
    for name, c in CASES.items()
    for k, case in enumerate(c)
]
CLOSE = {"float32": {"rtol": 2e-6, "atol": 1e-6}, "float64": {"rtol": 1e-13, "atol": 1e-14}}


def test_every_loss_has_a_case():
    assert {c.__name__ for c in losses._BY_NAME.values()} == set(CASES)


@pytest.mark.parametrize("name, y_true, y_pred, arguments, expected", CASE_LIST)
def test_loss_is_its_formula(name, y_true, y_pred, arguments, expected, real):
    loss = getattr(losses, name)(**arguments)
    values = loss.call(y_true, y_pred)
    assert values.dtype == real and values.shape == (N,)
    np.testing.assert_allclose(values.numpy(), expected, **CLOSE[real])
    np.testing.assert_allclose(loss(y_true, y_pred).item(), expected.mean(), **CLOSE[real])


@pytest.mark.parametrize("name, y_true, y_pred, arguments, expected", CASE_LIST)
def test_reductions_and_sample_weights_follow_keras(
    name, y_true, y_pred, arguments, expected, real
):
    weight = np.random.default_rng(1).random(N) + 0.1
    for reduction, want in {
        "sum_over_batch_size": (weight * expected).sum() / N,
        "mean": (weight * expected).sum() / N,
        "sum": (weight * expected).sum(),
        "mean_with_sample_weight": (weight * expected).sum() / weight.sum(),
        "none": weight * expected,
        None: weight * expected,
    }.items():
        loss = getattr(losses, name)(reduction=reduction, **arguments)
        for w in (weight, weight[:, None], weight.tolist()):
            got = loss(y_true, y_pred, sample_weight=w).numpy()
            np.testing.assert_allclose(got, want, **CLOSE[real], err_msg=str(reduction))


@pytest.mark.parametrize(
    "value, expected",
    [
        (
            lambda: losses.CategoricalCrossentropy()(
                [[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]
            ),
            1.17693925,
        ),
        (lambda: losses.BinaryCrossentropy()([[0], [1]], [[0.4], [0.6]]), 0.51082557),
        (
            lambda: losses.MeanSquaredError()([[0.0, 1.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 0.0]]),
            0.5,
        ),
    ],
)
def test_golden_values(value, expected):
    assert value().item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_loss_is_found_by_class_name_snake_case_class_and_instance(name):
    cls = getattr(losses, name)
    snake = keras.config.snake_case(name)
    found = [losses.get(x) for x in (name, snake, cls, cls())]
    assert all(type(x) is cls for x in found) and {x.name for x in found} == {snake}


def test_mse_is_mean_squared_error():
    assert losses.get("mse") == losses.get("mean_squared_error") == losses.MeanSquaredError()


@pytest.mark.parametrize("name", CASES)
def test_function_of_a_loss_gives_one_value_for_each_sample(name):
    function = getattr(losses, keras.config.snake_case(name))
    y_true, y_pred, arguments, expected = CASES[name][0]
    np.testing.assert_allclose(function(y_true, y_pred, **arguments).numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "activation, name, y",
    [
        ("softmax", "SparseCategoricalCrossentropy", LABELS),
        ("softmax", "CategoricalCrossentropy", TARGETS),
        ("sigmoid", "BinaryCrossentropy", YES),
    ],
)
def test_loss_of_an_output_layer_equals_the_probability_path_and_the_logits_path(
    activation, name, y, real
):
    z = keras.convert_to_tensor(LOGITS)
    output = getattr(ops, activation)(z)
    cls = getattr(losses, name)
    through_logits = cls()(y, output).item()
    through_probabilities = cls()(y, output.numpy()).item()
    from_logits = cls(from_logits=True)(y, z).item()
    assert through_logits == from_logits
    assert through_logits == pytest.approx(
        through_probabilities, rel=1e-5 if real == "float32" else 1e-12
    )


@pytest.mark.parametrize(
    "activation, name, y",
    [
        ("softmax", "SparseCategoricalCrossentropy", LABELS),
        ("softmax", "CategoricalCrossentropy", TARGETS),
        ("sigmoid", "BinaryCrossentropy", YES),
    ],
)
def test_from_logits_does_not_apply_an_activation_twice_as_in_keras(activation, name, y):
    output = getattr(ops, activation)(LOGITS)
    cls = getattr(losses, name)
    assert cls(from_logits=True)(y, output).item() == cls()(y, output).item()


@pytest.mark.parametrize("form", ["Dense", "Activation"])
def test_softmax_layer_hands_its_logits_to_the_loss(form):
    # exp(-200) is 0 in float32: through probabilities the loss would be clipped at 16.1.
    model = keras.Sequential(
        [layers.Dense(2, "softmax", kernel_initializer="ones", input_shape=(1,))]
        if form == "Dense"
        else [
            layers.Dense(2, kernel_initializer="ones", input_shape=(1,)),
            layers.Activation("softmax"),
        ]
    )
    model.set_weights([np.array([[0.0, 200.0]]), np.zeros(2)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert model.evaluate([[1.0]], [0]) == pytest.approx(200, rel=1e-6)


EXTREME = np.array([[1e4, -1e4, 0.0], [-1e30, 1e30, 0.0], [88.0, -88.0, 710.0], [0.0, 0.0, 0.0]])


@pytest.mark.parametrize(
    "name, y",
    [
        ("SparseCategoricalCrossentropy", [0, 1, 2, 2]),
        ("CategoricalCrossentropy", np.eye(3)[[0, 1, 2, 2]]),
        ("BinaryCrossentropy", [[1, 0, 1], [0, 1, 0], [1, 0, 1], [0, 1, 1]]),
    ],
)
def test_extreme_logits_give_finite_losses_and_gradients(name, y, real, isa):
    z = keras.Variable(EXTREME)
    with keras.GradientTape() as tape:
        loss = getattr(losses, name)(from_logits=True)(y, z)
    assert np.isfinite(loss.item()) and loss.item() < 1
    assert np.isfinite(tape.gradient(loss, z).numpy()).all()


def test_wrong_extreme_logits_cost_their_distance():
    z = [[1e4, 0.0]]
    assert losses.SparseCategoricalCrossentropy(from_logits=True)([1], z).item() == 1e4
    assert losses.BinaryCrossentropy(from_logits=True)([[0]], [[1e4]]).item() == 1e4


def test_probabilities_of_0_and_1_stay_finite():
    p = [[0.0, 1.0], [1.0, 0.0]]
    worst = -np.log(EPSILON)
    assert losses.CategoricalCrossentropy()([[1, 0], [1, 0]], p).item() == pytest.approx(
        worst / 2, rel=1e-4
    )
    assert losses.SparseCategoricalCrossentropy()([0, 0], p).item() == pytest.approx(
        worst / 2, rel=1e-4
    )
    # log(1 - p) of the clipped p: 1 - 1e-7 is rounded in float32.
    assert losses.BinaryCrossentropy()([[1, 0], [1, 0]], p).item() == pytest.approx(
        worst / 2, rel=0.02
    )


def test_one_loss_for_each_of_several_axes():
    p, y = P[:12].reshape(4, 3, L), LABELS[:12].reshape(4, 3)
    expected = -np.log(np.take_along_axis(p, y[..., None], -1)[..., 0])
    got = losses.sparse_categorical_crossentropy(y, p)
    assert got.shape == (4, 3)
    np.testing.assert_allclose(got.numpy(), expected, rtol=1e-5)
    weight = np.array([1.0, 2.0, 0.0, 1.0])
    weighted = losses.SparseCategoricalCrossentropy()(y, p, sample_weight=weight).item()
    assert weighted == pytest.approx((expected * weight[:, None]).sum() / 12, rel=1e-5)


def test_function_of_ones_own_is_a_loss():
    def cubic(y_true, y_pred):
        return ops.mean(ops.abs(y_true - y_pred) ** 3.0, axis=-1)

    loss = losses.get(cubic)
    assert loss.name == "cubic"
    expected = (np.abs(VALUES - Q) ** 3).mean()
    assert loss(VALUES, Q).item() == pytest.approx(expected, rel=1e-5)


def test_loss_of_ones_own_class_needs_call():
    class Half(losses.Loss):
        def call(self, y_true, y_pred):
            return 0.5 * losses.mean_squared_error(y_true, y_pred)

    expected = 0.5 * ((VALUES - Q) ** 2).mean()
    assert Half()(VALUES, Q).item() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(TypeError, match="must define call"):
        losses.Loss()(VALUES, Q)


@pytest.mark.parametrize(
    "name, arguments",
    [
        ("CategoricalCrossentropy", {"label_smoothing": 0.1}),
        ("SparseCategoricalCrossentropy", {"from_logits": True}),
        ("BinaryCrossentropy", {"from_logits": True, "reduction": "sum"}),
        ("MeanSquaredError", {"name": "distance"}),
    ],
)
def test_loss_round_trips_through_config_and_pickle(name, arguments):
    loss = getattr(losses, name)(**arguments)
    assert type(loss).from_config(loss.get_config()) == loss == pickle.loads(pickle.dumps(loss))
    assert loss != type(loss)() and hash(loss) == hash(type(loss)(**arguments))
    assert repr(loss) == f"{name}({', '.join(f'{k}={v!r}' for k, v in arguments.items())})"


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: losses.get("nope"), r"unknown loss 'nope'; known: binary_crossentropy, .*mse"),
        (
            lambda: losses.MeanSquaredError(reduction="half")(VALUES, Q),
            r"expected a reduction of sum_over.*'half'",
        ),
        (
            lambda: losses.MeanSquaredError()(VALUES[:, :2], Q),
            r"mean_squared_error: expected targets of shape \(64, 5\), got \(64, 2\)",
        ),
        (
            lambda: losses.CategoricalCrossentropy()(LABELS, P),
            r"expected targets of shape \(64, 5\), got \(64,\); integer labels go with sparse_",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy()(one_hot(LABELS), P),
            r"expected labels of shape \(64,\) .*got \(64, 5\); one-hot rows go with categorical_",
        ),
        (
            lambda: losses.BinaryCrossentropy()(YES, Q[:, :2]),
            r"binary_crossentropy: expected targets of shape \(64, 2\), got \(64, 5\)",
        ),
        (
            lambda: losses.MeanSquaredError()(VALUES, Q, sample_weight=np.ones(3)),
            r"sample_weight: expected a shape that fits \(64,\), got \(3,\)",
        ),
        (
            lambda: losses.MeanSquaredError()(VALUES, Q, sample_weight=np.ones((N, 2))),
            r"sample_weight: expected a shape that fits \(64,\), got \(64, 2\)",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy()([0, 5], P[:2]),
            r"position 1 is out of range",
        ),
        (
            lambda: losses.SparseCategoricalCrossentropy()([0, -1], P[:2]),
            r"position 1 is out of range",
        ),
    ],
)
def test_what_does_not_fit_says_what_was_expected_and_what_came(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_loss_of_a_wrong_kind_is_a_type_error():
    with pytest.raises(TypeError, match=r"expected a loss, its name or a function, got 3"):
        losses.get(3)
