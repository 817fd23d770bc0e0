"""Estimators within pipelines that skl2onnx writes."""

from sklearn.base import ClassifierMixin

from nnlite.estimators.classifier import NNClassifier
from nnlite.estimators.regressor import NNRegressor
from nnlite.exporting.onnx import OPSET, model_of


def register_with_skl2onnx(*others):
    """Tell skl2onnx how it writes NNClassifier and NNRegressor, for the time of the process.

    After that `skl2onnx.to_onnx(pipeline, X)` takes pipelines that hold them, with every other step
    that skl2onnx knows.

    Parameters
    ----------
    *others : class, optional
        Other estimators of nnlite that can be exported, such as `KerasClassifier`, and classes
        derived from them.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Examples
    --------
    >>> import nnlite
    >>> nnlite.register_with_skl2onnx()  # doctest: +SKIP
    """
    try:
        from skl2onnx import update_registered_converter
    except ImportError:
        raise ImportError(
            "register_with_skl2onnx needs the package skl2onnx: pip install skl2onnx"
        ) from None
    options = {"zipmap": [True, False, "columns"], "nocl": [True, False]}
    options["output_class_labels"] = [True, False]
    for estimator in (NNClassifier, NNRegressor, *others):
        name = f"Nnlite{estimator.__name__}"
        taken = options if issubclass(estimator, ClassifierMixin) else None
        update_registered_converter(estimator, name, _say_shapes, _convert, options=taken)


def _say_shapes(operator):
    """Set the types of an operator's outputs."""
    from skl2onnx.common.data_types import (
        Int64TensorType,
        StringTensorType,
        guess_tensor_type,
    )

    given, estimator = operator.inputs[0], operator.raw_operator
    real = type(guess_tensor_type(given.type))
    *label, values = operator.outputs
    width = len(estimator.classes_) if label else None
    values.type = real([None, width])
    for each in label:
        strings = estimator.classes_.dtype.kind in "OU"
        each.type = StringTensorType([None]) if strings else Int64TensorType([None])


def _convert(scope, operator, container):
    """Add the nodes of an estimator to those of the other steps."""
    given, opset = operator.inputs[0], container.target_opset_onnx
    if opset < OPSET:
        raise ValueError(f"target_opset: expected at least {OPSET}, got {opset}")
    dtype = "float64" if "Double" in type(given.type).__name__ else "float32"
    model, _, _ = model_of(operator.raw_operator._computation(), dtype, opset=opset)
    graph = model.graph
    names = {name: scope.get_unique_variable_name(name) for name in _names_in(graph)}
    names |= {graph.input[0].name: given.full_name, "": ""}
    for constant in graph.initializer:
        values, shape = constant, None
        if constant.string_data:
            values, shape = list(constant.string_data), list(constant.dims)
        container.add_initializer(names[constant.name], constant.data_type, shape, values)
    _rename(graph, names)
    container.nodes.extend(graph.node)
    container.node_domain_version_pair_sets.add(("", opset))
    for made, wanted in zip(graph.output, operator.outputs):
        kind = wanted.type.to_onnx_type().tensor_type.elem_type
        how = (
            ("Identity", {}) if kind == made.type.tensor_type.elem_type else ("Cast", {"to": kind})
        )
        container.add_node(how[0], [names[made.name]], [wanted.full_name], **how[1])


def _bodies(node):
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def _names_in(graph):
    """The names of all that a graph, and the bodies of its loops, give to things."""
    for part in (graph.input, graph.initializer):
        yield from (each.name for each in part)
    for node in graph.node:
        yield from node.output
        for body in _bodies(node):
            yield from _names_in(body)


def _rename(graph, names):
    for node in graph.node:
        node.name = names[node.output[0]]
        for part in (node.input, node.output):
            part[:] = [names[name] for name in part]
        for body in _bodies(node):
            for info in (*body.input, *body.output):
                info.name = names[info.name]
            _rename(body, names)
