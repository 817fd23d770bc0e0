"""What `export` tells of the file that it wrote."""

from dataclasses import dataclass, field
from pathlib import Path

from nnlite import terminal
from nnlite.atomic_write import write_whole


@dataclass
class Report:
    """A file that was exported.

    Attributes
    ----------
    path : Path
    program : Program
        What was written.
    figures : dict of str to str
        What else the format has to tell, in the order in which it is shown.
    runtime : str or None
        What ran the file, with its version; None if it was not run.
    rows : int
        How many rows were compared.
    largest_difference : float or None
        Of an output from what `predict` gives, over the largest of the outputs' absolute values or
        1, whichever is larger; None if the file was not run.
    accuracies : (float, float) or None
        The shares of labels that `predict` and the file find; None without labels.
    unchecked : str
        Why the file was not run.
    contents : dict of Path to bytes
        What a writer leaves to `save`, so that the figures are shown before anything is written.
    dtypes : list of str or None
        Those of the inputs in the file; None: as the program has them.
    """

    path: object
    program: object
    figures: dict = field(default_factory=dict)
    runtime: str | None = None
    rows: int = 0
    largest_difference: float | None = None
    accuracies: tuple | None = None
    unchecked: str = ""
    contents: dict = field(default_factory=dict, repr=False)
    dtypes: list | None = None

    def __str__(self):
        return self._text(self._figures())

    def _text(self, figures):
        size = self.path.stat().st_size
        lines = [f"{self.path}: {size:,} bytes, {len(self.program.calls)} steps", *figures]
        if self.runtime is not None:
            lines.append(
                f"  {self.rows} rows in {self.runtime}: outputs differ from those of predict by "
                f"{self.largest_difference:.2g} at most"
            )
            if self.accuracies is not None:
                ours, theirs = self.accuracies
                lines.append(f"  accuracy: {theirs:.2%}, that of predict {ours:.2%}")
        elif self.unchecked:
            lines.append(f"  not compared with predict: {self.unchecked}")
        return "\n".join(lines)

    def _figures(self):
        return [f"  {name}: {value}" for name, value in self.figures.items()]

    def save(self, verbose):
        """Write what is left to write; if `verbose`, the figures are printed first. Returns whether
        they were."""
        told = verbose and bool(self.contents)
        if told:
            terminal.write("\n".join([f"{self.path} will have", *self._figures()]))
        for path, content in self.contents.items():
            write_whole(Path(path), content)
        self.contents = {}
        return told

    def show(self, figures=True):
        """Print the report, with the format's figures or without."""
        terminal.write(self._text(self._figures() if figures else []))
