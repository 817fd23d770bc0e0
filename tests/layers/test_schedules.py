"""Schedules against plain Python, by themselves, in a loop and inside `fit`."""

import copy
import math
import pickle

import numpy as np
import pytest

import nnlite as keras
from nnlite import config, configurable, layers, ops
from nnlite.configurable import Configurable
from nnlite.optimizers import SGD, Adam, AdamW, Nadam, schedules
from nnlite.optimizers.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

# A schedule once more: the rate at a step, in Python's floats.


def exponential(step, first, steps, rate, staircase=False):
    return first * rate ** (step // steps if staircase else step / steps)


def inverse_time(step, first, steps, rate, staircase=False):
    return first / (1 + rate * (step // steps if staircase else step / steps))


def piecewise(step, boundaries, values):
    return values[sum(step > b for b in boundaries)]


def polynomial(step, first, steps, end_learning_rate=0.0001, power=1.0, cycle=False):
    if cycle:
        steps *= max(1, math.ceil(step / steps))
    return (first - end_learning_rate) * (1 - min(step, steps) / steps) ** power + end_learning_rate


def cosine(step, first, steps, alpha=0.0, warmup_target=None, warmup_steps=0):
    if warmup_target is not None:
        if step < warmup_steps:
            return first + (warmup_target - first) * step / warmup_steps
        first, step = warmup_target, step - warmup_steps
    return first * ((1 - alpha) * (1 + math.cos(math.pi * min(step, steps) / steps)) / 2 + alpha)


def restarts(step, first, steps, t_mul=2.0, m_mul=1.0, alpha=0.0):
    height = 1.0
    while step >= steps:
        step, steps, height = step - steps, steps * t_mul, height * m_mul
    return first * ((1 - alpha) * height * (1 + math.cos(math.pi * step / steps)) / 2 + alpha)


def one_cycle(
    step,
    top,
    total,
    pct_start=0.3,
    anneal_strategy="cos",
    div_factor=25.0,
    final_div_factor=1e4,
    three_phase=False,
):
    first, rise = top / div_factor, pct_start * total - 1
    last, fall = first / final_div_factor, [rise, total - 1]
    ends, rates = ([2 * rise], [first]) if three_phase else ([], [])
    ends, rates = [0.0, rise, *ends, fall[1]], [first, top, *rates, last]
    for begin, end, a, b in zip(ends, ends[1:], rates, rates[1:]):
        if step <= end:
            x = (step - begin) / (end - begin)
            x = (1 - math.cos(math.pi * x)) / 2 if anneal_strategy == "cos" else x
            return a + (b - a) * x
    return last


CASES = [
    (ExponentialDecay, exponential, (0.1, 7, 0.9), {}),
    (ExponentialDecay, exponential, (0.1, 7, 0.5), {"staircase": True}),
    (InverseTimeDecay, inverse_time, (0.1, 7, 0.5), {}),
    (InverseTimeDecay, inverse_time, (0.1, 7, 2.0), {"staircase": True}),
    (PiecewiseConstantDecay, piecewise, ([5, 6, 30], [1.0, 0.5, 0.1, 0.2]), {}),
    (PiecewiseConstantDecay, piecewise, ([], [0.3]), {}),
    (PiecewiseConstantDecay, piecewise, ((2.5,), (1, 0)), {}),
    (PolynomialDecay, polynomial, (0.1, 20), {}),
    (PolynomialDecay, polynomial, (0.1, 20), {"end_learning_rate": 0.02, "power": 0.5}),
    (PolynomialDecay, polynomial, (0.1, 20), {"power": 2.0, "cycle": True}),
    (CosineDecay, cosine, (0.1, 30), {}),
    (CosineDecay, cosine, (0.1, 30), {"alpha": 0.1}),
    (CosineDecay, cosine, (0.01, 30), {"alpha": 0.1, "warmup_target": 0.2, "warmup_steps": 9}),
    (CosineDecay, cosine, (0.01, 30), {"warmup_target": 0.2}),
    (CosineDecayRestarts, restarts, (0.1, 10), {}),
    (CosineDecayRestarts, restarts, (0.1, 7), {"t_mul": 3.0, "m_mul": 0.7, "alpha": 0.05}),
    (CosineDecayRestarts, restarts, (0.1, 10), {"t_mul": 1.0, "m_mul": 0.9}),
    (CosineDecayRestarts, restarts, (0.1, 10), {"t_mul": 1.1}),
    (CosineDecayRestarts, restarts, (0.1, 4), {"t_mul": 1.5}),
    (OneCycle, one_cycle, (0.1, 50), {}),
    (OneCycle, one_cycle, (0.1, 51), {"pct_start": 0.25, "anneal_strategy": "linear"}),
    (OneCycle, one_cycle, (0.1, 60), {"three_phase": True, "div_factor": 5.0}),
    (OneCycle, one_cycle, (0.1, 40), {"final_div_factor": 10.0, "pct_start": 0.45}),
]
ALL = [pytest.param(*case, id=f"{case[0].__name__}{case[3]}") for case in CASES]
X = np.random.default_rng(1).normal(size=(24, 3)).astype("float32")
Y = X[:, :1] - X[:, 1:2] * X[:, 2:]


def model_with(optimizer, **compiled):
    keras.utils.set_random_seed(3)
    model = keras.Sequential([layers.Dense(4, "tanh", input_shape=(3,)), layers.Dense(1)])
    model.compile(optimizer, "mse", **compiled)
    return model


def arrays_equal(some, others):
    return len(some) == len(others) and all(np.array_equal(a, b) for a, b in zip(some, others))


def test_every_schedule_has_a_case_here():
    found = {
        c
        for c in vars(schedules).values()
        if isinstance(c, type) and issubclass(c, LearningRateSchedule) and c.__name__[0] != "_"
    }
    assert found - {LearningRateSchedule} == {case[0] for case in CASES}
    assert all(getattr(keras.optimizers.schedules, c.__name__) is c for c in found)


@pytest.mark.parametrize("cls, formula, args, settings", ALL)
def test_rates_follow_the_formula(cls, formula, args, settings, real):
    schedule, steps = cls(*args, **settings), np.arange(200)
    want = np.array([formula(int(step), *args, **settings) for step in steps])
    got = schedule(steps)
    assert got.dtype == real and got.shape == (200,)
    eps = np.finfo(real).eps
    # Of the highest rate, too: the end of a cosine is a difference. After restarts, what is left of
    # the step is one of numbers up to twenty periods.
    units = 80 if cls is CosineDecayRestarts else 4
    np.testing.assert_allclose(got.numpy(), want, rtol=8 * eps, atol=units * eps * want.max())
    for step in (0, 3, 29, 150):
        assert float(schedule(step)) == got.numpy()[step]
        assert float(schedule(keras.Variable(step, dtype="int32"))) == got.numpy()[step]


@pytest.mark.parametrize("t_mul", [1.0, 1.1, 1.5, 2.0, 3.0])
def test_restarts_are_at_the_first_step_of_a_period(t_mul, real):
    schedule, begin, length = CosineDecayRestarts(1.0, 1000, t_mul=t_mul), 0.0, 1000.0
    for _ in range(6):
        first = math.ceil(round(begin, 6))
        assert float(schedule(first)) > 0.99
        assert first == 0 or float(schedule(first - 1)) < 0.01
        begin, length = begin + length, length * t_mul


def test_steps_of_millions_are_told_apart(real):
    schedule = PiecewiseConstantDecay([2**24 - 2, 2**24 - 1], [1.0, 0.5, 0.25])
    assert schedule(2**24 - np.array([2, 1, 0])).numpy().tolist() == [1.0, 0.5, 0.25]


def test_one_cycle_is_that_of_pytorch():
    torch = pytest.importorskip("torch")
    for settings in (
        {},
        {"pct_start": 0.45, "anneal_strategy": "linear"},
        {"pct_start": 0.0},
        {"pct_start": 1.0},
        {"three_phase": True, "div_factor": 7.0, "final_div_factor": 3.0},
    ):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.1, momentum=0.9)
        theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.3, 37, **settings)
        want = []
        for _ in range(37):
            want.append(theirs.get_last_lr()[0])
            optimizer.step()
            theirs.step() if len(want) < 37 else None
        got = OneCycle(0.3, 37, **settings)(np.arange(37)).numpy()
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)


