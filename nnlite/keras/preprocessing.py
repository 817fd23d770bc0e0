"""`nnlite.keras.preprocessing` is `nnlite.preprocessing`."""

from nnlite.keras import alias

alias("preprocessing")
