/* forward.c: conv2d as a matrix product. Its rows are the windows of x, read in place, and its
 * columns are the filters. Letters and terms as in geometry.h.
 *
 * The team packs the kernel. Then each thread computes rows of y, band by band. But where y is a
 * single band, which takes little longer to compute than the kernel to pack, each thread computes
 * other columns of it, and packs the panels that it needs right before. If windows reach over the
 * border, x under the band is first copied, with zeros around it. A tap in the padding always adds
 * 0 * w, so the bits do not depend on how the work is divided. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/blocking.h"
#include "../../gemm/gemm.h"
#include "../../gemm/microkernel.h"
#include "../../gemm/pack.h"
#include "../../math/activation.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"
#include "folded.h"
#include "geometry.h"

/* Packs some panels of w [K, F], times `scale` if that is given. */
static void pack_kernel(const nnl_conv *g, const real *w, const real *scale, real *packed,
                        nnl_range panels) {
    for (int64_t p = panels.begin; p < panels.end; p++) {
        const nnl_panel f = panel_of(p, g->Fg);
        real *panel = packed + p * g->K * NR;
        if (scale)
            pack_scaled(panel, w + f.column, g->F, g->K, scale + f.column, f.n);
        else
            pack(panel, NR, (nnl_pack_source){w + f.column, g->F, g->K, f.n, false});
    }
}

/* The offset in x of each k, which goes through the rows, columns and channels of a window. */
static void window_offsets(const nnl_conv *g, const nnl_view *v, int64_t *k_offset) {
    for (int64_t i = 0; i < g->KH; i++)
        for (int64_t j = 0; j < g->KW; j++) {
            const int64_t at = i * g->dilation_h * v->row + j * g->dilation_w * v->pixel;
            for (int64_t c = 0; c < g->Cg; c++) *k_offset++ = at + c;
        }
}

/* A pixel of a band. */
typedef struct {
    int64_t image, row, column;
} nnl_pixel;

/* The rows of the tile are `count` pixels, beginning with `at`, which moves on to the one after. */
static void set_pixels(nnl_tile *t, const nnl_conv *g, const nnl_view *v, int64_t rows,
                       nnl_pixel *at, int64_t count) {
    t->rows = (int)count;
    for (int64_t i = 0; i < count; i++) {
        t->a_offset[i] = at->image * v->image + at->row * g->stride_h * v->row +
                         at->column * g->stride_w * v->pixel;
        t->c_offset[i] = i * g->F;
        if (++at->column < g->OW) continue;
        at->column = 0;
        if (++at->row < rows) continue;
        at->row = 0;
        at->image++;
    }
}

/* Tiles prefetch lines at the beginning of each run of k, so a long run is taken in parts. */
static int64_t part_of_run(int64_t run) {
    if (run <= PREFETCH_INTERVAL_LONG) return run;
    int64_t parts = ceil_div(run, PREFETCH_INTERVAL_LONG);
    while (run % parts) parts++;
    return run / parts < LONG_RUN ? run : run / parts;
}

/* Whether y is the product of the matrices x [N H W, C] and w [C, F], or one for each group. */
static bool is_matrix_product(const nnl_conv *g) {
    return g->KH * g->KW == 1 && g->stride_h * g->stride_w == 1 && !reaches_over_border(g);
}

/* What all tiles of such a product have in common. */
static void set_matrix(nnl_tile *t, const nnl_conv *g) {
    t->a_access = A_ROW_MAJOR;
    t->a_row = g->C;
    t->k_offset = NULL;
    for (int i = 0; i < MR; i++) t->c_offset[i] = i * g->F;
}

/* Micro-panel number i of n of some pixels. All are full but the last two, because a tile of
 * another height is other code. */
static nnl_range micro_panel(nnl_range pixels, int64_t i, int64_t n) {
    const int64_t full = max_of(n - 2, 0), begin = pixels.begin + min_of(i, full) * MR;
    if (i < full) return (nnl_range){begin, begin + MR};
    return even_share((nnl_range){begin, pixels.end}, 1, i - full, n - full);
}

