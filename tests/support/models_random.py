"""Random models as plain specs, which `models_built` makes in nnlite and in Keras alike.

A spec is a dict that JSON holds. A step of it is [name of the result, what is called, settings,
arguments]: 'layer:Dense', 'ops:sin', 'operator:add', 'slice:', 'model:' with a spec as settings,
'again:NAME' for a layer that was made before. Among arguments '@NAME' stands for a result, or the
first of several. In settings {'new': 'initializers.Ones', ...} stands for an object, {'function':
'activations.gelu'} for a function."""

import models_built
import numpy as np
from models_random_attention import ATTENTION, an_attention, einsum_dense
from models_random_series import IMAGES as TRANSPOSED
from models_random_series import SERIES

import nnlite


class Choice:
    """Random choices from a seed."""

    def __init__(self, seed):
        self._rng = np.random.default_rng(seed)

    def of(self, *values):
        return values[int(self._rng.integers(len(values)))]

    def whether(self, probability=0.5):
        return bool(self._rng.random() < probability)

    def number(self, low, high):
        return round(float(self._rng.uniform(low, high)), 3)

    def some(self, **settings):
        """Some of the settings; each is a function that gives its value."""
        return {name: value() for name, value in settings.items() if self.whether(0.4)}


def new(path, **settings):
    return {"new": path, **settings}


def function(path):
    return {"function": path}


def an_activation(c):
    names = """linear relu relu6 leaky_relu elu selu celu gelu silu mish sigmoid hard_sigmoid
    sparse_sigmoid log_sigmoid hard_silu tanh hard_tanh tanh_shrink hard_shrink soft_shrink softmax
    log_softmax softplus squareplus sparse_plus softsign"""
    name = c.of(*names.split())
    return c.of(name, name, function(f"activations.{name}"))


def an_initializer(c):
    return c.of(
        c.of("he_normal", "lecun_uniform", "GlorotNormal", "random_normal", "ones"),
        new("initializers.Constant", value=c.number(-0.5, 0.5)),
        new("initializers.HeUniform", seed=c.of(None, 7)),
        new("initializers.LecunNormal"),
        new("initializers.RandomUniform", minval=-0.3, maxval=0.4, seed=3),
        new("initializers.TruncatedNormal", stddev=0.2),
        new("initializers.VarianceScaling", scale=0.5, mode="fan_avg", distribution="uniform"),
    )


def a_regularizer(c):
    return c.of(
        c.of("l1", "l2"),
        new("regularizers.L1", l1=c.number(0.001, 0.1)),
        new("regularizers.L2", l2=c.number(0.001, 0.1)),
        new("regularizers.L1L2", l1=0.01, l2=c.number(0.001, 0.1)),
    )


def a_constraint(c):
    return c.of(
        "non_neg",
        new("constraints.MaxNorm", max_value=c.number(0.5, 2), axis=0),
        new("constraints.MinMaxNorm", min_value=0.2, max_value=1.5, rate=c.of(1.0, 0.5)),
        new("constraints.UnitNorm", axis=0),
        new("constraints.NonNeg"),
    )


def of_weights(c, *names, bias=True):
    made = {}
    for name in names:
        made |= c.some(**{f"{name}_initializer": lambda: an_initializer(c)})
        made |= {f"{name}_regularizer": a_regularizer(c)} if c.whether(0.15) else {}
        made |= {f"{name}_constraint": a_constraint(c)} if c.whether(0.15) else {}
    return {**made, **({"use_bias": c.whether()} if bias and c.whether(0.3) else {})}


def of_windows(c):
    return {"padding": c.of("valid", "same"), **c.some(strides=lambda: c.of(1, 2, [1, 1], [2, 2]))}


def of_centers(c):
    return {
        **c.some(center=c.whether, scale=c.whether, epsilon=lambda: c.number(0.001, 0.1)),
        **c.some(beta_initializer=lambda: an_initializer(c)),
    }


