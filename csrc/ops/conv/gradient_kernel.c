/* gradient_kernel.c: the gradients of conv2d with respect to its kernel and its bias. Letters and
 * terms as in geometry.h.
 *
 * dw is a matrix product. Its rows are taps and channels, its columns are filters, and its sums run
 * over all pixels of y, which are cut into chunks. If many taps are contiguous in x, the product is
 * computed transposed. The gradient of the bias is summed from dy while dy is in cache. A large
 * kernel of one tap is a product of the arrays themselves. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/gemm.h"
#include "../../gemm/microkernel.h"
#include "../../gemm/pack.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"
#include "chunks.h"
#include "geometry.h"
#include "sparse.h"

/* A chunk is whole rows of pixels. The number of chunks depends on shapes only. A small kernel has
 * more of them, because their sums take little memory. */
enum {
    CHUNK = 1024,          /* pixels of a chunk, at least */
    CHUNKS_SIZE = 1 << 16, /* reals that the sums of a small kernel's chunks may take */
    PACK_DY_FROM = 64,     /* from this many rows of dw on, packing dy saves more than it costs */
    GRADIENT_BAND = 256,   /* pixels whose x and dy stay in L2 */
    TRANSPOSED_BAND = 512  /* the same for the transposed product, which does not keep dy in L1 */
};

typedef struct {
    int64_t chunks;
    int64_t sums; /* reals of the chunks' sums in scratch, 0 if the only chunk is summed in dw */
    int64_t bias; /* reals of the chunks' sums of db, which are doubles; 0 without db */
    int64_t k_offsets, padded, packed; /* reals of a thread's scratch by use ... */
    int64_t own_scratch;               /* ... and in all */
    nnl_band largest;
    bool transposed;
} nnl_kernel_plan;

static nnl_kernel_plan plan_kernel_gradient(const nnl_conv *g, bool with_bias) {
    const int64_t pixels = g->N * g->OH * g->OW, size = g->K * g->F;
    const int64_t fit = size ? CHUNKS_SIZE / size : 1;
    int64_t chunks = min_of(pixels / CHUNK, max_of(fit, MAX_CHUNKS));
    chunks = min_of(chunks, g->N * g->OH);
    /* Contiguous elements must fill whole vectors. This choice determines the bands, and these the
     * order in which db is summed. It therefore must not depend on the length of the vectors. */
    const bool transposed = g->groups == 1 && contiguous_length(g) % ROW_LANES == 0;
    nnl_kernel_plan plan = {
        .chunks = max_of(chunks, 1),
        .transposed = transposed,
        .largest = max_band(g->OH, g->OW, transposed ? TRANSPOSED_BAND : GRADIENT_BAND)};
    const int64_t rows = min_of(plan.largest.images, g->N) * min_of(plan.largest.rows, g->OH);
    plan.sums = plan.chunks > 1 || transposed ? lines(plan.chunks * size) : 0;
    plan.bias = with_bias ? lines_of_doubles(plan.chunks * g->F) : 0;
    plan.k_offsets = lines_of_indices(rows * g->OW);
    plan.padded = lines(padded_size(g, plan.largest));
    /* dy is packed if it is read often, or not in whole vectors. */
    const bool pack = !transposed && (g->Fg % LANES || (g->F > NR && g->K >= PACK_DY_FROM));
    plan.packed = pack ? lines(rows * g->OW * NR) : 0;
    plan.own_scratch = plan.k_offsets + plan.padded + plan.packed;
    return plan;
}

/* The offset in x of each k, which goes through the first taps of a band's pixels. */
static void pixel_offsets(const nnl_conv *g, const nnl_view *v, nnl_band band, int64_t *k_offset) {
    for (int64_t n = 0; n < band.images; n++)
        for (int64_t i = 0; i < band.rows; i++) {
            const int64_t row = n * v->image + i * g->stride_h * v->row;
            for (int64_t j = 0; j < g->OW; j++) *k_offset++ = row + j * g->stride_w * v->pixel;
        }
}