/* Computes some panels of y of one band. */
static void convolve_band(const nnl_conv *g, const nnl_view *v, nnl_band band, nnl_range panels,
                          const real *packed, real *y, const nnl_epilogue *epilogue,
                          nnl_prefetch *prefetch, nnl_tile *t) {
    const int64_t rows = band.images * band.rows, run = part_of_run(contiguous_length(g));
    const nnl_range all = columns_of(panels, g->Fg);
    /* If rows of pixels are long enough, each micro-panel is part of one row: then its windows are
     * equally far apart. In a matrix all are. */
    const bool matrix = is_matrix_product(g), long_rows = run >= LONG_RUN && g->OW >= MR;
    const bool by_rows = long_rows && !matrix;
    const int64_t parts = by_rows ? rows : 1, wide = by_rows ? g->OW : rows * g->OW;
    const int64_t a_panels = ceil_div(wide, MR);
    const int64_t interval = matrix ? PREFETCH_INTERVAL_LONG : PREFETCH_INTERVAL_SHORT;
    const real *x = v->data;
    nnl_pixel at = {0};
    if (matrix) set_matrix(t, g);
    for (int64_t s = 0; s < parts * a_panels; s++) {
        const int64_t part = by_rows ? s / a_panels : 0;
        const nnl_range a_panel = micro_panel((nnl_range){part * wide, (part + 1) * wide},
                                              s - part * a_panels, a_panels);
        if (matrix) {
            t->rows = (int)length(a_panel);
            x = v->data + a_panel.begin * g->C;
        } else {
            set_pixels(t, g, v, band.rows, &at, length(a_panel));
            choose_a_access(t, run);
        }
        real *c = y + a_panel.begin * g->F;
        for (int64_t p = panels.begin; p < panels.end; p++) {
            const nnl_panel f = panel_of(p, g->Fg);
            t->a = x + f.group * g->Cg;
            t->b = packed + p * g->K * NR;
            t->c = c + f.column;
            t->n = f.n;
            t->bias = epilogue->bias ? epilogue->bias + f.column : NULL;
            if (long_rows || prefetch->end[2]) prefetch_some(prefetch, t, interval);
            multiply_tile(t);
        }
        if (!t->clamp.is_done)
            activate_rows(c + all.begin, length(a_panel), length(all), g->F, epilogue);
    }
}

/* Whether the product is computed transposed: filters are its rows, contiguous pixels its columns.
 * With one channel and few filters only this fills the vectors. The sums have the same order. */
static bool is_conv_better_transposed(const nnl_conv *g) {
    return g->C == 1 && g->stride_w == 1 && 2 * g->F <= LANES && 2 * g->OW >= NR;
}

/* Reals of a thread's buffer for the windows [K, NR] of NR pixels and their results [F, NR]. */
static int64_t transposed_scratch(const nnl_conv *g) {
    return is_conv_better_transposed(g) ? (g->K + g->F) * NR : 0;
}

/* One row of y, transposed. x is the first pixel of the row's first window. */
static void convolve_transposed_row(const nnl_conv *g, const nnl_view *v, const real *x,
                                    real *buffer, real *y, const real *bias, nnl_tile *t) {
    for (int64_t ow = 0; ow < g->OW; ow += NR) {
        const int64_t n = min_of(NR, g->OW - ow);
        real *to = buffer;
        for (int64_t i = 0; i < g->KH; i++)
            for (int64_t j = 0; j < g->KW; j++, to += NR) {
                const real *from = x + i * g->dilation_h * v->row + j * g->dilation_w + ow;
                for (int64_t l = 0; l < n; l += LANES)
                    vec_store(to + l, vec_load_first(from + l, n - l));
            }
        t->n = whole_vectors(n);
        multiply_tile(t);
        unpack_transposed(y + ow * g->F, g->F, t->c, g->F, n, bias);
    }
}

/* y of one band, transposed. `packed` is one panel, `buffer` has transposed_scratch reals,
 * `k_offset` K numbers. */
