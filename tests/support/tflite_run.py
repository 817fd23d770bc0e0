"""What a TensorFlow Lite file gives in ai-edge-litert, row by row."""

import numpy as np


def outputs_of(path, arrays, resolver="AUTO"):
    """The outputs of a file for each row of its inputs, stacked; 'AUTO' is what users get:
    operators that XNNPACK has are its."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        str(path), experimental_op_resolver_type=getattr(OpResolverType, resolver)
    )
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for n in range(len(arrays[0])):
        for detail, array in zip(inputs, arrays):
            interpreter.set_tensor(
                detail["index"], np.ascontiguousarray(array[n : n + 1], detail["dtype"])
            )
        interpreter.invoke()
        found.append([interpreter.get_tensor(detail["index"]) for detail in outputs])
    return [np.concatenate(parts) for parts in zip(*found)]
