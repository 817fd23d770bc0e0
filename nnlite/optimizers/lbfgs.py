"""L-BFGS: steps along directions that remember the last gradients, of lengths found by a search.

It wants the loss of all rows, many times, so `fit` runs it in a loop of its own."""

import numpy as np

from nnlite import ops
from nnlite.optimizers.optimizer import Optimizer


class LBFGS(Optimizer):
    """Quasi-Newton steps on whole batches, by SciPy's L-BFGS-B.

    An epoch of `fit` is one iteration over all rows, whatever `batch_size` is; `epochs` is the most
    iterations. `fit` ends earlier where the search has converged. SciPy works in float64 on one
    vector of all weights. The rule suits small data and small networks without Dropout and
    BatchNormalization: each evaluation must give the same loss. It has no learning rate, for each
    step is searched. D. C. Liu, J. Nocedal: "On the limited memory BFGS method for large scale
    optimization", Mathematical Programming 45, 1989.

    Parameters
    ----------
    tol : float of at least 0, default 1e-4
        It has converged where no entry of the gradient is larger.
    max_fun : int of at least 1, default 15000
        The most evaluations of the loss in a `fit`; an iteration takes one or a few.
    memory : int of at least 1, default 10
        How many of the last steps a direction is made of.
    name : str, optional

    Raises
    ------
    ImportError
        By `fit`, without SciPy.
    TypeError
        By `apply_gradients` and `train_on_batch`: gradients alone do not say how far to go.
    ValueError
        By `fit`, if data come in batches, or a weight has a constraint or is overwritten with its
        gradient.

    Examples
    --------
    >>> import numpy as np
    >>> import nnlite
    >>> model = nnlite.Sequential([nnlite.layers.Dense(1, input_shape=(2,))])
    >>> model.compile("lbfgs", loss="mse")
    >>> x = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> history = model.fit(x, x @ [2.0, -1.0] + 3, epochs=50, verbose=0)
    >>> model.layers[0].kernel.numpy().round(2).ravel().tolist()
    [2.0, -1.0]
    """

    whole_batches = True
    _legal = {"tol": "[0, inf)", "max_fun": "int [1, inf)", "memory": "int [1, inf)"}

    def __init__(self, tol=1e-4, max_fun=15000, memory=10, name=None):
        super().__init__(1.0, name=name)
        self.tol, self.max_fun, self.memory = tol, max_fun, memory
        self._evaluating = False

    def slots(self):
        return {"gradient": 0.0}

    def update_step(self, gradient, variable, learning_rate, *slots):
        if not self._evaluating:
            raise TypeError(
                "LBFGS: expected `fit` to call it, which evaluates the loss many times in a step, "
                "got gradients alone; take another optimizer for loops of your own"
            )
        ops.assign(*slots, gradient)

    def minimize(self, evaluate, variables, max_iter, on_iteration=None):
        """Change variables until a loss is least.

        Parameters
        ----------
        evaluate : function
            Without arguments: computes the loss of all rows, calls `apply_gradients` with its
            gradients, and returns the loss, a float.
        variables : list of Variable
        max_iter : int of at least 1
        on_iteration : function of float, optional
            Called after each iteration with its loss; a StopIteration that it raises ends the
            search.

        Returns
        -------
        scipy.optimize.OptimizeResult
        """
        scipy_minimize = _imported()
        for v in variables:
            if v.constraint is not None:
                raise ValueError(f"LBFGS: expected weights without constraints, got {v.name!r}")
            if v.overwrite_with_gradient:
                raise ValueError(
                    "LBFGS: expected weights that it may change, got "
                    f"{v.name!r} with overwrite_with_gradient=True"
                )
        objective, known = self.objective(evaluate, variables), None

        def remembered(vector):
            nonlocal known
            known = vector.copy()
            return objective(vector)

        def callback(intermediate_result):
            vector, loss = intermediate_result.x, intermediate_result.fun
            if not np.array_equal(vector, known):  # the search has also looked beyond
                remembered(vector)
            on_iteration(loss)

        options = {
            "maxiter": max_iter,
            "maxfun": self.max_fun,
            "gtol": self.tol,
            "maxcor": self.memory,
        }
        result = scipy_minimize(
            remembered,
            _vector_of(variables),
            method="L-BFGS-B",
            jac=True,
            options=options,
            callback=None if on_iteration is None else callback,
        )
        _put(result.x, variables)
        return result

    def objective(self, evaluate, variables):
        """A loss and its gradient as a function of one vector of all weights.

        Parameters
        ----------
        evaluate, variables
            As of `minimize`.

        Returns
        -------
        function
            From a vector of float64 to the loss and a vector.
        """
        self.build(variables)

        def loss_and_gradient(vector):
            _put(vector, variables)
            self._evaluating = True
            try:
                loss = evaluate()
            finally:
                self._evaluating = False
            return loss, _vector_of([self._slots_of(v)["gradient"] for v in variables])

        return loss_and_gradient


def _vector_of(variables):
    """The values of variables as one vector of float64."""
    return np.concatenate([v._data.ravel() for v in variables]).astype(np.float64)


def _put(vector, variables):
    """Set variables to the entries of one vector."""
    start = 0
    for v in variables:
        v.assign(vector[start : start + v.size].reshape(v.shape))
        start += v.size


def _imported():
    """SciPy's function `minimize`."""
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise ImportError(
            f"LBFGS: expected SciPy ({error}); install it with `pip install scipy`"
        ) from error
    return minimize
