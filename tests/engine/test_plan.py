"""Edge 3: planned is eager is any number of threads, bitwise; what plans do to memory."""

import math

import numpy as np
import pytest
import samples
from kernels import ISAS
from nnlite.engine._engine import ARENA, MEMORY, OWN, Program
from numpy.lib.array_utils import byte_bounds
from teams import team_of

from nnlite import (
    autodiff,
    config,
    configurable,
    constraints,
    layers,
    ops,
    optimizers,
    regularizers,
)
from nnlite.engine import dispatch, stretches
from nnlite.engine import plan as plan_module
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording, scope
from nnlite.engine.tensor import Tensor, Variable
from nnlite.models import Model, Sequential


def mlp():
    """A classifier with most of what a multilayer perceptron can have."""
    return Sequential(
        [
            layers.Dense(19, activation="relu", kernel_regularizer="l2", input_shape=(13,)),
            layers.Dropout(0.3),
            layers.Dense(17, activation="tanh", use_bias=False, kernel_constraint="unit_norm"),
            layers.Dense(
                7,
                activation="leaky_relu",
                kernel_regularizer=regularizers.L1L2(1e-4, 1e-4),
                bias_constraint="non_neg",
            ),
            layers.Dense(5, activation="softmax"),
        ]
    ), "sparse_categorical_crossentropy"


def wide():
    """Big enough for steps that several threads share."""
    return Sequential(
        [
            layers.Dense(160, activation="relu", input_shape=(13,)),
            layers.Dropout(0.5),
            layers.Dense(96, activation="sigmoid", kernel_constraint=constraints.MaxNorm(0.75)),
            layers.Dense(5, activation="softmax"),
        ]
    ), "categorical_crossentropy"


def regression():
    """Other shapes, a custom activation, another loss."""
    return Sequential(
        [
            layers.Reshape((13, 1), input_shape=(13,)),
            layers.Dense(3, activation=lambda x: x * ops.sigmoid(x)),
            layers.Flatten(),
            layers.Activation("tanh"),
            layers.Dense(1),
        ]
    ), "mse"


def binary():
    """A sigmoid, whose loss is taken from the logits."""
    return Sequential(
        [
            layers.Dense(11, kernel_initializer="he_normal", input_shape=(13,)),
            layers.Activation("relu"),
            layers.Dense(1, activation="sigmoid"),
        ]
    ), "binary_crossentropy"


