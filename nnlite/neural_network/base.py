"""What MLPClassifier and MLPRegressor share: their settings, and how they fit a Network.

They draw the first weights, the rows held out and the order of rows from `random_state` as
scikit-learn's do, so that both learn the same. `coefs_` and `intercepts_` are the memory of the
network's weights: what changes one changes the other."""

import dataclasses
import itertools
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import _check_sample_weight, validate_data

from nnlite import config, terminal, warn
from nnlite.data.batches import make_batches
from nnlite.neural_network import exported
from nnlite.neural_network.network import Network
from nnlite.neural_network.precision import is_lost_in_float32, is_small
from nnlite.optimizers import LBFGS, SGD, Adam
from nnlite.training import loop

STOCHASTIC = ("sgd", "adam")
SMALLEST_RATE = 1e-6  # at which learning_rate="adaptive" ends the training


def _from(least, kind=Real, closed="left", most=None):
    return [Interval(kind, least, most, closed=closed)]


def _follow(network, other):
    """Give a network the weights of another one."""
    for v, values in zip(network.parameters, other.parameters):
        if v is not values:
            v.assign(values)


def is_stochastic(estimator):
    """Whether the solver takes batches; `partial_fit` needs one that does."""
    if estimator.solver not in STOCHASTIC:
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{estimator.solver} is not stochastic."
        )
    return True