static void convolve_transposed(const nnl_conv *g, const nnl_view *v, nnl_band band,
                                const real *packed, real *buffer, int64_t *k_offset, real *y,
                                const nnl_epilogue *epilogue) {
    nnl_tile t = {.a_access = A_GATHERED,
                  .a = packed,
                  .b = buffer,
                  .c = buffer + g->K * NR,
                  .k_offset = k_offset,
                  .K = g->K,
                  .b_k = NR,
                  .rows = (int)g->F};
    for (int64_t k = 0; k < g->K; k++) k_offset[k] = k * NR;
    for (int f = 0; f < t.rows; f++) t.a_offset[f] = f, t.c_offset[f] = f * NR;
    for (int64_t r = 0; r < band.images * band.rows; r++, y += g->OW * g->F) {
        const int64_t at = r / band.rows * v->image + r % band.rows * g->stride_h * v->row;
        convolve_transposed_row(g, v, v->data + at, buffer, y, epilogue->bias, &t);
        activate_rows(y, g->OW, g->F, g->F, epilogue);
    }
}

/* Reals of the packed kernel of a call of conv2d. */
static int64_t packed_kernel_size(const nnl_call *call) {
    const nnl_conv g = conv_of(&call->in[0], &call->in[1], &call->out[0], call->attr + 2);
    return panels_of(g.groups, g.Fg) * g.K * NR;
}

/* op_conv2d, where `kept` is the kernel if that has been packed before, else NULL. */
static void convolve(const nnl_call *call, const real *kept, nnl_team *team) {
    const nnl_conv g = conv_of(&call->in[0], &call->in[1], &call->out[0], call->attr + 2);
    const nnl_folded folded = folded_of(call, 2);
    const nnl_band largest = max_band(g.OH, g.OW, BAND);
    const int64_t panels = panels_of(g.groups, g.Fg);
    const int64_t indices = lines_of_indices(g.K), copy = lines(padded_size(&g, largest));
    real *room = team->scratch, *bias = room + (kept ? 0 : panels * g.K * NR);
    const real *packed = kept ? kept : room;
    real *own_scratch = bias + lines(g.F) + team->id * (indices + copy + transposed_scratch(&g));
    int64_t *k_offset = (int64_t *)own_scratch;
    const real *w = call->in[1].data;
    const int64_t rows = g.N * g.OH;
    const nnl_range share = nnl_share(panels, 1, team);
    const bool one_band = rows * g.OW <= BAND && panels >= team->size &&
                          !is_conv_better_transposed(&g);
    const nnl_part part = one_band ? (nnl_part){{0, rows}, share}
                                   : part_of(rows, g.OW, panels, team);
    if (!kept && !one_band) pack_kernel(&g, w, folded.scale, room, share);
    const nnl_epilogue epilogue = {.bias = folded_bias(&folded, bias, g.F, team),
                                   .activation = (int)call->attr[0].i,
                                   .alpha = call->attr[1].f};
    nnl_wait(team);

    if (length(part.panels) == 0 || nnl_size(&call->out[0]) == 0) return;
    const int64_t blocks = ceil_div(length(part.panels) * g.K * NR,
                                    kept ? KEPT_BLOCK : PACKED_BLOCK);
    const int64_t cuts = min_of(blocks, length(part.panels));
    nnl_tile t = {.a_access = A_GATHERED,
                  .k_offset = k_offset,
                  .K = g.K,
                  .b_k = NR,
                  .clamp = clamp_of(epilogue.activation, epilogue.alpha)};
    for (int64_t r = part.rows.begin; r < part.rows.end;) {
        const nnl_band band = next_band(largest, r, part.rows.end, g.OH);
        const nnl_view v = view_of(&g, call->in[0].data, band, r, own_scratch + indices);
        real *y = (real *)call->out[0].data + r * g.OW * g.F;
        r += band.images * band.rows;
        if (is_conv_better_transposed(&g)) {
            convolve_transposed(&g, &v, band, packed, own_scratch + indices + copy, k_offset, y,
                                &epilogue);
            continue;
        }
        window_offsets(&g, &v, k_offset);
        const int64_t next = band.images * band.rows, a_panels = ceil_div(next * g.OW, MR);
        nnl_prefetch prefetch = plan_prefetch((nnl_range){r, r + next}, rows, &call->out[0],
                                              &call->in[0], a_panels * length(part.panels));
        for (int64_t b = 0; b < cuts; b++) {
            const nnl_range cut = even_share(part.panels, 1, b, cuts);
            if (!kept && one_band) pack_kernel(&g, w, folded.scale, room, cut);
            if (kept && b + 1 < cuts)
                prefetch_kernel(&prefetch, packed + cut.end * g.K * NR, length(cut) * g.K * NR,
                                a_panels * length(cut));
            convolve_band(&g, &v, band, cut, packed, y, &epilogue, &prefetch, &t);
        }
    }
}

