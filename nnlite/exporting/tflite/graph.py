"""A TensorFlow Lite graph that grows: tensors, constants, operators, and which tensor of a program
is which of them."""

from dataclasses import dataclass

import numpy as np

from nnlite.exporting.program import is_constant
from nnlite.exporting.quantization import Affine
from nnlite.exporting.tflite.flat import Table, require

# Tables of options that are not called as their operator is.
_OPTIONS = {
    "AVERAGE_POOL_2D": "Pool2D",
    "BATCH_MATMUL": "BatchMatMul",
    "CONV_2D": "Conv2D",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
    "MAX_POOL_2D": "Pool2D",
    "MEAN": "Reducer",
    "REDUCE_MAX": "Reducer",
    "SUM": "Reducer",
    "TOPK_V2": "TopKV2",
}
# The version of an operator says what a runtime must know: (of float, of int8), 1 where it is left
# out. A product with a scale for each channel is new.
_VERSIONS = {
    "ADD": (1, 2),
    "AVERAGE_POOL_2D": (1, 2),
    "BATCH_MATMUL": (1, 2),
    "CONCATENATION": (1, 2),
    "CONV_2D": (1, 3),
    "DEPTHWISE_CONV_2D": (1, 3),
    "DEQUANTIZE": (2, 2),
    "EQUAL": (1, 2),
    "FULLY_CONNECTED": (5, 12),
    "GATHER": (1, 2),
    "GELU": (1, 2),
    "GREATER": (1, 2),
    "GREATER_EQUAL": (1, 2),
    "LEAKY_RELU": (1, 2),
    "LOGISTIC": (1, 2),
    "LOG_SOFTMAX": (1, 2),
    "MAXIMUM": (1, 2),
    "MAX_POOL_2D": (1, 2),
    "MEAN": (1, 2),
    "MINIMUM": (1, 2),
    "MUL": (1, 2),
    "NOT_EQUAL": (1, 2),
    "PACK": (1, 2),
    "PAD": (1, 2),
    "QUANTIZE": (1, 2),
    "REDUCE_MAX": (1, 2),
    "RELU": (1, 2),
    "RELU6": (1, 2),
    "SOFTMAX": (1, 2),
    "STRIDED_SLICE": (1, 2),
    "SUB": (1, 2),
    "SUM": (1, 2),
    "TANH": (1, 2),
    "TRANSPOSE": (1, 2),
    "TRANSPOSE_CONV": (1, 3),
}
_LEAST_HALF = 64  # constants of fewer numbers stay float32


@dataclass
class Entry:
    """A tensor of the graph.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
    data : array or None
        Of a constant.
    affine : Affine or None
    scales : array or None
        Of a kernel in integers: one for each entry along `axis`.
    """

    shape: tuple
    dtype: str
    data: np.ndarray | None = None
    affine: Affine | None = None
    scales: np.ndarray | None = None
    axis: int = 0
    name: str = ""


