"""Optimizers against ten lines of NumPy over several steps, by hand and inside `fit`."""

import copy
import pickle

import numpy as np
import pytest
from cases_optimizers import RULES, SETTINGS

import nnlite as keras
from nnlite import layers, optimizers
from nnlite.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Muon,
    RMSprop,
    ScheduleFreeAdamW,
    schedules,
)

DEFAULTS = {SGD: 0.01, ScheduleFreeAdamW: 0.0025}
SHAPES = [(), (1,), (7, 5), (33,), (2, 3, 4)]
CLOSE = {"float32": {"rtol": 2e-6, "atol": 2e-6}, "float64": {"rtol": 1e-13, "atol": 1e-14}}


def clipped(gradients, clipnorm=None, clipvalue=None, global_clipnorm=None):
    """The gradients of one step, limited."""
    norms = [np.sqrt((g * g).sum()) for g in gradients]
    if clipvalue:
        return [np.clip(g, -clipvalue, clipvalue) for g in gradients]
    if global_clipnorm:
        norms = [np.sqrt(sum(n * n for n in norms))] * len(norms)
    most = clipnorm or global_clipnorm or np.inf
    return [g * min(1, most / n) for g, n in zip(gradients, norms)]


def one_step(cls, settings, weights, gradients, states, t, lr=None):
    """The weights after step t, each with a state of its own."""
    settings = {"lr" if k == "learning_rate" else k: v for k, v in settings.items()}
    if lr is not None:
        settings["lr"] = lr
    clips = {
        k: settings.pop(k) for k in ("clipnorm", "clipvalue", "global_clipnorm") if k in settings
    }
    decay = settings.pop("weight_decay", 0.004 if cls in (AdamW, Muon) else 0.0)
    decay *= settings.get("lr", float(cls().learning_rate))
    return [
        RULES[cls](w - w * decay, g, s, t, **settings)
        for w, g, s in zip(weights, clipped(gradients, **clips), states)
    ]


def expected_path(cls, settings, weights, gradients, rates=None):
    """The weights after each step."""
    states, path = [{} for _ in weights], []
    for t, step in enumerate(gradients, 1):
        rate = None if rates is None else rates[t - 1]
        weights = one_step(cls, settings, weights, step, states, t, rate)
        path.append(weights)
    return path


def problem(steps=6, seed=0):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=s) for s in SHAPES]
    return weights, [[rng.normal(size=s) for s in SHAPES] for _ in range(steps)]


