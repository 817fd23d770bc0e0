/* gradient_input.c: the gradient of conv2d with respect to the images. Letters as in
 * geometry.h.
 *
 * dx is a product like y: its rows are pixels of dx, and k goes through the taps of the kernel that
 * lie over them. Pixels under the same taps are computed together, so that no product is computed
 * that the padding would throw away. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/microkernel.h"
#include "../../gemm/pack.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"
#include "geometry.h"

/* One axis of a convolution. Position x of dx lies under tap k of the window at o of dy where
 * o stride + k dilation - before = x. */
typedef struct {
    int64_t size, o_size, taps, stride, dilation, before;
} nnl_axis;

static nnl_axis rows_axis(const nnl_conv *g) {
    return (nnl_axis){g->H, g->OH, g->KH, g->stride_h, g->dilation_h, g->top};
}
static nnl_axis columns_axis(const nnl_conv *g) {
    return (nnl_axis){g->W, g->OW, g->KW, g->stride_w, g->dilation_w, g->left};
}

/* The taps over one position are so many apart, and their o. */
static int64_t taps_apart(const nnl_axis *a) {
    int64_t n = 1;
    while (n * a->dilation % a->stride) n++;
    return n;
}
static int64_t o_apart(const nnl_axis *a) { return taps_apart(a) * a->dilation / a->stride; }

/* The place of a tap when those over one position shall stand side by side. */
static int64_t rank_of(const nnl_axis *a, int64_t tap) {
    const int64_t apart = taps_apart(a);
    int64_t rank = tap / apart;
    for (int64_t r = 0; r < tap % apart; r++) rank += ceil_div(a->taps - r, apart);
    return rank;
}

/* n positions at, at + stride, ... of dx that lie under the same taps: `taps` of them, in the order
 * of their ranks from `rank` on. o: where the first position has the first tap. */
typedef struct {
    int64_t at, n, rank, taps, o;
} nnl_run;

/* The first of an axis' runs that begins at `at`. */
static nnl_run run_at(const nnl_axis *a, int64_t at) {
    nnl_run run = {.at = at};
    for (int64_t k = 0; k < a->taps; k++) {
        const int64_t from = at + a->before - k * a->dilation;
        if (from < 0 || from % a->stride || from / a->stride >= a->o_size) continue;
        if (run.taps++ == 0) run.rank = rank_of(a, k), run.o = from / a->stride;
    }
    return run;
}

/* All runs of an axis, of which there are at most as many as positions. */
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

/* Panel p of the transposed kernel, [taps in the order of their ranks, Fg][NR]: columns c of one
 * group. */
static void pack_transposed_kernel(const nnl_conv *g, const real *w, real *packed,
                                   const nnl_team *team) {
    const nnl_axis rows = rows_axis(g), columns = columns_axis(g);
    const int64_t taps = g->KH * g->KW;
    const nnl_range mine = nnl_share(panels_of(g->groups, g->Cg) * taps, 1, team);
    for (int64_t i = mine.begin; i < mine.end; i++) {
        const int64_t tap = i % taps;
        const nnl_panel c = panel_of(i / taps, g->Cg);
        const int64_t rank = rank_of(&rows, tap / g->KW) * g->KW + rank_of(&columns, tap % g->KW);
        pack(packed + (i / taps * taps + rank) * g->Fg * NR, NR,
             (nnl_pack_source){w + (tap * g->Cg + c.within) * g->F + c.group * g->Fg, g->F, g->Fg,
                               c.n, true});
    }
}

/* From the o of the first tap through the others. */
static void tap_offsets(const nnl_conv *g, int64_t *k_offset) {
    const nnl_axis rows = rows_axis(g), columns = columns_axis(g);
    for (int64_t i = 0; i < g->KH; i++)
        for (int64_t j = 0; j < g->KW; j++)
            for (int64_t f = 0; f < g->Fg; f++)
                *k_offset++ = f - (i * o_apart(&rows) * g->OW + j * o_apart(&columns)) * g->F;
}

/* What dx is computed from, and what of it. */
typedef struct {
    const nnl_conv *g;
    const real *dy, *packed;
    real *dx;
    nnl_range panels;
    nnl_prefetch *prefetch;
} nnl_source;

