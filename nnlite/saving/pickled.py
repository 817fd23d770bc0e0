"""Pickles as data. Python's own reader calls whatever a pickle names; this one goes through the
steps of a pickle itself, knows the functions that it is given, and runs nothing else."""

import pickletools

_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = set(
    """BININT BININT1 BININT2 LONG1 LONG4 BINFLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8
    BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8""".split()
)
_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_OF_NO_USE = {"PROTO", "FRAME"}
_PUT, _GET = {"BINPUT", "LONG_BINPUT"}, {"BINGET", "LONG_BINGET"}
_KNOWN = {*_VALUES, *_GET, *_PUT, *_CONSTANTS, *_EMPTY, *_TUPLES, *_OF_NO_USE}
_MOST_STEPS = 20_000_000  # a tensor takes about 40
# What the steps of a broken pickle raise.
_BROKEN = (AttributeError, IndexError, KeyError, OverflowError, TypeError, UnicodeError)


class Named:
    """A class or function that a pickle names.

    Parameters
    ----------
    name : str
        With its module: 'collections.OrderedDict'.
    make : function
        What is called in its place.
    """

    def __init__(self, name, make):
        self.name, self.make = name, make


def unpickled(file, names, persistent=None):
    """The value of a pickle: dicts, lists, tuples, strings, numbers and what functions make.

    Parameters
    ----------
    file : file object
        At the beginning of the pickle. It is read up to the end of that.
    names : dict of str to function
        What may be named, with its module, and what is called instead.
    persistent : function of a value, optional
        What makes the objects that lie outside of the pickle.

    Raises
    ------
    ValueError
        If it is no pickle, or names anything else.
    """
    try:
        return _Reader(names, persistent).value_of(file)
    except _BROKEN as error:
        raise ValueError(f"a pickle where {type(error).__name__}: {error}") from None


class _Reader:
    def __init__(self, names, persistent):
        self._names, self._persistent = names, persistent
        self._stack, self._marked, self._memo = [], [], {}

    def value_of(self, file):
        for _ in range(_MOST_STEPS):
            if (code := file.read(1)) == b".":
                break
            step = pickletools.code2op.get(code.decode("latin-1"))
            if step is None:
                got = f"a step {code}" if code else "an early end"
                raise ValueError(f"expected a whole pickle, got one with {got}")
            if step.name not in _KNOWN and not hasattr(self, f"_{step.name.lower()}"):
                raise ValueError(f"expected plain values and tensors, got the step {step.name}")
            self._do(step.name, _argument(step, file))
        else:
            raise ValueError(f"expected a pickle of at most {_MOST_STEPS} steps, got more")
        if len(self._stack) != 1:
            raise ValueError("expected a pickle of one value, got several")
        (found,) = self._stack
        return found

    def _do(self, name, value):
        stack = self._stack
        if name in _VALUES:
            stack.append(value)
        elif name in _GET:
            stack.append(self._memo[value])
        elif name in _PUT:
            self._memo[value] = stack[-1]
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name in _TUPLES:
            count = _TUPLES[name]
            if len(stack) < count:
                raise IndexError("a tuple has more values than there are")
            stack[-count:] = [tuple(stack[-count:])]
        elif name not in _OF_NO_USE:
            step = getattr(self, f"_{name.lower()}")
            step() if value is None else step(value)

    def _mark(self):
        self._marked.append(self._stack)
        self._stack = []

    def _since_mark(self):
        found, self._stack = self._stack, self._marked.pop()
        return found

    def _tuple(self):
        found = tuple(self._since_mark())
        self._stack.append(found)

    def _list(self):
        found = self._since_mark()
        self._stack.append(found)

    def _dict(self):
        found = self._since_mark()
        self._stack.append({})
        self._set(found)

    def _setitem(self):
        value, key = self._stack.pop(), self._stack.pop()
        self._set([key, value])

    def _setitems(self):
        self._set(self._since_mark())

    def _set(self, items):
        target = self._stack[-1]
        if type(target) is not dict:
            raise TypeError(f"items of a {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if type(key) not in (str, int):  # a deep tuple would be hashed in as deep a recursion
                raise TypeError(f"a key of type {type(key).__name__}")
            target[key] = value

    def _append(self):
        value = self._stack.pop()
        self._extend([value])

    def _appends(self):
        self._extend(self._since_mark())

    def _extend(self, values):
        if type(self._stack[-1]) is not list:
            raise TypeError(f"entries of a {type(self._stack[-1]).__name__}")
        self._stack[-1].extend(values)

    def _memoize(self):
        self._memo[len(self._memo)] = self._stack[-1]

    def _pop(self):
        self._stack.pop()

    def _global(self, name):
        name = name.replace(" ", ".")
        if name not in self._names:
            raise ValueError(f"expected plain values and tensors, got a pickle that names {name}")
        self._stack.append(Named(name, self._names[name]))

    def _stack_global(self):
        name, module = self._stack.pop(), self._stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("a name that is no text")
        self._global(f"{module} {name}")

    def _reduce(self):
        args, function = self._stack.pop(), self._stack.pop()
        if type(function) is not Named or type(args) is not tuple:
            raise TypeError(f"a call of a {type(function).__name__}")
        self._stack.append(function.make(*args))

    def _build(self):
        """What a dict has beside its items (the versions of modules) is left out."""
        self._stack.pop()
        if type(self._stack[-1]) is not dict:
            raise TypeError(f"attributes of a {type(self._stack[-1]).__name__}")

    def _binpersid(self):
        if self._persistent is None:
            raise ValueError("expected plain values, got what lies outside of the pickle")
        self._stack.append(self._persistent(self._stack.pop()))


def _argument(step, file):
    """What stands behind the code of a step; None if nothing does."""
    if step.name == "GLOBAL":  # the reader of these warns of backslashes
        return b" ".join(file.readline().rstrip(b"\n") for _ in range(2)).decode("latin-1")
    return step.arg.reader(file) if step.arg else None
