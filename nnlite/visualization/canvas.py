"""Drawings of rectangles, texts and curves, as SVG or through matplotlib.

Lengths are in points: 1/72 inch on paper, one pixel in a browser. The origin is the upper left
corner, and y grows downwards.
"""

import html
import io
import os
import unicodedata
from pathlib import Path

FONTS = "'DejaVu Sans', Helvetica, Arial, sans-serif"
CJK_FONTS = ("Noto Sans CJK SC", "Noto Sans SC", "WenQuanYi Zen Hei", "Microsoft YaHei", "SimHei")
# Distance of a rounded corner's control points from the corner, as a share of its radius.
CORNER_CONTROL = 0.45
MAX_PIXELS = 60_000  # of one side of an image; matplotlib's limit is 65,536

# Widths of the characters from space to tilde in 1/100 of the font's size, for DejaVu Sans, which
# is wider than Helvetica and Arial.
_NORMAL = [
    *(32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64),
    *(64, 64, 64, 34, 34, 84, 84, 84, 53, 100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86),
    *(75, 79, 60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50, 50, 61, 63, 55, 63),
    *(62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64),
    *(34, 64, 84),
]
_BOLD = [
    *(35, 46, 52, 84, 70, 100, 87, 31, 46, 46, 52, 84, 38, 42, 38, 37, 70, 70, 70, 70, 70, 70, 70),
    *(70, 70, 70, 40, 40, 84, 84, 84, 58, 100, 77, 76, 73, 83, 68, 68, 82, 84, 37, 37, 77, 64, 100),
    *(84, 85, 73, 85, 77, 72, 68, 81, 77, 110, 77, 72, 73, 46, 37, 46, 84, 50, 50, 67, 72, 59, 72),
    *(68, 44, 72, 71, 34, 34, 67, 34, 104, 71, 69, 72, 72, 49, 60, 48, 71, 65, 92, 65, 65, 58, 71),
    *(37, 71, 84),
]


def text_width(text, size, bold=False):
    """The approximate width of a line of text, in points.

    Parameters
    ----------
    text : str
    size : float
        Size of the font, in points.
    bold : bool, default False

    Returns
    -------
    float

    Examples
    --------
    >>> from nnlite.visualization.canvas import text_width
    >>> text_width("Dense", 10)
    31.6
    """
    table, total = _BOLD if bold else _NORMAL, 0
    for letter in text:
        if " " <= letter <= "~":
            total += table[ord(letter) - 32]
        elif unicodedata.east_asian_width(letter) in "WFA":
            total += 105
        else:
            total += 85 if bold else 78
    return total * size / 100


def shortened(text, longest):
    """The text, with an ellipsis in its middle if it has more characters than `longest`."""
    if len(text) <= longest:
        return text
    return f"{text[: longest // 2]}…{text[len(text) + 1 + longest // 2 - longest :]}"


def format_of(path, what):
    """The format of a file by its ending: 'svg', 'png' (also without an ending) or 'pdf'.

    `what` is what the error message calls the argument, for another ending.
    """
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise TypeError(f"{what}: expected the path of a file, got {path!r}")
    file_format = Path(path).suffix.lower().removeprefix(".") or "png"
    if file_format not in ("svg", "png", "pdf"):
        raise ValueError(
            f"{what}: expected a name that ends in .svg, .png or .pdf, got {str(path)!r}"
        )
    return file_format


