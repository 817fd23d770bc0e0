"""What both estimators' docstrings share: their settings and the attributes that `fit` sets."""

import inspect

_PARAMETERS = """Parameters
    ----------
    layers : list of Layer, Layer, Stack, MLP, int, tuple of int, str or function, default None
        The hidden layers:

        - A list or Stack. An entry is a Layer or (name, Layer); None or 'passthrough' in the place
          of a Layer leaves it out. The name of an entry is also the name of a setting: `hidden`,
          `hidden__units`. An entry without a name is called by its type and number: `dropout_1`,
          `dropout_1__rate`.
        - Sizes such as 64, (64, 32) or '64-32': a multilayer perceptron with `activation`, which
          flattens images, and sequences that are an array. Sequences of different lengths are read
          by a Bidirectional(GRU(64)) before it.
        - None: a multilayer perceptron of `hidden_layer_sizes`.
        - A function `build(meta, depth=2)`. It returns any of these, or a compiled Model with its
          output layer. Its keyword arguments are settings: `layers__depth`. `meta` has
          `sample_shape` (of sequences of different lengths (None, features), of tokens (None,)),
          `n_features`, `n_outputs` and `task`; a function can do without it.

        If the first layer declares the shape of a sample (`input_shape`, `Input`), X may also be
        rows of as many values: `Conv2D(32, 3, input_shape=(28, 28, 1))` reads rows of 784 pixels.
    hidden_layer_sizes : int, sequence of int or str such as '64-32', default 'auto'
        The sizes of the hidden layers if `layers` is None. 'auto' is (128, 128) for tables, (256,)
        for other samples.
    activation : str or function, default 'relu'
        The activation of hidden layers that are given as sizes; also scikit-learn's names
        'logistic' and 'identity'.
    normalize : 'auto', True or False, default 'auto'
        Whether the network begins with a layer that brings each column of X to mean 0 and variance
        1 and limits outliers to +-8, so that no scaler is needed. X is shifted and divided in
        float64 before it is rounded, so neither a large offset, as of timestamps, nor a tiny unit
        matters. Statistics are those of the rows of `fit`, weighted; `partial_fit` goes on
        learning them, and does not limit. A sparse X is scaled, but not shifted. A regressor also
        learns its targets at mean 0 and variance 1: its losses are in this unit, and `predict`
        maps back.

        - 'auto' normalizes rows of numbers, and each feature of sequences that the first layer
          reads step by step. It does not normalize images, nor the input of a layer that has a
          scale of its own (normalization, `Rescaling`, `Masking`, `Embedding`), nor anything if a
          function makes the network.
        - True normalizes all inputs, images by channel. It is an error if a function returns a
          compiled model.
        - False normalizes neither inputs nor targets.
    categorical_features : 'from_dtype', mask, names, indices or None, default 'from_dtype'
        Which columns of a table are categories: of a DataFrame (pandas, polars), an Arrow table or
        an array of objects.

        - 'from_dtype': columns of the types category, string, object and boolean. Objects that are
          all numbers are numbers. In an array only objects can be categories, if there are strings
          among them. Dates and times are refused, and strings of which more than half differ (and
          more than 20) if they are texts (3 words or 40 letters on average) or numbers: no category
          would be there often.
        - A mask, names or indices: these columns, whatever their type, and no others.
        - None: no column. All are numbers then.

        `fit` learns the categories of each column; in `partial_fit` the first call does. Those of
        fewer than 5 rows (or 2 % of the rows, if that is fewer) count as one, and so do those that
        only a prediction has. A gap (None, NaN, pandas.NA) is a category. A column of two
        categories becomes 1 and -1, one of up to 9 becomes a number for each; of more categories
        the network learns vectors of 8 numbers (`layers.TableEncoding`).
    numeric_encoding : 'auto', 'piecewise', 'target', 'periodic', Layer or None, default 'auto'
        What the network reads beside the numbers of a table: where each lies between quantiles of
        its column ('piecewise', `layers.PiecewiseLinearEncoding`), or between the numbers where
        the target changes most ('target', the same with `by="target"`), cosines of it ('periodic',
        `layers.PeriodicEmbedding`), or what another layer makes of rows. None: nothing. Its
        settings can be searched: `numeric_encoding__bins`.

        - 'auto' is 'piecewise' from 500 rows on, of several networks from 100 on, for up to 256
          columns that are scaled (`normalize`) and that a `Dense` reads, as all hidden layers given
          as sizes are. It has
          half as many bins as the root of the number of rows, at least 8 and at most 128. It is
          None for all else, and in `partial_fit`.
        - Anything else but None is an error for an X that is sparse or has more than two
          dimensions, and for a compiled model; bins that are to be learned, for `partial_fit`.

        Behind an encoding by name, `layers.LearnedScaling` chooses among what the network reads;
        behind a Layer there is none.

        Quantiles are those of the scaled rows of `fit` (weighted); of some at random if X has more
        than 2**18 values. Targets are those of the rows that a network trains on, not of those
        held out.
    ensemble : 'auto' or int, default 'auto'
        The number of networks. They train at once, each on a core, with weights and an order of the
        rows of its own. Each holds another of as many folds out, and keeps the weights of the epoch
        that was best there; with X_val all are judged on that. Probabilities, or numbers, are the
        mean of theirs.

        - 'auto' is what `preset` says for a table, which is a dense X of shape (n_samples,
          n_features) where `layers` is None or sizes. It is 1 for anything else, for fewer than 50
          rows, with `warm_start`, with `refit_full`, and with callbacks that write files or
          tell another library; several networks are an error with the latter two.
        - Other callbacks are copied for each network, and called in several threads. Those of
          scikit-learn are told of the first network.
        - `partial_fit`, and `fit` with `warm_start`, train a single network from the beginning.
          Several that are there they train on as one, whose output is the mean.
    preset : {'fast', 'default', 'best'}, default 'default'
        What 'auto' means for a table in `ensemble` and `epochs`: 'fast' is one network, 'default'
        is 8, 'best' 24 of twice as many epochs.
    optimizer : str or Optimizer, default 'adam'
        Its settings can be searched, even if it is a name: `optimizer__beta_1`. 'lbfgs' takes all
        rows at once, an iteration for each epoch.
    learning_rate : float or LearningRateSchedule, default None
        None leaves the optimizer its own learning rate. Otherwise this is the learning rate, and
        `optimizer__learning_rate` reads and changes it.
    schedule : 'auto', 'cosine' or None, default 'auto'
        'cosine' lowers the learning rate over the epochs along half a cosine, nearly to 0. 'auto'
        does the same, unless the optimizer has a schedule or a callback sets the learning rate.
        None does not change it. `partial_fit` never changes it.
    batch_size : int or 'auto', default 'auto'
        'auto' is 64, or 256 from 10,000 rows on. A batch never has more rows than there are.
    epochs : 'auto' or int, default 'auto'
        The number of epochs of a `fit`; early stopping may end it earlier. 'auto' is 25 for tables
        (50 with the preset 'best'), or up to 8 times as many if these are fewer than 600 steps; it
        is 200 for other samples. If they are used up while the loss falls, and no schedule has
        lowered the learning rate to 0, a ConvergenceWarning says so.
    early_stopping : 'auto', bool or EarlyStopping, default 'auto'
        True stops when the loss on held-out rows has not improved for 30 epochs, and restores the
        best weights. 'auto' does so from 500 rows on, and if `fit` is given `X_val`; of several
        networks each stops after a quarter of all epochs without a better one, and restores its
        best, from 50 rows on. An EarlyStopping has settings of its own; rows are held out if its
        `monitor` begins with 'val_'. `early_stopping__patience` and the like turn True and 'auto'
        into an EarlyStopping; they have no effect on False.
    validation_fraction : float in (0, 1), default 0.1
        The part of the rows that a single network holds out, with the same part of each class if
        possible.
    scoring : str or function of (estimator, X, y), default None
        A scorer of scikit-learn, such as 'roc_auc', or a function like it. It scores the held-out
        rows after each epoch, without weights, as 'val_score'; early stopping as True or 'auto'
        then monitors this score. It has no effect if no rows are held out.
    metrics : list of str, Metric or function, default None
        What `history_` records beside the loss, by Keras's names: 'auc', `metrics.Precision()`. Of
        rows trained on it is the value over an epoch, while the network changes; of rows held out,
        as 'val_auc', that after it. Sample weights count. Metrics of a regressor are in the unit of
        y, unlike the loss. Labels are 0 or 1 or, of more than two classes, columns of them for the
        metrics of `nnlite.metrics` that compare columns, and class numbers for all others.
    refit_full : bool, default False
        Whether, after early stopping on rows held out of X, a new network is trained on all of X
        for the best number of epochs. `history_` and the attributes that follow from it remain
        those of the first network. It is an error with several networks, which train on all rows
        between them.
    warm_start : bool, default False
        Whether `fit` continues from the weights of an earlier `fit`, for `epochs` more epochs. As
        between two calls of `partial_fit`, settings of the training may change, and the optimizer
        is a fresh one if its own did. It is a ValueError to change what made the network:
        `layers`, `hidden_layer_sizes`, `activation`, `normalize`, `dtype` and the like. X and y
        must have the same columns and labels.
    callbacks : Callback or list of Callback, default None
        `fit` uses copies. Entries can have names like those of `layers`; an entry without one is
        called `reduce_lr_on_plateau_1` and the like. Callbacks of scikit-learn (1.9 and later:
        `ProgressBar`, `ScoringMonitor`) are set with `set_callbacks` instead, on the estimator or
        on a search around it; they are told of every epoch.
    random_state : int, RandomState or None, default None
        The same int gives the same bits, on any number of threads.
    verbose : {0, 1, 2}, default 0
        No output, a progress bar per epoch, or a line per epoch.
    n_threads : int, default None
        The largest number of threads; None uses as many as the work is worth.
    dtype : {'auto', 'float32', 'float64'}, default 'auto'
        The precision. 'auto' is float32; it is float64 if `fit` is given float64 data of at most
        4,096 values and a single network has at most 100,000 weights.
"""