def a_noise(c):
    """A rate, mostly without effect: the libraries draw other numbers."""
    return 0.0 if c.whether(0.7) else c.number(0.1, 0.5)


WINDOWS = (2, 3, [2, 3], [1, 2])
# Layer -> settings for an input of some shape without its batch; None where it takes no such input.
ANY = {
    "Activation": lambda c, s: {"activation": an_activation(c)},
    "ActivityRegularization": lambda c, s: c.some(l1=lambda: 0.01, l2=lambda: 0.02),
    "AlphaDropout": lambda c, s: {"rate": a_noise(c), **c.some(seed=lambda: 3)},
    "BatchNormalization": lambda c, s: {
        **c.some(axis=lambda: c.of(-1, 1), momentum=lambda: c.number(0.5, 0.99)),
        **of_centers(c),
        **c.some(moving_mean_initializer=lambda: "ones"),
    },
    "Dense": lambda c, s: {
        "units": c.of(2, 3, 4),
        **c.some(activation=lambda: an_activation(c)),
        **of_weights(c, "kernel", "bias"),
        **({"activity_regularizer": a_regularizer(c)} if c.whether(0.1) else {}),
    },
    "Dropout": lambda c, s: {"rate": a_noise(c), **c.some(seed=lambda: 3)},
    "ELU": lambda c, s: c.some(alpha=lambda: c.number(0.5, 2)),
    "EinsumDense": lambda c, s: einsum_dense(c, s, of_weights, an_activation),
    "Flatten": lambda c, s: {},
    "GaussianDropout": lambda c, s: {"rate": a_noise(c)},
    "GaussianNoise": lambda c, s: {"stddev": a_noise(c)},
    "GroupNormalization": lambda c, s: {"groups": c.of(1, -1, s[-1]), **of_centers(c)},
    "Identity": lambda c, s: {},
    "LayerNormalization": lambda c, s: {
        **c.some(axis=lambda: c.of(-1, [-1], list(range(1, len(s) + 1)))),
        **of_centers(c),
    },
    "LeakyReLU": lambda c, s: c.some(negative_slope=lambda: c.number(0.1, 0.5)),
    "Normalization": lambda c, s: {
        "mean": [c.number(-1, 1) for _ in range(s[-1])],
        "variance": [c.number(0.5, 2) for _ in range(s[-1])],
        **c.some(invert=c.whether),
    },
    "PReLU": lambda c, s: {
        **({"shared_axes": [1]} if c.whether(0.3) else {}),
        **of_weights(c, "alpha", bias=False),
    },
    "RMSNormalization": lambda c, s: c.some(epsilon=lambda: c.number(0.001, 0.1)),
    "ReLU": lambda c, s: c.some(
        max_value=lambda: c.number(0.5, 2),
        negative_slope=lambda: c.number(0.1, 0.5),
        threshold=lambda: c.number(0, 0.5),
    ),
    "Rescaling": lambda c, s: {"scale": c.number(0.5, 2), **c.some(offset=lambda: 0.25)},
    "Reshape": lambda c, s: {"target_shape": c.of([-1], [*s[::-1]], [-1, s[-1]], [1, *s])},
    "Softmax": lambda c, s: c.some(axis=lambda: c.of(-1, 1)),
    "UnitNormalization": lambda c, s: c.some(axis=lambda: c.of(-1, 1)),
}
ROWS = {"RepeatVector": lambda c, s: {"n": c.of(2, 3)}}
IMAGES = {
    "AveragePooling2D": lambda c, s: {"pool_size": c.of(*WINDOWS), **of_windows(c)},
    "Conv2D": lambda c, s: {
        "filters": c.of(2, 4),
        "kernel_size": c.of(*WINDOWS),
        **of_windows(c),
        **c.some(activation=lambda: an_activation(c)),
        **of_weights(c, "kernel", "bias"),
        **({"groups": 2} if s[-1] % 2 == 0 and c.whether(0.3) else {}),
    },
    "Cropping2D": lambda c, s: {"cropping": c.of(1, [1, 0], [[0, 1], [1, 0]])},
    "DepthwiseConv2D": lambda c, s: {
        "kernel_size": c.of(2, 3),
        "padding": c.of("valid", "same"),
        **c.some(depth_multiplier=lambda: 2, activation=lambda: an_activation(c)),
        **of_weights(c, "depthwise", "bias"),
    },
    "GlobalAveragePooling2D": lambda c, s: c.some(keepdims=c.whether),
    "GlobalMaxPooling2D": lambda c, s: c.some(keepdims=c.whether),
    "MaxPooling2D": lambda c, s: {"pool_size": c.of(*WINDOWS), **of_windows(c)},
    "SeparableConv2D": lambda c, s: {
        "filters": c.of(2, 3),
        "kernel_size": c.of(2, 3),
        "padding": c.of("valid", "same"),
        **c.some(depth_multiplier=lambda: 2),
        **of_weights(c, "depthwise", "pointwise", "bias"),
    },
    "SpatialDropout2D": lambda c, s: {"rate": a_noise(c)},
    "UpSampling2D": lambda c, s: c.some(
        size=lambda: c.of(2, [1, 2]), interpolation=lambda: c.of("nearest", "bilinear")
    ),
    "ZeroPadding2D": lambda c, s: c.some(padding=lambda: c.of(1, [1, 0], [[0, 1], [1, 0]])),
    "Permute": lambda c, s: {"dims": c.of([2, 1, 3], [1, 3, 2])},
    **TRANSPOSED,
}
MERGES = "Add Average Concatenate Dot Maximum Minimum Multiply Subtract".split()
MAPS = "sin tanh abs square relu sigmoid softplus negative silu gelu hard_sigmoid cos sign".split()
LAYERS = {*ANY, *ROWS, *SERIES, *IMAGES, *MERGES, *ATTENTION}


