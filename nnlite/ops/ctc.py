"""Connectionist temporal classification: labels in their order, at times that are not known."""

import numpy as np

from nnlite.checks import check_choice, is_number, positive_int
from nnlite.engine.dispatch import Op
from nnlite.engine.tensor import Tensor
from nnlite.ops.operands import call, convert_to_numpy, integers, operands


def _infer(logits, labels, counts, times, *_, mask_index):
    if len(logits) != 3 or not logits[2]:
        raise ValueError(
            f"ctc_loss: output: expected logits of shape (N, steps, classes), got {logits}"
        )
    if len(labels) != 2 or labels[0] != logits[0]:
        raise ValueError(f"ctc_loss: target: expected shape ({logits[0]}, labels), got {labels}")
    for name, shape in (("target_length", counts), ("output_length", times)):
        if shape != logits[:1]:
            raise ValueError(f"ctc_loss: {name}: expected shape {logits[:1]}, got {shape}")
    if not 0 <= mask_index < logits[2]:
        raise ValueError(
            f"ctc_loss: mask_index: expected one of {logits[2]} classes, got {mask_index}"
        )
    return [logits[:1]]


def _gradient(c, dloss, need):
    return [call("ctc_loss_gradient", [*c.inputs, dloss], **c.attrs), None, None, None]


def _work(inputs, outputs):
    (n, steps, classes), labels = inputs[0], inputs[1][1]
    return n * steps * (20 * classes + 100 * (2 * labels + 1))


_ATTRS = {"mask_index": int}
Op("ctc_loss", infer=_infer, gradient=_gradient, attrs=_ATTRS, work=_work)
Op("ctc_loss_gradient", infer=lambda logits, *_, **__: [logits], attrs=_ATTRS, work=_work)


def ctc_loss(target, output, target_length, output_length, mask_index=0):
    """-log of the probability of labels, whatever the times at which they come.

    At each step the output is a label or a blank; blanks, and labels again without a blank between,
    say nothing new. A. Graves et al.: "Connectionist temporal classification", ICML 2006.

    Parameters
    ----------
    target : integer tensor, shape (N, labels)
        Classes in [0, classes), without the blank.
    output : tensor, shape (N, steps, classes)
        Logits.
    target_length : integer tensor, shape (N,)
        How many labels of each row count.
    output_length : integer tensor, shape (N,)
        How many steps of each row count.
    mask_index : int, default 0
        The class of the blank.

    Returns
    -------
    Tensor, shape (N,)
        Infinite, with the gradient 0, where there are more labels than steps can give.

    Raises
    ------
    ValueError
        If a label or a length is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import nnlite
    >>> logits = np.zeros((1, 2, 3))
    >>> loss = nnlite.ops.ctc_loss([[1]], logits, [1], [2])  # 1 1, 1 blank, blank 1: 3 of 9
    >>> f"{loss.item():.4f}"  # log(3)
    '1.0986'
    """
    (logits,) = operands(output)
    given = {"target": target, "target_length": target_length, "output_length": output_length}
    counted = [integers(value, f"ctc_loss: {name}") for name, value in given.items()]
    return call("ctc_loss", [logits, *counted], mask_index=int(mask_index))


