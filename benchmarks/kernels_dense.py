"""Kernels of dense nets: matrix products, and what surrounds them, which moves memory."""

import calls
import numpy as np
from calls import Kernel, numbers, overwriting, repeated


def products():
    """What the nets multiply forward and backward (M x N x K), and their neighbours."""
    shapes = {
        "matmul": [
            (128, 512, 784),
            (128, 256, 512),
            (128, 10, 256),
            (32, 32, 784),
            (32, 512, 128),
            (32, 128, 64),
            (7744, 64, 288),
            (43264, 32, 9),
            (64, 64, 576),
            (1024, 1024, 1024),
            (6272, 512, 128),
            (1568, 256, 1024),
        ],
        "matmul_at": [
            (784, 512, 128),
            (512, 256, 128),
            (256, 10, 128),
            (784, 32, 32),
            (288, 64, 7744),
        ],
        "matmul_bt": [(128, 784, 512), (128, 512, 256), (7744, 288, 64)],
    }
    return [
        Kernel(op, shape, flops=2 * shape[0] * shape[1] * shape[2])
        for op, listed in shapes.items()
        for shape in listed
    ]


def movers():
    """What surrounds the products in these nets; floats and int32 are 4 bytes each."""
    kernels = []
    for shape in ((32, 32), (128, 512), (128, 8192)):
        n = shape[0] * shape[1]
        kernels += [
            Kernel("relu", shape, read=4 * n, written=4 * n),
            Kernel("relu_gradient", shape, read=8 * n, written=4 * n),
            Kernel("dropout", shape, read=4 * n, written=4 * n, random=True),
            Kernel("dropout_gradient", shape, read=4 * n, written=4 * n, random=True),
            Kernel("column_sum", shape, read=4 * n, written=4 * shape[1]),
        ]
    for rows, classes in ((32, 10), (128, 10), (128, 1000)):
        n = rows * classes
        kernels += [
            Kernel("softmax", (rows, classes), read=4 * n, written=4 * n),
            Kernel("argmax", (rows, classes), read=4 * n, written=4 * rows),
            Kernel("cross_entropy", (rows, classes), read=4 * (n + rows), written=4 * rows),
            Kernel("cross_entropy_gradient", (rows, classes), read=4 * n + 8 * rows, written=4 * n),
        ]
    kernels += [
        Kernel("adam", (n,), read=16 * n, written=12 * n, in_place=True)
        for n in (32 * 10, 784 * 32, 512 * 256, 784 * 512)
    ]
    kernels += [
        Kernel("gather", (rows, 784), read=4 * rows * 784, written=4 * rows * 784)
        for rows in (32, 128)
    ]
    return kernels


def labels(rows, classes):
    return np.random.default_rng(1).integers(0, classes, rows).astype(np.int32)


def row_source(rows, columns):
    """Many rows, and the random order in which some of them are gathered."""
    source = numbers(60_000 if rows > 1 else 1, columns)
    return source, np.random.default_rng(1).permutation(len(source)).astype(np.int32)