def a_layer(c, shape):
    """A layer for samples of a shape: what and settings."""
    of_rank = {1: ROWS, 2: SERIES, 3: IMAGES}.get(len(shape), ANY)
    table = of_rank if c.whether(0.1 if of_rank is ROWS else 0.7) else ANY
    name = c.of(*table, *(["Dense"] * 4 if table is ANY else []))
    settings = table[name](c, shape)
    if "SpatialDropout" not in name and c.whether(0.15):  # which takes none in Keras
        settings["trainable"] = c.whether()
    return f"layer:{name}", settings


class Drawn:
    """The steps of a functional model as they are drawn. Each is tried in nnlite, and left out if
    it does not fit."""

    def __init__(self, c, inputs, depth=0):
        self.c, self.depth = c, depth
        self.spec = {"kind": "functional", "inputs": inputs, "steps": []}
        self.results = models_built.Results(nnlite)
        for name, shape in inputs.items():
            self.results.start(name, shape)
        self.unused = [f"@{name}" for name in inputs]

    def shape(self, reference):
        return [*self.results.symbol(reference).shape[1:]]

    def add(self, what, settings, args, largest=300):
        """The reference of a new step; None if it does not fit."""
        name = f"{what.split(':')[1].lower() or what[:5]}_of_{len(self.spec['steps'])}"
        step = [name, what, settings, args]
        try:
            self.results.run(step)
            if np.prod(self.shape(f"@{name}")) > largest:
                raise ValueError("too large")
        except (TypeError, ValueError):
            self.results.forget(name)
            return None
        self.spec["steps"].append(step)
        used = args[0] if isinstance(args[0], list) else args
        self.unused = [u for u in self.unused if u not in used] + [f"@{name}"]
        return f"@{name}"

    def step(self):
        c = self.c
        source = c.of(*[f"@{name}" for name in self.results.values][-4:])
        shape = self.shape(source)
        kind = c.of(*["layer"] * 6, "ops", "ops", "operator", "merge", "again", "model")
        if len(shape) == 2 and c.whether(0.2):
            self.add(*an_attention(self, source, of_weights))
        elif kind == "layer":
            what, settings = a_layer(c, shape)
            if c.whether(0.2):
                settings["name"] = f"mine_{len(self.spec['steps'])}"
            self.add(what, settings, [source])
        elif kind == "ops":
            self.op(source, shape)
        elif kind == "operator":
            name, number = c.of("add", "sub", "mul", "truediv", "neg", "abs"), c.number(0.5, 2)
            args = [number, source] if c.whether(0.3) and name != "truediv" else [source, number]
            self.add(f"operator:{name}", {}, [source] if name in ("neg", "abs") else args)
        elif kind == "merge":
            others = [f"@{name}" for name in self.results.values]
            self.merge(source, [o for o in others if self.shape(o) == shape])
        elif kind == "again":
            made = [s for s in self.spec["steps"] if s[1][:5] in ("layer", "model")]
            if made:
                name, _, _, (taken, *_) = c.of(*made)
                self.again(name, taken)
        elif self.depth:
            self.add("model:", a_chain(c, shape) if c.whether() else a_part(c, shape), [source])

    def again(self, name, taken):
        """Call a part once more, on what is like that which it was called on."""
        values = [f"@{value}" for value in self.results.values]

        def another(reference):
            like = [v for v in values if self.shape(v) == self.shape(reference)]
            return self.c.of(*like[-4:])

        args = [another(t) for t in taken] if isinstance(taken, list) else another(taken)
        self.add(f"again:{name}", {}, [args])

    def op(self, source, shape):
        c, rank, size, axis = self.c, len(shape), shape[-1], self.c.of(len(shape), -1)
        if c.whether(0.3):
            return self.add(f"ops:{c.of(*MAPS)}", {}, [source])
        kept = {"axis": axis, "keepdims": rank == 1 or c.whether()}
        name, settings, args = c.of(
            (c.of("mean", "max", "sum", "min", "var"), kept, [source]),
            ("clip", {"x_min": -0.5, "x_max": c.number(0.5, 1)}, [source]),
            (c.of("concatenate", "stack"), {"axis": axis}, [[source, source]]),
            (c.of("expand_dims", "flip", "softmax"), {"axis": axis}, [source]),
            ("leaky_relu", {"negative_slope": 0.3}, [source]),
            ("reshape", {}, [source, [-1, int(np.prod(shape))]]),
            (c.of("maximum", "minimum"), {}, [source, c.number(-0.5, 0.5)]),
            ("split", {"axis": axis}, [source, size]),
            ("transpose", {"axes": [0, *range(rank, 0, -1)]}, [source]),
            ("slice", {}, [source, c.of([1, None, None], [None, None, 2])]),
        )
        return self.add("slice:" if name == "slice" else f"ops:{name}", settings, args)

    def merge(self, source, others):
        c, name = self.c, self.c.of(*MERGES)
        further = [c.of(*others) for _ in range(1 if name in ("Dot", "Subtract") else c.of(1, 2))]
        settings = {}
        if name == "Dot":
            rank = len(self.shape(source))
            settings = {"axes": c.of(rank, -1, [rank, rank]), "normalize": c.whether()}
        elif name == "Concatenate":
            settings = c.some(axis=lambda: 1)
        self.add(f"layer:{name}", settings, [[source, *further]])

    def ended(self, layer, settings):
        """The reference of a last layer on what nothing else used, as rows."""
        rows = []
        for reference in self.unused[-4:]:
            flat = len(self.shape(reference)) > 1
            rows.append(self.add("layer:Flatten", {}, [reference]) if flat else reference)
        source = self.add("layer:Concatenate", {}, [rows], 1200) if len(rows) > 1 else rows[0]
        return self.add(layer, settings, [source])


