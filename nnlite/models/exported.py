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

    def _behind_look_ups(self):
        """The model of the layers behind the look-ups, as a user writes it."""
        if self._front is None:
            return "a model of the layers behind them"
        places = {id(s): f"model.inputs[{n}]" for n, s in enumerate(self.inputs)}
        for layer in self.layers:
            found = getattr(layer, "output", None)
            places.setdefault(id(found), f"model.get_layer({layer.name!r}).output")
        read = [places.get(id(symbol)) for symbol in self._front.rest.input_symbols]
        if None in read:  # of a layer that is called twice, or of a model inside
            return "a model of the layers behind them"
        inputs = read[0] if len(read) == 1 else f"[{', '.join(read)}]"
        return f"nnlite.Model({inputs}, model.output)"

    def _computation(self):
        if self._front is not None or is_host(self):  # which knows models that are not built, too
            raise ValueError(
                f"export: model {self.name!r} begins with look-ups, which run on texts and labels "
                f"before the network: export {self._behind_look_ups()}, which takes the numbers "
                "that they give, and keep their vocabulary beside the file (get_vocabulary())"
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
