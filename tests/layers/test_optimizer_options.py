"""Options of optimizers: which values they may have, and what they do beside the rule."""

import copy
import pickle

import numpy as np
import pytest
from cases_optimizers import RULES

import nnlite as keras
from nnlite import layers, ops
from nnlite.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Lion,
    Nadam,
    RMSprop,
)

X = np.random.default_rng(0).normal(size=(12, 3))
Y = X.sum(axis=1, keepdims=True)


def small_model(optimizer, **how):
    model = keras.Sequential([layers.Dense(1, kernel_initializer="ones", input_shape=(3,))])
    model.compile(optimizer, "mse", **how)
    return model


def arrays_equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b))


OUT_OF_RANGE = [
    *((SGD, {"learning_rate": x}) for x in (-0.1, "fast", np.nan, np.inf, None, [0.1])),
    (SGD, {"lr": True}),
    *((cls, {"momentum": x}) for cls in (SGD, RMSprop) for x in (-0.1, "a")),
    (SGD, {"momentum": 1.5}),
    (RMSprop, {"momentum": 1.0}),
    *((cls, {"rho": x}) for cls in (RMSprop, Adadelta) for x in (1.0, -0.1)),
    *((cls, {"beta_1": 1.0}) for cls in (Adam, AdamW, Adamax, Nadam, Lion)),
    *((cls, {"beta_2": -0.5}) for cls in (Adam, AdamW, Adamax, Nadam, Lion)),
    (Lion, {"beta_1": 0.0}),
    *((cls, {"epsilon": -1e-7}) for cls in (RMSprop, Adagrad, Adadelta, Adam, Adamax, Nadam)),
    *((cls, {"initial_accumulator_value": -1}) for cls in (Adagrad, Ftrl)),
    (Ftrl, {"beta": -1}),
    (Ftrl, {"l1_regularization_strength": -1}),
    *((cls, {"weight_decay": -0.1}) for cls in RULES),
    *((SGD, {name: x}) for name in ("clipnorm", "clipvalue", "global_clipnorm") for x in (-1, "a")),
]


@pytest.mark.parametrize("cls, settings", OUT_OF_RANGE)
def test_setting_out_of_range_is_named_before_any_work(cls, settings):
    ((name, value),) = settings.items()
    named = {"lr": "learning_rate"}.get(name, name)
    with pytest.raises(
        ValueError, match=rf"{cls.__name__}: {named}: expected a number in [\[(].*got "
    ):
        cls(**settings)
    if named != "learning_rate":
        optimizer = cls()
        setattr(optimizer, name, value)
        model = small_model(optimizer)
        before = model.get_weights()
        with pytest.raises(
            ValueError, match=rf"{cls.__name__}: {named}: expected a number in [\[(].*got "
        ):
            model.fit(X, Y, verbose=0)
        assert arrays_equal(model.get_weights(), before)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"clipnorm": 1.0, "clipvalue": 1.0}, r"at most one of clipnorm.*clipvalue=1.0"),
        ({"global_clipnorm": 1.0, "clipvalue": 1.0}, r"at most one of .*global_clipnorm=1.0"),
        ({"use_ema": 1}, "use_ema: expected True or False, got 1"),
        ({"ema_momentum": 2}, r"ema_momentum: expected a number in \[0, 1\], got 2"),
        ({"name": 3}, "name: expected a string, got 3"),
        ({"loss_scale_factor": 0}, r"loss_scale_factor: expected a number in \(0, inf\), got 0"),
        ({"gradient_accumulation_steps": 1}, r"steps: expected an integer in \[2, inf\), got 1"),
    ],
)
def test_options_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=f"Adam: .*{message}"):
        Adam(**settings)


