/* sparse.h: the gradients of conv2d where nearly all of dy is 0, as behind a global maximum, which
 * passes on one pixel of each filter. Letters and terms as in geometry.h.
 *
 * An element of dy that is not 0 adds its multiple of a filter to a window of dx, and its multiple
 * of a window of x to the filter in dw. A product would multiply by all the zeros, too. */
#ifndef NNL_CONV_SPARSE_H
#define NNL_CONV_SPARSE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/pack.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"
#include "geometry.h"

enum {
    SAMPLED_PIXELS = 64, /* of dy, to see how many zeros it has */
    SPARSE_FROM = 8,     /* elements for each that is not 0: a product is faster below */
    ZEROS_AT_ONCE = 16
};

/* Whether nearly all of dy is 0, by pixels that lie evenly among all. It depends on dy alone, so
 * all threads find the same. */
static bool is_sparse(const nnl_conv *g, const real *dy) {
    const int64_t pixels = g->N * g->OH * g->OW, sampled = min_of(pixels, SAMPLED_PIXELS);
    int64_t found = 0;
    if (g->groups > 1 || g->dilation_w > 1) return false;
    for (int64_t s = 0; s < sampled; s++) {
        const real *pixel = dy + pixels * s / sampled * g->F;
        for (int64_t f = 0; f < g->F; f++) found += pixel[f] != 0;
    }
    return found * SPARSE_FROM < sampled * g->F;
}

/* The first filter from f on, and before `end`, whose element is not 0; or `end`. */
static int64_t next_filter(const real *pixel, int64_t f, int64_t end) {
    for (; f + ZEROS_AT_ONCE <= end; f += ZEROS_AT_ONCE) {
        bool any = false;
        for (int j = 0; j < ZEROS_AT_ONCE; j++) any |= pixel[f + j] != 0;
        if (any) break;
    }
    while (f < end && pixel[f] == 0) f++;
    return f;
}

/* What of row kh of a window lies in the image: n elements, from x_at on in x and from k_at on in a
 * filter. */
typedef struct {
    int64_t n, x_at, k_at;
} nnl_window_row;

static nnl_window_row window_row(const nnl_conv *g, int64_t image, int64_t oh, int64_t ow,
                                 int64_t kh) {
    const int64_t h = oh * g->stride_h - g->top + kh * g->dilation_h;
    const int64_t w = ow * g->stride_w - g->left, kw = max_of(0, -w);
    if (h < 0 || h >= g->H) return (nnl_window_row){0, 0, 0};
    return (nnl_window_row){max_of(0, min_of(g->KW, g->W - w) - kw) * g->C,
                            ((image * g->H + h) * g->W + w + kw) * g->C, (kh * g->KW + kw) * g->C};
}

/* dx += dy times the filters, or, if `to_filters`, filters += dy times the windows of x: for some
 * images, and for some filters. Filters are [F, K]. The order of the sums is that of the pixels,
 * then that of the filters. */
NNL_INLINE void add_windows(const nnl_conv *g, const bool to_filters, const real *dy, real *windows,
                            real *filters, nnl_range images, nnl_range of_filters) {
    for (int64_t n = images.begin; n < images.end; n++)
        for (int64_t oh = 0; oh < g->OH; oh++)
            for (int64_t ow = 0; ow < g->OW; ow++) {
                const real *pixel = dy + ((n * g->OH + oh) * g->OW + ow) * g->F;
                int64_t f = of_filters.begin;
                while ((f = next_filter(pixel, f, of_filters.end)) < of_filters.end) {
                    for (int64_t kh = 0; kh < g->KH; kh++) {
                        const nnl_window_row row = window_row(g, n, oh, ow, kh);
                        real *window = windows + row.x_at, *filter = filters + f * g->K + row.k_at;
                        if (to_filters)
                            add_multiple(filter, pixel[f], window, row.n);
                        else
                            add_multiple(window, pixel[f], filter, row.n);
                    }
                    f++;
                }
            }
}

/* to[s, r] = from[r, s] for some columns s. */
static void transpose_columns(real *to, const real *from, int64_t rows, int64_t columns,
                              nnl_range some) {
    for (int64_t s = some.begin; s < some.end; s += LANES)
        for (int64_t r = 0; r < rows; r += LANES) {
            const int64_t n = some.end - s, m = rows - r;
            vec square[LANES];
            for (int l = 0; l < LANES; l++)
                square[l] = l < m ? vec_load_first(from + (r + l) * columns + s, n) : (vec){0};
            transpose(square);
            for (int l = 0; l < LANES && l < n; l++)
                vec_store_first(to + (s + l) * rows + r, square[l], m);
        }
}

/* Reals of scratch for the filters [F, K]. */
static int64_t sparse_scratch(const nnl_conv *g) { return lines(g->K * g->F); }

/* Each thread computes dx of images of its own. */
static void sparse_gradient_input(const nnl_conv *g, const real *dy, const real *w, real *dx,
                                  const nnl_team *team) {
    real *filters = team->scratch;
    const nnl_range images = nnl_share(g->N, 1, team);
    const int64_t image = g->H * g->W * g->C;
    transpose_columns(filters, w, g->K, g->F, nnl_share(g->F, NNL_CACHE_LINE, team));
    memset(dx + images.begin * image, 0, (size_t)(length(images) * image) * sizeof *dx);
    nnl_wait(team);
    add_windows(g, false, dy, dx, filters, images, (nnl_range){0, g->F});
}

/* sums[j] = the sum over all pixels of element j, for at most a cache line of elements. */
static void sum_pixels(real *sums, const real *dy, int64_t pixels, int64_t F, int64_t n) {
    double sum[64 / sizeof(real)] = {0};
    for (int64_t i = 0; i < pixels; i++)
        for (int64_t j = 0; j < n; j++) sum[j] += (double)dy[i * F + j];
    for (int64_t j = 0; j < n; j++) sums[j] = (real)sum[j];
}

/* Each thread computes dw, and db unless that is NULL, of filters of its own. */
static void sparse_gradient_kernel(const nnl_conv *g, const real *x, const real *dy, real *dw,
                                   real *db, const nnl_team *team) {
    real *filters = team->scratch;
    const nnl_range mine = nnl_share(g->F, NNL_CACHE_LINE, team);
    const int64_t pixels = g->N * g->OH * g->OW;
    memset(filters + mine.begin * g->K, 0, (size_t)(length(mine) * g->K) * sizeof *filters);
    add_windows(g, true, dy, (real *)x, filters, (nnl_range){0, g->N}, mine);
    for (int64_t f = mine.begin; db && f < mine.end; f += NNL_CACHE_LINE)
        sum_pixels(db + f, dy + f, pixels, g->F, min_of(NNL_CACHE_LINE, mine.end - f));
    nnl_wait(team);
    transpose_columns(dw, filters, g->F, g->K, nnl_share(g->K, NNL_CACHE_LINE, team));
}

#endif
