/* gradient_input.c: the gradient of conv2d with respect to the images. Letters and terms as in
 * geometry.h.
 *
 * dx is a matrix product. Its rows are pixels of dx, and k goes through the taps that are over a
 * pixel in some window, and through the filters. Pixels under the same taps are computed together,
 * so no multiplication is wasted on taps that are not there. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/microkernel.h"
#include "../../gemm/pack.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"
#include "geometry.h"
#include "sparse.h"

/* One axis of a convolution. Position x of dx is under tap k of window o if
 * x = o * stride + k * dilation - before. */
typedef struct {
    int64_t size, o_size, taps, stride, dilation, before;
} nnl_axis;

static nnl_axis rows_axis(const nnl_conv *g) {
    return (nnl_axis){g->H, g->OH, g->KH, g->stride_h, g->dilation_h, g->top};
}
static nnl_axis columns_axis(const nnl_conv *g) {
    return (nnl_axis){g->W, g->OW, g->KW, g->stride_w, g->dilation_w, g->left};
}

/* The distance between neighbouring taps over one position, and that between their windows. */
static int64_t tap_step(const nnl_axis *a) {
    int64_t n = 1;
    while (n * a->dilation % a->stride) n++;
    return n;
}
static int64_t window_step(const nnl_axis *a) { return tap_step(a) * a->dilation / a->stride; }

/* The rank of a tap in the order that makes the taps over one position neighbours. */
static int64_t rank_of(const nnl_axis *a, int64_t tap) {
    const int64_t step = tap_step(a);
    int64_t rank = tap / step;
    for (int64_t r = 0; r < tap % step; r++) rank += ceil_div(a->taps - r, step);
    return rank;
}

/* n positions of dx under the same taps: at, at + stride, ... There are `taps` of these taps, with
 * the ranks rank, rank + 1, ... The first position is under the first tap in window o. */
typedef struct {
    int64_t at, n, rank, taps, o;
} nnl_run;

/* A run that begins at position `at`, with no positions yet (n = 0). */
static nnl_run run_at(const nnl_axis *a, int64_t at) {
    nnl_run run = {.at = at};
    for (int64_t k = 0; k < a->taps; k++) {
        const int64_t begin = at + a->before - k * a->dilation; /* of the window */
        if (begin < 0 || begin % a->stride || begin / a->stride >= a->o_size) continue;
        if (run.taps++ == 0) run.rank = rank_of(a, k), run.o = begin / a->stride;
    }
    return run;
}

/* Finds all runs of an axis and returns their number: at most the number of positions. */
static int64_t find_runs(const nnl_axis *a, nnl_run *runs) {
    int64_t n = 0;
    for (int64_t first = 0; first < a->stride; first++)
        for (int64_t at = first; at < a->size; at += a->stride) {
            const nnl_run run = run_at(a, at);
            if (at == first || runs[n - 1].rank != run.rank || runs[n - 1].taps != run.taps)
                runs[n++] = run;
            runs[n - 1].n++;
        }
    return n;
}

/* Packs this thread's share of the transposed kernel. A panel is [KH * KW, Fg, NR]: the taps in the
 * order of their ranks, the filters of a group, and NR channels of the same group. */
static void pack_transposed_kernel(const nnl_conv *g, const real *w, real *packed,
                                   const nnl_team *team) {
    const nnl_axis rows = rows_axis(g), columns = columns_axis(g);
    const int64_t taps = g->KH * g->KW;
    const nnl_range part = nnl_share(panels_of(g->groups, g->Cg) * taps, 1, team);
    for (int64_t i = part.begin; i < part.end; i++) {
        const int64_t tap = i % taps;
        const nnl_panel c = panel_of(i / taps, g->Cg);
        const int64_t rank = rank_of(&rows, tap / g->KW) * g->KW + rank_of(&columns, tap % g->KW);
        pack(packed + (i / taps * taps + rank) * g->Fg * NR, NR,
             (nnl_pack_source){w + (tap * g->Cg + c.within) * g->F + c.group * g->Fg, g->F, g->Fg,
                               c.n, true});
    }
}

/* The offset in dy of each k, which goes through the taps and the filters. It is relative to the
 * window of the first tap. */
