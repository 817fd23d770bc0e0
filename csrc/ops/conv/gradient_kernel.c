/* gradient_kernel.c: the gradients of conv2d with respect to its kernel and its bias. Letters as in
 * geometry.h.
 *
 * dw is a product whose sums run over all pixels of all images, and these are cut into chunks. The
 * rows of the product are taps and its columns filters; it is computed transposed where many taps
 * lie side by side in x. The gradient of the bias is summed from dy while dy is in cache. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/microkernel.h"
#include "../../gemm/pack.h"
#include "../../math/column_sums.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"
#include "geometry.h"

/* dw is summed over pixels in chunks of whole rows of pixels; their number depends on shapes
 * alone, and small kernels, whose sums cost little to keep, have more of them. */
enum {
    CHUNK = 1024,          /* pixels, at least */
    MOST_CHUNKS = 8,       /* of a large kernel */
    CHUNKS_ROOM = 1 << 16, /* reals that the sums of all chunks may take for there to be more */
    PACK_FROM = 64,        /* rows of dw to which dy is worth packing */
    GRADIENT_BAND = 256,   /* pixels whose x and dy stay in the second cache */
    TRANSPOSED_BAND = 512  /* the same, where dy is not read in the first */
};

static int64_t lines_of_doubles(int64_t n) {
    return lines(n * (int64_t)(sizeof(double) / sizeof(real)));
}

typedef struct {
    int64_t chunks;
    int64_t sums; /* reals of all chunks' sums, if they stand apart from dw */
    int64_t bias; /* the same of db's, which are double */
    int64_t k_offsets, padded, packed, mine; /* reals of a thread's scratch, and of all of it */
    nnl_band most;
    bool transposed;
} nnl_kernel_plan;

static nnl_kernel_plan plan_kernel_gradient(const nnl_conv *g, bool with_bias) {
    const int64_t pixels = g->N * g->OH * g->OW, size = g->K * g->F;
    const int64_t fit = size ? CHUNKS_ROOM / size : 1;
    int64_t chunks = min_of(pixels / CHUNK, max_of(fit, MOST_CHUNKS));
    chunks = min_of(chunks, g->N * g->OH);
    /* Of whole vectors; how the bias's gradient is summed must not depend on their length. */
    const bool transposed = g->groups == 1 && taps_together(g) % ROW_LANES == 0;
    nnl_kernel_plan plan = {
        .chunks = max_of(chunks, 1),
        .transposed = transposed,
        .most = band_of(g->OH, g->OW, transposed ? TRANSPOSED_BAND : GRADIENT_BAND)};
    const int64_t rows = min_of(plan.most.images, g->N) * min_of(plan.most.rows, g->OH);
    plan.sums = plan.chunks > 1 || transposed ? lines(plan.chunks * size) : 0;
    plan.bias = with_bias ? lines_of_doubles(plan.chunks * g->F) : 0;
    plan.k_offsets = lines_of_indices(rows * g->OW);
    plan.padded = lines(padded_size(g, plan.most));
    /* Read often, or not in whole vectors. */
    const bool pack = !transposed && (g->Fg % LANES || (g->F > NR && g->K >= PACK_FROM));
    plan.packed = pack ? lines(rows * g->OW * NR) : 0;
    plan.mine = plan.k_offsets + plan.padded + plan.packed;
    return plan;
}

/* Through the first taps of a band's pixels. */
static void pixel_offsets(const nnl_conv *g, const nnl_view *v, nnl_band band, int64_t *k_offset) {
    for (int64_t n = 0; n < band.images; n++)
        for (int64_t i = 0; i < band.rows; i++) {
            const int64_t row = n * v->image + i * g->stride_h * v->row;
            for (int64_t j = 0; j < g->OW; j++) *k_offset++ = row + j * g->stride_w * v->pixel;
        }
}

/* dw's rows `a_panel` of group's K, against all columns, over one band. */
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