def ctc_decode(
    inputs,
    sequence_lengths,
    strategy="greedy",
    beam_width=100,
    top_paths=1,
    merge_repeated=True,
    mask_index=0,
):
    """The labels that are read from the outputs of a network trained with `ctc_loss`.

    It computes in Python, on values: not in a model or training step.

    Parameters
    ----------
    inputs : tensor, shape (N, steps, classes)
        Logits.
    sequence_lengths : integer tensor, shape (N,)
        How many steps of each row count.
    strategy : {'greedy', 'beam_search'}, default 'greedy'
        'greedy' takes the best class of each step; 'beam_search' adds up the ways to the same
        labels, and keeps the best `beam_width` of them at each step.
    beam_width : int of at least 1, default 100
    top_paths : int of at least 1, default 1
        How many results 'beam_search' gives.
    merge_repeated : bool, default True
        Whether 'greedy' takes the same class at successive steps as one label.
    mask_index : int, default 0
        The class of the blank.

    Returns
    -------
    labels : int32 Tensor, shape (paths, N, steps)
        -1 behind the last label.
    scores : Tensor, shape (N, paths)
        'greedy': minus the sum of the logits taken. 'beam_search': the logarithms of the
        probabilities.

    Raises
    ------
    ValueError
        If a length or an option is out of range.

    Examples
    --------
    >>> import nnlite
    >>> logits = [[[0.0, 5.0, 0.0], [0.0, 5.0, 0.0], [5.0, 0.0, 0.0], [0.0, 0.0, 5.0]]]
    >>> nnlite.ops.ctc_decode(logits, [4])[0].numpy().tolist()
    [[[1, 2, -1, -1]]]
    """
    check_choice("strategy", strategy, ("greedy", "beam_search"), "ctc_decode")
    values = convert_to_numpy(operands(inputs)[0])
    lengths = convert_to_numpy(integers(sequence_lengths, "ctc_decode: sequence_lengths"))
    if values.ndim != 3 or lengths.shape != values.shape[:1]:
        raise ValueError(
            "ctc_decode: expected inputs of shape (N, steps, classes) and sequence_lengths of "
            f"shape (N,), got {values.shape} and {lengths.shape}"
        )
    steps, classes = values.shape[1:]
    wrong = lengths[(lengths < 0) | (lengths > steps)]
    if wrong.size:
        raise ValueError(
            f"ctc_decode: sequence_lengths: expected numbers in [0, {steps}], got {wrong[0]}"
        )
    if not is_number(mask_index, f"[0, {classes})"):
        raise ValueError(
            f"ctc_decode: mask_index: expected one of {classes} classes, got {mask_index}"
        )
    beam_width = positive_int("ctc_decode: beam_width", beam_width)
    paths = positive_int("ctc_decode: top_paths", top_paths) if strategy == "beam_search" else 1
    labels = np.full((paths, *values.shape[:2]), -1, np.int32)
    scores = np.full((len(values), paths), -np.inf, values.dtype)
    for n, (logits, length) in enumerate(zip(values, lengths)):
        if strategy == "greedy":
            found = [_greedy(logits[:length], merge_repeated, mask_index)]
        else:
            found = _beam_search(logits[:length].astype(np.float64), beam_width, mask_index)
        for k, (path, score) in enumerate(found[:paths]):
            labels[k, n, : len(path)], scores[n, k] = path, score
    return tuple(Tensor(a.shape, a.dtype.name, a) for a in (labels, scores))


def _greedy(logits, merge_repeated, blank):
    """The labels of the best classes, and minus the sum of their logits."""
    best = logits.argmax(axis=1) if len(logits) else np.zeros(0, int)
    kept = best != blank
    if merge_repeated:
        kept[1:] &= best[1:] != best[:-1]
    return best[kept], -logits.max(axis=1).sum() if len(logits) else 0.0


def _beam_search(logits, width, blank):
    """Pairs of labels and the logarithm of their probability, the best first.

    Each beam has two numbers: of the ways that end with a blank, and of those that do not.
    """
    most = logits.max(axis=1, keepdims=True, initial=-np.inf)
    log_p = logits - most - np.log(np.exp(logits - most).sum(axis=1, keepdims=True))
    nothing = -np.inf
    beams = {(): (0.0, nothing)}
    for step in log_p:
        found = {}

        def add(path, blank_end, label_end, found=found):
            old = found.get(path, (nothing, nothing))
            found[path] = np.logaddexp(old[0], blank_end), np.logaddexp(old[1], label_end)

        for path, (after_blank, after_label) in beams.items():
            both = np.logaddexp(after_blank, after_label)
            add(path, both + step[blank], nothing)
            if path:
                add(path, nothing, after_label + step[path[-1]])
            for label, p in enumerate(step):
                if label != blank:
                    before = after_blank if path and path[-1] == label else both
                    add((*path, label), nothing, before + p)
        best = sorted(found, key=lambda path: -np.logaddexp(*found[path]))
        beams = {path: found[path] for path in best[:width]}
    return [(path, np.logaddexp(*ends)) for path, ends in beams.items()]
