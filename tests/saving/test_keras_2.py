"""Whole models that Keras 1 and 2 wrote: configs without modules, and the states of optimizers in
each order that there was. No such Keras is needed: the files are put together here."""

import json

import models_saved
import numpy as np
import pytest
from models_saved import file_of_others

import nnlite
from nnlite import layers, optimizers
from nnlite.models import load_model

h5py = pytest.importorskip("h5py")


def initialized(name, /, **settings):
    return {"class_name": name, "config": settings}


def dense(name, units, inbound=None, first=None, **settings):
    """The config of a Dense layer as Keras 2 has it."""
    config = {
        "name": name,
        "trainable": True,
        "units": units,
        "activation": "linear",
        "use_bias": True,
        "kernel_initializer": initialized(
            "VarianceScaling", scale=1.0, mode="fan_avg", distribution="uniform", seed=None
        ),
        "bias_initializer": initialized("Zeros"),
        "kernel_regularizer": initialized("L1L2", l1=0.0, l2=0.01),
        "kernel_constraint": initialized("MaxNorm", max_value=2, axis=0),
        "activity_regularizer": None,
        **settings,
    }
    if first is not None:
        config |= {"batch_input_shape": [None, first], "dtype": "float32"}
    entry = {"class_name": "Dense", "config": config}
    return entry if inbound is None else {**entry, "name": name, "inbound_nodes": inbound}


def other(class_name, name, inbound, **settings):
    config = {"name": name, "trainable": True, **settings}
    entry = {"class_name": class_name, "config": config}
    return {**entry, "name": name, "inbound_nodes": inbound}


def started(name, size):
    made = other("InputLayer", name, [], sparse=False, batch_input_shape=[None, size])
    del made["config"]["trainable"]
    return made


def calls(*places):
    """The calls of a layer, one on each list of names and numbers of calls."""
    return [[[name, call, 0, {}] for name, call in on] for on in places]


# Keras 2 lists a Sequential's layers alone; counts its calls, and those of a functional model,
# from 1; and puts "a", which is nearer to the output, behind the layers of "b".
INNER = [
    dense("d3", 3, first=4),
    {"class_name": "BatchNormalization", "config": {"name": "bn", "axis": -1, "trainable": True}},
]
FUNCTIONAL = {
    "name": "inner",
    "layers": [
        started("s", 3),
        other("LeakyReLU", "leaky", calls([("s", 0)]), alpha=0.25),
        dense("d4", 3, calls([("leaky", 0)])),
    ],
    "input_layers": [["s", 0, 0]],
    "output_layers": [["d4", 0, 0]],
}
CONFIG = {
    "name": "model_1",
    "layers": [
        started("b", 6),
        dense("d1", 4, calls([("b", 0)])),
        started("a", 4),
        dense("d2", 4, calls([("a", 0)], [("d1", 0)]), activation="tanh"),
        {"class_name": "Sequential", "config": INNER, "name": "seq"}
        | {"inbound_nodes": calls([("d2", 0)], [("d2", 1)])},
        {"class_name": "Model", "config": FUNCTIONAL, "name": "inner"}
        | {"inbound_nodes": calls([("seq", 1)], [("seq", 2)])},
        other("Add", "sum", calls([("inner", 1), ("inner", 2)])),
        dense("one", 2, calls([("sum", 0)])),
    ],
    "input_layers": [["a", 0, 0], ["b", 0, 0]],
    "output_layers": [["one", 0, 0]],
}


def twin():
    """The model of `CONFIG`, with its layers by name."""
    made = {
        name: layers.Dense(
            units,
            activation,
            name=name,
            kernel_regularizer=nnlite.regularizers.L2(0.01),
            kernel_constraint=nnlite.constraints.MaxNorm(2),
        )
        for name, units, activation in [
            ("d1", 4, None),
            ("d2", 4, "tanh"),
            ("d3", 3, None),
            ("d4", 3, None),
            ("one", 2, None),
        ]
    }
    made["bn"] = layers.BatchNormalization(name="bn")
    sequential = nnlite.Sequential([layers.Input((4,)), made["d3"], made["bn"]], name="seq")
    start = layers.Input((3,))
    inner = nnlite.Model(start, made["d4"](layers.LeakyReLU(0.25)(start)), name="inner")
    a, b = layers.Input((4,), name="a"), layers.Input((6,), name="b")
    first, second = made["d2"](a), made["d2"](made["d1"](b))
    both = layers.Add()([inner(sequential(first)), inner(sequential(second))])
    return nnlite.Model([a, b], made["one"](both)), made


NAMED = {
    "d1": ["kernel", "bias"],
    "d2": ["kernel", "bias"],
    "seq": ["d3/kernel", "d3/bias", "bn/gamma", "bn/beta", "bn/moving_mean", "bn/moving_variance"],
    "inner": ["d4/kernel", "d4/bias"],
    "one": ["kernel", "bias"],
}


