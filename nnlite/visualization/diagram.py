"""Pictures of models: a box for each call of a layer or function, a line for each tensor.

`outline` lists the calls, `graph_layout` places boxes and lines, and `canvas` draws them.
"""

from nnlite.atomic_write import write_whole
from nnlite.checks import check_number, check_setting
from nnlite.visualization.canvas import Drawing, format_of, shortened, text_width
from nnlite.visualization.graph_layout import Edge, Layout
from nnlite.visualization.node_box import MUTED, SMALL, Box
from nnlite.visualization.outline import HOW_TO_BUILD, Outline
from nnlite.visualization.summary import summary_html

ERROR_PREFIX = "plot_model: to_file"
LINE_COLOR, FRAME_FILL = "#7b8794", "#64748b"
MARGIN, ARROW = 14, 6
UNCONNECTED = (  # the note below the picture of a subclassed model
    "layers in the order in which they were set;",
    "only the model's call says how they are connected",
)
# The space around the boxes of a nested model, and above them for its name.
FRAME_MARGIN, FRAME_HEADING = 16, 24


class Diagram:
    """The picture of a model, as `plot_model` returns it; a notebook displays it.

    Parameters
    ----------
    model : Model
    rankdir, dpi, expand_nested
        As for `plot_model`.
    **shown : bool
        Whether a box shows 'names', 'shapes', 'dtype', 'activation' and 'trainable'.
    """

    def __init__(self, model, rankdir="TB", dpi=200, expand_nested=False, **shown):
        if rankdir not in ("TB", "LR"):
            raise ValueError(
                "plot_model: rankdir: expected 'TB' (top to bottom) or 'LR' (left to right), "
                f"got {rankdir!r}"
            )
        if not getattr(model, "_is_model", False):
            raise TypeError(f"plot_model: expected a Model, got {model!r}")
        if not model.built:
            raise ValueError(
                f"plot_model: expected a built model, got {model.name!r}: {HOW_TO_BUILD}"
            )
        check_number("dpi", dpi, "(0, inf)", owner="plot_model")
        for name, value in {"expand_nested": expand_nested, **shown}.items():
            check_setting(name, value, (False, True, 0, 1, None), owner="plot_model")
        self.dpi = dpi
        style = _Style(rankdir == "LR", expand_nested, shown)
        outline = Outline(model)
        content = _Arrangement(outline, style)
        width, height = content.size
        notes = () if outline.connected else UNCONNECTED
        width = max([width, *(text_width(note, SMALL) for note in notes)])
        drawing = Drawing(
            width + 2 * MARGIN, height + 2 * MARGIN + 14 * len(notes), f"Model {model.name}"
        )
        content.draw(drawing, MARGIN + (width - content.size[0]) / 2, MARGIN)
        for k, note in enumerate(notes):
            drawing.text(MARGIN + width / 2, height + MARGIN + 16 + 14 * k, note, SMALL, MUTED)
        self.drawing = drawing

    @property
    def svg(self):
        """The picture as an SVG document (str)."""
        return self.drawing.svg()

    def _repr_svg_(self):
        return self.svg

    def save(self, path):
        """Write the picture to a file.

        Parameters
        ----------
        path : str or path
            Ends in .svg, .png or .pdf; without an ending the file is a PNG.
        """
        file_format = format_of(path, ERROR_PREFIX)
        content = (
            self.svg.encode() if file_format == "svg" else self.drawing.image(file_format, self.dpi)
        )
        write_whole(path, content)


