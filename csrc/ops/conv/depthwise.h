/* depthwise.h: convolution of each channel with filters of its own, vectorised over channels.
 *
 * Letters and terms as in geometry.h. Each channel has M filters: w [KH, KW, C, M] and
 * y [N, OH, OW, C * M], where result c * M + m is that of channel c. The kernel is first transposed
 * to [M, KH, KW, C], so that all loops run over contiguous channels. Rows of the kernel in the
 * padding are skipped. */
#ifndef NNL_CONV_DEPTHWISE_H
#define NNL_CONV_DEPTHWISE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/gemm.h"
#include "../../gemm/microkernel.h"
#include "../../math/activation.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"
#include "folded.h"

enum {
    MAX_VECTORS = 4, /* of channels that are summed together in registers */
    MAX_STRIDE = 2,  /* of strips (see below), and their taps along a row */
    MAX_TAPS = 5
};

typedef struct {
    int64_t N, H, W, C, KH, KW, M, OH, OW;
    int64_t stride_h, stride_w, top, left, dilation_h, dilation_w;
} nnl_depthwise;

static nnl_depthwise depthwise_of(const nnl_tensor *x, const nnl_tensor *w, const nnl_tensor *y,
                                  const nnl_attr *attr) {
    const int64_t *a = x->shape, *k = w->shape;
    return (nnl_depthwise){a[0],      a[1],      a[2],        a[3],        k[0],
                           k[1],      k[3],      y->shape[1], y->shape[2], attr[0].i,
                           attr[1].i, attr[2].i, attr[3].i,   attr[4].i,   attr[5].i};
}

/* transposed[m, tap, c] = w[tap, c, m], times scale[c, m] if that is given; the last tap is first
 * if `turned`. Each thread does its share and waits for the others. */
static void transpose_kernel(const nnl_depthwise *g, const real *w, const real *scale, bool turned,
                             real *transposed, nnl_team *team) {
    const int64_t taps = g->KH * g->KW;
    const nnl_range part = nnl_share(g->M * taps, 1, team);
    for (int64_t i = part.begin; i < part.end; i++) {
        const int64_t tap = turned ? taps - 1 - i % taps : i % taps;
        const real *from = w + tap * g->C * g->M + i / taps;
        real *to = transposed + i * g->C;
        for (int64_t c = 0; c < g->C; c++) to[c] = from[c * g->M];
        if (!scale) continue;
        for (int64_t c = 0; c < g->C; c++) to[c] *= scale[c * g->M + i / taps];
    }
    nnl_wait(team);
}

static int64_t transposed_size(const nnl_tensor *w) {
    return ceil_div(nnl_size(w), NNL_CACHE_LINE) * NNL_CACHE_LINE;
}

/* How many vectors to use for the next n channels: 4, 2 or 1. A single one need not be full. */
static inline int vectors_for(int64_t n) {
    return n >= MAX_VECTORS * LANES ? MAX_VECTORS : n >= 2 * LANES ? 2 : 1;
}

/* p[0], p[step], ...: n of them, at most LANES. */
NNL_INLINE vec load_channels(const real *p, int64_t step, int64_t n) {
    if (step == 1) return n >= LANES ? vec_load(p) : vec_load_first(p, n);
    vec v = {0};
    for (int l = 0; l < LANES && l < n; l++) v[l] = p[l * step];
    return v;
}

NNL_INLINE void store_channels(real *p, int64_t step, int64_t n, vec v) {
    if (step == 1 && n >= LANES)
        vec_store(p, v);
    else if (step == 1)
        vec_store_first(p, v, n);
    else
        for (int l = 0; l < LANES && l < n; l++) p[l * step] = v[l];
}

/* sum[c] += x[c * x_step] w[c * w_step] for n channels in nv vectors. */
NNL_INLINE void add_products(const int nv, vec sum[MAX_VECTORS], const real *x, int64_t x_step,
                             const real *w, int64_t w_step, int64_t n) {
#pragma GCC unroll 4
    for (int j = 0; j < nv; j++) {
        const int64_t left = nv > 1 ? LANES : n;
        sum[j] = vec_fmadd(load_channels(x + j * LANES * x_step, x_step, left),
                           load_channels(w + j * LANES * w_step, w_step, left), sum[j]);
    }
}

/* The taps k in [0, K) for which 0 <= first + k * dilation < size. */
static nnl_range taps_inside(int64_t first, int64_t K, int64_t dilation, int64_t size) {
    const int64_t begin = first < 0 ? ceil_div(-first, dilation) : 0;
    const int64_t end = first < size ? ceil_div(size - first, dilation) : 0;
    return (nnl_range){min_of(begin, K), min_of(end, K)};
}