def a_part(c, shape):
    """The spec of a functional model inside of another."""
    drawn = Drawn(c, {"start": shape})
    for _ in range(c.of(2, 3)):
        drawn.step()
    last = drawn.ended("layer:Dense", {"units": 3})
    return {**drawn.spec, "takes": "one", "gives": "one", "outputs": {"end": last}}


def a_chain(c, shape, last=None):
    """The spec of a Sequential, perhaps with a last layer."""
    drawn, source = Drawn(c, {"start": shape}), "@start"
    for _ in range(c.of(2, 3, 4)):
        what, settings = a_layer(c, drawn.shape(source))
        source = drawn.add(what, settings, [source]) or source
    if last:
        source = drawn.add("layer:Flatten", {}, [source])
        drawn.add(*last, [source])
    steps = [step[:3] for step in drawn.spec["steps"]] or [["end", "layer:Identity", {}]]
    start = c.of("input", "late", "input_shape") if last else c.of("input", "late")
    return {"kind": "sequential", "inputs": {"start": shape}, "start": start, "steps": steps}


# How to train

# Activation of the last layer, kind of targets, losses, metrics.
ENDS = [
    (
        "linear",
        "numbers",
        ["mse", "mae", "huber", "log_cosh", "cosine_similarity"],
        [
            "MeanSquaredError",
            "MeanAbsoluteError",
            "Huber",
            "LogCosh",
            "MeanSquaredLogarithmicError",
        ],
        ["mae", "MeanSquaredError", "RootMeanSquaredError", "CosineSimilarity", "LogCoshError"],
    ),
    (
        "softmax",
        "classes",
        ["categorical_crossentropy", "kl_divergence", "categorical_hinge"],
        ["CategoricalCrossentropy", "CategoricalFocalCrossentropy", "KLDivergence", "Dice"],
        ["accuracy", "CategoricalAccuracy", "AUC", "F1Score", "CategoricalCrossentropy"],
    ),
    (
        "softmax",
        "numbers of classes",
        ["sparse_categorical_crossentropy"],
        ["SparseCategoricalCrossentropy"],
        ["accuracy", "SparseCategoricalAccuracy", "sparse_categorical_crossentropy"],
    ),
    (
        "sigmoid",
        "truths",
        ["binary_crossentropy", "squared_hinge", "binary_focal_crossentropy"],
        ["BinaryCrossentropy", "BinaryFocalCrossentropy", "Hinge", "Tversky"],
        ["accuracy", "BinaryAccuracy", "Precision", "Recall", "AUC", "TruePositives"],
    ),
    (
        "softplus",
        "truths",
        ["poisson", "msle"],
        ["Poisson", "MeanSquaredLogarithmicError"],
        ["mape", "Poisson"],
    ),
]
OPTIMIZERS = {
    "SGD": lambda c: c.some(momentum=lambda: 0.5, nesterov=c.whether),
    "RMSprop": lambda c: c.some(momentum=lambda: 0.5, centered=c.whether, rho=lambda: 0.8),
    "Adagrad": lambda c: c.some(initial_accumulator_value=lambda: 0.2),
    "Adadelta": lambda c: c.some(rho=lambda: 0.8),
    "Adam": lambda c: c.some(amsgrad=c.whether, beta_1=lambda: 0.8),
    "AdamW": lambda c: c.some(amsgrad=c.whether, weight_decay=lambda: 0.01),
    "Adamax": lambda c: c.some(beta_2=lambda: 0.9),
    "Nadam": lambda c: c.some(beta_2=lambda: 0.9),
    "Lion": lambda c: c.some(beta_1=lambda: 0.8),
    "Ftrl": lambda c: c.some(l1_regularization_strength=lambda: 0.01, beta=lambda: 0.1),
}
SCHEDULES = {
    "ExponentialDecay": {"decay_steps": 3, "decay_rate": 0.5},
    "InverseTimeDecay": {"decay_steps": 3, "decay_rate": 0.5, "staircase": True},
    "PolynomialDecay": {"decay_steps": 4, "power": 2.0},
    "CosineDecay": {"decay_steps": 9, "warmup_steps": 2, "warmup_target": 0.02},
    "CosineDecayRestarts": {"first_decay_steps": 3},
}


