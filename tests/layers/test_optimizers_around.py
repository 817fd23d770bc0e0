"""Optimizers made of others, and averages of weights: in steps, in fits, in files."""

import copy
import pickle

import numpy as np
import pytest

import nnlite as keras
from nnlite import callbacks, layers
from nnlite.optimizers import (
    SGD,
    Adam,
    LossScaleOptimizer,
    MultiOptimizer,
    OptimizerMap,
    RMSprop,
    deserialize,
    serialize,
)

X = np.random.default_rng(1).normal(size=(24, 3)).astype("float32")
Y = X[:, :1] - X[:, 1:2] * X[:, 2:]
HELD_OUT = X[:8] * 0.5, Y[:8]


def small_model(optimizer, **how):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [layers.Dense(4, "tanh", name="base", input_shape=(3,)), layers.Dense(1, name="head")]
    )
    model.compile(optimizer, "mse", **how)
    return model


def several():
    return MultiOptimizer(OptimizerMap(SGD(0.05, momentum=0.9), {"base/.*": Adam(0.01)}))


def arrays_equal(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b))


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}])
def test_each_optimizer_changes_the_weights_that_its_pattern_fits(how):
    model = small_model(several(), **how)
    model.fit(X, Y, epochs=2, batch_size=8, shuffle=False, verbose=0)
    rule_adam, rule_sgd = Adam(0.01), SGD(0.05, momentum=0.9)
    by_hand = small_model("sgd")
    for _ in range(2):
        for rows in (slice(0, 8), slice(8, 16), slice(16, 24)):
            with keras.GradientTape() as tape:
                loss = by_hand.compute_loss(y=Y[rows], y_pred=by_hand(X[rows]))
            grads = tape.gradient(loss, by_hand.trainable_variables)
            pairs = list(zip(grads, by_hand.trainable_variables))
            rule_adam.apply_gradients(pairs[:2])
            rule_sgd.apply_gradients(pairs[2:])
    for a, b in zip(model.get_weights(), by_hand.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    counts = [model.optimizer, *model.optimizer.optimizers]
    assert [int(o.iterations) for o in counts] == [6, 6, 6]


@pytest.mark.parametrize(
    "optimizer", [several, lambda: LossScaleOptimizer(Adam(0.01), dynamic_growth_steps=2)]
)
@pytest.mark.parametrize("ending", [".keras", ".safetensors", "pickle", "copy"])
def test_a_training_goes_on_from_a_file(optimizer, ending, tmp_path):
    model = small_model(optimizer())
    model.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    if ending == "pickle":
        read = pickle.loads(pickle.dumps(model))
    elif ending == "copy":
        read = copy.deepcopy(model)
    else:
        model.save(tmp_path / f"m{ending}")
        read = keras.models.load_model(tmp_path / f"m{ending}")
    assert read.optimizer == model.optimizer
    assert arrays_equal(*([v.numpy() for v in m.optimizer.variables] for m in (model, read)))
    for m in (model, read):
        m.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    assert arrays_equal(model.get_weights(), read.get_weights())


def test_a_fit_with_several_optimizers_goes_on_after_it_was_stopped(tmp_path):
    class Stop(callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise RuntimeError("stopped")

    whole = small_model(several())
    whole.fit(X, Y, epochs=4, batch_size=8, verbose=0)
    keeping = callbacks.BackupAndRestore(tmp_path / "backup")
    with pytest.raises(RuntimeError, match="stopped"):
        small_model(several()).fit(
            X, Y, epochs=4, batch_size=8, verbose=0, callbacks=[keeping, Stop()]
        )
    resumed = small_model(several())
    resumed.fit(X, Y, epochs=4, batch_size=8, verbose=0, callbacks=keeping)
    assert arrays_equal(whole.get_weights(), resumed.get_weights())


def test_a_function_chooses_optimizers_too():
    fast, slow = SGD(1.0), SGD(0.5)
    rule = MultiOptimizer(lambda v: fast if "head" in v.path else slow)
    a, b = keras.Variable(1.0, name="head/kernel"), keras.Variable(1.0, name="base/kernel")
    rule.apply([1.0, 1.0], [a, b])
    assert (a.item(), b.item()) == (0.0, 0.5) and rule.optimizers[0] is fast


def test_callbacks_set_the_rates_of_what_a_function_chooses_from_the_first_epoch_on():
    fast, slow = SGD(1.0, name="fast"), SGD(0.5, name="slow")
    model = small_model(MultiOptimizer(lambda v: fast if "head" in v.path else slow))
    lowered = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    logs = model.fit(X, Y, epochs=2, verbose=0, callbacks=lowered).history
    assert logs["learning_rate_fast"] == [0.5, 0.25]
    assert logs["learning_rate_slow"] == [0.25, 0.125]


def test_a_map_that_grew_before_the_first_step_is_read_from_a_file(tmp_path):
    found = OptimizerMap(SGD(0.1, momentum=0.9))
    model = small_model(MultiOptimizer(found))
    found["base/.*"] = Adam(0.01)
    model.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    model.save(tmp_path / "m.keras")
    read = keras.models.load_model(tmp_path / "m.keras")
    for m in (model, read):
        m.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    assert arrays_equal(model.get_weights(), read.get_weights())


def test_a_loss_scale_that_is_set_later_leaves_the_weights_of_the_plain_optimizer():
    plain, scaled = SGD(0.1), MultiOptimizer(OptimizerMap(SGD(0.1)), loss_scale_factor=4.0)
    models = small_model(plain), small_model(scaled)
    for factor in (4.0, 1024.0, None):
        scaled.loss_scale_factor = factor
        for model in models:
            model.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    assert arrays_equal(*(m.get_weights() for m in models))


def test_a_map_gives_the_one_optimizer_that_fits():
    adam, sgd, other = Adam(), SGD(), RMSprop()
    found = OptimizerMap(other, {"a/kernel": adam})
    found["a/.*"] = sgd
    assert found["a/kernel"] is adam and found["a/bias"] is sgd and found["b/bias"] is other
    found[".*bias"] = adam
    with pytest.raises(ValueError, match="OptimizerMap: expected one pattern for 'a/bias', got"):
        found["a/bias"]
    assert list(found) == ["a/kernel", "a/.*", ".*bias"] and len(found) == 3
    del found[".*bias"]
    again = deserialize(serialize(MultiOptimizer(found))).optimizer_map
    assert again == found and again is not found


@pytest.mark.parametrize(
    "made, error, message",
    [
        (lambda: OptimizerMap("adam"), TypeError, "OptimizerMap: default_optimizer: expected an"),
        (lambda: OptimizerMap(Adam(), [Adam()]), TypeError, "optimizer_map: expected a dict"),
        (
            lambda: OptimizerMap(Adam(), {"a": several()}),
            ValueError,
            r"optimizer_map\['a'\]: expected an",
        ),
        (lambda: OptimizerMap(Adam(), {3: Adam()}), ValueError, "expected a string as key, got 3"),
        (lambda: MultiOptimizer(Adam()), TypeError, "MultiOptimizer: optimizer_map: expected an"),
        (lambda: MultiOptimizer(lambda v: "sgd").build([keras.Variable(1.0)]), ValueError, "'sgd'"),
        (lambda: several().learning_rate, AttributeError, "MultiOptimizer has no learning_rate"),
        (lambda: LossScaleOptimizer("adam"), TypeError, "inner_optimizer: expected an Optimizer"),
        (
            lambda: LossScaleOptimizer(Adam(), initial_scale=0),
            ValueError,
            "initial_scale: expe",
        ),
    ],
)
def test_what_cannot_be_is_refused(made, error, message):
    with pytest.raises(error, match=message):
        made()


def test_callbacks_set_the_learning_rate_of_each_optimizer():
    model = small_model(several())
    halved = callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    logs = model.fit(X, Y, epochs=2, verbose=0, callbacks=halved).history
    sgd, adam = (
        next(k for k in logs if k.startswith(f"learning_rate_{n}")) for n in ("sgd", "adam")
    )
    np.testing.assert_allclose(logs[sgd], [0.025, 0.0125], rtol=1e-6)
    np.testing.assert_allclose(logs[adam], [0.005, 0.0025], rtol=1e-6)
    lowered = callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=1e9)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=lowered)
    rates = [float(o.learning_rate) for o in model.optimizer.optimizers]
    np.testing.assert_allclose(sorted(rates), [0.00025, 0.00125], rtol=1e-5)