# --- with an optimizer


@pytest.mark.parametrize("cls, formula, args, settings", ALL)
@pytest.mark.parametrize("rule", [SGD, Adam, AdamW, Nadam])
def test_loop_takes_the_rate_of_each_step_from_zero_on(rule, cls, formula, args, settings):
    scheduled, by_hand = rule(cls(*args, **settings)), rule(0.5)
    v, w = keras.Variable([1.0, -2.0]), keras.Variable([1.0, -2.0])
    for step in range(12):
        gradient = [0.3 * step, 1.0]
        rate = cls(*args, **settings)(step)
        assert float(scheduled.learning_rate) == float(rate)
        by_hand.learning_rate = rate
        scheduled.apply_gradients([(gradient, v)])
        by_hand.apply_gradients([(gradient, w)])
        assert np.array_equal(v.numpy(), w.numpy())
    assert int(scheduled.iterations) == 12
    assert "learning_rate" not in [x.name for x in scheduled.variables]


@pytest.mark.parametrize("cls, formula, args, settings", ALL)
def test_planned_training_is_eager_training(cls, formula, args, settings, real):
    weights = []
    for eager in (False, True):
        model = model_with(Adam(cls(*args, **settings)), run_eagerly=eager)
        model.fit(X, Y, batch_size=5, epochs=3, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    assert arrays_equal(*weights)


def test_fit_takes_the_rate_of_each_step():
    scheduled, by_hand = model_with(SGD(ExponentialDecay(0.2, 3, 0.5))), model_with(SGD(0.5))
    scheduled.fit(X, Y, batch_size=6, epochs=2, shuffle=False, verbose=0)
    for step in range(8):
        by_hand.optimizer.learning_rate = ExponentialDecay(0.2, 3, 0.5)(step)
        rows = slice(step % 4 * 6, step % 4 * 6 + 6)
        by_hand.train_on_batch(X[rows], Y[rows])
    assert arrays_equal(scheduled.get_weights(), by_hand.get_weights())
    assert float(scheduled.optimizer.learning_rate) == float(ExponentialDecay(0.2, 3, 0.5)(8))


def test_model_of_another_precision_computes_its_rates_in_it():
    with config.precision("float64"):
        model = model_with(SGD(CosineDecay(0.1, 10)))
    model.fit(X, Y, verbose=0)
    assert model.optimizer.learning_rate.dtype == "float64"
    assert float(model.optimizer.learning_rate) == pytest.approx(cosine(1, 0.1, 10), rel=1e-14)


@pytest.mark.parametrize("eager", [False, True])
def test_functions_are_schedules_too(eager):
    rate = keras.Variable(0.1)
    weights = []
    for source in (
        lambda step: 0.1 * 0.5**step,
        ExponentialDecay(0.1, 1, 0.5),
        lambda: rate,
        0.1,
    ):
        model = model_with(SGD(source), run_eagerly=eager)
        model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for a, b in zip(weights[0], weights[1]):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7)
    assert arrays_equal(weights[2], weights[3])