/* `packed`: the reals of the kernel, if this call packs it. */
static int64_t convolve_scratch(const nnl_call *call, int64_t packed, int threads) {
    const nnl_conv g = conv_of(&call->in[0], &call->in[1], &call->out[0], call->attr + 2);
    const int64_t own_scratch = lines_of_indices(g.K) +
                                lines(padded_size(&g, max_band(g.OH, g.OW, BAND))) +
                                transposed_scratch(&g);
    return (packed + lines(g.F) + own_scratch * threads) * (int64_t)sizeof(real);
}

/* y = act(conv(x, w) + b), where conv(x, w)[n, oh, ow, f] = the sum over kh, kw, c of
 *     x[n, oh stride_h - top + kh dilation_h, ow stride_w - left + kw dilation_w, c] *
 *     w[kh, kw, c, f].
 * x is 0 in the padding. The filters f of a group read the channels c of the same group.
 * in    x [N, H, W, C], w [KH, KW, C / groups, F], optionally b [F]; optionally scale and shift
 *       [F], by which conv(x, w) + b is multiplied, and what is added to that (folded.h)
 * out   y [N, OH, OW, F]
 * attr  kind of the activation (NNL_RELU ...), its alpha (see activate in activation.h), stride_h,
 *       stride_w, top, left (the padding), dilation_h, dilation_w, groups */
static void op_conv2d(const nnl_call *call, nnl_team *team) { convolve(call, NULL, team); }

static int64_t conv2d_scratch(const nnl_call *call, int threads) {
    return convolve_scratch(call, packed_kernel_size(call), threads);
}

/* The same with a kernel that pack_kernel has packed.
 * in    x [N, H, W, C], packed [KH, KW, C / groups, whole panels], optionally b [F]
 * out   y [N, OH, OW, F]
 * attr  as of conv2d */
static void op_conv2d_packed(const nnl_call *call, nnl_team *team) {
    convolve(call, call->in[1].data, team);
}

static int64_t conv2d_packed_scratch(const nnl_call *call, int threads) {
    return convolve_scratch(call, 0, threads);
}

/* A kernel as conv2d_packed and linear_packed read it. The columns of each group fill whole panels
 * of NR; a panel is [K, NR]. Columns behind the last are any numbers.
 * in    w [KH, KW, C / groups, F], optionally b [F]; optionally scale and shift [F] (folded.h)
 * out   packed [KH, KW, C / groups, whole panels], if all are given the bias that is left [F]
 * attr  groups */
static void op_pack_kernel(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *w = &call->in[0];
    const int64_t F = w->shape[w->ndim - 1], groups = call->attr[0].i;
    const nnl_conv g = {.F = F, .Fg = F / groups, .K = F ? nnl_size(w) / F : 0, .groups = groups};
    const nnl_folded folded = folded_of(call, 1);
    pack_kernel(&g, w->data, folded.scale, call->out[0].data,
                nnl_share(panels_of(groups, g.Fg), 1, team));
    if (call->n_out == 2) folded_bias(&folded, call->out[1].data, F, team);
}
