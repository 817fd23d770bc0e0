"""What metrics must give, by scikit-learn or plain NumPy: `CASES[class name]` is a list of
(arguments, targets, outputs, reference), where `reference(weights)` is the figure for weights of
the samples."""

import itertools

import numpy as np
from loss_formulas import CASES as LOSSES
from loss_formulas import (
    LABELS,
    LOGITS,
    POSITIVE,
    TARGETS,
    VALUES,
    YES,
    L,
    N,
    P,
    Q,
    one_hot,
)
from sklearn import metrics as sk

RNG = np.random.default_rng(3)
ONES = one_hot(LABELS)
Y, S = YES[:, 0], np.round(Q[:, 0], 2)  # with ties
BINNED = np.ceil(Q * 199)  # as 200 thresholds tell scores apart
BETTER = np.clip(Q * 0.6 + YES * 0.35, 0, 1)  # scores that know something
CHOSEN = np.argsort(np.argsort(-P, axis=1), axis=1)  # 0 for the largest of a row


def of(function, *arguments, **settings):
    """A scikit-learn metric of samples, weighted."""
    return lambda w: function(*arguments, sample_weight=w, **settings)


def flat(function, y_true, y_pred, **settings):
    """A scikit-learn metric of all outputs together, each with its sample's weight."""
    outputs = y_pred.shape[1]
    return lambda w: function(
        y_true.ravel(), y_pred.ravel(), sample_weight=np.repeat(w, outputs), **settings
    )


def mean(values):
    """The weighted mean of one value per sample."""
    return lambda w: np.average(values, weights=w)


def of_loss(name, sign=1):
    """The cases of a loss as those of its mean."""
    return [
        (arguments, np.asarray(y_true), np.asarray(y_pred), mean(sign * expected))
        for y_true, y_pred, arguments, expected in LOSSES[name]
        if len(y_true) == N
    ]


def count(truth, guess, threshold=0.5):
    """How much weight has this truth and this guess."""
    return lambda w: (w[:, None] * ((YES == truth) & ((Q > threshold) == guess))).sum()


def area_of_pr(y, score):
    """Davis and Goadrich's curve between distinct scores, by summing small steps."""

    def area(w):
        total, (tp, fp), result = (w * y).sum(), (0.0, 0.0), 0.0
        for s in np.unique(score)[::-1]:
            here = score == s
            dtp, dfp = (w * y)[here].sum(), (w * (1 - y))[here].sum()
            part = (np.arange(20000) + 0.5) / 20000
            t, f = tp + part * dtp, fp + part * dfp
            result += (t / (t + f)).mean() * dtp / total if dtp else 0
            tp, fp = tp + dtp, fp + dfp
        return result

    return area


def steps(w, choose):
    """The area under precision by recall with the smaller or larger of neighbouring heights."""
    points = []
    for t in [-1, *np.arange(1, 199) / 199, 2]:
        tp, fp = (w * Y * (S > t)).sum(), (w * (1 - Y) * (S > t)).sum()
        points.append((tp / (w * Y).sum(), tp / (tp + fp) if tp + fp else 0.0))
    return sum((x - x_) * choose(y, y_) for (x, y), (x_, y_) in itertools.pairwise(points))


def best_given(given, wanted, figure):
    """The best of one ratio over 200 thresholds while another is large enough."""

    def best(w):
        found = [0.0]
        for t in np.arange(200) / 199:
            guess = BETTER > t
            w_ = np.repeat(w, L).reshape(N, L)
            n = {
                name: (w_ * (YES == truth) * (guess == said)).sum()
                for name, truth, said in (
                    *(("tp", 1, True), ("fn", 1, False)),
                    *(("fp", 0, True), ("tn", 0, False)),
                )
            }
            r = {
                "sensitivity": n["tp"] / (n["tp"] + n["fn"]),
                "specificity": n["tn"] / (n["tn"] + n["fp"]),
                "precision": n["tp"] / max(n["tp"] + n["fp"], 1e-12),
            }
            if r[wanted] >= given:
                found.append(r[figure])
        return max(found)

    return best


