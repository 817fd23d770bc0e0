"""Attention and einsum among the layers of random models (`models_random.py`)."""


def a_dropout(c):
    """Settings of a dropout, mostly none: the libraries draw other numbers."""
    return {"dropout": 0.25, "seed": c.of(None, 3)} if c.whether(0.1) else {}


def einsum_dense(c, s, of_weights, an_activation):
    """Settings of an EinsumDense for samples of a shape."""
    equation, shape, axes = c.of(
        ("...a,ab->...b", [3], ["b", None]),
        ("...a,abc->...bc", [2, 3], ["bc", "b", "c", None]),
    )
    if len(s) > 2:
        equation, shape, axes = "...a,ab->...b", [2], ["b"]
    return {
        "equation": equation,
        "output_shape": shape,
        "bias_axes": c.of(*axes),
        **c.some(activation=lambda: an_activation(c)),
        **of_weights(c, "kernel", "bias", bias=False),
    }


ATTENTION = {
    "Attention": lambda c, of_weights: {
        **c.some(use_scale=c.whether, score_mode=lambda: c.of("dot", "concat")),
        **a_dropout(c),
    },
    "AdditiveAttention": lambda c, of_weights: {**c.some(use_scale=c.whether), **a_dropout(c)},
    "MultiHeadAttention": lambda c, of_weights: {
        "num_heads": c.of(1, 2),
        "key_dim": c.of(1, 3),
        **c.some(
            value_dim=lambda: 2,
            output_shape=lambda: c.of(3, [4], [2, 2]),
            use_gate=c.whether,
            sliding_window=lambda: 2,
            attention_axes=lambda: c.of(1, [1]),
        ),
        **a_dropout(c),
        **of_weights(c, "kernel", "bias"),
    },
}


def an_attention(drawn, query, of_weights):
    """A step for a query, and values of the same features: what, settings and arguments."""
    c, features = drawn.c, drawn.shape(query)[1]
    fitting = [v for v in (f"@{name}" for name in drawn.results.values) if len(drawn.shape(v)) == 2]
    value = c.of(*(v for v in fitting if drawn.shape(v)[1] == features))
    name, given = c.of(*ATTENTION), [query, value, value][: c.of(2, 2, 3)]
    settings = ATTENTION[name](c, of_weights)
    return f"layer:{name}", settings, given if name == "MultiHeadAttention" else [given]
