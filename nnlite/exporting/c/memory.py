"""Where each tensor of a prediction lies: in the caller's arrays, in flash, in working memory."""

from dataclasses import dataclass

import numpy as np

from nnlite.engine.passes import Fusion, Roots, take_in_place
from nnlite.engine.plan import ARENA, FEED, Block, place
from nnlite.exporting.program import is_constant


@dataclass
class Memory:
    """Places of tensors, and how much working memory they take.

    Attributes
    ----------
    blocks : dict
        The Block of each tensor that is not a constant, by the id of its root, and of the scratch
        of a call, by ('scratch', number of the call).
    numbers : dict of str to int
        How many numbers of each dtype the working memory has.
    copies : list of (Tensor, int)
        Outputs that must be copied to the caller's array of that number at the end.
    """

    blocks: dict
    roots: Roots
    numbers: dict
    copies: list


def planned(program, calls, scratch):
    """The Memory of some calls.

    Parameters
    ----------
    program : Program
    calls : list of Call
        Views too.
    scratch : function
        A call -> how many numbers of float32 it needs beside its outputs.
    """
    roots = Roots(calls)
    steps = [call for call in calls if not call.op.view]
    made = {id(t) for call in steps for t in call.outputs}
    read = {id(roots.of(t)) for call in steps for t in call.inputs}
    read |= {id(roots.of(t)) for t in program.outputs}
    in_place = take_in_place(Fusion(steps, set()), roots)
    blocks, copies = {}, []
    for n, t in enumerate(program.inputs):
        blocks[id(t)] = Block(FEED, n, 0, 0, 0)
    for n, t in enumerate(program.outputs, len(program.inputs)):
        root = roots.of(t)
        if id(root) in made and id(root) not in blocks:
            blocks[id(root)] = Block(FEED, n, 0, 0, 0)
        else:
            copies.append((t, n))
    arenas = {}
    for s, call in enumerate(steps):
        for t in (*call.inputs, *call.outputs):
            root = roots.of(t)
            if is_constant(root) or (id(root) not in read and t is not call.outputs[0]):
                continue
            if id(root) not in blocks:
                operand = in_place.get(id(root))
                if operand is not None and blocks[id(operand)].place == ARENA:
                    blocks[id(root)] = blocks[id(operand)]
                else:
                    size = max(root.size, 1) * np.dtype(root.dtype).itemsize
                    blocks[id(root)] = Block(ARENA, None, size, s, s)
                    arenas.setdefault(root.dtype, []).append(blocks[id(root)])
            blocks[id(root)].last = s
        if room := scratch(call):
            blocks["scratch", id(call)] = Block(ARENA, None, 4 * room, s, s)
            arenas.setdefault("float32", []).append(blocks["scratch", id(call)])
    for t, _ in copies:
        if id(roots.of(t)) in blocks:
            blocks[id(roots.of(t))].last = len(steps)
    numbers = {}
    for dtype, of in arenas.items():
        numbers[dtype] = place(of, align=4) // np.dtype(dtype).itemsize
    return Memory(blocks, roots, numbers, copies)