/* The rows of the tile are the rows `a_panel` of dw: taps and channels of a group. */
static void set_taps(nnl_tile *t, const nnl_conv *g, const nnl_view *v, nnl_range a_panel) {
    int64_t c = a_panel.begin % g->Cg, kw = a_panel.begin / g->Cg % g->KW,
            kh = a_panel.begin / g->Cg / g->KW;
    t->rows = (int)length(a_panel);
    for (int i = 0; i < t->rows; i++) {
        t->a_offset[i] = kh * g->dilation_h * v->row + kw * g->dilation_w * v->pixel + c;
        t->c_offset[i] = i * g->F;
        if (++c < g->Cg) continue;
        c = 0;
        if (++kw < g->KW) continue;
        kw = 0;
        kh++;
    }
}

/* Some rows of dw += their sums over the pixels of one band. dy is that of the band. */
static void sum_band(const nnl_conv *g, const nnl_view *v, const real *dy, nnl_range rows,
                     real *packed, real *dw, nnl_tile *t) {
    const int64_t panels = panels_of(g->groups, g->Fg), a_panels = ceil_div(length(rows), MR);
    for (int64_t p = 0; p < panels; p++) {
        const nnl_panel f = panel_of(p, g->Fg);
        if (packed) pack(packed, NR, (nnl_pack_source){dy + f.column, g->F, t->K, f.n, false});
        t->a = v->data + f.group * g->Cg;
        t->b = packed ? packed : dy + f.column;
        t->b_k = packed ? NR : g->F;
        t->n = f.n;
        for (int64_t s = 0; s < a_panels; s++) {
            const nnl_range a_panel = even_share(rows, 1, s, a_panels);
            set_taps(t, g, v, a_panel);
            if (panels > 1) { /* dy is not read in order: prefetch that of the next band */
                const nnl_range next = even_share((nnl_range){t->K * g->F, 2 * t->K * g->F},
                                                  NNL_CACHE_LINE, p * a_panels + s,
                                                  panels * a_panels);
                t->prefetch = (const char *)(dy + next.begin);
                t->prefetch_lines = length(next) / NNL_CACHE_LINE;
                t->prefetch_interval = PREFETCH_INTERVAL_MEDIUM;
            }
            t->c = dw + a_panel.begin * g->F + f.column;
            multiply_tile(t);
        }
    }
}

/* The same for the transposed dw [F, K], whose rows are filters. Its columns are taps and channels,
 * many of them contiguous in x. */
static void sum_transposed_band(const nnl_conv *g, const nnl_view *v, const real *dy,
                                nnl_range rows, real *dw, nnl_prefetch *prefetch, nnl_tile *t) {
    const int64_t contiguous = contiguous_length(g), a_panels = ceil_div(g->F, MR);
    t->a_access = A_COLUMN_MAJOR;
    t->a_k = g->F;
    for (int64_t k = rows.begin, n; k < rows.end; k += n) {
        const int64_t i = k / contiguous, rest = contiguous - k % contiguous;
        const int64_t kh = i * contiguous / g->Cg / g->KW, kw = i * contiguous / g->Cg % g->KW;
        n = min_of(min_of(NR, rest), rows.end - k);
        t->n = n;
        t->b = v->data + kh * g->dilation_h * v->row + kw * g->dilation_w * v->pixel +
               k % contiguous;
        for (int64_t s = 0; s < a_panels; s++) {
            const nnl_range a_panel = even_share((nnl_range){0, g->F}, 1, s, a_panels);
            t->rows = (int)length(a_panel);
            for (int f = 0; f < t->rows; f++) t->c_offset[f] = f * g->K;
            t->a = dy + a_panel.begin;
            t->c = dw + a_panel.begin * g->K + k;
            prefetch_some(prefetch, t, PREFETCH_INTERVAL_LONG);
            multiply_tile(t);
        }
    }
}

