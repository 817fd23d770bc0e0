"""Words that people bring from MLPClassifier, Keras, PyTorch and boosting: what they are called
here."""

import functools
import inspect

from nnlite.errors import did_you_mean

# Word -> what does the same; "{}" is the value that was given.
WORDS = {
    "max_iter": "epochs={}",
    "max_epochs": "epochs={}",
    "n_epochs": "epochs={}",
    "learning_rate_init": "learning_rate={}",
    "lr": "learning_rate={}",
    "solver": "optimizer={}",
    "alpha": "kernel_regularizer=L2(alpha / (2 * batch_size)) of the layers, or "
    "optimizer=AdamW(weight_decay=...)",
    "weight_decay": "optimizer=AdamW(weight_decay={})",
    "momentum": "optimizer=SGD(momentum={})",
    "nesterovs_momentum": "optimizer=SGD(nesterov={})",
    "beta_1": "optimizer=Adam(beta_1={}), searched as optimizer__beta_1",
    "beta_2": "optimizer=Adam(beta_2={}), searched as optimizer__beta_2",
    "epsilon": "optimizer=Adam(epsilon={}), searched as optimizer__epsilon",
    "max_fun": "optimizer=LBFGS(max_fun={})",
    "power_t": "optimizer=SGD(schedules.InverseTimeDecay(...))",
    "tol": "early_stopping=EarlyStopping(min_delta={})",
    "n_iter_no_change": "early_stopping=EarlyStopping(patience={})",
    "patience": "early_stopping=EarlyStopping(patience={})",
    "validation_split": "validation_fraction={}",
    "validation_data": "fit(X, y, X_val=..., y_val=...)",
    "shuffle": "nothing: each epoch takes the rows in a new random order",
    "loss": "layers=function, which returns a Model compiled with that loss",
    "dropout": "layers=[Dense(256, 'relu'), Dropout({})]",
    "hidden_units": "hidden_layer_sizes={}",
    "n_jobs": "n_threads={}",
    "thread_count": "n_threads={}",
    "seed": "random_state={}",
    "random_seed": "random_state={}",
    "n_estimators": "ensemble={}",
    "iterations": "epochs={}",
    "cat_features": "categorical_features={}",
    "categorical_feature": "categorical_features={}",
    "early_stopping_rounds": "early_stopping=EarlyStopping(patience={})",
    "eval_set": "fit(X, y, X_val=..., y_val=...)",
    "eval_metric": "metrics=[{}]",
    "module": "layers=[...], or a function that returns a model",
    "criterion": "layers=function, which returns a Model compiled with that loss",
}

ACTIVATIONS = {"logistic": "sigmoid", "identity": "linear"}

RATES = {
    "constant": "schedule=None keeps the rate as it is",
    "invscaling": "learning_rate=schedules.InverseTimeDecay(...) lowers the rate with each step",
    "adaptive": "callbacks=ReduceLROnPlateau('loss', factor=0.2) lowers the rate where the loss "
    "stands still",
}


def meant_by(name, value, known):
    """What an unknown setting is called here, as the end of a message.

    Parameters
    ----------
    name : str
        The setting that was given.
    value : str
        Its value, as it is to be shown.
    known : iterable of str
        The settings there are, among which a similar one is sought.

    Returns
    -------
    str
        Empty if nothing is like it.
    """
    if name in WORDS:
        return f"; here that is {WORDS[name].format(value)}"
    return did_you_mean(name, known)


def activation_of(value):
    """An activation by its name here, where it was given by scikit-learn's."""
    return ACTIVATIONS.get(value, value) if isinstance(value, str) else value


def about_value(name, value):
    """What is said of a value that is wrong: what does the same as scikit-learn's; or nothing."""
    found = RATES.get(value) if name == "learning_rate" and isinstance(value, str) else None
    return f"; {found}" if found else ""


def refuses_settings(method):
    """A decorator of `fit`: a TypeError for arguments that are none of it says what are settings of
    the estimator, and what those are called here."""
    takes = [name for name in inspect.signature(method).parameters if name != "self"]

    @functools.wraps(method)
    def fit(self, *args, **kwargs):
        for name in kwargs.keys() - {*takes}:
            owner, settings = type(self).__name__, self._get_param_names()
            place = f"{owner}.{method.__name__}: unknown argument {name!r}"
            if name in settings:
                raise TypeError(f"{place}; it is a setting: {owner}({name}={kwargs[name]!r})")
            meant = meant_by(name, repr(kwargs[name]), [*takes, *settings])
            raise TypeError(f"{place}; it takes {', '.join(takes)}{meant}")
        return method(self, *args, **kwargs)

    return fit
