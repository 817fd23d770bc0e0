"""The table that `Model.summary` prints."""


def summary(model, line_length=None):
    """Layers, output shapes and numbers of parameters, as text."""
    rows = [
        (f"{x.name} ({type(x).__name__})", str(x.output_shape or "?"), f"{x.count_params():,}")
        for x in model.layers
    ]
    heads = ("Layer (type)", "Output Shape", "Param #")
    widths = [max(len(r[k]) for r in [heads, *rows]) for k in range(3)]
    if line_length is not None:
        widths[0] = max(widths[0], line_length - widths[1] - widths[2] - 10)

    def rule(left, middle, right, fill="─"):
        return left + middle.join(fill * (w + 2) for w in widths) + right

    def line(cells):
        a, b, c = cells
        return f"│ {a:<{widths[0]}} │ {b:<{widths[1]}} │ {c:>{widths[2]}} │"

    table = [
        rule("┌", "┬", "┐"),
        line(heads),
        rule("├", "┼", "┤"),
        *map(line, rows),
        rule("└", "┴", "┘"),
    ]
    trainable = sum(v.size for v in model.trainable_weights)
    total = model.count_params()
    size = sum(v._data.nbytes for v in model.weights)
    return "\n".join(
        [
            f'Model: "{model.name}"',
            *table,
            f" Total params: {total:,} ({_bytes(size)})",
            f" Trainable params: {trainable:,}",
            f" Non-trainable params: {total - trainable:,}",
        ]
    )


def _bytes(n):
    for unit in ("B", "KB", "MB"):
        if n < 1024:
            return f"{n:.2f} {unit}"
        n /= 1024
    return f"{n:.2f} GB"
