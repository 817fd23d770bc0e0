"""Losses against their formulas in float64 NumPy: values, reductions, extremes, errors."""

import pickle

import numpy as np
import pytest
from loss_formulas import (
    CASES,
    EPSILON,
    LABELS,
    LOGITS,
    TARGETS,
    VALUES,
    YES,
    L,
    N,
    P,
    Q,
    one_hot,
)
from sklearn import metrics as sk

import nnlite as keras
from nnlite import layers, losses, ops

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
        (lambda: losses.MeanAbsoluteError()([[0, 1], [0, 0]], [[1, 1], [1, 0]]), 0.5),
    ],
)
def test_golden_values(value, expected):
    assert value().item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_loss_is_found_by_name_class_instance_and_config(name):
    cls = getattr(losses, name)
    snake = keras.configurable.snake_case(name)
    config = {"class_name": name, "config": cls().get_config()}
    found = [losses.get(x) for x in (name, cls, cls(), config)]
    assert all(type(x) is cls for x in found)
    assert {x.name for x in found} == {"huber_loss" if name == "Huber" else snake}
    assert losses.get(snake) is getattr(losses, snake)
    model = keras.Sequential([keras.layers.Dense(2, input_shape=(3,))])
    for identifier in (snake, getattr(losses, snake)):
        model.compile("sgd", identifier)
        assert model.loss == cls()


def test_no_loss_is_no_loss():
    assert losses.get(None) is None


@pytest.mark.parametrize(
    "alias, cls",
    [
        *(("mse", "MeanSquaredError"), ("mae", "MeanAbsoluteError"), ("bce", "BinaryCrossentropy")),
        *(("mape", "MeanAbsolutePercentageError"), ("msle", "MeanSquaredLogarithmicError")),
        *(("kld", "KLDivergence"), ("logcosh", "LogCosh"), ("pinball", "Quantile")),
        *(("kullback_leibler_divergence", "KLDivergence"), ("huber_loss", "Huber")),
    ],
)
def test_short_names_are_known_in_capitals_too(alias, cls):
    assert losses.get(alias) is losses.get(alias.upper()) is getattr(losses, cls).function


@pytest.mark.parametrize("name, y_true, y_pred, arguments, expected", CASE_LIST)
def test_function_of_a_loss_gives_one_value_for_each_sample(
    name, y_true, y_pred, arguments, expected
):
    function = getattr(losses, keras.configurable.snake_case(name))
    got = function(y_true, y_pred, **arguments).numpy()
    np.testing.assert_allclose(got, expected, **CLOSE["float32"])


@pytest.mark.parametrize("name, y_true, y_pred, arguments, expected", CASE_LIST)
def test_gradient_is_the_slope_of_the_loss(name, y_true, y_pred, arguments, expected):
    with keras.config.precision("float64"):
        loss, at = getattr(losses, name)(**arguments), np.array(y_pred)
        x = keras.Variable(at)
        with keras.GradientTape() as tape:
            value = loss(y_true, x)
        direction = np.random.default_rng(5).normal(size=at.shape)
        slope = (tape.gradient(value, x).numpy() * direction).sum()
        step = 1e-6
        ends = [loss(y_true, at + sign * step * direction).item() for sign in (1, -1)]
    assert slope == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    "name", [n for n in CASES if n not in ("Circle", "CategoricalHinge", "CTC")]
)
def test_gradients_are_finite_where_outputs_are_0_or_1_or_the_targets(name, real):
    of_labels = "Sparse" in name or "Generalized" in name
    y = [0, 1] if of_labels else [[0, 1, 0, 1], [0, 0, 1, 1]]
    for outputs in ([[0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 1.0, 1.0]], [[0.0, 0.0, 0.0, 1.0]] * 2):
        for settings in ({}, {"gamma": 0.0}, {"gamma": 0.5}):
            if settings and "Focal" not in name:
                continue
            p = keras.Variable(outputs)
            with keras.GradientTape() as tape:
                value = getattr(losses, name)(**settings)(y, p)
            assert np.isfinite(value.item())
            assert np.isfinite(tape.gradient(value, p).numpy()).all()