class Drawing:
    """A list of shapes, painted in order.

    Parameters
    ----------
    width, height : float
        In points.
    title : str
        A description of the drawing for screen readers.
    """

    def __init__(self, width, height, title):
        self.width, self.height, self.title = width, height, title
        self.shapes = []

    def rect(self, x, y, width, height, fill="none", stroke="none", radius=(0, 0), **style):
        """Add a rectangle; `radius` holds the radii of its upper and of its lower corners.

        Other keywords: `opacity` of the filling, `dashed`, `line` (width of the outline), and
        `tip`, the tooltip in a browser.
        """
        top, bottom = radius
        path = _rounded(x, y, x + width, y + height, top, bottom)
        self.shapes.append(("path", {"path": path, "fill": fill, "stroke": stroke, **style}))

    def curve(self, path, stroke, line=1.0):
        """Add a line along an SVG path: [("M", points), ("L", points), ("C", points), ...]."""
        self.shapes.append(("path", {"path": path, "fill": "none", "stroke": stroke, "line": line}))

    def polygon(self, points, fill):
        """Add a filled polygon."""
        path = [("M", points[:1]), *(("L", [p]) for p in points[1:]), ("Z", [])]
        self.shapes.append(("path", {"path": path, "fill": fill, "stroke": "none"}))

    def text(self, x, y, text, size, color, bold=False, anchor="middle"):
        """Add a line of text with its baseline at y; `anchor` is 'start', 'middle' or 'end'."""
        self.shapes.append(
            (
                "text",
                {
                    "x": x,
                    "y": y,
                    "text": text,
                    "size": size,
                    "color": color,
                    "bold": bold,
                    "anchor": anchor,
                },
            )
        )

    def svg(self):
        """The drawing as an SVG document, without a background, for light and dark pages."""
        width, height = f"{self.width:.0f}", f"{self.height:.0f}"
        body = "\n".join(
            _svg_path(**shape) if kind == "path" else _svg_text(**shape)
            for kind, shape in self.shapes
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" role="img" font-family="{FONTS}">\n'
            f"<title>{_escaped(self.title)}</title>\n{body}\n</svg>\n"
        )

    def image(self, file_format, dpi):
        """The drawing as bytes in a format of matplotlib, such as 'png' or 'pdf'.

        The resolution is lowered if a side would have more than 60,000 pixels.
        """
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError(
                f"a {file_format} picture needs matplotlib: pip install matplotlib; "
                "an .svg needs nothing"
            ) from error
        dpi = min(dpi, MAX_PIXELS * 72 / max(self.width, self.height))
        figure = Figure(figsize=(self.width / 72, self.height / 72), facecolor="white")
        FigureCanvasAgg(figure)
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set_xlim(0, self.width)
        ax.set_ylim(self.height, 0)
        ax.set_axis_off()
        fonts = _fonts_for(shape["text"] for kind, shape in self.shapes if kind == "text")
        for order, (kind, shape) in enumerate(self.shapes):
            if kind == "path":
                ax.add_patch(_matplotlib_path(order, **shape))
            else:
                _matplotlib_text(ax, order, fonts, **shape)
        content = io.BytesIO()
        figure.savefig(content, format=file_format, dpi=dpi)
        return content.getvalue()


def _rounded(left, top, right, bottom, upper, lower):
    """The path of a rectangle with rounded corners."""
    a, b = upper * CORNER_CONTROL, lower * CORNER_CONTROL
    return [
        ("M", [(left + upper, top)]),
        ("L", [(right - upper, top)]),
        ("C", [(right - a, top), (right, top + a), (right, top + upper)]),
        ("L", [(right, bottom - lower)]),
        ("C", [(right, bottom - b), (right - b, bottom), (right - lower, bottom)]),
        ("L", [(left + lower, bottom)]),
        ("C", [(left + b, bottom), (left, bottom - b), (left, bottom - lower)]),
        ("L", [(left, top + upper)]),
        ("C", [(left, top + a), (left + a, top), (left + upper, top)]),
        ("Z", []),
    ]


def _escaped(text):
    """The text escaped for XML; control characters become question marks."""
    return html.escape("".join(c if c.isprintable() or c in "\t\n" else "?" for c in text))


def _svg_path(path, fill, stroke, line=1.0, opacity=1.0, dashed=False, tip=""):
    data = " ".join(
        letter + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) for letter, points in path
    )
    given = f'd="{data}" fill="{fill}"'
    if opacity != 1:
        given += f' fill-opacity="{opacity}"'
    if stroke != "none":
        given += f' stroke="{stroke}" stroke-width="{line}"'
    if dashed:
        given += ' stroke-dasharray="5 4"'
    return f"<path {given}><title>{_escaped(tip)}</title></path>" if tip else f"<path {given}/>"


def _svg_text(x, y, text, size, color, bold, anchor):
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}"{weight} fill="{color}" '
        f'text-anchor="{anchor}">{_escaped(text)}</text>'
    )


def _matplotlib_path(order, path, fill, stroke, line=1.0, opacity=1.0, dashed=False, tip=""):
    from matplotlib.colors import to_rgba
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    codes = {"M": [Path.MOVETO], "L": [Path.LINETO], "C": [Path.CURVE4] * 3, "Z": [Path.CLOSEPOLY]}
    begin = path[0][1][0]
    points = [p for letter, given in path for p in (given or [begin])]
    return PathPatch(
        Path(points, [code for letter, _ in path for code in codes[letter]]),
        facecolor="none" if fill == "none" else to_rgba(fill, opacity),
        edgecolor=stroke,
        linewidth=0 if stroke == "none" else line,
        linestyle=(0, (5, 4)) if dashed else "solid",
        zorder=order,
    )


def _matplotlib_text(ax, order, fonts, x, y, text, size, color, bold, anchor):
    side = {"start": "left", "middle": "center", "end": "right"}[anchor]
    ax.text(
        x,
        y,
        text,
        fontsize=size,
        color=color,
        fontweight="bold" if bold else "normal",
        ha=side,
        va="baseline",
        zorder=order,
        fontfamily=fonts,
        parse_math=False,
    )


def _fonts_for(texts):
    """The fonts for some texts: matplotlib's, and an installed Chinese one if they need it."""
    from matplotlib import font_manager

    fonts = ["DejaVu Sans"]
    if any(ord(letter) > 0x2E7F for text in texts for letter in text):
        known = {font.name for font in font_manager.fontManager.ttflist}
        fonts += [name for name in CJK_FONTS if name in known][:1]
    return fonts