static void tap_offsets(const nnl_conv *g, int64_t *k_offset) {
    const nnl_axis rows = rows_axis(g), columns = columns_axis(g);
    for (int64_t i = 0; i < g->KH; i++)
        for (int64_t j = 0; j < g->KW; j++)
            for (int64_t f = 0; f < g->Fg; f++)
                *k_offset++ = f -
                              (i * window_step(&rows) * g->OW + j * window_step(&columns)) * g->F;
}

/* What all tiles of a band have in common: the operands, and the panels of dx to compute. */
typedef struct {
    const nnl_conv *g;
    const real *dy, *packed;
    real *dx;
    nnl_range panels;
    nnl_prefetch *prefetch;
} nnl_dx_job;

/* Computes the pixels that the tile has collected. They are under the taps of a run of rows and a
 * run of columns. */
static void flush_pixels(const nnl_dx_job *job, const nnl_run *row_run, const nnl_run *column_run,
                         nnl_tile *t) {
    const nnl_conv *g = job->g;
    const nnl_axis rows = rows_axis(g);
    /* Taps of several rows are neighbours only if each row has all its taps. */
    const int64_t joined_rows = column_run->taps == g->KW ? row_run->taps : 1;
    choose_a_access(t, g->Fg);
    for (int64_t p = job->panels.begin; t->rows && p < job->panels.end; p++) {
        const nnl_panel c = panel_of(p, g->Cg);
        t->c = job->dx + c.column;
        t->n = c.n;
        t->K = joined_rows * column_run->taps * g->Fg;
        for (int64_t i = 0; i < row_run->taps; i += joined_rows) {
            const int64_t rank = (row_run->rank + i) * g->KW + column_run->rank;
            t->a = job->dy + c.group * g->Fg - i * window_step(&rows) * g->OW * g->F;
            t->b = job->packed + (p * g->KH * g->KW + rank) * g->Fg * NR;
            t->resume = i > 0;
            if (t->a_access == A_ROW_MAJOR)
                prefetch_some(job->prefetch, t, t->K); /* lines at each run of k */
            multiply_tile(t);
            t->prefetch_lines = 0;
        }
    }
    t->rows = 0;
}

/* dx of the pixels in a run of rows and a run of columns, as far as they are in rows h of images n.
 * The pixels are collected as rows of the tile, which is computed whenever it is full. */
static void gather_pixels(const nnl_dx_job *job, nnl_range n, nnl_range h, const nnl_run *row_run,
                          const nnl_run *column_run, nnl_tile *t) {
    const nnl_conv *g = job->g;
    const nnl_range columns = columns_of(job->panels, g->Cg);
    const bool none = row_run->taps * column_run->taps == 0;
    for (int64_t image = n.begin; image < n.end; image++)
        for (int64_t i = 0; i < row_run->n; i++) {
            const int64_t row = row_run->at + i * g->stride_h;
            if (row < h.begin || row >= h.end) continue;
            for (int64_t j = 0; j < column_run->n; j++) {
                const int64_t a = (image * g->OH + row_run->o + i) * g->OW + column_run->o + j;
                const int64_t c = (image * g->H + row) * g->W + column_run->at + j * g->stride_w;
                t->a_offset[t->rows] = a * g->F;
                t->c_offset[t->rows] = c * g->C;
                if (none)
                    memset(job->dx + c * g->C + columns.begin, 0,
                           (size_t)length(columns) * sizeof *job->dx);
                else if (++t->rows == MR || (j + 1 == column_run->n && column_run->n >= MR))
                    flush_pixels(job, row_run, column_run, t);
            }
        }
    flush_pixels(job, row_run, column_run, t);
}

/* Few channels would not fill the columns of a tile. Then the columns are all taps and channels of
 * one row of the window, and each row of the product is added to dx at its window. */
enum { FEW_CHANNELS = 16 };

static bool joins_taps(const nnl_conv *g) {
    return g->groups == 1 && g->dilation_w == 1 && g->KW > 1 && g->C <= FEW_CHANNELS;
}