/* The window of one pixel: x under its first tap, the taps inside the image, the kernel, and what
 * is done to the sum. */
typedef struct {
    const real *x, *w, *bias;
    nnl_range kh, kw, channels;
    nnl_clamp clamp;
} nnl_window;

/* Result m of channels c ... c + n - 1 of one pixel. y points to the pixel. */
NNL_INLINE void depthwise_channels(const int nv, const nnl_depthwise *g, const nnl_window *v,
                                   real *y, int64_t m, int64_t c, int64_t n) {
    const real *w = v->w + m * g->KH * g->KW * g->C + c;
    vec sum[MAX_VECTORS] = {{0}};
    for (int64_t i = v->kh.begin; i < v->kh.end; i++)
        for (int64_t j = v->kw.begin; j < v->kw.end; j++)
            add_products(nv, sum, v->x + (i * g->dilation_h * g->W + j * g->dilation_w) * g->C + c,
                         1, w + (i * g->KW + j) * g->C, 1, n);
#pragma GCC unroll 4
    for (int j = 0; j < nv; j++) {
        const int64_t left = nv > 1 ? LANES : n, at = (c + j * LANES) * g->M + m;
        if (v->bias) sum[j] += load_channels(v->bias + at, g->M, left);
        if (v->clamp.is_done) sum[j] = vec_clamp(sum[j], v->clamp.cap);
        store_channels(y + at, g->M, left, sum[j]);
    }
}

/* All results of one pixel. */
static void depthwise_pixel(const nnl_depthwise *g, const nnl_window *v, real *y) {
    for (int64_t m = 0; m < g->M; m++)
        for (int64_t c = 0; c < g->C;) {
            const int nv = vectors_for(g->C - c);
            const int64_t n = min_of(g->C - c, nv * LANES);
            if (nv == 4)
                depthwise_channels(4, g, v, y, m, c, n);
            else if (nv == 2)
                depthwise_channels(2, g, v, y, m, c, n);
            else
                depthwise_channels(1, g, v, y, m, c, n);
            c += n;
        }
}

/* STRIP pixels of a row of y are computed together, as they share taps and columns of x. Each has
 * STRIP_VECTORS vectors of channels: more do not fit into registers. */
enum { STRIP = 4, STRIP_VECTORS = VEC_BYTES == 64 ? 2 : 1 };

/* Results of STRIP pixels for channels c ... c + n - 1 in nv vectors, where each channel has one
 * filter. Columns that are not `inside` the image are 0. The sums have the order of
 * depthwise_channels. */
NNL_INLINE void depthwise_strip_channels(const int KW, const int stride, const int nv,
                                         const bool all_inside, const nnl_depthwise *g,
                                         const nnl_window *v, nnl_range inside, real *y, int64_t c,
                                         int64_t n) {
    vec sum[STRIP_VECTORS][STRIP] = {{{0}}};
    for (int64_t i = v->kh.begin; i < v->kh.end; i++) {
        const real *x = v->x + i * g->dilation_h * g->W * g->C + c, *w = v->w + i * KW * g->C + c;
#pragma GCC unroll 2
        for (int l = 0; l < nv; l++, x += LANES, w += LANES, n -= LANES) {
            vec column[(STRIP - 1) * MAX_STRIDE + MAX_TAPS];
#pragma GCC unroll 16
            for (int j = 0; j < (STRIP - 1) * stride + KW; j++)
                column[j] = all_inside || (j >= inside.begin && j < inside.end)
                                ? load_channels(x + j * g->C, 1, nv > 1 ? LANES : n)
                                : (vec){0};
#pragma GCC unroll 8
            for (int k = 0; k < KW; k++) {
                const vec tap = load_channels(w + k * g->C, 1, nv > 1 ? LANES : n);
#pragma GCC unroll 4
                for (int p = 0; p < STRIP; p++)
                    sum[l][p] = vec_fmadd(column[p * stride + k], tap, sum[l][p]);
            }
        }
        n += nv * LANES;
    }
#pragma GCC unroll 2
    for (int l = 0; l < nv; l++, c += LANES, n -= LANES)
#pragma GCC unroll 4
        for (int p = 0; p < STRIP; p++) {
            const int64_t left = nv > 1 ? LANES : n;
            if (v->bias) sum[l][p] += load_channels(v->bias + c, 1, left);
            if (v->clamp.is_done) sum[l][p] = vec_clamp(sum[l][p], v->clamp.cap);
            store_channels(y + p * g->C + c, 1, left, sum[l][p]);
        }
}

