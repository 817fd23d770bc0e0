"""Steps: what a model computes of one batch to train, to evaluate and to predict."""

import inspect

from nnlite import autodiff, ops
from nnlite.data.packing import unpack_x_y_sample_weight
from nnlite.engine.lengths import like_targets
from nnlite.layers.measured import metrics_in
from nnlite.metrics.metric import Metric
from nnlite.training import agreement
from nnlite.training.objectives import Objectives, as_lists, names_of
from nnlite.tree import flatten, is_shape


class Steps:
    """The part of a Model that says what happens with a batch: the losses and metrics of its
    outputs, and the three steps that a subclass may override."""

    _advised = None  # within a fit: what it has warned of

    def _output_names(self):
        """The names of the outputs, structured as they are; None if they are not known yet."""
        shape = self._output_shape
        known = None if self._graph is None else [s.name for s in self.outputs]
        return None if shape is None else names_of(shape, known)

    @property
    def input_names(self):
        """The names of `inputs`, a list."""
        return [s.name for s in self.inputs]

    @property
    def output_names(self):
        """The names of the outputs, a list; None if they are not known yet."""
        names = self._output_names()
        return names if names is None else flatten(names)

    def _names_for(self, outputs):
        """The names of such outputs, which are those of the model in the same structure or in
        another."""
        names, known = names_of(outputs), self._output_names()
        if known is None:
            return names
        alone = isinstance(names, str) and isinstance(known, str)
        if alone or as_lists(names) == as_lists(names_of(self._output_shape)):
            return known
        flat = flatten(known)
        return names_of(outputs, flat) if len(flat) == len(flatten(names)) else names

    def _objectives_for(self, outputs):
        """The objectives for such outputs, tensors or shapes."""
        if self._objectives is not None and outputs is self._objectives.outputs:
            return self._objectives
        names = self._names_for(outputs)
        found = self._objectives
        if found is not None and found.single and len(flatten(names)) == 1:
            found.rename(names)
        elif found is None or as_lists(names) != as_lists(found.structure):
            found = self._objectives = Objectives(names, **self._settings())
        found.outputs = outputs if outputs is self._output_shape else None
        return found

    def _check_targets(self, y, sample_weight):
        """Raise a ValueError if Sources cannot be the targets and weights; warn of what may be
        meant otherwise."""
        shape = self._output_shape
        objectives = self._objectives_for(shape)
        shapes = flatten(shape, is_shape)
        try:
            by_output = objectives.per_output("y", y)
            objectives.per_output("sample_weight", sample_weight, shared=True)
        except ValueError:
            if self._own_targets:
                return
            raise
        for objective, targets, shape in zip(objectives, by_output, shapes):
            if objective.loss is not None and targets is not None:
                shape = like_targets(shape, targets.array.shape)
                objective.loss.check_targets(targets.array, shape)
                agreement.warn_of_targets(self._advised, objective, targets.array, shape)

    def _settings(self):
        """What `compile` was given about losses and metrics."""
        if self._compiled is None:
            raise RuntimeError(
                f"model {self.name!r}: call compile(optimizer=..., loss=...) before training or "
                "evaluating"
            )
        return self._compiled

    @property
    def metrics(self):
        """The running metrics: after `compile` the loss, the losses of several outputs and the
        metrics that it was given; and those that are attributes, or entries of attributes, of the
        model and its layers."""
        found = [] if self._compiled is None else [self._loss_tracker]
        found += [*(m for _, m in self._named_metrics()), *metrics_in(self)]
        return list({id(m): m for m in found}.values())

    @property
    def metrics_names(self):
        """The names of `metrics`, a list."""
        return [m.name for m in self.metrics]

    @property
    def metrics_variables(self):
        """The Variables of `metrics`, a list."""
        return [v for m in self.metrics for v in m.variables]

    def _named_metrics(self):
        return () if self._objectives is None else self._objectives.named_metrics()

    def reset_metrics(self):
        """Reset every metric, as at the start of an epoch."""
        cache = self._step_cache
        found = cache.metrics
        if found is None:
            found = self.metrics  # looks at the attributes of all layers
            cache.metrics = found if cache.steps else None
        for m in found:
            m.reset_state()

    def get_metrics_result(self):
        """The running values of `metrics`, by name."""
        found = dict([("loss", self._loss_tracker), *self._named_metrics()])
        for m in self.metrics:
            if not any(m is other for other in found.values()):
                found.setdefault(m.name, m)
        return {name: m._logged() for name, m in found.items()}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The loss of a batch with all regularization penalties.

        Parameters
        ----------
        x : tensor, or list or dict of them
            The inputs; only a subclass may need them.
        y, y_pred : tensor, or list or dict of them
            Targets and outputs.
        sample_weight : tensor, or list or dict of them, optional
            Shape (N,).
        training : bool, default True
            Whether it is a step of training, for a subclass; one that does not take it is not told.

        Returns
        -------
        Tensor
            A scalar.

        Raises
        ------
        ValueError
            If `y` does not fit the outputs, or is None where there is a loss.
        RuntimeError
            If there is no loss, nor a regularization penalty.
        """
        total, tracked = None, {}
        for objective, *data in self._objectives_for(y_pred).compared(y, y_pred, sample_weight):
            targets, outputs, _ = data
            _check_given(objective, objective.loss, targets)
            loss = objective.loss(*data)
            if isinstance(objective.part, str):
                agreement.warn_of_output(self._advised, objective, targets, outputs)
            if objective.tracker is not None:
                tracker, others = tracked.get(id(objective.tracker), (objective.tracker, None))
                tracked[id(tracker)] = tracker, loss if others is None else others + loss
            loss = loss if objective.weight == 1.0 else loss * objective.weight
            total = loss if total is None else total + loss
        for tracker, loss in tracked.values():
            tracker.update_state(loss, _samples(loss, flatten(y_pred)[0]))
        for penalty in self.losses:
            total = penalty if total is None else total + penalty
        if total is None:
            raise RuntimeError(
                f"model {self.name!r}: there is no loss to compute: give one, as in "
                "compile(optimizer=..., loss='mse'), or define compute_loss"
            )
        return total

    def _loss_in_step(self, x, y, y_pred, sample_weight, training):
        """The loss in a step; a `compute_loss` of one's own may not take `training`."""
        own = type(self).compute_loss is not Steps.compute_loss
        told = not own or "training" in inspect.signature(self.compute_loss).parameters
        further = {"training": training} if told else {}
        return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=sample_weight, **further)

    def _track_loss(self, loss, y_pred, sample_weight):
        """Take the loss of a batch into account in the running mean."""
        objectives = self._objectives_for(y_pred)
        count = _samples(loss, flatten(y_pred)[0])
        if sample_weight is not None and objectives.single:
            reduction = getattr(next(iter(objectives)).loss, "reduction", "")
            if reduction == "mean_with_sample_weight":
                # So the mean over batches is that over samples.
                count = ops.sum(*flatten(sample_weight))
        self._loss_tracker.update_state(loss, count)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        """Take a batch into account in the metrics that `compile` was given.

        Parameters
        ----------
        x, y, y_pred, sample_weight : tensor, or list or dict of them
            As of `compute_loss`.

        Returns
        -------
        dict of str to float
            All running values, that of the loss too. Inside a traced step they are promises, which
            the step can return.
        """
        objectives = self._objectives_for(y_pred)
        if not any(g.metrics or g.weighted_metrics for g in objectives):
            return self.get_metrics_result()  # whatever y is
        by_output = zip(
            objectives,
            objectives.per_output("y", y),
            objectives.per_output("y_pred", y_pred),
            objectives.per_output("sample_weight", sample_weight, shared=True),
        )
        for objective, targets, outputs, weight in by_output:
            for m in (*objective.metrics, *objective.weighted_metrics):
                _check_given(objective, m, targets)
            for m in objective.metrics:
                m.update_state(*objective.seen_by(m, targets, outputs))
            for m in objective.weighted_metrics:
                m.update_state(*objective.seen_by(m, targets, outputs), weight)
        return self.get_metrics_result()

    def train_step(self, data):
        """One step of training on a batch; override it to train in another way.

        It is written in ops and traced once, so it runs in C even with a GradientTape inside.

        Parameters
        ----------
        data : tuple
            (x, y) or (x, y, sample_weight) of tensors, or x alone, as
            `utils.pack_x_y_sample_weight` gives them.

        Returns
        -------
        dict of str to tensor
            What callbacks, `History` and the progress bar show, by name: after some batches, the
            values of the last of them. Results of metrics are means over the epoch.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        with autodiff.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self._loss_in_step(x, y, y_pred, sample_weight, training=True)
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        gradients = tape.gradient(scaled, variables)
        self.optimizer.apply_gradients(zip(gradients, variables))
        self._track_loss(loss, y_pred, sample_weight)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data):
        """One step of evaluation on a batch; override it to evaluate in another way.

        Parameters
        ----------
        data : tuple
            As of `train_step`.

        Returns
        -------
        dict of str to tensor
            What `evaluate` returns, as of `train_step`.
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)
        loss = self._loss_in_step(x, y, y_pred, sample_weight, training=False)
        self._track_loss(loss, y_pred, sample_weight)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data):
        """The outputs for a batch.

        Parameters
        ----------
        data : tensor, or list or dict of them
            The inputs alone.
        """
        return self(data, training=False)


def _check_given(objective, measure, targets):
    """Raise a ValueError where a loss or metric has no targets."""
    if any(t is None for t in flatten(targets)):
        where = "" if objective.name is None else f" of the output {objective.name!r}"
        kind = "metric" if isinstance(measure, Metric) else "loss"
        raise ValueError(f"y: expected targets for the {kind} {measure.name!r}{where}, got None")


def _samples(loss, outputs):
    """The number of samples of a batch, as a tensor beside its loss."""
    return ops.full_like(loss, outputs.shape[0])
