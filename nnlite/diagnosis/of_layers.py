"""Checks of the layers: what they give, and which gradients reach them."""

import numpy as np

from nnlite.diagnosis.case import rms
from nnlite.diagnosis.finding import Finding

DEAD = 0.4  # of the units of a layer
SATURATED = 0.7  # of the values
VANISHED, EXPLODED = 1e-4, 1e3  # ratios of gradients
LIMITS = {"sigmoid": (0.01, 0.99), "hard_sigmoid": (0.01, 0.99), "tanh": (-0.99, 0.99)}


def dead_units(case):
    """Units do not give the same number for every row."""
    for r in _hidden(case):
        units = r.output.reshape(-1, r.output.shape[-1])
        if len(units) < 20 or units.shape[1] < 2 or not (r.weights or r.activation):
            continue
        dead = np.ptp(units, axis=0) <= 1e-6 * np.abs(units).max(axis=0, initial=0)
        count = np.count_nonzero(dead)
        if count >= DEAD * len(dead):
            which = "all" if count == len(dead) else f"{count} of"
            figure = f"{which} {len(dead)} units give the same number for every row"
            cure = (
                "scale the inputs to a mean of 0, lower the learning rate, initialize with "
                "he_normal, or take leaky_relu or elu"
            )
            severity = "error" if count == len(dead) else "warning"
            yield Finding("dead units", severity, figure, cure, r.name)


def saturated_units(case):
    """Sigmoids and tanhs are not where they are flat."""
    for r in _hidden(case):
        if r.activation not in LIMITS:
            continue
        low, high = LIMITS[r.activation]
        share = np.mean((r.output < low) | (r.output > high))
        if share > SATURATED:
            figure = f"{share:.0%} of the values of its {r.activation} are at its limits"
            cure = "scale the inputs, lower the learning rate, or initialize with smaller weights"
            yield Finding("saturated units", "warning", figure, cure, r.name)


def _hidden(case):
    return [r for r in case.layers if not r.is_output and r.output is not None]


def vanishing_gradients(case):
    """The gradients of a layer's weights are not far smaller than those of the layers after it."""
    sizes = _gradients_of_weights(case)
    for r, size in sizes:
        later = max((other for s, other in sizes if r.name in s.before), default=0.0)
        if 0 < size < VANISHED * later:
            figure = (
                f"the gradient of its weights is {size / later:.1e} times that of the layer where "
                "it is largest, relative to the weights"
            )
            cure = (
                "take relu or elu for sigmoid or tanh, BatchNormalization, connections that skip "
                "layers, or fewer layers"
            )
            yield Finding("vanishing gradients", "warning", figure, cure, r.name)
            return  # those after it are on the way there


def exploding_gradients(case):
    """Neither outputs nor gradients grow a thousandfold from layer to layer, or beyond numbers."""
    outputs = [(r, rms(r.output)) for r in _hidden(case)]
    strange = [r.name for r, s in (*outputs, *_gradients_of_weights(case)) if not np.isfinite(s)]
    if strange or not np.isfinite(case.loss or 0.0):
        figure = f"the loss of a batch is {case.loss}, or its gradient is not finite"
        cure = "start from new weights, with a lower learning rate, scaled inputs or clipnorm=1.0"
        yield Finding("exploding gradients", "error", figure, cure, (*strange, None)[0])
        return
    scale = max([1.0, *(rms(values) for values, _ in case.inputs)])
    gradients = [(r, rms(r.gradient)) for r in case.layers if r.gradient is not None]
    grown = []
    for r, size in outputs:
        if size > EXPLODED * scale:
            grown.append((r, f"its outputs have a root mean square of {size:.2g}"))
    for r, size in gradients:
        later = max((other for s, other in gradients if r.name in s.before), default=0.0)
        if size > EXPLODED * later > 0:
            grown.append((r, f"the gradient of its outputs is {size / later:.1e} times any later"))
    cure = "initialize with he_normal or glorot_uniform, add BatchNormalization, or clipnorm=1.0"
    for r, figure in grown[:1]:
        yield Finding("exploding gradients", "warning", figure, cure, r.name)


def _gradients_of_weights(case):
    """(layer, gradient of its largest weight, relative to that weight) of each that has one."""
    sizes = [(r, _relative(r)) for r in case.layers if r.weights]
    return [(r, size) for r, size in sizes if size is not None]


def _relative(reading):
    weight, gradient = max(reading.weights, key=lambda pair: pair[0].size)
    return None if gradient is None else rms(gradient) / (rms(weight) + 1e-12)


def untrained_layers(case):
    """The loss depends on the weights of every layer."""
    for r in case.layers:
        own = [v for v in r.layer._own_weights() if v.trainable]
        if own and not r.weights:
            figure = f"its {sum(v.size for v in own):,} weights are frozen (trainable=False)"
            cure = "nothing, if it was trained elsewhere; else set trainable=True and compile again"
            yield Finding("untrained layer", "note", figure, cure, r.name)
        elif "gradients" in case.missed or not r.weights:
            continue
        elif all(gradient is None for _, gradient in r.weights):
            figure = "the loss does not depend on its weights"
            cure = "use its result in call, or remove it"
            yield Finding("untrained layer", "error", figure, cure, r.name)
        elif all(gradient is None or not gradient.any() for _, gradient in r.weights):
            figure = f"the gradient of its weights is 0 for all {len(r.output)} rows of a batch"
            cure = (
                "look at what follows: dead units, a constant or an argmax let no gradient through"
            )
            yield Finding("untrained layer", "error", figure, cure, r.name)
    for name in case.unused:
        figure = "it is part of the model but was never called"
        yield Finding("untrained layer", "warning", figure, "call it in call, or remove it", name)
