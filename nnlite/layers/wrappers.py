"""Layers around another layer: sequences read in both directions, one layer for all steps."""

from nnlite import ops
from nnlite.configurable import clone
from nnlite.engine.tensor import Tensor
from nnlite.layers.attention import OfSequences
from nnlite.layers.core import InputLayer
from nnlite.layers.layer import Layer
from nnlite.layers.masking import mask_arguments
from nnlite.layers.outer import LayerOfLayers
from nnlite.tree import map_structure

MERGE_MODES = ("concat", "sum", "mul", "ave", None)
_IN_COMMON = ("return_sequences", "return_state", "stateful")


def _layer(argument, value):
    """A layer that a constructor was given."""
    if not isinstance(value, Layer):
        raise ValueError(f"{argument}: expected a layer, such as LSTM(4), got {value!r}")
    return value


class Wrapper(LayerOfLayers):
    """Base of layers around another one, its attribute `layer`; a subclass defines `call`.

    Parameters
    ----------
    layer : Layer
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import layers
    >>> class Residual(layers.Wrapper):
    ...     def call(self, x):
    ...         return x + self.layer(x)
    >>> Residual(layers.Dense(3, kernel_initializer="zeros"))(nnlite.ones((1, 3))).numpy()
    array([[1., 1., 1.]], dtype=float32)
    """

    def __init__(self, layer, **kwargs):
        super().__init__(**kwargs)
        self.layer = _layer(f"{type(self).__name__}: layer", layer)

    def build(self, input_shape):
        self.layer.build(input_shape)


class TimeDistributed(Wrapper):
    """One layer for each step of sequences, with the same weights.

    Parameters
    ----------
    layer : Layer
        Of one step: its input is (N, ...). It may be a model.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, T, ...), output (N, T, ...). The steps are samples of one batch of N * T for the
    layer: a BatchNormalization has the statistics of all steps together. A mask (N, T) stays; a
    layer that takes a mask gets that of its steps.

    Examples
    --------
    >>> import nnlite
    >>> layer = nnlite.layers.TimeDistributed(nnlite.layers.Conv2D(4, 3))
    >>> layer(nnlite.ones((2, 5, 8, 8, 1))).shape
    (2, 5, 6, 6, 4)
    """

    _takes = (3, 8, "sequences of shape (N, T, ...)")
    supports_masking = True

    @property
    def _reads_integers(self):
        return getattr(self.layer, "_reads_integers", False)

    def build(self, input_shape):
        self.layer.build((input_shape[0], *input_shape[2:]))

    def call(self, inputs, mask=None):
        """Call the layer on all steps.

        Parameters
        ----------
        inputs : Tensor, shape (N, T, ...)
        mask : Tensor, shape (N, T, ...), optional
            Given to the layer if it takes a mask.

        Returns
        -------
        Tensor, shape (N, T, ...)
        """
        n, steps = inputs.shape[:2]
        kwargs = {}
        if mask is not None:
            if mask.shape[:2] != (n, steps):
                raise ValueError(
                    f"mask: expected a shape that begins with {(n, steps)}, got {mask.shape}"
                )
            if "mask" in mask_arguments(type(self.layer)):
                kwargs["mask"] = ops.reshape(mask, (n * steps, *mask.shape[2:]))
        outputs = self.layer(ops.reshape(inputs, (n * steps, *inputs.shape[2:])), **kwargs)
        return map_structure(lambda y: ops.reshape(y, (n, steps, *y.shape[1:])), outputs, Tensor)

    def _for_keras(self, model=None):
        """If Keras lacks the layer, or calls it on two tensors: the same around a model."""
        inner = self.layer
        inner = inner._of_two if isinstance(inner, OfSequences) else inner._for_keras(model)
        if inner is self.layer:
            return self
        around = None

        def call(inputs, **kwargs):
            nonlocal around
            if around is None:
                part = inner
                if not isinstance(part, Layer):
                    step = InputLayer(inputs.shape[2:]).symbol()
                    part = model(step, inner(step), name=self.layer.name)
                around = TimeDistributed(part, name=self.name)
            return around(inputs, **kwargs)

        return call


