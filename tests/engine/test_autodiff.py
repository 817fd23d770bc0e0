"""Edge 2: every gradient rule is the numerical gradient, in float64; the tape that uses them."""

import collections
import contextlib

import cases_attention
import cases_conv
import cases_gradients
import cases_gradients_images
import numpy as np
import pytest
import samples
from all_ops import OPS
from cases_gradients import Smooth
from cases_images import ONCE_ONLY as ONCE_ONLY_IMAGES
from cases_recurrent import ONCE_ONLY as ONCE_ONLY_RECURRENT
from gradients import check_gradient, first_gradient, value

import nnlite
from nnlite import layers, losses, ops, optimizers
from nnlite.autodiff import GradientTape
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import Variable

GRADIENTS = cases_gradients.GRADIENTS | cases_gradients_images.GRADIENTS
GRADIENTS |= {
    name: [cases_gradients.Smooth(*case) for case in some]
    for name, some in cases_conv.GRADIENTS.items()
}
DIFFERENTIABLE = sorted(name for name, op in OPS.items() if callable(op.gradient))
# Their rules end in a fused op that has no rule of its own.
ONCE_ONLY = {
    "ctc_loss": "ctc_loss_gradient",
    "first_order": "first_order_gradient",
    **ONCE_ONLY_IMAGES,
    **ONCE_ONLY_RECURRENT,
    **cases_attention.ONCE_ONLY,
}


def test_every_differentiable_op_has_a_gradient_case():
    assert set(GRADIENTS) == set(DIFFERENTIABLE)
    assert all(GRADIENTS.values())


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_rule_is_the_numerical_gradient(name, double):
    for smooth in GRADIENTS[name]:
        check_gradient(lambda inputs, s=smooth: value(name, s, inputs), smooth)


@pytest.mark.parametrize("name", sorted(set(DIFFERENTIABLE) - set(ONCE_ONLY)))
def test_rule_of_the_rule_is_the_numerical_second_derivative(name, double):
    for smooth in GRADIENTS[name]:
        check_gradient(lambda inputs, s=smooth: first_gradient(name, s, inputs), smooth)


@pytest.mark.parametrize("name", sorted(ONCE_ONLY))
def test_second_derivative_through_a_fused_rule_is_an_error_that_names_it(name, double):
    smooth = GRADIENTS[name][0]
    with pytest.raises(NotImplementedError, match=ONCE_ONLY[name]):
        check_gradient(lambda inputs: first_gradient(name, smooth, inputs), smooth)


def test_gradient_ops_are_asked_only_for_what_is_needed(monkeypatch, double):
    asked = []
    rule = OPS["matmul"].gradient
    monkeypatch.setattr(
        OPS["matmul"], "gradient", lambda c, dy, need: asked.append(need) or rule(c, dy, need)
    )
    w, x = Variable(np.ones((3, 2))), np.ones((4, 3))
    with GradientTape() as tape:
        loss = ops.sum(ops.matmul(x, w))
    tape.gradient(loss, w)
    assert asked == [[False, True]]