class Tape(Model):
    """A `train_step` of one's own, with a tape and a variable that is written in between."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(9, activation="tanh")
        self.out = layers.Dense(5, activation="softmax")
        self.norm = Variable(0.0, trainable=False)

    def call(self, x):
        return self.out(self.hidden(x))

    def train_step(self, data):
        x, y = data
        with autodiff.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.loss(y, y_pred)
        grads = tape.gradient(loss, self.trainable_variables)
        old = ops.reshape(self.norm, (1,))
        ops.assign(self.norm, 0.9 * self.norm + ops.sum_squares(grads[0]))
        scale = 1.0 / (1.0 + ops.max(old))
        self.optimizer.apply_gradients(
            [(g * scale, v) for g, v in zip(grads, self.trainable_variables)]
        )
        return {"loss": loss}


MODELS = {
    "mlp": mlp,
    "wide": wide,
    "regression": regression,
    "binary": binary,
    "tape": lambda: (Tape(), "sparse_categorical_crossentropy"),
}


def data(name, rows):
    """Samples and targets for a model."""
    x, label = samples.normal(rows, 13), samples.labels(rows, 5)
    y = {
        "wide": np.eye(5)[label],
        "regression": samples.normal(rows, 1, seed=3),
        "binary": label % 2,
    }
    return x, y.get(name, label)


def trained(name, real="float32", isa=None, optimizer="adam", rows=150, **settings):
    """The weights, figures and predictions of a small training run that the seed decides."""
    dispatch.use_isa(isa)
    try:
        with config.precision(real), config.seeded(11):
            model, loss = MODELS[name]()
            x, y = data(name, rows)
            metrics = [] if name == "regression" else ["accuracy"]
            model.compile(optimizers.get(optimizer), loss=loss, metrics=metrics, **settings)
            history = model.fit(
                x,
                y,
                batch_size=32,
                epochs=2,
                verbose=0,
                validation_split=0.2,
                sample_weight=None if name == "tape" else np.linspace(0.5, 2, rows),
            )
            model.train_on_batch(x[:9], y[:9])
            figures = [np.array(v) for v in history.history.values()]
            return [*model.get_weights(), *figures, model.predict(x)]
    finally:
        dispatch.use_isa()


def assert_same_bits(some, others):
    """Each array bitwise equal to its counterpart."""
    assert len(some) == len(others)
    for a, b in zip(some, others):
        assert a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


@pytest.mark.parametrize(
    "optimizer",
    [
        "adam",
        optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        optimizers.Adam(0.01, gradient_accumulation_steps=3, use_ema=True),
    ],
    ids=["adam", "sgd", "accumulated"],
)
@pytest.mark.parametrize("name", MODELS)
def test_planned_training_is_eager_training(name, optimizer, real):
    optimizer = optimizers.get(optimizer)
    planned = trained(name, real, optimizer=configurable.clone(optimizer))
    assert_same_bits(
        planned, trained(name, real, optimizer=configurable.clone(optimizer), run_eagerly=True)
    )
    assert not np.array_equal(planned[0], trained(name, real, optimizer=optimizers.SGD(1e-9))[0])


@pytest.mark.parametrize("name", MODELS)
def test_training_does_not_depend_on_thread_count(name, isa, real):
    with team_of(3):
        assert_same_bits(
            trained(name, real, isa, n_threads=1), trained(name, real, isa, n_threads=2)
        )
        if isa == ISAS[0]:
            assert_same_bits(
                trained(name, real, isa, n_threads=1), trained(name, real, isa, n_threads=3)
            )


@pytest.mark.skipif(
    not {"avx2", "avx512"} <= set(ISAS), reason="this CPU does not run AVX2 and AVX-512"
)
@pytest.mark.parametrize("name", MODELS)
def test_training_is_the_same_on_avx2_and_avx512(name, real):
    assert_same_bits(trained(name, real, "avx2"), trained(name, real, "avx512"))


def test_middle_sized_training_is_eager_training_and_any_number_of_threads():
    def run(**settings):
        with config.seeded(3):
            model = Sequential(
                [
                    layers.Dense(300, activation="relu", input_shape=(784,)),
                    layers.Dropout(0.2),
                    layers.Dense(10, activation="softmax"),
                ]
            )
            model.compile("adam", "sparse_categorical_crossentropy", **settings)
            model.fit(
                samples.normal(500, 784).astype(np.float32), samples.labels(500, 10), 128, verbose=0
            )
            return model.get_weights()

    one = run(n_threads=1)
    assert_same_bits(one, run(n_threads=2))
    assert_same_bits(one, run(run_eagerly=True))


# --- memory


def traced(function, real="float32"):
    """A plan of what `function` computes from one feed of shape (6, 8); it returns the result."""
    feed = Tensor((6, 8), real)
    with config.precision(real), Recording(executing=False) as trace:
        result = function(feed)
    return Plan(trace, [feed], [result], real)


def views(x):
    """A view of a view of something that is needed again, and views of the feed."""
    y = ops.exp(x)
    flat = ops.reshape(ops.reshape(y, (48,)), (4, 12))
    z = ops.sum(flat * 2.0, axis=0)
    w = ops.reshape(x, (4, 12)) + z
    return ops.reshape(w, (6, 8)) * y + ops.reshape(ops.reshape(y, (8, 6)).T, (6, 8))


def long_sums(x):
    """Scratch memory beside tensors of many sizes."""
    big = ops.broadcast_to(ops.reshape(x, (6, 1, 8)), (6, 700, 8))
    s = ops.sum(big, axis=1)
    t = ops.matmul(ops.reshape(big, (4200, 8)), s, transpose_b=True)
    return s + ops.sum_squares(t) * ops.mean(big, axis=(0, 1))


def writes(x):
    """Variables that are overwritten between uses."""
    v = Variable(np.ones((6, 8)))
    before = ops.reshape(v, (8, 6))
    ops.assign(v, x + v)
    ops.sgd_update(v, x * 3.0, Variable(0.5))
    return ops.reshape(before, (6, 8)) + v


def training_plan(name):
    """The plan of a training step."""
    with config.seeded(1):
        model, loss = MODELS[name]()
        model.compile("adam", loss)
        x, y = data(name, 24)
        model.train_on_batch(x, y)
    (step,) = model._step_cache.steps.values()
    return step.plan


def stretched(x):
    """A stretch between other steps; two of its results are needed later."""
    a = ops.reshape(ops.exp(x), (6, 2, 4))
    b = ops.tanh(a * 2.0) + a
    c = ops.sigmoid(ops.tanh(b) * a) - 1.0
    d = ops.relu(ops.sum(c, axis=0, keepdims=True) * b)
    return ops.reshape(d * 2.0 + c, (6, 8))


PLANS = {
    **{f.__name__: lambda f=f: traced(f) for f in (views, long_sums, writes, stretched)},
    **{name: lambda name=name: training_plan(name) for name in MODELS},
}


@pytest.fixture(params=PLANS)
def lowered(request, monkeypatch):
    """Of each step (call, outputs that are stored, memory read, memory written, barrier before, one
    thread alone, whether the step before does it, whether it runs together with the one before)."""
    given = []
    monkeypatch.setattr(plan_module, "Program", lambda *args: given.append(args) or Program(*args))
    if request.param == "stretched":
        monkeypatch.setattr(stretches, "LEAST_SAMPLES", 1)
        monkeypatch.setattr(stretches, "TURN_BYTES", 4 * 40)
    plan = PLANS[request.param]()
    assert bool(plan.stretches) is (request.param == "stretched")
    engine, steps, arena_bytes, _ = given[-1]

    def bytes_of(tensor, operand, stretch):
        place, where, shape = operand
        size = math.prod(shape) * np.dtype(tensor.dtype).itemsize
        if place == OWN:  # thread 0's
            place, size = ARENA, size // stretch.samples * stretch.at_a_time
        if place == ARENA:
            assert 0 <= where <= where + size <= arena_bytes and where % 64 == 0
            return place, where, where + size
        return (place, *byte_bounds(where)) if place == MEMORY else (place, where, where + 1)

    found = []
    for call, step in zip(plan.calls, steps, strict=True):
        op, inputs, outputs, conditions, attrs, scratch, *flags, of_stretch, rows = step
        stretch = plan.stretch_of.get(id(call))
        given = zip(call.reads, inputs + conditions, strict=True)
        reads = [bytes_of(t, x, stretch) for t, x in given]
        stored = call.outputs if outputs else []  # what a fused step reads is not
        written = [bytes_of(t, x, stretch) for t, x in zip(stored, outputs, strict=True)]
        written += [reads[i] for i in call.op.writes]
        shapes = [t.shape for t in (*call.inputs, *stored)]
        for k in rows:
            shapes[k] = (stretch.at_a_time, *shapes[k][1:])
        n, threads = len(inputs), 1 if stretch else plan.max_threads
        size = engine.scratch(op, (*shapes[:n],), (*shapes[n:],), attrs, threads)
        if size:
            assert 0 <= scratch and scratch + size <= arena_bytes
            written.append((ARENA, scratch, scratch + size))
        if of_stretch:
            _, begin, end = plan.blocks["own", id(stretch)].range()
            mine = begin + of_stretch[3]
        if stretch:  # what OWN and scratch are of other threads lies behind
            ranges = [r for r, x in zip(reads + written, (*inputs, *outputs)) if x[0] == OWN]
            ranges += [written[-1]] if size else []
            assert all(begin <= a <= b <= mine <= end <= arena_bytes for _, a, b in ranges)
            written.append((ARENA, mine, end))
        joined = flags[-1] or (stretch is not None and not of_stretch)
        found.append((call, stored, reads, written, *flags, joined))
    assert len(found) >= 3
    return found


def meet(some, others):
    """Whether two lists of ranges have a byte in common."""
    return any(p == q and a < d and c < b for p, a, b in some for q, c, d in others)


def test_live_tensors_never_overlap(lowered):
    """What a step reads is what the step that made it wrote there: nothing came in between.

    (A view has no step of its own; it is looked up by where it lies.)
    """
    root, content, busy = {}, {}, []
    for call, stored, reads, written, _, _, fused, _ in lowered:
        outputs = written[: len(stored)]
        assert not fused or not meet(outputs, busy), call  # the step before still works there
        busy = reads + written
        for t, place in zip(call.reads, reads):
            if place[0] == ARENA and place[1] < place[2]:
                assert place in content, call
                if id(t) in root:
                    assert content[place] == root[id(t)], call
        in_place = [reads[i] for i, _ in call.op.in_place]
        for place in outputs:
            others = [r for r in reads if not (r == place and r in in_place)]
            assert not meet([place], others) or place[0] != ARENA, call
        for k, place in enumerate(written):
            content = {p: t for p, t in content.items() if not meet([p], [place])}
            if k < len(stored):
                content[place] = root[id(stored[k])] = id(stored[k])
        assert all(place in content for place in outputs), call


def test_barrier_stands_wherever_threads_could_meet(lowered):
    steps = []
    for call, _, reads, written, wait, single_thread, _, joined in lowered:
        if joined:  # each thread does it for what it has just written itself
            reads, written = steps[-1][1] + reads, steps[-1][2] + written
            steps[-1] = (steps[-1][0], reads, written, *steps[-1][3:])
        else:
            steps.append((call, reads, written, wait, single_thread))
    for j, (call, reads, written, _, single_thread) in enumerate(steps):
        for i in range(j - 1, -1, -1):
            if steps[i + 1][3]:  # all threads are done with step i
                break
            before, earlier_reads, earlier_written, _, was_single_thread = steps[i]
            hazard = meet(written, earlier_reads + earlier_written) or meet(reads, earlier_written)
            assert not hazard or (single_thread and was_single_thread), (before, call)


@pytest.mark.parametrize("name", ["views", "long_sums", "writes"])
def test_plan_gives_what_its_function_gives(name, real):
    function = {f.__name__: f for f in (views, long_sums, writes)}[name]
    x = samples.normal(6, 8).astype(real)
    plan = traced(function, real)
    out = np.empty((6, 8), real)
    plan.run([(x, 0, 0), (out, 0, 0)], threads=2)
    with config.precision(real):
        assert_same_bits([out], [function(Tensor((6, 8), real, x)).numpy()])


def test_large_weights_are_read_on_several_cores_and_small_ones_on_one():
    def threads(units):
        model = Sequential([layers.Dense(units, input_shape=(500,))])
        model.predict(np.zeros((1, 500)), verbose=0)
        step = next(iter(model._step_cache.steps.values()))
        return step.plan.threads()

    with team_of(3):
        assert (threads(400), threads(600)) == (1, 3)  # 0.8 and 1.2 megabytes


def hazards(x):
    """Sixty steps, small ones that one thread does and large ones that all share."""
    v = Variable(np.zeros((6, 8)))
    for k in range(12):
        small = ops.tanh(x + float(k))
        large = ops.broadcast_to(ops.reshape(small, (1, 6, 8)), (100, 6, 8)) * small
        ops.assign(v, v * 0.5 + ops.mean(large, axis=0))
        x = ops.reshape(ops.sum(large, axis=(0, 2)), (6, 1)) * 0.01 + v
    return x


def test_many_runs_over_many_hazards_give_the_same_bits_with_any_threads():
    with team_of(3):
        results = []
        for threads in (1, 2, 3):
            plan = traced(hazards)
            x = samples.normal(400, 6, 8).astype(np.float32)
            out = np.empty((400, 6, 8), np.float32)
            assert plan.run([(x, 0, 192), (out, 0, 192)], runs=400, threads=threads) == 400
            results.append(out)
    assert_same_bits(results[:1], results[1:2])
    assert_same_bits(results[:1], results[2:])


def test_run_stops_at_a_bad_label_and_says_where():
    feed = Tensor((4,), "int32")
    with Recording(executing=False) as trace, scope("labels"):
        result = ops.one_hot(feed, 3)
    plan = Plan(trace, [feed], [result])
    y, out = np.array([0, 1, 2, 0, 1, 1, 3, -1, 0, 0, 0, 0], np.int32), np.full((12, 3), 7, "f")
    with pytest.raises(ValueError, match=r"layer 'labels': one_hot: .* position 2 "):
        plan.run([(y, 0, 16), (out, 0, 48)], runs=3, threads=2)
    assert out[:6].tolist() == np.eye(3)[y[:6]].tolist()
    assert not out[6:8].any() and (out[8:] == 7).all()


def test_view_of_a_variable_keeps_its_values_in_a_plan():
    out = np.empty((6, 8), np.float32)
    traced(writes).run([(np.full((6, 8), 2, np.float32), 0, 0), (out, 0, 0)])
    assert (out == 1 + (1 + 2 - 0.5 * 6)).all()


@pytest.mark.parametrize("name", MODELS)
def test_prediction_of_some_rows_is_some_rows_of_the_prediction(name, isa, real):
    with config.seeded(2):
        model = MODELS[name]()[0]
    x = samples.normal(700, 13)
    whole = model.predict(x)
    for part in [(0, 1), (3, 4), (5, 9), (100, 357), (1, 258), (0, 699), (0, 700, 7)]:
        rows = slice(*part)
        assert_same_bits([model.predict(x[rows])], [np.ascontiguousarray(whole[rows])])
