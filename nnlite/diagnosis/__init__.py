"""Diagnosis: what keeps a network from learning, found by looking at it and its data.

`doctor` looks at all of it, and `gradcheck` (in `gradients`) at gradients alone. `case` copies the
model and runs one batch through it, `of_data`, `of_layers` and `of_training` hold the checks,
`finding` what they found, as a table in a terminal and in a notebook, and `picture` draws the
layers.
"""

from nnlite.diagnosis.examination import doctor
from nnlite.diagnosis.finding import Diagnosis, Finding
from nnlite.diagnosis.gradients import gradcheck

__all__ = ["Diagnosis", "Finding", "doctor", "gradcheck"]
