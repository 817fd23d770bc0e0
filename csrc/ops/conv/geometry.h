/* geometry.h: what conv2d and its gradients have in common: shapes, how windows are read from the
 * images, and how the team divides the work.
 *
 * Letters: images x [N, H, W, C], kernel w [KH, KW, C / groups, F], results y [N, OH, OW, F].
 * A *tap* is one position (kh, kw) of the kernel. A *window* is the part of an image under the
 * kernel; it gives one pixel of y. A *band* is some rows of one image, or some whole images. */
#ifndef NNL_CONV_GEOMETRY_H
#define NNL_CONV_GEOMETRY_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/blocking.h"
#include "../../gemm/gemm.h"
#include "../../gemm/microkernel.h"
#include "../../gemm/prefetch.h"
#include "../../math/activation.h"
#include "../../nnlite.h"
#include "../../runtime/shares.h"

enum {
    BAND = 512,             /* pixels of y in a band */
    PACKED_BLOCK = 1 << 18, /* reals of a packed kernel that stay in L2 ... */
    KEPT_BLOCK = 1 << 16    /* ... and of one that comes from memory, part by part */
};

typedef struct {
    int64_t N, H, W, C, KH, KW, OH, OW, F;
    int64_t stride_h, stride_w, top, left, dilation_h, dilation_w, groups;
    int64_t Cg, Fg, K; /* channels of x and of y in a group; KH * KW * Cg */
} nnl_conv;

/* attr  stride_h, stride_w, top, left (the padding), dilation_h, dilation_w, groups */
static nnl_conv conv_of(const nnl_tensor *x, const nnl_tensor *w, const nnl_tensor *y,
                        const nnl_attr *attr) {
    const int64_t *a = x->shape, *k = w->shape, *b = y->shape;
    nnl_conv g = {a[0],      a[1],      a[2],      a[3],      k[0],       k[1],
                  b[1],      b[2],      b[3],      attr[0].i, attr[1].i,  attr[2].i,
                  attr[3].i, attr[4].i, attr[5].i, attr[6].i, .Cg = k[2], .Fg = b[3] / attr[6].i};
    g.K = g.KH * g.KW * g.Cg;
    return g;
}

/* How many rows of x `rows` rows of windows cover, and how many columns. */
static int64_t covered_rows(const nnl_conv *g, int64_t rows) {
    return (rows - 1) * g->stride_h + (g->KH - 1) * g->dilation_h + 1;
}
static int64_t covered_columns(const nnl_conv *g, int64_t columns) {
    return (columns - 1) * g->stride_w + (g->KW - 1) * g->dilation_w + 1;
}

static bool reaches_over_border(const nnl_conv *g) {
    return g->top || g->left || covered_rows(g, g->OH) > g->H || covered_columns(g, g->OW) > g->W;
}

/* `rows` rows of one image, or `images` whole images. */
typedef struct {
    int64_t images, rows;
} nnl_band;

/* The largest band of `pixels` pixels: whole images of rows x columns, or rows, at least one. */
static nnl_band max_band(int64_t rows, int64_t columns, int64_t pixels) {
    const int64_t image = rows * columns;
    if (image <= pixels) return (nnl_band){image ? pixels / image : 1, rows};
    return (nnl_band){1, columns < pixels ? pixels / columns : 1};
}

/* The band that begins at row `at` and ends at row `end` or before, counted over all images. */
static nnl_band next_band(nnl_band largest, int64_t at, int64_t end, int64_t image_rows) {
    const int64_t row = at % image_rows, left = end - at;
    if (row == 0 && left >= image_rows && largest.rows == image_rows)
        return (nnl_band){min_of(largest.images, left / image_rows), image_rows};
    return (nnl_band){1, min_of(min_of(largest.rows, image_rows - row), left)};
}

/* x under the windows of a band. Element (i, r, j, c) is
 * data[i * image + r * row + j * pixel + c]. */
typedef struct {
    const real *data;
    int64_t image, row, pixel;
} nnl_view;

/* Reals of the padded copy of x under a band, 0 if no window reaches over the border. */
static int64_t padded_size(const nnl_conv *g, nnl_band largest) {
    if (!reaches_over_border(g)) return 0;
    return min_of(largest.images, g->N) * covered_rows(g, min_of(largest.rows, g->OH)) *
           covered_columns(g, g->OW) * g->C;
}