@pytest.mark.parametrize("name", ["MeanAbsoluteError", "Huber", "LogCosh", "Quantile"])
def test_huge_errors_cost_no_more_than_their_size_and_pull_with_a_bounded_force(name, isa):
    p = keras.Variable([[3e38], [-3e38], [np.inf], [0.0]])
    with keras.GradientTape() as tape:
        values = getattr(losses, name)(reduction="none")([[0.0]] * 4, p)
    assert np.isfinite(values.numpy()[:2]).all() and values.numpy()[3] == 0
    slopes = tape.gradient(values, p).numpy()[:, 0]
    unit = 0.5 if name == "Quantile" else 1
    assert slopes[:3].tolist() == [unit, -unit, unit] and abs(slopes[3]) <= unit / 2


def test_gradient_of_cosine_similarity_is_finite_at_zero():
    x = keras.Variable(np.zeros((2, 3)))
    with keras.GradientTape() as tape:
        loss = losses.CosineSimilarity()([[1.0, 0, 0], [0, 0, 0]], x)
    assert loss.item() == 0 and np.isfinite(tape.gradient(loss, x).numpy()).all()


def test_golden_values_on_plain_lists_and_integer_targets():
    y_true, y_pred = [[0], [1]], [[0.6], [0.4]]
    for name, expected in {"BCE": 0.91629073, "mae": 0.6, "huber": 0.18, "mse": 0.36}.items():
        found = losses.get(name)(y_true, y_pred).numpy()
        assert found == pytest.approx(np.full(2, expected), abs=2e-7)


def test_quantile_loss_is_scikit_learns_pinball_loss():
    for q in (0.05, 0.5, 0.9):
        expected = sk.mean_pinball_loss(VALUES, Q, alpha=q)
        assert losses.Pinball(q)(VALUES, Q).item() == pytest.approx(expected, rel=1e-6)
    weight = np.linspace(0, 1, N)
    got = losses.Quantile(0.8, reduction="mean_with_sample_weight")(VALUES, Q, weight)
    expected = sk.mean_pinball_loss(VALUES, Q, alpha=0.8, sample_weight=weight)
    assert got.item() == pytest.approx(expected, rel=1e-6)


def test_ignored_class_has_no_loss_no_gradient_and_no_part_in_the_mean():
    y = LABELS.copy()
    y[::3] = -1
    kept, z = y >= 0, keras.Variable(LOGITS)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    with keras.GradientTape() as tape:
        value = loss(y, z)
    plain = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert value.item() == pytest.approx(plain(y[kept], LOGITS[kept]).item(), rel=1e-6)
    slopes = tape.gradient(value, z).numpy()
    assert (slopes[~kept] == 0).all() and (slopes[kept] != 0).all()
    weight = np.linspace(0, 1, N)
    each = plain.call(y[kept], LOGITS[kept]).numpy() * weight[kept]
    for reduction, expected in (
        ("sum_over_batch_size", each.sum() / kept.sum()),
        ("sum", each.sum()),
        ("mean_with_sample_weight", each.sum() / weight[kept].sum()),
    ):
        loss.reduction = reduction
        assert loss(y, LOGITS, weight).item() == pytest.approx(expected, rel=1e-5)
    assert loss(np.full(N, -1), LOGITS).item() == 0
    loss.check_targets(y, (None, L))
    with pytest.raises(ValueError, match=r"expected labels in \[0, 5\).*got -2"):
        loss.check_targets(y - 1, (None, L))


def test_model_is_trained_with_an_ignored_class():
    x, y = np.eye(4, dtype="float32"), np.array([0, 255, 1, 255])
    model = keras.Sequential([layers.Dense(2, activation="softmax", input_shape=(4,))])
    model.compile("sgd", losses.SparseCategoricalCrossentropy(ignore_class=255))
    before = model.get_weights()[0]
    model.fit(x, y, verbose=0)
    moved = np.abs(model.get_weights()[0] - before).max(axis=1) > 0
    assert moved.tolist() == [True, False, True, False]


