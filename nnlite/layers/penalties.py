"""Penalized: the part of a layer that adds penalties to the loss."""

import weakref

from nnlite.engine.recording import traces
from nnlite.engine.symbolic import is_symbolic
from nnlite.engine.tensor import convert_to_tensor
from nnlite.layers.building import check_in_call, here
from nnlite.layers.measured import Measured
from nnlite.ops.shape import values_of
from nnlite.tree import flatten


class Penalized(Measured):
    """What has penalties: of its weights, and of what its calls compute."""

    def add_loss(self, loss):
        """Add a penalty to the loss of the batch that is being computed: it is called in `call`.

        Parameters
        ----------
        loss : scalar tensor, or list of them

        Raises
        ------
        RuntimeError
            Outside of a `call`.

        Examples
        --------
        >>> import nnlite
        >>> from nnlite import layers, ops
        >>> class Small(layers.Layer):
        ...     def call(self, x):
        ...         self.add_loss(0.5 * ops.sum(ops.abs(x)))
        ...         return x
        >>> layer = Small()
        >>> y = layer(nnlite.ones((1, 4)))
        >>> layer.losses[0].item()
        2.0
        """
        check_in_call("add_loss", is_symbolic((loss,)))
        run, found = vars(self).get("_added", (None, ()))
        trace = next((weakref.ref(r) for r in traces()), None)
        new = [(convert_to_tensor(value), trace) for value in flatten(loss)]
        self.__dict__["_added"] = here.made, [*(found if run is here.made else ()), *new]

    @property
    def losses(self):
        """The penalties, a list of scalar tensors: of regularizers of the trainable weights, then
        what the last call added by `add_loss` and by regularizers of results."""
        held = [v for v, t in self._all_weights() if t and v.regularizer is not None]
        found = [v.regularizer(values_of(v)) for v in held]
        return found + list({id(x): x for x in self._added_losses(None)}.values())

    def _added_losses(self, run):
        """What the layers inside added in a run, by default in the last one of each of them."""
        run = vars(self).get("_run") if run is None else run
        own, found = vars(self).get("_added", (None, ()))
        active = traces()
        values = [
            value
            for value, trace in found
            if own is run and (not active if trace is None else trace() in active)
        ]
        return sum((layer._added_losses(run) for layer in self._sublayers), values)