NNL_INLINE void depthwise_strip(const int KW, const int stride, const bool all_inside,
                                const nnl_depthwise *g, const nnl_window *v, nnl_range inside,
                                real *y) {
    const int nv = all_inside ? STRIP_VECTORS : 1;
    const int64_t end = v->channels.end;
    int64_t c = v->channels.begin;
    for (; c + nv * LANES <= end; c += nv * LANES)
        depthwise_strip_channels(KW, stride, nv, all_inside, g, v, inside, y, c, nv * LANES);
    for (; c < end; c += LANES)
        depthwise_strip_channels(KW, stride, 1, all_inside, g, v, inside, y, c, end - c);
}

/* How wide a window is that strips are computed of; 0 if there are none. */
static int64_t strip_width(const nnl_depthwise *g) {
    const bool has_loop = g->M == 1 && g->dilation_w == 1 && (g->KW == 3 || g->KW == 5) &&
                          g->stride_w <= MAX_STRIDE;
    return has_loop ? (STRIP - 1) * g->stride_w + g->KW : 0;
}

/* `inside`: the columns under the windows that are in the image. */
static void depthwise_strip_of(const nnl_depthwise *g, const nnl_window *v, nnl_range inside,
                               real *y) {
    const bool all = inside.begin <= 0 && inside.end == strip_width(g);
    if (g->KW == 3 && g->stride_w == 1 && all)
        depthwise_strip(3, 1, true, g, v, inside, y);
    else if (g->KW == 3 && g->stride_w == 1)
        depthwise_strip(3, 1, false, g, v, inside, y);
    else if (g->KW == 3 && all)
        depthwise_strip(3, 2, true, g, v, inside, y);
    else if (g->KW == 3)
        depthwise_strip(3, 2, false, g, v, inside, y);
    else if (g->stride_w == 1 && all)
        depthwise_strip(5, 1, true, g, v, inside, y);
    else if (g->stride_w == 1)
        depthwise_strip(5, 1, false, g, v, inside, y);
    else if (all)
        depthwise_strip(5, 2, true, g, v, inside, y);
    else
        depthwise_strip(5, 2, false, g, v, inside, y);
}

static bool is_in_strips(const nnl_depthwise *g) { return strip_width(g) && g->OW >= STRIP; }

/* Row oh of y of the image x; if it is in strips, some channels of it. */
static void depthwise_row(const nnl_depthwise *g, const real *x, nnl_window v, real *y,
                          int64_t oh) {
    const int64_t h = oh * g->stride_h - g->top, strip = strip_width(g);
    const bool in_strips = is_in_strips(g);
    v.kh = taps_inside(h, g->KH, g->dilation_h, g->H);
    for (int64_t ow = 0; ow < g->OW; ow += in_strips ? STRIP : 1) {
        if (in_strips) ow = min_of(ow, g->OW - STRIP); /* the last one is in part the one before */
        const int64_t column = ow * g->stride_w - g->left;
        v.x = x + (h * g->W + column) * g->C;
        v.kw = taps_inside(column, g->KW, g->dilation_w, g->W);
        if (in_strips)
            depthwise_strip_of(g, &v, (nnl_range){-column, min_of(strip, g->W - column)},
                               y + ow * g->C);
        else
            depthwise_pixel(g, &v, y + ow * g->C * g->M);
    }
}

/* The channels that are computed for all rows before the next ones. L1 then holds a row of y and
 * the rows of x under it, and a row of x comes from L2 once, not once for each row of the kernel.
 * Few channels of a row lie far apart in memory: then all are computed at once. */
static int64_t channels_together(const nnl_depthwise *g) {
    enum { L1 = (24 << 10) / sizeof(real), FEW = 64 };
    const int64_t fit = L1 / max_of(g->KH * g->W + g->OW, 1) / ROW_LANES * ROW_LANES;
    return is_in_strips(g) && fit >= FEW ? fit : g->C;
}

/* Some rows of y, counted over all images. w is the transposed kernel. */
static void depthwise_rows(const nnl_depthwise *g, const real *x, const real *w,
                           const nnl_epilogue *epilogue, real *y, nnl_range rows) {
    const int64_t row = g->OW * g->C * g->M;
    nnl_window v = {
        .w = w, .bias = epilogue->bias, .clamp = clamp_of(epilogue->activation, epilogue->alpha)};
    const bool activates = !v.clamp.is_done && epilogue->activation != NNL_LINEAR;
    const int64_t together = activates ? g->C : channels_together(g);
    for (int64_t c = 0; c < g->C; c += together)
        for (int64_t r = rows.begin; r < rows.end; r++) {
            v.channels = (nnl_range){c, min_of(c + together, g->C)};
            depthwise_row(g, x + r / g->OH * g->H * g->W * g->C, v, y + r * row, r % g->OH);
            if (activates)
                activate(y + r * row, y + r * row, row, epilogue->activation, epilogue->alpha);
        }
}

#endif
