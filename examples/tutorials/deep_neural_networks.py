"""Deep neural networks: activations, initializers, models, losses, optimizers, regularization, an
MLP and LeNet on MNIST.

    python examples/tutorials/deep_neural_networks.py

The pictures appear where matplotlib has a window to show them in.
"""

# --- Activations

import matplotlib.pyplot as plt
import numpy as np

import nnlite as tf

x = np.linspace(-10, 10, 100)
y = tf.nn.sigmoid(x)
plt.plot(x, y)
plt.grid()
plt.rcParams["axes.unicode_minus"] = False
plt.show()

x = np.linspace(-10, 10, 100)
y = tf.nn.tanh(x)
plt.plot(x, y)
plt.grid()
plt.show()

x = np.linspace(-10, 10, 100)
y = tf.nn.relu(x)
plt.plot(x, y)
plt.grid()
plt.show()

x = np.linspace(-10, 10, 100)
y = tf.nn.leaky_relu(x)
plt.plot(x, y)
plt.grid()
plt.show()

x = tf.constant([0.2, 0.02, 0.15, 1.3, 0.5, 0.06, 1.1, 0.05, 3.75])
y = tf.nn.softmax(x)
print(y)

# --- Initializers

initializern = tf.keras.initializers.glorot_normal()
value = initializern((9, 1))
initializern = tf.keras.initializers.glorot_uniform()
value = initializern((9, 1))
initializer = tf.keras.initializers.he_normal()
values = initializer((9, 1))
initializer = tf.keras.initializers.he_uniform()
values = initializer((9, 1))
print(values)

# --- Three ways to a model: Sequential

from nnlite import keras, layers

model = keras.Sequential(
    [
        layers.Dense(3, activation="relu", kernel_initializer="he_normal", input_shape=(3,)),
        layers.Dense(2, activation="relu", kernel_initializer="he_normal"),
        layers.Dense(2, activation="sigmoid", kernel_initializer="he_normal"),
    ],
    name="my_Sequential",
)
model.summary()
keras.utils.plot_model(model, show_shapes=True)

# --- Functional

inputs = keras.Input(shape=(3,), name="input")
x = layers.Dense(3, activation="relu", name="layer1")(inputs)
x = layers.Dense(2, activation="relu", name="layer2")(x)
outputs = layers.Dense(2, activation="sigmoid", name="layer3")(x)
model = keras.Model(inputs=inputs, outputs=outputs, name="my_model")
model.summary()
keras.utils.plot_model(model, show_shapes=True)

# --- A subclass


class MyModel(keras.Model):
    def __init__(self):
        super(MyModel, self).__init__()
        self.layer1 = layers.Dense(3, activation="relu", name="layer1")
        self.layer2 = layers.Dense(2, activation="relu", name="layer2")
        self.layer3 = layers.Dense(2, activation="sigmoid", name="layer3")

    def call(self, inputs):
        x = self.layer1(inputs)
        x = self.layer2(x)
        outputs = self.layer3(x)
        return outputs


model = MyModel()
x = tf.ones((1, 3))
y = model(x)
model.summary()

# --- Losses of classification

y_true = [[0, 1, 0], [0, 0, 1]]
y_pred = [[0.05, 0.95, 0], [0.1, 0.8, 0.1]]
y_true = tf.convert_to_tensor(y_true)
y_pred = tf.convert_to_tensor(y_pred)
cce = tf.keras.losses.CategoricalCrossentropy()
print("CCE", cce(y_true, y_pred))

y_true = tf.constant([[0], [1]])
y_pred = tf.constant([[0.4], [0.6]])
bca = tf.keras.losses.BinaryCrossentropy()
print("BCE", bca(y_true, y_pred))

# --- Losses of regression

y_true = [[0.0], [1.0]]
y_pred = [[1.0], [1.0]]
mae = tf.keras.losses.MeanAbsoluteError()
print("MAE", mae(y_true, y_pred))

y_true = tf.constant([[0], [1]])
y_pred = tf.constant([[0.6], [0.4]])
h = tf.keras.losses.Huber()
print("Huber", h(y_true, y_pred))

# --- Gradient descent. As the tutorial has it, the loss itself is applied in the gradient's place.

opt = tf.keras.optimizers.SGD(learning_rate=0.1)
var = tf.Variable(1.0)
with tf.GradientTape() as tape:
    loss = (var**2) / 2.0
grad = tape.gradient(loss, var)
opt.apply_gradients([(loss, var)])
print("SGD", var.numpy())

# --- Momentum

opt = tf.keras.optimizers.SGD(learning_rate=0.1, momentum=0.9)
var = tf.Variable(1.0)
var0 = var.value()
for step in range(2):
    with tf.GradientTape() as tape:
        loss = (var**2) / 2.0
    gradient = tape.gradient(loss, [var])
    opt.apply_gradients([(loss, var)])
    if step == 0:
        var1 = var.value()
    elif step == 1:
        var2 = var.value()
print("momentum", var0.numpy(), var1.numpy(), var2.numpy())
var0 - var1
var1 - var2

# --- AdaGrad, RMSprop, Adam

opt = tf.keras.optimizers.Adagrad(
    learning_rate=0.1, initial_accumulator_value=0.1, epsilon=1e-06
)
var = tf.Variable(1.0)
with tf.GradientTape() as tape:
    loss = (var**2) / 2.0
gradient = tape.gradient(loss, [var])
opt.apply_gradients([(loss, var)])
print("Adagrad", var.numpy())

opt = tf.keras.optimizers.RMSprop(learning_rate=0.1, rho=0.9)
var = tf.Variable(1.0)
with tf.GradientTape() as tape:
    loss = (var**2) / 2.0