def test_overlap_of_the_whole_batch_is_one_number():
    expected = 1 - 2 * (YES * Q).sum() / (YES + Q).sum()
    values = losses.dice(YES, Q)
    assert values.shape == () and values.item() == pytest.approx(expected, rel=1e-5)
    assert losses.Tversky()(YES, Q).item() == pytest.approx(expected, rel=1e-5)
    weighted = losses.Dice()(YES, Q, sample_weight=np.linspace(0, 1, N)).item()
    assert weighted == pytest.approx(expected / 2, rel=1e-5)


def test_circle_loss_compares_with_references():
    with_itself = losses.circle(LABELS, LOGITS, gamma=2.0).numpy()
    with_copies = losses.circle(LABELS, LOGITS, LABELS, LOGITS, gamma=2.0).numpy()
    assert np.array_equal(with_itself, with_copies)
    others = losses.circle(LABELS, P, LABELS[:9], Q[:9], remove_diagonal=False)
    assert others.shape == (N,)
    alone = losses.circle([0, 1], np.eye(2)).numpy()  # no pair of one class
    assert alone.tolist() == [0, 0]
    assert losses.Circle()([0, 1], np.eye(2)).item() == 0


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize("name", [n for n in CASES if "ategorical" in n and "entropy" in n])
def test_classes_may_lie_along_any_axis(name, axis):
    rng = np.random.default_rng(0)
    p, y = rng.random((3, 4, L)), rng.random((3, 4, L))
    labels = rng.integers(0, L, (3, 4))
    function = getattr(losses, keras.configurable.snake_case(name))
    target = labels if "sparse" in function.__name__ else np.moveaxis(y, -1, axis)
    got = function(target, np.moveaxis(p, -1, axis), axis=axis).numpy()
    expected = function(labels if "sparse" in function.__name__ else y, p).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    with pytest.raises(ValueError, match="y_pred: expected an axis 3"):
        function(target, np.moveaxis(p, -1, axis), axis=3)


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

    assert losses.get(cubic) is cubic
    loss = losses.LossFunctionWrapper(cubic)
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
        ("Huber", {"delta": 0.5, "reduction": "none"}),
        ("Quantile", {"quantile": (0.1, 0.9)}),
        ("Tversky", {"alpha": 0.3, "axis": (1, 2), "name": "overlap"}),
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
        (lambda: losses.get("nope"), r"unknown loss 'nope'; known: bce, binary_.*mse"),
        (
            lambda: losses.MeanSquaredError(reduction="half")(VALUES, Q),
            r"MeanSquaredError: reduction: expected 'sum_over.*'half'",
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
            r"sample_weight: expected a shape that fits \(64, 5\), got \(64, 2\)",
        ),
        (
            lambda: losses.CategoricalCrossentropy(label_smoothing=2)(TARGETS, P),
            r"CategoricalCrossentropy: label_smoothing: expected a number in \[0, 1\], got 2",
        ),
        (lambda: losses.Quantile(1.0)(VALUES, Q), r"quantile: expected numbers between 0 and 1"),
        (lambda: losses.Quantile([0.1, 0.9])(VALUES, Q), r"quantile: expected one .* 5 outputs"),
        (
            lambda: losses.Dice()(VALUES[:, :2], Q),
            r"dice: expected targets of shape \(64, 5\), got \(64, 2\)",
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


@pytest.mark.parametrize("delta", [0, -1.0, float("nan")])
def test_huber_refuses_a_delta_that_is_not_positive(delta):
    with pytest.raises(ValueError, match=r"Huber: delta: expected a number in \(0, inf\], got"):
        losses.Huber(delta)
    with pytest.raises(ValueError, match=r"huber: delta: expected a number in \(0, inf\], got"):
        losses.huber([[0.0]], [[1.0]], delta)


@pytest.mark.parametrize("nothing", [None, "low", {"loss": 1.0}])
def test_a_function_that_returns_no_values_is_refused_as_loss_and_as_metric(nothing):
    wrong = losses.LossFunctionWrapper(lambda y, p: nothing, name="mine")
    with pytest.raises(TypeError, match="loss 'mine': expected its function to return one value"):
        wrong([1.0], [2.0])
    measured = keras.metrics.MeanMetricWrapper(lambda y, p: nothing, name="mine")
    with pytest.raises(TypeError, match="metric 'mine': expected its function to return one"):
        measured.update_state([1.0], [2.0])
