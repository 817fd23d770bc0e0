"""PyTorch at its best. A new kind of layer is one entry of `LAYERS`."""

from libraries import EPSILON, L2, NORM_EPSILON, NORM_MOMENTUM, Library


def _dense(nn, weights, units, activation=None, kernel_regularizer=None):
    layer = nn.Linear(weights[0].shape[0], units)
    layer.weight.l2 = {None: 0.0, "l2": L2}[kernel_regularizer]
    return _loaded(nn, layer, weights, (1, 0), activation)


def _conv2d(nn, weights, filters, kernel_size, activation=None, padding="valid"):
    layer = nn.Conv2d(weights[0].shape[2], filters, kernel_size, padding=padding)
    return _loaded(nn, layer, weights, (3, 2, 0, 1), activation)


def _loaded(nn, layer, weights, axes, activation):
    """The layer with the first two weights, whose kernel's axes PyTorch has in this order."""
    kernel, bias = weights[:2]
    del weights[:2]
    layer.weight.data.copy_(layer.weight.new_tensor(kernel.transpose(axes)))
    layer.bias.data.copy_(layer.bias.new_tensor(bias))
    return [layer, *_activation(nn, activation)]


def _batch_normalization(nn, weights):
    """Of dense layers. The moving variance is the unbiased one, 1.008 times Keras's at 128 rows."""
    layer = nn.BatchNorm1d(len(weights[0]), NORM_EPSILON, 1 - NORM_MOMENTUM)
    for own, given in zip(
        (layer.weight, layer.bias, layer.running_mean, layer.running_var), weights
    ):
        own.data.copy_(own.new_tensor(given))
    del weights[:4]
    return [layer]


def _dropout(nn, weights, rate):
    """A third of nn.Dropout's time: 16 random bits an element, four elements a number."""
    import torch

    below = round((1 - rate) * 2**16) - 2**15

    class Dropout(nn.Module):
        def forward(self, x):
            if not self.training:
                return x
            drawn = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
            kept = drawn.view(torch.int16)[: x.numel()].view(x.shape).lt(below)
            return x * kept.to(x.dtype).mul_(1 / (1 - rate))

    return [Dropout()]


def _embedding(nn, weights, input_dim, output_dim):
    layer = nn.Embedding(input_dim, output_dim)
    layer.weight.data.copy_(layer.weight.new_tensor(weights.pop(0)))
    return [layer]