/* The tile's pixels, which lie under the taps of two runs. */
static void flush_pixels(const nnl_source *from, const nnl_run *down, const nnl_run *across,
                         nnl_tile *t) {
    const nnl_conv *g = from->g;
    const nnl_axis rows = rows_axis(g);
    /* Taps of several rows stand side by side only if all of each are there. */
    const int64_t together = across->taps == g->KW ? down->taps : 1;
    choose_a_access(t, g->Fg);
    for (int64_t p = from->panels.begin; t->rows && p < from->panels.end; p++) {
        const nnl_panel c = panel_of(p, g->Cg);
        t->c = from->dx + c.column;
        t->n = c.n;
        t->K = together * across->taps * g->Fg;
        for (int64_t i = 0; i < down->taps; i += together) {
            const int64_t rank = (down->rank + i) * g->KW + across->rank;
            t->a = from->dy + c.group * g->Fg - i * o_apart(&rows) * g->OW * g->F;
            t->b = from->packed + (p * g->KH * g->KW + rank) * g->Fg * NR;
            t->resume = i > 0;
            if (t->a_access == A_ROW_MAJOR)
                prefetch_some(from->prefetch, t, t->K); /* at each run */
            multiply_tile(t);
            t->prefetch_lines = 0;
        }
    }
    t->rows = 0;
}

/* dx of the pixels of two runs, in rows h of images n; as rows of the tile t, which goes whenever
 * it is full. */
static void gather_pixels(const nnl_source *from, nnl_range n, nnl_range h, const nnl_run *down,
                          const nnl_run *across, nnl_tile *t) {
    const nnl_conv *g = from->g;
    const nnl_range columns = columns_of(from->panels, g->Cg);
    const bool none = down->taps * across->taps == 0;
    for (int64_t image = n.begin; image < n.end; image++)
        for (int64_t i = 0; i < down->n; i++) {
            const int64_t row = down->at + i * g->stride_h;
            if (row < h.begin || row >= h.end) continue;
            for (int64_t j = 0; j < across->n; j++) {
                const int64_t a = (image * g->OH + down->o + i) * g->OW + across->o + j;
                const int64_t c = (image * g->H + row) * g->W + across->at + j * g->stride_w;
                t->a_offset[t->rows] = a * g->F;
                t->c_offset[t->rows] = c * g->C;
                if (none)
                    memset(from->dx + c * g->C + columns.begin, 0,
                           (size_t)length(columns) * sizeof *from->dx);
                else if (++t->rows == MR || (j + 1 == across->n && across->n >= MR))
                    flush_pixels(from, down, across, t);
            }
        }
    flush_pixels(from, down, across, t);
}

/* Few channels would fill a tile badly: then the taps of a row of the window are columns of one
 * product, whose rows are added to dx where they belong. */
enum { FEW_CHANNELS = 16 };

static bool joins_taps(const nnl_conv *g) {
    return g->groups == 1 && g->dilation_w == 1 && g->KW > 1 && g->C <= FEW_CHANNELS;
}

/* The same kernel as KH taps of KW C channels each. */
static nnl_conv joined(nnl_conv g) {
    g.Cg = g.KW * g.C;
    g.KW = 1;
    return g;
}

/* A row of dx, wide enough for all windows, and a tile of the product. */
static int64_t wide_row(const nnl_conv *g) { return lines(covered_columns(g, g->OW) * g->C); }
static int64_t tile_row(const nnl_conv *g) { return panels_of(1, g->KW * g->C) * NR; }

/* to[j] += from[j] */
static void add_row(real *to, const real *from, int64_t n) {
    for (int64_t j = 0; j < n; j += LANES)
        vec_store_first(to + j, vec_load_first(to + j, n - j) + vec_load_first(from + j, n - j),
                        n - j);
}

/* wide += what one row of dy adds by one row of the kernel. */
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

/* Row h of an image's dx. */
static void join_row(const nnl_conv *g, const real *dy, const real *packed, real *dx, int64_t h,
                     real *wide, nnl_tile *t) {
    const int64_t columns = covered_columns(g, g->OW), left = min_of(g->left, columns);
    const int64_t inside = min_of(g->W, columns - left) * g->C;
    const nnl_axis rows = rows_axis(g);
    memset(wide, 0, (size_t)(columns * g->C) * sizeof *wide);
    for (int64_t kh = 0; kh < g->KH; kh++) {
        const int64_t down = h + g->top - kh * g->dilation_h, oh = down / g->stride_h;
        if (down < 0 || down % g->stride_h || oh >= g->OH) continue;
        add_joined_taps(g, dy + oh * g->OW * g->F, packed + rank_of(&rows, kh) * g->F * NR, wide,
                        t);
    }
    memcpy(dx, wide + left * g->C, (size_t)inside * sizeof *dx);
    memset(dx + inside, 0, (size_t)(g->W * g->C - inside) * sizeof *dx);
}

