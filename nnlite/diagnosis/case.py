"""Case: a copy of a model with data, and what one batch shows of each of its layers."""

import copy
import math
from dataclasses import dataclass, field

import numpy as np

from nnlite import autodiff, config
from nnlite.data.batches import make_batches, make_sources, yields_batches
from nnlite.data.sources import Source, leaves
from nnlite.engine.recording import Recording
from nnlite.engine.tensor import REALS, Tensor
from nnlite.errors import prefixed
from nnlite.layers.core import InputLayer
from nnlite.layers.layer import Layer
from nnlite.layers.padding_mask import PaddingMask
from nnlite.layers.table import TableEncoding
from nnlite.training.agreement import activation_of
from nnlite.tree import flatten, map_structure

ROWS = 256  # of the batch that is run through the model,
BATCH_BYTES = 200e6  # or fewer, so that the results of all layers take no more than this
SEED = 0
_READ_NAN = (PaddingMask, TableEncoding)


@dataclass(eq=False)
class LayerReading:
    """What a batch shows of a layer that computes something.

    Attributes
    ----------
    layer : Layer
    name : str
        With the names of the models around it, as 'encoder.dense'; without that of the whole.
    output : array
        What the layer gave for the rows of the batch.
    activation : str or None
        The activation that made the output, as `agreement.activation_of` tells it.
    gradient : array or None
        Of the loss, with respect to the output, or to what the last activation was computed from.
    weights : list of (array, array or None)
        Each weight of its own that training changes, and the gradient of the loss.
    is_output : bool
        Whether the model gives the output to its user.
    before : set of str
        The names of the layers that its output depends on.
    """

    layer: Layer
    name: str
    output: object
    activation: str
    gradient: object
    weights: list
    is_output: bool
    before: set