@pytest.mark.parametrize(
    "shapes", [((3, 4), (4,)), ((2, 1, 3), (4, 1)), ((), (2, 2)), ((1, 5), (5,)), ((1,), ())]
)
def test_gradient_of_a_broadcast_input_has_the_inputs_shape_and_sum(shapes, real):
    a, b = (Variable(samples.normal(*s, seed=i)) for i, s in enumerate(shapes))
    with GradientTape() as tape:
        y = a + b
    da, db = tape.gradient(y, [a, b])
    assert (da.shape, db.shape) == shapes
    assert np.all(da.numpy() == y.size // a.size) and np.all(db.numpy() == y.size // b.size)


def test_composed_functions_have_numerical_gradients(double):
    x = np.abs(samples.normal(3, 4)) + 0.2
    t = np.eye(4)[:3]
    for function in [
        lambda v: ops.sum(ops.square(ops.mean(v[0], axis=1))),
        lambda v: ops.sum(ops.square(ops.max(v[0], axis=0))),
        lambda v: ops.sum(ops.square(ops.min(v[0], axis=(0, 1)))),
        lambda v: ops.sum(ops.clip(v[0], 0.3, 0.9) * v[0]),
        lambda v: ops.sum(ops.square(ops.sum(v[0], axis=(0, 1), keepdims=True) - v[0])),
        lambda v: losses.CategoricalCrossentropy()(t, v[0]),
        lambda v: losses.CategoricalCrossentropy(label_smoothing=0.1)(t, ops.softmax(v[0])),
        lambda v: losses.SparseCategoricalCrossentropy()(np.array([0, 3, 1]), ops.softmax(v[0])),
        lambda v: losses.BinaryCrossentropy()(t, ops.sigmoid(v[0])),
        lambda v: losses.BinaryCrossentropy()(t, v[0] / 10.0),
        lambda v: losses.MeanSquaredError()(t, v[0] ** 2, np.array([1.0, 2.0, 0.5])),
        lambda v: ops.sum(v[0].T / (1.0 + ops.abs(2.0 - v[0].T)) - -v[0].T),
    ]:
        check_gradient(function, Smooth([x]))


def test_result_that_is_used_twice_collects_both_gradients():
    x = Variable(3.0)
    with GradientTape() as tape:
        y = x * x
        z = y * x + y
    assert tape.gradient(z, x).item() == 3 * 9 + 2 * 3


PARTS = {  # along which axis; the parts; whether each entry of the gradient is written once
    "all steps": (1, [(k, k + 1) for k in range(12)], True),
    "in any order, with gaps": (1, [(7, 9), (1, 2), (2, 6)], True),
    "of another axis": (2, [(0, 2), (2, 3)], True),
    "that overlap": (1, [(0, 5), (4, 9)], False),
}


@pytest.mark.parametrize("what", PARTS)
def test_gradients_of_parts_are_joined(what):
    axis, parts, once = PARTS[what]
    x, expected = Variable(np.random.default_rng(0).normal(size=(2, 12, 3))), np.zeros((2, 12, 3))
    with Recording(executing=True) as made, GradientTape() as tape:
        loss = ops.sum(x * 3.0)
        for k, (begin, end) in enumerate(parts):
            place = (*[slice(None)] * axis, slice(begin, end))
            loss = loss + ops.sum(x[place] * (k + 1.0))
            expected[place] += k + 1
        gradient = tape.gradient(loss, x)
    np.testing.assert_array_equal(gradient.numpy(), expected + 3)
    whole = [c for c in made.calls if c.op.name == "add" and c.outputs[0].shape == x.shape]
    assert len(whole) == (1 if once else len(parts))


def test_equal_extremes_share_the_gradient():
    x = Variable([1.0, 4.0, 4.0])
    with GradientTape(persistent=True) as tape:
        y, z = ops.max(x), ops.sum(ops.maximum(x, 4.0))
    assert tape.gradient(y, x).numpy().tolist() == [0, 0.5, 0.5]
    assert tape.gradient(z, x).numpy().tolist() == [0, 0.5, 0.5]


# --- the tape


def test_tape_gives_its_gradients_once():
    x = Variable(1.0)
    with GradientTape() as tape:
        y = x * x
    tape.gradient(y, x)
    with pytest.raises(RuntimeError, match="once"):
        tape.gradient(y, x)


def test_tape_is_entered_by_one_block_at_a_time_and_by_a_stack_of_contexts():
    x = Variable(3.0)
    with contextlib.ExitStack() as stack:
        tape = stack.enter_context(GradientTape(persistent=True))
        y = ops.square(x)
        with pytest.raises(RuntimeError, match="GradientTape can be entered by one block at a"):
            tape.__enter__()
    ops.exp(x)
    assert len(tape.calls) == 1
    with tape:
        z = ops.square(y)
    assert tape.gradient(z, x).item() == 4 * 27


def test_persistent_tape_gives_them_again():
    x = Variable(2.0)
    with GradientTape(persistent=True) as tape:
        y = x * x
        z = y * y
    assert [tape.gradient(t, x).item() for t in (y, z, y)] == [4, 32, 4]
    assert tape.gradient(z, y).item() == 8


def test_sources_may_be_one_tensor_or_a_list():
    a, b = Variable(2.0), Variable(3.0)
    with GradientTape(persistent=True) as tape:
        y = a * b
    assert tape.gradient(y, a).item() == 3
    assert [g.item() for g in tape.gradient(y, [a, b])] == [3, 2]
    assert [g.item() for g in tape.gradient(y, (b,))] == [2]
    assert tape.gradient(y, []) == []


def test_gradients_of_nested_sources_are_nested_alike():
    Pair = collections.namedtuple("Pair", "left right")
    a, b, c = Variable(2.0), Variable(3.0), Variable([5.0, 7.0])
    with GradientTape(persistent=True) as tape:
        y = a * a * b
    found = tape.gradient(y, {"a": a, "b": [b, (a, Pair(b, c))]})
    assert list(found) == ["a", "b"] and found["a"].item() == 12
    first, (second, pair) = found["b"]
    assert (first.item(), second.item(), pair.left.item()) == (4, 12, 4)
    assert isinstance(found["b"][1], tuple) and isinstance(pair, Pair) and pair.right is None
    zeros = tape.gradient(y, {"c": (c,)}, unconnected_gradients="zero")
    assert zeros["c"][0].numpy().tolist() == [0, 0]
    assert tape.gradient(y, {}) == {} and tape.gradient(y, ()) == ()


def test_a_source_that_is_no_tensor_is_refused_wherever_it_stands():
    with GradientTape() as tape:
        y = Variable(2.0) * 3.0
    for sources in (None, [None], {"a": [3.0]}, "abc"):
        with pytest.raises(TypeError, match="sources: expected a Tensor, or a list, tuple or dict"):
            tape.gradient(y, sources)


def test_unconnected_source_has_no_gradient():
    a, b = Variable(2.0), Variable([3.0, 4.0])
    with GradientTape(persistent=True) as tape:
        y = a * a + ops.sum(ops.greater(b, 1.0))
    assert tape.gradient(y, b) is None
    assert tape.gradient(y, [a, b])[1] is None
    assert tape.gradient(y, b, unconnected_gradients="zero").numpy().tolist() == [0, 0]
    assert tape.gradient(a, b) is None


def test_what_happens_outside_of_the_block_is_not_recorded():
    a = Variable(2.0)
    b = a * 3.0
    with GradientTape() as tape:
        y = b * b
    assert tape.gradient(y, a) is None


def test_gradient_of_a_tensor_is_that_of_its_sum_and_can_be_weighted():
    x = Variable([1.0, 2.0])
    with GradientTape(persistent=True) as tape:
        y = x * x
    assert tape.gradient(y, x).numpy().tolist() == [2, 4]
    weights = nnlite.convert_to_tensor([10.0, 1.0])
    assert tape.gradient(y, x, output_gradients=weights).numpy().tolist() == [20, 4]
    assert tape.gradient(x, x).numpy().tolist() == [1, 1]


@pytest.mark.parametrize("change", ["assign", "assign_add", "assign_sub", "op", "update"])
def test_assigning_a_variable_between_forward_and_gradient_is_an_error(change):
    x = Variable(3.0, name="weight")
    with GradientTape() as tape:
        y = x * x
    if change == "op":
        ops.assign(x, 1.0)
    elif change == "update":
        optimizers.SGD(0.1).apply_gradients([(1.0, x)])
    else:
        getattr(x, change)(1.0)
    with pytest.raises(RuntimeError, match="'weight' was assigned"):
        tape.gradient(y, x)


def test_assigning_after_the_gradient_is_no_error():
    x = Variable(3.0)
    for _ in range(3):
        with GradientTape() as tape:
            y = x * x
        x.assign_sub(0.1 * tape.gradient(y, x))
    assert x.item() == pytest.approx(3 * 0.8**3)


def test_value_taken_before_an_assignment_stays():
    x = Variable([1.0, 2.0])
    views = [
        x.value,
        x.value(),
        ops.reshape(x, (2, 1)),
        ops.reshape(x, (2,)),
        ops.transpose(x),
        ops.broadcast_to(x, (2,)),
        ops.sum(x, axis=()),
        x + 0.0,
    ]
    copy = x.numpy()
    x.assign([7.0, 8.0])
    assert copy.tolist() == [1, 2]
    assert [v.numpy().ravel().tolist() for v in views] == [[1, 2]] * len(views)


def test_gradient_within_the_block_does_not_record_itself():
    x = Variable(2.0)
    with GradientTape() as tape:
        y = x * x
        dy = tape.gradient(y, x)
    assert dy.item() == 4


def test_tape_in_a_tape_gives_second_and_third_derivatives(double):
    x = Variable(1.5)
    with GradientTape() as third, GradientTape() as outer:
        with GradientTape() as inner:
            y = ops.exp(x) * x**2.0
        dy = inner.gradient(y, x)
        ddy = outer.gradient(dy, x)
    e, v = np.exp(1.5), 1.5
    assert dy.item() == pytest.approx(e * (v**2 + 2 * v), rel=1e-14)
    assert ddy.item() == pytest.approx(e * (v**2 + 4 * v + 2), rel=1e-14)
    assert third.gradient(ddy, x).item() == pytest.approx(e * (v**2 + 6 * v + 6), rel=1e-13)


def test_target_must_be_a_tensor_and_unconnected_gradients_known():
    x = Variable(2.0)
    with GradientTape(persistent=True) as tape:
        y = x * x
    with pytest.raises(TypeError, match="expected a Tensor"):
        tape.gradient(4.0, x)
    with pytest.raises(ValueError, match="unconnected_gradients"):
        tape.gradient(y, x, unconnected_gradients="nothing")


def test_tensors_of_two_precisions_do_not_mix():
    with pytest.raises(TypeError, match="one precision"):
        nnlite.convert_to_tensor([1.0], "float32") + nnlite.convert_to_tensor([1.0], "float64")


# --- golden values, from Keras 3.15.1


def test_tape_gradient_of_the_tutorial_is_one():
    var = Variable(1.0)
    with GradientTape() as tape:
        loss = (var**2.0) / 2.0
    assert tape.gradient(loss, var).item() == 1.0


def test_sgd_gives_keras_numbers():
    var = Variable(1.0)
    optimizers.SGD(learning_rate=0.1).apply_gradients([(0.5, var)])
    assert var.item() == np.float32(0.95)


def test_momentum_gives_keras_numbers():
    var, sgd, seen = Variable(1.0), optimizers.SGD(learning_rate=0.1, momentum=0.9), []
    for _ in range(2):
        loss = (var**2.0) / 2.0
        sgd.apply_gradients([(loss, var)])
        seen.append(var.item())
    assert seen == pytest.approx([0.95, 0.85987496], abs=6e-8)


@pytest.mark.parametrize(("gradient", "keras"), [(0.5, 0.90000129), (1.0, 0.90000099)])
def test_adam_gives_keras_numbers(gradient, keras):
    """As far as they are exact: Keras takes 1 - beta_2 in float32, off by 1.3e-5 of itself."""
    var = Variable(1.0)
    optimizers.Adam(learning_rate=0.1).apply_gradients([(gradient, var)])
    exact = 1 - 0.1 * gradient / (gradient + 1e-7 / np.sqrt(0.001))
    assert var.item() == pytest.approx(exact, abs=6e-8)
    assert var.item() == pytest.approx(keras, abs=1e-6)


def test_cross_entropies_give_keras_numbers():
    t, p = [[0, 1, 0], [0, 0, 1]], [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]
    assert losses.CategoricalCrossentropy()(t, p).item() == pytest.approx(1.17693925, abs=2e-7)
    assert losses.SparseCategoricalCrossentropy()([1, 2], p).item() == pytest.approx(
        1.17693925, abs=2e-7
    )
    bce = losses.BinaryCrossentropy()([[0.0, 1.0]], [[0.4, 0.6]])
    assert bce.item() == pytest.approx(0.51082557, abs=1e-7)


def test_dropout_keeps_one_and_a_quarter_times_the_value():
    y = layers.Dropout(0.2, seed=1)(nnlite.ones((10, 100)), training=True).numpy()
    assert set(np.unique(y)) == {0.0, 1.25}


def test_no_gradient_goes_through_stop_gradient():
    x = nnlite.Variable([3.0, 4.0])
    with nnlite.GradientTape() as tape:
        kept = ops.stop_gradient(x)
        y = ops.sum(x * kept + ops.stop_gradient(x * x))
    assert tape.gradient(y, x).numpy().tolist() == [3.0, 4.0]
    x.assign([7.0, 7.0])
    assert kept.numpy().tolist() == [3.0, 4.0]
    assert ops.stop_gradient([1, 2]).dtype == "int32"

    class Model(nnlite.Model):
        def build(self, input_shape):
            self.w = self.add_weight((2,), "ones")

        def call(self, x):
            return x * self.w * ops.stop_gradient(self.w)

    for eagerly in (False, True):
        model = Model()
        model.compile(nnlite.optimizers.SGD(0.1), "mse", run_eagerly=eagerly)
        model.fit(np.ones((1, 2)), np.zeros((1, 2)), verbose=0)
        np.testing.assert_allclose(model.get_weights()[0], 0.9)
    symbol = nnlite.Input((2,))
    made = nnlite.Model(symbol, ops.stop_gradient(symbol) * 2.0)
    again = nnlite.Model.from_config(made.get_config())
    assert again.predict(np.ones((1, 2))).tolist() == [[2.0, 2.0]]


def test_an_operand_that_a_fused_gradient_reads_twice_counts_once_for_each_place(double):
    """softmax_gradient(y, y): the gradient y goes into the softmax that gave y."""
    slopes = np.array([1.0, 2.0, 3.0])

    def slope_of(v):
        x = Variable(v)
        with GradientTape() as outer:
            with GradientTape() as inner:
                y = ops.softmax(x)
            total = ops.sum(inner.gradient(y, x, y) * slopes)
        return total.item(), outer.gradient(total, x).numpy()

    v, step = samples.normal(1, 3), 1e-6
    ends = [[slope_of(v + sign * d)[0] for sign in (1, -1)] for d in step * np.eye(3)[:, None]]
    expected = [(above - below) / (2 * step) for above, below in ends]
    np.testing.assert_allclose(slope_of(v)[1][0], expected, rtol=1e-6)


def test_norms_of_singular_values_have_first_derivatives_only(double):
    x = Variable(samples.normal(3, 4))
    with GradientTape() as outer:
        with GradientTape() as inner:
            y = ops.norm(x, "nuc")
        slope = inner.gradient(y, x)
        total = ops.sum(slope * slope)
    np.testing.assert_allclose(total.item(), 3)
    with pytest.raises(NotImplementedError, match="first_order_gradient"):
        outer.gradient(total, x)


# --- derivatives of each element


def test_jacobian_has_the_derivatives_of_each_element(double):
    a, b = Variable(samples.normal(3, 2)), Variable(samples.normal(4))
    with GradientTape() as tape:
        y = ops.exp(ops.outer(ops.sum(a, axis=1), b))
    found = tape.jacobian(y, {"a": a, "b": [b, Variable(1.0)]})
    sums, values = a.numpy().sum(axis=1), y.numpy()
    eye = np.eye(3)[:, None, :, None]
    np.testing.assert_allclose(
        found["a"].numpy(), (values * b.numpy())[:, :, None, None] * eye * np.ones(2), rtol=1e-12
    )
    np.testing.assert_allclose(
        found["b"][0].numpy(), (values * sums[:, None])[..., None] * np.eye(4), rtol=1e-12
    )
    assert found["b"][1] is None
    with pytest.raises(RuntimeError, match=r"GradientTape.jacobian: .* once"):
        tape.jacobian(y, a)


def test_batch_jacobian_is_the_diagonal_of_the_jacobian(double):
    x, w = Variable(samples.normal(5, 3)), samples.normal(3, 2)
    with GradientTape(persistent=True) as tape:
        y = ops.tanh(ops.matmul(x, w))
    whole, rows = tape.jacobian(y, x).numpy(), tape.batch_jacobian(y, x).numpy()
    assert rows.shape == (5, 2, 3)
    np.testing.assert_allclose(rows, np.einsum("nmnk->nmk", whole), rtol=1e-12)
    with pytest.raises(ValueError, match=r"as many rows, got shapes \(5, 2\) and \(3, 2\)"):
        tape.batch_jacobian(y, Variable(w))
    with pytest.raises(TypeError, match=r"batch_jacobian: expected a Tensor as source, got list"):
        tape.batch_jacobian(y, [x, x])


def test_jacobians_of_what_does_not_depend_or_is_empty():
    x, z = Variable(np.ones((2, 3))), Variable(np.ones((2, 1)))
    with GradientTape(persistent=True) as tape:
        y, none = x * 2.0, x[:, :0]
    assert tape.jacobian(y, z) is None and tape.batch_jacobian(y, z) is None
    assert tape.jacobian(y, z, "zero").shape == (2, 3, 2, 1)
    assert tape.batch_jacobian(y, z, "zero").shape == (2, 3, 1)
    assert tape.jacobian(none, x).shape == (2, 0, 2, 3)
    assert tape.batch_jacobian(none, x).shape == (2, 0, 3)


def test_second_derivatives_by_a_tape_within_a_tape_and_by_jacobian(double):
    x = Variable(samples.normal(4))
    with GradientTape() as outer:
        with GradientTape() as inner:
            y = ops.sum(ops.exp(x) * x)
        slope = inner.gradient(y, x)
    hessian = outer.jacobian(slope, x).numpy()
    v = x.numpy()
    np.testing.assert_allclose(hessian, np.diag(np.exp(v) * (v + 2)), rtol=1e-12, atol=1e-15)


def test_a_tape_stops_recording_and_forgets():
    x = nnlite.Variable([1.0, 2.0])
    with GradientTape(persistent=True) as tape:
        y = ops.sum(x * x)
        with tape.stop_recording():
            z = y * 2.0
        w = z * y
    assert z.item() == 10 and tape.gradient(z, x) is None
    np.testing.assert_allclose(tape.gradient(w, x).numpy(), [20, 40])  # z is a constant to it
    tape.reset()
    assert tape.gradient(y, x) is None
