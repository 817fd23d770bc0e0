"""A search over a network's layers and learning rate with Keras Tuner's words, and a picture of it.

    python examples/tuner.py

Run it again after Ctrl-C, and it goes on where it was: the folder `searches` keeps the trials. With
Optuna (pip install "nnlite[tune]") finished trials say what is tried next.
"""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import nnlite as keras
from nnlite import layers
from nnlite import tuner as kt

X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)


def build(hp):
    model = keras.Sequential([keras.Input((64,))])
    for i in range(hp.Int("layers", 1, 3)):
        model.add(layers.Dense(hp.Int(f"units_{i}", 16, 128, step=16), activation="relu"))
    if hp.Boolean("dropout"):
        model.add(layers.Dropout(hp.Float("rate", 0.1, 0.5, step=0.1)))
    model.add(layers.Dense(10, activation="softmax"))
    model.compile(
        optimizer=keras.optimizers.Adam(hp.Float("learning_rate", 1e-4, 1e-1, sampling="log")),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


settings = {"max_trials": 8, "seed": 0, "directory": "searches", "project_name": "digits"}
try:
    tuner = kt.BayesianOptimization(build, "val_accuracy", num_initial_points=4, **settings)
except ImportError as error:
    print(f"{error}; this is a RandomSearch")
    tuner = kt.RandomSearch(build, "val_accuracy", **settings)

stopping = keras.callbacks.EarlyStopping("val_loss", patience=3)
tuner.search(X_train, y_train, epochs=15, validation_split=0.2, callbacks=[stopping])
tuner.results_summary(num_trials=2)

(best,) = tuner.get_best_models()
print(f"\naccuracy on test images: {best.evaluate(X_test, y_test, verbose=0)[1]:.4f}")
hp = tuner.get_best_hyperparameters()[0]
again = tuner.hypermodel.build(hp)  # new weights, trained on all images
again.fit(X_train, y_train, epochs=15, verbose=0)
print(f"trained again on all of them: {again.evaluate(X_test, y_test, verbose=0)[1]:.4f}")
try:
    tuner.plot("trials.png")
except ImportError as error:
    print(error)