def test_pairs_without_a_gradient_are_left_alone():
    a, b = keras.Variable([1.0, 2.0], name="left"), keras.Variable(3.0, name="right")
    optimizer = Adam(0.1)
    with pytest.warns(UserWarning, match="Adam: no gradient for left: the loss does not depend"):
        optimizer.apply_gradients([(None, a), (1.0, b)])
    assert a.numpy().tolist() == [1.0, 2.0] and b.numpy() < 3
    with pytest.warns(UserWarning, match="Adam: no gradient for right: the loss does not depend"):
        optimizer.apply_gradients([([1.0, 1.0], a), (None, b)])
    assert (a.numpy() < [1.0, 2.0]).all() and int(optimizer.iterations) == 2


def test_variables_none_of_which_has_a_gradient_are_an_error():
    a = keras.Variable([1.0], name="left")
    optimizer = SGD(0.1)
    with pytest.raises(ValueError, match="SGD: expected a gradient for at least one variable, got"):
        optimizer.apply_gradients([(None, a)])
    assert int(optimizer.iterations) == 0
    optimizer.apply_gradients([])  # of a model without weights


def test_moving_average_is_that_of_the_weights_and_overwrites_them_when_due():
    v = keras.Variable([3.0, 4.0])
    rule = SGD(1.0, use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=3)
    weights, average = np.array([3.0, 4.0]), None
    for step in range(1, 8):
        rule.apply_gradients([([1.0, 2.0], v)])
        weights = weights - [1.0, 2.0]
        average = weights if average is None else 0.5 * average + 0.5 * weights
        weights = average if step % 3 == 0 else weights
        np.testing.assert_allclose(v.numpy(), weights, rtol=1e-6)
        kept = rule.variables[-1]
        assert kept.name.endswith("/average")
        np.testing.assert_allclose(kept.numpy(), average, rtol=1e-6)


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}])
def test_fit_ends_with_the_averages_as_weights(how):
    plain, averaged = (
        small_model(SGD(0.1), **how),
        small_model(SGD(0.1, use_ema=True, ema_momentum=0.75), **how),
    )
    seen = []
    for _ in range(4):
        plain.fit(X, Y, batch_size=12, verbose=0)
        seen.append(plain.get_weights()[0])
    averaged.fit(X, Y, batch_size=12, epochs=4, verbose=0)
    average = seen[0]
    for w in seen[1:]:
        average = 0.75 * average + 0.25 * w
    np.testing.assert_allclose(averaged.get_weights()[0], average, rtol=1e-5)


def test_weights_excluded_from_decay_by_name_or_themselves_stay():
    free, named, given = (keras.Variable(2.0, name=n) for n in ("kernel", "my_bias", "gamma"))
    rule = SGD(1.0, weight_decay=0.25)
    rule.exclude_from_weight_decay(var_list=[given], var_names=["bias$"])
    rule.apply_gradients([(0.0, v) for v in (free, named, given)])
    assert [v.item() for v in (free, named, given)] == [1.5, 2.0, 2.0]
    with pytest.raises(ValueError, match="SGD: expected exclude_from_weight_decay before the fir"):
        rule.exclude_from_weight_decay(var_names=["kernel"])


def test_optimizers_have_names_of_their_own_until_the_session_is_cleared():
    keras.backend.clear_session()
    names = [cls().name for cls in (Adam, Adam, SGD, AdamW, Adam)]
    assert names == ["adam", "adam_1", "sgd", "adam_w", "adam_2"]
    keras.backend.clear_session()
    assert Adam().name == "adam" and Adam(name="mine").name == "mine"
    assert Adam() == Adam() and Adam().get_config()["name"] == "adam_3"


