"""What both estimators' docstrings share: their settings, and the attributes that `fit` sets."""

_PARAMETERS = """Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default (100,)
        The units of each hidden layer.
    activation : {'identity', 'logistic', 'tanh', 'relu'}, default 'relu'
        Of the hidden layers; 'logistic' is the sigmoid.
    solver : {'lbfgs', 'sgd', 'adam'}, default 'adam'
        How the loss is made small: by batches, as `optimizers.SGD` and `optimizers.Adam` do; or by
        all rows at once, as `optimizers.LBFGS` does, often the better one for few rows. X of
        float64 and of more than 16,384 values is learned in float32, if that holds it, but for a
        fit within `config.precision("float64")`. 'lbfgs' goes on in float64 where that ends early.
    alpha : float of at least 0, default 0.0001
        Half of this, times the sum of all squared weights (without biases) and divided by the rows
        of the batch, or the sum of their weights, is added to the loss.
    batch_size : int of at least 1 or 'auto', default 'auto'
        'auto' is 200 rows, or all if there are fewer. 'lbfgs' takes all.
    learning_rate : {'constant', 'invscaling', 'adaptive'}, default 'constant'
        How the rate of 'sgd' changes. 'invscaling' divides the first one by (t + 1)^power_t, where
        t is the rows seen so far, after each epoch. 'adaptive' divides it by 5 each time the
        training would end, and ends it at 1e-6.
    learning_rate_init : float above 0, default 0.001
        The first rate of 'sgd' and 'adam'.
    power_t : float of at least 0, default 0.5
        The exponent of 'invscaling'.
    max_iter : int of at least 1, default 200
        The most epochs, or iterations of 'lbfgs'.
    shuffle : bool, default True
        Whether each epoch takes the rows in a new random order.
    random_state : int, RandomState or None, default None
        It draws the first weights, the rows held out and the order of rows, as scikit-learn does.
    tol : float of at least 0, default 1e-4
        What an epoch must be better by than the best one to count as better. 'lbfgs' ends where no
        entry of the gradient is larger.
    verbose : bool, default False
        Whether to print the loss of each epoch.
    warm_start : bool, default False
        Whether `fit` goes on from the weights of an earlier `fit`.
    momentum : float in [0, 1], default 0.9
        Of 'sgd'.
    nesterovs_momentum : bool, default True
        Whether that is Nesterov's.
    early_stopping : bool, default False
        Whether rows are held out, their score decides when to end, and the weights of the best
        epoch are kept. Otherwise the loss of training decides.
    validation_fraction : float in [0, 1), default 0.1
        The part of the rows that is held out; with the same part of both of two classes.
    beta_1, beta_2 : float in [0, 1), default 0.9 and 0.999
        Of 'adam'.
    epsilon : float above 0, default 1e-8
        Of 'adam'.
    n_iter_no_change : int of at least 1 or inf, default 10
        The training ends after more epochs than this that were not better.
    max_fun : int of at least 1, default 15000
        The most evaluations of the loss by 'lbfgs'.
"""

_ATTRIBUTES = """coefs_, intercepts_ : list of array
        The weights of each layer, (inputs, units) and (units,), in the precision of X. They may be
        changed: predictions follow.
    loss_, best_loss_ : float
        The last loss and the least one; the latter is None with early stopping. Not of 'lbfgs':
        best_loss_, loss_curve_ and the scores.
    loss_curve_ : list of float
        The loss of each epoch: the mean over its batches, each before its step.
    validation_scores_, best_validation_score_ : list of float and float
        The score of the rows held out: accuracy, or R2. None without early stopping.
    n_iter_, t_ : int
        Epochs of this `fit`, and rows seen in all.
    n_layers_, n_outputs_ : int
        The number of layers, with that of the inputs, and of outputs.
    out_activation_ : str
        The activation of the last layer: 'softmax', 'logistic', 'identity' or 'exp'.
    n_features_in_, feature_names_in_ : int and array of str
        The number of columns of X, and their names if all of them are strings.
"""


def inject_docs(cls):
    """A class decorator: complete the docstring of an estimator by what both share."""
    for mark, text in (("{parameters}\n", _PARAMETERS), ("{attributes}\n", _ATTRIBUTES)):
        cls.__doc__ = (cls.__doc__ or "").replace(mark, text)
    return cls
