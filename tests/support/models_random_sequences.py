"""Random networks of sequences, in nnlite and in Keras alike: recurrent layers, attention, windows
and embeddings, with masks and states.

`network(seed, library)` draws the same for both libraries."""

import models_built
import numpy as np
from models_random import Choice, an_optimizer, of_weights
from models_random_series import SERIES

N, TOKENS = 6, 11
ENDS = [
    ("softmax", 3, "sparse_categorical_crossentropy"),
    ("sigmoid", 1, "binary_crossentropy"),
    ("linear", 2, "mse"),
]
RECURRENT = ("SimpleRNN", "LSTM", "GRU")


class Drawn:
    """A network under way: its symbol, and the states that layers returned."""

    def __init__(self, seed, library):
        self.c, self.library, self.layers = Choice(seed), library, library.layers
        self.states, self.stateful = [], self.c.whether(0.25)

    def made(self, name, settings):
        return getattr(self.layers, name)(**models_built.object_of(settings, self.library))

    def start(self):
        c, steps = self.c, self.c.of(4, 5, 8)
        batch = N if self.stateful else None
        if c.whether():
            x = self.library.Input(batch_shape=(batch, steps), dtype="int32")
            settings = {"input_dim": TOKENS, "output_dim": c.of(3, 4), "mask_zero": c.whether()}
            h = self.made("Embedding", {**settings, **of_weights(c, "embeddings", bias=False)})(x)
        else:
            x = self.library.Input(batch_shape=(batch, steps, 3))
            h = self.made("Masking", {})(x) if c.whether() else x
        return x, h

    def of_a_recurrent_layer(self, sequences):
        c = self.c
        made = {
            "units": c.of(2, 3),
            "return_sequences": sequences,
            "stateful": self.stateful,
            **c.some(
                activation=lambda: c.of("relu", "softsign", "tanh"),
                use_bias=c.whether,
                go_backwards=c.whether,
                recurrent_regularizer=lambda: "l2",
                unroll=c.whether,
            ),
            **of_weights(c, "kernel", "recurrent", "bias", bias=False),
        }
        name = c.of(*RECURRENT)
        if name == "GRU":
            made |= c.some(reset_after=c.whether, recurrent_activation=lambda: "hard_sigmoid")
        if name == "LSTM":
            made |= c.some(unit_forget_bias=c.whether)
        return name, made

    def recurrent(self, h, sequences=True):
        c = self.c
        if c.whether(0.15):
            cells = [self.made(f"{c.of(*RECURRENT)}Cell", {"units": 2 + i}) for i in range(2)]
            layer = self.layers.RNN(cells, return_sequences=sequences, stateful=self.stateful)
            return layer(h)
        name, settings = self.of_a_recurrent_layer(sequences)
        if c.whether(0.3):
            # Keras makes no Bidirectional of `go_backwards`, and zeros wrong steps of `unroll`.
            settings = {k: v for k, v in settings.items() if k not in ("go_backwards", "unroll")}
            inner = self.made(name, settings)
            return self.layers.Bidirectional(inner, merge_mode=c.of("concat", "sum", "mul", "ave"))(
                h
            )
        settings["return_state"] = c.whether()
        y = self.made(name, settings)(h)
        if settings["return_state"]:
            y, *states = y
            self.states += states
        return y

    def windows(self, h):
        fitting = [name for name in SERIES if "Global" not in name and "Crop" not in name]
        name = self.c.of(*fitting)
        settings = SERIES[name](self.c, list(h.shape[1:]))
        if h.shape[1] < 5 and "padding" in settings and name != "ZeroPadding1D":
            settings["padding"] = "same"
        return self.made(name, settings)(h)

    def heads(self, h):
        c = self.c
        q = self.layers.Dense(4)(h)  # Keras takes the mask of what it is called on away
        settings = {"num_heads": c.of(1, 2), "key_dim": 3, **c.some(value_dim=lambda: 2)}
        return self.made("MultiHeadAttention", settings)(q, q, use_causal_mask=c.whether())

    def attention(self, h):
        c = self.c
        name = c.of("Attention", "AdditiveAttention")
        settings = c.some(use_scale=c.whether)
        if name == "Attention":
            settings |= c.some(score_mode=lambda: c.of("dot", "concat"))
        return self.made(name, settings)([h, h], use_causal_mask=c.whether())

    def pointwise(self, h):
        c = self.c
        name = c.of("Dense", "LayerNormalization", "BatchNormalization", "TimeDistributed", "Add")
        if name == "Add":
            return self.layers.Add()([h, self.layers.Dense(h.shape[-1], "tanh")(h)])
        if name == "TimeDistributed":
            return self.layers.TimeDistributed(self.layers.Dense(3, "softplus"))(h)
        return self.made(name, {"units": 3, "activation": "gelu"} if name == "Dense" else {})(h)

    def ended(self, h):
        """The output, and its loss."""
        c = self.c
        kind = c.of("recurrent", "mean", "largest", "flat", "steps")
        if kind == "recurrent":
            h = self.recurrent(h, sequences=False)
        elif kind != "steps":
            name = {"mean": "GlobalAveragePooling1D", "largest": "GlobalMaxPooling1D"}
            h = self.made(name.get(kind, "Flatten"), {})(h)
        activation, units, loss = c.of(*ENDS)
        return self.layers.Dense(units, activation)(h), loss


def network(seed, library):
    """A random network, compiled, and a model of the states that its layers return.

    Parameters
    ----------
    seed : int
    library : module
        nnlite or keras.

    Returns
    -------
    model : Model
    states : Model or None
    stateful : bool
    """
    drawn = Drawn(seed, library)
    c = drawn.c
    x, h = drawn.start()
    for _ in range(c.of(1, 2, 3)):
        parts = [drawn.recurrent, drawn.windows, drawn.heads, drawn.attention, drawn.pointwise]
        h = c.of(*parts, drawn.recurrent)(h)
    y, loss = drawn.ended(h)
    model = library.Model(x, y)
    rule = models_built.object_of(an_optimizer(c), library)
    model.compile(rule, loss, run_eagerly=library.__name__ == "keras")
    states = library.Model(x, drawn.states) if drawn.states else None
    return model, states, drawn.stateful


def data_for(seed, model):
    """Inputs, some steps of which a mask may cover, and targets."""
    rng, shape, out = np.random.default_rng(seed), model.input_shape, model.output_shape
    lengths = rng.integers(1, shape[1] + 1, N)
    on = np.arange(shape[1]) < lengths[:, None]
    if len(shape) == 2:
        x = np.where(on, rng.integers(1, TOKENS, (N, shape[1])), 0)
    else:
        x = np.where(on[:, :, None], rng.normal(size=(N, *shape[1:])), 0).astype("float32")
    units = out[-1]
    if units == 3:
        return x, rng.integers(0, 3, (N, *out[1:-1]))
    y = rng.random((N, *out[1:])).astype("float32")
    return x, (y > 0.5).astype("float32") if units == 1 else y
