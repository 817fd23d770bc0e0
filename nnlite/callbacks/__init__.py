"""Callbacks: objects that `fit`, `evaluate` and `predict` call between epochs and batches."""

from nnlite import lazy, names
from nnlite.callbacks.callback import Callback, LambdaCallback
from nnlite.callbacks.callback_list import CallbackList
from nnlite.callbacks.control import (
    EarlyStopping,
    LearningRateScheduler,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from nnlite.callbacks.loggers import CSVLogger, History, ProgbarLogger

with lazy.imports(__name__):
    from nnlite.callbacks.averaged import SwapEMAWeights
    from nnlite.callbacks.backup import BackupAndRestore
    from nnlite.callbacks.checkpoint import ModelCheckpoint
    from nnlite.callbacks.remote import RemoteMonitor
    from nnlite.callbacks.tensorboard import TensorBoard
    from nnlite.callbacks.trackers import MLflow, OptunaPruning

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

__getattr__ = names.of(__name__)