def _recurrent(kind, order):
    """The last output of a layer whose gates PyTorch has in this order."""

    def made(nn, weights, units):
        kernel, recurrent, bias = weights[:3]
        del weights[:3]
        layer = getattr(nn, kind)(len(kernel), units, batch_first=True)

        def load(own, given):
            parts = [given[..., n * units : (n + 1) * units].T for n in order]
            for n, part in enumerate(parts):
                own.data[n * units : (n + 1) * units].copy_(own.new_tensor(part))

        load(layer.weight_ih_l0, kernel)
        load(layer.weight_hh_l0, recurrent)
        biases = bias if bias.ndim == 2 else (bias, 0 * bias)
        load(layer.bias_ih_l0, biases[0])
        load(layer.bias_hh_l0, biases[1])
        # A bias that other libraries do not have stays as it is.
        layer.bias_hh_l0.requires_grad = bias.ndim == 2

        class Last(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = layer

            def forward(self, x):
                return self.layer(x)[0][:, -1]

        return [Last()]

    return made


def _conv1d(nn, weights, filters, kernel_size, activation=None):
    """As an image of one row with its channels last: faster here than nn.Conv1d."""
    layer = nn.Conv2d(weights[0].shape[1], filters, (1, kernel_size))
    weights[0] = weights[0][None]
    after = _loaded(nn, layer, weights, (3, 2, 0, 1), activation)
    layer.weight.data = layer.weight.data.contiguous(memory_format=_channels_last())

    class AsImage(nn.Module):
        def forward(self, x):
            return x.permute(0, 2, 1).unsqueeze(2)

    class AsSequence(nn.Module):
        def forward(self, x):
            return x.squeeze(2).permute(0, 2, 1)

    return [AsImage(), *after, AsSequence()]


def _channels_last():
    import torch

    return torch.channels_last


def _transformer_encoder(nn, weights, intermediate_dim, num_heads):
    """Its three projections as one product, and scaled_dot_product_attention."""
    attend, width = nn.functional.scaled_dot_product_attention, len(weights[0])
    *projections, out, out_bias = weights[:8]
    kernels = [w.reshape(width, -1) for w in projections[::2]]
    biases = [b.reshape(-1) for b in projections[1::2]]
    rest = [out.reshape(-1, width), out_bias, *weights[8:16]]
    del weights[:16]

    def loaded(layer, kernel, bias):
        layer.weight.data.copy_(layer.weight.new_tensor(kernel.T))
        layer.bias.data.copy_(layer.bias.new_tensor(bias))
        return layer

    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.project = nn.Linear(width, 3 * width)
            for n, pair in enumerate(zip(kernels, biases)):
                part = slice(n * width, (n + 1) * width)
                for own, given in zip((self.project.weight, self.project.bias), pair):
                    own.data[part].copy_(own.new_tensor(given.T))
            self.out = loaded(nn.Linear(width, width), *rest[:2])
            self.norms = nn.ModuleList(
                loaded(nn.LayerNorm(width, 1e-5), *rest[n : n + 2]) for n in (2, 4)
            )
            self.inner = loaded(nn.Linear(width, intermediate_dim), *rest[6:8])
            self.outer = loaded(nn.Linear(intermediate_dim, width), *rest[8:10])

        def forward(self, x):
            heads = self.project(x).view(*x.shape[:2], 3, num_heads, -1).permute(2, 0, 3, 1, 4)
            y = attend(*heads.unbind(0)).transpose(1, 2).reshape(x.shape)
            x = self.norms[0](x + self.out(y))
            return self.norms[1](x + self.outer(nn.functional.relu(self.inner(x), inplace=True)))

    return [Encoder()]


def _over_steps(nn, what):
    class OverSteps(nn.Module):
        def forward(self, x):
            return getattr(x, what)(1)

    return [OverSteps()]


def _flatten(nn, weights):
    return [_permute(nn, 0, 2, 3, 1), nn.Flatten()]  # Keras's order of the features


def _permute(nn, *axes):
    class Permute(nn.Module):
        def forward(self, x):
            return x.permute(*axes)

    return Permute()


def _activation(nn, activation):
    return {None: [], "relu": [nn.ReLU(inplace=True)], "tanh": [nn.Tanh()]}[activation]


# Layer -> function of (torch.nn, weights in Keras's order, of which it takes its own from the
# front, arguments): a list of modules.
LAYERS = {
    "Activation": lambda nn, weights, activation: _activation(nn, activation),
    "BatchNormalization": _batch_normalization,
    "Conv1D": _conv1d,
    "Conv2D": _conv2d,
    "Dense": _dense,
    "Dropout": _dropout,
    "Embedding": _embedding,
    "Flatten": _flatten,
    "GRU": _recurrent("GRU", (1, 0, 2)),
    "GlobalAveragePooling1D": lambda nn, weights: _over_steps(nn, "mean"),
    "GlobalMaxPooling1D": lambda nn, weights: _over_steps(nn, "amax"),
    "LSTM": _recurrent("LSTM", (0, 1, 2, 3)),
    "MaxPooling2D": lambda nn, weights, pool_size: [nn.MaxPool2d(pool_size)],
    "TransformerEncoder": _transformer_encoder,
}


class Torch(Library):
    """PyTorch: fused optimizer, index_select for the rows, no value read before the round's end.

    Images lie in memory with their channels first, as is PyTorch's default.
    """

    package = "torch"

    def build(self):
        import torch

        torch.set_num_threads(self.threads)
        torch.set_flush_denormal(True)
        self.torch = torch
        self.rows, self.labels = self._arranged(self.x), torch.from_numpy(self.y).long()
        self._need(LAYERS)

    def _arranged(self, x):
        """Rows in memory as the model takes them."""
        x = self.torch.from_numpy(x)
        if x.ndim < 4:
            return x
        return x.permute(0, 3, 1, 2).clone(memory_format=self.torch.contiguous_format)

    def load(self, weights):
        nn, weights = self.torch.nn, list(weights)
        self.model = self._made(
            [
                module
                for kind, given in self.workload.layers
                for module in LAYERS[kind](nn, weights, **given)
            ]
        )
        self.model.eval()
        self.optimizer = getattr(self.torch.optim, self.workload.optimizer)(
            self._groups(), lr=self.workload.learning_rate, fused=True
        )
        self.updates = 0

    def _groups(self):
        """The parameters for the optimizer, which adds the gradient of their L2 penalties."""
        groups = {}
        for parameter in self.model.parameters():
            groups.setdefault(getattr(parameter, "l2", 0.0), []).append(parameter)
        self.penalties = [
            (l2, p.detach().view(-1)) for l2, own in groups.items() if l2 for p in own
        ]
        return [{"params": own, "weight_decay": 2 * l2} for l2, own in groups.items()]

    def _made(self, modules):
        """The model, of modules that take images with channels first."""
        return self.torch.nn.Sequential(*modules)

    def train(self, shuffle):
        self.model.train()
        losses = [loss for _ in range(self.workload.epochs) for loss in self._epoch(shuffle)]
        self.model.eval()
        return self.torch.stack(losses).mean().item()

    def _epoch(self, shuffle):
        torch, batch = self.torch, self.workload.batch
        order = torch.randperm(len(self.rows)) if shuffle else None
        for start in range(0, len(self.rows), batch):
            if shuffle:
                index = order[start : start + batch]
                x, y = self.rows.index_select(0, index), self.labels.index_select(0, index)
            else:
                x, y = self.rows[start : start + batch], self.labels[start : start + batch]
            self.optimizer.zero_grad(set_to_none=True)
            loss = torch.nn.functional.cross_entropy(self.model(x), y)
            loss.backward()
            total = sum((l2 * w.dot(w) for l2, w in self.penalties), loss.detach())
            self._update()
            yield total

    def _update(self):
        """A step of the optimizer. Adam's epsilon is added to the root before that is corrected for
        its bias, as in the other libraries: beside the gradients of rare tokens it counts."""
        self.updates += 1
        if self.workload.optimizer == "Adam":
            for group in self.optimizer.param_groups:
                group["eps"] = EPSILON / (1 - 0.999**self.updates) ** 0.5
        self.optimizer.step()

    def _outputs(self, x):
        with self.torch.inference_mode():
            return self.model(self._arranged(x)).softmax(1).numpy()


class TorchChannelsLast(Torch):
    """The same for images with their channels last, in memory and in all layers."""

    def build(self):
        if len(self.workload.row_shape) != 3:
            raise NotImplementedError(f"no images in {self.workload.name}")
        super().build()

    def _arranged(self, x):
        return self.torch.from_numpy(x)

    def _made(self, modules):
        model = super()._made([_permute(self.torch.nn, 0, 3, 1, 2), *modules])
        return model.to(memory_format=self.torch.channels_last)
