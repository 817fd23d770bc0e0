"""Stateful: what knows which of its attributes a training that goes on must find again."""


class Stateful:
    """An object whose state is some of its attributes.

    A subclass sets `_state`, their names. Where that does not do it overrides both methods.
    """

    _state = ()

    def get_state(self):
        """What must be put back for a training to go on: attributes by name.

        Returns
        -------
        dict
            Of numbers, strings and arrays, also in lists, tuples and dicts.
        """
        found = {name: getattr(self, name) for name in self._state}
        return {k: v.get_state() if isinstance(v, Stateful) else v for k, v in found.items()}

    def set_state(self, state):
        """Put a state back; called after `on_train_begin`.

        Parameters
        ----------
        state : dict
            As `get_state` returned it.
        """
        for name in self._state:
            part = getattr(self, name)
            if isinstance(part, Stateful):
                part.set_state(state[name])
            else:
                setattr(self, name, state[name])
