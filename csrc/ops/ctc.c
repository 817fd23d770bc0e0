/* ctc.c: the loss of sequences whose labels come in order, but at times that are not known.
 * A. Graves, S. Fernandez, F. Gomez, J. Schmidhuber: "Connectionist temporal classification:
 * labelling unsegmented sequence data with recurrent neural networks", ICML 2006.
 *
 * Between the labels, before and after them stand blanks: L labels are 2 L + 1 states. At each time
 * a path stays in its state, goes to the next, or leaves a blank out between labels that differ.
 * Logarithms of probabilities are doubles: many small ones are added up. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/activation.h"
#include "../math/vec.h"
#include "../runtime/shares.h"

/* One sequence. */
typedef struct {
    const real *z;         /* logits [T, C] */
    const int32_t *labels; /* of which `count` are given */
    int64_t T, C, count;
    int32_t blank;
    const double *log_sum; /* [T]: log(sum_c e^z) */
} nnl_ctc;

static inline int64_t ctc_states(const nnl_ctc *q) { return 2 * q->count + 1; }
static inline int32_t ctc_class(const nnl_ctc *q, int64_t state) {
    return state % 2 ? q->labels[state / 2] : q->blank;
}
/* The logarithm of the probability of the class of a state, at a time. */
static inline double ctc_log_p(const nnl_ctc *q, int64_t t, int64_t state) {
    return q->z[t * q->C + ctc_class(q, state)] - q->log_sum[t];
}
/* Whether a path may go from the state before the last to this one. */
static inline bool ctc_skips(const nnl_ctc *q, int64_t state) {
    return state % 2 && state > 1 && q->labels[state / 2] != q->labels[state / 2 - 1];
}
/* log(e^a + e^b). */
static double log_add(double a, double b) {
    const double most = a > b ? a : b, least = a > b ? b : a;
    return least == -INFINITY ? most : most + log1p(exp(least - most));
}

/* alpha[t, s]: the paths that are in state s at time t, with all probabilities up to there. Returns
 * the logarithm of the probability of the labels. */
static double ctc_forward(const nnl_ctc *q, double *alpha) {
    const int64_t S = ctc_states(q);
    if (q->T == 0) return q->count ? -INFINITY : 0;
    for (int64_t s = 0; s < S; s++) alpha[s] = s < 2 ? ctc_log_p(q, 0, s) : -INFINITY;
    for (int64_t t = 1; t < q->T; t++) {
        const double *before = alpha + (t - 1) * S;
        for (int64_t s = 0; s < S; s++) {
            double a = before[s];
            if (s > 0) a = log_add(a, before[s - 1]);
            if (ctc_skips(q, s)) a = log_add(a, before[s - 2]);
            alpha[t * S + s] = a + ctc_log_p(q, t, s);
        }
    }
    const double *last = alpha + (q->T - 1) * S;
    return S > 1 ? log_add(last[S - 1], last[S - 2]) : last[0];
}

/* Subtracts from dz, which holds softmax(z), the share of the paths that are in a state of each
 * class. beta[s], for a time t: what follows of the paths that are in state s. */
static void ctc_backward(const nnl_ctc *q, const double *alpha, double *beta, double log_p,
                         real *dz) {
    const int64_t S = ctc_states(q);
    for (int64_t s = 0; s < S; s++) beta[s] = s < S - 2 ? -INFINITY : 0;
    for (int64_t t = q->T - 1; t >= 0; t--) {
        for (int64_t s = 0; s < S; s++)
            dz[t * q->C + ctc_class(q, s)] -= (real)exp(alpha[t * S + s] + beta[s] - log_p);
        /* In place: a state reads those behind it, which come later. */
        for (int64_t s = 0; s < S; s++) beta[s] += ctc_log_p(q, t, s);
        for (int64_t s = 0; s + 1 < S; s++) {
            beta[s] = log_add(beta[s], beta[s + 1]);
            if (s + 2 < S && ctc_skips(q, s + 2)) beta[s] = log_add(beta[s], beta[s + 2]);
        }
    }
}

