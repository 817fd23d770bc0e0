"""Connectionist temporal classification by counting all paths."""

import itertools

import numpy as np


def paths_to(labels, steps, classes, blank):
    """Every path of classes that says the labels, one a row."""
    found = []
    for path in itertools.product(range(classes), repeat=steps):
        said = [c for c, _ in itertools.groupby(path) if c != blank]
        if said == list(labels):
            found.append(path)
    return np.array(found, int).reshape(len(found), steps)


def of_row(z, labels, blank):
    """-log of the probability of the labels, and its gradient with respect to the logits."""
    steps, classes = z.shape
    p = np.exp(z - z.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    paths = paths_to(labels, steps, classes, blank)
    if not len(paths):
        return np.inf, np.zeros_like(z)
    each = p[np.arange(steps), paths].prod(-1)
    share = np.zeros_like(z)
    np.add.at(share, (np.arange(steps), paths), np.broadcast_to(each[:, None], paths.shape))
    return -np.log(each.sum()), p - share / each.sum()


def all_rows(x, blank):
    """Losses and gradients; 0 of rows with a label or a length that is out of range."""
    z, labels, counts, times = x[:4]
    loss, gradient = np.zeros(z.shape[:1], z.dtype), np.zeros_like(z)
    for n, (count, steps) in enumerate(zip(counts, times)):
        good = (labels[n] >= 0) & (labels[n] < z.shape[2]) & (labels[n] != blank)
        if 0 <= count <= labels.shape[1] and 0 <= steps <= z.shape[1] and good[:count].all():
            loss[n], gradient[n, :steps] = of_row(z[n, :steps], labels[n, :count], blank)
    return loss, gradient


ORACLE = {
    "ctc_loss": lambda x, a: [all_rows(x, a["mask_index"])[0]],
    "ctc_loss_gradient": lambda x, a: [all_rows(x, a["mask_index"])[1] * x[4][:, None, None]],
}