_ATTRIBUTES = """model_ : Model
        The trained model: a Sequential, or several of them and their mean.
    history_ : dict of str to list of float
        The metrics of each epoch: 'loss', a classifier's 'accuracy', 'val_loss' of held-out rows
        and so on; of several networks the mean.
    callbacks_ : list of Callback
        The copies of `callbacks` that the last `fit` or `partial_fit` used, in order, with what
        they recorded. They stay in this process: files and pickles leave them out.
    loss_curve_, validation_loss_curve_ : list of float
        The losses of `history_`. The latter is None if no rows were held out.
    loss_ : float
        The last value of `loss_curve_`.
    n_iter_, best_epoch_ : int
        The number of epochs that were run, and the one that early stopping found best; the last
        one without early stopping. Of several networks the most, and the rounded mean.
    best_epochs_ : list of int
        The best epoch of each network.
    oof_prediction_ : array, shape (n_samples,) or (n_samples, n_outputs)
        If several networks held folds out: what the one that had not seen a row predicts for it, as
        `predict_proba` of a classifier and `predict` of a regressor do. NaN for rows of weight 0.
    oof_score_ : float
        The score of these predictions by `scoring`; by default the accuracy, or R^2. Rows of weight
        0 do not count, all others count once.
    n_features_in_, feature_names_in_ : int and array of str
        The number of columns of X in `fit` (X.shape[1], the height of images; the features of a
        step, or 1 of tokens, if sequences differ in length), and their names if all of them are
        strings.
    coefs_, intercepts_, n_layers_ : list of array, list of array and int
        The kernels (inputs, units) and biases of the Dense layers, copies, and the number of these
        layers and that of the inputs, as MLPClassifier has them; the inputs are the scaled ones. An
        AttributeError of a network that has other layers with weights.
    out_activation_ : str
        The activation of the output layer: 'logistic', 'softmax' or 'identity'.
    best_loss_, t_ : float and int
        The least of `loss_curve_`; the number of rows trained on, each as often as it was.
    validation_scores_, best_validation_score_ : list of float and float
        The score of the held-out rows after each epoch: that of `scoring`, else a classifier's
        accuracy; and the best of them. None without either.
    dtype_ : dtype
        The precision that was used: float32 or float64.
"""


def inject_docs(cls):
    """A class decorator: complete the docstring and the signature of an estimator.

    The docstring gets the parameters and attributes that both estimators share. The signature of
    the constructor gets the settings that it takes as `**settings`: scikit-learn reads them there.
    """
    found = {}
    for base in reversed(cls.__mro__[:-1]):
        if "__init__" in vars(base):
            found.update(inspect.signature(base.__init__).parameters)
    if "__init__" in vars(cls):
        named = [p for p in found.values() if p.kind != p.VAR_KEYWORD]
        cls.__init__.__signature__ = inspect.Signature(named)
    for mark, text in (("{parameters}\n", _PARAMETERS), ("{attributes}\n", _ATTRIBUTES)):
        cls.__doc__ = (cls.__doc__ or "").replace(mark, text)
    return cls
