"""Kernels of attention: products of stacks of matrices, and dot-product attention."""

import math

import calls
import numpy as np
from calls import Kernel, numbers, repeated


def products():
    """Stacks of M x N x K as attention has them, for batches of 32 and 64 with 4 heads."""
    shapes = {
        "batch_matmul": [(128, 128, 32, 128), (256, 128, 32, 128), (128, 128, 64, 64)],
        "batch_matmul_at": [(128, 128, 32, 128)],
        "batch_matmul_bt": [(128, 128, 128, 32), (256, 128, 128, 32), (128, 100, 100, 25)],
    }
    return [
        Kernel(op, shape, flops=2 * math.prod(shape))
        for op, listed in shapes.items()
        for shape in listed
    ]


def attentions():
    """B x T x N x H, where the keys are as many as the queries. A gradient is five products."""
    shapes = [(32, 128, 4, 32), (32, 100, 4, 25), (8, 512, 8, 64), (2, 2048, 4, 64)]
    return [
        Kernel(op, shape, settings, flops=2 * count * b * t * t * n * h)
        for shape in shapes
        for b, t, n, h in [shape]
        for op, count in (("attention", 2), ("attention_gradients", 5))
        for settings in [(), *([("causal",)] if shape == shapes[2] else [])]
    ]


def kernels():
    return products() + attentions()


class Nnlite(calls.Nnlite):
    def _product(self, a, b, **how):
        return self._plan(lambda x, y: self.ops.matmul(x, y, **how), numbers(*a), numbers(*b))

    def batch_matmul(self, B, M, N, K):
        return self._product((B, M, K), (B, K, N))

    def batch_matmul_at(self, B, M, N, K):
        return self._product((B, K, M), (B, K, N), transpose_a=True)

    def batch_matmul_bt(self, B, M, N, K):
        return self._product((B, M, K), (B, N, K), transpose_b=True)

    def _attention(self, shape, causal):
        def make(q, k, v):
            return self.ops.dot_product_attention(q, k, v, is_causal=causal == "causal")

        return make, [numbers(*shape, seed=i) for i in range(3)]

    def attention(self, *arguments):
        make, operands = self._attention(*_split(arguments))
        return self._plan(make, *operands)

    def attention_gradients(self, *arguments):
        return self._gradient_plan(*self._attention(*_split(arguments)), [0, 1, 2])


def _split(arguments):
    """The shape, and 'causal' or ''."""
    return arguments[:4], "".join(arguments[4:])


class Torch(calls.Torch):
    """The heads of an array (B, T, N, H) as PyTorch takes them, without a copy."""

    def batch_matmul(self, B, M, N, K):
        operands = self._numbers(B, M, K), self._numbers(B, K, N)
        return repeated(self.torch.bmm, *operands, out=self._numbers(B, M, N))

    def batch_matmul_at(self, B, M, N, K):
        operands = self._numbers(B, K, M).transpose(1, 2), self._numbers(B, K, N)
        return repeated(self.torch.bmm, *operands, out=self._numbers(B, M, N))

    def batch_matmul_bt(self, B, M, N, K):
        operands = self._numbers(B, M, K), self._numbers(B, N, K).transpose(1, 2)
        return repeated(self.torch.bmm, *operands, out=self._numbers(B, M, N))

    def _heads(self, shape):
        return [self._numbers(*shape, seed=i).transpose(1, 2) for i in range(3)]

    def _arrays(self, kernel, results):
        heads = kernel.op.startswith("attention")
        return [np.asarray(r.transpose(1, 2) if heads else r) for r in results]

    def attention(self, *arguments):
        shape, causal = _split(arguments)
        call = self.torch.nn.functional.scaled_dot_product_attention
        return repeated(call, *self._heads(shape), is_causal=causal == "causal")

    def attention_gradients(self, *arguments):
        shape, causal = _split(arguments)
        given = self._heads(shape)
        causal = causal == "causal"
        forward = self.aten._scaled_dot_product_flash_attention_for_cpu
        y, kept = forward(*given, 0.0, causal)
        dy = self._numbers(*shape, seed=1).transpose(1, 2)
        backward = self.aten._scaled_dot_product_flash_attention_for_cpu_backward
        return repeated(backward, dy, *given, y, kept, 0.0, causal)


LIBRARIES = {"nnlite": Nnlite, "torch": Torch}
