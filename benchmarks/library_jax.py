"""JAX at its best. A new kind of layer is one entry of `LAYERS`."""

import numpy as np
from libraries import EPSILON, L2, NORM_EPSILON, NORM_MOMENTUM, Library


class Training:
    """What some layers need or leave in a step of training.

    Attributes
    ----------
    averages : dict
        The number of a layer -> what its last weights, which have no gradient, become.
    penalty : scalar
        Added to the loss.
    """

    def __init__(self, jax, key):
        self.jax, self.key, self.layer, self.averages, self.penalty = jax, key, 0, {}, 0.0

    def bits(self, count):
        """Random uint16 numbers, two of each that is drawn."""
        key = self.jax.random.fold_in(self.key, self.layer)
        drawn = self.jax.random.bits(key, (-(-count // 2),))
        return self.jax.lax.bitcast_convert_type(drawn, "uint16").reshape(-1)[:count]


def _dense(jax, weights, units, activation=None, kernel_regularizer=None):
    own = weights[:2]
    del weights[:2]
    f = _activation(jax, activation)

    def dense(own, x, training):
        if training and kernel_regularizer == "l2":
            training.penalty += L2 * (own[0] ** 2).sum()
        return f(x @ own[0] + own[1])

    return own, dense


def _batch_normalization(jax, weights):
    own = weights[:4]
    del weights[:4]

    def normalization(own, x, training):
        gamma, beta, mean, variance = own
        if training:
            axes = tuple(range(x.ndim - 1))
            batch = x.mean(axes), x.var(axes)
            training.averages[training.layer] = [
                old + (new - old) * (1 - NORM_MOMENTUM) for old, new in zip(own[2:], batch)
            ]
            mean, variance = batch
        return (x - mean) * (jax.lax.rsqrt(variance + NORM_EPSILON) * gamma) + beta

    return own, normalization


def _dropout(jax, weights, rate):
    kept = np.uint16(round((1 - rate) * 2**16))

    def dropout(own, x, training):
        if not training:
            return x
        return jax.numpy.where(training.bits(x.size).reshape(x.shape) < kept, x / (1 - rate), 0.0)

    return [], dropout


def _conv2d(jax, weights, filters, kernel_size, activation=None, padding="valid"):
    own = weights[:2]
    del weights[:2]
    f = _activation(jax, activation)

    def convolution(own, x, training):
        y = jax.lax.conv_general_dilated(
            x, own[0], (1, 1), padding.upper(), dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return f(y + own[1])

    return own, convolution


def _max_pooling2d(jax, weights, pool_size):
    """Faster by reshaping, where windows do not overlap, than by `lax.reduce_window`."""

    def pool(own, x, training):
        n, h, w, c = x.shape
        h, w = h // pool_size, w // pool_size
        x = x[:, : h * pool_size, : w * pool_size]
        return x.reshape(n, h, pool_size, w, pool_size, c).max((2, 4))

    return [], pool


def _embedding(jax, weights, input_dim, output_dim):
    return [weights.pop(0)], lambda own, x, training: own[0][x]


def _lstm(jax, weights, units):
    own, np = weights[:3], jax.numpy
    del weights[:3]

    def lstm(own, x, training):
        kernel, recurrent, bias = own

        def step(state, z):
            h, c = state
            i, f, g, o = np.split(z + h @ recurrent, 4, axis=1)
            sigmoid = jax.nn.sigmoid
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            return (h, c), None

        zeros = np.zeros((len(x), units), x.dtype)
        return jax.lax.scan(step, (zeros, zeros), np.swapaxes(x @ kernel + bias, 0, 1))[0][0]

    return own, lstm


def _gru(jax, weights, units):
    own, np = weights[:3], jax.numpy
    del weights[:3]

    def gru(own, x, training):
        kernel, recurrent, bias = own

        def step(h, z):
            m = h @ recurrent + bias[1]
            u, r = np.split(jax.nn.sigmoid(z[:, : 2 * units] + m[:, : 2 * units]), 2, axis=1)
            g = np.tanh(z[:, 2 * units :] + r * m[:, 2 * units :])
            return u * h + (1 - u) * g, None

        zeros = np.zeros((len(x), units), x.dtype)
        return jax.lax.scan(step, zeros, np.swapaxes(x @ kernel + bias[0], 0, 1))[0]

    return own, gru


def _conv1d(jax, weights, filters, kernel_size, activation=None):
    own = weights[:2]
    del weights[:2]
    f = _activation(jax, activation)

    def convolution(own, x, training):
        y = jax.lax.conv_general_dilated(
            x, own[0], (1,), "VALID", dimension_numbers=("NHC", "HIO", "NHC")
        )
        return f(y + own[1])

    return own, convolution


def _transformer_encoder(jax, weights, intermediate_dim, num_heads):
    own, np = weights[:16], jax.numpy
    del weights[:16]

    def norm(x, gamma, beta):
        x = x - x.mean(-1, keepdims=True)
        return x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5) * gamma + beta

    def encoder(own, x, training):
        *projections, out, out_bias = own[:8]
        query, key, value = (
            np.einsum("btc,cnh->btnh", x, w) + b
            for w, b in zip(projections[::2], projections[1::2])
        )
        y = jax.nn.dot_product_attention(query, key, value)
        x = norm(x + np.einsum("btnh,nhc->btc", y, out) + out_bias, *own[8:10])
        y = jax.nn.relu(x @ own[12] + own[13]) @ own[14] + own[15]
        return norm(x + y, *own[10:12])

    return own, encoder


def _activation(jax, activation):
    return {None: lambda x: x, "relu": jax.nn.relu, "tanh": jax.numpy.tanh}[activation]


def _activation_layer(jax, weights, activation):
    f = _activation(jax, activation)
    return [], lambda own, x, training: f(x)


# Layer -> function of (jax, weights in Keras's order, of which it takes its own from the front,
# arguments): the layer's weights and a function of (weights, x, a Training or None).
LAYERS = {
    "Activation": _activation_layer,
    "BatchNormalization": _batch_normalization,
    "Conv1D": _conv1d,
    "Conv2D": _conv2d,
    "Dense": _dense,
    "Dropout": _dropout,
    "Embedding": _embedding,
    "Flatten": lambda jax, weights: ([], lambda own, x, training: x.reshape(len(x), -1)),
    "GRU": _gru,
    "GlobalAveragePooling1D": lambda jax, weights: ([], lambda own, x, training: x.mean(1)),
    "GlobalMaxPooling1D": lambda jax, weights: ([], lambda own, x, training: x.max(1)),
    "LSTM": _lstm,
    "MaxPooling2D": _max_pooling2d,
    "TransformerEncoder": _transformer_encoder,
}


def _adam(jax, rate):
    np = jax.numpy

    def update(t, weights, m, v, grads):
        a = rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        m = jax.tree.map(lambda m, g: m + (g - m) * 0.1, m, grads)
        v = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, v, grads)
        return jax.tree.map(lambda w, m, v: w - a * m / (np.sqrt(v) + EPSILON), weights, m, v), m, v

    return 2, update


def _sgd(jax, rate):
    return 0, lambda t, weights, grads: (jax.tree.map(lambda w, g: w - rate * g, weights, grads),)


# Optimizer -> the number of its slots, and (t, weights, *slots, grads) -> (weights, *slots).
OPTIMIZERS = {"Adam": _adam, "SGD": _sgd}


class Jax(Library):
    """JAX: one step as a jitted function whose state is donated; rows are gathered inside it."""

    package = "jax"
    most_steps_a_call = 1

    def build(self):
        import jax

        self.jax = jax
        self.random = np.random.default_rng(0)
        self.rows, self.labels = jax.numpy.asarray(self.x), jax.numpy.asarray(self.y)
        self._need(LAYERS)
        steps = range(1, min(self.most_steps_a_call, self.workload.steps) + 1)
        self.steps_a_call = max(n for n in steps if self.workload.steps % n == 0)

    def load(self, weights):
        jax = self.jax
        weights = [jax.numpy.array(w) for w in weights]
        layers = [LAYERS[kind](jax, weights, **given) for kind, given in self.workload.layers]
        own, self.functions = [list(w) for w, _ in layers], [f for _, f in layers]
        optimizer = OPTIMIZERS[self.workload.optimizer]
        slots, self.update = optimizer(jax, self.workload.learning_rate)
        state = [jax.tree.map(jax.numpy.zeros_like, own) for _ in range(slots)]
        self.carry = (jax.numpy.int32(0), jax.numpy.float32(0), own, *state)
        self.call = jax.jit(self._steps, donate_argnums=0)
        self.forward = jax.jit(lambda own, x: jax.nn.softmax(self._logits(own, x)))

    def _logits(self, own, x, training=None):
        for number, (f, weights) in enumerate(zip(self.functions, own)):
            if training:
                training.layer = number
            x = f(weights, x, training)
        return x

    def _loss(self, own, x, y, key):
        """The loss, and the moving averages after it."""
        training = Training(self.jax, key)
        log = self.jax.nn.log_softmax(self._logits(own, x, training))
        loss = -self.jax.numpy.take_along_axis(log, y[:, None], 1).mean()
        return loss + training.penalty, training.averages

    def _step(self, carry, x, y, order):
        """(steps done, sum of losses, weights, slots of the optimizer) -> the same a step later."""
        t, total, own, *slots = carry
        batch = self.workload.batch
        index = self.jax.lax.dynamic_slice(order, (t % self.workload.steps * batch,), (batch,))
        key = self.jax.random.fold_in(self.jax.random.key(0), t)
        loss = self.jax.value_and_grad(self._loss, has_aux=True)
        (loss, averages), grads = loss(own, x[index], y[index], key)
        own, *slots = self.update(t + 1, own, *slots, grads)
        for number, moved in averages.items():
            own[number] = own[number][: -len(moved)] + moved
        return (t + 1, total + loss, own, *slots)

    def _steps(self, carry, x, y, order):
        if self.steps_a_call == 1:
            return self._step(carry, x, y, order)
        return self.jax.lax.scan(
            lambda c, _: (self._step(c, x, y, order), None), carry, None, length=self.steps_a_call
        )[0]

    def train(self, shuffle):
        in_order = np.arange(len(self.rows), dtype=np.int32)
        before, carry = float(self.carry[1]), self.carry
        for _ in range(self.workload.epochs):
            order = self.random.permutation(in_order) if shuffle else in_order
            order = self.jax.numpy.asarray(order)
            for _ in range(self.workload.steps // self.steps_a_call):
                carry = self.call(carry, self.rows, self.labels, order)
        self.carry = self.jax.block_until_ready(carry)
        return (float(carry[1]) - before) / (self.workload.steps * self.workload.epochs)

    def _outputs(self, x):
        return np.asarray(self.forward(self.carry[2], x))


class JaxScan(Jax):
    """JAX: about a hundred steps in one `lax.scan`."""

    most_steps_a_call = 100

    def build(self):
        if any(kind in ("Conv1D", "Conv2D") for kind, _ in self.workload.layers):
            raise NotImplementedError("in a loop, XLA's convolutions take many times as long")
        super().build()
