"""Nets of sequences, for training.py, and how much work they are."""

from libraries import Workload

VOCABULARY, LENGTH, WIDTH = 10_000, 100, 128


def of_tokens(name, layers, length=LENGTH, steps=64, batch=32, vocabulary=VOCABULARY):
    """A classifier of token ids that begins with an embedding."""
    embedding = ("Embedding", {"input_dim": vocabulary, "output_dim": WIDTH})
    return Workload(
        name,
        (length,),
        [embedding, *layers, ("Dense", {"units": 10})],
        "Adam",
        1e-3,
        batch=batch,
        steps=steps,
        epochs=1,
        slice=100,
        vocabulary=vocabulary,
    )


LSTM = ("LSTM", {"units": 128})
ENCODER = ("TransformerEncoder", {"intermediate_dim": 512, "num_heads": 4})
CONV1D = ("Conv1D", {"filters": 128, "kernel_size": 5, "activation": "relu"})
WORKLOADS = {
    w.name: w
    for w in [
        of_tokens("lstm", [LSTM]),
        of_tokens("gru", [("GRU", {"units": 128})]),
        of_tokens("conv1d", [CONV1D, ("GlobalMaxPooling1D", {})]),
        of_tokens("encoder", [ENCODER, ENCODER, ("GlobalAveragePooling1D", {})], 128, 32),
    ]
}


def _of_recurrent(gates):
    return lambda width, length, units: (units, gates * length * units * (width + units))


def _of_conv1d(width, length, filters, kernel_size, activation):
    return filters, (length - kernel_size + 1) * kernel_size * width * filters


def _of_encoder(width, length, intermediate_dim, num_heads):
    projections, scores = 4 * length * width * width, 2 * length * length * width
    return width, projections + scores + 2 * length * width * intermediate_dim


def _of_embedding(width, length, input_dim, output_dim):
    return output_dim, 0


# Layer -> function of the width of its input, its length and its arguments: the width of its
# output, and the multiply-adds of one sample.
WORK = {
    "Conv1D": _of_conv1d,
    "Dense": lambda width, length, units: (units, width * units),
    "Embedding": _of_embedding,
    "GRU": _of_recurrent(3),
    "GlobalAveragePooling1D": lambda width, length: (width, 0),
    "GlobalMaxPooling1D": lambda width, length: (width, 0),
    "LSTM": _of_recurrent(4),
    "TransformerEncoder": _of_encoder,
}


def flops(workload):
    """Floating-point operations of the products that train one sample, which are three times those
    of its prediction; None for other nets than those of sequences."""
    if not workload.vocabulary:
        return None
    width, total = None, 0
    for kind, given in workload.layers:
        width, products = WORK[kind](width, workload.row_shape[0], **given)
        total += products
    return 3 * 2 * total