def r_squared(aggregation):
    """scikit-learn's, of targets far from 0."""
    return of(sk.r2_score, 100 + VALUES, 100 + VALUES * 0.5, multioutput=aggregation)


def iou(labels, found, classes=range(L)):
    """The mean of the Jaccard scores."""
    return of(sk.jaccard_score, labels, found, average="macro", labels=list(classes))


CASES = {
    "Accuracy": [
        ({}, LABELS, P.argmax(1), of(sk.accuracy_score, LABELS, P.argmax(1))),
        ({}, LABELS[:, None], P.argmax(1), of(sk.accuracy_score, LABELS, P.argmax(1))),
    ],
    "AccuracyByShape": [
        ({}, LABELS, P, of(sk.accuracy_score, LABELS, P.argmax(1))),
        ({}, LABELS[:, None], P, of(sk.accuracy_score, LABELS, P.argmax(1))),
        ({}, TARGETS, P, of(sk.accuracy_score, TARGETS.argmax(1), P.argmax(1))),
        ({}, YES[:, :1], Q[:, :1], of(sk.accuracy_score, Y, Q[:, 0] > 0.5)),
        ({}, Y, Q[:, :1], of(sk.accuracy_score, Y, Q[:, 0] > 0.5)),
    ],
    "BinaryAccuracy": [
        ({}, YES[:, :1], Q[:, :1], of(sk.accuracy_score, Y, Q[:, 0] > 0.5)),
        ({"threshold": 0.3}, Y, Q[:, :1], of(sk.accuracy_score, Y, Q[:, 0] > 0.3)),
    ],
    "CategoricalAccuracy": [
        ({}, TARGETS, P, of(sk.accuracy_score, TARGETS.argmax(1), P.argmax(1)))
    ],
    "SparseCategoricalAccuracy": [({}, LABELS, P, of(sk.accuracy_score, LABELS, P.argmax(1)))],
    "TopKCategoricalAccuracy": [
        ({"k": k}, ONES, P, of(sk.top_k_accuracy_score, LABELS, P, k=k)) for k in (1, 2, 4)
    ],
    "SparseTopKCategoricalAccuracy": [
        *(({"k": k}, LABELS, P, of(sk.top_k_accuracy_score, LABELS, P, k=k)) for k in (1, 3)),
        ({"k": 3}, LABELS[:, None], P, of(sk.top_k_accuracy_score, LABELS, P, k=3)),
        (
            {"k": 2, "from_sorted_ids": True},
            LABELS,
            np.argsort(-P, axis=1),
            of(sk.top_k_accuracy_score, LABELS, P, k=2),
        ),
    ],
    "TruePositives": [
        ({}, YES, Q, count(1, True)),
        ({"thresholds": 0.8}, YES, Q, count(1, 1, 0.8)),
    ],
    "FalsePositives": [({}, YES, Q, count(0, True))],
    "TrueNegatives": [({}, YES, Q, count(0, False))],
    "FalseNegatives": [
        ({}, YES, Q, count(1, False)),
        (
            {"thresholds": [0.9, 0.1]},
            YES,
            Q,
            lambda w: np.array([count(1, False, t)(w) for t in (0.9, 0.1)]),
        ),
    ],
    "Precision": [
        ({}, YES[:, :1], Q[:, :1], of(sk.precision_score, Y, Q[:, 0] > 0.5)),
        ({}, Y, Q[:, :1], of(sk.precision_score, Y, Q[:, 0] > 0.5)),
        ({"thresholds": 0.7}, YES, Q, flat(sk.precision_score, YES, Q > 0.7)),
        ({"class_id": 3}, YES, Q, of(sk.precision_score, YES[:, 3], Q[:, 3] > 0.5)),
        ({"thresholds": 0.3}, LABELS, P, flat(sk.precision_score, ONES, P > 0.3)),
        ({"top_k": 2}, YES, P, flat(sk.precision_score, YES, CHOSEN < 2)),
        ({"top_k": 1}, LABELS, P, of(sk.accuracy_score, LABELS, P.argmax(1))),
        (
            {"top_k": 3, "class_id": 1, "thresholds": 0.2},
            YES,
            P,
            of(sk.precision_score, YES[:, 1], (CHOSEN[:, 1] < 3) & (P[:, 1] > 0.2)),
        ),
    ],
    "Recall": [
        ({}, YES[:, :1], Q[:, :1], of(sk.recall_score, Y, Q[:, 0] > 0.5)),
        ({"class_id": 2}, LABELS[:, None], P, of(sk.recall_score, LABELS == 2, P[:, 2] > 0.5)),
        ({"top_k": 2}, LABELS, P, of(sk.top_k_accuracy_score, LABELS, P, k=2)),
        (
            {"thresholds": [0.2, 0.6, 0.4]},
            YES,
            Q,
            lambda w: np.array([flat(sk.recall_score, YES, Q > t)(w) for t in (0.2, 0.6, 0.4)]),
        ),
    ],
    "F1Score": [
        ({"average": a}, LABELS, P, of(sk.f1_score, LABELS, P.argmax(1), average=a))
        for a in (None, "micro", "macro", "weighted")
    ]
    + [({}, YES[:, :1], Q[:, :1], of(sk.f1_score, Y, Q[:, 0] > 0.5))],
    "FBetaScore": [
        (
            {"average": a, "beta": 2.0, "threshold": 0.4},
            YES,
            Q,
            of(sk.fbeta_score, YES, Q > 0.4, beta=2.0, average=a),
        )
        for a in (None, "micro", "macro", "weighted")
    ]
    + [({"beta": 0.5}, ONES, P, of(sk.fbeta_score, LABELS, P.argmax(1), beta=0.5, average=None))],
    "AUC": [
        ({}, Y, Q[:, :1], of(sk.roc_auc_score, Y, BINNED[:, 0])),
        ({}, YES, Q, flat(sk.roc_auc_score, YES, BINNED)),
        ({"num_thresholds": 102}, Y, S[:, None], of(sk.roc_auc_score, Y, np.ceil(S * 101))),
        ({"from_logits": True}, Y, np.log(S / (1 - S)), of(sk.roc_auc_score, Y, np.ceil(S * 199))),
        ({"thresholds": [0.5, 0.2]}, Y, S, of(sk.roc_auc_score, Y, (S > 0.2) * 1 + (S > 0.5))),
        (
            {"multi_label": True, "label_weights": [0, 1, 1, 0, 2]},
            YES,
            Q,
            lambda w: np.average(
                [sk.roc_auc_score(YES[:, k], BINNED[:, k], sample_weight=w) for k in (1, 2, 4)],
                weights=[1, 1, 2],
            ),
        ),
        ({"label_weights": [0, 0, 1, 0, 0]}, YES, Q, of(sk.roc_auc_score, YES[:, 2], BINNED[:, 2])),
        ({}, LABELS, P, flat(sk.roc_auc_score, ONES, np.ceil(P * 199))),
        ({"curve": "PR"}, Y, Q[:, 0], area_of_pr(Y, BINNED[:, 0])),
        (
            {"curve": "PR", "summation_method": "minoring"},
            Y,
            S,
            lambda w: steps(w, min),
        ),
        ({"curve": "PR", "summation_method": "majoring"}, Y, S, lambda w: steps(w, max)),
    ],
    "SensitivityAtSpecificity": [
        ({"specificity": 0.8}, YES, BETTER, best_given(0.8, "specificity", "sensitivity"))
    ],
    "SpecificityAtSensitivity": [
        ({"sensitivity": 0.6}, YES, BETTER, best_given(0.6, "sensitivity", "specificity"))
    ],
    "PrecisionAtRecall": [
        ({"recall": 0.7}, YES, BETTER, best_given(0.7, "sensitivity", "precision"))
    ],
    "RecallAtPrecision": [
        ({"precision": 0.75}, YES, BETTER, best_given(0.75, "precision", "sensitivity"))
    ],
    "MeanSquaredError": [({}, VALUES, Q, of(sk.mean_squared_error, VALUES, Q))],
    "RootMeanSquaredError": [
        ({}, VALUES[:, 0], Q[:, :1], of(sk.root_mean_squared_error, VALUES[:, 0], Q[:, 0]))
    ],
    "MeanAbsoluteError": [({}, VALUES, Q, of(sk.mean_absolute_error, VALUES, Q))],
    "MeanAbsolutePercentageError": [
        (
            {},
            POSITIVE,
            Q,
            lambda w: 100 * sk.mean_absolute_percentage_error(POSITIVE, Q, sample_weight=w),
        )
    ],
    "MeanSquaredLogarithmicError": [({}, POSITIVE, Q, of(sk.mean_squared_log_error, POSITIVE, Q))],
    "R2Score": [
        ({}, 100 + VALUES, 100 + VALUES * 0.5, r_squared("uniform_average")),
        ({"class_aggregation": None}, 100 + VALUES, 100 + VALUES * 0.5, r_squared("raw_values")),
        (
            {"class_aggregation": "variance_weighted_average"},
            100 + VALUES,
            100 + VALUES * 0.5,
            r_squared("variance_weighted"),
        ),
        ({}, VALUES[:, 0], Q[:, :1], of(sk.r2_score, VALUES[:, 0], Q[:, 0])),
        (
            {"num_regressors": 7},
            VALUES[:, :1],
            Q[:, :1],
            lambda w: (
                1 - (1 - sk.r2_score(VALUES[:, 0], Q[:, 0], sample_weight=w)) * (N - 1) / (N - 8)
            ),
        ),
    ],
    "IoU": [
        (
            {"num_classes": L, "target_class_ids": [1, 3]},
            LABELS,
            P.argmax(1),
            iou(LABELS, P.argmax(1), [1, 3]),
        ),
        (
            {"num_classes": L, "target_class_ids": [0], "ignore_class": 2},
            LABELS,
            P.argmax(1),
            lambda w: iou(LABELS, P.argmax(1), [0])(np.where(LABELS == 2, 0, w)),
        ),
    ],
    "MeanIoU": [({"num_classes": L}, LABELS, P.argmax(1), iou(LABELS, P.argmax(1)))],
    "OneHotIoU": [
        ({"num_classes": L, "target_class_ids": [1]}, ONES, P, iou(LABELS, P.argmax(1), [1]))
    ],
    "OneHotMeanIoU": [({"num_classes": L}, ONES, P, iou(LABELS, P.argmax(1)))],
    "BinaryIoU": [({"threshold": 0.3}, Y, Q[:, 0], iou(Y, (Q[:, 0] >= 0.3) * 1, [0, 1]))],
    "PearsonCorrelation": [
        ({}, VALUES, LOGITS, mean([np.corrcoef(a, b)[0, 1] for a, b in zip(VALUES, LOGITS)]))
    ],
    "ConcordanceCorrelation": [
        (
            {},
            VALUES,
            LOGITS,
            mean(
                [
                    2
                    * np.cov(a, b, ddof=0)[0, 1]
                    / (a.var() + b.var() + (a.mean() - b.mean()) ** 2)
                    for a, b in zip(VALUES, LOGITS)
                ]
            ),
        )
    ],
    "CosineSimilarity": of_loss("CosineSimilarity", -1),
    "SparseCategoricalCrossentropy": [
        ({}, LABELS, P, of(sk.log_loss, LABELS, P)),
        *of_loss("SparseCategoricalCrossentropy"),
    ],
    "CategoricalCrossentropy": [
        ({}, ONES, P, of(sk.log_loss, LABELS, P)),
        *of_loss("CategoricalCrossentropy"),
    ],
    "BinaryCrossentropy": [
        ({}, YES[:, :1], Q[:, :1], of(sk.log_loss, Y, Q[:, 0])),
        *of_loss("BinaryCrossentropy"),
    ],
    "LogCoshError": of_loss("LogCosh"),
    **{n: of_loss(n) for n in ("Hinge", "SquaredHinge", "CategoricalHinge", "KLDivergence")},
    "Poisson": of_loss("Poisson"),
}
