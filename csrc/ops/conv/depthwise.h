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
    MAX_STRIDE = 2,  /* and spread, of strips (see below), and their taps along a row */
    MAX_TAPS = 5
};

typedef struct {
    int64_t N, H, W, C, KH, KW, M, OH, OW;
    int64_t stride_h, stride_w, top, left, dilation_h, dilation_w;
    /* Pixels of x lie so far apart under the kernel, with zeros between them: 1 but for the
     * gradient of a convolution with strides. */
    int64_t spread_h, spread_w;
} nnl_depthwise;

static nnl_depthwise depthwise_of(const nnl_tensor *x, const nnl_tensor *w, const nnl_tensor *y,
                                  const nnl_attr *attr) {
    const int64_t *a = x->shape, *k = w->shape;
    return (nnl_depthwise){a[0],      a[1],        a[2],        a[3],      k[0],      k[1],
                           k[3],      y->shape[1], y->shape[2], attr[0].i, attr[1].i, attr[2].i,
                           attr[3].i, attr[4].i,   attr[5].i,   1,         1};
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
        if (g->M == 1)
            memcpy(to, from, (size_t)g->C * sizeof *to);
        else
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
    nnl_range kh, kw;
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

/* A block of y is computed at once, as its pixels share taps and columns of x: STRIP columns by up
 * to STRIP_ROWS rows of one image. Their sums stay in registers, a vector each. */
enum { STRIP = 4, STRIP_ROWS = 2 };

/* A block of `rows` rows of y, which begins at y. Its first window begins at position (row, column)
 * of x, spread. x is the image. */
typedef struct {
    const real *x, *w, *bias;
    real *y;
    int64_t row, column, rows;
    nnl_clamp clamp;
} nnl_block;

/* What the loops of a block are compiled for: its rows; taps along a row of the kernel, where there
 * are several rows also along a column; stride and spread of the columns; how many positions of the
 * spread x lie before the first pixel; how many columns on either side may be outside the image.
 * Where any may be, vectors need not be full of channels either. */
typedef struct {
    int rows, taps, stride, spread, phase, margin;
} nnl_strip;

/* How many columns, or rows, of x are under n columns, or rows, of the block. */
NNL_INLINE int under_block(const nnl_strip s, const int n) { return (n - 1) * s.stride + s.taps; }

NNL_INLINE bool is_full(const nnl_strip s) { return s.margin < s.taps; }

/* Adds to the sums what a row of x gives, for n channels from c on. It is under tap kh of the first
 * row of the block. `at` is its first pixel under the block. Pixels outside the image are 0. */
NNL_INLINE void add_row_of_x(const nnl_strip s, const nnl_depthwise *g, const real *at,
                             nnl_range inside, const real *w, const int kh,
                             vec sum[STRIP_ROWS][STRIP], int64_t n) {
    vec column[(STRIP - 1) * MAX_STRIDE + MAX_TAPS];
#pragma GCC unroll 16
    for (int j = s.phase; j < under_block(s, STRIP); j += s.spread) {
        const int i = (j - s.phase) / s.spread;
        const bool is_sure = j >= s.margin && j < under_block(s, STRIP) - s.margin;
        const bool is_inside = is_sure || (i >= inside.begin && i < inside.end);
        column[j] = is_full(s) ? (is_inside ? vec_load(at + i * g->C) : (vec){0})
                               : vec_load_first(at + i * g->C, is_inside ? n : 0);
    }
#pragma GCC unroll 4
    for (int r = 0; r < s.rows; r++) {
        const int k = kh - r * s.stride;
        if (s.rows > 1 && (k < 0 || k >= s.taps)) continue;
#pragma GCC unroll 8
        for (int kw = 0; kw < s.taps; kw++) {
            const real *from = w + (k * s.taps + kw) * g->C;
            const vec tap = is_full(s) ? vec_load(from) : vec_load_first(from, n);
#pragma GCC unroll 4
            for (int p = 0; p < STRIP; p++)
                if ((p * s.stride + kw - s.phase) % s.spread == 0)
                    sum[r][p] = vec_fmadd(column[p * s.stride + kw], tap, sum[r][p]);
        }
    }
}

/* The block for channels c ... c + n - 1, n <= LANES, where each channel has one filter. The sums
 * have the order of depthwise_channels. */
NNL_INLINE void depthwise_block(const nnl_strip s, const nnl_depthwise *g, const nnl_block *b,
                                int64_t c, int64_t n) {
    vec sum[STRIP_ROWS][STRIP] = {{{0}}};
    const int64_t row = g->W * g->C, first = (b->column + s.phase) / s.spread;
    const nnl_range inside = {-first, g->W - first};
    const real *x = b->x + first * g->C + c, *w = b->w + c;
    if (s.rows > 1) {
#pragma GCC unroll 16
        for (int i = 0; i < under_block(s, s.rows); i++) {
            const int64_t h = b->row + i;
            if (h >= 0 && h < g->H) add_row_of_x(s, g, x + h * row, inside, w, i, sum, n);
        }
    } else {
        const int64_t end = ceil_div(b->row + g->KH, g->spread_h);
        for (int64_t h = b->row > 0 ? ceil_div(b->row, g->spread_h) : 0; h < end && h < g->H; h++)
            add_row_of_x(s, g, x + h * row, inside, w + (h * g->spread_h - b->row) * s.taps * g->C,
                         0, sum, n);
    }
    const vec bias = b->bias ? vec_load_first(b->bias + c, n) : (vec){0};
#pragma GCC unroll 4
    for (int r = 0; r < s.rows; r++)
#pragma GCC unroll 4
        for (int p = 0; p < STRIP; p++) {
            real *to = b->y + (r * g->OW + p) * g->C + c;
            if (b->bias) sum[r][p] += bias;
            if (b->clamp.is_done) sum[r][p] = vec_clamp(sum[r][p], b->clamp.cap);
            if (is_full(s))
                vec_store(to, sum[r][p]);
            else
                vec_store_first(to, sum[r][p], n);
        }
}

/* The block for all channels. */
NNL_INLINE void depthwise_block_channels(nnl_strip s, const nnl_depthwise *g, const nnl_block *b) {
    const int64_t before = -b->column;
    const int64_t behind = b->column + under_block(s, STRIP) - ((g->W - 1) * s.spread + 1);
    int64_t c = 0;
    if (before <= 0 && behind <= 0)
        for (; c + LANES <= g->C; c += LANES) depthwise_block(s, g, b, c, LANES);
    s.margin = s.taps / 2; /* as of padding="same" */
    if (before <= s.margin && behind <= s.margin)
        for (; c + LANES <= g->C; c += LANES) depthwise_block(s, g, b, c, LANES);
    s.margin = under_block(s, STRIP);
    for (; c < g->C; c += LANES) depthwise_block(s, g, b, c, min_of(LANES, g->C - c));
}

/* Whether loops over strips are compiled for this kernel. */
static bool has_strips(const nnl_depthwise *g) {
    return g->M == 1 && g->dilation_h * g->dilation_w == 1 && (g->KW == 3 || g->KW == 5) &&
           max_of(g->stride_w, g->spread_w) <= MAX_STRIDE;
}

/* Whether y is computed in blocks. */
static bool is_in_blocks(const nnl_depthwise *g) { return has_strips(g) && g->OW >= STRIP; }

/* How many rows a block has: those of x under several are known when it is compiled. */
static int64_t rows_of_block(const nnl_depthwise *g) {
    const bool square = g->KH == g->KW && g->stride_h == g->stride_w;
    return square && g->spread_h * g->spread_w == 1 ? STRIP_ROWS : 1;
}

NNL_INLINE void depthwise_block_of(const int taps, const nnl_depthwise *g, const nnl_block *b) {
    if (b->rows == STRIP_ROWS && g->stride_w == 1)
        depthwise_block_channels((nnl_strip){STRIP_ROWS, taps, 1, 1, 0, 0}, g, b);
    else if (b->rows == STRIP_ROWS)
        depthwise_block_channels((nnl_strip){STRIP_ROWS, taps, 2, 1, 0, 0}, g, b);
    else if (g->spread_w == 2 && b->column % 2)
        depthwise_block_channels((nnl_strip){1, taps, 1, 2, 1, 0}, g, b);
    else if (g->spread_w == 2)
        depthwise_block_channels((nnl_strip){1, taps, 1, 2, 0, 0}, g, b);
    else if (g->stride_w == 2)
        depthwise_block_channels((nnl_strip){1, taps, 2, 1, 0, 0}, g, b);
    else
        depthwise_block_channels((nnl_strip){1, taps, 1, 1, 0, 0}, g, b);
}

/* `rows` rows of y of the image x, from row oh on. */
static void depthwise_blocks(const nnl_depthwise *g, const real *x, const nnl_window *v, real *y,
                             int64_t oh, int64_t rows) {
    nnl_block b = {.x = x,
                   .w = v->w,
                   .bias = v->bias,
                   .row = oh * g->stride_h - g->top,
                   .rows = rows,
                   .clamp = v->clamp};
    for (int64_t i = 0; i < g->OW; i += STRIP) {
        const int64_t ow = min_of(i, g->OW - STRIP); /* the last one is in part the one before */
        b.column = ow * g->stride_w - g->left;
        b.y = y + ow * g->C;
        if (g->KW == 3)
            depthwise_block_of(3, g, &b);
        else
            depthwise_block_of(5, g, &b);
    }
}

/* Row oh of y of the image x, pixel by pixel. */
static void depthwise_row(const nnl_depthwise *g, const real *x, nnl_window v, real *y,
                          int64_t oh) {
    const int64_t h = oh * g->stride_h - g->top;
    v.kh = taps_inside(h, g->KH, g->dilation_h, g->H);
    for (int64_t ow = 0; ow < g->OW; ow++) {
        const int64_t column = ow * g->stride_w - g->left;
        v.x = x + (h * g->W + column) * g->C;
        v.kw = taps_inside(column, g->KW, g->dilation_w, g->W);
        depthwise_pixel(g, &v, y + ow * g->C * g->M);
    }
}

/* Some rows of y, counted over all images; `y` is the first of them. w is the transposed kernel. */
static void depthwise_rows(const nnl_depthwise *g, const real *x, const real *w,
                           const nnl_epilogue *epilogue, real *y, nnl_range rows) {
    const int64_t row = g->OW * g->C * g->M;
    const nnl_window v = {
        .w = w, .bias = epilogue->bias, .clamp = clamp_of(epilogue->activation, epilogue->alpha)};
    const bool activates = !v.clamp.is_done && epilogue->activation != NNL_LINEAR;
    for (int64_t r = rows.begin, n; r < rows.end; r += n, y += n * row) {
        const int64_t oh = r % g->OH;
        const real *image = x + r / g->OH * g->H * g->W * g->C;
        n = is_in_blocks(g) && min_of(g->OH - oh, rows.end - r) >= STRIP_ROWS ? rows_of_block(g)
                                                                              : 1;
        if (is_in_blocks(g))
            depthwise_blocks(g, image, &v, y, oh, n);
        else
            depthwise_row(g, image, v, y, oh);
        if (activates) activate(y, y, n * row, epilogue->activation, epilogue->alpha);
    }
}

#endif
