"""Who earns more than 50,000 dollars a year: a raw table with categories and gaps.

    NNLITE_DATA=... python examples/adult.py

reads adult-train.csv.gz and adult-test.csv.gz (B. Becker and R. Kohavi, 1996) from the folder
tabular in there, as pandas reads them, and writes adult.png: which columns matter. Needs pandas and
matplotlib: pip install pandas "nnlite[demo]".
"""

import os
import sys
from pathlib import Path

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from nnlite import NNClassifier
from nnlite.inspection import integrated_gradients, plot_importance

try:
    import pandas as pd
except ImportError:
    sys.exit("pandas is not installed: pip install pandas")

folder = Path(os.environ.get("NNLITE_DATA", ""), "tabular")
names = """age workclass fnlwgt education education_num marital_status occupation relationship
race sex capital_gain capital_loss hours_per_week native_country income""".split()


def load(part):
    """The people of a part, and whether each earns more than 50,000 dollars."""
    file = folder / f"adult-{part}.csv.gz"
    if not file.is_file():
        sys.exit(f"There is no {file}: set NNLITE_DATA to a folder with it in its folder tabular.")
    table = pd.read_csv(file, names=names, na_values="?", skipinitialspace=True)
    return table.drop(columns="income"), table.income.str.startswith(">50K")


(X, y), (X_test, y_test) = load("train"), load("test")
model = NNClassifier(random_state=0, verbose=1).fit(X, y)
score = roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])
print(f"area under the ROC curve: {score:.4f}; out of fold: accuracy {model.oof_score_:.3f}")
plot_importance(integrated_gradients(model, X_test[:200], target=True), path="adult.png")

# Boosting takes the same table once its texts are categories.
kinds = pd.concat([X, X_test]).select_dtypes(exclude="number").astype("category").dtypes
trees = HistGradientBoostingClassifier(random_state=0).fit(X.astype(kinds), y)
score = roc_auc_score(y_test, trees.predict_proba(X_test.astype(kinds))[:, 1])
print(f"HistGradientBoosting's: {score:.4f}")