def small_model(optimizer, seed=0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([layers.Dense(4, "tanh", input_shape=(3,)), layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


X = np.random.default_rng(1).normal(size=(24, 3)).astype("float32")
Y = X[:, :1] - X[:, 1:2] * X[:, 2:]


def arrays_equal(some, others):
    return len(some) == len(others) and all(np.array_equal(a, b) for a, b in zip(some, others))


def test_every_optimizer_has_a_rule_here():
    of_no_rule = {optimizers.LBFGS, optimizers.LossScaleOptimizer, optimizers.MultiOptimizer}
    rules = set(optimizers._BY_NAME.values()) - of_no_rule
    assert rules == set(RULES) == {cls for cls, _ in SETTINGS}


@pytest.mark.parametrize("cls, settings", SETTINGS)
def test_steps_follow_the_formula(cls, settings, real, isa):
    weights, gradients = problem()
    variables = [keras.Variable(w) for w in weights]
    optimizer = cls(**settings)
    for step, expected in zip(gradients, expected_path(cls, settings, weights, gradients)):
        optimizer.apply_gradients(zip(step, variables))
        for v, w in zip(variables, expected):
            assert v.dtype == real
            np.testing.assert_allclose(v.numpy(), w, **CLOSE[real])
    assert int(optimizer.iterations) == len(gradients)


@pytest.mark.parametrize("cls, settings", SETTINGS)
def test_fit_makes_the_same_steps_as_the_formula(cls, settings):
    model = small_model(cls(**settings))
    w1, b1, w2, b2 = (w.astype(float) for w in model.get_weights())
    states = [{} for _ in range(4)]
    for t in range(1, 7):
        rows = slice(0, 12) if t % 2 else slice(12, 24)
        x, y = X[rows].astype(float), Y[rows].astype(float)
        h = np.tanh(x @ w1 + b1)
        dy = 2 * (h @ w2 + b2 - y) / len(x)
        dh = dy @ w2.T * (1 - h * h)
        gradients = x.T @ dh, dh.sum(0), h.T @ dy, dy.sum(0)
        w1, b1, w2, b2 = one_step(cls, settings, (w1, b1, w2, b2), gradients, states, t)
    model.fit(X, Y, batch_size=12, epochs=3, shuffle=False, verbose=0)
    for got, want in zip(model.get_weights(), (w1, b1, w2, b2)):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "optimizer, gradients, expected",
    [
        (SGD(0.1), [0.5], [0.95]),
        (SGD(0.1, momentum=0.9), [0.5, 0.45125], [0.95, 0.859875]),
        (Adam(0.1), [0.5], [0.90000129]),
        (Adam(0.1), [1.0], [0.90000099]),
        (Adagrad(0.1), [0.5], [0.91548467]),
        (Adagrad(0.1), [1.0], [0.90465379]),
        (RMSprop(0.1), [0.5], [0.68377286]),
        (RMSprop(0.1), [1.0], [0.68377239]),
    ],
)
def test_golden_values(optimizer, gradients, expected):
    v = keras.Variable(1.0)
    for g, w in zip(gradients, expected):
        optimizer.apply_gradients([(g, v)])
        # Keras takes 1 - 0.999 in float32, 1.3e-5 of it off, and so stands 7e-7 away from Adam's
        # formula, which gives 0.90000032 for g = 1. Here that is computed in double.
        assert v.numpy() == pytest.approx(w, abs=1e-6 if type(optimizer) is Adam else 1.2e-7)


def test_documented_loop_that_passes_the_loss_for_a_gradient_runs():
    v, optimizer = keras.Variable(1.0), SGD(learning_rate=0.1, momentum=0.9)
    path = []
    for _ in range(2):
        with keras.GradientTape() as tape:
            loss = v**2 / 2.0
        assert tape.gradient(loss, v).numpy() == v.numpy()
        optimizer.apply_gradients([(loss, v)])
        path.append(v.numpy().item())
    assert path == pytest.approx([0.95, 0.85987496], abs=1e-7)


@pytest.mark.parametrize("cls, default", [(c, DEFAULTS.get(c, 0.001)) for c in RULES])
def test_learning_rate_has_its_default_and_two_names(cls, default):
    assert float(cls().learning_rate) == float(cls().lr) == default
    assert float(cls(lr=0.25).learning_rate) == float(cls(learning_rate=0.25).lr) == 0.25
    assert float(cls(0.25).lr) == 0.25


@pytest.mark.parametrize("cls", RULES)
@pytest.mark.parametrize("name", ["learning_rate", "lr"])
def test_learning_rate_can_be_changed_between_steps(cls, name, double):
    weights, gradients = problem(4)
    rates = [0.1, 0.1, 0.02, 0.3]
    variables, optimizer = [keras.Variable(w) for w in weights], cls(0.5)
    setattr(optimizer, name, 0.1)  # before anything was built
    for step, rate in zip(gradients, rates):
        setattr(optimizer, name, rate)
        assert float(optimizer.learning_rate) == pytest.approx(rate)
        optimizer.apply_gradients(zip(step, variables))
    for v, w in zip(variables, expected_path(cls, {}, weights, gradients, rates)[-1]):
        np.testing.assert_allclose(v.numpy(), w, **CLOSE["float64"])


def test_learning_rate_changed_by_a_callback_counts_from_the_next_batch_on():
    class Halve(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model.optimizer.learning_rate = 0.1 * 0.5**epoch

    model, again = small_model(SGD(0.1)), small_model(SGD(0.1))
    model.fit(X, Y, epochs=3, batch_size=12, shuffle=False, verbose=0, callbacks=Halve())
    for epoch in range(3):
        again.optimizer.lr = 0.1 * 0.5**epoch
        again.fit(X, Y, batch_size=12, shuffle=False, verbose=0)
    assert arrays_equal(model.get_weights(), again.get_weights())
    assert float(model.optimizer.learning_rate) == pytest.approx(0.025)


def test_gradients_may_be_tensors_arrays_lists_or_numbers():
    results = []
    for g in (keras.convert_to_tensor([0.5, 1.0]), np.array([0.5, 1.0]), [0.5, 1.0]):
        v = keras.Variable([1.0, 2.0])
        SGD(0.1).apply_gradients([(g, v)])
        results.append(v.numpy().tolist())
    assert results[0] == results[1] == results[2] == pytest.approx([0.95, 1.9])


def test_variables_may_join_later_and_start_with_empty_slots():
    a, b = keras.Variable(1.0), keras.Variable(1.0)
    optimizer = SGD(0.1, momentum=0.9)
    optimizer.apply_gradients([(1.0, a)])
    optimizer.apply_gradients([(1.0, a), (1.0, b)])
    assert a.numpy() == pytest.approx(0.71) and b.numpy() == pytest.approx(0.9)


@pytest.mark.parametrize(
    "pairs, error, message",
    [
        (
            lambda a, b: [(1.0, a), (1.0, b)],
            ValueError,
            r"gradient of shape \(2,\) for 'pair', got \(\)",
        ),
        (
            lambda a, b: [(1.0, a), ([1.0] * 3, b)],
            ValueError,
            r"shape \(2,\) for 'pair', got \(3,\)",
        ),
        (
            lambda a, b: [(1.0, a), (1.0, np.ones(2))],
            TypeError,
            r"expected float Variables .*got ndarray",
        ),
        (
            lambda a, b: [(1.0, a), (1, keras.Variable(3))],
            TypeError,
            r"float Variables .*one of int32",
        ),
        (lambda a, b: [(1.0, a), ("x", b)], TypeError, r"expected numbers"),
    ],
)
def test_pairs_that_do_not_fit_are_refused_before_anything_changes(pairs, error, message):
    a, b = keras.Variable(1.0), keras.Variable([1.0, 2.0], name="pair")
    optimizer = SGD(0.1)
    with pytest.raises(error, match=message):
        optimizer.apply_gradients(pairs(a, b))
    assert a.numpy() == 1.0 and b.numpy().tolist() == [1.0, 2.0]
    assert int(optimizer.iterations) == 0


@pytest.mark.parametrize("rate", [np.float32(0.25), np.float64(0.25), 1, np.int64(1)])
def test_numbers_of_any_type_are_learning_rates(rate):
    v = keras.Variable(1.0)
    SGD(rate).apply_gradients([(0.5, v)])
    assert v.numpy() == 1 - 0.5 * float(rate)


@pytest.mark.parametrize("cls", RULES)
def test_unknown_argument_is_a_type_error_that_lists_the_known_ones(cls):
    with pytest.raises(TypeError, match=rf"{cls.__name__}.*'speed'.*learning_rate, .*clipnorm"):
        cls(speed=3)


@pytest.mark.parametrize(
    "identifier, cls",
    [
        *((cls.__name__, cls) for cls in RULES),
        *((cls.__name__.lower(), cls) for cls in RULES),
        (SGD, SGD),
        (Adam(0.5), Adam),
    ],
)
def test_optimizer_is_found_by_name_class_or_instance(identifier, cls):
    assert type(optimizers.get(identifier)) is cls


def test_unknown_optimizer_is_named_and_the_known_ones_listed():
    with pytest.raises(ValueError, match=r"unknown optimizer 'nope'; known: adadelta, .*, sgd"):
        optimizers.get("nope")
    with pytest.raises(TypeError, match=r"optimizer.*got 3"):
        optimizers.get(3)


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
@pytest.mark.parametrize("cls, settings", SETTINGS)
def test_copied_model_goes_on_training_bitwise(cls, settings, how):
    model = small_model(cls(**settings))
    model.fit(X, Y, batch_size=7, epochs=2, shuffle=False, verbose=0)
    copied = pickle.loads(pickle.dumps(model)) if how == "pickle" else copy.deepcopy(model)
    assert int(copied.optimizer.iterations) == 8
    before = model.get_weights()
    for m in (model, copied):
        m.fit(X, Y, batch_size=7, epochs=2, shuffle=False, verbose=0)
    assert arrays_equal(model.get_weights(), copied.get_weights())
    assert not np.array_equal(model.get_weights()[0], before[0])


def test_recompiling_with_a_new_optimizer_starts_afresh():
    model, other = small_model(Adam(0.05)), small_model(Adam(0.05))
    model.fit(X, Y, verbose=0)
    other.set_weights(model.get_weights())
    model.compile(Adam(0.05), "mse")
    for m in (model, other):
        m.fit(X, Y, shuffle=False, verbose=0)
    assert arrays_equal(model.get_weights(), other.get_weights())


def test_two_models_may_not_share_the_state_of_one_optimizer_by_accident():
    shared = SGD(0.1, momentum=0.9)
    a, b, alone = (
        small_model(shared, 0),
        small_model(shared, 1),
        small_model(SGD(0.1, momentum=0.9), 1),
    )
    for m in (a, b, alone):
        m.fit(X, Y, shuffle=False, verbose=0)
    assert arrays_equal(b.get_weights(), alone.get_weights())


@pytest.mark.parametrize(
    "optimizer, slots",
    [
        (SGD(), []),
        (SGD(momentum=0.5), ["momentum"]),
        (RMSprop(momentum=0.5, centered=True), ["velocity", "momentum", "average_gradient"]),
        (Adagrad(), ["accumulator"]),
        (Adadelta(), ["accumulated_grad", "accumulated_delta_var"]),
        (Adam(amsgrad=True), ["momentum", "velocity", "velocity_hat"]),
        (Adamax(), ["momentum", "norm"]),
        (Ftrl(), ["accumulator", "linear"]),
    ],
)
def test_variables_of_an_optimizer_are_its_counter_rate_and_slots(optimizer, slots):
    v = keras.Variable([1.0, 2.0], name="w")
    optimizer.apply_gradients([([1.0, 1.0], v)])
    names = [x.name for x in optimizer.variables]
    assert names == ["iteration", "learning_rate", *(f"w/{slot}" for slot in slots)]


@pytest.mark.parametrize("cls, settings", SETTINGS)
def test_config_round_trip_gives_an_equal_unbuilt_optimizer(cls, settings):
    optimizer = cls(**settings)
    optimizer.apply_gradients([(1.0, keras.Variable(1.0))])
    again = cls.from_config(optimizer.get_config())
    assert again == optimizer and not again.built and int(again.iterations) == 0
    assert eval(repr(optimizer), vars(optimizers)) == optimizer
    assert hash(again) == hash(optimizer) and again != cls(0.7)


@pytest.mark.parametrize("cls, settings", SETTINGS)
def test_planned_training_is_eager_training(cls, settings, real):
    weights = []
    for eager in (False, True):
        model = small_model(cls(**settings))
        model.compile(model.optimizer, "mse", run_eagerly=eager)
        before = model.get_weights()
        model.fit(X, Y, batch_size=7, epochs=3, shuffle=False, verbose=0)
        weights.append(model.get_weights())
        assert not np.array_equal(before[0], weights[-1][0])
    assert arrays_equal(*weights)


@pytest.mark.parametrize("clip", ["clipnorm", "clipvalue", "global_clipnorm"])
def test_small_gradients_are_not_changed_by_clipping_and_zero_is_no_limit(clip):
    weights, ((*gradients,),) = problem(1)
    results = []
    for most in (None, 1e3, 0):
        variables = [keras.Variable(w) for w in weights]
        SGD(0.1, **{clip: most}).apply_gradients(zip(gradients, variables))
        results.append([v.numpy() for v in variables])
    assert arrays_equal(results[0], results[1]) and arrays_equal(results[0], results[2])


@pytest.mark.parametrize("clip", ["clipnorm", "clipvalue", "global_clipnorm"])
@pytest.mark.parametrize("cls", RULES)
def test_a_gradient_that_is_not_a_number_stays_so(cls, clip):
    v = keras.Variable([1.0, 2.0])
    cls(0.1, **{clip: 1.0}).apply_gradients([([np.nan, 1.0], v)])
    assert np.isnan(v.numpy()[0])


def test_centered_rmsprop_of_a_gradient_that_never_changes_stays_finite():
    # The averages reach g and g^2, rounded: for half of all g the variance is then below 0.
    v, optimizer = keras.Variable(np.ones(50)), RMSprop(1e-9, 0.5, centered=True, epsilon=1e-12)
    for _ in range(60):
        optimizer.apply_gradients([(np.linspace(10, 100, 50), v)])
    assert np.isfinite(v.numpy()).all()


def test_adamw_without_weight_decay_is_adam():
    results = []
    for optimizer in (AdamW(0.1, weight_decay=None), Adam(0.1), AdamW(0.1, weight_decay=0)):
        model = small_model(optimizer)
        model.fit(X, Y, shuffle=False, verbose=0)
        results.append(model.get_weights())
    assert arrays_equal(results[0], results[1]) and arrays_equal(results[0], results[2])


def test_apply_takes_gradients_and_variables_and_remembers_those():
    weights, gradients = problem(2)
    variables, others = ([keras.Variable(w) for w in weights] for _ in range(2))
    one, other = Adam(0.1), Adam(0.1)
    one.apply(gradients[0], variables)
    one.apply(gradients[1])
    for step in gradients:
        other.apply_gradients(zip(step, others))
    assert arrays_equal([v.numpy() for v in variables], [v.numpy() for v in others])
    with pytest.raises(ValueError, match="a gradient for each of 5 variables, got 2"):
        one.apply(gradients[0][:2])


def test_learning_rate_can_be_read_and_assigned_before_and_after_the_first_step():
    v, optimizer = keras.Variable(1.0), SGD(0.5)
    assert optimizer.learning_rate.numpy() == 0.5
    optimizer.learning_rate.assign(0.25)
    optimizer.apply_gradients([(1.0, v)])
    assert v.numpy() == 0.75
    optimizer.learning_rate.assign(0.5)
    optimizer.apply_gradients([(1.0, v)])
    optimizer.learning_rate = np.array(0.25)
    optimizer.apply_gradients([(1.0, v)])
    assert v.numpy() == 0.0
    with pytest.raises(ValueError, match=r"learning_rate: expected a number in \[0, inf\), got -1"):
        optimizer.lr = -1


def test_setting_changed_between_steps_counts_from_the_next_on():
    weights = []
    for eager in (False, True):
        model = small_model(SGD(0.1))
        model.compile(model.optimizer, "mse", run_eagerly=eager)
        model.train_on_batch(X, Y)
        model.optimizer.momentum = 0.9
        model.train_on_batch(X, Y)
        model.optimizer.clipvalue = 0.01
        model.train_on_batch(X, Y)
        weights.append(model.get_weights())
    assert arrays_equal(*weights)
    plain = small_model(SGD(0.1))
    for _ in range(3):
        plain.train_on_batch(X, Y)
    assert not np.array_equal(plain.get_weights()[0], weights[0][0])


def test_default_of_compile_is_rmsprop():
    models = [small_model(optimizer) for optimizer in ("rmsprop", RMSprop())]
    models.append(small_model("sgd"))
    models[2].compile(loss="mse")
    for m in models:
        m.fit(X, Y, shuffle=False, verbose=0)
    assert arrays_equal(models[0].get_weights(), models[1].get_weights())
    assert arrays_equal(models[0].get_weights(), models[2].get_weights())


def test_schedules_are_reached_by_the_path_of_keras():
    assert optimizers.schedules.ExponentialDecay is schedules.ExponentialDecay
    assert keras.schedules.OneCycle is schedules.OneCycle