class BaseMLP(BaseEstimator):
    """The base class of MLPClassifier and MLPRegressor."""

    _parameter_constraints = {
        "hidden_layer_sizes": ["array-like", *_from(1, Integral)],
        "activation": [StrOptions({"identity", "logistic", "tanh", "relu"})],
        "solver": [StrOptions({"lbfgs", *STOCHASTIC})],
        "alpha": _from(0),
        "batch_size": [StrOptions({"auto"}), *_from(1, Integral)],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": _from(0, closed="neither"),
        "power_t": _from(0),
        "max_iter": _from(1, Integral),
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": _from(0),
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": _from(0, closed="both", most=1),
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": _from(0, most=1),
        "beta_1": _from(0, most=1),
        "beta_2": _from(0, most=1),
        "epsilon": _from(0, closed="neither"),
        "n_iter_no_change": [*_from(1, Integral), Options(Real, {np.inf})],
        "max_fun": _from(1, Integral),
    }
    _optimizer = _network = _trained = None
    _computation = exported.computation_of

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        early_stopping=False,
        validation_fraction=0.1,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        n_iter_no_change=10,
        max_fun=15000,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "coefs_")

    def fit(self, X, y, sample_weight=None):
        """Train a new network, or the fitted one further if `warm_start` is set.

        Parameters
        ----------
        X : array-like or sparse matrix, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
            Labels, or numbers of a regressor.
        sample_weight : array-like, shape (n_samples,), optional

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a setting or the data are wrong, or weights became infinite.
        """
        return self._fit(X, y, sample_weight)

    def _fit(self, X, y, sample_weight, incremental=False):
        self._validate_params()
        hidden = self.hidden_layer_sizes
        hidden = list(hidden) if np.iterable(hidden) else [hidden]
        if min(hidden, default=1) <= 0:
            raise ValueError(f"hidden_layer_sizes must be > 0, got {hidden}.")
        first = not hasattr(self, "coefs_") or not (self.warm_start or incremental)
        X, y = self._validate_input(X, y, incremental, reset=first)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        y = y.reshape(-1, 1) if y.ndim == 1 else y
        self.n_outputs_ = y.shape[1]
        self._random_state = check_random_state(self.random_state)
        if first:
            self._begin([X.shape[1], *hidden, self.n_outputs_], X.dtype)
        network = self._linked()
        trained = self._trained_for(network, X, y, incremental)
        if self.solver == "lbfgs":
            self._fit_lbfgs(trained, network, X, y, sample_weight)
        else:
            self._fit_stochastic(trained, X, y, sample_weight, incremental)
            if not incremental:
                trained._step_cache.clear()  # and with the steps their working memory
            _follow(network, trained)
        self._show(network)
        if not all(np.isfinite(w).all() for w in [*self.coefs_, *self.intercepts_]):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed."
            )
        return self

    def _begin(self, sizes, dtype):
        """Draw the first weights, and set what a fit goes on from."""
        self.n_iter_ = self.t_ = 0
        self.n_layers_ = len(sizes)
        self.out_activation_ = self._out_activation()
        self.coefs_, self.intercepts_ = [], []
        factor = 2.0 if self.activation == "logistic" else 6.0
        for fan_in, fan_out in itertools.pairwise(sizes):
            bound = np.sqrt(factor / (fan_in + fan_out))
            for weights, shape in (self.coefs_, (fan_in, fan_out)), (self.intercepts_, fan_out):
                drawn = self._random_state.uniform(-bound, bound, shape)
                weights.append(drawn.astype(dtype, copy=False))
        self._network = self._optimizer = self._trained = None
        if self.solver in STOCHASTIC:
            self.loss_curve_, self._no_improvement_count = [], 0
            stops = self.early_stopping
            self.best_loss_ = None if stops else np.inf
            self.validation_scores_ = [] if stops else None
            self.best_validation_score_ = -np.inf if stops else None

    def _linked(self):
        """The network whose weights are `coefs_` and `intercepts_`, also if others were set."""
        sizes = (len(self.coefs_[0]), *(np.size(b) for b in self.intercepts_))
        dtype = "float32" if self.coefs_[0].dtype == np.float32 else "float64"
        loss = getattr(self, "loss", "log_loss")
        least = float(np.finfo(dtype).eps)
        settings = sizes, self.activation, self.out_activation_, loss, self.alpha, least, dtype
        network = self._network
        if network is None or network.settings != settings:
            network, self._trained = Network.of(*settings), None
        given = [*self.coefs_, *self.intercepts_]
        for v, values in zip(network.parameters, given):
            if values is not v._data:
                v.assign(values)
            v.version += 1  # as others may have written into its memory
        if network is not self._network:
            self._network = network
            self._show(network)
        return network

    def _show(self, network):
        """Let `coefs_` and `intercepts_` be the memory of the weights."""
        layers = len(network.layers)
        arrays = [v._data for v in network.parameters]
        self.coefs_, self.intercepts_ = arrays[:layers], arrays[layers:]

    def _trained_for(self, network, X, y, incremental):
        """The network itself, or one of float32 with its weights, which learns faster.

        A `partial_fit` goes on with the one before.
        """
        *settings, dtype = network.settings
        if self._trained is None or not incremental:
            narrow = dtype == "float64" and not (
                config.floatx() == "float64"
                or is_small(X)
                or is_lost_in_float32(X)
                or is_lost_in_float32(y)
            )
            self._trained = Network.of(*settings, "float32") if narrow else network
        _follow(self._trained, network)
        return self._trained

    def _compile(self, network, optimizer):
        network.compile(optimizer)
        self._optimizer = network.optimizer

    def _batches(self, network, X, y, sample_weight):
        """All rows as one batch."""
        data = X, self._target(y, network), sample_weight
        return make_batches(network, data, None, finite=False).all()

    def _target(self, y, network):
        """Targets as the network's loss takes them."""
        return y.astype(network._precision, copy=False)

    def _fit_lbfgs(self, trained, network, X, y, sample_weight):
        """Search with `trained`, and with `network` from where a search of float32 ends before
        iterations do: the last digits of a loss, and of gradients, are lost in float32."""
        done, calls, self.n_iter_ = itertools.count(1), 0, 0

        def tell(loss):
            terminal.write(f"Iteration {next(done)}, loss = {loss:.8f}")

        for searching in dict.fromkeys((trained, network)):
            self._compile(searching, LBFGS(tol=self.tol, max_fun=self.max_fun - calls))
            result = self._optimizer.minimize(
                self._evaluation(searching, X, y, sample_weight),
                searching.parameters,
                self.max_iter - self.n_iter_,
                tell if self.verbose else None,
            )
            searching._step_cache.clear()
            _follow(network, searching)
            calls += result.nfev
            self.n_iter_ = min(self.n_iter_ + result.nit, self.max_iter)
            if self.n_iter_ == self.max_iter or calls >= self.max_fun:
                break
        self.loss_ = result.fun
        if result.status:
            more = ""
            if self.n_iter_ == self.max_iter:
                more = (
                    "\nIncrease the number of iterations to improve the convergence "
                    f"(max_iter={self.max_iter})."
                )
            warnings.warn(
                f"lbfgs failed to converge after {self.n_iter_} iteration(s) "
                f"(status={result.status}):\n{result.message}\n{more}\nYou might also want to "
                "scale the data.",
                ConvergenceWarning,
                stacklevel=warn.levels_to_the_caller(),
            )

    def _evaluation(self, network, X, y, sample_weight):
        """A function that computes the loss of all rows and gives its gradients to the
        optimizer."""
        batch = self._batches(network, X, y, sample_weight)

        def evaluate():
            network.reset_metrics()
            return loop.run_batches(network, "train", [batch])[1]["loss"]

        return evaluate

    def _fit_stochastic(self, network, X, y, sample_weight, incremental):
        if self.early_stopping and incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        if not incremental or network.optimizer is None:
            self._compile(network, self._stochastic_optimizer())
        rows, held_out = np.arange(X.shape[0]), None
        if self.early_stopping:
            rows, held_out = self._split(X, y, sample_weight)
            self._best_weights = [v.numpy() for v in network.parameters]
        size = min(200, len(rows))
        if self.batch_size != "auto":
            if self.batch_size > len(rows):
                warnings.warn(
                    "Got `batch_size` less than 1 or larger than sample size. It is going to be "
                    "clipped",
                    stacklevel=warn.levels_to_the_caller(),
                )
            size = min(self.batch_size, len(rows))
        batch = self._batches(network, X, y, sample_weight)
        order = np.arange(len(rows))
        try:
            self.n_iter_ = 0
            while self.n_iter_ < self.max_iter:
                if self.shuffle:
                    order = order[self._random_state.permutation(len(order))]
                self._run_epoch(network, batch, rows[order].astype(np.int32), size)
                self._judge(network, held_out)
                if self.solver == "sgd" and self.learning_rate == "invscaling":
                    rate = self.learning_rate_init / (self.t_ + 1) ** self.power_t
                    self._optimizer.learning_rate = rate
                if self._no_improvement_count > self.n_iter_no_change and self._ends():
                    break
                if incremental:
                    break
            else:
                warnings.warn(
                    f"Stochastic Optimizer: Maximum iterations ({self.max_iter}) reached and the "
                    "optimization hasn't converged yet.",
                    ConvergenceWarning,
                    stacklevel=warn.levels_to_the_caller(),
                )
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", stacklevel=warn.levels_to_the_caller())
        if self.early_stopping:
            for v, best in zip(network.parameters, self._best_weights):
                v.assign(best)
            del self._best_weights

    def _stochastic_optimizer(self):
        if self.solver == "adam":
            return Adam(self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon)
        return SGD(self.learning_rate_init, self.momentum, self.nesterovs_momentum)

    def _split(self, X, y, sample_weight):
        """The numbers of the rows to train on; and X, y and weights of those held out."""
        rows, held_out = train_test_split(
            np.arange(X.shape[0]),
            random_state=self._random_state,
            test_size=self.validation_fraction,
            stratify=self._stratified_by(y),
        )
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of "
                "your dataset."
            )
        weight = None if sample_weight is None else sample_weight[held_out]
        return rows, (X[held_out], self._decoded(y[held_out]), weight)

    def _run_epoch(self, network, batch, order, size):
        """Train on all rows once, and note the loss."""
        network.reset_metrics()
        full, rest = divmod(len(order), size)
        ranges = [dataclasses.replace(batch, size=size, count=full, index=order)]
        if rest:
            ranges.append(dataclasses.replace(batch, start=full * size, size=rest, index=order))
        loss = loop.run_batches(network, "train", ranges)[1]["loss"]
        self.n_iter_ += 1
        self.t_ += len(order)
        self.loss_ = loss
        self.loss_curve_.append(loss)
        if self.verbose:
            terminal.write(f"Iteration {self.n_iter_}, loss = {loss:.8f}")

    def _judge(self, network, held_out):
        """Count the epochs that were no better than the best by `tol`, and keep the best
        weights."""
        if held_out is None:
            worse = self.loss_ > self.best_loss_ - self.tol
            self.best_loss_ = min(self.best_loss_, self.loss_)
        else:
            score = self._held_out_score(network, *held_out)
            self.validation_scores_.append(score)
            if self.verbose:
                terminal.write(f"Validation score: {score:f}")
            worse = score < self.best_validation_score_ + self.tol
            if score > self.best_validation_score_:
                self.best_validation_score_ = score
                self._best_weights = [v.numpy() for v in network.parameters]
        self._no_improvement_count = self._no_improvement_count + 1 if worse else 0

    def _held_out_score(self, network, X, y, sample_weight):
        """The score of rows held out; NaN if outputs are not finite."""
        outputs = network._predict(X)
        if not np.isfinite(outputs).all():
            return float("nan")
        return self._score(y, self._decoded(outputs), sample_weight=sample_weight)

    def _ends(self):
        """Whether the training ends, as it got no better for long; else the rate falls."""
        what = "Validation score" if self.early_stopping else "Training loss"
        message = (
            f"{what} did not improve more than tol={self.tol:f} for {self.n_iter_no_change} "
            "consecutive epochs."
        )
        adapts = self.solver == "sgd" and self.learning_rate == "adaptive"
        rate = float(self._optimizer.learning_rate)
        ends = not adapts or rate <= SMALLEST_RATE
        if not ends:
            self._optimizer.learning_rate = rate / 5
            self._no_improvement_count = 0
        if self.verbose:
            small = " Learning rate too small." if adapts else ""
            end = f"{small} Stopping." if ends else f" Setting learning rate to {rate / 5:f}"
            terminal.write(message + end)
        return ends

    def _outputs(self, X):
        """The outputs of the network, a matrix, in the precision that X and weights have
        together."""
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        outputs = self._linked()._predict(X)
        return outputs.astype(np.result_type(X.dtype, outputs.dtype), copy=False)

    def _loss_grad_lbfgs(self, vector, X, y, sample_weight=None, *_):
        """The loss and its gradient, where `vector` has the weights: `coefs_`, then
        `intercepts_`."""
        network = self._linked()
        if not isinstance(network.optimizer, LBFGS):
            self._compile(network, LBFGS())
        evaluate = self._evaluation(network, X, y, sample_weight)
        return self._optimizer.objective(evaluate, network.parameters)(vector)