/* The same kernel, read as KH taps of KW * C channels each. */
static nnl_conv joined(nnl_conv g) {
    g.Cg = g.KW * g.C;
    g.KW = 1;
    return g;
}

/* Reals of a row of dx with its padding, and of a row of the product. */
static int64_t wide_row(const nnl_conv *g) { return lines(covered_columns(g, g->OW) * g->C); }
static int64_t tile_row(const nnl_conv *g) { return panels_of(1, g->KW * g->C) * NR; }

/* to[j] += from[j] for n elements. */
static void add_row(real *to, const real *from, int64_t n) {
    for (int64_t j = 0; j < n; j += LANES)
        vec_store_first(to + j, vec_load_first(to + j, n - j) + vec_load_first(from + j, n - j),
                        n - j);
}

/* wide += the gradient that one row of dy gives through one row of the kernel. */
static void add_joined_taps(const nnl_conv *g, const real *dy, const real *packed, real *wide,
                            nnl_tile *t) {
    const int64_t n = g->KW * g->C, ld = tile_row(g), a_panels = ceil_div(g->OW, MR);
    real *product = wide + wide_row(g);
    for (int64_t s = 0; s < a_panels; s++) {
        const nnl_range a_panel = even_share((nnl_range){0, g->OW}, 1, s, a_panels);
        t->a = dy + a_panel.begin * g->F;
        t->rows = (int)length(a_panel);
        for (int i = 0; i < t->rows; i++) {
            t->a_offset[i] = i * g->F;
            t->c_offset[i] = i * ld;
        }
        for (int64_t j = 0; j < n; j += NR) {
            t->b = packed + j * g->KH * g->F;
            t->c = product + j;
            t->n = whole_vectors(min_of(NR, n - j));
            multiply_tile(t);
        }
        for (int64_t i = 0; i < t->rows; i++)
            add_row(wide + (a_panel.begin + i) * g->stride_w * g->C, product + i * ld, n);
    }
}

/* Row h of dx of an image, by joined taps. */
static void join_row(const nnl_conv *g, const real *dy, const real *packed, real *dx, int64_t h,
                     real *wide, nnl_tile *t) {
    const int64_t columns = covered_columns(g, g->OW), left = min_of(g->left, columns);
    const int64_t inside = min_of(g->W, columns - left) * g->C;
    const nnl_axis rows = rows_axis(g);
    memset(wide, 0, (size_t)(columns * g->C) * sizeof *wide);
    for (int64_t kh = 0; kh < g->KH; kh++) {
        const int64_t at = h + g->top - kh * g->dilation_h, oh = at / g->stride_h;
        if (at < 0 || at % g->stride_h || oh >= g->OH) continue;
        add_joined_taps(g, dy + oh * g->OW * g->F, packed + rank_of(&rows, kh) * g->F * NR, wide,
                        t);
    }
    memcpy(dx, wide + left * g->C, (size_t)inside * sizeof *dx);
    memset(dx + inside, 0, (size_t)(g->W * g->C - inside) * sizeof *dx);
}

/* This thread's rows of dx, by joined taps. `own_scratch` has room for a wide row and a tile. */
static void join_taps(const nnl_conv *g, const real *dy, const real *packed, real *dx,
                      real *own_scratch, nnl_tile *t, const nnl_team *team) {
    const nnl_range rows = nnl_share(g->N * g->H, 1, team);
    for (int64_t r = rows.begin; r < rows.end; r++)
        join_row(g, dy + r / g->H * g->OH * g->OW * g->F, packed, dx + r * g->W * g->C, r % g->H,
                 own_scratch, t);
}

