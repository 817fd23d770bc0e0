"""Layered layout of a graph: the positions of boxes, and the routes of the lines between them.

Boxes are in ranks; the rank of a box is below those of its predecessors. A line that passes a rank
has a waypoint in it, which takes up space like a box, so no line crosses a box (Sugiyama, Tagawa
and Toda, "Methods for visual understanding of hierarchical system structures", 1981). Positions
within ranks follow Brandes and Köpf, "Fast and simple horizontal coordinate assignment", 2001:
there are four layouts, aligned to the left or right and computed downwards or upwards, and each box
gets the mean of the middle two of its positions. A line that skips a longer path, such as the
shortcut of a residual block, does not attract its ends: the path is straight, and the shortcut is
beside it.

"Along" is the direction in which the graph runs, "across" the other one.
"""

from bisect import bisect_right, insort
from itertools import pairwise

# Along: the gap between ranks is RANK_GAP + SLOPE * (the widest swing of a line), at most MAX_GAP.
RANK_GAP, SLOPE, MAX_GAP = 30, 0.09, 66
GAP, LINE_GAP = 22, 12  # across: between boxes, and beside lines
SWEEPS = 16  # at most, to reduce crossings


class Edge:
    """A line from one box to another.

    Parameters
    ----------
    source, target : int
    out, into : float, default 0
        The positions across at which it leaves and enters, from the middle of the boxes.
    """

    def __init__(self, source, target, out=0.0, into=0.0):
        self.source, self.target, self.out, self.into = source, target, out, into

    @property
    def key(self):
        return self.source, self.target, self.out, self.into


class Layout:
    """The positions of boxes and the routes of lines.

    Parameters
    ----------
    sizes : list of (float, float)
        The sizes across and along of the boxes, which are in topological order.
    edges : list of Edge
    last : set of int
        Boxes that form the last rank.
    ranks : list of int, optional
        The rank of each box; by default it follows from the edges.

    Attributes
    ----------
    across, along : list of float
        The middle of each box across, and its beginning along.
    routes : list of list of (float, float)
        For each edge its points (across, along), two for each rank that it touches: the line is
        straight from the first to the second of such a pair, and curved to the next pair.
    size : (float, float)
        Across and along.
    """

    def __init__(self, sizes, edges, last=frozenset(), ranks=None):
        self.sizes, self.edges = list(sizes), edges
        self.count = len(sizes)
        self.rank = _ranks(self.count, edges, last) if ranks is None else list(ranks)
        self._add_waypoints()
        self.order = _order(self.rank, self.segments, self.offsets)
        self.x = _coordinates(self.order, self._widths(), self._attracting(), self.count)
        self._finish()

    def _add_waypoints(self):
        """Add a waypoint for each rank that a line passes; lines from one source share them."""
        bypassed = _bypassed(self.count, self.edges)
        waypoints = {}
        self.paths = []
        self.segments = {}  # (upper, lower) -> whether it attracts its ends
        self.offsets = {}  # (upper, lower) -> where it meets its ends, as shares of their widths
        for k, edge in enumerate(self.edges):
            path = [edge.source]
            for r in range(self.rank[edge.source] + 1, self.rank[edge.target]):
                key = (edge.source, edge.out, r)
                if key not in waypoints:
                    waypoints[key] = len(self.rank)
                    self.rank.append(r)
                    self.sizes.append((0.0, 0.0))
                path.append(waypoints[key])
            path.append(edge.target)
            self.paths.append(path)
            for a, b in pairwise(path):
                inner = a >= self.count and b >= self.count
                attracts = inner or k not in bypassed
                self.segments[a, b] = self.segments.get((a, b), False) or attracts
                self.offsets[a, b] = [0.0, 0.0]
            if edge.out:
                self.offsets[path[0], path[1]][0] = edge.out / self.sizes[edge.source][0]
            if edge.into:
                self.offsets[path[-2], path[-1]][1] = edge.into / self.sizes[edge.target][0]

    def _widths(self):
        return [
            across + (GAP if k < self.count else 2 * LINE_GAP)
            for k, (across, _) in enumerate(self.sizes)
        ]

    def _attracting(self):
        return [segment for segment, attracts in self.segments.items() if attracts]

    def _finish(self):
        """Compute positions along, routes, and the total size; all coordinates begin at 0."""
        left = min((self.x[k] - self.sizes[k][0] / 2 for k in range(len(self.x))), default=0)
        self.across = [x - left for x in self.x]
        right = max((x + size[0] / 2 for x, size in zip(self.across, self.sizes)), default=0)
        swing = [0.0] * len(self.order)
        for a, b in self.segments:
            swing[self.rank[a]] = max(swing[self.rank[a]], abs(self.x[a] - self.x[b]))
        begins, depths, at = [], [], 0.0
        for r, members in enumerate(self.order):
            begins.append(at)
            depths.append(max(self.sizes[k][1] for k in members))
            at += depths[r] + min(MAX_GAP, RANK_GAP + SLOPE * swing[r])
        self.along = [
            begins[r] + (depths[r] - self.sizes[k][1]) / 2 for k, r in enumerate(self.rank)
        ]
        self.size = (right, begins[-1] + depths[-1] if begins else 0.0)
        self.routes = []
        for edge, path in zip(self.edges, self.paths):
            route = []
            for k in path:
                r = self.rank[k]
                x = self.across[k]
                begin, end = begins[r], begins[r] + depths[r]
                if k == edge.source:
                    x, begin = x + edge.out, self.along[k] + self.sizes[k][1]
                elif k == edge.target:
                    x, end = x + edge.into, self.along[k]
                route += [(x, begin), (x, end)]
            self.routes.append(route)