def of_keras_2(path, settings, keep, version="2.2.4"):
    """Write the file that Keras 2 would have of the twin after some steps; the twin and its data.

    `keep` gives the names and values of the optimizer, for (name, Variable) of what training
    changes, in the order of the file.
    """
    nnlite.utils.set_random_seed(3)
    model, parts = twin()
    rng = np.random.default_rng(0)
    x = [rng.random((16, 4)).astype("float32"), rng.random((16, 6)).astype("float32")]
    y = rng.random((16, 2)).astype("float32")
    model.compile(keep.optimizer(), "mse", metrics=["mae"])
    model.fit(x, y, batch_size=4, verbose=0, shuffle=False)
    weights = {}
    for layer, names in NAMED.items():
        for name in names:
            owner, _, last = name.rpartition("/")
            found = {v.name.split("/")[-1]: v for v in parts[owner or layer].weights}
            weights[layer, f"{owner or layer}_7/{last}:0"] = found[last]
    with h5py.File(path, "w") as file:
        training = {"optimizer_config": settings, "loss": "mse", "metrics": ["mae"]}
        training |= {"loss_weights": None, "sample_weight_mode": None}
        config = {"class_name": "Model", "config": CONFIG}
        file.attrs["keras_version"] = np.bytes_(version)
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["training_config"] = json.dumps(training).encode()
        group = file.create_group("model_weights")
        names = [entry["name"] for entry in CONFIG["layers"]]
        group.attrs["layer_names"] = [name.encode() for name in names]
        group.attrs["keras_version"] = np.bytes_(version)
        for layer in names:
            own = {n: v for (where, n), v in weights.items() if where == layer}
            made = group.create_group(layer)
            made.attrs["weight_names"] = [name.encode() for name in own]
            for name, variable in own.items():
                made[name] = variable.numpy()
        trained = {n: v for (_, n), v in weights.items() if "moving" not in n}
        stored = keep(model.optimizer, trained)
        group = file.create_group("optimizer_weights")
        group.attrs["weight_names"] = [name.encode() for name in stored]
        for name, values in stored.items():
            group[name] = values
    return model, x, y


def slots(optimizer, trained, kind):
    return [optimizer._slots[id(v)][1][kind].numpy() for v in trained.values()]


def by_kind(optimizer, trained):
    """As in Keras 2.0.6 to 2.3: all m, all v, and v with a hat of size 1, which nobody uses."""
    kept = {"Adam/iterations:0": optimizer.iterations.numpy()}
    values = slots(optimizer, trained, "momentum") + slots(optimizer, trained, "velocity")
    values += [np.zeros(1)] * len(trained)
    return kept | {f"training/Adam/Variable_{i}:0": v for i, v in enumerate(values)}


def sorted_by_name(optimizer, trained):
    """As before Keras 2.0.6: weights in the order of their names."""
    ordered = {name: trained[name] for name in sorted(trained)}
    assert list(ordered) != list(trained)
    return by_kind(optimizer, ordered)


def named_by_kind(optimizer, trained):
    """As in TensorFlow 2.0 to 2.10: 'Adam/d1/kernel/m:0'."""
    kept = {"Adam/iter:0": optimizer.iterations.numpy()}
    for kind, short in (("momentum", "m"), ("velocity", "v")):
        for name, values in zip(trained, slots(optimizer, trained, kind)):
            kept[f"Adam/{name[:-2]}/{short}:0"] = values
    return kept


def by_weight(optimizer, trained):
    """As from TensorFlow 2.11 on: 'Adam/m/d1/kernel:0', 'Adam/v/d1/kernel:0'."""
    kept = {"iteration:0": optimizer.iterations.numpy()}
    both = zip(slots(optimizer, trained, "momentum"), slots(optimizer, trained, "velocity"))
    for name, (momentum, velocity) in zip(trained, both):
        kept |= {f"Adam/m/{name}": momentum, f"Adam/v/{name}": velocity}
    return kept


def ftrl(optimizer, trained):
    """The one optimizer of TensorFlow 2.0 to 2.10 that keeps the values of a weight together."""
    kept = {"Ftrl/iter:0": optimizer.iterations.numpy()}
    kinds = [(kind, slots(optimizer, trained, kind)) for kind in ("accumulator", "linear")]
    for i, name in enumerate(trained):
        kept |= {f"Ftrl/{name[:-2]}/{kind}:0": values[i] for kind, values in kinds}
    return kept


def without_steps(optimizer, trained):
    """RMSprop before Keras 2.3 counted no steps."""
    values = slots(optimizer, trained, "velocity")
    return {f"training/RMSprop/Variable_{i}:0": v for i, v in enumerate(values)}


def momentum_in_vain(optimizer, trained):
    """SGD keeps a momentum of zeros where it has none."""
    kept = {"SGD/iterations:0": optimizer.iterations.numpy()}
    return kept | {f"SGD/Variable_{i}:0": np.zeros(v.shape) for i, v in enumerate(trained.values())}


def decayed(rate):
    return optimizers.schedules.InverseTimeDecay(rate, 1, 0.5)


