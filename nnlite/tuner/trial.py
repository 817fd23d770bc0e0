"""Trial: one choice of values, what came of it, and its file."""

import json
from pathlib import Path

from nnlite.atomic_write import write_whole
from nnlite.terminal import write
from nnlite.tuner.hyperparameters import HyperParameters

RUNNING, COMPLETED, FAILED = "RUNNING", "COMPLETED", "FAILED"


class Trial:
    """One choice of values, and what came of it.

    Parameters
    ----------
    hyperparameters : HyperParameters
    trial_id : str
        Its number among all trials, from '0000'.

    Attributes
    ----------
    status : {'RUNNING', 'COMPLETED', 'FAILED'}
        One that was killed is still running: it is run again.
    score : float or None
        The objective at the best epoch, the mean of all executions.
    best_step : int
        The best epoch, from 0, the mean of all executions.
    metrics : dict
        The logs at the best epoch, the means of all executions.
    histories : list of dict
        The logs of each execution: name -> one value for each epoch.
    seconds : float
        How long it took.
    message : str or None
        Why it failed.
    stopped_early : bool
        Whether the search ended it before its last epoch.
    build_config : dict or None
        The shapes that its model was built for, if data said them.
    notes : dict
        What the search remembers of it.
    """

    def __init__(self, hyperparameters, trial_id):
        self.hyperparameters, self.trial_id = hyperparameters, trial_id
        self.status, self.score, self.best_step = RUNNING, None, 0
        self.metrics, self.histories, self.seconds = {}, [], 0.0
        self.message, self.stopped_early = None, False
        self.build_config, self.notes = None, {}

    @property
    def number(self):
        """Its number among all trials, from 0."""
        return int(self.trial_id)

    def summary(self):
        """Print the values and the score.

        Examples
        --------
        >>> from nnlite import tuner as kt
        >>> from nnlite.tuner.trial import Trial
        >>> hp = kt.HyperParameters()
        >>> _ = hp.Int("units", 32, 512)
        >>> Trial(hp, "0000").summary()
        Trial 0000 summary
        Hyperparameters:
        units: 32
        """
        lines = [f"Trial {self.trial_id} summary", "Hyperparameters:"]
        values = self.hyperparameters.values
        lines += [f"{name}: {value}" for name, value in values.items()] or ["default configuration"]
        lines += [f"Score: {self.score}"] if self.score is not None else []
        lines += [self.message] if self.message else []
        write("\n".join(lines))

    def save(self, folder):
        """Write `trial.json` in a folder, whole or not at all.

        Parameters
        ----------
        folder : path
        """
        state = {**vars(self), "hyperparameters": self.hyperparameters.get_config()}
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "trial.json", state)

    @classmethod
    def load(cls, path):
        """The trial of a file.

        Parameters
        ----------
        path : path

        Raises
        ------
        ValueError
            If it is no such file.
        """
        state = read_json(path)
        try:
            hp = HyperParameters.from_config(state.pop("hyperparameters"))
            trial = cls(hp, state["trial_id"])
            trial.__dict__.update((name, state[name]) for name in vars(trial) if name in state)
            int(trial.trial_id)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: expected a trial as JSON, got another file") from error
        return trial


def write_json(path, state):
    """Write a dict as JSON, whole or not at all.

    Parameters
    ----------
    path : path
    state : dict
    """
    write_whole(path, json.dumps(state, indent=1).encode())


def read_json(path):
    """The dict of a file of JSON.

    Parameters
    ----------
    path : path

    Raises
    ------
    ValueError
        If it is no such file; its name is in the message.
    """
    try:
        state = json.loads(Path(path).read_text())
    except ValueError as error:
        raise ValueError(f"{path}: expected a file of JSON ({error})") from error
    if not isinstance(state, dict):
        raise ValueError(f"{path}: expected an object of JSON, got {type(state).__name__}")
    return state
