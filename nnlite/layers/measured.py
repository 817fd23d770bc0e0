"""Measured: the part of a layer that finds the running metrics in it, and makes some of what its
calls compute."""

from nnlite.engine.symbolic import is_symbolic
from nnlite.engine.tensor import convert_to_tensor
from nnlite.layers.building import check_in_call
from nnlite.layers.tracking import Tracked
from nnlite.metrics.metric import Mean, Metric
from nnlite.tree import objects_in


class Measured(Tracked):
    """What has metrics: attributes, or entries of them, and those of `add_metric`."""

    def add_metric(self, value, name=None, aggregation="mean"):
        """Show the mean of a value over the batches beside the loss: it is called in `call`.

        Keras 2 has it; in Keras 3 a metric is an attribute, whose `update_state` `call` calls.

        Parameters
        ----------
        value : tensor
            Of which the mean is taken.
        name : str
            What the logs call it.
        aggregation : {'mean', None}, default 'mean'
            Accepted for Keras's signature.

        Raises
        ------
        RuntimeError
            Outside of a `call`.
        TypeError
            If no name is given.

        Examples
        --------
        >>> import nnlite
        >>> from nnlite import layers, ops
        >>> class Watched(layers.Layer):
        ...     def call(self, x):
        ...         self.add_metric(ops.max(x), name="largest")
        ...         return x
        >>> layer = Watched()
        >>> y = layer(nnlite.ones((1, 4)))
        >>> float(layer.metrics[0].result())
        1.0
        """
        check_in_call("add_metric", is_symbolic((value,)))
        if not isinstance(name, str):
            raise TypeError(f"add_metric: name: expected a string, got {name!r}")
        added = vars(self).get("_added_metrics")
        if added is None:
            self._added_metrics = added = {}
        if name not in added:
            added[name] = Mean(name)
        added[name].update_state(convert_to_tensor(value))

    @property
    def metrics(self):
        """The running metrics of the layer and of those in it."""
        return metrics_in(self)


def metrics_in(layer):
    """The metrics that a layer and the layers in it have as attributes or as entries of them; a
    model inside has its own.

    Parameters
    ----------
    layer : Layer

    Returns
    -------
    list of Metric
    """
    found, waiting, seen = {}, [layer], set()
    while waiting:
        part = waiting.pop(0)
        seen.add(id(part))
        waiting += [inner for inner in part._sublayers if id(inner) not in seen]
        if part is layer or not part._is_model:
            for name, value in part._held():
                if name[0] != "_" or name == "_added_metrics":
                    found |= {id(m): m for m in objects_in(value, Metric)}
    return list(found.values())