/* dw of some rows += the sum over one band's pixels; dy: of the band. */
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
            if (panels > 1) { /* a panel is not all of dy's rows: the next band's are fetched */
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

/* The same into the transposed dw, [F][K]: its rows are filters, the columns taps, of which many
 * lie side by side in x. */
static void sum_transposed_band(const nnl_conv *g, const nnl_view *v, const real *dy,
                                nnl_range rows, real *dw, nnl_prefetch *prefetch, nnl_tile *t) {
    const int64_t together = taps_together(g), a_panels = ceil_div(g->F, MR);
    t->a_access = A_COLUMN_MAJOR;
    t->a_k = g->F;
    for (int64_t k = rows.begin, n; k < rows.end; k += n) {
        const int64_t i = k / together, rest = together - k % together;
        const int64_t kh = i * together / g->Cg / g->KW, kw = i * together / g->Cg % g->KW;
        n = min_of(min_of(NR, rest), rows.end - k);
        t->n = n;
        t->b = v->data + kh * g->dilation_h * v->row + kw * g->dilation_w * v->pixel + k % together;
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

/* db += the sums of dy over so many pixels. */
static void sum_bias(double *db, const real *dy, int64_t pixels, int64_t F) {
    const sum_shape s = plan_sum(1, pixels, F);
    real sum[COLUMN_TILE];
    for (int64_t at = 0; at < pixels; at += s.chunk_rows)
        for (int64_t f = 0; f < F; f += COLUMN_TILE) {
            const int64_t n = min_of(COLUMN_TILE, F - f);
            sum_chunk(sum, dy + at * F + f, min_of(s.chunk_rows, pixels - at), n, &s, itself_of);
            for (int64_t j = 0; j < n; j++) db[f + j] += (double)sum[j];
        }
}

/* One chunk's sums of some rows of dw, and of db unless that is NULL. */
static void sum_conv_chunk(const nnl_call *call, const nnl_conv *g, const nnl_kernel_plan *plan,
                           nnl_range pixel_rows, nnl_range rows, real *dw, double *db, real *mine) {
    nnl_tile t = {.a_access = A_GATHERED, .k_offset = (int64_t *)mine};
    real *packed = plan->packed ? mine + plan->k_offsets + plan->padded : NULL;
    for (int64_t r = pixel_rows.begin; r < pixel_rows.end;) {
        const nnl_band band = next_band(plan->most, r, pixel_rows.end, g->OH);
        const nnl_view v = view_of(g, call->in[0].data, band, r, mine + plan->k_offsets);
        const int64_t pixels = band.images * band.rows * g->OW;
        pixel_offsets(g, &v, band, (int64_t *)mine);
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

/* to[i] = the sums of all chunks, first to last, which are `size` apart. */
static void sum_of_chunks(real *restrict to, const real *restrict sums, int64_t n, int64_t chunks,
                          int64_t size) {
    memcpy(to, sums, (size_t)n * sizeof *to);
    for (int64_t c = 1; c < chunks; c++)
        for (int64_t i = 0; i < n; i++) to[i] += sums[c * size + i];
}

/* dw from its chunks. */
static void join_chunks(real *dw, const real *sums, const nnl_conv *g, const nnl_kernel_plan *plan,
                        const nnl_team *team) {
    const int64_t size = g->K * g->F;
    const nnl_range part = nnl_share(plan->transposed ? g->K : size, NNL_CACHE_LINE, team);
    if (!plan->transposed)
        for (int64_t i = part.begin; i < part.end; i += NNL_CACHE_LINE)
            sum_of_chunks(dw + i, sums + i, min_of(NNL_CACHE_LINE, part.end - i), plan->chunks,
                          size);
    for (int64_t k = part.begin; plan->transposed && k < part.end; k += NR)
        for (int64_t f = 0; f < g->F; f += LANES) {
            const int64_t n = min_of(NR, part.end - k), rows = min_of(LANES, g->F - f);
            real square[LANES * NR];
            for (int64_t i = 0; i < rows; i++)
                sum_of_chunks(square + i * NR, sums + (f + i) * g->K + k, n, plan->chunks, size);
            unpack_transposed(dw + k * g->F + f, g->F, square, rows, n, NULL);
        }
}

/* db from its chunks. */
static void join_bias(real *db, const double *sums, int64_t F, int64_t chunks,
                      const nnl_team *team) {
    const nnl_range part = nnl_share(F, NNL_CACHE_LINE, team);
    for (int64_t f = part.begin; f < part.end; f++) {
        double sum = 0;
        for (int64_t c = 0; c < chunks; c++) sum += sums[c * F + f];
        db[f] = (real)sum;
    }
}

/* dw[kh, kw, c, f] = the sum over n, oh, ow of dy[n, oh, ow, f] times the x under that tap, and
 * db[f] = that of dy[n, oh, ow, f].
 * in    x [N, H, W, C], dy [N, OH, OW, F]
 * out   dw [KH, KW, C / groups, F], db [F] (may be left out)
 * attr  as conv2d, from 2 on */
static void op_conv2d_gradient_kernel(const nnl_call *call, nnl_team *team) {
    const nnl_conv g = conv_of(&call->in[0], &call->out[0], &call->in[1], call->attr);
    const nnl_kernel_plan plan = plan_kernel_gradient(&g, call->n_out == 2);
    const int64_t size = g.K * g.F, pixel_rows = g.N * g.OH;
    real *dw = call->out[0].data, *sums = team->scratch;
    double *bias_sums = (double *)(sums + plan.sums);
    real *mine = sums + plan.sums + plan.bias + team->id * plan.mine;
    if (nnl_size(&call->in[1]) == 0) {
        for (int i = 0; i < call->n_out && team->id == 0; i++)
            memset(call->out[i].data, 0, (size_t)nnl_size(&call->out[i]) * sizeof *dw);
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
                       plan.sums ? sums + chunk * size : dw, db, mine);
    }
    if (!plan.sums && !plan.bias) return;
    nnl_wait(team);
    if (plan.sums) join_chunks(dw, sums, &g, &plan, team);
    if (plan.bias) join_bias(call->out[1].data, bias_sums, g.F, plan.chunks, team);
}

static int64_t conv2d_gradient_kernel_scratch(const nnl_call *call, int threads) {
    const nnl_conv g = conv_of(&call->in[0], &call->out[0], &call->in[1], call->attr);
    const nnl_kernel_plan plan = plan_kernel_gradient(&g, call->n_out == 2);
    return (plan.sums + plan.bias + plan.mine * threads) * (int64_t)sizeof(real);
}