def test_a_step_with_infinite_gradients_changes_nothing_but_the_scale():
    w = keras.Variable([1.0, 2.0])
    rule = LossScaleOptimizer(Adam(0.1), initial_scale=8.0, dynamic_growth_steps=2)
    alone, plain = keras.Variable([1.0, 2.0]), Adam(0.1)
    scales = []
    for gradient in ([8.0, 8.0], [np.inf, 1.0], [4.0, 8.0], [4.0, 4.0], [np.nan, 8.0]):
        if np.isfinite(gradient).all():
            scale = rule.dynamic_scale.item() if rule.built else 8.0
            plain.apply_gradients([(np.array(gradient) / scale, alone)])
        rule.apply_gradients([(gradient, w)])
        np.testing.assert_allclose(w.numpy(), alone.numpy(), rtol=1e-6)
        scales.append(rule.dynamic_scale.item())
    assert scales == [8.0, 4.0, 4.0, 8.0, 4.0] and int(rule.iterations) == 3
    assert rule.scale_loss(2.0) == 8.0 and rule.learning_rate.item() == pytest.approx(0.1)


def test_gradients_are_accumulated_where_they_are_finite():
    w, alone = (keras.Variable([1.0, 2.0]) for _ in range(2))
    rule = LossScaleOptimizer(SGD(0.5, gradient_accumulation_steps=2), 1.0)
    plain = SGD(0.5)
    for i, gradient in enumerate(([1.0, 3.0], [np.inf, 1.0], [3.0, 5.0], [np.nan, 8.0])):
        scale = rule.dynamic_scale.item() if rule.built else 1.0
        rule.apply_gradients([(np.array(gradient) * scale, w)])
        if i == 2:
            plain.apply_gradients([([2.0, 4.0], alone)])
        np.testing.assert_allclose(w.numpy(), alone.numpy(), rtol=1e-6)
    assert int(rule.iterations) == 1


