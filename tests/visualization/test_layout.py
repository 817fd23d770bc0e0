"""Layouts of graphs: what stands where."""

import numpy as np
from pages import apart

from nnlite.visualization.graph_layout import Edge, Layout


def test_random_graphs_have_room_for_every_box_and_line():
    rng = np.random.default_rng(0)
    for _ in range(40):
        n = int(rng.integers(1, 25))
        sizes = [tuple(rng.uniform(10, 150, 2)) for _ in range(n)]
        pairs = {(int(rng.integers(0, k)), k) for k in range(1, n) for _ in range(3)}
        layout = Layout(sizes, [Edge(a, b) for a, b in sorted(pairs)])
        boxes = [
            (x - across / 2, y, x + across / 2, y + along)
            for (across, along), x, y in zip(sizes, layout.across, layout.along)
        ]
        for k, box in enumerate(boxes):
            assert all(apart(box, other) for other in boxes[k + 1 :])
            assert box[0] > -1e-6 and box[2] < layout.size[0] + 1e-6
        for edge, route in zip(layout.edges, layout.routes):
            assert boxes[edge.source][3] == route[0][1] and boxes[edge.target][1] == route[-1][1]
            for (x, begin), (_, end) in zip(route[::2], route[1::2]):
                assert begin <= end
                inner = [b for b in boxes if b[0] < x < b[2] and begin < b[3] and b[1] < end]
                assert not inner
            for (_, end), (_, begin) in zip(route[1::2], route[2::2]):
                assert begin - end >= 30  # between ranks, where no box stands