def test_function_that_returns_a_number_works_in_a_loop_and_is_refused_in_a_plan():
    rates = iter([0.5, 0.25])
    v, optimizer = keras.Variable(1.0), SGD(lambda: next(rates))
    for _ in range(2):
        optimizer.apply_gradients([(1.0, v)])
    assert v.numpy() == 0.25
    model = model_with(SGD(lambda: 0.1))
    with pytest.raises(TypeError, match=r"SGD: .*a tensor computed from the step, or a Variable"):
        model.fit(X, Y, verbose=0)
    assert int(model.optimizer.iterations) == 0


@pytest.mark.parametrize("base", [LearningRateSchedule, object])
def test_schedule_of_the_users_own(base):
    class Halves(base):
        def __call__(self, step):
            return 0.4 * ops.power(0.5, step)

    v, optimizer = keras.Variable(1.0), SGD(Halves())
    for _ in range(3):
        optimizer.apply_gradients([(1.0, v)])
    assert v.numpy() == pytest.approx(1 - 0.7)


def test_schedule_can_be_set_but_not_be_set_to_a_number():
    weights = []
    for eager in (False, True):
        model = model_with(SGD(0.1), run_eagerly=eager)
        model.train_on_batch(X, Y)
        model.optimizer.learning_rate = PiecewiseConstantDecay([1], [0.5, 0.0])
        model.train_on_batch(X, Y)
        before = model.get_weights()
        model.train_on_batch(X, Y)
        assert arrays_equal(model.get_weights(), before)
        weights.append(before)
    assert arrays_equal(*weights)
    with pytest.raises(TypeError, match=r"SGD: .*PiecewiseConstantDecay.* cannot be set to a num"):
        model.optimizer.learning_rate = 0.1


