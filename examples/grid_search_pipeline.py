"""GridSearchCV over learning rate, batch size and whole architectures, in a Pipeline.

    python examples/grid_search_pipeline.py
"""

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nnlite import NNClassifier
from nnlite.layers import Dense, Dropout

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

pipeline = make_pipeline(StandardScaler(), NNClassifier(epochs=20, random_state=0))
search = GridSearchCV(
    pipeline,
    {
        "nnclassifier__layers": [
            [Dense(32, activation="relu")],
            [Dense(128, activation="relu"), Dropout(0.2)],
            [Dense(64, activation="tanh"), Dense(64, activation="tanh")],
        ],
        "nnclassifier__learning_rate": [0.001, 0.01],
        "nnclassifier__batch_size": [32, 128],
    },
    cv=3,
)
search.fit(X_train, y_train)

print(f"{len(search.cv_results_['params'])} settings x 3 folds")
print(f"best cross-validated accuracy: {search.best_score_:.4f}")
for name, value in search.best_params_.items():
    print(f"  {name} = {value}")
print(f"accuracy on held-out rows: {search.score(X_test, y_test):.4f}")
linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(X_train, y_train)
print(f"of a logistic regression, for comparison: {linear.score(X_test, y_test):.4f}")
search.best_estimator_[-1].model_.summary()
