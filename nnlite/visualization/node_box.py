"""The box of a call in the picture of a model: a coloured heading, and a table of details."""

from nnlite.visualization.canvas import shortened, text_width

# (filling of the heading, outline) of each family of layers
INPUT = ("#e2e8f0", "#64748b")
DENSE = ("#dbeafe", "#3b82f6")
CONVOLUTION = ("#ccfbf1", "#0d9488")
POOLING = ("#fee2e2", "#dc2626")
NORMALIZATION = ("#ede9fe", "#7c3aed")
ACTIVATION = ("#fef3c7", "#d97706")
REGULARIZATION = ("#fce7f3", "#db2777")
SHAPING = ("#ede9e3", "#8a7f72")
MERGING = ("#dcfce7", "#16a34a")
MODEL = ("#e0e7ff", "#4f46e5")
FUNCTION = ("#f1f5f9", "#94a3b8")
OTHER = ("#ffedd5", "#ea580c")

# By the module of a layer's class, or by the class if its module has several families.
COLOURS = {
    "InputLayer": INPUT,
    "Dense": DENSE,
    "Activation": ACTIVATION,
    "Dropout": REGULARIZATION,
    "Flatten": SHAPING,
    "Reshape": SHAPING,
    "conv": CONVOLUTION,
    "pooling": POOLING,
    "normalization": NORMALIZATION,
    "activation": ACTIVATION,
    "regularization": REGULARIZATION,
    "shaping": SHAPING,
    "preprocessing": SHAPING,
    "merging": MERGING,
}
TEXT_COLOR, MUTED, BACKGROUND = "#0f172a", "#64748b", "#ffffff"

TITLE, SMALL, BODY = 12, 10, 10.5  # sizes of the text
PAD, ROW, RADIUS = 10, 19, 6
MAX_NAME = 44  # characters
MAX_SHAPES = 6  # different shapes in a box


class Box:
    """The box of one call: a heading, and a table of the details that `style` shows."""

    has_arrows = True

    def __init__(self, call, style):
        self.call = call
        self.title = call.name if call.layer is None else call.kind
        self.lines = []
        if style.shows("names") and call.name != self.title:
            self.lines.append(shortened(call.name, MAX_NAME))
        if call.call_count > 1:
            self.lines.append(f"call {call.call_number + 1} of {call.call_count}")
        self.title = shortened(self.title, MAX_NAME)
        self.rows = table(call, style)
        self.label_width = max((text_width(a, BODY) + 2 * PAD for a, _ in self.rows), default=0)
        values = [text_width(v, BODY) + 2 * PAD for _, lines in self.rows for v in lines]
        heads = [text_width(self.title, TITLE, bold=True)]
        heads += [text_width(line, SMALL) for line in self.lines]
        self.heading = 25 + 14 * len(self.lines)
        width = max(max(heads) + 2 * PAD + 4, self.label_width + max(values, default=0), 76)
        self.size = width, self.heading + sum(ROW * len(lines) for _, lines in self.rows)

    def entry(self, _):
        """The position across at which the line of an input ends, from the middle of the box."""
        return 0.0

    exit = entry

    def draw(self, drawing, x, y):
        """Draw the box with its upper left corner at (x, y)."""
        fill, outline = colours(self.call)
        width, height = self.size
        below = RADIUS if not self.rows else 0
        tip = f"{self.call.name} ({self.call.kind})"
        if self.rows:
            drawing.rect(x, y, width, height, BACKGROUND, radius=(RADIUS, RADIUS))
        drawing.rect(x, y, width, self.heading, fill, radius=(RADIUS, below))
        drawing.text(x + width / 2, y + 17, self.title, TITLE, TEXT_COLOR, bold=True)
        for k, line in enumerate(self.lines):
            drawing.text(x + width / 2, y + 31 + 14 * k, line, SMALL, TEXT_COLOR)
        top = y + self.heading
        for label, values in self.rows:
            drawing.curve([("M", [(x, top)]), ("L", [(x + width, top)])], outline, 0.6)
            drawing.text(x + PAD, top + 13.5, label, BODY, MUTED, anchor="start")
            for value in values:
                drawing.text(
                    x + self.label_width + PAD, top + 13.5, value, BODY, TEXT_COLOR, anchor="start"
                )
                top += ROW
        if self.rows:
            at = x + self.label_width
            line = [("M", [(at, y + self.heading)]), ("L", [(at, y + height)])]
            drawing.curve(line, outline, 0.6)
        drawing.rect(x, y, width, height, "none", outline, (RADIUS, RADIUS), line=1.2, tip=tip)


def table(call, style):
    """(label, lines of text) for each row of a box."""
    rows, layer = [], call.layer
    if style.shows("activation") and hasattr(layer, "activation"):
        rows.append(("activation", [_activation(layer.activation)]))
    if style.shows("shapes"):
        if call.input_shapes:
            rows.append(("input", shape_lines(call.input_shapes)))
        rows.append(("output", shape_lines(call.output_shapes) or ["?"]))
    if style.shows("dtype"):
        rows.append(("dtype", list(dict.fromkeys(call.dtypes)) or ["?"]))
    if style.shows("trainable") and layer is not None and layer.weights:
        rows.append(("trainable", ["yes" if layer.trainable else "no"]))
    return rows


def _activation(given):
    name = given if isinstance(given, str) else getattr(given, "__name__", type(given).__name__)
    return "linear" if given is None else shortened(name, MAX_NAME)


def shape_lines(shapes):
    """A line of text for each shape; equal adjacent shapes share a line."""
    runs = []
    for shape in shapes:
        if runs and runs[-1][0] == shape:
            runs[-1][1] += 1
        else:
            runs.append([shape, 1])
    lines = [f"{shape}" if n == 1 else f"{n} × {shape}" for shape, n in runs]
    if len(lines) > MAX_SHAPES:
        more = sum(n for _, n in runs[MAX_SHAPES - 1 :])
        lines[MAX_SHAPES - 1 :] = [f"and {more} more"]
    return lines


def colours(call):
    """(filling of the heading, outline) for a call."""
    if call.layer is None:
        return FUNCTION
    if call.is_model:
        return MODEL
    for cls in type(call.layer).__mro__:
        for family in (cls.__name__, cls.__module__.rpartition(".")[2]):
            if cls.__module__.startswith("nnlite.") and family in COLOURS:
                return COLOURS[family]
    return OTHER
