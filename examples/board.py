"""From tutorial to board: a convolutional network for digits becomes a C file in 8-bit integers.

    python examples/board.py

The file is compiled here, and reads 200 digits that the network has not seen. On a board, add
`digits.c` and `digits.h`, which are written into this folder, to the firmware.
"""

import os
import shutil
import subprocess

import numpy as np
from sklearn.datasets import load_digits

import nnlite
from nnlite import layers

MAIN = """\
#include "digits.h"
#include <stdio.h>
int main(void) {
    float image[DIGITS_INPUT_SIZE], probabilities[DIGITS_OUTPUT_SIZE];
    while (fread(image, sizeof image, 1, stdin) == 1) {
        digits_predict(image, probabilities);
        printf("%d\\n", (int)digits_argmax(probabilities));
    }
    return 0;
}
"""

X, y = load_digits(return_X_y=True)
X = (X / 16).reshape(-1, 8, 8, 1).astype("float32")
nnlite.utils.set_random_seed(0)
model = nnlite.Sequential(
    [
        layers.Input((8, 8, 1)),
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(32, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(X[:-200], y[:-200], epochs=20, verbose=0)

# Rows such as the board will see say the ranges of the integers.
nnlite.export(model, "digits.c", quantize="int8", samples=X[:200])

compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
if not compiler:
    raise SystemExit("There is no C compiler here to run digits.c with.")
with open("main.c", "w") as file:
    file.write(MAIN)
subprocess.run([compiler, "-std=c99", "-O2", "main.c", "digits.c", "-o", "digits"], check=True)
done = subprocess.run(["./digits"], input=X[-200:].tobytes(), capture_output=True, check=True)
found = np.array(done.stdout.split(), int)
expected = model.predict(X[-200:]).argmax(1)
print(f"right of 200 digits: {np.sum(found == y[-200:])} by the C file")
print(f"                     {np.sum(expected == y[-200:])} by the network")
