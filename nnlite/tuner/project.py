"""Project: the trials of a search, which of them are best, and their files."""

import shutil
from pathlib import Path

from nnlite.terminal import write
from nnlite.tuner.trial import COMPLETED, FAILED, Trial, read_json, write_json
from nnlite.visualization.trials import plot_trials

_STATE, _WEIGHTS = "tuner.json", "best.safetensors"


class Project:
    """The trials of a search in a folder.

    Parameters
    ----------
    directory : str or path
    project_name : str
        Of a folder in it.
    objective : Objective
        What the trials are compared by.
    seed : int or None

    Attributes
    ----------
    trials : dict of str to Trial
        By their numbers, '0000', '0001', ...
    project_dir : path
    """

    max_trials = None

    def __init__(self, directory, project_name, objective, seed):
        self.directory, self.project_name = Path(directory), project_name
        self.project_dir = self.directory / project_name
        self.objective, self.seed, self._seed, self.trials = objective, seed, seed, {}

    def get_trial(self, trial_id):
        """A trial by its number.

        Parameters
        ----------
        trial_id : str
            '0000', '0001', ...

        Raises
        ------
        KeyError
            If there is none.
        """
        if trial_id not in self.trials:
            raise KeyError(f"trial_id: expected one of {', '.join(self.trials)}, got {trial_id!r}")
        return self.trials[trial_id]

    def get_best_trials(self, num_trials=1):
        """The best trials, the best one first; of equal ones the earliest.

        Parameters
        ----------
        num_trials : int, default 1
            The most.

        Returns
        -------
        list of Trial
        """
        done = self._completed()
        sign = -1 if self.objective.direction == "max" else 1
        return sorted(done, key=lambda t: sign * t.score)[:num_trials]

    def get_best_hyperparameters(self, num_trials=1):
        """The values of the best trials: `tuner.hypermodel.build(hp)` makes a new model of them.

        Parameters
        ----------
        num_trials : int, default 1
            The most.

        Returns
        -------
        list of HyperParameters
        """
        return [t.hyperparameters.copy() for t in self.get_best_trials(num_trials)]

    def results_summary(self, num_trials=10):
        """Print the best trials.

        Parameters
        ----------
        num_trials : int, default 10
            The most.
        """
        write(
            f"Results summary\nResults in {self.project_dir}\n"
            f"Showing {num_trials} best trials\n{self.objective}"
        )
        for trial in self.get_best_trials(num_trials):
            write("")
            trial.summary()

    def plot(self, path=None):
        """Plot the objective of each trial, and over each hyperparameter.

        Parameters
        ----------
        path : str or path, optional
            File to which the picture is also written: .png, .svg or .pdf.

        Returns
        -------
        list of Axes

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        ValueError
            If no trial is finished.
        """
        done = self._completed()
        values, scores = [t.hyperparameters.values for t in done], [t.score for t in done]
        rises = self.objective.direction == "max"
        return plot_trials(values, scores, rises, self.objective.name, path=path)

    @property
    def remaining_trials(self):
        """How many trials are left; None if there is no limit."""
        return None if self.max_trials is None else self.max_trials - len(self.trials)

    @property
    def oracle(self):
        """The tuner itself, which has what Keras Tuner's oracle has: `trials`,
        `get_best_trials`."""
        return self

    def _completed(self):
        return [t for t in self.trials.values() if t.status == COMPLETED]

    def _failures(self):
        """How many trials failed since the last one that did not."""
        count = 0
        for trial in self.trials.values():
            count = count + 1 if trial.status == FAILED else 0
        return count

    def _folder(self, trial):
        return self.project_dir / f"trial_{trial.trial_id}"

    def _weights(self, trial):
        return self._folder(trial) / _WEIGHTS

    def save(self):
        """Write what the files of the trials do not say; `search` calls it."""
        self.project_dir.mkdir(parents=True, exist_ok=True)
        state = {"seed": self._seed, "objective": self.objective.get_config()}
        write_json(self.project_dir / _STATE, state)

    def reload(self):
        """Read all trials again from their files.

        Raises
        ------
        ValueError
            If a file is not what was written, or the search is one for another objective.
        """
        path = self.project_dir / _STATE
        state, own = read_json(path), self.objective.get_config()
        if state.get("objective") != own:
            raise ValueError(
                f"objective: expected {state.get('objective')}, which {path} has, got {own}; "
                "overwrite=True begins a new one"
            )
        if self.seed is None:
            self._seed = state["seed"]
        files = sorted(self.project_dir.glob("trial_*/trial.json"))
        trials = sorted(map(Trial.load, files), key=lambda t: t.number)
        self.trials = {t.trial_id: t for t in trials}

    def _exists(self):
        return (self.project_dir / _STATE).exists()

    def _remove(self):
        """Remove the files of an older search, and nothing else."""
        for folder in self.project_dir.glob("trial_*"):
            if (folder / "trial.json").exists():
                shutil.rmtree(folder)
        (self.project_dir / _STATE).unlink(missing_ok=True)