/* The first of `count` labels that is no class, or is the blank; else `count`. */
static int64_t first_bad_label(const int32_t *labels, int64_t count, int64_t C, int32_t blank) {
    int64_t i = 0;
    while (i < count && labels[i] >= 0 && labels[i] < C && labels[i] != blank) i++;
    return i;
}

/* Doubles that a thread needs: log_sum, alpha, beta. */
static int64_t ctc_doubles(int64_t T, int64_t L) { return T + (T + 1) * (2 * L + 1); }
static int64_t ctc_scratch(const nnl_call *call, int threads) {
    const int64_t T = call->in[0].shape[1], L = call->in[1].shape[1];
    return threads * ctc_doubles(T, L) * (int64_t)sizeof(double);
}

/* The sequences that this thread does; for each its loss, or dz, its gradient times dloss. */
static void ctc(const nnl_call *call, nnl_team *team, real *loss, const real *dloss, real *dz) {
    const int64_t N = call->in[0].shape[0], T = call->in[0].shape[1], C = call->in[0].shape[2];
    const int64_t L = call->in[1].shape[1], step = rows_per_block(C);
    const int32_t *counts = call->in[2].data, *times = call->in[3].data;
    double *log_sum = (double *)team->scratch + team->id * ctc_doubles(T, L);
    double *alpha = log_sum + T, *beta = alpha + T * (2 * L + 1);
    const nnl_range part = nnl_share(N, 1, team);
    for (int64_t n = part.begin; n < part.end; n++) {
        const real *z = (const real *)call->in[0].data + n * T * C;
        const nnl_ctc q = {.z = z,
                           .labels = (const int32_t *)call->in[1].data + n * L,
                           .T = times[n],
                           .C = C,
                           .count = counts[n],
                           .blank = (int32_t)call->attr[0].i,
                           .log_sum = log_sum};
        const bool fits = q.count >= 0 && q.count <= L && q.T >= 0 && q.T <= T;
        const int64_t bad = fits ? first_bad_label(q.labels, q.count, C, q.blank) : -1;
        real *gradient = dz ? dz + n * T * C : NULL;
        if (dz) memset(gradient, 0, (size_t)(T * C) * sizeof *dz);
        if (loss) loss[n] = 0;
        if (!fits || bad < q.count) {
            nnl_report_invalid_index(team, n * L + max_of(bad, 0),
                                     fits ? q.labels[bad] : NNL_NO_INDEX);
            continue;
        }
        for (int64_t t = 0; t < q.T; t += step) {
            const int64_t rows = min_of(q.T - t, step);
            real log_sums[SOFTMAX_BLOCK], largest[SOFTMAX_BLOCK];
            log_sums_of_rows(log_sums, largest, z + t * C, rows, C);
            for (int64_t i = 0; i < rows; i++) log_sum[t + i] = (double)largest[i] + log_sums[i];
        }
        const double log_p = ctc_forward(&q, alpha);
        if (loss) loss[n] = (real)-log_p;
        if (!dz || log_p == -INFINITY) continue;
        for (int64_t t = 0; t < q.T; t += step)
            softmax_of_rows(gradient + t * C, z + t * C, min_of(q.T - t, step), C);
        ctc_backward(&q, alpha, beta, log_p, gradient);
        NNL_INDEPENDENT
        for (int64_t i = 0; i < q.T * C; i++) gradient[i] *= dloss[n];
    }
}

/* loss = -log(probability of the labels). Labels that cannot be had in so short a time have an
 * infinite loss, and the gradient 0. A label that is no class, or is the blank, is reported by its
 * place, a length that is out of range by the first place of its row.
 * in    logits [N, T, C], labels int32 [N, L], how many labels int32 [N], how many times int32 [N]
 * out   loss [N]
 * attr  the class of blanks */
static void op_ctc_loss(const nnl_call *call, nnl_team *team) {
    ctc(call, team, call->out[0].data, NULL, NULL);
}

/* The gradient of ctc_loss with respect to the logits.
 * in    as of ctc_loss, dloss [N]
 * out   dlogits [N, T, C]
 * attr  the class of blanks */
static void op_ctc_loss_gradient(const nnl_call *call, nnl_team *team) {
    ctc(call, team, NULL, call->in[4].data, call->out[0].data);
}