gradient = tape.gradient(loss, [var])
opt.apply_gradients([(loss, var)])
print("RMSprop", var.numpy())

opt = tf.keras.optimizers.Adam(learning_rate=0.1)
var = tf.Variable(1.0)
with tf.GradientTape() as tape:
    loss = (var**2) / 2.0
gradient = tape.gradient(loss, [var])
opt.apply_gradients([(loss, var)])
print("Adam", var.numpy())

# --- L1 and L2

tf.keras.regularizers.L1(l1=0.01)
tf.keras.regularizers.L2(l2=0.01)
tf.keras.regularizers.L1L2(l1=0.0, l2=0.0)

from nnlite import regularizers

model = keras.Sequential(
    [
        layers.Dense(
            3,
            activation="relu",
            kernel_initializer="he_normal",
            kernel_regularizer=regularizers.l1(0.001),
            input_shape=(3,),
        ),
        layers.Dense(
            2,
            activation="relu",
            kernel_initializer="he_normal",
            kernel_regularizer=regularizers.l2(0.001),
        ),
        layers.Dense(
            2,
            activation="sigmoid",
            kernel_initializer="he_normal",
            kernel_regularizer=regularizers.L1L2(0.001, 0.001),
        ),
    ],
    name="my_Sequential",
)

# --- Dropout

layer = layers.Dropout(0.2, input_shape=(2,))
data = np.arange(1, 11).reshape(5, 2).astype(np.float32)
outputs = layer(data, training=True)
print(outputs)

# --- Early stopping

callback = keras.callbacks.EarlyStopping(monitor="loss", patience=3)
model = keras.Sequential([layers.Dense(10)])
model.compile(keras.optimizers.SGD(), loss="mse")
history = model.fit(
    np.arange(100).reshape(5, 20),
    np.array([0, 1, 0, 1, 0]),
    epochs=10,
    callbacks=callback,
    batch_size=1,
    verbose=1,
)
print("epochs run:", len(history.history["loss"]))

# --- Batch normalization

tf.keras.layers.BatchNormalization(
    epsilon=0.001, center=True, scale=True, beta_initializer="zeros", gamma_initializer="ones"
)

# --- MNIST, a multilayer perceptron

from nnlite import utils
from nnlite.datasets import mnist
from nnlite.layers import Activation, BatchNormalization, Dense, Dropout
from nnlite.models import Sequential

plt.rcParams["figure.figsize"] = (7, 7)

(x_train, y_train), (x_test, y_test) = mnist.load_data()
print(x_train.shape, y_train.shape)

for i in range(9):
    plt.subplot(3, 3, i + 1)
    plt.imshow(x_train[i], cmap="gray")
    plt.title(y_train[i])

x_train = x_train.reshape(len(x_train), 784)
x_test = x_test.reshape(len(x_test), 784)
x_train = x_train.astype("float32")
x_test = x_test.astype("float32")
x_train = x_train / 255
x_test = x_test / 255
y_train = utils.to_categorical(y_train, 10)
y_test = utils.to_categorical(y_test, 10)

model = Sequential(
    [
        Dense(512, activation="relu", input_shape=(784,)),
        BatchNormalization(),
        Dropout(0.2),
        Dense(512, kernel_regularizer=regularizers.l2(0.01)),
        BatchNormalization(),
        Activation("relu"),
        Dropout(0.2),
        Dense(10, activation="softmax"),
    ]
)
model.summary()
model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
history = model.fit(
    x_train, y_train, batch_size=128, epochs=4, verbose=1, validation_data=(x_test, y_test)
)

plt.figure(figsize=(14, 8))
plt.plot(history.history["loss"], label="train_loss")
plt.plot(history.history["val_loss"], label="val_loss")
plt.legend()
plt.grid()

plt.figure(figsize=(14, 8))
plt.plot(history.history["accuracy"], label="train_accuracy")
plt.plot(history.history["val_accuracy"], label="val_accuracy")
plt.legend()
plt.grid()

score = model.evaluate(x_test, y_test, verbose=1)
print("MLP", score)

# --- Convolution and pooling

filters, kernel_size = 32, 3  # not in the tutorial
tf.keras.layers.Conv2D(filters, kernel_size, strides=(1, 1), padding="valid", activation=None)
tf.keras.layers.MaxPool2D(pool_size=(2, 2), strides=2, padding="valid")
tf.keras.layers.AveragePooling2D(pool_size=(2, 2), strides=2, padding="valid")

# --- LeNet. The tutorial leaves the pixels in 0 ... 255, with which this learning rate diverges, in
# Keras as here: they are divided by 255.

(train_image, train_label), (test_image, test_label) = mnist.load_data()
train_image = train_image.reshape(len(train_image), 28, 28, 1) / 255  # / 255: not in the tutorial
test_image = test_image.reshape(len(test_image), 28, 28, 1) / 255

model = Sequential(
    [
        layers.Conv2D(filters=6, kernel_size=5, activation="relu", input_shape=(28, 28, 1)),
        layers.MaxPooling2D(pool_size=2, strides=2),
        layers.Conv2D(filters=16, kernel_size=5, activation="relu"),
        layers.MaxPooling2D(pool_size=2, strides=2),
        layers.Flatten(),
        layers.Dense(120, activation="relu"),
        layers.Dense(84, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ]
)
model.summary()
optimizer = tf.keras.optimizers.SGD(learning_rate=0.1)
model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(train_image, train_label, epochs=5, batch_size=128, verbose=1)
print("LeNet", model.evaluate(test_image, test_label))
