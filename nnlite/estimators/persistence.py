"""What fitted estimators become outside of the process: a file, a pickle, a slim copy."""

import contextvars
import copy

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from nnlite.estimators import files

_in_pickle = contextvars.ContextVar("nnlite whether attributes are asked for", default=False)
_FILE = "nnlite file"


class PersistenceMixin:
    """An estimator that can be saved, pickled and slimmed."""

    def save(self, filepath, overwrite=True, include_optimizer=True):
        """Write the estimator: settings, what `fit` learned, and the model. No pickle.

        Parameters
        ----------
        filepath : str or path
            Its ending says the format: '.safetensors', which needs no package; or '.keras', which
            Keras opens as a plain model, and which needs h5py.
        overwrite : bool, default True
            Whether a file of this name may be replaced.
        include_optimizer : bool, default True
            Whether the state of the optimizer is written, too. Without it the file is up to three
            times smaller, and training goes on with a fresh optimizer.

        Raises
        ------
        FileExistsError
            If there is such a file and it must not be replaced.
        ImportError
            If the format needs a package that is not installed.
        TypeError
            If a setting cannot be described as data, such as a lambda. The message names it.
        ValueError
            If no format has the ending.

        See Also
        --------
        nnlite.load : Reads it.
        """
        files.save(self, filepath, overwrite, include_optimizer)

    def slim(self):
        """A fitted copy for predictions: without the state of the optimizer, which makes a pickle
        up to three times larger, and without `oof_prediction_`. It can be trained on, with a fresh
        optimizer.

        Returns
        -------
        NNClassifier or NNRegressor
        """
        check_is_fitted(self)
        slim, model = copy.copy(self), self.model_
        vars(slim).pop("oof_prediction_", None)
        left_out = {id(model.optimizer): clone(model.optimizer), id(model.history): None}
        slim._set_model(copy.deepcopy(model, left_out))
        return slim

    def __getstate__(self):
        # Pickles and copies hold the attributes. skops asks without that, and takes data only.
        if _in_pickle.get():
            state = super().__getstate__()
            return {k: v for k, v in state.items() if k not in files.OF_THE_PROCESS}
        return {_FILE: files.as_bytes(self)}

    def __setstate__(self, state):
        if set(state) == {_FILE}:
            files.fill_from_bytes(self, state[_FILE])
        else:
            super().__setstate__(state)

    def __reduce_ex__(self, protocol):
        token = _in_pickle.set(True)
        try:
            return super().__reduce_ex__(protocol)
        finally:
            _in_pickle.reset(token)