class Graph:
    """Operators and tensors, which are known by their numbers.

    Parameters
    ----------
    program : Program
        Of one row.
    growing : dict or None
        By the id of a tensor which of its axes grow with the batch; None: the batch stays one row.
    quantization : Quantization, optional
        Says which calls run in integers.
    half : bool, default False
        Whether kernels are stored as float16.

    Attributes
    ----------
    affine : Affine or None
        Of the results that are added from now on.
    scope : str
        The layer that they belong to.
    """

    def __init__(self, program, growing, quantization=None, half=False):
        self.schema, _ = require()
        self.program, self.growing = program, growing
        self.quantization, self.half = quantization, half
        self.entries, self.operators, self._places = [], [], {}
        self._constants, self._converted = {}, {}
        self.affine, self.scope = None, ""

    def take_inputs(self, affines):
        """Add the inputs of the program; those that have an Affine, by their ids, are integers."""
        for tensor, (name, *_) in zip(self.program.inputs, self.program.of.inputs):
            affine = affines.get(id(tensor))
            dtype = "int32" if tensor.dtype == "int32" else "int8" if affine else "float32"
            x = self._entry(tensor.shape, dtype, name=name, affine=affine)
            self._places[id(tensor)] = x

    def _entry(self, shape, dtype, **rest):
        self.entries.append(Entry(tuple(int(n) for n in shape), dtype, **rest))
        return len(self.entries) - 1

    def shape(self, x):
        return self.entries[x].shape

    def grows(self, tensor):
        """Which axes of a tensor of the program grow with the batch."""
        return (self.growing or {}).get(id(tensor), (False,) * tensor.ndim)

    def constant(self, values, affine=None, scales=None, axis=0):
        """The number of a constant tensor; float64 becomes float32."""
        values = np.ascontiguousarray(values)
        if values.dtype == np.float64:
            values = values.astype(np.float32)
        given = (affine, None if scales is None else (scales.tobytes(), axis))
        key = (values.tobytes(), values.shape, str(values.dtype), given)
        if key not in self._constants:
            rest = {"data": values, "affine": affine, "scales": scales, "axis": axis}
            self._constants[key] = self._entry(values.shape, str(values.dtype), **rest)
        return self._constants[key]

    def weights(self, values):
        """As `constant`, of float weights; as float16, where that is wanted and holds them."""
        values = np.ascontiguousarray(values, np.float32)
        small = values.size < _LEAST_HALF or np.abs(values).max() > np.finfo(np.float16).max
        if not self.half or small:
            return self.constant(values)
        stored = self.constant(values.astype(np.float16))
        if stored not in self._converted:
            self._converted[stored] = self.add("DEQUANTIZE", [stored], dtype="float32")
        return self._converted[stored]

    def kernel(self, call, arrange, axis=0):
        """The numbers of the kernel and of the bias of a call, which is 0 where it has none: some
        runtimes fail without it.

        Parameters
        ----------
        call : Call
        arrange : function of an array
            Gives the kernel as the format lays it out.
        axis : int, default 0
            Where the channels of the result are then.
        """
        if self.form(call):
            found = self.quantization.kernel(call)
            kernel = self.constant(arrange(found.values), scales=found.scales, axis=axis)
            scales = self.quantization.read(call, 0).scale * found.scales.astype(np.float64)
            bias = np.zeros(len(scales), np.int32) if found.bias is None else found.bias
            return [kernel, self.constant(bias, scales=scales.astype(np.float32))]
        bias = call.inputs[2].numpy() if len(call.inputs) > 2 else None
        bias = np.zeros(call.outputs[0].shape[-1], np.float32) if bias is None else bias
        return [self.real_kernel(call, arrange), self.constant(bias)]

    def real_kernel(self, call, arrange):
        """The number of the kernel of a call that computes in float. A product may read integers
        with a scale for each row: it rounds what it multiplies, too."""
        if self.quantization and self.quantization.is_hybrid(call):
            found = self.quantization.kernel(call)
            return self.constant(arrange(found.values), scales=found.scales)
        return self.weights(arrange(call.inputs[1].numpy()))

    def form(self, call):
        """How a call runs in integers; None if it does not."""
        return self.quantization and self.quantization.form(call)

    def read(self, call, i):
        """The number of an input of a call, in the type in which the call reads it."""
        affine = self.quantization.read(call, i) if self.form(call) else None
        return self.place(call.inputs[i], affine)

    def reads(self, call):
        """The numbers of all inputs of a call."""
        return [self.read(call, i) for i in range(len(call.inputs))]

    def place(self, tensor, affine=None):
        """The number of a tensor of the program, as integers of an Affine or as it is."""
        if id(tensor) not in self._places:
            assert is_constant(tensor), "the call that makes a tensor comes before its readers"
            values = tensor.numpy()
            if affine:
                return self.constant(affine.integers(values), affine)
            return self.constant(values)
        x = self._places[id(tensor)]
        if self.entries[x].dtype == "bool":
            x = self._once("CAST", x, "float32", None)
        if affine == self.entries[x].affine:
            return x
        if affine:
            return self._once("QUANTIZE", x, "int8", affine)
        return self._once("DEQUANTIZE", x, "float32", None)

    def truth(self, tensor):
        """The number of the truth values of which a tensor is 1 and 0."""
        x = self._places.get(id(tensor))
        if x is not None and self.entries[x].dtype == "bool":
            return x
        return self.add(
            "NOT_EQUAL", [self.place(tensor), self.constant(np.float32(0))], dtype="bool"
        )

    def _once(self, op, x, dtype, affine):
        """x by an operator that changes its type; it is added the first time."""
        key = (op, x, affine)
        if key not in self._converted:
            before, self.affine = self.affine, affine
            self._converted[key] = self.add(op, [x], dtype=dtype)
            self.affine = before
        return self._converted[key]

    def take(self, tensor, x):
        """Say which number a tensor of the program has."""
        self._places[id(tensor)] = x

    def add(self, op, inputs, shape=None, dtype=None, like=None, outputs=1, **options):
        """Add an operator; gives the number of its output, or a list of several.

        Parameters
        ----------
        op : str
            Its name in the schema.
        inputs : list of int
        shape : tuple of int, optional
            Of each output; by default what the inputs broadcast to.
        dtype : str, optional
            By default int8 where `affine` is set, else float32.
        like : int, optional
            A tensor whose type and Affine the outputs have.
        outputs : int, default 1
        **options
            Fields of the operator's table of options.
        """
        if shape is None:
            shape = np.broadcast_shapes(*(self.shape(x) for x in inputs))
        if like is not None:
            dtype, affine = self.entries[like].dtype, self.entries[like].affine
        else:
            affine = self.affine if dtype in (None, "int8") else None
            dtype = dtype or ("int8" if affine else "float32")
        name = f"{self.scope}/{op.lower()}" if self.scope else op.lower()
        made = [self._entry(shape, dtype, affine=affine, name=name) for _ in range(outputs)]
        self.operators.append((op, list(inputs), made, options))
        return made[0] if outputs == 1 else made

    def reshape(self, x, shape, grows=()):
        """x in another shape; `grows` says which axes grow with the batch."""
        if self.shape(x) == tuple(shape):
            return x
        wanted = [-1 if g else n for n, g in zip(shape, grows or [False] * len(shape))]
        target = self.constant(np.array(wanted, np.int32))
        return self.add("RESHAPE", [x, target], shape, like=x)

    def reshape_as(self, x, tensor):
        """x in the shape of a tensor of the program."""
        return self.reshape(x, tensor.shape, self.grows(tensor))

    # --- the file

    def table(self, outputs, description, metadata=()):
        """The Model of the schema.

        Parameters
        ----------
        outputs : list of (str, int)
            Names and numbers.
        description : str
        metadata : list of (str, bytes)
            What else the file holds.
        """
        inputs = list(range(len(self.program.inputs)))
        for name, x in outputs:
            self.entries[x].name = name
        buffers = [Table("Buffer"), *(Table("Buffer", Data=data) for _, data in metadata)]
        notes = [Table("Metadata", Name=n, Buffer=i + 1) for i, (n, _) in enumerate(metadata)]
        tensors = []
        for entry in self.entries:
            number = 0
            if entry.data is not None:
                number = len(buffers)
                buffers.append(Table("Buffer", Data=entry.data.tobytes()))
            tensors.append(self._tensor(entry, number))
        codes, operators = {}, []
        for op, given, made, options in self.operators:
            code = codes.setdefault((op, self._version(op, given, made)), len(codes))
            operators.append(self._operator(op, code, given, made, options))
        names = [("Inputs", [(self.entries[x].name, x) for x in inputs]), ("Outputs", outputs)]
        maps = {
            key: [Table("TensorMap", Name=name, TensorIndex=x) for name, x in pairs]
            for key, pairs in names
        }
        subgraph = Table(
            "SubGraph",
            Tensors=tensors,
            Inputs=np.array(inputs, np.int32),
            Outputs=np.array([x for _, x in outputs], np.int32),
            Operators=operators,
            Name="main",
        )
        return Table(
            "Model",
            Version=3,
            OperatorCodes=[self._code(*key) for key in codes],
            Subgraphs=[subgraph],
            Description=description,
            Buffers=buffers,
            Metadata=notes or None,
            SignatureDefs=[Table("SignatureDef", **maps, SignatureKey="serving_default")],
        )

    def _tensor(self, entry, number):
        quantization = None
        if entry.scales is not None or entry.affine:
            scales = np.float32([entry.affine.scale]) if entry.affine else entry.scales
            zeros = np.full(len(scales), entry.affine.zero if entry.affine else 0, np.int64)
            quantization = Table(
                "QuantizationParameters",
                Scale=scales,
                ZeroPoint=zeros,
                QuantizedDimension=entry.axis,
            )
        return Table(
            "Tensor",
            Shape=np.array(entry.shape, np.int32),
            Type=getattr(self.schema.TensorType, entry.dtype.upper()),
            Buffer=number,
            Name=entry.name,
            Quantization=quantization,
            HasRank=True,
        )

    def _version(self, op, given, made):
        scaled = any(self.entries[x].scales is not None for x in given)
        integer = scaled or self.entries[made[0]].dtype == "int8"
        return _VERSIONS.get(op, (1, 1))[integer]

    def _code(self, op, version):
        number = getattr(self.schema.BuiltinOperator, op)
        return Table(
            "OperatorCode",
            BuiltinCode=number,
            DeprecatedBuiltinCode=min(number, 127),
            Version=version,
        )

    def _operator(self, op, code, given, made, options):
        kind = _OPTIONS.get(op, "".join(w.capitalize() for w in op.split("_"))) + "Options"
        return Table(
            "Operator",
            OpcodeIndex=code,
            Inputs=np.array(given, np.int32),
            Outputs=np.array(made, np.int32),
            BuiltinOptionsType=getattr(self.schema.BuiltinOptions, kind) if options else None,
            BuiltinOptions=Table(kind, **options) if options else None,
        )