class Bidirectional(LayerOfLayers):
    """A recurrent layer that reads sequences forwards, and another one that reads them backwards.

    M. Schuster, K. K. Paliwal: "Bidirectional recurrent neural networks", IEEE Transactions on
    Signal Processing 45, 1997.

    Parameters
    ----------
    layer : Layer
        A recurrent layer, such as `LSTM`. New layers are made from its settings: `forward_layer`
        and `backward_layer`.
    merge_mode : {'concat', 'sum', 'mul', 'ave', None}, default 'concat'
        What becomes of the two outputs: one after the other along the last axis, their sum,
        product or mean, or, of None, a list of both.
    weights : list of array, optional
        The first weights, those of the forward layer first, instead of those of the initializers.
    backward_layer : Layer, optional
        The layer that reads backwards, itself; `go_backwards` of the two differs. By default a copy
        of `layer` with the other `go_backwards`.
    **kwargs
        Of `Layer`: name, trainable, input_shape.

    Notes
    -----
    Input (N, T, C). Output (N, 2 U), or (N, T, 2 U) with `return_sequences`, at each step what
    both layers made of it. With `return_state` a list of the output, the states of the forward
    layer, and those of the backward layer. Outputs of all steps are 0 where masked.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import layers
    >>> layers.Bidirectional(layers.GRU(4, return_sequences=True))(nnlite.ones((2, 7, 3))).shape
    (2, 7, 8)
    """

    supports_masking = True
    _legal = {"merge_mode": MERGE_MODES}

    def __init__(self, layer, merge_mode="concat", weights=None, backward_layer=None, **kwargs):
        layer = _layer("Bidirectional: layer", layer)
        lacking = [name for name in ("go_backwards", *_IN_COMMON) if not hasattr(layer, name)]
        if lacking:
            raise ValueError(
                f"Bidirectional: layer: expected a recurrent layer, such as LSTM(4), got {layer!r} "
                f"without {', '.join(lacking)}"
            )
        super().__init__(**kwargs)
        self.merge_mode = merge_mode
        self.forward_layer = _renamed("forward", layer)
        if backward_layer is None:
            self.backward_layer = _renamed("backward", layer, go_backwards=True)
        else:
            self.backward_layer = _layer("Bidirectional: backward_layer", backward_layer)
        self._check_layers()
        self._given |= {"layer": self.forward_layer, "backward_layer": self.backward_layer}
        for part in (self.forward_layer, self.backward_layer):
            if getattr(part, "zero_output_for_mask", None) is not None:
                part.zero_output_for_mask = part.return_sequences
        self.return_sequences = layer.return_sequences
        self.return_state, self.stateful = layer.return_state, layer.stateful
        self._first_weights = self._given.pop("weights", None)

    def _check_layers(self):
        """Raise a ValueError unless the layers read in different directions and agree otherwise."""
        one, other = self.forward_layer, self.backward_layer
        if bool(one.go_backwards) == bool(getattr(other, "go_backwards", None)):
            raise ValueError(
                "Bidirectional: backward_layer: expected a layer that reads in the other "
                f"direction, got go_backwards={one.go_backwards!r} of both"
            )
        for name in _IN_COMMON:
            if getattr(one, name) != getattr(other, name, None):
                raise ValueError(
                    f"Bidirectional: backward_layer: expected {name}={getattr(one, name)!r}, as "
                    f"of layer, got {getattr(other, name, None)!r}"
                )

    @property
    def _takes(self):
        return self.forward_layer._takes

    def build(self, input_shape):
        parts = self.forward_layer, self.backward_layer
        for part in parts:
            part.build(input_shape)
        if self._first_weights:
            half = len(self._first_weights) // 2
            for part, values in zip(
                parts, (self._first_weights[:half], self._first_weights[half:]), strict=True
            ):
                part.set_weights(values)

    @property
    def states(self):
        """The states of stateful layers, a list of Variables; None before the first batch."""
        found = self.forward_layer.states, self.backward_layer.states
        return None if None in found else [*found[0], *found[1]]

    def reset_states(self):
        """Begin the next batch of stateful layers with the first states."""
        self.forward_layer.reset_states()
        self.backward_layer.reset_states()

    reset_state = reset_states

    def compute_mask(self, inputs, previous_mask):
        mask = previous_mask[0] if isinstance(previous_mask, list) else previous_mask
        mask = mask if self.return_sequences else None
        return [mask, mask] if self.merge_mode is None else [mask]

    def call(self, sequences, initial_state=None, mask=None):
        """Go through the steps in both directions.

        Parameters
        ----------
        sequences : Tensor, shape (N, T, C)
        initial_state : list of Tensor, shape (N, U), optional
            The states before the first step: those of the forward layer, then as many of the
            backward layer. By default zeros, or those that stateful layers kept.
        mask : Tensor, shape (N, T), optional
            0 at steps that are to be passed over.

        Returns
        -------
        Tensor, or list of Tensor
        """
        given = {} if mask is None else {"mask": mask}
        states = ({}, {})
        if initial_state is not None:
            count = len(initial_state) if isinstance(initial_state, (list, tuple)) else 0
            if not count or count % 2:
                got = f"{count} states" if count else f"{initial_state!r:.100}"
                raise ValueError(
                    "initial_state: expected a list of the states of both layers, as many of each, "
                    f"got {got}"
                )
            half = count // 2
            states = [{"initial_state": s} for s in (initial_state[:half], initial_state[half:])]
        one = self.forward_layer(sequences, **states[0], **given)
        other = self.backward_layer(sequences, **states[1], **given)
        after = []
        if self.return_state:
            (one, *after), (other, *further) = one, other
            after += further
        if self.return_sequences:
            other = other[:, ::-1]
        if self.merge_mode is None:
            return [one, other, *after]
        merged = _merged(self.merge_mode, one, other)
        return [merged, *after] if self.return_state else merged

    def get_config(self):
        """The constructor's arguments as a dict, without the first weights.

        Returns
        -------
        dict
            'layer' and 'backward_layer' are the two layers inside.
        """
        return {k: v for k, v in super().get_config().items() if k != "weights"}


def _renamed(direction, layer, **settings):
    """A new layer with the settings of another, and the direction in its name."""
    name = f"{direction}_{layer.name.removeprefix(f'{direction}_')}"
    if "zero_output_for_mask" in layer._signature():
        settings["zero_output_for_mask"] = bool(layer.return_sequences)
    return clone(layer, name=name, **settings)


def _merged(mode, one, other):
    if mode == "concat":
        return ops.concatenate([one, other], -1)
    if mode == "mul":
        return one * other
    total = one + other
    return total * 0.5 if mode == "ave" else total
