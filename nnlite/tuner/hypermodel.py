"""HyperModel: how a model is made of hyperparameters, and how it is trained."""


class HyperModel:
    """Base of what builds models, and may say how to train them; a subclass defines `build`.

    Parameters
    ----------
    name : str, optional
    tunable : bool, default True
        If False, `build` takes the default of everything that it asks for.

    Examples
    --------
    >>> import nnlite as keras
    >>> from nnlite import tuner as kt
    >>> class Network(kt.HyperModel):
    ...     def build(self, hp):
    ...         units = hp.Int("units", 8, 64, step=8)
    ...         model = keras.Sequential([keras.layers.Dense(units, input_shape=(4,))])
    ...         model.compile("adam", "mse")
    ...         return model
    ...
    ...     def fit(self, hp, model, *args, **kwargs):
    ...         return model.fit(*args, batch_size=hp.Choice("batch_size", [16, 32]), **kwargs)
    >>> Network().build(kt.HyperParameters()).count_params()
    40
    """

    name, tunable = None, True  # also of a subclass that does not call this constructor

    def __init__(self, name=None, tunable=True):
        self.name, self.tunable = name, tunable

    def build(self, hp):
        """A model, compiled.

        Parameters
        ----------
        hp : HyperParameters
            It is asked for values.

        Returns
        -------
        Model
        """
        raise NotImplementedError(f"{type(self).__name__}: expected a method build(self, hp)")

    def fit(self, hp, model, *args, **kwargs):
        """Train a model.

        Parameters
        ----------
        hp : HyperParameters
            It may be asked for more values.
        model : Model
            What `build` returned.
        *args, **kwargs
            Those of `search`, and `callbacks`, which must reach the model's own `fit`.

        Returns
        -------
        History, dict, float or list of them
            What the model's `fit` returned, or figures by name, or the objective alone; lists are
            averaged.
        """
        return model.fit(*args, **kwargs)

    def _build(self, hp):
        return self.build(hp if self.tunable else hp.copy())


class _OfFunction(HyperModel):
    """A HyperModel made of a function."""

    def __init__(self, build):
        super().__init__()
        self.build = build


def as_hypermodel(given):
    """A HyperModel of what a user gave.

    Parameters
    ----------
    given : HyperModel, function of hp or None

    Raises
    ------
    TypeError
        If it is something else.
    """
    if given is None or isinstance(given, HyperModel):
        return given
    if isinstance(given, type) or not callable(given):
        raise TypeError(
            "hypermodel: expected a function of hp that returns a compiled model, or a HyperModel, "
            f"got {given!r}"
        )
    return _OfFunction(given)
