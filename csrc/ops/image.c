/* image.c: padding, cropping and resizing of images, and equalization of their values. */
#include <stdint.h>
#include <string.h>

#include "../math/vec.h"
#include "../runtime/shares.h"

/* y[n, h + top, w + left, c] = x[n, h, w, c]: padding, or cropping if the offsets are negative.
 * Elements of y that have no x are 0; elements of x that have no place in y are dropped. The
 * gradient is the same op with the offsets -top and -left.
 * in    x [N, H, W, C]
 * out   y [N, OH, OW, C]
 * attr  top, left */
static void op_pad2d(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *in = &call->in[0], *out = &call->out[0];
    const int64_t H = in->shape[1], W = in->shape[2], C = in->shape[3];
    const int64_t OH = out->shape[1], OW = out->shape[2];
    const int64_t top = call->attr[0].i, left = call->attr[1].i;
    int64_t first = max_of(left, 0), end = min_of(left + W, OW);
    if (first > OW) first = OW;
    if (end < first) end = first;
    const nnl_range part = nnl_share(out->shape[0] * OH, 1, team);
    for (int64_t row = part.begin; row < part.end; row++) {
        const int64_t h = row % OH - top;
        real *y = (real *)out->data + row * OW * C;
        if (h < 0 || h >= H || first == end) {
            memset(y, 0, (size_t)(OW * C) * sizeof *y);
            continue;
        }
        const real *x = (const real *)in->data + ((row / OH * H + h) * W + first - left) * C;
        memset(y, 0, (size_t)(first * C) * sizeof *y);
        memcpy(y + first * C, x, (size_t)((end - first) * C) * sizeof *y);
        memset(y + end * C, 0, (size_t)((OW - end) * C) * sizeof *y);
    }
}

/* Numbers of an inner axis that are summed together by resample. */
enum { RESAMPLE_BLOCK = 64 };

/* y[b] = sum of weights[k] x[k B + b], over K terms, for b < B. */
NNL_INLINE void weighted_sum(real *restrict y, const real *restrict x, const real *restrict weights,
                             int64_t K, int64_t B) {
    for (int64_t at = 0; at < B; at += RESAMPLE_BLOCK) {
        const int64_t count = min_of(B - at, RESAMPLE_BLOCK);
        real sum[RESAMPLE_BLOCK];
        for (int64_t b = 0; b < count; b++) sum[b] = weights[0] * x[at + b];
        for (int64_t k = 1; k < K; k++)
            for (int64_t b = 0; b < count; b++)
                sum[b] = fmadd(weights[k], x[k * B + at + b], sum[b]);
        memcpy(y + at, sum, (size_t)count * sizeof *y);
    }
}

/* y[a, i] = sum of weights[i, k] x[a, first[i] + k] over k < K: weighted means of neighbours along
 * an axis. The gradient is the same op with the transposed weights.
 * in    x [A, n, B]; first int32 [m], in [0, n - K]; weights [m, K], K > 0
 * out   y [A, m, B] */
static void op_resample(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *in = &call->in[0];
    const int64_t n = in->shape[1], B = in->shape[2];
    const int64_t m = call->in[2].shape[0], K = call->in[2].shape[1];
    const int32_t *first = call->in[1].data;
    const nnl_range part = nnl_share(in->shape[0] * m, 1, team);
    for (int64_t line = part.begin, a = line / (m ? m : 1), i = line - a * m; line < part.end;
         line++) {
        const real *weights = (const real *)call->in[2].data + i * K;
        const real *x = (const real *)in->data + (a * n + first[i]) * B;
        real *y = (real *)call->out[0].data + line * B;
        if (B == 1)
            weighted_sum(y, x, weights, K, 1);
        else if (B == 3 && K == 2)
            weighted_sum(y, x, weights, 2, 3);
        else if (B == 3)
            weighted_sum(y, x, weights, K, 3);
        else
            weighted_sum(y, x, weights, K, B);
        if (++i == m) i = 0, a++;
    }
}

/* The most bins of equalize. */
enum { EQUALIZE_BINS = 65536 };

/* The bin of a value in [0, 255]; values beyond are in the outermost bins, NaN is in the first. */
NNL_INLINE int32_t bin_of(real value, int32_t bins) {
    const real at = value * (real)(bins - 1) / 255;
    return !(at > 0) ? 0 : at < (real)(bins - 1) ? (int32_t)at : bins - 1;
}

static int64_t equalize_scratch(const nnl_call *call, int threads) {
    return (int64_t)threads * call->attr[0].i * (int64_t)sizeof(int64_t);
}

/* y = 255 times the share of the values of an image and channel that lie in bins up to that of x,
 * not counting the first bin that has any, rounded. A channel with a single bin stays as it is.
 * R. C. Gonzalez, R. E. Woods: "Digital image processing", 2018, section 3.3.
 * in    x [N, P, C]
 * out   y [N, P, C]
 * attr  bins, at most EQUALIZE_BINS */
static void op_equalize(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *in = &call->in[0];
    const int64_t P = in->shape[1], C = in->shape[2];
    const int32_t bins = (int32_t)call->attr[0].i;
    int64_t *below = (int64_t *)team->scratch + (int64_t)team->id * bins;
    const nnl_range part = nnl_share(in->shape[0] * C, 1, team);
    for (int64_t channel = part.begin; channel < part.end; channel++) {
        const int64_t start = channel / C * P * C + channel % C;
        const real *x = (const real *)in->data + start;
        real *y = (real *)call->out[0].data + start;
        memset(below, 0, (size_t)bins * sizeof *below);
        for (int64_t p = 0; p < P; p++) below[bin_of(x[p * C], bins)]++;
        int64_t first = 0, filled = 0, sum = 0;
        for (int32_t b = 0; b < bins; b++) {
            if (below[b] && !sum) first = below[b];
            filled += below[b] != 0;
            sum += below[b];
            below[b] = sum;
        }
        if (filled < 2) {
            for (int64_t p = 0; p < P; p++) y[p * C] = x[p * C];
            continue;
        }
        for (int64_t p = 0; p < P; p++) {
            const double share = (double)(below[bin_of(x[p * C], bins)] - first);
            y[p * C] = (real)__builtin_rint(share * 255 / (double)(P - first));
        }
    }
}
