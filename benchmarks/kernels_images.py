"""Kernels of images: convolutions, pooling, batch normalization; forward, and each gradient."""

import math

import calls
from calls import Kernel, numbers, overwriting, repeated

# N, H, W, C, filters, window, stride, padding: the layers of `training.py`'s cnn and lenet, then
# some of deeper nets. A stride of 2 has an odd image: all libraries then pad both of its sides.
CONVOLUTIONS = [
    (64, 28, 28, 1, 32, 3, 1, "valid"),
    (64, 13, 13, 32, 64, 3, 1, "valid"),
    (64, 5, 5, 64, 64, 3, 1, "valid"),
    (128, 28, 28, 1, 6, 5, 1, "valid"),
    (128, 12, 12, 6, 16, 5, 1, "valid"),
    (64, 32, 32, 3, 64, 3, 1, "same"),
    (8, 56, 56, 64, 64, 3, 1, "same"),
    (64, 14, 14, 64, 64, 1, 1, "valid"),
    (64, 27, 27, 32, 64, 3, 2, "same"),
    (8, 225, 225, 3, 32, 3, 2, "same"),
    (8, 229, 229, 3, 64, 7, 2, "valid"),
    (8, 28, 28, 128, 512, 1, 1, "valid"),
    (8, 14, 14, 1024, 256, 1, 1, "valid"),
    (1, 14, 14, 256, 256, 3, 1, "same"),
]
# N, H, W, C, window, stride: images that the second cache holds with their results, then others.
DEPTHWISE = [
    (1, 28, 28, 192, 3, 1),
    (1, 14, 14, 576, 3, 1),
    (1, 57, 57, 96, 3, 2),
    (1, 14, 14, 480, 5, 1),
    (16, 56, 56, 144, 3, 1),
]
POOLED = [(64, 26, 26, 32), (64, 11, 11, 64), (128, 24, 24, 6), (128, 8, 8, 16), (64, 32, 32, 64)]
NORMALIZED = [(64, 26, 26, 32), (64, 11, 11, 64), (8, 56, 56, 64), (128, 512)]


def convolutions():
    """conv: with bias; conv_dw: the gradients of kernel and bias; conv_dx: that of the images,
    where these are not a net's input."""
    kernels = []
    for *shape, stride, padding in CONVOLUTIONS:
        N, H, W, C, F, K = shape
        lost = 0 if padding == "same" else K - 1
        pixels = math.ceil((H - lost) / stride) * math.ceil((W - lost) / stride)
        flops = 2 * N * pixels * F * K * K * C
        kernels += [
            Kernel(op, tuple(shape), (padding,), stride, flops=flops)
            for op in ("conv", "conv_dw", "conv_dx")
            if op != "conv_dx" or C > 3
        ]
    return kernels


