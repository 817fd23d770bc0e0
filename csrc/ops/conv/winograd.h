/* winograd.h: what the convolution of 3 x 3 kernels with a quarter of the multiplications has in
 * common with its gradients.
 *
 * From a *patch* of 6 x 6 pixels of x follow 4 x 4 pixels of y. Patches overlap by two pixels. With
 * the fixed small matrices A, B and G,
 *     y = A^T [(G w G^T) * (B^T x B)] A
 * for a channel c and a filter f, where * multiplies element by element: 36 products in place of
 * 16 * 9. The sum over the channels makes a matrix product of each of the 36 *positions*. Results
 * differ from those of conv2d by rounding, which the matrices enlarge. An infinity or NaN in a
 * patch may reach all of its results.
 *
 * The gradients follow:
 *     dx += B [(G w G^T) * (A dy A^T)] B^T for each patch,
 *     dw = G^T [sum over the patches of (B^T x B) * (A dy A^T)] G.
 *
 * F(4 x 4, 3 x 3) of A. Lavin, S. Gray: "Fast algorithms for convolutional neural networks", CVPR
 * 2016. */
#ifndef NNL_CONV_WINOGRAD_H
#define NNL_CONV_WINOGRAD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/microkernel.h"
#include "../../runtime/shares.h"
#include "geometry.h"

enum {
    SIDE = 4,                  /* of the pixels of y that a patch gives */
    PATCH_SIDE = SIDE + 3 - 1, /* of a patch */
    POSITIONS = PATCH_SIDE * PATCH_SIDE
};

/* The patches of the images of a convolution. */
typedef struct {
    nnl_conv g;
    int64_t down, across, all; /* of an image, and of all images */
} nnl_patches;

static nnl_patches patches_of(const nnl_conv *g) {
    nnl_patches p = {.g = *g, .down = ceil_div(g->OH, SIDE), .across = ceil_div(g->OW, SIDE)};
    p.all = g->N * p.down * p.across;
    return p;
}

/* From a position to the next one in memory, for `reals` of each. That is a line more than they
 * take, as the positions of one patch would else often be in the same set of a cache. */
static int64_t spaced(int64_t reals) { return lines(reals) + NNL_CACHE_LINE; }

/* B^T x of six vectors of x, `apart` vectors apart, in place. */
NNL_INLINE void transform_patch_line(vec *x, const int apart) {
    const vec two = vec_broadcast(2), four = vec_broadcast(4), minus_five = vec_broadcast(-5);
    const vec x0 = x[0], x1 = x[apart], x2 = x[2 * apart], x3 = x[3 * apart], x4 = x[4 * apart];
    const vec even = vec_fmadd(-four, x2, x4), odd = vec_fmadd(-four, x1, x3);
    const vec even_of_2 = x4 - x2, odd_of_2 = x3 - x1;
    x[0] = vec_fmadd(four, x0, vec_fmadd(minus_five, x2, x4));
    x[apart] = even + odd;
    x[2 * apart] = even - odd;
    x[3 * apart] = vec_fmadd(two, odd_of_2, even_of_2);
    x[4 * apart] = vec_fmadd(-two, odd_of_2, even_of_2);
    x[5 * apart] = vec_fmadd(four, x1, vec_fmadd(minus_five, x3, x[5 * apart]));
}

/* B^T x B of some patches, and of some channels: to[position][patch][channel]. `zeros` stands for
 * pixels outside. */
static void transform_patches(const nnl_patches *p, const real *x, const real *zeros,
                              nnl_range patches, nnl_range channels, real *to) {
    const nnl_conv *g = &p->g;
    const int64_t size = spaced(length(patches) * length(channels));
    for (int64_t i = patches.begin; i < patches.end; i++, to += length(channels)) {
        const int64_t n = i / (p->down * p->across);
        const int64_t h = i / p->across % p->down * SIDE - g->top;
        const int64_t w = i % p->across * SIDE - g->left;
        const real *from[POSITIONS];
        for (int k = 0; k < POSITIONS; k++) {
            const int64_t row = h + k / PATCH_SIDE, column = w + k % PATCH_SIDE;
            const bool inside = row >= 0 && row < g->H && column >= 0 && column < g->W;
            from[k] = inside ? x + ((n * g->H + row) * g->W + column) * g->C + channels.begin
                             : zeros;
        }
        for (int64_t c = 0; c < length(channels); c += LANES) {
            vec d[POSITIONS];
#pragma GCC unroll 36
            for (int k = 0; k < POSITIONS; k++) d[k] = vec_load(from[k] + c);
#pragma GCC unroll 16
            for (int j = 0; j < PATCH_SIDE; j++) transform_patch_line(d + j, PATCH_SIDE);
#pragma GCC unroll 16
            for (int j = 0; j < PATCH_SIDE; j++) transform_patch_line(d + PATCH_SIDE * j, 1);
#pragma GCC unroll 36
            for (int k = 0; k < POSITIONS; k++) vec_store(to + k * size + c, d[k]);
        }
    }
}

/* A d of four vectors. */
NNL_INLINE void spread_line(vec *to, const vec *d, const int apart, const int to_apart) {
    const vec two = vec_broadcast(2), four = vec_broadcast(4), eight = vec_broadcast(8);
    const vec d0 = d[0], d1 = d[apart], d2 = d[2 * apart], d3 = d[3 * apart];
    const vec even = d0 + d2, odd = d1 + d3;
    const vec even_of_2 = vec_fmadd(four, d2, d0), odd_of_2 = vec_fmadd(eight, d3, two * d1);
    to[0] = d0;
    to[to_apart] = even + odd;
    to[2 * to_apart] = even - odd;
    to[3 * to_apart] = even_of_2 + odd_of_2;
    to[4 * to_apart] = even_of_2 - odd_of_2;
    to[5 * to_apart] = d3;
}

/* A dy A^T of some patches, and of some filters: to[position][patch][filter]. `zeros` stands for
 * pixels outside. */
static void spread_results(const nnl_patches *p, const real *dy, const real *zeros,
                           nnl_range patches, nnl_range filters, real *to) {
    const nnl_conv *g = &p->g;
    const int64_t size = spaced(length(patches) * length(filters));
    for (int64_t i = patches.begin; i < patches.end; i++, to += length(filters)) {
        const int64_t n = i / (p->down * p->across);
        const int64_t h = i / p->across % p->down * SIDE, w = i % p->across * SIDE;
        const real *from[SIDE * SIDE];
        for (int k = 0; k < SIDE * SIDE; k++) {
            const int64_t row = h + k / SIDE, column = w + k % SIDE;
            from[k] = row < g->OH && column < g->OW
                          ? dy + ((n * g->OH + row) * g->OW + column) * g->F + filters.begin
                          : zeros;
        }
        for (int64_t f = 0; f < length(filters); f += LANES) {
            vec given[SIDE * SIDE], columns[PATCH_SIDE * SIDE], all[POSITIONS];
#pragma GCC unroll 16
            for (int k = 0; k < SIDE * SIDE; k++) given[k] = vec_load(from[k] + f);
#pragma GCC unroll 16
            for (int j = 0; j < SIDE; j++) spread_line(columns + j, given + j, SIDE, SIDE);
#pragma GCC unroll 16
            for (int j = 0; j < PATCH_SIDE; j++)
                spread_line(all + PATCH_SIDE * j, columns + SIDE * j, 1, 1);
#pragma GCC unroll 36
            for (int k = 0; k < POSITIONS; k++) vec_store(to + k * size + f, all[k]);
        }
    }
}

#endif