def _ranks(count, edges, last):
    """The rank of each box: the length of the longest path to it."""
    rank = [0] * count
    for edge in sorted(edges, key=lambda edge: edge.target):
        rank[edge.target] = max(rank[edge.target], rank[edge.source] + 1)
    if last:
        deepest = max((rank[k] for k in range(count) if k not in last), default=-1)
        for k in last:
            rank[k] = deepest + 1
    return rank


def _bypassed(count, edges):
    """The numbers of the edges whose ends are also connected by a longer path."""
    after = [[] for _ in range(count)]
    for edge in edges:
        after[edge.source].append(edge.target)
    reached = [0] * count  # bit sets
    for k in reversed(range(count)):
        for successor in after[k]:
            reached[k] |= 1 << successor | reached[successor]
    return {
        k
        for k, edge in enumerate(edges)
        if any(reached[s] >> edge.target & 1 for s in after[edge.source] if s != edge.target)
    }


def _neighbours(nodes, segments):
    above, below = [[] for _ in range(nodes)], [[] for _ in range(nodes)]
    for a, b in segments:
        above[b].append(a)
        below[a].append(b)
    return above, below


def _order(rank, segments, offsets):
    """The members of each rank in an order with few crossings, by the barycentre method.

    Sweeps alternate downwards and upwards: they sort the members of a rank by the mean position of
    their neighbours in the rank before. The order with the fewest crossings is returned.
    """
    ranks = [[] for _ in range(max(rank, default=-1) + 1)]
    for k, r in enumerate(rank):
        ranks[r].append(k)
    above, below = _neighbours(len(rank), segments)
    best, best_crossings = [list(members) for members in ranks], None
    for sweep in range(SWEEPS):
        down, swapped = sweep % 2 == 0, sweep % 4 > 1  # swapped: members with equal means
        place = {k: i for members in ranks for i, k in enumerate(members)}
        for members in ranks if down else reversed(ranks):
            neighbours = above if down else below
            means = {
                k: sum(
                    place[n] + (offsets[n, k][0] if down else offsets[k, n][1])
                    for n in neighbours[k]
                )
                / len(neighbours[k])
                if neighbours[k]
                else place[k]
                for k in members
            }
            if swapped:
                members.reverse()
            members.sort(key=means.__getitem__)
            place.update({k: i for i, k in enumerate(members)})
        crossings = sum(_crossings(members, below, place, offsets) for members in ranks)
        if best_crossings is None or crossings < best_crossings:
            best, best_crossings = [list(members) for members in ranks], crossings
        if not best_crossings:
            break
    return best


