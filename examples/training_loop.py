"""A training loop of one's own with metrics, a schedule, validation and the best weights kept.

    python examples/training_loop.py
"""

import numpy as np
from sklearn.datasets import load_digits

import nnlite as tf
from nnlite import keras
from nnlite.keras import layers, losses, metrics, optimizers

x, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(x))
x, y = (x[order] / 16).astype("float32"), y[order]
train = tf.data.Dataset.from_tensor_slices((x[:1200], y[:1200])).shuffle(1200, seed=0).batch(32)
held_out = tf.data.Dataset.from_tensor_slices((x[1200:], y[1200:])).batch(200)

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        layers.Dense(64, activation="relu", kernel_regularizer=keras.regularizers.L2(1e-4)),
        layers.BatchNormalization(),
        layers.Dropout(0.2),
        layers.Dense(10),
    ]
)
optimizer = optimizers.Adam(optimizers.schedules.CosineDecay(1e-2, 10 * 38))
loss_fn = losses.SparseCategoricalCrossentropy(from_logits=True)
loss_of_train, loss_of_held_out = metrics.Mean(), metrics.Mean()
accuracy_of_train = metrics.SparseCategoricalAccuracy()
accuracy_of_held_out = metrics.SparseCategoricalAccuracy()


@tf.function
def train_step(x, y):
    with tf.GradientTape() as tape:
        logits = model(x, training=True)
        loss = loss_fn(y, logits) + sum(model.losses)
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables))
    loss_of_train.update_state(loss)
    accuracy_of_train.update_state(y, logits)


@tf.function
def test_step(x, y):
    logits = model(x, training=False)
    loss_of_held_out.update_state(loss_fn(y, logits))
    accuracy_of_held_out.update_state(y, logits)


best, best_weights = 0.0, None
for epoch in range(10):
    for m in (loss_of_train, loss_of_held_out, accuracy_of_train, accuracy_of_held_out):
        m.reset_state()
    for x, y in train:
        train_step(x, y)
    for x, y in held_out:
        test_step(x, y)
    accuracy = float(accuracy_of_held_out.result())
    if accuracy > best:
        best, best_weights = accuracy, model.get_weights()
    print(
        f"epoch {epoch + 1}: loss {float(loss_of_train.result()):.3f}, held out "
        f"{float(loss_of_held_out.result()):.3f}, accuracy {accuracy:.3f}"
    )
model.set_weights(best_weights)
print(f"the best accuracy is {best:.3f}")
