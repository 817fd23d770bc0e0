"""Callbacks: objects that `fit`, `evaluate` and `predict` call between epochs and batches."""

from nnlite import names
from nnlite.callbacks.averaged import SwapEMAWeights
from nnlite.callbacks.callback import Callback, LambdaCallback
from nnlite.callbacks.callback_list import CallbackList
from nnlite.callbacks.control import (
    EarlyStopping,
    LearningRateScheduler,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from nnlite.callbacks.loggers import CSVLogger, History, ProgbarLogger

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "MLflow",
    "ModelCheckpoint",
    "OptunaPruning",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "RemoteMonitor",
    "SwapEMAWeights",
    "TensorBoard",
    "TerminateOnNaN",
]

# Imported when first used: they bring what writes files.
_LAZY = {
    "BackupAndRestore": "nnlite.callbacks.backup",
    "MLflow": "nnlite.callbacks.trackers",
    "ModelCheckpoint": "nnlite.callbacks.checkpoint",
    "OptunaPruning": "nnlite.callbacks.trackers",
    "RemoteMonitor": "nnlite.callbacks.remote",
    "TensorBoard": "nnlite.callbacks.tensorboard",
}

__getattr__ = names.of(__name__, _LAZY)