/* The sums of one chunk for some rows of dw, and for db unless that is NULL. */
static void sum_conv_chunk(const nnl_call *call, const nnl_conv *g, const nnl_kernel_plan *plan,
                           nnl_range pixel_rows, nnl_range rows, real *dw, double *db,
                           real *own_scratch) {
    nnl_tile t = {.a_access = A_GATHERED, .k_offset = (int64_t *)own_scratch};
    real *packed = plan->packed ? own_scratch + plan->k_offsets + plan->padded : NULL;
    for (int64_t r = pixel_rows.begin; r < pixel_rows.end;) {
        const nnl_band band = next_band(plan->largest, r, pixel_rows.end, g->OH);
        const nnl_view v = view_of(g, call->in[0].data, band, r, own_scratch + plan->k_offsets);
        const int64_t pixels = band.images * band.rows * g->OW;
        pixel_offsets(g, &v, band, (int64_t *)own_scratch);
        t.K = pixels;
        const real *dy = (const real *)call->in[1].data + r * g->OW * g->F;
        r += band.images * band.rows;
        nnl_prefetch prefetch = plan_prefetch((nnl_range){r, r + band.images * band.rows},
                                              g->N * g->OH, &call->in[1], &call->in[0],
                                              ceil_div(g->K, NR) * ceil_div(g->F, MR));
        if (plan->transposed)
            sum_transposed_band(g, &v, dy, rows, dw, &prefetch, &t);
        else
            sum_band(g, &v, dy, rows, packed, dw, &t);
        if (db) sum_bias(db, dy, pixels, g->F);
        t.resume = true;
    }
}

/* dw = the sums of its chunks, transposed. */
static void join_transposed(real *dw, const real *sums, const nnl_conv *g,
                            const nnl_kernel_plan *plan, const nnl_team *team) {
    const int64_t size = g->K * g->F;
    const nnl_range part = nnl_share(g->K, NNL_CACHE_LINE, team);
    for (int64_t k = part.begin; k < part.end; k += NR)
        for (int64_t f = 0; f < g->F; f += LANES) {
            const int64_t n = min_of(NR, part.end - k), rows = min_of(LANES, g->F - f);
            real square[LANES * NR];
            for (int64_t i = 0; i < rows; i++)
                sum_of_chunks(square + i * NR, sums + (f + i) * g->K + k, n, plan->chunks, size);
            unpack_transposed(dw + k * g->F + f, g->F, square, rows, n, NULL);
        }
}

/* Whether gemm computes dw: a large one that is the product of x, transposed, and dy as they lie in
 * memory. It packs both, where neighbouring pixels of many channels would lie in the same sets of a
 * cache. A small dw is better divided among the threads by pixels. */
static bool is_product(const nnl_conv *g) {
    enum { LARGE = 1 << 14 };
    return g->KH * g->KW * g->stride_h * g->stride_w * g->groups == 1 && !reaches_over_border(g) &&
           g->OH == g->H && g->OW == g->W && g->K * g->F >= LARGE;
}

/* Reals of scratch of gemm, which the sums of the bias lie behind. */
static int64_t product_scratch(const nnl_conv *g, int threads) {
    return gemm_scratch(g->F, g->N * g->OH * g->OW, threads) / (int64_t)sizeof(real);
}

