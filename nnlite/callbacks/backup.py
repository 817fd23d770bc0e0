"""BackupAndRestore: a callback with which an interrupted training goes on where it was."""

import contextlib
import os
from pathlib import Path

from nnlite.atomic_write import replacing
from nnlite.callbacks.callback import Callback
from nnlite.callbacks.pace import Pace, legal_pace
from nnlite.errors import prefixed
from nnlite.saving.nested_file import read, write
from nnlite.saving.own_state import warn_of_own_state
from nnlite.saving.state import state_of

_LATEST, _PREVIOUS = "latest.npz", "previous.npz"
_DO_NOT_FIT = AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError


class BackupAndRestore(Callback):
    """Keeps what an interrupted training needs to go on, wherever it is interrupted.

    A program that is killed, and started again as it was, ends with the same bits as one that never
    stopped, the history included. `fit` finds the backup and goes on from there. It holds the
    weights, the optimizers that are attributes of the model, the callbacks, the metrics, the
    history, the order of the data, and the random generators of nnlite, NumPy and Python.

    Parameters
    ----------
    backup_dir : str or path
        A folder for one training alone. It is made if it is missing.
    save_freq : 'epoch' or int of at least 1, default 'epoch'
        After how many batches to make a backup, counted over all epochs.
    double_checkpoint : bool, default False
        Whether to keep the backup before the last one, too, for when the last one cannot be read.
    delete_checkpoint : bool, default True
        Whether a training that is complete deletes its backup. With False the same `fit` has
        nothing left to do, and one with more `epochs` goes on.

    Raises
    ------
    ValueError
        If a setting is out of range. In `fit`, if the backup is not whole, or one of another model,
        other data or callbacks.

    Notes
    -----
    A backup replaces the one before in one moment, so that there is always a whole one. It is made
    after all other callbacks were called, whatever their order.

    A callback of one's own says what it must find again by `get_state` and `set_state`. Data that
    can be asked for by number are not read again; a generator is gone through again from its first
    batch. Data that draw random numbers as they are read go on exactly from the end of an epoch:
    within one, a batch has been read ahead.

    Examples
    --------
    >>> import nnlite
    >>> class Power(nnlite.callbacks.Callback):
    ...     fails = True
    ...     def on_epoch_begin(self, epoch, logs=None):
    ...         if epoch == 2 and self.fails:
    ...             raise SystemExit
    >>> def program():
    ...     nnlite.utils.set_random_seed(0)
    ...     model = nnlite.Sequential([nnlite.layers.Dense(1, input_shape=(2,))])
    ...     model.compile("adam", "mse")
    ...     watch = [nnlite.callbacks.BackupAndRestore("backup"), Power()]
    ...     return model.fit([[1, 2]], [3], epochs=4, verbose=0, callbacks=watch)
    >>> try:
    ...     program()
    ... except SystemExit:
    ...     Power.fails = False
    >>> program().epoch
    [0, 1, 2, 3]
    """

    _keeps_the_fit = _of_one_fit = True

    _legal = {
        "save_freq": legal_pace("epoch"),
        "double_checkpoint": "bool",
        "delete_checkpoint": "bool",
    }
    _state = ("_pace",)
    fit = None  # what the training loop has at hand; it sets this attribute

    def __init__(
        self, backup_dir, save_freq="epoch", double_checkpoint=False, delete_checkpoint=True
    ):
        self.save_freq = save_freq
        self.double_checkpoint, self.delete_checkpoint = double_checkpoint, delete_checkpoint
        self._check_given()
        if not isinstance(backup_dir, (str, os.PathLike)) or not os.fspath(backup_dir):
            raise ValueError(
                f"BackupAndRestore: backup_dir: expected the path of a folder, got {backup_dir!r}"
            )
        self.backup_dir = os.fspath(backup_dir)
        self._pace, self._found = Pace(save_freq), None

    def on_train_begin(self, logs=None):
        warn_of_own_state(state_of(self.fit.model, optimizer=False)[1], "a backup")
        folder = Path(self.backup_dir)
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f".{_LATEST}.*"):  # half written when the process was killed
            left.unlink()
        self._pace, self._found = Pace(self.save_freq), self._read()
        if self._found is not None:
            with self._fitting():
                self.fit.set_state(self._found)

    def on_epoch_begin(self, epoch, logs=None):
        self._pace.begin_epoch()
        if self._found is not None and self.fit.done:  # another callback changed the state
            with self._fitting():
                self.fit.set_values(self._found)
        self._found = None

    def on_train_batch_end(self, batch, logs=None):
        if self._pace.is_due(batch):
            self._write()

    def on_epoch_end(self, epoch, logs=None):
        if self.save_freq == "epoch":
            self._write()

    def on_train_end(self, logs=None):
        self._found = None
        if not self.delete_checkpoint:
            return
        folder = Path(self.backup_dir)
        for name in (_PREVIOUS, _LATEST):
            (folder / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # there is something else in it
            folder.rmdir()

    def wants_batches(self, kind="train"):
        return self.save_freq != "epoch" and super().wants_batches(kind)

    def _write(self):
        latest = Path(self.backup_dir) / _LATEST
        with prefixed("BackupAndRestore: ", TypeError), replacing(latest) as temporary:
            write(temporary, self.fit.get_state())
            if self.double_checkpoint and latest.exists():
                os.replace(latest, latest.with_name(_PREVIOUS))

    def _read(self):
        """The last backup that is whole; None if there is none at all."""
        error = None
        for name in (_LATEST, _PREVIOUS):
            try:
                return read(Path(self.backup_dir) / name)
            except FileNotFoundError:
                continue
            except (OSError, ValueError) as caught:
                error = error or caught
        if error is not None:
            raise ValueError(
                f"BackupAndRestore: {error}; delete it to train from the first epoch"
            ) from error
        return None

    @contextlib.contextmanager
    def _fitting(self):
        """Say of what is wrong with a backup that it is the backup's fault."""
        try:
            yield
        except _DO_NOT_FIT as error:
            what = error if isinstance(error, ValueError) else repr(error)
            raise ValueError(
                f"BackupAndRestore: the backup in {self.backup_dir!r} is not that of this "
                f"training: {what}; delete it, or choose another backup_dir"
            ) from error
