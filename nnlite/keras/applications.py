"""`nnlite.keras.applications` is `nnlite.applications`."""

from nnlite.keras import alias

alias("applications")