def test_variables_hold_the_learning_rate_from_the_start_unless_it_is_computed():
    optimizer = Adam(0.25)
    iterations, rate = optimizer.variables
    assert iterations is optimizer.iterations and rate.item() == 0.25
    optimizer.learning_rate = keras.schedules.PolynomialDecay(optimizer.learning_rate, 4)
    assert len(optimizer.variables) == 1 and optimizer.variables[0] is optimizer.iterations
    assert optimizer.learning_rate.item() == pytest.approx(0.25)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_state_of_an_optimizer_can_be_set(copied):
    one, other = small_model(Adam(0.1)), small_model(Adam(0.5))
    one.fit(X, Y, verbose=0)
    values = [v.numpy() for v in one.optimizer.variables]
    with pytest.raises(ValueError, match=r"Adam: expected build\(variables\) before set_weights"):
        other.optimizer.set_weights(values)
    other.optimizer.build(other.trainable_variables)
    other.optimizer.set_weights(values)
    other.set_weights(one.get_weights())
    for model in (one, other := copied(other)):
        model.fit(X, Y, shuffle=False, verbose=0)
    assert arrays_equal(one.get_weights(), other.get_weights())


def test_config_has_the_settings_under_their_present_names():
    config = Adam(lr=0.5, clipnorm=1.0).get_config()
    assert config["learning_rate"] == 0.5 and "lr" not in config and config["clipnorm"] == 1.0
    assert Adam.from_config(config) == Adam(0.5, clipnorm=1.0) == Adam(lr=0.5, clipnorm=1.0)


def test_weights_change_by_the_mean_of_gradients_at_every_third_step():
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(7, 5))
    plain, summed = (keras.Variable(np.ones(5)) for _ in range(2))
    often = Adam(0.1, weight_decay=0.1, clipnorm=1.0)
    seldom = Adam(0.1, weight_decay=0.1, clipnorm=1.0, gradient_accumulation_steps=3)
    for step, gradient in enumerate(gradients, 1):
        seldom.apply_gradients([(gradient, summed)])
        if step % 3 == 0:
            often.apply_gradients([(gradients[step - 3 : step].mean(0), plain)])
        np.testing.assert_allclose(summed.numpy(), plain.numpy(), rtol=1e-6)
        assert seldom.iterations.item() == step // 3 and seldom.variables[0].item() == step
    waiting = next(v for v in seldom.variables if v.name.endswith("gradient_accumulator"))
    np.testing.assert_allclose(waiting.numpy(), gradients[6], rtol=1e-6)


@pytest.mark.parametrize("cls", RULES)
def test_batches_of_a_third_and_gradients_added_up_give_the_weights_of_whole_batches(cls):
    whole = small_model(cls(learning_rate=keras.schedules.PolynomialDecay(0.1, 6)))
    schedule = keras.schedules.PolynomialDecay(0.1, 6)
    parts = small_model(cls(learning_rate=schedule, gradient_accumulation_steps=3))
    whole.fit(X, Y, batch_size=12, epochs=3, shuffle=False, verbose=0)
    parts.fit(X, Y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    for a, b in zip(whole.get_weights(), parts.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    assert parts.optimizer.iterations.item() == whole.optimizer.iterations.item() == 3


def test_a_fit_that_accumulates_gradients_goes_on_from_a_file(tmp_path):
    model = small_model(SGD(keras.schedules.PolynomialDecay(0.1, 8), gradient_accumulation_steps=2))
    model.fit(X, Y, batch_size=4, shuffle=False, verbose=0)  # 3 steps: one is waiting
    model.save(tmp_path / "m.keras")
    read = keras.models.load_model(tmp_path / "m.keras")
    for m in (model, read):
        m.fit(X, Y, batch_size=4, shuffle=False, verbose=0)
    assert arrays_equal(model.get_weights(), read.get_weights())
    assert read.optimizer.iterations.item() == 3


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}])
def test_a_scaled_loss_leaves_no_trace_in_the_weights(how):
    plain = small_model(SGD(0.1), **how)
    scaled = small_model(SGD(0.1, loss_scale_factor=1024.0), **how)
    for m in (plain, scaled):
        history = m.fit(X, Y, batch_size=12, shuffle=False, verbose=0).history
    assert arrays_equal(plain.get_weights(), scaled.get_weights())  # 1024 is a power of two
    assert history["loss"][0] < 100 and scaled.optimizer.scale_loss(2.0) == 2048.0


