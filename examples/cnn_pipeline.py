"""A convolutional network in a scikit-learn Pipeline: filters and dropout are searched.

    python examples/cnn_pipeline.py

Scikit-learn's tools like rows of pixels; the first layer's input_shape says which images they are.
"""

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler

from nnlite import NNClassifier
from nnlite.layers import Conv2D, Dense, Dropout, Flatten, MaxPooling2D


def cnn(filters, dropout):
    """The hidden layers; the output layer is added for as many classes as there are."""
    return [
        Conv2D(filters, (3, 3), activation="relu", padding="same", input_shape=(8, 8, 1)),
        MaxPooling2D((2, 2)),
        Conv2D(2 * filters, (3, 3), activation="relu"),
        Flatten(),
        Dropout(dropout),
        Dense(32, activation="relu"),
    ]


X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

pipeline = Pipeline([
    ("scale", MinMaxScaler()),
    ("cnn", NNClassifier(epochs=15, batch_size=32, learning_rate=0.003, random_state=0)),
])
tried = {f"{f} filters, dropout {d}": cnn(f, d) for f in (4, 16) for d in (0.0, 0.25)}
search = GridSearchCV(pipeline, {"cnn__layers": list(tried.values())}, cv=3)
search.fit(X_train, y_train)

for name, score in zip(tried, search.cv_results_["mean_test_score"]):
    print(f"{name:<26} {score:.4f}")
print(f"accuracy on held-out images: {search.score(X_test, y_test):.4f}")
linear = make_pipeline(MinMaxScaler(), LogisticRegression()).fit(X_train, y_train)
print(f"of a logistic regression, for comparison: {linear.score(X_test, y_test):.4f}")
search.best_estimator_["cnn"].model_.summary()
