"""What is called in a model, in order, and what each call takes from the calls before it: the facts
that a model's summary and its picture show."""

from itertools import pairwise

from nnlite.engine.symbolic import symbols_of
from nnlite.layers.layer import Layer

HOW_TO_BUILD = (
    "call build((None, ...)) with the shape of its input, or call it on data; a Sequential may "
    "also begin with Input((...))"
)


class Call:
    """A call of a layer or function within a model.

    Attributes
    ----------
    function : Layer or callable
    name : str
        Functions without a name of their own are numbered as layers are.
    inputs : list of (Call, int)
        The calls whose outputs it takes, and which of their outputs.
    input_shapes, output_shapes : list of tuple
        Empty where they are not known.
    dtypes : list of str
        Of the outputs.
    turn, turns : int
        Of the `turns` calls of a layer in the model this is number `turn`, from 0.
    """

    def __init__(self, function, inputs=(), input_shapes=(), output_shapes=(), dtypes=()):
        self.function, self.inputs = function, list(inputs)
        self.input_shapes, self.output_shapes = list(input_shapes), list(output_shapes)
        self.dtypes = list(dtypes)
        self.name = getattr(function, "name", None) or function.__name__
        self.turn, self.turns = 0, 1

    @property
    def layer(self):
        """The layer that is called, or None for a function."""
        return self.function if isinstance(self.function, Layer) else None

    @property
    def is_model(self):
        """Whether a model is called, whose own layers can be drawn, too."""
        return self.layer is not None and self.layer._is_model

    @property
    def kind(self):
        """The class of the layer."""
        return "function" if self.layer is None else type(self.layer).__name__


class Outline:
    """What is called in a model.

    Parameters
    ----------
    model : Model

    Attributes
    ----------
    calls : list of Call
        Each after those that it needs.
    connected : bool
        Whether it is known which call takes what. It is not for a subclass with a `call` of its
        own: its layers are given in the order in which they were set, with no inputs.
    entries : list of Call
        Those that take the model's inputs.
    exits : list of (Call, int)
        The model's outputs: which output of which call.
    """

    def __init__(self, model):
        self.entries, self.exits = [], []
        self.connected = True
        graph = model._called_graph()
        if graph is not None:
            self._follow(graph, model.layers or model._sublayers)
        else:
            self.connected = False
            self._list(model)
        _count_turns(self.calls)
        _name_functions_apart(self.calls)

    @property
    def is_chain(self):
        """Whether each call takes what the one before it made, and no layer is called twice."""
        return (
            all(call.inputs == [(before, 0)] for before, call in pairwise(self.calls))
            and len(self.entries) == 1
            and all(call.turns == 1 for call in self.calls)
        )

    def _follow(self, graph, layers):
        """Every call of a graph; its beginnings are shown where they are layers of the model."""
        made, inputs = {}, symbols_of(graph.inputs)
        begins = list(dict.fromkeys(s.node for s in inputs))
        shown = [node for node in begins if node.function in layers]
        self.calls = []
        for node in [*shown, *graph.nodes]:
            taken = [] if node in begins else node.inputs
            outputs = symbols_of(node.outputs)
            call = Call(
                node.function,
                [made[id(s)] for s in taken if id(s) in made],
                [s.shape for s in taken],
                [s.shape for s in outputs],
                [s.dtype for s in outputs],
            )
            made.update({id(s): (call, k) for k, s in enumerate(outputs)})
            self.calls.append(call)
            if node in begins or any(s.node in begins and id(s) not in made for s in taken):
                self.entries.append(call)
        self.exits = [made[id(s)] for s in symbols_of(graph.outputs) if id(s) in made]

    def _list(self, model):
        self.calls = []
        for layer in model.layers or model._sublayers:
            shapes = flat_shapes(layer.output_shape)
            self.calls.append(Call(layer, (), (), shapes, [model._precision] * len(shapes)))


def flat_shapes(structure):
    """The shapes in a shape, or in lists, tuples and dicts of shapes."""
    if structure is None:
        return []
    if isinstance(structure, dict):
        structure = list(structure.values())
    if all(n is None or isinstance(n, int) for n in structure):
        return [tuple(structure)]
    return [shape for part in structure for shape in flat_shapes(part)]


def _count_turns(calls):
    turns = {}
    for call in calls:
        if call.layer is not None:
            turns.setdefault(id(call.layer), []).append(call)
    for same in turns.values():
        for turn, call in enumerate(same):
            call.turn, call.turns = turn, len(same)


def _name_functions_apart(calls):
    used = {call.name for call in calls if call.layer is not None}
    for call in calls:
        if call.layer is None:
            base, number = call.name, 0
            while call.name in used:
                number += 1
                call.name = f"{base}_{number}"
            used.add(call.name)
