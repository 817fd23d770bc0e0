"""Models made of the specs of `models_random`, by the modules of nnlite or of Keras."""

import operator

import numpy as np

N = 6


def object_of(value, library):
    """A setting, with objects and functions of a library in the place of what describes them."""
    if isinstance(value, list):
        return [object_of(inner, library) for inner in value]
    if not isinstance(value, dict):
        return value
    if "function" in value:
        return operator.attrgetter(value["function"])(library)
    settings = {key: object_of(inner, library) for key, inner in value.items() if key != "new"}
    return operator.attrgetter(value["new"])(library)(**settings) if "new" in value else settings


class Results:
    """The symbols that steps give, and the layers that they made."""

    def __init__(self, library):
        self.library, self.values, self.parts = library, {}, {}

    def start(self, name, shape):
        self.values[name] = self.library.layers.Input(tuple(shape), name=name)

    def forget(self, name):
        self.values.pop(name, None)
        self.parts.pop(name, None)

    def symbol(self, reference):
        found = self.values[reference[1:]]
        return found[0] if isinstance(found, (list, tuple)) else found

    def run(self, step):
        """Make the part that a step calls, and call it."""
        name, what, settings, args = step
        kind, _, target = what.partition(":")
        args = [self._argument(value) for value in args]
        settings = settings if kind == "model" else object_of(settings, self.library)
        if kind == "slice":
            self.values[name] = args[0][:, slice(*args[1])]
        elif kind == "operator":
            self.values[name] = getattr(operator, target)(*args)
        elif kind == "ops":
            self.values[name] = getattr(self.library.ops, target)(*args, **settings)
        else:
            if kind == "layer":
                self.parts[name] = getattr(self.library.layers, target)(**settings)
            elif kind == "model":
                self.parts[name] = built(settings, self.library)
            self.values[name] = self.parts[target if kind == "again" else name](*args)

    def _argument(self, value):
        if isinstance(value, list) and value and isinstance(value[0], str):
            return [self._argument(inner) for inner in value]
        return self.symbol(value) if isinstance(value, str) and value[0] == "@" else value


def built(spec, library):
    """The model of a spec; compiled and frozen as that says."""
    results = Results(library)
    if spec["kind"] == "sequential":
        (shape,), start = spec["inputs"].values(), spec["start"]
        layers = []
        for name, what, settings in spec["steps"]:
            settings = object_of(settings, library)
            if start == "input_shape" and not layers:
                settings["input_shape"] = tuple(shape)
            results.parts[name] = getattr(library.layers, what[6:])(**settings)
            layers.append(results.parts[name])
        if start == "input":
            layers.insert(0, library.layers.Input(tuple(shape)))
        model = library.Sequential(layers)
    else:
        for name, shape in spec["inputs"].items():
            results.start(name, shape)
        for step in spec["steps"]:
            results.run(step)
        inputs = {name: results.values[name] for name in spec["inputs"]}
        outputs = {name: results.symbol(at) for name, at in spec["outputs"].items()}
        model = library.Model(arranged(spec["takes"], inputs), arranged(spec["gives"], outputs))
    if "compile" in spec:
        model(arranged(spec["takes"], inputs_for(spec)))  # a Sequential that starts late
        for name in spec["frozen"]:
            results.parts[name].trainable = False
        model.compile(**object_of(spec["compile"], library))
    return model


def arranged(kind, values):
    """Values by name as a model takes or gives them: one, a list or a dict of them."""
    found = [*values.values()]
    return dict(values) if kind == "dict" else found if kind == "list" else found[0]


def inputs_for(spec):
    """Random inputs by name."""
    rng = np.random.default_rng(1)
    return {
        name: rng.normal(size=(N, *shape)).astype("float32")
        for name, shape in spec["inputs"].items()
    }


def data_for(spec):
    """Inputs and targets, as the model of a spec takes them."""
    rng, targets = np.random.default_rng(2), {}
    for name, (kind, units) in spec["targets"].items():
        classes = rng.integers(0, 3, N)
        targets[name] = {
            "numbers": rng.normal(size=(N, units)),
            "truths": rng.integers(0, 2, (N, units)),
            "classes": np.eye(3)[classes],
            "numbers of classes": classes[:, None],
        }[kind].astype("int32" if "of" in kind else "float32")
    return arranged(spec["takes"], inputs_for(spec)), arranged(spec["gives"], targets)
