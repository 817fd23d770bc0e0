/* metric.c: running sums and counts over batches, from which metrics are computed.
 *
 * A running sum is a pair {sum, rounding error of the sum}. The sum over a batch is computed in
 * double by one thread. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "../math/vec.h"
#include "../runtime/shares.h"

/* w[i] v[i], or v[i] if w is NULL. */
NNL_INLINE double weighted(const real *v, const real *w, int64_t i) {
    return w ? (double)w[i] * (double)v[i] : (double)v[i];
}

/* The sum of `weighted` over n elements. */
NNL_INLINE double sum_in_double(const real *v, const real *w, int64_t n) {
    double lane[ROW_LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + ROW_LANES <= n; i += ROW_LANES) {
        NNL_LANES
        for (int j = 0; j < ROW_LANES; j++) lane[j] += weighted(v, w, i + j);
    }
    for (int j = 0; i + j < n; j++) lane[j] += weighted(v, w, i + j);
    for (int j = 0; j < ROW_LANES; j++) sum += lane[j];
    return sum;
}

/* Adds a value to the total sum[0] + sum[1]. sum[1] is the rounding error of sum[0]. After each
 * addition the total is split into sum[0], the nearest real, and the rest.
 * A. Neumaier: "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", ZAMM 54,
 * 1974. */
static void add_compensated(real sum[2], double value) {
    double total = (double)sum[0] + value;
    double lost = fabs((double)sum[0]) >= fabs(value) ? ((double)sum[0] - total) + value
                                                      : (value - total) + (double)sum[0];
    lost += (double)sum[1];
    sum[0] = (real)(total + lost);
    sum[1] = (real)((total - (double)sum[0]) + lost);
    if (!isfinite(total) || !isfinite(sum[0])) {
        sum[0] = (real)total;
        sum[1] = 0;
    }
}

/* Two running sums: state[0..1] += sum(w v), state[2..3] += sum(w). Without weights they are sum(v)
 * and n. The mean is (state[0] + state[1]) / (state[2] + state[3]).
 * in    state [4], written; values v [n]; optionally weights w [n]
 * out   none */
static void op_accumulate(const nnl_call *call, nnl_team *team) {
    if (team->id != 0) return;
    real *state = call->in[0].data;
    const real *v = call->in[1].data;
    const int64_t n = nnl_size(&call->in[1]);
    if (call->n_in == 3) {
        const real *w = call->in[2].data;
        add_compensated(state, sum_in_double(v, w, n));
        add_compensated(state + 2, sum_in_double(w, NULL, n));
    } else {
        add_compensated(state, sum_in_double(v, NULL, n));
        add_compensated(state + 2, (double)n);
    }
}

/* sums[c] += sum over n of a[n, c] b[n, c] ..., the product of 1 to 4 factors.
 * in    sums [C, 2], written, a running sum for each c; factors [N, C]
 * out   none */
static void op_accumulate_products(const nnl_call *call, nnl_team *team) {
    const int64_t N = call->in[1].shape[0], C = call->in[1].shape[1];
    real(*sums)[2] = call->in[0].data;
    const nnl_range part = nnl_share(C, NNL_CACHE_LINE, team);
    for (int64_t c = part.begin; c < part.end; c++) {
        double sum = 0;
        for (int64_t at = c; at < N * C; at += C) {
            double product = 1;
            for (int k = 1; k < call->n_in; k++)
                product *= (double)((const real *)call->in[k].data)[at];
            sum += product;
        }
        add_compensated(sums[c], sum);
    }
}

/* How many of n rising thresholds the score exceeds: 0 if it is NaN. A binary search. */
static inline int64_t thresholds_below(const real *threshold, int64_t n, real score) {
    int64_t low = 0;
    while (n > 0) {
        const int64_t half = n / 2;
        const bool above = score > threshold[low + half];
        low = above ? low + half + 1 : low;
        n = above ? n - half - 1 : half;
    }
    return low;
}

/* Bytes of scratch: the batch's counts, in double. */
static int64_t accumulate_counts_scratch(const nnl_call *call, int threads) {
    (void)threads;
    return nnl_size(&call->in[0]) / 2 * (int64_t)sizeof(double);
}

/* counts[r, b, c] += the sum of the weights of those n whose label [n, c] is r and whose score
 * [n, c] exceeds exactly b thresholds. Labels outside 0 ... R - 1 are not counted.
 * in    counts [R, B, C, 2], written, a running sum for each r, b, c; rising thresholds [B - 1];
 *       labels [N, C], real whole numbers; scores [N, C]; optionally weights [N, C], else 1
 * out   none */
static void op_accumulate_counts(const nnl_call *call, nnl_team *team) {
    const int64_t *shape = call->in[0].shape, R = shape[0], B = shape[1], C = shape[2];
    real(*counts)[2] = call->in[0].data;
    const real *label = call->in[2].data, *score = call->in[3].data;
    const real *weight = call->n_in == 5 ? call->in[4].data : NULL;
    double *sum = team->scratch;
    const nnl_range part = nnl_share(C, NNL_CACHE_LINE, team);
    for (int64_t cell = 0; cell < R * B; cell++)
        for (int64_t c = part.begin; c < part.end; c++) sum[cell * C + c] = 0;
    for (int64_t n = 0; n < call->in[2].shape[0]; n++)
        for (int64_t c = part.begin; c < part.end; c++) {
            const int64_t at = n * C + c;
            if (!(label[at] >= 0 && label[at] < (real)R)) continue;
            const int64_t bin = thresholds_below(call->in[1].data, B - 1, score[at]);
            sum[((int64_t)label[at] * B + bin) * C + c] += weight ? (double)weight[at] : 1;
        }
    for (int64_t cell = 0; cell < R * B; cell++)
        for (int64_t c = part.begin; c < part.end; c++)
            add_compensated(counts[cell * C + c], sum[cell * C + c]);
}