/* dx of all images by joined taps; `mine` has room for wide_row and a tile. */
static void join_taps(const nnl_conv *g, const real *dy, const real *packed, real *dx, real *mine,
                      nnl_tile *t, const nnl_team *team) {
    const nnl_range rows = nnl_share(g->N * g->H, 1, team);
    for (int64_t r = rows.begin; r < rows.end; r++)
        join_row(g, dy + r / g->H * g->OH * g->OW * g->F, packed, dx + r * g->W * g->C, r % g->H,
                 mine, t);
}

/* dx of this thread's part; `runs` has room for those of both axes. */
static void gather_taps(const nnl_conv *g, const nnl_tensor *dy, const real *packed,
                        const nnl_tensor *dx, nnl_run *runs, nnl_tile *t, const nnl_team *team) {
    const nnl_axis rows = rows_axis(g), columns = columns_axis(g);
    const int64_t down = find_runs(&rows, runs), across = find_runs(&columns, runs + g->H);
    const nnl_band most = band_of(g->H, g->W, BAND);
    const nnl_part part = part_of(g->N * g->H, g->W, panels_of(g->groups, g->Cg), team);
    const int64_t taps = g->KH * g->KW * g->Fg * NR;
    const int64_t cuts = min_of(length(part.panels),
                                ceil_div(length(part.panels) * taps, PACKED_BLOCK));
    for (int64_t r = part.rows.begin; r < part.rows.end && cuts;) {
        const nnl_band band = next_band(most, r, part.rows.end, g->H);
        const nnl_range n = {r / g->H, r / g->H + band.images};
        const nnl_range h = {r % g->H, r % g->H + band.rows};
        const int64_t rows = band.images * band.rows;
        r += rows;
        nnl_prefetch prefetch = plan_prefetch((nnl_range){r, r + rows}, g->N * g->H, dx, dy,
                                              ceil_div(rows * g->W, MR) * length(part.panels));
        for (int64_t b = 0; b < cuts; b++) {
            const nnl_source from = {
                g, dy->data, packed, dx->data, even_share(part.panels, 1, b, cuts), &prefetch};
            for (int64_t i = 0; i < down; i++)
                for (int64_t j = 0; j < across; j++)
                    gather_pixels(&from, n, h, &runs[i], &runs[g->H + j], t);
        }
    }
}

/* Reals of the packed kernel, and of what each thread needs beside it. */
static int64_t packed_size(const nnl_conv *g) {
    return g->KH * g->KW * panels_of(g->groups, g->Cg) * g->Fg * NR;
}
static int64_t room_for_dx(const nnl_conv *g) {
    return joins_taps(g) ? wide_row(g) + MR * tile_row(g)
                         : lines((g->H + g->W) * (int64_t)(sizeof(nnl_run) / sizeof(real)));
}

/* dx[n, h, w, c] = the sum of dy[n, oh, ow, f] w[kh, kw, c, f] over the kh, kw, f whose window has
 * that element of x under that tap, in this order (with few channels: the sum over kh, ow of the
 * sums over f).
 * in    dy [N, OH, OW, F], w [KH, KW, C / groups, F]
 * out   dx [N, H, W, C]
 * attr  as conv2d, from 2 on */
static void op_conv2d_gradient_input(const nnl_call *call, nnl_team *team) {
    const nnl_conv g = conv_of(&call->out[0], &call->in[1], &call->in[0], call->attr);
    const nnl_conv packing = joins_taps(&g) ? joined(g) : g;
    int64_t *k_offsets = team->scratch;
    real *packed = (real *)team->scratch + lines_of_indices(g.KH * g.KW * g.Fg);
    real *mine = packed + packed_size(&packing) + team->id * room_for_dx(&g);
    if (team->id == 0) tap_offsets(&g, k_offsets);
    pack_transposed_kernel(&packing, call->in[1].data, packed, team);
    nnl_wait(team);

    if (nnl_size(&call->out[0]) == 0) return;
    nnl_tile t = {.a_access = A_GATHERED, .k_offset = k_offsets, .K = g.Fg, .b_k = NR};
    if (joins_taps(&g))
        join_taps(&g, call->in[0].data, packed, call->out[0].data, mine, &t, team);
    else
        gather_taps(&g, &call->in[0], packed, &call->out[0], (nnl_run *)mine, &t, team);
}

static int64_t conv2d_gradient_input_scratch(const nnl_call *call, int threads) {
    const nnl_conv g = conv_of(&call->out[0], &call->in[1], &call->in[0], call->attr);
    const nnl_conv packing = joins_taps(&g) ? joined(g) : g;
    return (lines_of_indices(g.KH * g.KW * g.Fg) + packed_size(&packing) +
            room_for_dx(&g) * threads) *
           (int64_t)sizeof(real);
}
