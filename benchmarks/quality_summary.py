"""Ranks, wins and times of the contestants, from the figures of their fits."""

import numpy as np
from contestants import BEFORE, LINEAR, OURS, RIVAL
from scipy.stats import rankdata, wilcoxon
from tables import TABLES, part_of

SMALL = 500  # rows below which a table counts as small


def table_of(figures, sizes, folds, who):
    """Name -> contestant -> means over the folds, of the tables that every contestant has done."""
    means = {}
    for name, rows in sizes.items():
        fits = {one: [figures.get((name, rows, fold, one)) for fold in folds] for one in who}
        if all(fit is not None for of_one in fits.values() for fit in of_one):
            means[name] = {one: _mean(of_one) for one, of_one in fits.items()}
            for one in who:
                means[name][one]["rows"] = rows
    return means


def _mean(fits):
    names = [n for n in ("score", "log_loss", "accuracy", "seconds") if n in fits[0]]
    return {name: float(np.mean([fit[name] for fit in fits])) for name in names}


def _column(means, who, figure):
    """Tables x contestants."""
    return np.array([[of_one[one][figure] for one in who] for of_one in means.values()])


def summary(means, who):
    """The lines of the report: each table's scores, then ranks, wins and times of each part."""
    width = max(map(len, who)) + 2
    lines = ["".join([f"{'score':15}{'part':8}{'rows':>6}", *(f"{one:>{width}}" for one in who)])]
    for name, of_one in means.items():
        scores = [of_one[one]["score"] for one in who]
        cells = [f"{s:{width - 1}.4f}{'*' if s == max(scores) else ' '}" for s in scores]
        lines.append(f"{name:15}{part_of(name):8}{of_one[who[0]]['rows']:6}" + "".join(cells))
    parts = {
        "all tables": lambda name: True,
        "tables to choose settings on": lambda name: part_of(name) == "choose",
        "tables to report on": lambda name: part_of(name) == "report",
        "classes": lambda name: not TABLES[name].regression,
        "numbers": lambda name: TABLES[name].regression,
    }
    for title, belongs in parts.items():
        chosen = {name: of_one for name, of_one in means.items() if belongs(name)}
        if chosen:
            lines += ["", f"{title}: {len(chosen)}", *_figures_of(chosen, who, width)]
    return [*lines, *_promises(means, who)]


def _figures_of(means, who, width):
    scores, seconds = _column(means, who, "score"), _column(means, who, "seconds")
    ranks = np.mean([rankdata(-row) for row in scores.round(6)], axis=0)
    rows = {"mean rank": [f"{rank:.2f}" for rank in ranks]}
    losing = {n: m for n, m in means.items() if not TABLES[n].regression}
    if losing:
        losses = _column(losing, who, "log_loss")
        by_loss = np.mean([rankdata(row) for row in losses.round(6)], axis=0)
        rows["of log loss"] = [f"{rank:.2f}" for rank in by_loss]
    rows["mean score"] = [f"{score:.4f}" for score in scores.mean(axis=0)]
    geometric = np.exp(np.log(seconds).mean(axis=0))
    rows["CPU s (geom.)"] = [f"{s:.2f}" for s in geometric]
    if RIVAL in who:
        rival = who.index(RIVAL)
        margins = scores - scores[:, [rival]]
        rows[f"x {RIVAL}'s"] = [f"{s:.2f}" for s in geometric / geometric[rival]]
        rows["wins - losses"] = [f"{(m > 0).sum()}-{(m < 0).sum()}" for m in margins.T]
        rows["Wilcoxon p"] = [f"{_p(m):.3f}" if m.any() else "" for m in margins.T]
        rows["worst margin"] = [f"{m.min():+.4f}" for m in margins.T]
        rows["behind by > .01"] = [f"{(m < -0.01).sum()}" for m in margins.T]
    return [f"{title:29}" + "".join(f"{c:>{width}}" for c in row) for title, row in rows.items()]


def _p(margins):
    return wilcoxon(margins).pvalue


def _promises(means, who):
    """What is promised of nnlite beside its ranks."""
    if OURS not in who:
        return []
    lines = [""]
    for other in (BEFORE, RIVAL):
        if other in who:
            margins = sorted(
                (m[OURS]["score"] - m[other]["score"], name) for name, m in means.items()
            )
            behind = ", ".join(
                f"{name} {margin:+.4f}" for margin, name in margins if margin < -0.01
            )
            lines.append(f"more than 0.01 below {other}: {behind or 'none'}")
    if LINEAR in who:
        worse = ", ".join(
            name for name, m in means.items() if _is_overconfident(m[OURS], m[LINEAR])
        )
        lines.append(f"better AUC than {LINEAR}, worse log loss: {worse or 'none'}")
        small = [m for m in means.values() if m[OURS]["rows"] < SMALL]
        if small:
            margin = np.mean([m[OURS]["score"] - m[LINEAR]["score"] for m in small])
            lines.append(f"mean margin to {LINEAR} on {len(small)} small: {margin:+.4f}")
    return lines


def _is_overconfident(ours, linear):
    return (
        "log_loss" in ours
        and ours["score"] > linear["score"]
        and ours["log_loss"] > linear["log_loss"]
    )
