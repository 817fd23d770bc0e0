"""`nnlite.keras.datasets` is `nnlite.datasets`."""

from nnlite.keras import alias

alias("datasets")