def _crossings(members, below, place, offsets):
    """The number of pairs of lines that cross between a rank and the next one."""
    lines = [
        (place[k] + offsets[k, n][0], place[n] + offsets[k, n][1])
        for k in members
        for n in below[k]
    ]
    crossings, seen = 0, []
    for _, end in sorted(lines):
        crossings += len(seen) - bisect_right(seen, end)
        insort(seen, end)
    return crossings


def _coordinates(order, widths, segments, boxes):
    """The middle of each box and waypoint, across."""
    above, below = _neighbours(len(widths), segments)
    layouts = []
    for upwards in (False, True):
        ranks = order[::-1] if upwards else order
        neighbours = below if upwards else above
        for mirrored in (False, True):
            side = [members[::-1] for members in ranks] if mirrored else ranks
            x = _pack(side, _align(side, neighbours, boxes), widths)
            layouts.append([-v for v in x] if mirrored else x)
    if not widths:
        return []
    spans = [
        (min(v - w / 2 for v, w in zip(x, widths)), max(v + w / 2 for v, w in zip(x, widths)))
        for x in layouts
    ]
    narrowest = min(spans, key=lambda span: span[1] - span[0])
    for number, (x, span) in enumerate(zip(layouts, spans)):
        side = number % 2  # layouts are aligned at the side to which they lean
        layouts[number] = [v + narrowest[side] - span[side] for v in x]
    return [sum(sorted(places)[1:3]) / 2 for places in zip(*layouts)]


def _align(ranks, neighbours, boxes):
    """The block of each member; the members of a block are on one straight line.

    A member joins the block of the median of its neighbours in the rank before, unless the line
    between them crosses an earlier such line or one between two waypoints.
    """
    place = {k: i for members in ranks for i, k in enumerate(members)}
    block = {k: k for members in ranks for k in members}
    for members in ranks:
        inner = [(place[n], place[k]) for k in members for n in neighbours[k] if min(n, k) >= boxes]
        reached = -1
        for k in members:
            found = sorted(neighbours[k], key=place.__getitem__)
            if not found:
                continue
            middle = (len(found) - 1) // 2
            for n in dict.fromkeys((found[middle], found[len(found) // 2])):
                crosses = min(n, k) < boxes and any(
                    (a - place[n]) * (b - place[k]) < 0 for a, b in inner
                )
                if place[n] > reached and not crosses:
                    block[k], reached = block[n], place[n]
                    break
    return block


def _pack(ranks, block, widths):
    """Coordinates across: blocks are first placed as far to the left as possible.

    Each block then moves as far to the right as its right neighbours allow.
    """
    after, before = {b: {} for b in block.values()}, {b: {} for b in block.values()}
    for members in ranks:
        for a, b in pairwise(members):
            distance = (widths[a] + widths[b]) / 2
            a, b = block[a], block[b]
            after[a][b] = before[b][a] = max(distance, after[a].get(b, 0))
    x = {}
    order = _topological_order(after, before)
    for b in order:
        x[b] = max((x[a] + distance for a, distance in before[b].items()), default=widths[b] / 2)
    for b in reversed(order):
        if after[b]:
            x[b] = max(x[b], min(x[c] - distance for c, distance in after[b].items()))
    return [x[block[k]] for k in range(len(widths))]


def _topological_order(after, before):
    """The blocks in topological order, from left to right."""
    waiting_for = {b: len(found) for b, found in before.items()}
    order = [b for b, n in waiting_for.items() if not n]
    for b in order:
        for c in after[b]:
            waiting_for[c] -= 1
            if not waiting_for[c]:
                order.append(c)
    return order
