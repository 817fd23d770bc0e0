"""Callbacks: objects that `fit`, `evaluate` and `predict` call between epochs and batches."""

from nnlite import names
from nnlite.callbacks.backup import BackupAndRestore
from nnlite.callbacks.callback import Callback, LambdaCallback
from nnlite.callbacks.checkpoint import ModelCheckpoint
from nnlite.callbacks.control import (
    EarlyStopping,
    LearningRateScheduler,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from nnlite.callbacks.loggers import CSVLogger, History, ProgbarLogger
from nnlite.callbacks.tensorboard import TensorBoard

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TerminateOnNaN",
]

__getattr__ = names.of(__name__)
