"""Keras's `mixed_precision`: nnlite mixes none, so that policies are 'float32' and 'float64'."""

from nnlite import names
from nnlite.config import DTypePolicy, dtype_policy, set_dtype_policy
from nnlite.optimizers import LossScaleOptimizer

__all__ = [
    "DTypePolicy",
    "LossScaleOptimizer",
    "Policy",
    "dtype_policy",
    "global_policy",
    "set_dtype_policy",
    "set_global_policy",
]

Policy = DTypePolicy
global_policy, set_global_policy = dtype_policy, set_dtype_policy

__getattr__ = names.of(__name__)