/* Copies a row of x, beginning with column -left. The padding is 0. NULL is a row of padding. */
static void copy_padded_row(real *to, const real *x, const nnl_conv *g, int64_t columns) {
    const int64_t before = min_of(g->left, columns), inside = min_of(g->W, columns - before);
    const int64_t after = columns - before - inside;
    memset(to, 0, (size_t)(before * g->C) * sizeof *to);
    if (x)
        memcpy(to + before * g->C, x, (size_t)(inside * g->C) * sizeof *to);
    else
        memset(to + before * g->C, 0, (size_t)(inside * g->C) * sizeof *to);
    memset(to + (before + inside) * g->C, 0, (size_t)(after * g->C) * sizeof *to);
}

/* x under the band that begins at row `at` of y, in place or, if windows reach over the border,
 * copied to `copy`, which has room for padded_size reals. */
static nnl_view view_of(const nnl_conv *g, const real *x, nnl_band band, int64_t at, real *copy) {
    const int64_t n = at / g->OH, first = at % g->OH * g->stride_h - g->top;
    if (!reaches_over_border(g))
        return (nnl_view){x + (n * g->H + first) * g->W * g->C, g->H * g->W * g->C, g->W * g->C,
                          g->C};
    const int64_t rows = covered_rows(g, band.rows), columns = covered_columns(g, g->OW);
    const nnl_view v = {copy, rows * columns * g->C, columns * g->C, g->C};
    for (int64_t i = 0; i < band.images; i++)
        for (int64_t r = 0; r < rows; r++) {
            const int64_t h = first + r;
            const real *row = x + ((n + i) * g->H + h) * g->W * g->C;
            copy_padded_row(copy + i * v.image + r * v.row, h >= 0 && h < g->H ? row : NULL, g,
                            columns);
        }
    return v;
}

/* Reals, rounded up to whole cache lines. */
static int64_t lines(int64_t reals) { return ceil_div(reals, NNL_CACHE_LINE) * NNL_CACHE_LINE; }
static int64_t lines_of_indices(int64_t n) {
    return lines(n * (int64_t)(sizeof(int64_t) / sizeof(real)));
}

/* The part of a product that a thread computes: rows of pixels, and panels of columns. */
typedef struct {
    nnl_range rows, panels;
} nnl_part;

static nnl_part part_of(int64_t rows, int64_t pixels_of_row, int64_t panels, const nnl_team *team) {
    const int down = threads_down(rows * pixels_of_row, panels * NR, team->size);
    return (nnl_part){even_share((nnl_range){0, rows}, 1, team->id % down, down),
                      even_share((nnl_range){0, panels}, 1, team->id / down, team->size / down)};
}

/* The columns of a product form panels of up to NR. All columns of a panel belong to one group; a
 * group has `width` columns. A panel has n columns. The number of its first is `within` in the
 * group, and `column` over all groups. */
typedef struct {
    int64_t group, within, column, n;
} nnl_panel;

static int64_t panels_of(int64_t groups, int64_t width) { return groups * ceil_div(width, NR); }

static nnl_panel panel_of(int64_t p, int64_t width) {
    const int64_t panels = ceil_div(width, NR), group = p < panels ? 0 : p / panels;
    const int64_t within = (p - group * panels) * NR;
    return (nnl_panel){group, within, group * width + within, min_of(NR, width - within)};
}

/* The columns of some panels. */
static nnl_range columns_of(nnl_range panels, int64_t width) {
    const nnl_panel last = panel_of(panels.end - 1, width);
    return (nnl_range){panel_of(panels.begin, width).column, last.column + last.n};
}

/* How many elements of a window are contiguous in x: a row of it or the channels of one tap. */
static int64_t contiguous_length(const nnl_conv *g) {
    return g->dilation_w == 1 && g->groups == 1 ? g->KW * g->Cg : g->Cg;
}

/* If runs of k are at least this long and the rows of a tile are equally far apart, the rows are
 * addressed from a few pointers. Else each row has an offset of its own. */
enum { LONG_RUN = 8 };

/* How the tile reads A. `run`: how many consecutive k are contiguous in memory. */
static void choose_a_access(nnl_tile *t, int64_t run) {
    const int64_t distance = t->rows > 1 ? t->a_offset[1] - t->a_offset[0] : 0;
    bool even = run >= LONG_RUN;
    for (int i = 1; even && i < t->rows; i++)
        even = t->a_offset[i] == t->a_offset[0] + i * distance;
    t->a_access = even ? A_ROW_MAJOR : A_GATHERED;
    t->a_row = distance;
    t->run = run;
}

/* Applies the activation to rows of n columns, ld apart. */
static void activate_rows(real *y, int64_t rows, int64_t n, int64_t ld,
                          const nnl_epilogue *epilogue) {
    if (epilogue->activation == NNL_LINEAR) return;
    if (n == ld) n *= rows, rows = 1;
    for (int64_t i = 0; i < rows; i++, y += ld)
        activate(y, y, n, epilogue->activation, epilogue->alpha);
}

#endif