# --- settings


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: ExponentialDecay(-0.1, 10, 0.5),
            r"initial_learning_rate: expected a number in \[0, inf\), got -0.1",
        ),
        (
            lambda: ExponentialDecay(0.1, 0, 0.5),
            r"decay_steps: expected a number in \(0, inf\), got 0",
        ),
        (
            lambda: InverseTimeDecay(0.1, 10, "a"),
            r"decay_rate: expected a number in \[0, inf\), got 'a'",
        ),
        (
            lambda: PolynomialDecay(0.1, 10, power=-1),
            r"power: expected a number in \[0, inf\), got -1",
        ),
        (lambda: CosineDecay(0.1, None), r"decay_steps: expected a number in \(0, inf\), got None"),
        (
            lambda: CosineDecay(0.1, 3, warmup_target=-1),
            r"warmup_target: expected a number in \[0, inf\), got -1",
        ),
        (
            lambda: CosineDecayRestarts(0.1, 3, t_mul=0.5),
            r"t_mul: expected a number in \[1, inf\), got 0.5",
        ),
        (lambda: PiecewiseConstantDecay([1, 2], [0.1, 0.2]), "got 2 values and 2 boundaries"),
        (
            lambda: PiecewiseConstantDecay([2, 1], [0.1, 0.2, 0.3]),
            r"increasing boundaries, got \[2, 1\]",
        ),
        (
            lambda: PiecewiseConstantDecay([2], [0.1, "a"]),
            r"values: expected a number in \[0, inf\), got 'a'",
        ),
        (lambda: OneCycle(0.1, 0), r"total_steps: expected a number in \[1, inf\), got 0"),
        (
            lambda: OneCycle(0.1, 10, pct_start=1.5),
            r"pct_start: expected a number in \[0, 1\], got 1.5",
        ),
        (
            lambda: OneCycle(0.1, 10, 0.6, three_phase=True),
            r"three phases: expected a number in \[0, 0.5\], got 0.6",
        ),
        (lambda: OneCycle(0.1, 10, anneal_strategy="sine"), "'cos' or 'linear', got 'sine'"),
    ],
)
def test_setting_out_of_range_is_named_before_any_work(make, message):
    with pytest.raises(ValueError, match=rf"^\w+: .*{message}"):
        make()


def test_setting_that_was_changed_out_of_range_is_named_before_any_work():
    schedule = ExponentialDecay(0.1, 10, 0.5)
    model = model_with(Adam(schedule))
    before = model.get_weights()
    schedule.decay_steps = 0
    with pytest.raises(
        ValueError, match=r"ExponentialDecay: decay_steps: expected a number in \(0, inf\)"
    ):
        model.fit(X, Y, verbose=0)
    assert arrays_equal(model.get_weights(), before)


def test_schedule_without_a_rate_says_so():
    with pytest.raises(TypeError, match="Bare: a schedule must define rate"):
        type("Bare", (LearningRateSchedule,), {})()(1)


@pytest.mark.parametrize("cls, formula, args, settings", ALL)
def test_specs_are_equal_by_settings_and_can_be_copied(cls, formula, args, settings):
    schedule = cls(*args, **settings)
    assert isinstance(schedule, Configurable)
    for again in (
        cls(*args, **settings),
        cls.from_config(schedule.get_config()),
        copy.deepcopy(schedule),
        pickle.loads(pickle.dumps(schedule)),
        eval(repr(schedule), vars(schedules)),
    ):
        assert again == schedule and hash(again) == hash(schedule)
        assert np.array_equal(again(np.arange(9)).numpy(), schedule(np.arange(9)).numpy())
    assert schedule != ExponentialDecay(0.123, 1, 1.0)
    optimizer = Adam(schedule)
    assert optimizer == Adam(cls(*args, **settings)) != Adam(0.1)


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_copied_model_goes_on_at_its_step(how):
    model = model_with(Nadam(CosineDecayRestarts(0.1, 3)))
    model.fit(X, Y, batch_size=7, shuffle=False, verbose=0)
    copied = pickle.loads(pickle.dumps(model)) if how == "pickle" else copy.deepcopy(model)
    for m in (model, copied):
        m.fit(X, Y, batch_size=7, epochs=2, shuffle=False, verbose=0)
    assert arrays_equal(model.get_weights(), copied.get_weights())


def test_settings_of_a_schedule_can_be_searched():
    optimizer = Adam(ExponentialDecay(0.1, 10, 0.5))
    assert optimizer.get_params()["learning_rate__decay_rate"] == 0.5
    changed = configurable.clone(optimizer, learning_rate__decay_rate=0.9)
    assert changed == Adam(ExponentialDecay(0.1, 10, 0.9)) != optimizer