def plot_model(
    model,
    to_file="model.png",
    show_shapes=False,
    show_dtype=False,
    show_layer_names=False,
    rankdir="TB",
    expand_nested=False,
    dpi=200,
    show_layer_activations=False,
    show_trainable=False,
):
    """Draw a model: a box for each call of a layer or function, an arrow for each tensor.

    SVG needs no other package; PNG and PDF need matplotlib. A layer that is called several times
    has a box for each call. The layers of a subclassed model are drawn without arrows, in the order
    in which they were set: their connections are only in its `call`.

    Parameters
    ----------
    model : Model
        Must be built.
    to_file : str or path, default 'model.png'
        Ends in .svg, .png or .pdf; None writes no file.
    show_shapes : bool, default False
        Whether to show input and output shapes.
    show_dtype : bool, default False
        Whether to show the dtype of the outputs.
    show_layer_names : bool, default False
        Whether to show the names of layers besides their classes.
    rankdir : {'TB', 'LR'}, default 'TB'
        From top to bottom, or from left to right.
    expand_nested : bool, default False
        Whether to draw the layers of nested models.
    dpi : int, default 200
        Resolution of a PNG, in pixels per inch; lowered for a picture of more than 60,000 pixels
        in height or width.
    show_layer_activations : bool, default False
        Whether to show the activation of each layer that has one.
    show_trainable : bool, default False
        Whether to show for each layer with weights whether it is trainable.

    Returns
    -------
    Diagram
        A notebook displays it. `svg` is the document, and `save(path)` writes it.

    Raises
    ------
    ImportError
        If matplotlib is not installed and the file is not an SVG.
    TypeError
        If `model` is not a Model.
    ValueError
        If the model is not built, or for another `rankdir` or ending.

    Examples
    --------
    >>> import nnlite
    >>> from nnlite import layers, utils
    >>> inputs = nnlite.Input((8,))
    >>> outputs = layers.add([layers.Dense(8, "relu")(inputs), inputs])
    >>> model = nnlite.Model(inputs, outputs)
    >>> diagram = utils.plot_model(model, "model.svg", show_shapes=True)
    >>> diagram.svg[:4]
    '<svg'
    """
    if to_file is not None:
        format_of(to_file, ERROR_PREFIX)
    diagram = Diagram(
        model,
        rankdir,
        dpi,
        expand_nested,
        names=show_layer_names,
        shapes=show_shapes,
        dtype=show_dtype,
        activation=show_layer_activations,
        trainable=show_trainable,
    )
    if to_file is not None:
        diagram.save(to_file)
    return diagram


class _Style:
    """The details that boxes show, and the direction of the picture."""

    def __init__(self, left_to_right, expand, shown):
        self.left_to_right, self.expand, self.shown = left_to_right, expand, shown

    def shows(self, what):
        return self.shown.get(what, False)

    def oriented(self, pair):
        """Convert between (width, height) or (x, y) and (across, along)."""
        return tuple(reversed(pair)) if self.left_to_right else tuple(pair)


class _Arrangement:
    """The placed boxes and lines of an outline.

    If `framed`, it has ports, where the lines of a nested model enter and leave.
    """

    def __init__(self, outline, style, framed=False):
        self.style = style
        ports = len(outline.entries) if framed else 0
        calls = outline.calls
        self.parts = [_Port()] * ports + [self._part(call) for call in calls]
        index_of = {id(call): k for k, call in enumerate(calls, ports)}
        edges = [
            self._edge(index_of[id(source)], output, k, index)
            for k, call in enumerate(calls, ports)
            for index, (source, output) in enumerate(call.inputs)
        ]
        self.entries = list(range(ports))
        self.exits = []
        if framed:
            for k, call in enumerate(outline.entries):
                edges.append(self._edge(k, 0, index_of[id(call)], outline.entries[:k].count(call)))
            for call, output in outline.exits:
                self.exits.append(len(self.parts))
                self.parts.append(_Port())
                edges.append(self._edge(index_of[id(call)], output, self.exits[-1], 0))
        edges = list({edge.key: edge for edge in edges}.values())
        ranks = None if outline.connected else range(len(calls))
        sizes = [style.oriented(part.size) for part in self.parts]
        self.layout = Layout(sizes, edges, set(self.exits), ranks)
        self.size = style.oriented(self.layout.size)

    def _part(self, call):
        if self.style.expand and call.is_model:
            outline = Outline(call.layer)
            if outline.connected and outline.calls:
                return _Frame(call, outline, self.style)
        return Box(call, self.style)

    def _edge(self, source, output, target, index):
        out, entry = self.parts[source].exit(output), self.parts[target].entry(index)
        return Edge(source, target, out, entry)

    def draw(self, drawing, x, y):
        """Draw boxes and lines, with the upper left corner at (x, y)."""
        for edge, route in zip(self.layout.edges, self.layout.routes):
            self._draw_line(drawing, x, y, route, self.parts[edge.target].has_arrows)
        for part, across, along in zip(self.parts, self.layout.across, self.layout.along):
            left, top = self.style.oriented((across, along))
            width, height = part.size
            if self.style.left_to_right:
                top -= height / 2
            else:
                left -= width / 2
            part.draw(drawing, x + left, y + top)

    def _draw_line(self, drawing, x, y, route, arrow):
        """Draw a line along a route, straight within the ranks and curved between them."""

        def at(across, along):
            dx, dy = self.style.oriented((across, along))
            return x + dx, y + dy

        *route, (across, tip) = route
        end = tip - ARROW if arrow else tip
        route[-1] = across, min(route[-1][1], end)
        route.append((across, end))
        path = [("M", [at(*route[0])]), ("L", [at(*route[1])])]
        for (a, last_end), (b, begin), (_, end) in zip(route[1::2], route[2::2], route[3::2]):
            middle = (last_end + begin) / 2
            if a == b:
                path.append(("L", [at(b, begin)]))
            else:
                path.append(("C", [at(a, middle), at(b, middle), at(b, begin)]))
            path.append(("L", [at(b, end)]))
        drawing.curve(path, LINE_COLOR, 1.3)
        if arrow:
            half = ARROW * 0.55
            tips = [(across, tip), (across - half, end - 1), (across + half, end - 1)]
            drawing.polygon([at(*point) for point in tips], LINE_COLOR)


