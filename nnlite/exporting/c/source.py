"""The C text of a model as it grows: constants, functions made for it, and the list of calls."""

from nnlite.engine.plan import FEED
from nnlite.engine.tensor import Tensor
from nnlite.exporting.c import library, loops
from nnlite.exporting.c.literals import array, identifier, number, wrapped
from nnlite.exporting.program import is_constant

# The members of the working memory, by dtype.
MEMBERS = {"float32": "reals", "int32": "integers", "int8": "bytes"}


class Source:
    """What the rules of ops write to.

    Parameters
    ----------
    memory : Memory
    arguments : list of str
        The names of the caller's arrays: inputs, then outputs.
    integers : Integers or None
        Of a program in 8-bit integers.
    """

    def __init__(self, memory, arguments, integers=None):
        self.memory, self.arguments, self.integers = memory, arguments, integers
        self.constants, self.structures, self.functions, self.steps = {}, {}, {}, []
        self.kinds, self.checks = set(), False
        self._names = {*library.reserved(), *arguments}

    # --- names and places

    def at(self, tensor, call=None):
        """The expression of the address of a tensor; `call` reads it."""
        root = self.memory.roots.of(tensor)
        if is_constant(root):
            return self.constant(root.numpy(), "constant", call)
        return self._place(self.memory.blocks[id(root)], root.dtype)

    def scratch(self, call):
        """The address of a call's scratch."""
        return self._place(self.memory.blocks["scratch", id(call)], "float32")

    def _place(self, block, dtype):
        if block.place == FEED:
            return self.arguments[block.where]
        width = {"float32": 4, "int32": 4, "int8": 1}[dtype]
        offset = block.where // width
        return f"memory->{MEMBERS[dtype]}" + (f" + {offset}" if offset else "")

    def is_used(self, tensor):
        """Whether anybody reads a tensor."""
        return id(self.memory.roots.of(tensor)) in self.memory.blocks

    def constant(self, values, role, call=None):
        """The name of a constant array; equal ones are one."""
        key = (str(values.dtype), values.size, values.tobytes())
        if key not in self.constants:
            self.constants[key] = (self._new(role, call), values)
        return self.constants[key][0]

    def _new(self, role, call=None):
        layer = call.scope.split(".")[-1] if call is not None else ""
        name = base = identifier(f"{layer}_{role}" if layer else role)
        count = 1
        while name in self._names:
            count += 1
            name = f"{base}_{count}"
        self._names.add(name)
        return name

    # --- what is written

    def structure(self, type_, call, role, **fields):
        """The address of a constant structure of the library's type."""
        key = (type_, tuple((name, _field(value)) for name, value in fields.items()))
        if key not in self.structures:
            self.structures[key] = self._new(role, call)
        return f"&{self.structures[key]}"

    def do(self, call, function, *operands):
        """Call a C function: operands are tensors, arrays of numbers' names, or numbers."""
        given = ", ".join(self._operand(call, x) for x in operands)
        self.steps.append((call, f"{function}({given});"))

    def each(self, call, function, *operands):
        """Call a C function that computes one sample, for each sample of the call."""
        count = call.outputs[0].shape[0]
        if count == 1:
            self.do(call, function, *operands)
            return
        moved = [
            f"{self.at(x, call)} + n * {x.size // count}"
            if isinstance(x, Tensor) and x.shape[0] == count
            else x
            for x in operands
        ]
        given = ", ".join(self._operand(call, x) for x in moved)
        loop = f"for (int32_t n = 0; n < {count}; n++)"
        self.steps.append((call, f"{loop} {function}({given});"))

    def _operand(self, call, x):
        if x is None:
            return "0"
        return x if isinstance(x, str) else str(x) if isinstance(x, int) else self.at(x, call)

    def real(self, value):
        """A number of float32, as `predict` rounds it."""
        return number(value)

    def loop(self, call, name, shape, operands, result, expression):
        """Loops over the elements of `shape`: a function of its own, and a call of it.

        Parameters
        ----------
        operands : dict of str to (Tensor or name of a constant, dtype, strides, offset)
        result : (Tensor, strides, offset)
        expression : str
        """
        y, strides, offset = result
        parameters, body = loops.loop(
            shape,
            {k: (dtype, steps, at) for k, (_, dtype, steps, at) in operands.items()},
            (y.dtype, strides, offset),
            expression,
        )
        known = self.functions.setdefault((name, parameters, body), None)
        if known is None:
            self.functions[name, parameters, body] = known = self._new(f"{name}_all")
        self.do(call, known, *[x for x, *_ in operands.values()], y)

    def copy(self, tensor, number):
        """Copy a tensor to the caller's array of a number."""
        size = max(tensor.size, 0) * 4
        self.steps.append((None, f"memcpy({self.arguments[number]}, {self.at(tensor)}, {size});"))

    # --- the text

    def texts(self):
        """The definitions of arrays, structures and functions, and the calls with their text."""
        arrays = [array(name, values) for name, values in self.constants.values()]
        structures = [
            wrapped(f"static const {kind} {name} = {{{_fields(fields)}}};")
            for (kind, fields), name in self.structures.items()
        ]
        functions = [
            f"static void {name}({parameters}) {{\n{body}\n}}"
            for (_, parameters, body), name in self.functions.items()
        ]
        return arrays, structures, functions, self.steps


def _fields(fields):
    return ", ".join(f".{field} = {value}" for field, value in fields)


def _field(value):
    if isinstance(value, (tuple, list)):
        return "{" + ", ".join(map(str, value)) + "}"
    return number(value) if isinstance(value, float) else str(value)


def shape_of(tensor):
    """A shape without the batch, for a comment."""
    return " x ".join(map(str, tensor.shape[1:])) or "1"
