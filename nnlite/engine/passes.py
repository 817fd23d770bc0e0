"""Passes over a trace before it becomes a plan: calls that nobody needs, views."""


def _needed(calls, results):
    """The calls that write a Variable or lead to one that does, or to a result."""
    wanted, kept = {id(t) for t in results}, []
    for call in reversed(calls):
        if call.op.writes or any(id(t) in wanted for t in call.outputs):
            kept.append(call)
            wanted.update(id(t) for t in call.inputs)
    return kept[::-1]


def _view_roots(calls):
    """The tensor whose memory each view looks at, by the view's id."""
    roots = {}
    for call in calls:
        if call.op.view:
            source = call.inputs[0]
            roots[id(call.outputs[0])] = roots.get(id(source), source)
    return roots
