"""JAX at its best. A new kind of layer is one entry of `LAYERS`."""

import numpy as np
from libraries import EPSILON, Library


def _dense(jax, weights, units, activation=None):
    own = weights[:2]
    del weights[:2]
    f = _activation(jax, activation)
    return own, lambda own, x: f(x @ own[0] + own[1])


def _conv2d(jax, weights, filters, kernel_size, activation=None, padding="valid"):
    own = weights[:2]
    del weights[:2]
    f = _activation(jax, activation)

    def convolution(own, x):
        y = jax.lax.conv_general_dilated(
            x, own[0], (1, 1), padding.upper(), dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return f(y + own[1])

    return own, convolution


def _max_pooling2d(jax, weights, pool_size):
    """Faster by reshaping, where windows do not overlap, than by `lax.reduce_window`."""

    def pool(own, x):
        n, h, w, c = x.shape
        h, w = h // pool_size, w // pool_size
        x = x[:, : h * pool_size, : w * pool_size]
        return x.reshape(n, h, pool_size, w, pool_size, c).max((2, 4))

    return [], pool


def _activation(jax, activation):
    return {None: lambda x: x, "relu": jax.nn.relu, "tanh": jax.numpy.tanh}[activation]


# Layer -> function of (jax, weights in Keras's order, of which it takes its own from the front,
# arguments): the layer's weights and a function of (weights, x).
LAYERS = {
    "Conv2D": _conv2d,
    "Dense": _dense,
    "Flatten": lambda jax, weights: ([], lambda own, x: x.reshape(len(x), -1)),
    "MaxPooling2D": _max_pooling2d,
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

    def _logits(self, own, x):
        for f, weights in zip(self.functions, own):
            x = f(weights, x)
        return x

    def _loss(self, own, x, y):
        log = self.jax.nn.log_softmax(self._logits(own, x))
        return -self.jax.numpy.take_along_axis(log, y[:, None], 1).mean()

    def _step(self, carry, x, y, order):
        """(steps done, sum of losses, weights, slots of the optimizer) -> the same a step later."""
        t, total, own, *slots = carry
        batch = self.workload.batch
        index = self.jax.lax.dynamic_slice(order, (t % self.workload.steps * batch,), (batch,))
        loss, grads = self.jax.value_and_grad(self._loss)(own, x[index], y[index])
        return (t + 1, total + loss, *self.update(t + 1, own, *slots, grads))

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
        if any(kind == "Conv2D" for kind, _ in self.workload.layers):
            raise NotImplementedError("in a loop, XLA's convolutions take many times as long")
        super().build()
