/* depthwise.c: convolution of each channel with filters of its own, vectorised over channels.
 *
 * Letters and terms as in geometry.h. Each channel has M filters: w [KH, KW, C, M] and
 * y [N, OH, OW, C * M], where result c * M + m is that of channel c. The kernel is first transposed
 * to [M, KH, KW, C], so that all loops run over contiguous channels. Taps in the padding are
 * skipped. */
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

/* transposed[m, tap, c] = w[tap, c, m], times scale[c, m] if that is given. Each thread does its
 * share and waits for the others. */
static void transpose_kernel(const nnl_depthwise *g, const real *w, const real *scale,
                             real *transposed, nnl_team *team) {
    const int64_t taps = g->KH * g->KW;
    const nnl_range part = nnl_share(g->M * taps, 1, team);
    for (int64_t i = part.begin; i < part.end; i++) {
        const real *from = w + i % taps * g->C * g->M + i / taps;
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

/* Pixels of a row of y that are computed together: they share taps and columns of x. */
enum { STRIP = 4 };

/* Results of STRIP pixels for channels c ... c + n - 1, where each channel has one filter and all
 * columns of the windows are inside the image. The sums have the order of depthwise_channels. */
NNL_INLINE void depthwise_strip_channels(const int KW, const int stride, const bool whole,
                                         const nnl_depthwise *g, const nnl_window *v, real *y,
                                         int64_t c, int64_t n) {
    vec sum[STRIP] = {{0}};
    for (int64_t i = v->kh.begin; i < v->kh.end; i++) {
        const real *x = v->x + i * g->dilation_h * g->W * g->C + c, *w = v->w + i * KW * g->C + c;
        vec column[(STRIP - 1) * MAX_STRIDE + MAX_TAPS];
#pragma GCC unroll 16
        for (int j = 0; j < (STRIP - 1) * stride + KW; j++)
            column[j] = whole ? vec_load(x + j * g->C) : vec_load_first(x + j * g->C, n);
#pragma GCC unroll 8
        for (int k = 0; k < KW; k++) {
            const vec tap = whole ? vec_load(w + k * g->C) : vec_load_first(w + k * g->C, n);
#pragma GCC unroll 4
            for (int p = 0; p < STRIP; p++) sum[p] = vec_fmadd(column[p * stride + k], tap, sum[p]);
        }
    }
#pragma GCC unroll 4
    for (int p = 0; p < STRIP; p++) {
        if (v->bias) sum[p] += load_channels(v->bias + c, 1, n);
        if (v->clamp.is_done) sum[p] = vec_clamp(sum[p], v->clamp.cap);
        store_channels(y + p * g->C + c, 1, n, sum[p]);
    }
}

NNL_INLINE void depthwise_strip(const int KW, const int stride, const nnl_depthwise *g,
                                const nnl_window *v, real *y) {
    int64_t c = 0;
    for (; c + LANES <= g->C; c += LANES)
        depthwise_strip_channels(KW, stride, true, g, v, y, c, LANES);
    if (c < g->C) depthwise_strip_channels(KW, stride, false, g, v, y, c, g->C - c);
}

/* How wide a window is that strips are computed of; 0 if there are none. */
static int64_t strip_width(const nnl_depthwise *g) {
    const bool has_loop = g->M == 1 && g->dilation_w == 1 && (g->KW == 3 || g->KW == 5) &&
                          g->stride_w <= MAX_STRIDE;
    return has_loop ? (STRIP - 1) * g->stride_w + g->KW : 0;
}

static void depthwise_strip_of(const nnl_depthwise *g, const nnl_window *v, real *y) {
    if (g->KW == 3 && g->stride_w == 1)
        depthwise_strip(3, 1, g, v, y);
    else if (g->KW == 3)
        depthwise_strip(3, 2, g, v, y);
    else if (g->stride_w == 1)
        depthwise_strip(5, 1, g, v, y);
    else
        depthwise_strip(5, 2, g, v, y);
}

/* Row oh of y of the image x. */
static void depthwise_row(const nnl_depthwise *g, const real *x, const real *w,
                          const nnl_epilogue *epilogue, real *y, int64_t oh) {
    const int64_t h = oh * g->stride_h - g->top, row = g->OW * g->C * g->M;
    nnl_window v = {.w = w,
                    .bias = epilogue->bias,
                    .kh = taps_inside(h, g->KH, g->dilation_h, g->H),
                    .clamp = clamp_of(epilogue->activation, epilogue->alpha)};
    const int64_t strip = strip_width(g);
    for (int64_t ow = 0; ow < g->OW;) {
        const int64_t column = ow * g->stride_w - g->left;
        const bool together = strip && ow + STRIP <= g->OW && column >= 0 && column + strip <= g->W;
        v.x = x + (h * g->W + column) * g->C;
        if (together) {
            depthwise_strip_of(g, &v, y);
        } else {
            v.kw = taps_inside(column, g->KW, g->dilation_w, g->W);
            depthwise_pixel(g, &v, y);
        }
        ow += together ? STRIP : 1;
        y += (together ? STRIP : 1) * g->C * g->M;
    }
    y -= row;
    if (!v.clamp.is_done) activate(y, y, row, epilogue->activation, epilogue->alpha);
}

/* y = act(conv(x, w) + b), where conv(x, w)[n, oh, ow, c M + m] = the sum over kh, kw of
 *     x[n, oh stride_h - top + kh dilation_h, ow stride_w - left + kw dilation_w, c] *
 *     w[kh, kw, c, m].
 * in    x [N, H, W, C], w [KH, KW, C, M], optionally b [C * M], optionally scale and shift [C * M],
 *       as for conv2d
 * out   y [N, OH, OW, C * M]
 * attr  kind of the activation (NNL_RELU ...), its alpha (see activate in activation.h), stride_h,
 *       stride_w, top, left (the padding), dilation_h, dilation_w */
static void op_depthwise_conv2d(const nnl_call *call, nnl_team *team) {
    const nnl_depthwise g = depthwise_of(&call->in[0], &call->in[1], &call->out[0], call->attr + 2);
    const nnl_folded folded = folded_of(call, 2);
    const real *x = call->in[0].data;
    real *room = (real *)team->scratch + transposed_size(&call->in[1]);
    const nnl_epilogue epilogue = {.bias = folded_bias(&folded, room, g.C * g.M, team),
                                   .activation = (int)call->attr[0].i,
                                   .alpha = call->attr[1].f};
    transpose_kernel(&g, call->in[1].data, folded.scale, team->scratch, team);
    const nnl_range part = nnl_share(g.N * g.OH, 1, team);
    for (int64_t r = part.begin; r < part.end; r++) {
        real *y = (real *)call->out[0].data + r * g.OW * g.C * g.M;
        depthwise_row(&g, x + r / g.OH * g.H * g.W * g.C, team->scratch, &epilogue, y, r % g.OH);
    }
}

/* The transposed kernel, then the bias. */
static int64_t depthwise_conv2d_scratch(const nnl_call *call, int threads) {
    (void)threads;
    const int64_t *w = call->in[1].shape;
    return (transposed_size(&call->in[1]) + w[2] * w[3]) * (int64_t)sizeof(real);
}

/* The taps that are over position h of the padded x in some window o: those k for which
 * h = o * stride + k * dilation with 0 <= o < O. They are first, first + step, ... below `end`. The
 * window of the first one is `o`, and from one tap to the next its number falls by `fall`. */
typedef struct {
    int64_t first, step, end, o, fall;
} nnl_taps;

static nnl_taps taps_above(int64_t h, int64_t K, int64_t dilation, int64_t stride, int64_t O) {
    nnl_taps t = {.step = 1, .end = K};
    while (t.step * dilation % stride) t.step++;
    t.fall = t.step * dilation / stride;
    while (t.first < K && (h % stride || h >= O * stride)) {
        t.first++;
        h -= dilation;
    }
    if (t.first < K) t.o = h / stride;
    return t;
}

/* dx of channels c ... c + n - 1 of one pixel. `down` and `right` are the taps over its row and its
 * column. */
NNL_INLINE void gather_channels(const int nv, const int64_t M, const nnl_depthwise *g,
                                const real *dy, const real *w, real *dx, const nnl_taps *down,
                                const nnl_taps *right, int64_t c, int64_t n) {
    const int64_t taps = g->KH * g->KW;
    vec sum[MAX_VECTORS] = {{0}};
    for (int64_t kh = down->first, oh = down->o; kh < down->end && oh >= 0;
         kh += down->step, oh -= down->fall)
        for (int64_t kw = right->first, ow = right->o; kw < right->end && ow >= 0;
             kw += right->step, ow -= right->fall) {
            const real *from = dy + ((oh * g->OW + ow) * g->C + c) * M;
            const real *tap = w + (kh * g->KW + kw) * g->C + c;
            for (int64_t m = 0; m < M; m++)
                add_products(nv, sum, from + m, M, tap + m * taps * g->C, 1, n);
        }
#pragma GCC unroll 4
    for (int j = 0; j < nv; j++) store_channels(dx + c + j * LANES, 1, nv > 1 ? LANES : n, sum[j]);
}

/* dx of one pixel. */
static void gather_pixel(const nnl_depthwise *g, const real *dy, const real *w, real *dx,
                         const nnl_taps *down, const nnl_taps *right) {
    for (int64_t c = 0; c < g->C;) {
        const int nv = g->M == 1 ? vectors_for(g->C - c) : 1;
        const int64_t n = min_of(g->C - c, nv * LANES);
        if (g->M > 1)
            gather_channels(1, g->M, g, dy, w, dx, down, right, c, n);
        else if (nv == 4)
            gather_channels(4, 1, g, dy, w, dx, down, right, c, n);
        else if (nv == 2)
            gather_channels(2, 1, g, dy, w, dx, down, right, c, n);
        else
            gather_channels(1, 1, g, dy, w, dx, down, right, c, n);
        c += n;
    }
}

/* dx[n, h, w, c] = the sum over kh, kw, m of dy[n, oh, ow, c M + m] * w[kh, kw, c, m], where
 * (oh, ow) is the window that has (h, w) under tap (kh, kw).
 * in    dy [N, OH, OW, C * M], w [KH, KW, C, M]
 * out   dx [N, H, W, C]
 * attr  stride_h, stride_w, top, left, dilation_h, dilation_w */
static void op_depthwise_gradient_input(const nnl_call *call, nnl_team *team) {
    const nnl_depthwise g = depthwise_of(&call->out[0], &call->in[1], &call->in[0], call->attr);
    real *w = team->scratch;
    nnl_taps *right = (nnl_taps *)(w + transposed_size(&call->in[1])) + team->id * g.W;
    transpose_kernel(&g, call->in[1].data, NULL, w, team);
    for (int64_t i = 0; i < g.W; i++)
        right[i] = taps_above(i + g.left, g.KW, g.dilation_w, g.stride_w, g.OW);
    const nnl_range part = nnl_share(g.N * g.H, 1, team);
    for (int64_t r = part.begin; r < part.end; r++) {
        const real *dy = (const real *)call->in[0].data + r / g.H * g.OH * g.OW * g.C * g.M;
        const nnl_taps down = taps_above(r % g.H + g.top, g.KH, g.dilation_h, g.stride_h, g.OH);
        real *dx = (real *)call->out[0].data + r * g.W * g.C;
        for (int64_t i = 0; i < g.W; i++, dx += g.C) gather_pixel(&g, dy, w, dx, &down, &right[i]);
    }
}

static int64_t depthwise_gradient_input_scratch(const nnl_call *call, int threads) {
    return depthwise_conv2d_scratch(call, threads) +
           threads * call->out[0].shape[2] * (int64_t)sizeof(nnl_taps);
}

/* dw is summed over rows of pixels, in chunks whose number depends on shapes only. */
enum {
    DEPTHWISE_MAX_CHUNKS = 16,
    DEPTHWISE_CHUNK = 256 /* pixels of a chunk, at least */
};

static int64_t depthwise_chunks(const nnl_depthwise *g) {
    const int64_t chunks = min_of(g->N * g->OH * g->OW / DEPTHWISE_CHUNK, DEPTHWISE_MAX_CHUNKS);
    return max_of(min_of(chunks, g->N * g->OH), 1);
}

/* dw[c] += the sum over pixels of x[pixel, c] * dy[pixel, c M], for n channels. */
NNL_INLINE void correlate(const int nv, real *dw, const real *x, int64_t x_step, const real *dy,
                          int64_t dy_step, int64_t pixels, int64_t M, int64_t n) {
    vec sum[MAX_VECTORS];
#pragma GCC unroll 4
    for (int j = 0; j < nv; j++) sum[j] = load_channels(dw + j * LANES, 1, nv > 1 ? LANES : n);
    for (int64_t i = 0; i < pixels; i++, x += x_step, dy += dy_step)
        add_products(nv, sum, x, 1, dy, M, n);
#pragma GCC unroll 4
    for (int j = 0; j < nv; j++) store_channels(dw + j * LANES, 1, nv > 1 ? LANES : n, sum[j]);
}

/* The same for all channels, with one m. */
static void correlate_pixels(const nnl_depthwise *g, real *dw, const real *x, const real *dy,
                             int64_t pixels) {
    const int64_t M = g->M, x_step = g->stride_w * g->C, dy_step = g->C * M;
    for (int64_t c = 0; c < g->C;) {
        const int nv = vectors_for(g->C - c);
        const int64_t n = min_of(g->C - c, nv * LANES);
        const real *by = dy + c * M;
        if (M > 1)
            for (int64_t i = 0; i < n; i += LANES)
                correlate(1, dw + c + i, x + c + i, x_step, by + i * M, dy_step, pixels, M,
                          min_of(n - i, LANES));
        else if (nv == 4)
            correlate(4, dw + c, x + c, x_step, by, dy_step, pixels, 1, n);
        else if (nv == 2)
            correlate(2, dw + c, x + c, x_step, by, dy_step, pixels, 1, n);
        else
            correlate(1, dw + c, x + c, x_step, by, dy_step, pixels, 1, n);
        c += n;
    }
}

/* dw [M, KH, KW, C] += the sums over one row of pixels, for one row of the kernel. x is the row of
 * the image under that row of the kernel; dw points to that row of it. */
static void correlate_row(const nnl_depthwise *g, const real *x, const real *dy, real *dw) {
    for (int64_t kw = 0; kw < g->KW; kw++, dw += g->C) {
        const int64_t shift = kw * g->dilation_w - g->left;
        const nnl_range ow = taps_inside(shift, g->OW, g->stride_w, g->W);
        const int64_t pixels = ow.end > ow.begin ? length(ow) : 0;
        const real *from = x + (ow.begin * g->stride_w + shift) * g->C;
        for (int64_t m = 0; m < g->M; m++)
            correlate_pixels(g, dw + m * g->KH * g->KW * g->C, from,
                             dy + ow.begin * g->C * g->M + m, pixels);
    }
}

/* dw [M, KH, KW, C] = the sums over some rows of pixels. */
static void sum_depthwise_chunk(const nnl_call *call, const nnl_depthwise *g, nnl_range rows,
                                real *dw) {
    memset(dw, 0, (size_t)(g->M * g->KH * g->KW * g->C) * sizeof *dw);
    for (int64_t r = rows.begin; r < rows.end; r++) {
        const real *dy = (const real *)call->in[1].data + r * g->OW * g->C * g->M;
        const int64_t h = r % g->OH * g->stride_h - g->top;
        const nnl_range kh = taps_inside(h, g->KH, g->dilation_h, g->H);
        for (int64_t k = kh.begin; k < kh.end; k++) {
            const int64_t row = r / g->OH * g->H + h + k * g->dilation_h;
            correlate_row(g, (const real *)call->in[0].data + row * g->W * g->C, dy,
                          dw + k * g->KW * g->C);
        }
    }
}

/* dw[kh, kw, c, m] = the sum over n, oh, ow of dy[n, oh, ow, c M + m] times channel c of x under
 * tap (kh, kw) of that window.
 * in    x [N, H, W, C], dy [N, OH, OW, C * M]
 * out   dw [KH, KW, C, M]
 * attr  stride_h, stride_w, top, left, dilation_h, dilation_w */
static void op_depthwise_gradient_kernel(const nnl_call *call, nnl_team *team) {
    const nnl_depthwise g = depthwise_of(&call->in[0], &call->out[0], &call->in[1], call->attr);
    const int64_t chunks = depthwise_chunks(&g), size = transposed_size(&call->out[0]);
    const int64_t taps = g.KH * g.KW;
    real *sums = team->scratch, *dw = call->out[0].data;
    const nnl_range own_chunks = nnl_share(chunks, 1, team);
    for (int64_t i = own_chunks.begin; i < own_chunks.end; i++)
        sum_depthwise_chunk(call, &g, even_share((nnl_range){0, g.N * g.OH}, 1, i, chunks),
                            sums + i * size);
    nnl_wait(team);
    const nnl_range part = nnl_share(taps * g.C, NNL_CACHE_LINE, team);
    for (int64_t i = part.begin; i < part.end; i++)
        for (int64_t m = 0; m < g.M; m++) {
            const real *at = sums + m * taps * g.C + i;
            real sum = *at;
            for (int64_t c = 1; c < chunks; c++) sum += at[c * size];
            dw[i * g.M + m] = sum;
        }
}

static int64_t depthwise_gradient_kernel_scratch(const nnl_call *call, int threads) {
    const nnl_depthwise g = depthwise_of(&call->in[0], &call->out[0], &call->in[1], call->attr);
    (void)threads;
    return depthwise_chunks(&g) * transposed_size(&call->out[0]) * (int64_t)sizeof(real);
}
