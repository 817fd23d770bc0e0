"""From Keras to TensorFlow 2.0: an MLP and a CNN on MNIST, regularization, augmentation.

    python examples/tutorials/from_keras_to_tensorflow.py
"""

# --- A first model

import nnlite as tf
from nnlite import keras
from nnlite import layers

mnist = keras.datasets.mnist
(x_train, y_train), (x_test, y_test) = mnist.load_data()

x_train = x_train.reshape(-1, 784).astype("float32") / 255
x_test = x_test.reshape(-1, 784).astype("float32") / 255

model = keras.Sequential([
    layers.Dense(512, activation="relu", input_shape=(784,)),
    layers.Dense(256, activation="relu"),
    layers.Dense(10, activation="softmax"),
])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x_train, y_train, epochs=10, batch_size=128, validation_split=0.2)
test_loss, test_acc = model.evaluate(x_test, y_test)
print(f"MLP, test accuracy: {test_acc}")

# --- A convolutional network

from nnlite import models

model = models.Sequential([
    layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)),
    layers.MaxPooling2D((2, 2)),
    layers.Conv2D(64, (3, 3), activation="relu"),
    layers.MaxPooling2D((2, 2)),
    layers.Conv2D(64, (3, 3), activation="relu"),
    layers.Flatten(),
    layers.Dense(64, activation="relu"),
    layers.Dense(10, activation="softmax"),
])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])

# --- An activation of one's own

from nnlite import backend as K


def relu6(x):
    return K.relu(x, max_value=6)


model = models.Sequential([
    layers.Dense(128, activation=relu6, input_shape=(784,)),
    layers.Dense(10, activation="softmax"),
])
model.compile(  # not in the tutorial, which trains without having compiled
    optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"]
)
history = model.fit(x_train, y_train, epochs=15, batch_size=64, validation_split=0.2)
test_loss, test_acc = model.evaluate(x_test, y_test)
print(f"ReLU6, test accuracy: {test_acc}")

# --- An optimizer's learning rate

optimizer = tf.keras.optimizers.Adam(learning_rate=0.001)
model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])

# --- L2 and dropout

from nnlite import regularizers

model = models.Sequential([
    layers.Dense(
        512, activation="relu", kernel_regularizer=regularizers.l2(0.001), input_shape=(784,)
    ),
    layers.Dropout(0.5),
    layers.Dense(256, activation="relu", kernel_regularizer=regularizers.l2(0.001)),
    layers.Dropout(0.5),
    layers.Dense(10, activation="softmax"),
])

# --- A search over settings

from nnlite import tuner as kt


def build_model(hp):
    model = models.Sequential()
    model.add(layers.Dense(
        units=hp.Int("units", min_value=32, max_value=512, step=32),
        activation="relu",
        input_shape=(784,)
    ))
    model.add(layers.Dense(10, activation="softmax"))

    model.compile(
        optimizer=keras.optimizers.Adam(
            hp.Choice("learning_rate", values=[1e-2, 1e-3, 1e-4])
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"]
    )
    return model


tuner = kt.RandomSearch(
    build_model,
    objective="val_accuracy",
    max_trials=5,
    executions_per_trial=3,
    directory="my_dir",
    project_name="helloworld"
)

tuner.search(x_train, y_train, epochs=5, validation_split=0.2)

best_model = tuner.get_best_models(num_models=1)[0]
search_loss, search_acc = best_model.evaluate(x_test, y_test, verbose=0)  # not in the tutorial
print(f"Tuner, test accuracy: {search_acc}")  # not in the tutorial

# --- Predictions

import numpy as np

predictions = model.predict(x_test)
predicted_labels = np.argmax(predictions, axis=1)

# --- Augmentation

from nnlite.preprocessing.image import ImageDataGenerator

(x_train, y_train), (x_test, y_test) = mnist.load_data()  # not in the tutorial: images as they came
x_train = x_train.astype("float32") / 255
x_test = x_test.astype("float32") / 255

datagen = ImageDataGenerator(
    rotation_range=10,
    zoom_range=0.1,
    width_shift_range=0.1,
    height_shift_range=0.1,
)
datagen.fit(x_train.reshape(-1, 28, 28, 1))

model = models.Sequential([
    layers.Conv2D(32, (3, 3), activation="relu", input_shape=(28, 28, 1)),
    layers.MaxPooling2D((2, 2)),
    layers.Conv2D(64, (3, 3), activation="relu"),
    layers.MaxPooling2D((2, 2)),
    layers.Conv2D(64, (3, 3), activation="relu"),
    layers.Flatten(),
    layers.Dense(64, activation="relu"),
    layers.Dense(10, activation="softmax"),
])
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(
    datagen.flow(x_train.reshape(-1, 28, 28, 1), y_train, batch_size=64),
    epochs=15,
    validation_data=(x_test.reshape(-1, 28, 28, 1), y_test),
)
test_loss, test_acc = model.evaluate(x_test.reshape(-1, 28, 28, 1), y_test)
print(f"CNN, test accuracy: {test_acc}")

# --- More dropout, in the finished model

model.add(layers.Dropout(0.5))
