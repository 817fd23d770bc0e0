"""Distillation: a small network learns from the probabilities of a large one, inside `fit`.

    python examples/distillation.py
"""

import numpy as np
from sklearn.datasets import load_digits

from nnlite import keras, ops
from nnlite.keras import layers

x, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(x))
x, y = (x[order] / 16).astype("float32"), y[order]
x_test, y_test, x, y = x[1000:], y[1000:], x[:1000], y[:1000]
labelled = np.arange(len(x)) < 150  # what the small network may know the labels of


def network(*units):
    return keras.Sequential([*(layers.Dense(n, "relu") for n in units), layers.Dense(10)])


def trained(model, x, y, **fit):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])
    model.fit(x, y, batch_size=32, epochs=60, verbose=0, **fit)
    return model.evaluate(x_test, y_test, verbose=0, return_dict=True)["accuracy"]


class Distiller(keras.Model):
    """A student whose loss also compares its outputs with those of a teacher."""

    def __init__(self, student, teacher, temperature=3.0, alpha=0.1):
        super().__init__()
        self.student, self.teacher = student, teacher
        self.temperature, self.alpha = temperature, alpha
        self.divergence = keras.losses.KLDivergence()
        teacher.trainable = False

    def call(self, x):
        return self.student(x)

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight)
        if not training:
            return loss
        soft, ours = (ops.softmax(z / self.temperature) for z in (self.teacher(x), y_pred))
        distilled = self.divergence(soft, ours) * self.temperature**2
        return self.alpha * loss + (1 - self.alpha) * distilled


keras.utils.set_random_seed(0)
teacher = network(256, 256)
print(f"accuracy of the teacher, who knows all labels: {trained(teacher, x, y):.3f}")
alone = trained(network(16), x[labelled], y[labelled])
print(f"of a small network that knows 150 of them:     {alone:.3f}")
weights = labelled.astype("float32")  # 0: the label does not count
student = trained(Distiller(network(16), teacher), x, y, sample_weight=weights)
print(f"of the same, taught by the teacher:            {student:.3f}")