static void multiply_by_pixels(const nnl_call *call, const nnl_conv *g, const nnl_kernel_plan *plan,
                               nnl_team *team) {
    const real *dy = call->in[1].data;
    const int64_t pixels = g->N * g->OH * g->OW;
    double *bias_sums = (double *)((real *)team->scratch + product_scratch(g, team->size));
    gemm(g->K, g->F, pixels, (nnl_operand){call->in[0].data, g->K, true},
         (nnl_operand){dy, g->F, false}, call->out[0].data, g->F, NULL, team);
    if (!plan->bias) return;
    const nnl_range chunks = nnl_share(plan->chunks, 1, team);
    for (int64_t i = chunks.begin; i < chunks.end; i++) {
        const nnl_range part = even_share((nnl_range){0, pixels}, 1, i, plan->chunks);
        memset(bias_sums + i * g->F, 0, (size_t)g->F * sizeof *bias_sums);
        sum_bias(bias_sums + i * g->F, dy + part.begin * g->F, length(part), g->F);
    }
    nnl_wait(team);
    join_bias(call->out[1].data, bias_sums, g->F, plan->chunks, team);
}

/* dw[kh, kw, c, f] = the sum over n, oh, ow of dy[n, oh, ow, f] times channel c of x under tap
 * (kh, kw) of that window. db[f] = the sum over n, oh, ow of dy[n, oh, ow, f].
 * in    x [N, H, W, C], dy [N, OH, OW, F]
 * out   dw [KH, KW, C / groups, F], optionally db [F]
 * attr  stride_h, stride_w, top, left, dilation_h, dilation_w, groups */
static void op_conv2d_gradient_kernel(const nnl_call *call, nnl_team *team) {
    const nnl_conv g = conv_of(&call->in[0], &call->out[0], &call->in[1], call->attr);
    const nnl_kernel_plan plan = plan_kernel_gradient(&g, call->n_out == 2);
    const int64_t size = g.K * g.F, pixel_rows = g.N * g.OH;
    real *dw = call->out[0].data, *sums = team->scratch;
    double *bias_sums = (double *)(sums + plan.sums);
    real *own_scratch = sums + plan.sums + plan.bias + team->id * plan.own_scratch;
    if (nnl_size(&call->in[1]) == 0) {
        set_to_zero(call, team);
        return;
    }
    if (is_sparse(&g, call->in[1].data)) {
        sparse_gradient_kernel(&g, call->in[0].data, call->in[1].data, dw,
                               plan.bias ? call->out[1].data : NULL, team);
        return;
    }
    if (is_product(&g)) {
        multiply_by_pixels(call, &g, &plan, team);
        return;
    }
    const int64_t parts = plan.chunks % team->size ? team->size : 1;
    const nnl_range items = nnl_share(plan.chunks * parts, 1, team);
    for (int64_t i = items.begin; i < items.end; i++) {
        const int64_t chunk = i / parts;
        const nnl_range rows = even_share((nnl_range){0, g.K}, plan.transposed ? LANES : 1,
                                          i % parts, parts);
        double *db = plan.bias && i % parts == 0 ? bias_sums + chunk * g.F : NULL;
        if (db) memset(db, 0, (size_t)g.F * sizeof *db);
        sum_conv_chunk(call, &g, &plan,
                       even_share((nnl_range){0, pixel_rows}, 1, chunk, plan.chunks), rows,
                       plan.sums ? sums + chunk * size : dw, db, own_scratch);
    }
    if (!plan.sums && !plan.bias) return;
    nnl_wait(team);
    if (plan.transposed)
        join_transposed(dw, sums, &g, &plan, team);
    else if (plan.sums)
        join_chunks(dw, sums, size, plan.chunks, team);
    if (plan.bias) join_bias(call->out[1].data, bias_sums, g.F, plan.chunks, team);
}

static int64_t conv2d_gradient_kernel_scratch(const nnl_call *call, int threads) {
    const nnl_conv g = conv_of(&call->in[0], &call->out[0], &call->in[1], call->attr);
    const nnl_kernel_plan plan = plan_kernel_gradient(&g, call->n_out == 2);
    const int64_t dense = is_product(&g) ? product_scratch(&g, threads) + plan.bias
                                         : plan.sums + plan.bias + plan.own_scratch * threads;
    return max_of(dense, sparse_scratch(&g)) * (int64_t)sizeof(real);
}
