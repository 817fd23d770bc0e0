"""Keras layers and models: stacks, regularizers and initializers, a CNN, a grid search, evaluation.

    python examples/tutorials/layers_and_models.py
"""

# --- Stacking layers

import nnlite as keras
from nnlite.layers import Dense, Dropout
from nnlite.models import Sequential

model = Sequential()
model.add(Dense(units=128, activation="relu", input_dim=784))
model.add(Dropout(rate=0.2))
model.add(Dense(units=10, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

# --- Regularization and initialization

from nnlite.layers import BatchNormalization

model = Sequential()
model.add(
    Dense(
        units=128,
        activation="relu",
        input_dim=784,
        kernel_regularizer=keras.regularizers.l2(0.01),
    )
)
model.add(BatchNormalization())
model.add(Dropout(rate=0.2))
model.add(Dense(units=10, activation="softmax", kernel_initializer="glorot_uniform"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

# --- A convolutional network

from nnlite.layers import Conv2D, Flatten, MaxPooling2D

model = Sequential()
model.add(Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)))
model.add(MaxPooling2D((2, 2)))
model.add(Conv2D(64, (3, 3), activation="relu"))
model.add(MaxPooling2D((2, 2)))
model.add(Flatten())
model.add(Dense(128, activation="relu"))
model.add(Dense(10, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

convnet = model  # not in the tutorial

# --- Recurrent layers and attention, for text

import numpy as np  # not in the tutorial

from nnlite.layers import LSTM, Attention, Embedding

model = Sequential()
model.add(Embedding(10000, 128))
model.add(LSTM(128))
model.add(Dense(10, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

words = np.random.default_rng(0).integers(1, 10000, (256, 20))  # not in the tutorial
topics = words[:, 0] // 1000  # not in the tutorial
model.fit(words, topics, epochs=2)  # not in the tutorial

# Behind the last layer there is one vector for each text, and nothing to attend to: nnlite warns of
# it. (Keras's layer takes a list of a query and a value only.)
attention_layer = Attention()
model.add(attention_layer)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(words, topics, epochs=1)  # not in the tutorial

# Between the steps of a sequence it weighs them.
model = Sequential([Embedding(10000, 128), LSTM(128, return_sequences=True), Attention()])
model.add(keras.layers.GlobalAveragePooling1D())
model.add(Dense(10, activation="softmax"))
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(words, topics, epochs=3)
print(f"attention over the steps: accuracy {history.history['accuracy'][-1]:.2f}")

# --- Grid search

from sklearn.model_selection import GridSearchCV  # not in the tutorial

from nnlite.optimizers import Adam  # not in the tutorial
from nnlite.wrappers.scikit_learn import KerasClassifier


def create_model(learning_rate, batch_size):
    model = Sequential()
    model.add(Dense(10, activation="relu", input_dim=784))
    model.add(Dense(10, activation="softmax"))
    model.compile(
        optimizer=Adam(learning_rate=learning_rate),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


(images, labels), _ = keras.datasets.mnist.load_data()  # not in the tutorial
X_train, y_train = images.reshape(-1, 784)[:10_000] / 255, labels[:10_000]  # not in the tutorial

param_grid = {"learning_rate": [0.001, 0.005, 0.01], "batch_size": [32, 64, 128]}
classifier = KerasClassifier(build_fn=create_model, epochs=10)
grid_search = GridSearchCV(classifier, param_grid, cv=5)
grid_result = grid_search.fit(X_train, y_train)
print(f"best of the grid: {grid_result.best_params_}, accuracy {grid_result.best_score_:.3f}")

# --- Accuracy, recall, F1

(X_train, y_train), (X_test, y_test) = keras.datasets.mnist.load_data()  # not in the tutorial
X_train, X_test = X_train[..., None] / 255, X_test[..., None] / 255  # not in the tutorial
model = convnet  # not in the tutorial
model.fit(X_train, y_train, epochs=1)  # not in the tutorial
accuracy = model.evaluate(X_test, y_test)[1]

# The tutorial reads a recall from a model that was compiled without it: here it is compiled with
# it, for the question whether a digit is five or more.
model = Sequential([Flatten(input_shape=(28, 28, 1)), Dense(1, activation="sigmoid")])
model.compile("adam", "binary_crossentropy", metrics=["accuracy", "recall", "precision"])
model.fit(X_train, y_train >= 5, epochs=1)
recall = model.evaluate(X_test, y_test >= 5)[2]
precision = model.evaluate(X_test, y_test >= 5)[3]
f1_score = 2 * (precision * recall) / (precision + recall)
print(f"accuracy {accuracy:.4f}; five or more: recall {recall:.3f}, F1 {f1_score:.3f}")
