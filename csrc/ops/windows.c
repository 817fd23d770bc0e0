/* windows.c: the windows along one axis of an array, as an array, and the gradient.
 *
 * A convolution of volumes is one of their slices, whose channels are those of all slices in a
 * window along the depth (nnlite/ops/volumes.py). */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/vec.h"
#include "../runtime/shares.h"

/* Numbers that are copied at once, from each place of the window: they stay in L1. */
enum { WINDOWS_BLOCK = 1024 };

typedef struct {
    int64_t n, m, B, K, stride, before, dilation;
} nnl_windows;

/* attr  stride, before, dilation */
static nnl_windows windows_of(const nnl_tensor *x, const nnl_tensor *y, const nnl_attr *attr) {
    return (nnl_windows){x->shape[1], y->shape[1], x->shape[2], y->shape[3],
                         attr[0].i,   attr[1].i,   attr[2].i};
}

/* y[b, 0] = x[b], or 0 where x is NULL. */
static void set_place(real *restrict y, const real *restrict x, int64_t K, int64_t count) {
    for (int64_t b = 0; b < count; b++) y[b * K] = x ? x[b] : 0;
}

/* y[b] = the numbers with number b of three arrays. */
static void zip_three(real *restrict y, const real *restrict x0, const real *restrict x1,
                      const real *restrict x2, int64_t count) {
    for (int64_t b = 0; b < count; b++) {
        y[3 * b] = x0[b];
        y[3 * b + 1] = x1[b];
        y[3 * b + 2] = x2[b];
    }
}

/* y[a, o, b, k] = x[a, o stride + k dilation - before, b], or 0 outside of x.
 * in    x [A, n, B]
 * out   y [A, m, B, K]
 * attr  stride, before, dilation */
static void op_windows(const nnl_call *call, nnl_team *team) {
    const nnl_windows g = windows_of(&call->in[0], &call->out[0], call->attr);
    const nnl_range part = nnl_share(call->in[0].shape[0] * g.m * g.B, NNL_CACHE_LINE, team);
    for (int64_t at = part.begin, count; at < part.end; at += count) {
        const int64_t row = at / g.B, b = at % g.B, first = row % g.m * g.stride - g.before;
        const real *x = (const real *)call->in[0].data + row / g.m * g.n * g.B + b;
        real *y = (real *)call->out[0].data + at * g.K;
        count = min_of(min_of(g.B - b, part.end - at), WINDOWS_BLOCK);
        const int64_t last = first + (g.K - 1) * g.dilation;
        if (g.K == 3 && first >= 0 && last < g.n) {
            zip_three(y, x + first * g.B, x + (first + g.dilation) * g.B, x + last * g.B, count);
            continue;
        }
        for (int64_t k = 0; k < g.K; k++) {
            const int64_t i = first + k * g.dilation;
            set_place(y + k, i >= 0 && i < g.n ? x + i * g.B : NULL, g.K, count);
        }
    }
}

/* dx[b] = dy[b, 0], or += it. */
NNL_INLINE void add_place(const int64_t K, real *restrict dx, const real *restrict dy,
                          int64_t count, bool add) {
    if (add)
        for (int64_t b = 0; b < count; b++) dx[b] += dy[b * K];
    else
        for (int64_t b = 0; b < count; b++) dx[b] = dy[b * K];
}

/* dx[a, i, b] = the sum over k of dy[a, o, b, k] with o stride + k dilation - before = i, in the
 * order of k.
 * in    dy [A, m, B, K]
 * out   dx [A, n, B]
 * attr  stride, before, dilation */
static void op_windows_gradient(const nnl_call *call, nnl_team *team) {
    const nnl_windows g = windows_of(&call->out[0], &call->in[0], call->attr);
    const nnl_range part = nnl_share(call->out[0].shape[0] * g.n * g.B, NNL_CACHE_LINE, team);
    for (int64_t at = part.begin, count; at < part.end; at += count) {
        const int64_t row = at / g.B, b = at % g.B;
        real *dx = (real *)call->out[0].data + at;
        bool any = false;
        count = min_of(min_of(g.B - b, part.end - at), WINDOWS_BLOCK);
        for (int64_t k = 0; k < g.K; k++) {
            const int64_t begin = row % g.n + g.before - k * g.dilation, o = begin / g.stride;
            if (begin < 0 || begin % g.stride || o >= g.m) continue;
            const real *dy = (const real *)call->in[0].data +
                             ((row / g.n * g.m + o) * g.B + b) * g.K + k;
            if (g.K == 3)
                add_place(3, dx, dy, count, any);
            else
                add_place(g.K, dx, dy, count, any);
            any = true;
        }
        if (!any) memset(dx, 0, (size_t)count * sizeof *dx);
    }
}