class _Port:
    """The point at which a line enters or leaves a nested model."""

    size, has_arrows = (0.0, 0.0), False

    def entry(self, _):
        return 0.0

    exit = entry

    def draw(self, drawing, x, y):
        pass


class _Frame:
    """The picture of a nested model, in a frame with its name."""

    has_arrows = False

    def __init__(self, call, outline, style):
        self.inside = _Arrangement(outline, style, framed=True)
        self.name = shortened(f"{call.name} ({call.kind})", 60)
        if call.call_count > 1:
            self.name += f", call {call.call_number + 1} of {call.call_count}"
        label = text_width(self.name, SMALL) + 24
        across, along = self.inside.layout.size
        if style.left_to_right:
            self.before, after = FRAME_HEADING, FRAME_MARGIN
            while text_width(self.name, SMALL) + 24 > along and len(self.name) > 3:
                self.name = shortened(self.name, len(self.name) - 2)
        else:
            entry = min((self.inside.layout.across[k] for k in self.inside.entries), default=label)
            self.before = after = max(FRAME_MARGIN, label - entry)  # no input line crosses the name
        self.across = self.before + across + after
        self.size = style.oriented((self.across, along))
        self.shift = style.oriented((self.before, 0))

    def _offset(self, port):
        return self.before + self.inside.layout.across[port] - self.across / 2

    def entry(self, index):
        """The position across at which the line of an input ends, from the middle of the frame."""
        entries = self.inside.entries
        return self._offset(entries[min(index, len(entries) - 1)])

    def exit(self, output):
        """The position across at which the line of an output begins, from the frame's middle."""
        exits = self.inside.exits
        return self._offset(exits[min(output, len(exits) - 1)])

    def draw(self, drawing, x, y):
        """Draw the frame, with its upper left corner at (x, y), and its content."""
        width, height = self.size
        drawing.rect(x, y, width, height, FRAME_FILL, MUTED, (8, 8), opacity=0.08, dashed=True)
        drawing.text(x + 10, y + 16, self.name, SMALL, MUTED, anchor="start")
        self.inside.draw(drawing, x + self.shift[0], y + self.shift[1])


MAX_CALLS = 16  # of a model whose picture a notebook shows


def model_html(model):
    """The summary of a model, and its picture if the model is small, as HTML for a notebook."""
    table = summary_html(model)
    if not model.built or len(Outline(model).calls) > MAX_CALLS:
        return f"<div>{table}</div>"
    picture = Diagram(model, activation=True).svg
    return (
        '<div style="display:flex;flex-wrap:wrap;gap:24px;align-items:flex-start">'
        f"<div>{table}</div><div>{picture}</div></div>"
    )