ADAM = {"lr": 0.01, "decay": 0.5, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "amsgrad": False}
NEWER = {"name": "Adam", "weight_decay": None, "is_legacy_optimizer": False, "jit_compile": True}
NEWER |= {"learning_rate": initialized("InverseTimeDecay", initial_learning_rate=0.01)}
NEWER["learning_rate"]["config"] |= {"decay_steps": 1, "decay_rate": 0.5}
RMS = {"lr": 0.01, "rho": 0.9, "epsilon": None, "decay": 0.0}
ADAMS = {"optimizer": lambda: optimizers.Adam(decayed(0.01), epsilon=1e-8)}
WRITERS = [
    (by_kind, initialized("Adam", **ADAM), "2.1.6", ADAMS),
    (sorted_by_name, initialized("Adam", **ADAM), "2.0.5", ADAMS),
    (named_by_kind, initialized("Adam", **ADAM), "2.4.0", ADAMS),
    (
        by_weight,
        initialized("Custom>Adam", **NEWER, epsilon=1e-8),
        "2.13.1",
        ADAMS,
    ),
    (
        ftrl,
        initialized("Ftrl", learning_rate=0.1, decay=0.0),
        "2.8.0",
        {"optimizer": lambda: optimizers.Ftrl(0.1)},
    ),
    (
        without_steps,
        initialized("RMSprop", **RMS),
        "2.2.4",
        {"optimizer": lambda: optimizers.RMSprop(0.01)},
    ),
    (
        momentum_in_vain,
        initialized("SGD", lr=0.01, momentum=0.0, decay=0.0, nesterov=False),
        "2.2.4",
        {"optimizer": lambda: optimizers.SGD(0.01)},
    ),
]


@pytest.mark.parametrize(
    "keep, settings, version, made", WRITERS, ids=lambda value: getattr(value, "__name__", "")
)
def test_model_of_keras_2_goes_on_where_it_was(keep, settings, version, made, tmp_path):
    keep.optimizer = made["optimizer"]
    model, x, y = of_keras_2(tmp_path / "m.h5", settings, keep, version)
    again = load_model(tmp_path / "m.h5")
    assert again.name == "model_1"
    if keep is without_steps:
        model.optimizer.iterations.assign(0)
    models_saved.assert_goes_on_alike([model, again], x, y)


def test_state_of_another_optimizer_is_not_taken(tmp_path):
    def keep(optimizer, trained):
        kept = by_kind(optimizer, trained)
        return dict([*kept.items()][: -len(trained) - 1])

    keep.optimizer = ADAMS["optimizer"]
    of_keras_2(tmp_path / "m.h5", initialized("Adam", **ADAM), keep)
    with pytest.warns(UserWarning, match="initial state: expected 2 values for each"):
        model = load_model(tmp_path / "m.h5")
    assert not model.optimizer.iterations.item()


def test_nadam_of_keras_2_keeps_its_rate_and_the_product_of_its_momenta(tmp_path):
    def keep(optimizer, trained):
        kept = {"Nadam/iter:0": 4, "Nadam/momentum_cache:0": np.float32(0.125)}
        values = slots(optimizer, trained, "momentum") + slots(optimizer, trained, "velocity")
        return kept | {f"Nadam/{i}/m:0": v for i, v in enumerate(values)}

    keep.optimizer = optimizers.Nadam
    settings = initialized("Nadam", learning_rate=0.25, decay=0.004, beta_1=0.9)
    of_keras_2(tmp_path / "m.h5", settings, keep, "2.8.0")
    optimizer = load_model(tmp_path / "m.h5").optimizer
    assert optimizer.learning_rate.item() == 0.25 and optimizer.iterations.item() == 4
    assert optimizer.variables[-1].item() == 0.125


# The predictions of Keras 3.15.1, with compile=False, for the first row of the data below.
FER = [3.8346551e-02, 2.8710031e-07, 4.6277702e-02, 2.5589284e-01]
FER += [6.4512807e-01, 1.7063295e-03, 1.2648164e-02]


def test_emotions_of_faces_is_read_whole_and_ready_to_train():
    model = load_model(file_of_others("models", "fer_emotion.hdf5"))
    x = (np.random.default_rng(0).random((4, 64, 64, 1)) * 2 - 1).astype("float32")
    predicted = model.predict(x, verbose=0)
    np.testing.assert_allclose(predicted[0], FER, rtol=2e-5)
    optimizer = model.optimizer
    assert isinstance(optimizer, optimizers.Adam) and model.count_params() == 58_423
    assert optimizer.iterations.item() == 92_494 and optimizer.epsilon == 1e-8
    np.testing.assert_allclose(optimizer.learning_rate.numpy(), 1e-4, rtol=1e-6)
    assert all(made["velocity"].numpy().any() for _, made in optimizer._slots.values())
    model.train_on_batch(x, np.eye(7, dtype="float32")[:4])
    assert not np.array_equal(model.predict(x, verbose=0), predicted)
