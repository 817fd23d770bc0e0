"""What depends on weights alone is computed once for many runs: engine/constants.py."""

import gc
import weakref

import numpy as np
import pytest
import samples
from cases import CASES
from kernels import Guarded, engine, run, same_bits
from teams import team_of

from nnlite import GradientTape, config, layers, ops, optimizers
from nnlite.engine import constants
from nnlite.engine.dispatch import OPS
from nnlite.engine.plan import Plan
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Tensor, Variable
from nnlite.models import Model, Sequential


def in_two_steps(case, op, isa, real, threads):
    """What a kernel gives that is packed before it is read, each in memory of its own."""
    e, guarded = engine(isa, real), Guarded()
    attrs = case.attrs_for(real)
    x, w, *columns = map(guarded.copy, case.arrays(real))
    given = columns if len(columns) > 1 else []
    settings = {"groups": attrs.get("groups", 1), "panel": e.panel}
    shapes = OPS["pack_kernel"].infer(w.shape, *[c.shape for c in given], **settings)
    packed, *bias = [guarded.array(shape, real) for shape in shapes]
    packed[...] = np.nan  # what nothing writes is not read
    packing = e.op_ids["pack_kernel"]
    e.call(packing, [w, *given], [packed, *bias], (settings["groups"],), threads)
    (shape,) = OPS[op].infer(x.shape, w.shape, *[c.shape for c in columns], **attrs)
    y = guarded.array(shape, real)
    inputs, number = [x, packed, *(bias or columns[-1:])], e.op_ids[OPS[op].packs[1]]
    attrs = {**attrs, "features": shape[-1]}
    e.call(number, inputs, [y], OPS[OPS[op].packs[1]].c_attrs(attrs), threads)
    assert guarded.intact()
    return y


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("op", ["conv2d", "linear"])
def test_a_kernel_that_was_packed_before_gives_the_same_bits(op, threads, isa, real):
    with team_of(threads):
        for case in CASES[op]:
            (y,), _ = run(op, case, isa, real)
            packed = in_two_steps(case, op, isa, real, threads)
            assert same_bits(y, packed), (case.attrs, [a.shape for a in case.arrays(real)])


def network(normalized=False):
    """Convolutions of few rows, and dense layers; 33 filters do not fill panels."""
    norm = [layers.BatchNormalization()] if normalized else []
    with config.seeded(7):
        return Sequential(
            [
                layers.Input((6, 6, 4)),
                layers.Conv2D(33, 3, activation=None if normalized else "relu"),
                *norm,
                layers.Conv2D(6, 2, groups=3, use_bias=False, activation="tanh"),
                layers.Flatten(),
                layers.Dense(35, activation="relu"),
                layers.Dense(3),
            ]
        )


X = samples.normal(16, 6, 6, 4)
Y = samples.normal(16, 3)


def plan_of(model):
    """That of all its predictions."""
    (plan,) = {id(s.plan): s.plan for s in model._step_cache.steps.values()}.values()
    return plan


def ops_of(model):
    """The names of the ops of its predictions, and of those that run before."""
    plan = plan_of(model)
    before = [c.op.name for kept in plan.constants for c in kept.plan.calls]
    return [c.op.name for c in plan.calls], before


def test_kernels_are_packed_for_few_rows_and_nothing_else_is_done_again(monkeypatch):
    model = network(True)
    model.predict(X)
    each, before = ops_of(model)
    assert each.count("conv2d_packed") == each.count("linear_packed") == 2
    assert {"gather", "broadcast_to"} == set(each) - {"conv2d_packed", "linear_packed"}
    assert before.count("pack_kernel") == 4
    other = network(True)
    other.predict(X, fold=False)
    each, before = ops_of(other)
    assert "conv2d_packed" not in each and "linear_packed" not in each and not before
    monkeypatch.setattr(constants, "MOST_BYTES", 10)
    large = network()
    large.predict(X)
    assert "pack_kernel" not in ops_of(large)[1]
    monkeypatch.undo()
    monkeypatch.setattr(constants, "MOST_WORK", 10)  # multiply-adds for a number of a kernel
    busy = network()
    busy.predict(X)
    assert "pack_kernel" not in ops_of(busy)[1]
    monkeypatch.undo()
    for rows in (1, 128):
        other = network()
        other.predict(np.resize(X, (rows, *X.shape[1:])))
        assert "linear_packed" not in ops_of(other)[0]


def by_optimizer(model):
    with GradientTape() as tape:
        loss = ops.sum(ops.square(model(X)))
    variables = model.trainable_variables
    optimizers.SGD(0.1).apply_gradients(zip(tape.gradient(loss, variables), variables))


def by_training(model):
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=1, verbose=0)


def by_file(ending):
    def load(model, folder):
        other = network()
        other.set_weights([w + 0.1 for w in other.get_weights()])
        path = folder / f"weights{ending}"
        other.save_weights(path)
        model.load_weights(path)

    return load


