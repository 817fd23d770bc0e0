"""`nnlite.keras.wrappers` is `nnlite.wrappers`."""

from nnlite.keras import alias

alias("wrappers")
