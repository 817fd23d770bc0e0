"""Models as files of other formats."""

from nnlite import exporting
from nnlite.models.front import is_host
from nnlite.tree import flatten, is_shape, map_shapes


class Exported:
    """A model that says what it computes, and can be exported."""

    def export(self, filepath, **options):
        """Write the model as a file that is run without nnlite.

        Parameters
        ----------
        filepath : str or path
            Its ending says the format.
        **options
            Of `nnlite.export`, which says what can be raised, too.

        Returns
        -------
        Report
        """
        return exporting.export(self, filepath, **options)

    def _computation(self):
        if self._front is not None or is_host(self):  # which knows models that are not built, too
            raise ValueError(
                f"export: model {self.name!r} begins with look-ups, which run on texts and labels "
                "before the network: export a model of the layers behind them"
            )
        if self._input_shape is None:
            raise ValueError(
                f"export: model {self.name!r}: expected a model whose input shape is known, by an "
                "Input or a first call on an array, got another"
            )
        shapes = self.input_shape
        known = self._graph is not None
        dtypes = [s.dtype for s in self.inputs] if known else [self._precision]
        names = [s.name for s in self.inputs] if known else ["input"]
        flat = flatten(shapes, is_shape)
        inputs = [(n, tuple(s[1:]), d) for n, s, d in zip(names, flat, dtypes)]
        outputs = flatten(self._output_names())

        def packed(flat):
            values = iter(flat)
            return map_shapes(lambda _: next(values), shapes)

        def arrays(x):
            if isinstance(x, dict) and isinstance(shapes, dict) and x.keys() == shapes.keys():
                return [x[name] for name in shapes]
            parts = flatten(x)
            return parts if len(flat) > 1 or hasattr(parts[0], "shape") else [x]

        return exporting.Computation(
            function=lambda *xs: flatten(self.predict_step(packed(xs))),
            inputs=inputs,
            outputs=outputs,
            precision=self._precision,
            predict=lambda *xs: flatten(self.predict(packed(xs))),
            arrays=arrays,
            name=self.name,
        )
