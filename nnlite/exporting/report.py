"""What `export` tells of the file that it wrote."""

from dataclasses import dataclass, field

from nnlite import terminal


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
    unchecked : str
        Why the file was not run.
    dtypes : list of str or None
        Those of the inputs in the file; None: as the program has them.
    """

    path: object
    program: object
    figures: dict = field(default_factory=dict)
    runtime: str | None = None
    rows: int = 0
    largest_difference: float | None = None
    unchecked: str = ""
    dtypes: list | None = None

    def __str__(self):
        size = self.path.stat().st_size
        lines = [f"{self.path}: {size:,} bytes, {len(self.program.calls)} steps"]
        lines += [f"  {name}: {value}" for name, value in self.figures.items()]
        if self.runtime is not None:
            lines.append(
                f"  {self.rows} rows in {self.runtime}: outputs differ from those of predict by "
                f"{self.largest_difference:.2g} at most"
            )
        elif self.unchecked:
            lines.append(f"  not compared with predict: {self.unchecked}")
        return "\n".join(lines)

    def show(self):
        """Print the report."""
        terminal.write(str(self))
