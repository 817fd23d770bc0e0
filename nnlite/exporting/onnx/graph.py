"""An ONNX graph that grows: its nodes, its constants, and what tensors are called in it."""

from collections import Counter

import numpy as np

from nnlite.engine.passes import readers_of
from nnlite.exporting.program import is_constant


class Graph:
    """The nodes of a Program, as the rules of its ops add them.

    The one idea: a Transpose or a Reshape is added when it is asked for, and remembered as a view
    of what it reads. So two that cancel become the first tensor, what works element by element
    moves in front of them, and `reachable` drops those that nobody reads any more.

    Attributes
    ----------
    onnx : module
    program : Program
    nodes : list of NodeProto
    scope : str
        The layer whose calls are being written; nodes are named after it.
    opset : int
        The version of the operators, from 17 on.
    real : dtype
        Of the real numbers that the file computes with.
    notes : dict of str to str
        What the report says of the file.
    exact : dict of int to str
        By the id of a tensor, the name of the same numbers in float64, where the file takes them.
    makers : dict of int to Call
        By the id of a tensor, the call that makes it.
    readers : Counter
        By the id of a tensor, how many calls and outputs read it.
    """

    def __init__(self, onnx, program, precision, opset):
        self.onnx, self.program, self.scope, self.opset = onnx, program, "", opset
        self.real, self.notes = np.dtype(precision), {}
        self.nodes, self.exact, self.shapes = [], {}, {}
        self._names, self._values, self._known, self._views, self._truths = {}, {}, {}, {}, {}
        self._refused = {}
        self._reserved = {*program.of.outputs, *(name for name, *_ in program.of.inputs)}
        self._numbers = Counter()
        self.makers = {id(t): call for call in program.calls for t in call.outputs}
        self.readers = readers_of(program.calls, program.outputs)

    # --- names and nodes

    def name_of(self, tensor):
        """The name of a tensor; a constant becomes an initializer when it is first asked for."""
        name = self._names.get(id(tensor))
        if name is None:
            assert is_constant(tensor), "a call comes before those that read what it makes"
            name = self._constant_of(tensor)
            self.take(tensor, name)
        return name

    def take(self, tensor, name):
        """Say that a tensor is what has a name."""
        self._names[id(tensor)] = name
        self.shapes.setdefault(name, tensor.shape)

    def unused(self, name):
        """A name like this one that nothing has."""
        while True:
            number = self._numbers[name]
            self._numbers[name] += 1
            made = f"{name}_{number}" if number else name
            if made not in self._reserved:
                self._reserved.add(made)
                return made

    def add(self, op_type, inputs, outputs=1, **attributes):
        """Add a node, if there is none that computes the same; gives the name of its output, or a
        list of several."""
        known = (op_type, *inputs, outputs, repr(attributes))
        if known not in self._known:
            name = self.unused(f"{self.scope}/{op_type}" if self.scope else op_type)
            names = [f"{name}:{i}" for i in range(outputs)]
            made = self.onnx.helper.make_node(op_type, inputs, names, name, **attributes)
            self.nodes.append(made)
            self._known[known] = names[0] if outputs == 1 else names
        return self._known[known]

    def reduced(self, op_type, x, axes, keepdims=0):
        """Add a node that reduces axes, which are an input in later versions."""
        if op_type == "ReduceSum" or self.opset >= 18:
            return self.add(op_type, [x, self.integers(*axes)], keepdims=keepdims)
        return self.add(op_type, [x], axes=axes, keepdims=keepdims)

    def split(self, x, parts):
        """Add a node that cuts the last axis into equal parts; gives their names."""
        said = {"num_outputs": parts} if self.opset >= 18 else {}
        return self.add("Split", [x], outputs=parts, axis=-1, **said)

    def branch(self):
        """A graph of its own nodes, for the body of a loop, that knows the names of this one."""
        made = object.__new__(Graph)
        made.__dict__.update(self.__dict__, nodes=[], _known=dict(self._known))
        return made

    # --- constants

    def constant(self, array, exact=False):
        """The name of an initializer with these values; equal small ones are one. Real numbers are
        `real` there, unless they are `exact`."""
        rounds = np.asarray(array).dtype.kind == "f" and not exact
        array = np.array(array, self.real if rounds else None, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if array.size <= 64 and key in self._known:
            return self._known[key]
        name = self.unused("constant")
        self._values[name], self.shapes[name] = array, array.shape
        self._known[key if array.size <= 64 else name] = name
        return name

    def number(self, value):
        """The name of a real number."""
        return self.constant(np.float64(value))

    def integers(self, *values):
        """The name of a vector of int64."""
        return self.constant(np.array(values, np.int64))

    def value(self, name):
        """The values of a constant, or None."""
        return self._values.get(name)

    def _constant_of(self, tensor):
        """A constant. Of what repeats for each row of the batch there become as many as there are
        rows, and a number that is a length becomes the length. Others are refused if a node reads
        them."""
        array, other = tensor.numpy(), self.program.other_of(tensor).numpy()
        if np.array_equal(array, other, equal_nan=True):
            one = array
            for axis, n in enumerate(array.shape):
                one = one.take([0], axis) if self.program.is_open(n) else one
            if one.shape == array.shape:
                return self.constant(array)
            if ((one == array) | (np.isnan(one) & np.isnan(array))).all():
                return self.add("Expand", [self.constant(one), self.shape_named(array.shape)])
        elif array.size == other.size == 1:
            size = self.size_named(int(array.flat[0]), int(other.flat[0]))
            size = self.cast(size, self.real if array.dtype.kind == "f" else array.dtype)
            self.shapes[size] = (1,)
            return self.reshaped(size, array.shape)
        elif array.size and other.size and (array == other.flat[0]).all():
            one = self.constant(array.reshape(-1)[0].reshape((1,) * array.ndim))
            return self.add("Expand", [one, self.shape_named(array.shape)])
        refused = self.unused("refused")
        self._refused[refused] = (
            f"export: layer {self.scope!r}: ONNX cannot hold a constant of shape {array.shape} "
            "whose values depend on the number of rows, or on a length that is not known"
        )
        return refused

    # --- sizes

    def size_named(self, n, other=None):
        """The name of a size that an input says, a vector of one int64.

        Parameters
        ----------
        n : int
        other : int, optional
            What the size is in the twin; known of those that tensors have.
        """
        program = self.program
        if n % program.batch == 0:
            return self._times(self._size(program.inputs[0], 0), n // program.batch)
        other = program.open.get(n) if other is None else other
        if program.open.get(n) == other:
            for tensor in [*program.inputs, *(t for c in program.calls for t in c.outputs)]:
                if n in tensor.shape and id(tensor) in self._names:
                    return self._size(tensor, tensor.shape.index(n))
        for m, twin in program.open.items():
            rest = n // m
            if rest > 1 and (rest * m, other % twin) == (n, 0):
                if other // twin == program.open.get(rest, rest):
                    return self._times(self.size_named(m), rest)
        raise ValueError(
            f"export: layer {self.scope!r}: ONNX cannot hold a size that depends on a length which "
            "is not known"
        )

    def _times(self, size, factor):
        if factor == 1:
            return size
        known = self.size_named(factor) if self.program.is_open(factor) else self.integers(factor)
        return self.add("Mul", [size, known])

    def _size(self, tensor, axis):
        return self.add("Shape", [self._names[id(tensor)]], start=axis, end=axis + 1)

    def shape_named(self, shape):
        """The name of a shape, a vector of int64."""
        if not any(self.program.is_open(n) for n in shape):
            return self.integers(*shape)
        parts = [self.size_named(n) if self.program.is_open(n) else self.integers(n) for n in shape]
        return parts[0] if len(parts) == 1 else self.add("Concat", parts, axis=0)

    # --- views

    def transposed(self, name, axes):
        """The name of something with its axes in another order."""
        source, before = name, range(len(axes))
        if self._views.get(name, ("",))[0] == "transpose":
            _, source, before = self._views[name]
        axes = tuple(before[a] for a in axes)
        if axes == tuple(sorted(axes)):
            return source
        if self.value(source) is not None:
            return self.constant(self.value(source).transpose(axes))
        shape = self.shapes.get(source)
        if shape is not None:
            moved = [a for a in axes if shape[a] != 1]
            if moved == sorted(moved):
                return self.reshaped(source, [shape[a] for a in axes])
        return self._view("transpose", source, axes)

    def reshaped(self, name, shape):
        """The name of something in another shape, where axes of the batch have its size."""
        shape, source = tuple(shape), self.unshaped(name)
        if self.shapes[name] == shape:
            return name
        if self.shapes[source] == shape:
            return source
        if self.value(source) is not None:
            return self.constant(self.value(source).reshape(shape))
        return self._view("reshape", source, shape)

    def _view(self, kind, source, how):
        known = (kind, source, how)
        if known in self._known:
            return self._known[known]
        given = self.shapes.get(source)
        if kind == "transpose":
            made = self.add("Transpose", [source], perm=how)
            shape = None if given is None else tuple(given[a] for a in how)
        else:
            made, shape = self.add("Reshape", [source, self._target(given, how)]), how
        self._views[made], self._known[known] = known, made
        if shape is not None:
            self.shapes[made] = shape
        return made

    def _target(self, given, shape):
        """The name of the shape that a Reshape reads: 0 for an axis that stays, -1 for one that
        follows from the others."""
        target = [-1 if self.program.is_open(n) else n for n in shape]
        for axis, (n, m) in enumerate(zip(given, shape)):
            if n != m:
                break
            target[axis] = 0 if target[axis] == -1 else target[axis]
        return self.shape_named(shape) if target.count(-1) > 1 else self.integers(*target)

    def unshaped(self, name):
        """What a name is another shape of."""
        while self._views.get(name, ("",))[0] == "reshape":
            name = self._views[name][1]
        return name

    def turned(self, name):
        """(source, axes) if a name is a transposed source, else None."""
        kind, source, axes = self._views.get(name, ("", None, None))
        return (source, axes) if kind == "transpose" else None

    def turned_back(self, name, turned, shape):
        """The name of a result of some shape that was computed of the source of something
        transposed, as `turned` gives it; of one that was computed of no such, itself."""
        if not turned:
            return name
        self.shapes[name] = tuple(shape[a] for a in np.argsort(turned[1]))
        return self.transposed(name, turned[1])

    def elementwise(self, make, shape, *given):
        """What works element by element, in front of the views that it reads, if it can.

        Parameters
        ----------
        make : function of names
            Adds nodes that work element by element, and gives the name of the result.
        shape : tuple
            Of the result.
        *given : str
            Names of operands, which broadcast.
        """
        large = [x for x in given if self.shapes[x] == shape and x in self._views]
        others = [self.value(x) for x in given if x not in large]
        if len({*large}) == 1 and all(value is not None and not value.ndim for value in others):
            kind, source, how = self._views[large[0]]
            if source in self.shapes:
                moved = [source if x in large else x for x in given]
                y = self.elementwise(make, self.shapes[source], *moved)
                return self.transposed(y, how) if kind == "transpose" else self.reshaped(y, how)
        turned = next(filter(None, map(self.turned, large)), None)
        if turned is not None:
            moved = [self._moved(x, np.argsort(turned[1])) for x in given]
            if None not in moved:
                return self.turned_back(make(*moved), turned, shape)
        y = make(*given)
        self.shapes[y] = shape
        return y

    def _moved(self, name, axes):
        """An operand that broadcasts with others whose axes are put in another order, or None."""
        ndim, value = len(self.shapes[name]), self.value(name)
        if not ndim or ndim == len(axes):
            return self.transposed(name, axes) if ndim else name
        if value is None:
            return None
        return self.constant(value.reshape((1,) * (len(axes) - ndim) + value.shape).transpose(axes))

    def kind_of(self, dtype):
        """ONNX's number of a dtype."""
        return self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

    # --- conditions, which are real numbers here and truth values in ONNX

    def real_of(self, truth):
        """The name of 1 where a condition holds, else 0."""
        made = self.add("Cast", [truth], to=self.kind_of(self.real))
        self._truths[made] = truth
        return made

    def truth_of(self, name):
        """The name of whether a number is not 0."""
        known = self._truths.get(name)
        return known or self.add("Cast", [name], to=self.onnx.TensorProto.BOOL)

    def cast(self, name, dtype):
        """The name of something in another dtype."""
        if self.value(name) is not None:
            return self.constant(self.value(name).astype(dtype), exact=True)
        made = self.add(
            "Cast", [name], to=self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        )
        if name in self.shapes:
            self.shapes[made] = self.shapes[name]
        return made

    # --- the end

    def reachable(self, outputs):
        """The nodes that lead to some names, and the initializers that they read."""
        wanted, kept = set(outputs), []
        for node in reversed(self.nodes):
            if wanted.intersection(node.output):
                kept.append(node)
                wanted.update(_read(node))
        for name in wanted.intersection(self._refused):
            raise ValueError(self._refused[name])
        make = self.onnx.numpy_helper.from_array
        constants = [make(a, name) for name, a in self._values.items() if name in wanted]
        return kept[::-1], constants


def _read(node):
    """The names that a node reads, those of its body too."""
    inner = [n for a in node.attribute if a.HasField("g") for n in a.g.node]
    outputs = [o.name for a in node.attribute if a.HasField("g") for o in a.g.output]
    return [*node.input, *outputs, *(name for n in inner for name in _read(n))]
