"""BayesSearchCV over the architecture and the optimizer together, and a picture of its progress.

    python examples/bayes_search.py

Needs scikit-optimize, and matplotlib for the picture: pip install "nnlite[demo]".
"""

import sys

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler

from nnlite import NNClassifier, Stack
from nnlite.layers import Dense, Dropout
from nnlite.plotting import plot_search

try:
    from skopt import BayesSearchCV
    from skopt.space import Categorical, Real
except ImportError:
    print("scikit-optimize is not installed: pip install scikit-optimize")
    sys.exit()

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

pipeline = Pipeline(
    [
        ("scale", MinMaxScaler()),
        ("net", NNClassifier(epochs=10, batch_size=32, random_state=0)),
    ]
)
architectures = [  # each is one value: a Stack of layers, or the sizes of hidden layers
    "64",
    "128-64",
    Stack(Dense(128, activation="relu"), Dropout(0.2)),
    Stack(Dense(64, activation="tanh"), Dense(64, activation="tanh")),
]
space = {
    "net__layers": Categorical(architectures),
    "net__optimizer": Categorical(["adam", "rmsprop", "sgd"]),
    "net__learning_rate": Real(1e-4, 1e-1, "log-uniform"),
}
search = BayesSearchCV(pipeline, space, n_iter=14, cv=3, random_state=0)
search.fit(X_train, y_train)

for name, value in search.best_params_.items():
    print(f"{name} = {value}")
print(f"best cross-validated accuracy: {search.best_score_:.4f}")
print(f"accuracy on held-out images: {search.score(X_test, y_test):.4f}")
linear = make_pipeline(MinMaxScaler(), LogisticRegression()).fit(X_train, y_train)
print(f"of a logistic regression, for comparison: {linear.score(X_test, y_test):.4f}")
try:
    plot_search(search, path="search.png")
except ImportError as error:
    print(error)
