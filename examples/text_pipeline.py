"""Reviews of films, good or bad: TF-IDF in front of a network, in a Pipeline that is searched.

    NNLITE_DATA=... python examples/text_pipeline.py

reads rt-polarity.pos.gz and rt-polarity.neg.gz from the folder rt-polarity in there, or else a few
sentences. The matrix is sparse and stays so: each batch is made dense as it is needed.
"""

import gzip
import os
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline

from nnlite import NNClassifier

GOOD = "a moving and funny film", "great acting, a joy to watch", "clever, warm and beautiful"
BAD = "a dull and tedious film", "poor acting, a bore to watch", "clumsy, cold and ugly"


def reviews():
    """Sentences, and whether each is 'good' or 'bad'."""
    folder = Path(os.environ.get("NNLITE_DATA", "")) / "rt-polarity"
    try:
        good, bad = (
            gzip.decompress((folder / f"rt-polarity.{kind}.gz").read_bytes())
            .decode("latin-1").strip().splitlines()
            for kind in ("pos", "neg"))
    except OSError:
        good, bad = GOOD * 20, BAD * 20
    return [*good, *bad], ["good"] * len(good) + ["bad"] * len(bad)


texts, labels = reviews()
X_train, X_test, y_train, y_test = train_test_split(
    texts, labels, random_state=0, stratify=labels)

pipeline = Pipeline([
    ("words", TfidfVectorizer(sublinear_tf=True, max_features=5_000)),
    ("net", NNClassifier("16", epochs=3, batch_size=64, random_state=0)),
])
grid = {"words__ngram_range": [(1, 1), (1, 2)], "net__learning_rate": [0.001, 0.003]}
search = GridSearchCV(pipeline, grid, cv=2).fit(X_train, y_train)

print(f"{len(texts):,} sentences, {len(search.best_estimator_['words'].vocabulary_):,} words")
print(f"best: {search.best_params_}, cross-validated accuracy {search.best_score_:.3f}")
print(f"accuracy on held-out sentences: {search.score(X_test, y_test):.3f}")
words = TfidfVectorizer(sublinear_tf=True, max_features=5_000)
linear = make_pipeline(words, LogisticRegression()).fit(X_train, y_train)
print(f"of a logistic regression, for comparison: {linear.score(X_test, y_test):.3f}")
for text in ("a warm and funny film", "tedious and dull"):
    good = dict(zip(search.classes_, search.predict_proba([text])[0]))["good"]
    print(f"{good:.0%} good: {text}")