def test_adafactor_leaves_rows_and_columns_without_gradients_alone():
    w = keras.Variable(np.ones((3, 3)))
    rule = keras.optimizers.Adafactor(0.1)
    gradient = np.zeros((3, 3))
    gradient[:2, :2] = [[1.0, -2.0], [3.0, 4.0]]
    for _ in range(3):
        rule.apply_gradients([(gradient, w)])
    values = w.numpy()
    assert np.isfinite(values).all() and (values[2] == 1).all() and (values[:, 2] == 1).all()
    assert (values[:2, :2] != 1).all()


def test_adafactor_without_epsilon_leaves_weights_without_gradients_alone():
    w, rule = keras.Variable(np.ones((2, 3))), keras.optimizers.Adafactor(0.1, epsilon_1=0.0)
    rule.apply_gradients([(np.zeros((2, 3)), w)])
    assert (w.numpy() == 1.0).all()


class Momentum(keras.optimizers.Optimizer):
    """As Keras's guide has it."""

    def __init__(self, learning_rate=0.1, momentum=0.9, **kwargs):
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        super().build(variables)
        self.momentums = [
            self.add_variable_from_reference(reference_variable=v, name="momentum")
            for v in variables
        ]

    def update_step(self, gradient, variable, learning_rate):
        m = self.momentums[self._get_variable_index(variable)]
        self.assign(m, m * self.momentum - gradient * learning_rate)
        self.assign_add(variable, m)


def test_an_optimizer_of_ones_own_is_written_as_for_keras():
    models = small_model(Momentum(0.1)), small_model(SGD(0.1, momentum=0.9))
    for model in models:
        model.fit(X, Y, batch_size=12, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(*(m.get_weights() for m in models)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert len(models[0].optimizer.variables) == len(models[1].optimizer.variables)
    pairs = models[0].optimizer.add_optimizer_variables(models[0].weights, ["a", "b"], "ones")
    assert [len(some) for some in pairs] == [len(models[0].weights)] * 2
    assert pairs[1][0].numpy().min() == 1.0


class Once:
    """A `build` that is no Optimizer's: a class beside it has it."""

    def build(self, variables):
        super().build(variables)
        self.counts = [self.add_variable((), lambda shape, dtype: ops.ones(shape, dtype))]
        self.counts[0].assign_add(10.0)


class Counted(Once, keras.optimizers.Optimizer):
    def update_step(self, gradient, variable, learning_rate):
        self.assign_add(self.counts[0], 0.5)


@pytest.mark.parametrize("around", [lambda o: o, keras.optimizers.LossScaleOptimizer])
@pytest.mark.parametrize("eagerly", [False, True])
def test_what_a_build_assigns_is_assigned_once(around, eagerly):
    rule = Counted(0.1)
    model = small_model(around(rule), run_eagerly=eagerly)
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0)  # 6 steps for each of 2 weights
    assert rule.counts[0].item() == 11.0 + 6 * 2 * 0.5


def test_a_build_that_a_train_step_calls_is_no_step():
    class Own(keras.Sequential):
        def train_step(self, data):
            if not rule.built:
                rule.build(self.trainable_variables)
            return super().train_step(data)

    rule = Counted(0.1)
    model = Own([layers.Dense(1, input_shape=(3,))])
    model.compile(rule, "mse")
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0)
    assert rule.counts[0].item() == 11.0 + 6 * 2 * 0.5


class Shift(layers.Layer):
    """Adds to each row the dot product of it and of a weight that becomes its own gradient."""

    def build(self, input_shape):
        name, more = "shift", {"overwrite_with_gradient": True}
        self.shift = self.add_weight(input_shape[-1:], "zeros", name=name, **more)

    def call(self, inputs):
        return inputs + ops.sum(self.shift * inputs, axis=-1, keepdims=True)


