"""`gradcheck`: whether the gradients of a function, a layer or a model are those of its values.

The one idea: along a random direction, the derivative by the gradient and the one by differences
must agree. One direction for each weight finds a wrong rule anywhere, and says in which weight.
"""

import copy

import numpy as np

from nnlite import config, ops
from nnlite.autodiff import GradientTape
from nnlite.checks import check_number
from nnlite.engine.tensor import REALS, Tensor, Variable, convert_to_tensor
from nnlite.layers.arguments import as_tensors
from nnlite.layers.layer import Layer
from nnlite.models.model import Model
from nnlite.tree import flatten, map_structure

# Shorter steps are tried, too, as a longer one may go across a kink, as of relu.
STEPS = (1e-5, 1e-6, 1e-7)


@config.isolated
def gradcheck(target, inputs, training=None, tolerance=1e-6, seed=0):
    """Check gradients against differences of values, in float64.

    A random weighted sum of the outputs is differentiated, with respect to each real input and each
    weight, along one random direction of each. A layer or model is copied: it stays as it is.
    Gradients at a point where there is none, as of relu at 0, cannot be checked.

    Parameters
    ----------
    target : function of tensors, Layer or Model
        Variables that a function uses are checked, too; they are float64 for the time of the check.
    inputs : array-like, or list, tuple or dict of them
        The members of a tuple are separate arguments; anything else is one. Integers, and what is
        computed of them alone, have no gradient.
    training : bool, optional
        The argument of a layer's call, if it is given. Random layers draw the same each time.
    tolerance : float, default 1e-6
        How far apart both may be, relative to the size of the terms.
    seed : int, default 0
        Of weights and directions.

    Returns
    -------
    dict of str to float
        How far apart they are for each input ('inputs/0', ...) and each weight, by its name.

    Raises
    ------
    ValueError
        If a gradient is wrong: the message names all such weights. If an output is no number.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.Dense(2, activation="tanh")
    >>> sorted(nnlite.gradcheck(layer, [[1.0, 2.0, 3.0]]))
    ['dense/bias', 'dense/kernel', 'inputs/0']
    >>> nnlite.gradcheck(nnlite.ops.exp, [0.5, 1.0])["inputs/0"] < 1e-6
    True
    """
    check_number("tolerance", tolerance, "(0, inf)", owner="gradcheck")
    precision = config.floatx()
    with config.precision("float64"), config.seeded(seed):
        case = _Case(target, inputs, training, seed, precision)
        try:
            found, wrong = {}, []
            for name, x, gradient in case.gradients():
                far, message = case.compare(x, gradient, tolerance)
                found[name] = far
                if not far <= tolerance:
                    wrong.append(f"{name}: {message}")
        finally:
            case.restore()
    if wrong:
        raise ValueError(f"gradcheck: wrong gradients of {'; of '.join(wrong)}")
    return found


class _Case:
    """What is checked, in float64, and a number that depends on all of its outputs."""

    def __init__(self, target, inputs, training, seed, precision):
        self.seed, self.narrow = seed, []
        self.options = {} if training is None else {"training": training}
        given = inputs if isinstance(inputs, tuple) else (inputs,)
        with config.precision(precision):
            given = [as_tensors(x) for x in given]
        self.arguments = [map_structure(_in_float64, x, Tensor) for x in given]
        if isinstance(target, Layer):
            self.target = self._copied(target)
            self.weights = [v for v in self.target.weights if v.trainable]
        elif callable(target):
            self.target = target
            self.variables = self.weights = self._widened_of_function(given)
        else:
            raise TypeError(
                f"gradcheck: target: expected a function, a Layer or a Model, got {target!r}"
            )
        self.state = [(v, v.numpy()) for v in self.variables]

    def _copied(self, layer):
        """A copy of a layer in float64; its Variables, also those that are no weights, go to
        `variables`."""
        made = {}
        copied = copy.deepcopy(layer, made)
        if not layer.built:
            for part in made.values():
                if isinstance(part, Layer):
                    part._given.pop("dtype", None)  # its own precision, if it was told one
            copied(*self.arguments, **self.options)
        made = {}
        copied = copy.deepcopy(copied, made)
        self.variables = [v for v in made.values() if isinstance(v, Variable)]
        for variable in self.variables:
            _widen(variable)
        for part in made.values():
            if isinstance(part, Model):
                part._real = "float64"
        return copied

    def _widened_of_function(self, given):
        """The Variables that a function reads, now in float64. It is called in its own precision
        first: that of most calls, or float64."""
        with GradientTape() as tape:
            try:
                self.target(*given)
            except TypeError:
                self.target(*self.arguments)
        read = [x for call in tape.calls for x in call.inputs if isinstance(x, Variable)]
        found = list({id(x): x for x in read}.values())
        for variable in found:
            self.narrow.append((variable, variable._data, variable.dtype))
            _widen(variable)
        return found

    def restore(self):
        """Give Variables of a function their precision and values back."""
        for variable, data, dtype in self.narrow:
            variable._data, variable.dtype = data, dtype

    def total(self):
        """A weighted sum of all outputs; random layers draw the same each time."""
        rng, total = np.random.default_rng(self.seed), ops.zeros(())
        with config.seeded(self.seed):
            outputs = flatten(self.target(*self.arguments, **self.options))
        for y in outputs:
            if isinstance(y, Tensor) and y.dtype in REALS:
                total = total + ops.sum(y * rng.standard_normal(y.shape))
        return total

    def gradients(self):
        """(name, tensor, its gradient) of each real input and each weight."""
        leaves = [x for x in flatten(self.arguments) if isinstance(x, Tensor) and x.dtype in REALS]
        named = [(f"inputs/{k}", x) for k, x in enumerate(leaves)]
        named += [(v.name, v) for v in self.weights if v.dtype in REALS]
        self._begin()
        with GradientTape() as tape:
            total = self.total()
        if not np.isfinite(total.item()):
            raise ValueError(f"gradcheck: expected outputs that are finite, got a sum of {total!r}")
        found = tape.gradient(total, [x for _, x in named])
        seen = {}
        for (name, x), gradient in zip(named, found):
            seen[name] = seen.get(name, 0) + 1
            yield name if seen[name] == 1 else f"{name} ({seen[name]})", x, gradient

    def _begin(self):
        for variable, values in self.state:
            variable._data[...] = values

    def compare(self, x, gradient, tolerance):
        """How far the derivatives along a random direction are apart, and both in words."""
        direction = np.random.default_rng((self.seed, x.size)).standard_normal(x.shape)
        terms = np.zeros(x.shape) if gradient is None else gradient.numpy() * direction
        analytic, values, best = terms.sum(), x._data.copy(), (np.inf, "")
        for step in STEPS:
            around = []
            for sign in (1, -1):
                self._begin()
                x._data[...] = values + sign * step * direction
                around.append(self.total().item())
            self._begin()
            x._data[...] = values
            numeric = (around[0] - around[1]) / (2 * step)
            noise = 4 * np.finfo(np.float64).eps * np.abs(around).max() / step
            size = max(np.abs(terms).sum(), abs(numeric), 1e-12)
            far = float(max(0.0, abs(analytic - numeric) - noise) / size)
            words = f"{analytic:.9g} along a random direction, and differences give {numeric:.9g}"
            best = min(best, (far, words))
            if far <= tolerance:
                break
        return best


def _in_float64(x):
    return x if x.dtype == "int32" else convert_to_tensor(x.numpy(), "float64")


def _widen(variable):
    """Make a Variable one of float64."""
    if variable.dtype in REALS:
        variable._data, variable.dtype = variable._data.astype(np.float64), "float64"