class Nnlite(calls.Nnlite):
    def matmul(self, M, N, K):
        return self._plan(self.ops.matmul, numbers(M, K), numbers(K, N))

    def matmul_at(self, M, N, K):
        return self._plan(
            lambda a, b: self.ops.matmul(a, b, transpose_a=True), numbers(K, M), numbers(K, N)
        )

    def matmul_bt(self, M, N, K):
        return self._plan(
            lambda a, b: self.ops.matmul(a, b, transpose_b=True), numbers(M, K), numbers(N, K)
        )

    def relu(self, *shape):
        return self._plan(self.ops.relu, numbers(*shape))

    def relu_gradient(self, *shape):
        from nnlite.ops.activation import KINDS, activation_gradient

        return self._plan(
            lambda dy, y: activation_gradient(dy, y, KINDS["relu"], 0.0),
            numbers(*shape),
            numbers(*shape),
        )

    def dropout(self, *shape):
        from nnlite.ops.random import dropout, seed_state

        key = seed_state(1)
        return self._plan(lambda x: dropout(x, key, 0.5), numbers(*shape))

    dropout_gradient = dropout  # the same op, with the same key

    def softmax(self, *shape):
        return self._plan(self.ops.softmax, numbers(*shape))

    def argmax(self, *shape):
        return self._plan(self.ops.argmax, numbers(*shape))

    def column_sum(self, *shape):
        return self._plan(lambda x: self.ops.sum(x, axis=0), numbers(*shape))

    def cross_entropy(self, N, L):
        return self._plan(self.ops.softmax_cross_entropy, numbers(N, L), labels(N, L))

    def cross_entropy_gradient(self, N, L):
        from nnlite.ops.operands import call

        return self._plan(
            lambda z, t, dloss: call("softmax_cross_entropy_gradient", [z, t, dloss], dense=0),
            numbers(N, L),
            labels(N, L),
            numbers(N),
        )

    def adam(self, n):
        p = self.nnlite.Variable(numbers(n))

        def make(m, v, g, rate, step):
            self.ops.adam_update(p, m, v, g, rate, step, 0.9, 0.999, 1e-7)

        state = numbers(n, seed=1), np.abs(numbers(n, seed=2)), numbers(n, seed=3)
        return overwriting(p, self._plan(make, *state, np.float32([1e-3])[0], np.int32([10])[0]))

    def gather(self, rows, columns):
        from nnlite.data.sources import ArraySource
        from nnlite.engine.tensor import Tensor

        source, order = row_source(rows, columns)
        given = ArraySource(source, "x")
        index = Tensor((rows,), "int32")
        (place,) = given.placeholders(index, rows)
        run = self._plan(
            lambda: given.read([place], index, rows),
            feeds=[(place, source, 0), (index, order, rows * 4)],
        )
        return cycled(run, len(order) // rows)


def cycled(run, turns):
    """Runs of at most `turns`, each from the start: a feed ends there."""

    def cycle(count):
        while count > 0:
            result = run(min(count, turns))
            count -= turns
        return result

    return cycle


class Numpy(calls.Library):
    """NumPy with OpenBLAS."""

    def matmul(self, M, N, K):
        return repeated(np.matmul, numbers(M, K), numbers(K, N), out=numbers(M, N))

    def matmul_at(self, M, N, K):
        return repeated(np.matmul, numbers(K, M).T, numbers(K, N), out=numbers(M, N))

    def matmul_bt(self, M, N, K):
        return repeated(np.matmul, numbers(M, K), numbers(N, K).T, out=numbers(M, N))


class Torch(calls.Torch):
    def matmul(self, M, N, K):
        return repeated(
            self.torch.mm, self._numbers(M, K), self._numbers(K, N), out=self._numbers(M, N)
        )

    def matmul_at(self, M, N, K):
        return repeated(
            self.torch.mm, self._numbers(K, M).t(), self._numbers(K, N), out=self._numbers(M, N)
        )

    def matmul_bt(self, M, N, K):
        return repeated(
            self.torch.mm, self._numbers(M, K), self._numbers(N, K).t(), out=self._numbers(M, N)
        )

    def relu(self, *shape):
        return repeated(self.torch.clamp_min, self._numbers(*shape), 0.0, out=self._numbers(*shape))

    def relu_gradient(self, *shape):
        return repeated(
            self.aten.threshold_backward.grad_input,
            self._numbers(*shape),
            self._numbers(*shape),
            0.0,
            grad_input=self._numbers(*shape),
        )

    def dropout(self, *shape):
        return repeated(self.torch.native_dropout, self._numbers(*shape), 0.5, True)

    def dropout_gradient(self, *shape):
        dy = self._numbers(*shape)
        _, mask = self.torch.native_dropout(dy, 0.5, True)
        return repeated(
            self.aten.native_dropout_backward.out, dy, mask, 2.0, out=self._numbers(*shape)
        )

    def softmax(self, *shape):
        return repeated(
            self.aten._softmax.out, self._numbers(*shape), -1, False, out=self._numbers(*shape)
        )

    def argmax(self, *shape):
        out = self.torch.empty(shape[:-1], dtype=self.torch.int64)
        return repeated(self.torch.argmax, self._numbers(*shape), -1, out=out)

    def column_sum(self, *shape):
        return repeated(self.torch.sum, self._numbers(*shape), 0, out=self._numbers(shape[1]))

    def cross_entropy(self, N, L):
        z, t = self._numbers(N, L), self.torch.from_numpy(labels(N, L)).long()
        return repeated(self.torch.nn.functional.cross_entropy, z, t, reduction="none")

    def cross_entropy_gradient(self, N, L):
        z, t = self._numbers(N, L), self.torch.from_numpy(labels(N, L)).long()
        dloss = self._numbers(N)

        def gradient():
            log = self.torch.log_softmax(z, 1)
            weight = self.aten.nll_loss_backward(dloss, log, t, None, 0, -100, z.new_zeros(()))
            return self.aten._log_softmax_backward_data(weight, log, 1, z.dtype)

        return repeated(gradient)

    def adam(self, n):
        torch = self.torch
        p, m, v, g = (self._numbers(n, seed=seed) for seed in range(4))
        settings = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0, "eps": 1e-7}
        call, step = torch._fused_adam_, torch.tensor(10.0)
        return overwriting(
            p,
            repeated(
                call,
                [p],
                [g],
                [m],
                [v.abs()],
                [],
                [step],
                **settings,
                amsgrad=False,
                maximize=False,
            ),
        )

    def gather(self, rows, columns):
        source, order = row_source(rows, columns)
        source, out = self.torch.from_numpy(source), self._numbers(rows, columns)
        parts = self.torch.from_numpy(order).split(rows)[: len(order) // rows]

        def run(count):
            for turn in range(count):
                self.torch.index_select(source, 0, parts[turn % len(parts)], out=out)
            return out

        return run


LIBRARIES = {"nnlite": Nnlite, "numpy": Numpy, "torch": Torch}