/* This thread's part of dx, by runs. `runs` has room for those of both axes. */
static void gather_taps(const nnl_conv *g, const nnl_tensor *dy, const real *packed,
                        const nnl_tensor *dx, nnl_run *runs, nnl_tile *t, const nnl_team *team) {
    const nnl_axis rows = rows_axis(g), columns = columns_axis(g);
    const int64_t n_rows = find_runs(&rows, runs), n_columns = find_runs(&columns, runs + g->H);
    const nnl_band largest = max_band(g->H, g->W, BAND);
    const nnl_part part = part_of(g->N * g->H, g->W, panels_of(g->groups, g->Cg), team);
    const int64_t taps = g->KH * g->KW * g->Fg * NR;
    const int64_t cuts = min_of(length(part.panels),
                                ceil_div(length(part.panels) * taps, PACKED_BLOCK));
    for (int64_t r = part.rows.begin; r < part.rows.end && cuts;) {
        const nnl_band band = next_band(largest, r, part.rows.end, g->H);
        const nnl_range n = {r / g->H, r / g->H + band.images};
        const nnl_range h = {r % g->H, r % g->H + band.rows};
        const int64_t rows = band.images * band.rows;
        r += rows;
        nnl_prefetch prefetch = plan_prefetch((nnl_range){r, r + rows}, g->N * g->H, dx, dy,
                                              ceil_div(rows * g->W, MR) * length(part.panels));
        for (int64_t b = 0; b < cuts; b++) {
            const nnl_dx_job job = {
                g, dy->data, packed, dx->data, even_share(part.panels, 1, b, cuts), &prefetch};
            for (int64_t i = 0; i < n_rows; i++)
                for (int64_t j = 0; j < n_columns; j++)
                    gather_pixels(&job, n, h, &runs[i], &runs[g->H + j], t);
        }
    }
}

/* Reals of the packed kernel, and of each thread's own scratch. */
static int64_t packed_size(const nnl_conv *g) {
    return g->KH * g->KW * panels_of(g->groups, g->Cg) * g->Fg * NR;
}
static int64_t own_scratch_size(const nnl_conv *g) {
    return joins_taps(g) ? wide_row(g) + MR * tile_row(g)
                         : lines((g->H + g->W) * (int64_t)(sizeof(nnl_run) / sizeof(real)));
}

/* dx[n, h, w, c] = the sum over kh, kw, f of dy[n, oh, ow, f] * w[kh, kw, c, f], where (oh, ow) is
 * the window that has (h, w) under tap (kh, kw). The terms are added in this order; with few
 * channels, the sums over f are added in the order of kh, ow.
 * in    dy [N, OH, OW, F], w [KH, KW, C / groups, F]
 * out   dx [N, H, W, C]
 * attr  stride_h, stride_w, top, left, dilation_h, dilation_w, groups; 1: where nearly all of dy is
 *       0, the other elements alone are used. dx of an image then depends on those beside it */
static void op_conv2d_gradient_input(const nnl_call *call, nnl_team *team) {
    const nnl_conv g = conv_of(&call->out[0], &call->in[1], &call->in[0], call->attr);
    const nnl_conv packing = joins_taps(&g) ? joined(g) : g;
    if (call->attr[7].i && is_sparse(&g, call->in[0].data)) {
        sparse_gradient_input(&g, call->in[0].data, call->in[1].data, call->out[0].data, team);
        return;
    }
    int64_t *k_offsets = team->scratch;
    real *packed = (real *)team->scratch + lines_of_indices(g.KH * g.KW * g.Fg);
    real *own_scratch = packed + packed_size(&packing) + team->id * own_scratch_size(&g);
    if (team->id == 0) tap_offsets(&g, k_offsets);
    pack_transposed_kernel(&packing, call->in[1].data, packed, team);
    nnl_wait(team);

    if (nnl_size(&call->out[0]) == 0) return;
    nnl_tile t = {.a_access = A_GATHERED, .k_offset = k_offsets, .K = g.Fg, .b_k = NR};
    if (joins_taps(&g))
        join_taps(&g, call->in[0].data, packed, call->out[0].data, own_scratch, &t, team);
    else
        gather_taps(&g, &call->in[0], packed, &call->out[0], (nnl_run *)own_scratch, &t, team);
}

static int64_t conv2d_gradient_input_scratch(const nnl_call *call, int threads) {
    const nnl_conv g = conv_of(&call->out[0], &call->in[1], &call->in[0], call->attr);
    const nnl_conv packing = joins_taps(&g) ? joined(g) : g;
    const int64_t dense = lines_of_indices(g.KH * g.KW * g.Fg) + packed_size(&packing) +
                          own_scratch_size(&g) * threads;
    return max_of(dense, sparse_scratch(&g)) * (int64_t)sizeof(real);
}