@pytest.mark.parametrize("real, most", [("float32", 127), ("float64", 1023)])
def test_a_scale_stays_a_normal_number(real, most):
    w = keras.Variable(1.0, dtype=real)
    rule = LossScaleOptimizer(SGD(0.5), dynamic_growth_steps=1)
    rule.build([w])
    rule.dynamic_scale.assign(2.0 ** (most - 1))
    for _ in range(3):
        rule.apply_gradients([(0.0, w)])
    assert rule.dynamic_scale.item() == 2.0**most
    for _ in range(2 * most + 3):
        rule.apply_gradients([(np.inf, w)])
    assert rule.dynamic_scale.item() == 2.0 ** (1 - most)
    rule.apply_gradients([(0.0, w)])
    assert w.item() == 1.0


def test_a_scale_doubles_where_the_number_of_steps_was_lowered_below_those_done():
    w, rule = keras.Variable(1.0), LossScaleOptimizer(SGD(0.5), 8.0, dynamic_growth_steps=9)
    for _ in range(4):
        rule.apply_gradients([(0.0, w)])
    rule.dynamic_growth_steps = 2
    rule.apply_gradients([(0.0, w)])
    assert rule.dynamic_scale.item() == 16.0


@pytest.mark.parametrize("how", [{}, {"run_eagerly": True}])
def test_a_scale_that_changes_leaves_the_weights_of_the_plain_optimizer(how):
    plain, scaled = (
        small_model(o, **how)
        for o in (SGD(0.1), LossScaleOptimizer(SGD(0.1), dynamic_growth_steps=2))
    )
    for model in (plain, scaled):
        model.fit(X, Y, epochs=2, batch_size=8, shuffle=False, verbose=0)
    assert arrays_equal(plain.get_weights(), scaled.get_weights())
    assert scaled.optimizer.dynamic_scale.item() == 2.0**18


def averaged(optimizer=None, **how):
    return small_model(optimizer or SGD(0.1, use_ema=True, ema_momentum=0.75), **how)


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda o: o,
        LossScaleOptimizer,
        lambda o: MultiOptimizer(OptimizerMap(o)),
    ],
)
def test_averages_are_evaluated_and_weights_trained(wrapped):
    def fitted(*more):
        model = averaged(wrapped(SGD(0.1, use_ema=True, ema_momentum=0.75)))
        logs = model.fit(
            X, Y, epochs=3, batch_size=8, verbose=0, validation_data=HELD_OUT, callbacks=more
        ).history
        return model, logs

    (plain, logs), (swapped, others) = fitted(), fitted(callbacks.SwapEMAWeights())
    assert arrays_equal(plain.get_weights(), swapped.get_weights())
    assert logs["loss"] == others["loss"] and logs["val_loss"] != others["val_loss"]
    assert others["val_loss"][-1] == swapped.evaluate(*HELD_OUT, verbose=0)