def depthwise():
    """As of `convolutions`, without bias. A result is a sum of few products: what memory and what
    multiply-adds allow lie close together."""
    kernels = []
    for N, H, W, C, K, stride in DEPTHWISE:
        shape, x = (N, H, W, C, K), 4 * N * H * W * C
        y = 4 * N * -(-H // stride) * -(-W // stride) * C
        traffic = {
            "depthwise": (x, y),
            "depthwise_dx": (y, x),
            "depthwise_dw": (x + y, 4 * K * K * C),
        }
        kernels += [
            Kernel(op, shape, stride=stride, flops=y // 2 * K * K, read=read, written=written)
            for op, (read, written) in traffic.items()
        ]
    return kernels


def pools():
    """Windows of 2 x 2 that do not overlap."""
    kernels = []
    for N, H, W, C in POOLED:
        shape, x, y = (N, H, W, C, 2), 4 * N * H * W * C, 4 * N * (H // 2) * (W // 2) * C
        kernels += [
            Kernel("max_pool", shape, read=x, written=y),
            # Where the maxima were is found again in x; PyTorch reads indices, twice as long as y.
            Kernel("max_pool_dx", shape, read=x + y, written=x),
            Kernel("average_pool", shape, read=x, written=y),
            Kernel("average_pool_dx", shape, read=y, written=x),
        ]
    return kernels


def norms():
    """In training with the moving averages' update; all three gradients; in inference. In the first
    two nothing can be written before all has been read, which is then read again."""
    kernels = []
    for shape in NORMALIZED:
        x = 4 * math.prod(shape)
        kernels += [
            Kernel("batch_norm", shape, read=x, written=x, readings=2),
            Kernel("batch_norm_gradients", shape, read=2 * x, written=x, readings=2),
            Kernel("batch_norm_inference", shape, read=x, written=x),
        ]
    return kernels


class Nnlite(calls.Nnlite):
    def _conv(self, N, H, W, C, F, K, padding, stride=1):
        operands = numbers(N, H, W, C), numbers(K, K, C, F), numbers(F)
        return lambda x, w, b: self.ops.conv2d(x, w, b, stride, padding), operands

    def conv(self, *arguments):
        make, operands = self._conv(*arguments)
        return self._plan(make, *operands)

    def conv_dw(self, *arguments):
        return self._gradient_plan(*self._conv(*arguments), [1, 2])

    def conv_dx(self, *arguments):
        return self._gradient_plan(*self._conv(*arguments), [0])

    def _depthwise(self, N, H, W, C, K, stride=1):
        operands = [numbers(N, H, W, C), numbers(K, K, C, 1)]
        return lambda x, w: self.ops.depthwise_conv2d(x, w, None, stride, "same"), operands

    def depthwise(self, *arguments):
        make, operands = self._depthwise(*arguments)
        return self._plan(make, *operands)

    def depthwise_dx(self, *arguments):
        return self._gradient_plan(*self._depthwise(*arguments), [0])

    def depthwise_dw(self, *arguments):
        return self._gradient_plan(*self._depthwise(*arguments), [1])

    def max_pool(self, *shape):
        return self._plan(lambda x: self.ops.max_pool2d(x, shape[4]), numbers(*shape[:4]))

    def max_pool_dx(self, *shape):
        x = numbers(*shape[:4])
        return self._gradient_plan(lambda x: self.ops.max_pool2d(x, shape[4]), [x], [0])

    def average_pool(self, *shape):
        return self._plan(lambda x: self.ops.average_pool2d(x, shape[4]), numbers(*shape[:4]))

    def average_pool_dx(self, *shape):
        x = numbers(*shape[:4])
        return self._gradient_plan(lambda x: self.ops.average_pool2d(x, shape[4]), [x], [0])

    def _normalization(self, shape):
        layer = self.nnlite.layers.BatchNormalization()
        layer.build(shape)
        return layer

    def batch_norm(self, *shape):
        layer = self._normalization(shape)
        return self._plan(lambda x: layer(x, training=True), numbers(*shape))

    def batch_norm_gradients(self, *shape):
        def make(x, gamma, beta):
            return self.ops.batch_norm(x, gamma, beta)[0]

        channels = shape[-1]
        operands = [numbers(*shape), numbers(channels), numbers(channels)]
        return self._gradient_plan(make, operands, [0, 1, 2])

    def batch_norm_inference(self, *shape):
        layer = self._normalization(shape)
        return self._plan(lambda x: layer(x, training=False), numbers(*shape))


class Torch(calls.Torch):
    """Images in memory with their channels first, as is PyTorch's default."""

    format = "contiguous_format"

    def _arranged(self, x):
        return x.clone(memory_format=getattr(self.torch, self.format)) if x.ndim == 4 else x

    def _images(self, *shape, seed=0):
        """Numbers (N, height, width, channels) or (N, channels), as PyTorch takes them."""
        x = self._numbers(*shape, seed=seed)
        return self._arranged(x.permute(0, 3, 1, 2)) if x.ndim == 4 else x

    def _arrays(self, kernel, results):
        axes = {"conv_dw": (2, 3, 1, 0), "depthwise_dw": (2, 3, 0, 1)}.get(kernel.op, (0, 2, 3, 1))
        return [(r.permute(axes) if r.ndim == 4 else r).contiguous().numpy() for r in results]

    def _conv(self, N, H, W, C, F, K, padding, stride=1):
        """x, w, b and how the window moves over x."""
        kernel = self._arranged(self._numbers(K, K, C, F).permute(3, 2, 0, 1))
        pad = K // 2 if padding == "same" else 0
        return (
            self._images(N, H, W, C),
            kernel,
            self._numbers(F),
            ((stride, stride), (pad, pad), (1, 1), False, (0, 0), 1),
        )

    def conv(self, *arguments):
        x, w, b, window = self._conv(*arguments)
        return repeated(self.aten.convolution, x, w, b, *window)

    def _conv_gradients(self, arguments, wanted):
        x, w, b, window = self._conv(*arguments)
        N, F, H, W = self.aten.convolution(x, w, b, *window).shape
        dy, sizes = self._images(N, H, W, F, seed=1), list(b.shape)

        def call():
            dx, dw, db = self.aten.convolution_backward(dy, x, w, sizes, *window, wanted)
            return [dx] if wanted[0] else [dw, db]

        return repeated(call)

    def conv_dw(self, *arguments):
        return self._conv_gradients(arguments, [False, True, True])

    def conv_dx(self, *arguments):
        return self._conv_gradients(arguments, [True, False, False])

    def _depthwise(self, N, H, W, C, K, stride=1):
        kernel = self._arranged(self._numbers(K, K, C, 1).permute(2, 3, 0, 1))
        window = ((stride, stride), (K // 2, K // 2), (1, 1), False, (0, 0), C)
        return self._images(N, H, W, C), kernel, None, *window

    def depthwise(self, *arguments):
        return repeated(self.aten.convolution, *self._depthwise(*arguments))

    def _depthwise_gradients(self, arguments, wanted):
        x, w, _, *window = self._depthwise(*arguments)
        N, C, H, W = self.aten.convolution(x, w, None, *window).shape
        dy = self._images(N, H, W, C, seed=1)
        backward = self.aten.convolution_backward
        return repeated(lambda: backward(dy, x, w, None, *window, wanted)[wanted.index(True)])

    def depthwise_dx(self, *arguments):
        return self._depthwise_gradients(arguments, [True, False, False])

    def depthwise_dw(self, *arguments):
        return self._depthwise_gradients(arguments, [False, True, False])

    def _pool(self, N, H, W, C, size):
        """x, dy, windows."""
        return (
            self._images(N, H, W, C),
            self._images(N, H // size, W // size, C, seed=1),
            [[size, size], [size, size], [0, 0]],
        )

    def max_pool(self, *shape):
        x, y, windows = self._pool(*shape)
        at = self.torch.empty_like(y, dtype=self.torch.int64)
        call = self.aten.max_pool2d_with_indices.out
        return overwriting(y, repeated(call, x, *windows, out=y, indices=at))

    def max_pool_dx(self, *shape):
        x, dy, windows = self._pool(*shape)
        _, at = self.aten.max_pool2d_with_indices(x, *windows)
        return repeated(
            self.aten.max_pool2d_with_indices_backward.grad_input,
            dy,
            x,
            *windows,
            [1, 1],
            False,
            at,
            grad_input=self.torch.empty_like(x),
        )

    def average_pool(self, *shape):
        x, y, windows = self._pool(*shape)
        return repeated(self.aten.avg_pool2d.out, x, *windows, out=y)

    def average_pool_dx(self, *shape):
        x, dy, windows = self._pool(*shape)
        return repeated(
            self.aten.avg_pool2d_backward.grad_input,
            dy,
            x,
            *windows,
            False,
            True,
            None,
            grad_input=self.torch.empty_like(x),
        )

    def _batch_norm(self, shape, training):
        x = self._images(*shape)
        gamma, beta, mean, variance = (
            self.torch.full((shape[-1],), value) for value in (1.0, 0.0, 0.0, 1.0)
        )
        y = self.torch.empty_like(x)
        statistics = {n: self.torch.empty_like(gamma) for n in ("save_mean", "save_invstd")}
        settings = mean, variance, training, 0.01, 1e-3
        call = self.aten.native_batch_norm.out
        return overwriting(y, repeated(call, x, gamma, beta, *settings, out=y, **statistics))

    def batch_norm(self, *shape):
        return self._batch_norm(shape, True)

    def batch_norm_inference(self, *shape):
        return self._batch_norm(shape, False)

    def batch_norm_gradients(self, *shape):
        x, dy = self._images(*shape), self._images(*shape, seed=1)
        gamma, beta = self._numbers(shape[-1]), self._numbers(shape[-1])
        _, mean, inv_std = self.aten.native_batch_norm(x, gamma, beta, None, None, True, 0.01, 1e-3)
        return repeated(
            self.aten.native_batch_norm_backward,
            dy,
            x,
            gamma,
            None,
            None,
            mean,
            inv_std,
            True,
            1e-3,
            [True, True, True],
        )


class TorchChannelsLast(Torch):
    format = "channels_last"


LIBRARIES = {"nnlite": Nnlite, "torch": Torch, "torch-nhwc": TorchChannelsLast}
