"""TensorBoard: a callback that writes the curves of a training, and histograms of weights."""

import itertools
import os
import platform
import time

import numpy as np

from nnlite.callbacks.callback import Callback
from nnlite.callbacks.control import rates_of
from nnlite.callbacks.pace import Pace, legal_pace
from nnlite.configurable import unique_name

BUCKETS = 30  # of a histogram, as in TensorFlow

_numbers = itertools.count()  # of the files of this process


def _only(harmless, why):
    """The check of a setting of Keras that can only be off."""

    def check(name, value):
        if not (value is harmless or (type(value) is type(harmless) and value == harmless)):
            raise ValueError(f"{name}: expected {harmless!r}, as {why}, got {value!r}")

    return check


class TensorBoard(Callback):
    """Writes the curves of a training, and histograms of weights, for TensorBoard to show.

    `tensorboard --logdir logs` shows them in a browser. Figures of training are written to the
    folder 'train' in `log_dir`, those of validation to 'validation', under Keras's names:

    - 'epoch_loss', 'epoch_accuracy', ..., 'epoch_learning_rate' after each epoch, counted from 0,
    - 'batch_loss', ... after batches, as `update_freq` says,
    - 'evaluation_loss_vs_iterations', ... after each evaluation, over the steps of the optimizer,
    - 'dense/kernel/histogram', ..., as `histogram_freq` says.

    An entry of the logs that is an array has a curve for each of its numbers. It needs the package
    tensorboardX, not TensorFlow: pip install "nnlite[tensorboard]".

    Parameters
    ----------
    log_dir : str or path, default 'logs'
        A folder, of one training: TensorBoard compares those beside each other.
    histogram_freq : int of at least 0, default 0
        After every how many epochs to write histograms of all weights; 0: never.
    write_graph, write_images : bool, default False
        Must be False: neither graphs nor pictures of weights are written.
    write_steps_per_second : bool, default False
        Whether to write the speed, as 'epoch_steps_per_second', and after batches as
        'batch_steps_per_second'.
    update_freq : {'epoch', 'batch'} or int of at least 1, default 'epoch'
        After every how many batches to write figures, beside those of each epoch.
    profile_batch, embeddings_freq : int, default 0
        Must be 0: there is no profile and no projector.
    embeddings_metadata : None
        Must be None.

    Raises
    ------
    ImportError
        If tensorboardX is missing.
    ValueError
        If a setting is out of range.

    Examples
    --------
    >>> import nnlite
    >>> model = nnlite.Sequential([nnlite.layers.Dense(1, input_shape=(2,))])
    >>> model.compile("sgd", "mse")
    >>> log = nnlite.callbacks.TensorBoard("logs/first", histogram_freq=1)
    >>> _ = model.fit([[1, 2]], [3], epochs=2, verbose=0, callbacks=log)
    >>> import os
    >>> os.listdir("logs/first")
    ['train']
    """

    _of_one_fit = _ends_when_interrupted = True

    _legal = {
        "histogram_freq": "int [0, inf)",
        "write_graph": _only(False, "no graph is written; utils.plot_model draws one"),
        "write_images": _only(False, "no pictures are written; histograms show the weights"),
        "write_steps_per_second": "bool",
        "update_freq": legal_pace("epoch", "batch"),
        "profile_batch": _only(0, "no profile is written"),
        "embeddings_freq": _only(0, "no embeddings are written"),
        "embeddings_metadata": _only(None, "no embeddings are written"),
    }
    _state = ("_pace",)
    _training = False

    def __init__(
        self,
        log_dir="logs",
        histogram_freq=0,
        write_graph=False,
        write_images=False,
        write_steps_per_second=False,
        update_freq="epoch",
        profile_batch=0,
        embeddings_freq=0,
        embeddings_metadata=None,
    ):
        self.histogram_freq, self.update_freq = histogram_freq, update_freq
        self.write_graph, self.write_images = write_graph, write_images
        self.write_steps_per_second, self.profile_batch = write_steps_per_second, profile_batch
        self.embeddings_freq, self.embeddings_metadata = embeddings_freq, embeddings_metadata
        self._check_given()
        if not isinstance(log_dir, (str, os.PathLike)) or not os.fspath(log_dir):
            raise TypeError(f"TensorBoard: log_dir: expected the path of a folder, got {log_dir!r}")
        self.log_dir = os.fspath(log_dir)
        _library()
        self._files, self._pace = {}, Pace(update_freq)

    def set_model(self, model):
        self._close()  # of a training that was interrupted
        self._training = False
        super().set_model(model)

    def on_train_begin(self, logs=None):
        self._training, self._pace = True, Pace(self.update_freq)

    def on_train_end(self, logs=None):
        self._training = False
        self._close()

    def on_epoch_begin(self, epoch, logs=None):
        self._pace.begin_epoch()
        self._began, self._steps = time.perf_counter(), self._iterations()

    def on_train_batch_begin(self, batch, logs=None):
        self._batch_began, self._before = time.perf_counter(), self._pace.total

    def on_train_batch_end(self, batch, logs=None):
        due = self._pace.is_due(batch)
        figures = dict(logs or {})
        if self.write_steps_per_second:
            done = self._pace.total - self._before
            figures["steps_per_second"] = done / _seconds_since(self._batch_began)
        if due:
            self._write("train", "batch_{}", figures, self._pace.total)

    def on_test_end(self, logs=None):
        steps = self._iterations()
        if steps is not None:
            self._write("validation", "evaluation_{}_vs_iterations", logs or {}, steps)
        if not self._training:
            self._close()

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        figures = {name: v for name, v in logs.items() if not name.startswith("val_")}
        held_out = {name[4:]: v for name, v in logs.items() if name.startswith("val_")}
        steps = self._iterations()
        if steps is not None:
            figures.update(rates_of(self.model.optimizer))
            if self.write_steps_per_second:
                done = steps - self._steps
                figures["steps_per_second"] = done / _seconds_since(self._began)
        self._write("train", "epoch_{}", figures, epoch)
        self._write("validation", "epoch_{}", held_out, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        for file in self._files.values():
            file.flush()

    def wants_batches(self, kind="train"):
        return self.update_freq != "epoch" and super().wants_batches(kind)

    def _iterations(self):
        """The steps that the optimizer has made; None of a model without one."""
        optimizer = self.model.optimizer
        return None if optimizer is None else int(optimizer.iterations)

    def _write(self, folder, name, figures, step):
        """Write numbers; an array of them as a number for each."""
        for key, value in figures.items():
            values = np.asarray(value)
            if values.dtype.kind not in "biuf":
                continue
            tag = name.format(key)
            for number, value in enumerate(values.flat):
                part = f"/{number}" if values.ndim else ""
                self._file(folder).scalar(tag + part, float(value), step)

    def _write_weights(self, epoch):
        tags = set()
        for layer in self.model.layers:
            for weight in layer.weights:
                start = f"{layer.name}/"
                name = start + weight.name.removeprefix(start)
                tags.add(tag := unique_name(f"{name}/histogram", tags))
                self._file("train").histogram(tag, np.asarray(weight), epoch)

    def _file(self, folder):
        """The file in a folder, made when it is needed."""
        if folder not in self._files:
            self._files[folder] = EventFile(os.path.join(self.log_dir, folder))
        return self._files[folder]

    def _close(self):
        while self._files:
            self._files.popitem()[1].close()


def _seconds_since(moment):
    return max(time.perf_counter() - moment, 1e-9)  # some clocks stand still for a while


class EventFile:
    """A new file of events, which TensorBoard reads.

    Parameters
    ----------
    folder : str
        It is made if it is missing.
    """

    def __init__(self, folder):
        record_writer, self._event = _library()
        os.makedirs(folder, exist_ok=True)
        # TensorBoard looks for 'tfevents'; the rest makes the name one that no other file has.
        parts = int(time.time()), platform.node(), os.getpid(), next(_numbers)
        name = ".".join(map(str, ("events.out.tfevents", *parts)))
        self._records = record_writer(os.path.join(folder, name))
        self._write(file_version="brain.Event:2")

    def _write(self, **what):
        event = self._event(wall_time=time.time(), **what)
        self._records.write(event.SerializeToString())

    def _add(self, step, **value):
        self._write(step=step, summary={"value": [value]})

    def scalar(self, tag, value, step):
        """Add a number to a curve.

        Parameters
        ----------
        tag : str
            The name of the curve.
        value : float
        step : int
        """
        self._add(step, tag=tag, simple_value=value)

    def histogram(self, tag, values, step):
        """Add the histogram of those values that are finite, if there are any.

        Parameters
        ----------
        tag : str
        values : array
        step : int
        """
        values = values[np.isfinite(values)].astype("float64")
        if not values.size:
            return
        counts, edges = np.histogram(values, BUCKETS)
        figures = {
            "min": values.min(),
            "max": values.max(),
            "num": values.size,
            "sum": values.sum(),
            "sum_squares": np.square(values).sum(),
        }
        buckets = {"bucket_limit": edges[1:].tolist(), "bucket": counts.tolist()}
        self._add(step, tag=tag, histo=figures | buckets)

    def flush(self):
        """Write to the disk what was added."""
        self._records.flush()

    def close(self):
        """Write to the disk what was added; there will be no more."""
        self._records.flush()
        self._records.close()


def _library():
    """Of the package tensorboardX: what writes records, and the class of those of TensorBoard."""
    try:
        from tensorboardX import RecordWriter
        from tensorboardX.proto.event_pb2 import Event
    except ImportError:
        raise ImportError(
            'TensorBoard: its files are written by tensorboardX: pip install "nnlite[tensorboard]"'
        ) from None
    return RecordWriter, Event
