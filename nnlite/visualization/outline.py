"""The calls of layers and functions in a model, for its summary and its picture."""

from itertools import pairwise

from nnlite.configurable import unique_name
from nnlite.engine.symbolic import symbols_of
from nnlite.layers.layer import Layer
from nnlite.tree import flatten, is_shape

HOW_TO_BUILD = (
    "call build((None, ...)) with the shape of its input, or call it on data; a Sequential may "
    "also begin with Input((...))"
)


class Call:
    """A call of a layer or function in a model.

    Parameters
    ----------
    function : Layer or callable
    inputs : list of (Call, int)
        For each input the call that computes it, and the number of the output of that call.
    input_shapes, output_shapes : list of tuple
        Empty if unknown.
    dtypes : list of str
        The dtypes of the outputs.

    Attributes
    ----------
    name : str
        Unique: functions are numbered as layers are.
    call_number, call_count : int
        This is call number `call_number`, from 0, of the `call_count` calls of its layer.
    """

    def __init__(self, function, inputs=(), input_shapes=(), output_shapes=(), dtypes=()):
        self.function, self.inputs = function, list(inputs)
        self.input_shapes, self.output_shapes = list(input_shapes), list(output_shapes)
        self.dtypes = list(dtypes)
        self.name = getattr(function, "name", None) or function.__name__
        self.call_number, self.call_count = 0, 1

    @property
    def layer(self):
        """The layer that is called, or None for a function."""
        return self.function if isinstance(self.function, Layer) else None

    @property
    def is_model(self):
        """Whether the layer is a model, whose own layers can be drawn too."""
        return self.layer is not None and self.layer._is_model

    @property
    def kind(self):
        """The name of the layer's class."""
        return "function" if self.layer is None else type(self.layer).__name__


class Outline:
    """The calls in a model.

    Parameters
    ----------
    model : Model

    Attributes
    ----------
    calls : list of Call
        In topological order.
    connected : bool
        Whether the inputs of the calls are known. They are not for a subclass that defines `call`:
        its layers are listed without inputs, in the order in which they were set.
    entries : list of Call
        The calls that take the model's inputs.
    exits : list of (Call, int)
        For each output of the model the call that computes it, and the number of its output.
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
        _number_calls(self.calls)
        _number_functions(self.calls)

    @property
    def is_chain(self):
        """Whether each call takes the output of the one before, and no layer is called twice."""
        return (
            all(call.inputs == [(before, 0)] for before, call in pairwise(self.calls))
            and len(self.entries) == 1
            and all(call.call_count == 1 for call in self.calls)
        )

    def _follow(self, graph, layers):
        """List the calls of a graph; input nodes are listed if their layers are in the model."""
        producers, inputs = {}, symbols_of(graph.inputs)
        input_nodes = list(dict.fromkeys(s.node for s in inputs))
        listed = [node for node in input_nodes if node.function in layers]
        self.calls = []
        for node in [*listed, *graph.nodes]:
            taken = [] if node in input_nodes else node.inputs
            outputs = symbols_of(node.outputs)
            call = Call(
                node.function,
                [producers[id(s)] for s in taken if id(s) in producers],
                [s.shape for s in taken],
                [s.shape for s in outputs],
                [s.dtype for s in outputs],
            )
            producers.update({id(s): (call, k) for k, s in enumerate(outputs)})
            self.calls.append(call)
            if node in input_nodes or any(
                s.node in input_nodes and id(s) not in producers for s in taken
            ):
                self.entries.append(call)
        self.exits = [producers[id(s)] for s in symbols_of(graph.outputs) if id(s) in producers]

    def _list(self, model):
        self.calls = []
        for layer in model.layers or model._sublayers:
            shapes = flat_shapes(layer._output_shape or _shape_by_build(layer))
            self.calls.append(Call(layer, (), (), shapes, [model._precision] * len(shapes)))


def _shape_by_build(layer):
    """The shape of the results of a layer that was built by hand and not called yet, or None."""
    built_for = vars(layer).get("_built_for")
    if built_for is None:
        return None
    try:
        return layer.compute_output_shape(built_for)
    except Exception:  # of a user's `call`; a table of what there is must not fail by it
        return None


def flat_shapes(structure):
    """A list of the shapes in nested lists, tuples and dicts, or of a single shape."""
    return [] if structure is None else flatten(structure, is_shape)


def _number_calls(calls):
    calls_by_layer = {}
    for call in calls:
        if call.layer is not None:
            calls_by_layer.setdefault(id(call.layer), []).append(call)
    for group in calls_by_layer.values():
        for number, call in enumerate(group):
            call.call_number, call.call_count = number, len(group)


def _number_functions(calls):
    used = {call.name for call in calls if call.layer is not None}
    for call in calls:
        if call.layer is None:
            call.name = unique_name(call.name, used)
            used.add(call.name)
