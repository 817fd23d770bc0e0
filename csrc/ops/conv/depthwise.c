/* depthwise.c: the convolution of each channel with filters of its own (depthwise.h), and its
 * gradients. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/gemm.h"
#include "../../gemm/microkernel.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"
#include "depthwise.h"
#include "folded.h"

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
    real *room = (real *)team->scratch + transposed_size(&call->in[1]);
    const nnl_epilogue epilogue = {.bias = folded_bias(&folded, room, g.C * g.M, team),
                                   .activation = (int)call->attr[0].i,
                                   .alpha = call->attr[1].f};
    const nnl_range part = nnl_share(g.N * g.OH, 1, team);
    real *y = (real *)call->out[0].data + part.begin * g.OW * g.C * g.M;
    transpose_kernel(&g, call->in[1].data, folded.scale, false, team->scratch, team);
    depthwise_rows(&g, call->in[0].data, team->scratch, &epilogue, y, part);
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

/* dx is the convolution of dy, spread by the strides, with the kernel turned around. */
static nnl_depthwise turned_around(const nnl_depthwise *g) {
    nnl_depthwise t = *g;
    t.H = g->OH, t.W = g->OW, t.OH = g->H, t.OW = g->W;
    t.spread_h = g->stride_h, t.spread_w = g->stride_w, t.stride_h = t.stride_w = 1;
    t.top = (g->KH - 1) * g->dilation_h - g->top;
    t.left = (g->KW - 1) * g->dilation_w - g->left;
    return t;
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
    const nnl_depthwise of_dy = turned_around(&g);
    const bool turned = (g.M == 1 && g.stride_h * g.stride_w == 1) || is_in_blocks(&of_dy);
    const nnl_range part = nnl_share(g.N * g.H, 1, team);
    real *dx = (real *)call->out[0].data + part.begin * g.W * g.C;
    transpose_kernel(&g, call->in[1].data, NULL, turned, w, team);
    if (turned) {
        depthwise_rows(&of_dy, call->in[0].data, w, &(nnl_epilogue){.activation = NNL_LINEAR}, dx,
                       part);
        return;
    }
    for (int64_t i = 0; i < g.W; i++)
        right[i] = taps_above(i + g.left, g.KW, g.dilation_w, g.stride_w, g.OW);
    for (int64_t r = part.begin; r < part.end; r++) {
        const real *dy = (const real *)call->in[0].data + r / g.H * g.OH * g.OW * g.C * g.M;
        const nnl_taps down = taps_above(r % g.H + g.top, g.KH, g.dilation_h, g.stride_h, g.OH);
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

/* Where strips are compiled (has_strips), two vectors of channels are summed over all rows of a
 * block of pixels, for as many rows of the kernel as there are registers for their sums. Of AVX-512
 * these vectors are two lines of a cache: side by side they come from L2 twice as fast as apart. */
enum {
    SUMMED_VECTORS = 2,
    SUMMED_ROWS = VEC_BYTES == 64 ? 3 : 1,              /* of kernels with 3 columns ... */
    SUMMED_ROWS_OF_5 = VEC_BYTES == 64 ? 2 : 1,         /* ... and with 5 */
    SUMMED_BLOCK = 1 << 16,                             /* reals of x and dy in a block, about */
    STRIP_COLUMNS = (STRIP - 1) * MAX_STRIDE + MAX_TAPS /* of x under a strip, at most */
};

/* What the loops are compiled for: rows and columns of the kernel, the stride of the columns, and
 * vectors, of which a single one need not be full. */
typedef struct {
    int rows, taps, stride, vectors;
} nnl_summed;

typedef vec nnl_sums[SUMMED_VECTORS][SUMMED_ROWS][MAX_TAPS];

NNL_INLINE vec load_of(const nnl_summed s, const real *p, int64_t n) {
    return s.vectors > 1 ? vec_load(p) : vec_load_first(p, n);
}

/* sum[k] += the sum over `strip` pixels of dy times the column of x under tap k. */
NNL_INLINE void correlate_columns(const nnl_summed s, const int strip, vec sum[MAX_TAPS],
                                  const vec *column, const vec *by) {
#pragma GCC unroll 4
    for (int p = 0; p < strip; p++)
#pragma GCC unroll 8
        for (int k = 0; k < s.taps; k++)
            sum[k] = vec_fmadd(column[p * s.stride + k], by[p], sum[k]);
}

/* sum[l][i][k] += the sum over `strip` pixels of dy times x under tap (i, k). `x` is under the
 * first tap of the first pixel. Columns that are not `inside` the image are 0, and only `rows` of
 * the rows of the kernel are inside. */
NNL_INLINE void correlate_strip(const nnl_summed s, const int strip, const nnl_depthwise *g,
                                nnl_sums sum, const real *x, const real *dy, nnl_range inside,
                                nnl_range rows, int64_t n) {
#pragma GCC unroll 2
    for (int l = 0; l < s.vectors; l++, x += LANES, dy += LANES) {
        vec by[STRIP], column[STRIP_COLUMNS];
#pragma GCC unroll 4
        for (int p = 0; p < strip; p++) by[p] = load_of(s, dy + p * g->C, n);
#pragma GCC unroll 4
        for (int i = 0; i < s.rows; i++) {
            if (i < rows.begin || i >= rows.end) continue;
#pragma GCC unroll 16
            for (int j = 0; j < (strip - 1) * s.stride + s.taps; j++)
                column[j] = j >= inside.begin && j < inside.end
                                ? load_of(s, x + (i * g->W + j) * g->C, n)
                                : (vec){0};
            correlate_columns(s, strip, sum[l][i], column, by);
        }
    }
}

/* The same for consecutive strips that are inside. A few pointers move along, because computing
 * the addresses would take the place of multiply-adds. */
NNL_INLINE void correlate_inner(const nnl_summed s, const nnl_depthwise *g, nnl_sums sum,
                                const real *x, const real *dy, int64_t strips, int64_t n) {
    enum { PER_POINTER = 4, POINTERS = (STRIP_COLUMNS + PER_POINTER - 1) / PER_POINTER };
    const int64_t C = g->C;
    const real *at[SUMMED_ROWS][POINTERS];
#pragma GCC unroll 4
    for (int i = 0; i < s.rows; i++)
#pragma GCC unroll 4
        for (int q = 0; q < POINTERS; q++) at[i][q] = x + (i * g->W + q * PER_POINTER) * C;
    for (; strips; strips--, dy += STRIP * C) {
#pragma GCC unroll 2
        for (int l = 0; l < s.vectors; l++) {
            vec by[STRIP], column[STRIP_COLUMNS];
#pragma GCC unroll 4
            for (int p = 0; p < STRIP; p++) by[p] = load_of(s, dy + p * C + l * LANES, n);
#pragma GCC unroll 4
            for (int i = 0; i < s.rows; i++) {
#pragma GCC unroll 16
                for (int j = 0; j < (STRIP - 1) * s.stride + s.taps; j++)
                    column[j] = load_of(s, at[i][j / PER_POINTER] + j % PER_POINTER * C + l * LANES,
                                        n);
                correlate_columns(s, STRIP, sum[l][i], column, by);
            }
        }
#pragma GCC unroll 4
        for (int i = 0; i < s.rows; i++)
#pragma GCC unroll 4
            for (int q = 0; q < POINTERS; q++) at[i][q] += STRIP * s.stride * C;
    }
}

/* dw of n channels, for s.rows rows of the kernel from `first` on: (dw or 0) + the sums over some
 * rows of pixels. All three pointers are to the first of these channels. */
NNL_INLINE void correlate_rows(const nnl_summed s, const nnl_depthwise *g, const real *x,
                               const real *dy, real *dw, bool resume, int64_t first,
                               nnl_range pixels, int64_t n) {
    nnl_sums sum = {{{{0}}}};
    dw += first * g->KW * g->C;
#pragma GCC unroll 2
    for (int l = 0; l < s.vectors; l++)
#pragma GCC unroll 4
        for (int i = 0; i < s.rows; i++)
#pragma GCC unroll 8
            for (int k = 0; k < s.taps; k++)
                if (resume && first + i < g->KH)
                    sum[l][i][k] = load_of(s, dw + (i * s.taps + k) * g->C + l * LANES, n);
    for (int64_t r = pixels.begin; r < pixels.end; r++) {
        const int64_t h = r % g->OH * g->stride_h - g->top + first;
        const nnl_range rows = {max_of(-h, 0), min_of(g->H - h, g->KH - first)};
        const real *row = x + (r / g->OH * g->H + h) * g->W * g->C, *by = dy + r * g->OW * g->C;
        const bool whole_rows = rows.begin <= 0 && rows.end >= s.rows;
        for (int64_t ow = 0, next; ow < g->OW; ow = next) {
            const int64_t column = ow * s.stride - g->left, left = g->OW - ow;
            const nnl_range inside = {-column, g->W - column};
            const bool inner = whole_rows && column >= 0 && inside.end >= s.taps;
            const int64_t pixels = inner ? min_of(left, (inside.end - s.taps) / s.stride + 1) : 0;
            const int64_t strips = pixels / STRIP;
            const real *at = row + column * g->C, *by_at = by + ow * g->C;
            next = ow + (strips ? strips * STRIP : left >= STRIP ? STRIP : left > 1 ? 2 : 1);
            if (strips)
                correlate_inner(s, g, sum, at, by_at, strips, n);
            else if (next - ow == STRIP)
                correlate_strip(s, STRIP, g, sum, at, by_at, inside, rows, n);
            else if (next - ow == 2)
                correlate_strip(s, 2, g, sum, at, by_at, inside, rows, n);
            else
                correlate_strip(s, 1, g, sum, at, by_at, inside, rows, n);
        }
    }
#pragma GCC unroll 2
    for (int l = 0; l < s.vectors; l++)
#pragma GCC unroll 4
        for (int i = 0; i < s.rows; i++)
#pragma GCC unroll 8
            for (int k = 0; k < s.taps; k++)
                if (first + i < g->KH)
                    store_channels(dw + (i * s.taps + k) * g->C + l * LANES, 1,
                                   s.vectors > 1 ? LANES : n, sum[l][i][k]);
}

NNL_INLINE void correlate_block(nnl_summed s, const nnl_depthwise *g, const real *x, const real *dy,
                                real *dw, bool resume, nnl_range pixels) {
    int64_t c = 0;
    for (; c + s.vectors * LANES <= g->C; c += s.vectors * LANES)
        for (int64_t i = 0; i < g->KH; i += s.rows)
            correlate_rows(s, g, x + c, dy + c, dw + c, resume, i, pixels, LANES);
    s.vectors = 1;
    for (; c < g->C; c += LANES)
        for (int64_t i = 0; i < g->KH; i += s.rows)
            correlate_rows(s, g, x + c, dy + c, dw + c, resume, i, pixels, g->C - c);
}

/* dw [KH, KW, C] = the sums over some rows of pixels. */
static void correlate_in_strips(const nnl_depthwise *g, const real *x, const real *dy, real *dw,
                                nnl_range pixels) {
    const int64_t size = length(pixels) * (g->stride_h * g->W + g->OW) * g->C;
    const int64_t blocks = max_of(min_of(ceil_div(size, SUMMED_BLOCK), length(pixels)), 1);
    const int rows = SUMMED_ROWS, rows_of_5 = SUMMED_ROWS_OF_5, vectors = SUMMED_VECTORS;
    for (int64_t b = 0; b < blocks; b++) {
        const nnl_range block = even_share(pixels, 1, b, blocks);
        if (g->KW == 3 && g->stride_w == 1)
            correlate_block((nnl_summed){rows, 3, 1, vectors}, g, x, dy, dw, b > 0, block);
        else if (g->KW == 3)
            correlate_block((nnl_summed){rows, 3, 2, vectors}, g, x, dy, dw, b > 0, block);
        else if (g->stride_w == 1)
            correlate_block((nnl_summed){rows_of_5, 5, 1, vectors}, g, x, dy, dw, b > 0, block);
        else
            correlate_block((nnl_summed){rows_of_5, 5, 2, vectors}, g, x, dy, dw, b > 0, block);
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
    if (has_strips(g)) {
        correlate_in_strips(g, call->in[0].data, call->in[1].data, dw, rows);
        return;
    }
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
    for (int64_t m = 0; m < g.M; m++)
        for (int64_t c = 0; c < chunks; c++) {
            const real *at = sums + c * size + m * taps * g.C;
            NNL_INDEPENDENT
            for (int64_t i = part.begin; i < part.end; i++)
                dw[i * g.M + m] = c ? dw[i * g.M + m] + at[i] : at[i];
        }
}

static int64_t depthwise_gradient_kernel_scratch(const nnl_call *call, int threads) {
    const nnl_depthwise g = depthwise_of(&call->in[0], &call->out[0], &call->in[1], call->attr);
    (void)threads;
    return depthwise_chunks(&g) * transposed_size(&call->out[0]) * (int64_t)sizeof(real);
}
