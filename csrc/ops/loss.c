/* loss.c: cross-entropies of logits and their gradients. Computed from the logits, a loss keeps its
 * digits where a probability would round to 0 or 1. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/activation.h"
#include "../math/vec.h"
#include "../runtime/shares.h"

/* The loss of one row: sum_j t_j (log_sum + (largest - z_j)). */
static real loss_of_probabilities(const real *t, const real *z, real largest, real log_sum,
                                  int64_t classes) {
    real each[SOFTMAX_BLOCK], loss = 0;
    for (int64_t at = 0; at < classes; at += SOFTMAX_BLOCK) {
        const int64_t count = min_of(classes - at, SOFTMAX_BLOCK);
        for (int64_t j = 0; j < count; j++) each[j] = log_sum + (largest - z[at + j]);
        loss += row_dot(t + at, each, count);
    }
    return loss;
}

static inline bool is_class(int32_t label, int64_t classes) {
    return label >= 0 && label < classes;
}

/* loss = log(sum_j e^z_j) - z_t for a label t, or sum_j t_j (log(sum_j e^z_j) - z_j) for
 * probabilities t. The loss of an invalid label is 0, and its row is reported.
 * in    logits z [N, L], target t int32 [N] or real [N, L]
 * out   loss [N]
 * attr  0: t are labels, 1: t are probabilities */
static void op_softmax_cross_entropy(const nnl_call *call, nnl_team *team) {
    const int64_t N = call->in[0].shape[0], L = call->in[0].shape[1];
    const bool probabilities = call->attr[0].i;
    real *loss = call->out[0].data;
    if (L == 0) return;
    const nnl_range part = nnl_share(N, 1, team);
    const int64_t step = rows_per_block(L);
    for (int64_t first = part.begin; first < part.end; first += step) {
        const int64_t rows = min_of(part.end - first, step);
        real log_sum[SOFTMAX_BLOCK], largest[SOFTMAX_BLOCK];
        log_sums_of_rows(log_sum, largest, (const real *)call->in[0].data + first * L, rows, L);
        for (int64_t k = 0; k < rows; k++) {
            const int64_t n = first + k;
            const real *z = (const real *)call->in[0].data + n * L;
            if (probabilities) {
                const real *t = (const real *)call->in[1].data + n * L;
                loss[n] = loss_of_probabilities(t, z, largest[k], log_sum[k], L);
            } else {
                const int32_t label = ((const int32_t *)call->in[1].data)[n];
                loss[n] = is_class(label, L) ? log_sum[k] + (largest[k] - z[label]) : 0;
                if (!is_class(label, L)) nnl_report_invalid_index(team, n, label);
            }
        }
    }
}

/* dz = dloss (softmax(z) sum(t) - t). On entry dz holds softmax(z). */
static void finish_gradient_of_probabilities(real *dz, const real *t, real dloss, int64_t classes) {
    const real total = row_sum(t, classes);
    NNL_INDEPENDENT
    for (int64_t j = 0; j < classes; j++) dz[j] = dloss * fmadd(dz[j], total, -t[j]);
}

/* dz = dloss (softmax(z) sum(t) - t), where a label stands for its one-hot vector. The gradient of
 * an invalid label is zeros, and its row is reported.
 * in    logits z [N, L], target t int32 [N] or real [N, L], dloss [N]
 * out   dz [N, L], may be z
 * attr  0: t are labels, 1: t are probabilities */
static void op_softmax_cross_entropy_gradient(const nnl_call *call, nnl_team *team) {
    const int64_t N = call->in[0].shape[0], L = call->in[0].shape[1];
    const bool probabilities = call->attr[0].i;
    const real *dloss = call->in[2].data;
    if (L == 0) return;
    const nnl_range part = nnl_share(N, 1, team);
    const int64_t step = rows_per_block(L);
    for (int64_t first = part.begin; first < part.end; first += step) {
        const int64_t rows = min_of(part.end - first, step);
        real *dz = (real *)call->out[0].data + first * L;
        softmax_of_rows(dz, (const real *)call->in[0].data + first * L, rows, L);
        for (int64_t n = first; n < first + rows; n++, dz += L) {
            if (probabilities) {
                const real *t = (const real *)call->in[1].data + n * L;
                finish_gradient_of_probabilities(dz, t, dloss[n], L);
                continue;
            }
            const int32_t label = ((const int32_t *)call->in[1].data)[n];
            if (is_class(label, L)) {
                /* Before the loop: its vector loads would wait for a store to dz[label]. */
                const real at_label = dz[label] - 1;
                NNL_INDEPENDENT
                for (int64_t j = 0; j < L; j++) dz[j] *= dloss[n];
                dz[label] = at_label * dloss[n];
            } else {
                memset(dz, 0, (size_t)L * sizeof *dz);
                nnl_report_invalid_index(team, n, label);
            }
        }
    }
}

/* loss = max(z, 0) - z t + log(1 + e^-|z|), elementwise: the cross-entropy of sigmoid(z) and t.
 * in    logits z, target t, of one shape
 * out   loss, the same shape, may be z or t */
static void op_sigmoid_cross_entropy(const nnl_call *call, nnl_team *team) {
    const real *z = call->in[0].data, *t = call->in[1].data;
    real *loss = call->out[0].data;
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), NNL_CACHE_LINE, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        const real positive = z[i] < 0 ? 0 : z[i];
        loss[i] = fmadd(-z[i], t[i], positive) + real_log1p(real_exp(-real_abs(z[i])));
    }
}

/* dz = dloss (sigmoid(z) - t), elementwise.
 * in    logits z, target t, dloss, of one shape
 * out   dz, the same shape, may be z, t or dloss */
static void op_sigmoid_cross_entropy_gradient(const nnl_call *call, nnl_team *team) {
    const real *z = call->in[0].data, *t = call->in[1].data, *dloss = call->in[2].data;
    real *dz = call->out[0].data;
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), NNL_CACHE_LINE, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) dz[i] = dloss[i] * (real_sigmoid(z[i]) - t[i]);
}