WAYS = {
    "assign": lambda model: model.layers[0].kernel.assign(model.layers[0].kernel * 2.0),
    "assign_add": lambda model: model.layers[1].kernel.assign_add(
        np.ones(model.layers[1].kernel.shape)
    ),
    "assign_sub": lambda model: model.layers[3].bias.assign_sub(np.ones(35)),
    "set_weights": lambda model: model.set_weights([w / 2 for w in model.get_weights()]),
    "an op": lambda model: ops.assign(model.layers[4].kernel, ops.ones((35, 3))),
    "an optimizer": by_optimizer,
    "training": by_training,
    "safetensors": by_file(".safetensors"),
    "h5": by_file(".weights.h5"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_changed_weight_changes_the_prediction(way, tmp_path):
    if way == "h5":
        pytest.importorskip("h5py")
    model = network()
    before = model.predict(X)
    change = WAYS[way]
    change(model, tmp_path) if "load" in change.__name__ else change(model)
    after = model.predict(X)
    assert not np.array_equal(before, after)
    assert np.array_equal(after, model(X).numpy())
    assert np.array_equal(model.predict(X), after)


def test_statistics_that_training_moves_change_the_prediction():
    model = network(True)
    model.compile("sgd", "mse")
    model.predict(X)
    for _ in range(2):
        model.train_on_batch(X, Y)
        assert np.abs(model.predict(X) - model(X).numpy()).max() < 1e-5


def test_what_numpy_gives_is_a_copy():
    model = network()
    before = model.predict(X)
    for v in model.weights:
        v.numpy()[...] = 7
        np.asarray(v)[...] = 7
    assert np.array_equal(model.predict(X), before)


def test_kernels_are_packed_again_only_when_a_weight_of_theirs_has_changed(monkeypatch):
    model, runs = network(), []
    model.predict(X)
    packing, run_of = plan_of(model).constants, Plan.run
    assert len(packing) == 4
    packing = {id(kept.plan) for kept in packing}

    def counted(plan, *given):
        runs.append(id(plan) in packing)
        return run_of(plan, *given)

    monkeypatch.setattr(Plan, "run", counted)
    for _ in range(3):
        model.predict(X)
    assert sum(runs) == 0
    model.layers[0].kernel.assign_add(np.ones(model.layers[0].kernel.shape))
    model.predict(X)
    model.predict(X)
    assert sum(runs) == 1


def test_predictions_of_all_sizes_share_what_is_packed():
    model = network(True)
    for rows in (4, 16, 8):
        model.predict(X[:rows])
    plans = {id(s.plan): s.plan for s in model._step_cache.steps.values()}.values()
    first, *others = [{id(t._data) for k in plan.constants for t in k.tensors} for plan in plans]
    assert len(first) > 3 and others == [first, first]
    kept = weakref.ref(next(iter(plans)).constants[0])
    del plans
    model._step_cache.clear()
    gc.collect()
    assert kept() is None


def test_what_a_run_overwrites_or_returns_is_computed_in_each():
    counter, w = Variable(1.0), Variable(2.0)
    with Recording(executing=False) as trace:
        other = ops.multiply(w, 3.0)
        ops.assign(counter, ops.add(counter, other))
        y = ops.multiply(counter, other)
        z = ops.add(w, 1.0)
    plan = Plan(trace, (), [y, z], "float32", folds=True)
    assert [c.op.name for k in plan.constants for c in k.plan.calls] == ["multiply"]
    results = [np.zeros((), "float32"), np.zeros((), "float32")]
    for counted in (7, 13):
        plan.run([(r, 0, 0) for r in results], 1)
        assert results == [counted * 6, 3]
    w.assign(5.0)
    plan.run([(r, 0, 0) for r in results], 1)
    assert results == [28 * 15, 6]


def test_two_variables_in_one_memory_are_not_constant_when_one_is_written():
    whole = Variable(np.ones(4))
    half = Variable(np.zeros(2))
    half._data = whole._data[2:]
    with Recording(executing=False) as trace:
        y = ops.multiply(ops.multiply(half, 2.0), Tensor((2,), "float32", np.ones(2, "float32")))
        ops.assign(whole, ops.multiply(whole, 3.0))
    plan = Plan(trace, (), [y], "float32", folds=True)
    result = np.zeros(2, "float32")
    for value in (2, 6):
        plan.run([(result, 0, 0)], 1)
        assert (result == value).all()


def test_frozen_layers_of_a_training_read_packed_kernels(monkeypatch):
    def trained():
        base = network(True)
        base.trainable = False
        with config.seeded(2):
            model = Sequential([base, layers.Dense(3)])
            model.compile("sgd", "mse")
            losses = [model.train_on_batch(X, Y) for _ in range(3)]
        (step,) = model._step_cache.steps.values()
        names = [c.op.name for c in step.plan.calls]
        base.layers[0].kernel.assign_add(np.ones(base.layers[0].kernel.shape))
        return model, names, [*losses, model.train_on_batch(X, Y)]

    model, names, losses = trained()
    assert names.count("conv2d_packed") == 2
    monkeypatch.setattr(constants, "MOST_BYTES", 0)
    plain, names, expected = trained()
    assert "conv2d_packed" not in names
    assert losses == expected
    assert all(map(np.array_equal, model.get_weights(), plain.get_weights()))


def test_a_table_that_only_weights_make_is_a_result_as_well():
    """A model's second output depends on no input."""

    class Both(Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(5)

        def call(self, x):
            y = self.dense(x)
            squares = ops.square(self.dense.kernel)
            return y, ops.broadcast_to(ops.sum(squares), (x.shape[0], 1))

    model = Both()
    for _ in range(2):
        for a, b in zip(model.predict(X[:, 0, 0]), model(X[:, 0, 0])):
            assert np.array_equal(a, b.numpy())
        model.dense.kernel.assign(model.dense.kernel * 2.0)


def test_what_reads_a_weight_in_another_shape_follows_it():
    w, x = Variable(np.ones((4, 1), "float32")), Tensor((1,), "float32")
    with Recording(executing=False) as trace:
        y = ops.add(x, ops.sum(ops.square(ops.reshape(w, (2, 2)))))
    plan, out = Plan(trace, [x], [y], "float32", folds=True), np.empty(1, "float32")
    for value in (1.0, 3.0):
        w.assign(np.full((4, 1), value))
        plan.run([(np.zeros(1, "float32"), 0, 0), (out, 0, 0)])
        assert out == 4 * value**2
