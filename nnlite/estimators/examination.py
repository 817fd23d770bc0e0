"""What `nnlite.doctor` sees of an estimator."""

import copy

from sklearn.base import clone

from nnlite.estimators import input_validation, sequences


def seen_by_the_doctor(estimator, X, y, held_out=None):
    """What `nnlite.doctor` looks at: the model, a new one if there is none yet, X, y and the rows
    held out as the model gets them, and the history. The estimator stays as it is."""
    fitted = hasattr(estimator, "model_")
    own = copy.copy(estimator) if fitted else clone(estimator)
    if own.random_state is None:
        own.random_state = 0  # the process's random numbers stay as they are
    own._check_settings()
    X, y = input_validation.validate_X_y(own, X, y, reset=not fitted)
    if not fitted:
        own._learn_target(y)
    data = own._training_data(X, y, None, learn_scale=not fitted)
    model = own.model_ if fitted else own._model(data, own._seed(), small_in_float64=True)
    x = own._samples_for(model, data.X)
    target = own._targets_for_loss(model, data.target)
    if own._columns is not None and isinstance(held_out, (tuple, list)) and len(held_out):
        held_out = (own._columns.encoded(held_out[0]), *held_out[1:])
    if own._ragged and isinstance(held_out, (tuple, list)) and len(held_out):
        held = own._samples_for(model, sequences.as_array(own, held_out[0], False)[0])
        x, held = sequences.of_one_length(x, held)
        held_out = (held, *held_out[1:])
    return model, x, target, held_out, own.history_ if fitted else None