def an_optimizer(c):
    name = c.of(*OPTIMIZERS)
    settings, rate = OPTIMIZERS[name](c), c.number(0.005, 0.02)
    if name not in ("SGD", "Lion", "Ftrl"):
        settings["epsilon"] = c.of(0.001, 0.01)  # more than roundings are divided by
    if c.whether(0.3):
        schedule = c.of(*SCHEDULES, "PiecewiseConstantDecay")
        rates = {"boundaries": [1, 3], "values": [rate, rate / 2, rate / 4]}
        decay = {"initial_learning_rate": rate, **SCHEDULES.get(schedule, {})}
        rate = new(f"optimizers.schedules.{schedule}", **(decay if len(decay) > 1 else rates))
    settings |= c.of(
        {},
        {},
        {"clipnorm": 1.0},
        {"global_clipnorm": 1.0},
        {"clipvalue": 0.1},
        {"weight_decay": 0.01},
        {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": c.of(None, 2)},
    )
    return new(f"optimizers.{name}", learning_rate=rate, **settings)


def an_end(c):
    """The last layer before an output, its loss, its metrics, and what its targets are."""
    activation, targets, losses, classes, metrics = c.of(*ENDS)
    units = 3 if "classes" in targets else c.of(1, 2)
    name = c.of(*losses)
    full = {"mse": "mean_squared_error", "mae": "mean_absolute_error"}
    full["msle"] = "mean_squared_logarithmic_error"
    loss = c.of(name, function(f"losses.{full.get(name, name)}"), new(f"losses.{c.of(*classes)}"))
    found = [c.of(*metrics) for _ in range(c.of(0, 1, 1))]
    found = [new(f"metrics.{m}") if m[0].isupper() else m for m in found]
    layer = ("layer:Dense", {"units": units, "activation": activation})
    return layer, loss, found, [targets, units]


def spec(seed):
    """A random model, compiled, with what its targets are.

    Parameters
    ----------
    seed : int
    """
    c = Choice(seed)
    shapes = [[4], [5], [6, 6, 2], [5, 4, 3], [3, 4], [7, 2]]
    if c.whether(0.3):
        layer, loss, metrics, targets = an_end(c)
        made = {**a_chain(c, c.of(*shapes), layer), "outputs": {"end": ""}, "gives": "one"}
        made |= {"takes": "one", "targets": {"end": targets}}
        loss, metrics, weights = loss, metrics, None
    else:
        inputs = {f"in_{i}": c.of(*shapes) for i in range(c.of(1, 1, 2, 3))}
        drawn, ends, outputs = Drawn(c, inputs, depth=1), {}, {}
        for i in range(c.of(1, 1, 2)):
            for _ in range(c.of(3, 5, 8)):
                drawn.step()
            ends[f"out_{i}"] = an_end(c)
            outputs[f"out_{i}"] = drawn.ended(*ends[f"out_{i}"][0])
        one = len(ends) == 1
        made = {
            **drawn.spec,
            "outputs": outputs,
            "takes": c.of("list", "dict", "dict")
            if len(inputs) > 1
            else c.of("one", "one", "dict"),
            "gives": c.of("one", "dict") if one else c.of("list", "dict"),
            "targets": {name: end[3] for name, end in ends.items()},
        }
        loss = {name: end[1] for name, end in ends.items()}
        metrics = {name: end[2] for name, end in ends.items()}
        weights = {name: c.number(0.5, 2) for name in ends} if c.whether(0.3) else None
        if made["gives"] != "dict":
            loss, metrics = [*loss.values()], [*metrics.values()]
            weights = weights and [*weights.values()]
            if one:
                (loss,), (metrics,), weights = loss, metrics, None
    layers = [step[0] for step in made["steps"] if step[1][:5] in ("layer", "model")]
    made["frozen"] = [name for name in layers[:-1] if c.whether(0.1)]
    made["compile"] = {"optimizer": an_optimizer(c), "loss": loss, "metrics": metrics or None}
    if weights:
        made["compile"]["loss_weights"] = weights
    return made
