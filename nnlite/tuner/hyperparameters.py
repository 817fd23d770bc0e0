"""HyperParameters: what a model asks for while it is built, and the values that it is given."""

import contextlib
import copy

from nnlite.errors import did_you_mean
from nnlite.tuner import spaces


class HyperParameters:
    """A search space, and a value for each of its hyperparameters that is active.

    A function that builds a model gets one and asks it for values. What it asks for is the search
    space: nothing is declared before.

    Attributes
    ----------
    space : list
        The hyperparameters, in the order in which they were first asked for.
    values : dict
        Name -> value, of those that are active.

    Examples
    --------
    >>> from nnlite import tuner as kt
    >>> hp = kt.HyperParameters()
    >>> hp.Int("units", min_value=32, max_value=512, step=32)
    32
    >>> kind = hp.Choice("optimizer", ["sgd", "adam"])
    >>> with hp.conditional_scope("optimizer", ["sgd"]):
    ...     momentum = hp.Float("momentum", 0.5, 0.9)
    >>> hp.values
    {'units': 32, 'optimizer': 'sgd', 'momentum': 0.5}
    """

    def __init__(self):
        self.space, self.values = [], {}
        self._names, self._conditions = [], []
        self.active_scopes, self.inactive_scopes = [], []

    def Choice(
        self, name, values, ordered=None, default=None, parent_name=None, parent_values=None
    ):
        """One of some values.

        Parameters
        ----------
        name : str
        values : list of str, int, float, bool or None
        ordered : bool, optional
            Whether neighbours in the list are alike, which BayesianOptimization makes use of; by
            default if all are numbers.
        default : one of the values, optional
            By default the first.
        parent_name, parent_values
            As for `conditional_scope`.

        Returns
        -------
        one of the values; None if the hyperparameter is not active

        Raises
        ------
        TypeError, ValueError
            If the arguments do not fit.

        Examples
        --------
        >>> from nnlite import tuner as kt
        >>> kt.HyperParameters().Choice("learning_rate", [1e-2, 1e-3], default=1e-3)
        0.001
        """
        return self._ask(
            spaces.Choice, name, parent_name, parent_values, (values, ordered, default)
        )

    def Int(
        self,
        name,
        min_value,
        max_value,
        step=None,
        sampling="linear",
        default=None,
        parent_name=None,
        parent_values=None,
    ):
        """A whole number.

        Parameters
        ----------
        name : str
        min_value, max_value : int
            Both may be taken.
        step : int, optional
            The difference between two neighbours, 1 by default; if `sampling` is not 'linear', the
            factor between them, without which any number may be taken.
        sampling : {'linear', 'log', 'reverse_log'}, default 'linear'
            'log': each power of ten is as likely as another; 'reverse_log': the same, counted
            from above, so that most lie near `max_value`.
        default : int, optional
            By default `min_value`.
        parent_name, parent_values
            As for `conditional_scope`.

        Returns
        -------
        int; None if the hyperparameter is not active

        Raises
        ------
        ValueError
            If the range is empty, the default is outside of it, or the step or sampling do not fit.

        Examples
        --------
        >>> from nnlite import tuner as kt
        >>> hp = kt.HyperParameters()
        >>> hp.Int("batch_size", 16, 128, step=2, sampling="log")
        16
        >>> hp.space[0].grid()
        [16, 32, 64, 128]
        """
        settings = min_value, max_value, step, sampling, default
        return self._ask(spaces.Int, name, parent_name, parent_values, settings)

    def Float(
        self,
        name,
        min_value,
        max_value,
        step=None,
        sampling="linear",
        default=None,
        parent_name=None,
        parent_values=None,
    ):
        """A number.

        Parameters
        ----------
        name : str
        min_value, max_value : float
            Both may be taken.
        step : float, optional
            The difference between two neighbours, or the factor if `sampling` is not 'linear'; by
            default any number may be taken.
        sampling : {'linear', 'log', 'reverse_log'}, default 'linear'
            As for `Int`.
        default : float, optional
            By default `min_value`.
        parent_name, parent_values
            As for `conditional_scope`.

        Returns
        -------
        float; None if the hyperparameter is not active

        Raises
        ------
        ValueError
            If the range is empty, the default is outside of it, or the step or sampling do not fit.

        Examples
        --------
        >>> from nnlite import tuner as kt
        >>> kt.HyperParameters().Float("rate", 0.0, 0.5, step=0.1)
        0.0
        """
        settings = min_value, max_value, step, sampling, default
        return self._ask(spaces.Float, name, parent_name, parent_values, settings)

    def Boolean(self, name, default=False, parent_name=None, parent_values=None):
        """False or True.

        Parameters
        ----------
        name : str
        default : bool, default False
        parent_name, parent_values
            As for `conditional_scope`.

        Returns
        -------
        bool; None if the hyperparameter is not active

        Examples
        --------
        >>> from nnlite import tuner as kt
        >>> kt.HyperParameters().Boolean("batch_norm")
        False
        """
        return self._ask(spaces.Boolean, name, parent_name, parent_values, (default,))

    def Fixed(self, name, value, parent_name=None, parent_values=None):
        """A value that is not searched.

        Parameters
        ----------
        name : str
        value : str, int, float, bool or None
        parent_name, parent_values
            As for `conditional_scope`.

        Returns
        -------
        the value; None if the hyperparameter is not active

        Examples
        --------
        >>> from nnlite import tuner as kt
        >>> kt.HyperParameters().Fixed("epochs", 20)
        20
        """
        return self._ask(spaces.Fixed, name, parent_name, parent_values, (value,))

    def _ask(self, kind, name, parent_name, parent_values, settings):
        """The value of a hyperparameter, which becomes a part of the space if it is none yet."""
        scope = contextlib.nullcontext()
        if parent_name is not None:
            scope = self.conditional_scope(parent_name, parent_values)
        with scope:
            name = self._full(name)
            if any(parent == name for parent, _ in self._conditions):
                raise ValueError(f"name: expected another than that of the parent, got {name!r}")
            settings = [spaces.plain(value) for value in settings]
            asked = kind(name, *settings, conditions=copy.deepcopy(self._conditions))
        known = self._find(asked)
        if known is None:
            self.space.append(asked)
            known = asked
        if not known.is_active(self.values):
            return None
        return self.values.setdefault(name, known.default)

    def _find(self, hyperparameter):
        """The member of the space of the same name under the same conditions."""
        same = hyperparameter.name, list(map(list, hyperparameter.conditions))
        return next(
            (h for h in self.space if (h.name, list(map(list, h.conditions))) == same), None
        )

    def _full(self, name):
        return "/".join([*self._names, str(name)])

    @contextlib.contextmanager
    def name_scope(self, name):
        """A block in which each name begins with another one and '/'.

        Parameters
        ----------
        name : str

        Examples
        --------
        >>> from nnlite import tuner as kt
        >>> hp = kt.HyperParameters()
        >>> with hp.name_scope("encoder"):
        ...     units = hp.Int("units", 8, 64)
        >>> hp.values
        {'encoder/units': 8}
        """
        self._names.append(str(name))
        try:
            yield
        finally:
            self._names.pop()

    @contextlib.contextmanager
    def conditional_scope(self, parent_name, parent_values):
        """A block whose hyperparameters are active only if another one has certain values.

        The block runs in any case; asked for a value that is not active, the answer is None.

        Parameters
        ----------
        parent_name : str
            Of a hyperparameter that was asked for before.
        parent_values : list, or one value
            With which the block's are active.

        Raises
        ------
        ValueError
            If there is no such parent.

        Examples
        --------
        >>> from nnlite import tuner as kt
        >>> hp = kt.HyperParameters()
        >>> kind = hp.Choice("kind", ["mlp", "cnn"])
        >>> with hp.conditional_scope("kind", ["cnn"]):
        ...     print(hp.Int("filters", 8, 64))
        None
        """
        parent, known = self._full(parent_name), [h.name for h in self.space]
        if parent not in known:
            raise ValueError(
                f"parent_name: expected a hyperparameter that was asked for before, got {parent!r}"
                f"{did_you_mean(parent, known)}"
            )
        allowed = list(parent_values) if isinstance(parent_values, (list, tuple)) else parent_values
        allowed = allowed if isinstance(allowed, list) else [allowed]
        self._conditions.append([parent, spaces.plain(allowed)])
        met = spaces.are_met(self._conditions, self.values)
        scopes = self.active_scopes if met else self.inactive_scopes
        scopes.append(copy.deepcopy(self._conditions))
        try:
            yield
        finally:
            self._conditions.pop()

    def get(self, name):
        """The value of a hyperparameter; `hp[name]` is the same.

        Parameters
        ----------
        name : str

        Raises
        ------
        KeyError
            If there is none of this name.
        ValueError
            If it is not active.

        Examples
        --------
        >>> from nnlite import tuner as kt
        >>> hp = kt.HyperParameters()
        >>> _ = hp.Int("units", 32, 512)
        >>> hp.get("units")
        32
        """
        name, known = self._full(name), [h.name for h in self.space]
        if name in self.values:
            return self.values[name]
        if name in known:
            raise ValueError(f"name: expected a hyperparameter that is active, got {name!r}")
        meant = did_you_mean(name, [*known, *self.values])
        raise KeyError(f"name: expected a hyperparameter, got {name!r}{meant}")

    __getitem__ = get

    def __contains__(self, name):
        return self._full(name) in self.values

    def __repr__(self):
        return f"HyperParameters({self.values})"

    def is_active(self, hyperparameter):
        """Whether a hyperparameter has a value, as those that it depends on are.

        Parameters
        ----------
        hyperparameter : str, or member of `space`
        """
        if isinstance(hyperparameter, spaces.HyperParameter):
            return hyperparameter.is_active(self.values)
        named = [h for h in self.space if h.name == str(hyperparameter)]
        return any(h.is_active(self.values) for h in named)

    def merge(self, hps, overwrite=True):
        """Add the hyperparameters of another space.

        Parameters
        ----------
        hps : HyperParameters, or list of members of `space`
        overwrite : bool, default True
            Whether one that is here under the same name and conditions is replaced.
        """
        for given in getattr(hps, "space", hps):
            known = self._find(given)
            if known is None:
                self.space.append(given)
            elif overwrite:
                self.space[self.space.index(known)] = given
                self.values.pop(given.name, None)
        self.ensure_active_values()

    def ensure_active_values(self):
        """Give each active hyperparameter without a value its default, and take the values of
        others away."""
        active = {}
        for h in self.space:
            if h.is_active(active):
                active.setdefault(h.name, self.values.get(h.name, h.default))
        known = {h.name for h in self.space}
        extra = {name: value for name, value in self.values.items() if name not in known}
        self.values = {**active, **extra}

    def copy(self):
        """The same space and values, as an object of its own."""
        return HyperParameters.from_config(self.get_config())

    def get_config(self):
        """Space and values as a dict that JSON holds.

        Returns
        -------
        dict
        """
        space = [{"class_name": type(h).__name__, "config": h.get_config()} for h in self.space]
        return {"space": copy.deepcopy(space), "values": dict(self.values)}

    @classmethod
    def from_config(cls, config):
        """The object that `get_config` described.

        Parameters
        ----------
        config : dict
        """
        made = cls()
        for entry in config["space"]:
            made.space.append(spaces.KINDS[entry["class_name"]].from_config(entry["config"]))
        made.values = dict(config["values"])
        return made