@dataclass(eq=False)
class Case:
    """A copy of a model, and what is known of it.

    Attributes
    ----------
    model : Model
        A copy, built and compiled.
    sources : tuple
        (x, y, sample_weight) of Sources of all rows.
    history : dict or None
        Of the last training.
    estimator : object or None
        The estimator that the model is of.
    held_out : list of Source or None
        The inputs of the rows that the network is judged by.
    layers : list of LayerReading
        In the order in which they compute.
    unused : list of str
        The names of layers that were never called.
    inputs : list of (array, str)
        What each product or convolution without another one before it takes, and the layer's name.
    loss : float or None
        Of the batch.
    outputs : list of (objective, array, shape, activation)
        For each output with a loss: what it is trained for, all targets, its shape.
    refused : str or None
        Why the losses refuse the targets.
    missed : dict of str to str
        What could not be looked at, and why.
    """

    model: object
    sources: tuple
    history: object = None
    estimator: object = None
    held_out: list = None
    layers: list = field(default_factory=list)
    inputs: list = field(default_factory=list)
    unused: list = field(default_factory=list)
    loss: float = None
    outputs: list = field(default_factory=list)
    refused: str = None
    missed: dict = field(default_factory=dict)

    @property
    def rows(self):
        """The number of rows of the data."""
        return leaves(self.sources)[0].rows

    def copied(self):
        """Another copy of the model, to be trained."""
        return copy.deepcopy(self.model)

    def batches(self, model, size):
        """Batches of as many rows each for a copy of the model, in a random order."""
        whole = slice(max(size, self.rows // size * size))
        sources = map_structure(lambda s: s.slice(whole), self.sources, Source)
        return make_batches(model, sources, size, finite=False).shuffled()


def case_of(model, x, y, validation_data=None, **further):
    """The case of a compiled model and arrays; `further` are attributes of a `Case`."""
    if yields_batches(x):
        raise TypeError(
            f"X: expected arrays, got batches from {type(x).__name__}; pass the arrays of some of "
            "them"
        )
    if y is None:
        raise ValueError("y: expected the targets, got None; doctor(model, X, y) needs both")
    try:
        copied = copy.deepcopy(model)
    except TypeError as error:
        raise TypeError(f"model: expected one that can be copied: {error}") from None
    copied.run_eagerly, copied.history = False, None
    copied.stop_training = False
    copied._check_compiled()
    finite = not any(isinstance(layer, _READ_NAN) for layer in copied._sublayers)
    sources = make_sources(copied, (x, y, None), finite=finite)
    copied._prepare_for(sources[0])
    case = Case(copied, sources, **further)
    if validation_data is not None:
        case.held_out = _held_out(copied, validation_data, leaves(sources[:1]), finite)
    try:
        copied._prepare_for(*sources)
    except ValueError as error:
        case.refused = str(error)
    examined = case.copied()  # a batch changes moving averages
    with config.precision(copied._precision):
        _read_layers(case, examined)
    return case


def _held_out(model, validation_data, x, finite):
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
        entries = f" of {len(validation_data)}" if hasattr(validation_data, "__len__") else ""
        raise TypeError(
            f"validation_data: expected (X, y), got {type(validation_data).__name__}{entries}"
        )
    with prefixed("validation_data: "):
        held_out = leaves(make_sources(model, validation_data[:1], finite=finite))
    if len(held_out) != len(x):
        raise ValueError(f"validation_data: expected {len(x)} inputs, got {len(held_out)}")
    for held, source in zip(held_out, x):
        if math.prod(held.row_shape) != math.prod(source.row_shape):
            raise ValueError(
                f"validation_data: expected rows of shape {source.row_shape}, as those of X, got "
                f"{held.row_shape}"
            )
    return held_out


def rms(values, axis=None):
    """The root mean square of values; infinite or NaN if one of them is, without a warning."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.sqrt(np.mean(np.square(values, dtype=np.float64), axis=axis))


def some_row_numbers(rows, most, seed=SEED):
    """Numbers of at most `most` rows, in order."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _tensors(sources, rows, real):
    def read(s):
        values = np.ascontiguousarray(s.values(rows), "int32" if s.integer else real)
        return Tensor(values.shape, str(values.dtype), values)

    return [None if s is None else map_structure(read, s, Source) for s in sources]


def _batch_rows(model, x):
    """How many rows a batch may have for the results of all layers to fit into memory."""
    with Recording(executing=False) as trace:
        model(map_structure(lambda s: Tensor((1, *s.row_shape), s.dtype), x, Source), training=True)
    bytes_of_row = 8 * sum(y.size for call in trace.calls for y in call.outputs)
    return int(np.clip(BATCH_BYTES / max(1, bytes_of_row), 8, ROWS))


def _read_layers(case, model):
    """Run a batch through the model, forwards and backwards, and note what each layer did."""
    rows = some_row_numbers(case.rows, _batch_rows(model, case.sources[0]))
    x, y, weight = _tensors(case.sources, rows, model._precision)
    loss = None
    with Recording() as recording:
        outputs = model(x, training=True)
        calls = list(recording.calls)
        compiled = getattr(model, "_compiled", None)
        objectives = model._objectives_for(outputs) if compiled else None
        if case.refused is None and compiled and objectives.with_loss:
            loss = model.compute_loss(x=x, y=y, y_pred=outputs, sample_weight=weight)
    paths = _paths(model)
    made, before = _calls_of_layers(calls, paths)
    weights = {path: _trained(layer, on) for path, (layer, on) in paths.items()}
    gradients = {}  # by the id of a tensor
    if loss is None:
        case.missed["gradients"] = (
            "the model has no loss that compile was given"
            if case.refused is None
            else "the loss refuses the targets"
        )
    else:
        case.loss = loss.item()
        case.outputs = _outputs(case, objectives, outputs, calls)
        tensors = [call.outputs[0] for own in made.values() for call in own]
        tensors += [v for own in weights.values() for v in own]
        found = autodiff.gradients(recording, loss, tensors)
        gradients = {id(t): g._data for t, g in zip(tensors, found) if g is not None}
    ends = {id(t) for t in flatten(outputs)}
    for path in [*made, *(path for path in paths if weights[path] and path not in made)]:
        results = [call.outputs[0] for call in made.get(path, ())]
        last = results[-1] if results else None
        reached = [gradients[id(t)] for t in results if id(t) in gradients]
        case.layers.append(
            LayerReading(
                layer=paths[path][0],
                name=_short(path),
                output=None if last is None else last._data,
                activation=None if last is None else activation_of(last, calls),
                gradient=reached[-1] if reached else None,
                weights=[(v._data, gradients.get(id(v))) for v in weights[path]],
                is_output=last is not None and id(last) in ends,
                before={_short(p) for p in before.get(id(last), ()) if p != path},
            )
        )
    # What comes before them holds NaN, behind the end of sequences or in gaps.
    before_end = {p for r in case.layers if isinstance(r.layer, _READ_NAN) for p in r.before}
    case.layers = [r for r in case.layers if r.name not in before_end]
    case.unused = [
        _short(path)
        for path, (layer, _) in paths.items()
        if not (layer.built or isinstance(layer, InputLayer))
    ]
    case.inputs = _first_inputs(calls, paths)


def _calls_of_layers(calls, paths):
    """What each layer computed: the calls of real numbers by its path, from the first layer that
    computes to the last; and by the id of each tensor the paths of the layers that it depends
    on."""
    made, before = {}, {}
    for call in calls:
        path = _path_in(paths, call.scope)
        known = {path}.union(*(before.get(id(t), ()) for t in call.inputs)) - {None}
        before.update((id(t), known) for t in call.outputs)
        if path is not None and call.outputs and call.outputs[0].dtype in REALS:
            made.setdefault(path, []).append(call)
    return made, before


def _outputs(case, objectives, outputs, calls):
    targets = objectives.per_output("y", case.sources[1])
    tensors = flatten(outputs)
    return [
        (g, t.array, y.shape, activation_of(y, calls))
        for g, t, y in zip(objectives, targets, tensors)
        if g.loss is not None and t is not None
    ]


def _paths(model):
    """The path of each layer in the model -> (layer, whether all around it are trained)."""
    found = {}

    def walk(layer, path, trained):
        trained = trained and layer.trainable
        found.setdefault(path, (layer, trained))
        for inner in layer._sublayers:
            walk(inner, f"{path}.{inner.name}", trained)

    walk(model, model.name, True)
    return found


def _short(path):
    """The name of a layer: its path without the model."""
    return path.partition(".")[2] or path


def _path_in(paths, scope):
    """The innermost layer of a scope that is known by its path."""
    while scope and scope not in paths:
        scope = scope.rpartition(".")[0]
    return scope or None


def _trained(layer, trained):
    """The weights of a layer's own that training changes."""
    return [v for v in layer._own_weights() if v.trainable and trained]


PRODUCTS = {"linear", "matmul", "conv2d", "depthwise_conv2d"}


def _first_inputs(calls, paths):
    """What each product with weights takes that comes after no other, with the layer's name."""
    after, found = set(), {}
    for call in calls:
        if call.op.name in PRODUCTS and id(call.inputs[0]) not in after:
            path = _path_in(paths, call.scope) or ""
            found.setdefault(id(call.inputs[0]), (call.inputs[0]._data, path.partition(".")[2]))
        if call.op.name in PRODUCTS or any(id(t) in after for t in call.inputs):
            after.update(id(t) for t in call.outputs)
    return list(found.values())
