"""What the tests of pictures share: an SVG read back as boxes, lines and texts."""

import re
from xml.etree import ElementTree

import numpy as np

SVG = "{http://www.w3.org/2000/svg}"


class Page:
    """What an SVG shows: boxes, frames of nested models, arrows' tips, texts and lines."""

    def __init__(self, svg):
        self.root = ElementTree.fromstring(svg)
        self.boxes, self.texts, self.lines, self.tips, self.frames = {}, [], [], [], []
        for element in self.root:
            if element.tag == f"{SVG}text":
                self.texts.append(element)
                continue
            points = [tuple(map(float, p.split(","))) for p in numbers(element.get("d", ""))]
            title = element.find(f"{SVG}title")
            if title is not None:
                self.boxes.setdefault(title.text, []).append(surrounding(points))
            elif element.get("stroke-dasharray"):
                self.frames.append(surrounding(points))
            elif element.get("stroke-width") == "1.3":
                self.lines.append(element.get("d"))
            elif element.get("d") and element.get("fill") == "#7b8794":
                self.tips.append(points[0])

    @property
    def all_boxes(self):
        return [box for same in self.boxes.values() for box in same]


def numbers(data):
    return re.findall(r"-?[\d.]+,-?[\d.]+", data)


def surrounding(points):
    xs, ys = zip(*points)
    return min(xs), min(ys), max(xs), max(ys)


def apart(a, b):
    return a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]


def along(data):
    """Many points of an SVG path of straight and cubic parts."""
    at, found = None, []
    for letter, rest in re.findall(r"([MLC])([^MLC]*)", data):
        points = [np.array(list(map(float, p.split(",")))) for p in numbers(rest)]
        if letter == "M":
            at = points[0]
            continue
        a, b, c, d = [at, at, points[0], points[0]] if letter == "L" else [at, *points]
        for t in np.linspace(0, 1, 25):
            found.append(
                a * (1 - t) ** 3 + 3 * b * t * (1 - t) ** 2 + 3 * c * t * t * (1 - t) + d * t**3
            )
        at = points[-1]
    return np.array(found)


def crossings(one, other):
    """How many pieces of two ways cross, their ends aside."""

    def side(p, q, r):
        return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (
            r[..., 0] - p[..., 0]
        )

    a, b = one[:-1, None], one[1:, None]
    c, d = other[None, :-1], other[None, 1:]
    eps = 1e-6
    return int(
        ((side(a, b, c) * side(a, b, d) < -eps) & (side(c, d, a) * side(c, d, b) < -eps)).sum()
    )
