"""Where random numbers come from: a seed, a generator of seeds, or the next seed of nnlite."""

from numbers import Integral

from nnlite import ops
from nnlite.config import next_seed
from nnlite.configurable import Configurable
from nnlite.ops.random import seed_state


class SeedGenerator(Configurable):
    """What gives other random numbers at each call, the same ones again for the same seed.

    It is the argument `seed` of the functions of `nnlite.random`. Inside of a model each run of a
    step goes on from the one before.

    Parameters
    ----------
    seed : int, optional
        By default the next seed of the process.
    name : str, optional

    Attributes
    ----------
    state : int32 Variable, shape (4,)
        The seed, and how often it was asked.

    Raises
    ------
    ValueError
        If the seed is no integer.

    Examples
    --------
    >>> import nnlite
    >>> seed = nnlite.random.SeedGenerator(42)
    >>> some, others = (nnlite.random.uniform((2,), seed=seed) for _ in range(2))
    >>> again = nnlite.random.uniform((2,), seed=nnlite.random.SeedGenerator(42))
    >>> bool((some.numpy() == again.numpy()).all()), bool((some.numpy() == others.numpy()).any())
    (True, False)
    """

    _legal = {"name": "str"}

    def __init__(self, seed=None, name=None):
        if name is not None:
            self._check_given({"name": name})
        self.state = seed_state(next_seed() if seed is None else _checked("SeedGenerator: ", seed))
        self.seed, self.name = seed, name

    def next(self):
        """The key of one random op.

        Returns
        -------
        int32 Tensor, shape (4,)
        """
        return ops.random_key(self.state)


def state_of(seed):
    """The Variable from which the keys of a function's random ops come.

    Parameters
    ----------
    seed : int, SeedGenerator or None
        None: the next seed of the process.
    """
    if isinstance(seed, SeedGenerator):
        return seed.state
    return seed_state(next_seed() if seed is None else _checked("", seed))


def _checked(owner, seed):
    if not isinstance(seed, Integral) or isinstance(seed, bool):
        raise ValueError(f"{owner}seed: expected an integer, got {seed!r}")
    return int(seed)