@pytest.mark.parametrize("eagerly", [False, True])
def test_a_weight_may_be_overwritten_with_its_gradient(eagerly):
    model = keras.Sequential([keras.Input((3,)), Shift(), layers.Dense(1, use_bias=False)])
    model.compile(Adam(0.5, clipnorm=0.1), lambda y, found: found[:, 0], run_eagerly=eagerly)
    before = model.layers[1].kernel.numpy()
    model.fit(X, Y, batch_size=12, verbose=0)
    gradient = X.mean(axis=0) * before.sum()
    np.testing.assert_allclose(model.layers[0].shift.numpy(), gradient, rtol=1e-5, atol=1e-7)
    after = model.layers[1].kernel.numpy()
    assert np.abs(after - before).max() == pytest.approx(0.5, rel=1e-3)  # Adam's first step
    model.layers[0].shift.overwrite_with_gradient = False
    shift = model.layers[0].shift.numpy()
    model.fit(X, Y, batch_size=12, verbose=0)
    moved = np.abs(model.layers[0].shift.numpy() - shift).max()
    assert moved == pytest.approx(0.5, rel=0.3)


@pytest.mark.parametrize("around", [lambda rule: rule, keras.optimizers.LossScaleOptimizer])
def test_an_overwritten_variable_and_another_may_have_one_optimizer(around):
    first = keras.Variable([1.0, 2.0])
    first.overwrite_with_gradient = True
    first, other = pickle.loads(pickle.dumps(first)), keras.Variable([1.0, 2.0])
    rule = around(SGD(1.0))
    scale = float(rule.scale_loss(1.0))  # which gradients are divided by
    rule.apply_gradients([([5.0, 6.0], first), ([scale, scale], other)])
    assert first.numpy().tolist() == [5.0, 6.0]
    np.testing.assert_allclose(other.numpy(), [0.0, 1.0], atol=1e-6)
    with pytest.raises(TypeError, match="overwrite_with_gradient: expected True or False"):
        first.overwrite_with_gradient = "true"
    with pytest.raises(ValueError, match="gradient_accumulation_steps: expected None, as"):
        SGD(1.0, gradient_accumulation_steps=2).apply_gradients([([1.0, 1.0], first)])


def test_an_overwritten_variable_has_no_slots_and_so_no_average():
    """As in Keras, whose files hold none."""
    first, other = keras.Variable([1.0, 2.0], name="first"), keras.Variable([3.0], name="other")
    first.overwrite_with_gradient = True
    rule = SGD(0.5, momentum=0.9, use_ema=True, ema_momentum=0.75)
    pairs = [([5.0, 6.0], first), ([1.0], other)]
    rule.apply_gradients(pairs)
    assert [v.name for v in rule.variables[2:]] == ["other/average", "other/momentum"]
    rule.finalize_variable_values([first, other])
    assert first.numpy().tolist() == [5.0, 6.0]
    first.overwrite_with_gradient = False  # from now on it trains
    rule.apply_gradients(pairs)
    np.testing.assert_allclose(first.numpy(), [2.5, 3.0])
    rule.finalize_variable_values([first])
    np.testing.assert_allclose(first.numpy(), [0.75 * 5 + 0.25 * 2.5, 0.75 * 6 + 0.25 * 3])
    first.overwrite_with_gradient = True  # its average is no longer followed
    rule.apply_gradients(pairs)
    rule.finalize_variable_values([first, other])
    assert first.numpy().tolist() == [5.0, 6.0]
    none, one = rule.add_optimizer_variables([first, other], "more")
    assert none is None and one.name == "other/more"


def test_averages_are_evaluated_beside_an_overwritten_weight():
    model = keras.Sequential([keras.Input((3,)), Shift(), layers.Dense(1)])
    model.compile(SGD(0.1, use_ema=True), "mse")
    swap = keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
    model.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y), callbacks=swap)
    shift, (kernel, bias) = model.layers[0].shift, model.layers[1].weights
    assert [v for v, _ in model.optimizer._averages()] == [kernel, bias]
    assert shift.numpy().any()