def test_the_callbacks_behind_see_averages_at_the_end_of_an_epoch(tmp_path):
    swap = callbacks.SwapEMAWeights(swap_on_epoch=True)
    kept = callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    model = averaged()
    logs = model.fit(
        X, Y, epochs=3, batch_size=8, verbose=0, validation_data=HELD_OUT, callbacks=[swap, kept]
    ).history
    for epoch in (1, 2, 3):
        read = keras.models.load_model(tmp_path / f"{epoch}.keras")
        assert read.evaluate(*HELD_OUT, verbose=0) == logs["val_loss"][epoch - 1]
    assert arrays_equal(model.get_weights(), read.get_weights())


def test_weights_come_back_where_an_evaluation_failed():
    class Fail(callbacks.Callback):
        def on_test_end(self, logs=None):
            raise RuntimeError("failed")

    plain, model, swap = averaged(), averaged(), callbacks.SwapEMAWeights()
    for m in (plain, model):
        m.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
        m.set_weights([w + 1.0 for w in m.get_weights()])
    with pytest.raises(RuntimeError, match="failed"):
        model.evaluate(X, Y, verbose=0, callbacks=[Fail(), swap])
    assert not arrays_equal(plain.get_weights(), model.get_weights())
    for m, more in ((plain, []), (model, [swap])):
        m.fit(X, Y, batch_size=8, shuffle=False, verbose=0, callbacks=more)
    assert arrays_equal(plain.get_weights(), model.get_weights())
    other = averaged()
    weights = other.get_weights()
    with pytest.raises(RuntimeError, match="failed"):
        model.evaluate(X, Y, verbose=0, callbacks=[Fail(), swap])
    other.evaluate(X, Y, verbose=0, callbacks=swap)
    assert arrays_equal(weights, other.get_weights())


def test_averages_that_are_not_kept_are_missed():
    with pytest.raises(ValueError, match="SwapEMAWeights: expected an optimizer with use_ema=True"):
        small_model(Adam()).fit(
            X, Y, verbose=0, validation_data=HELD_OUT, callbacks=callbacks.SwapEMAWeights()
        )


def overwritten_and_other():
    first, other = keras.Variable([1.0, 2.0]), keras.Variable([3.0, 4.0])
    first.overwrite_with_gradient = True
    return first, other


@pytest.mark.parametrize("bad", [0, 1])
def test_a_step_that_is_not_finite_leaves_overwritten_variables_alone(bad):
    first, other = overwritten_and_other()
    rule = LossScaleOptimizer(SGD(1.0), initial_scale=4.0)
    grads = [[5.0, 6.0], [4.0, 8.0]]
    rule.apply_gradients(zip(grads, (first, other)))
    assert (first.numpy().tolist(), other.numpy().tolist()) == ([5.0, 6.0], [2.0, 2.0])
    grads[bad] = [np.inf, np.nan]
    rule.apply_gradients([(np.add(g, 1.0), v) for g, v in zip(grads, (first, other))])
    assert (first.numpy().tolist(), other.numpy().tolist()) == ([5.0, 6.0], [2.0, 2.0])
    assert rule.dynamic_scale.item() == 2.0 and rule.iterations.item() == 1


@pytest.mark.parametrize("wrapped", [LossScaleOptimizer, lambda o: MultiOptimizer(OptimizerMap(o))])
def test_an_optimizer_inside_that_accumulates_refuses_overwritten_variables(wrapped):
    first, other = overwritten_and_other()
    rule = wrapped(SGD(1.0, gradient_accumulation_steps=2))
    with pytest.raises(ValueError, match="gradient_accumulation_steps: expected None, as"):
        rule.apply_gradients([([5.0, 6.0], first), ([1.0, 1.0], other)])
    assert first.numpy().tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "scaled",
    [
        lambda: SGD(1.0, loss_scale_factor=8.0),
        lambda: MultiOptimizer(OptimizerMap(SGD(1.0)), loss_scale_factor=8.0),
    ],
)
def test_what_overwrites_a_variable_is_not_divided_by_the_scale_of_the_loss(scaled):
    first, other = overwritten_and_other()
    scaled().apply_gradients([([5.0, 6.0], first), ([8.0, 8.0], other)])
    assert (first.numpy().tolist(), other.numpy().tolist()) == ([5.0, 6.0], [2.0, 3.0])
