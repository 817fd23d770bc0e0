/* winograd.h: what the convolution of 3 x 3 kernels with a quarter of the multiplications has in
 * common with its gradients.
 *
 * From a *patch* of 6 x 6 pixels of x follow 4 x 4 pixels of y. Patches overlap by two pixels. With
 * the fixed small matrices A, B and G,
 *     y = A^T [(G w G^T) * (B^T x B)] A
 * for a channel c and a filter f, where * multiplies element by element: 36 products in place of
 * 16 * 9. The sum over the channels makes a matrix product of each of the 36 *positions*. Results
 * differ from those of conv2d by rounding, which the matrices enlarge: in float32 by some 1e-6 of
 * the largest. An infinity or NaN in a patch may reach all of its results.
 *
 * dx is such a convolution, too: that of dy with the kernel turned by half a circle. And
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

static nnl_patches patches_of(nnl_conv g) {
    nnl_patches p = {.g = g, .down = ceil_div(g.OH, SIDE), .across = ceil_div(g.OW, SIDE)};
    p.all = g.N * p.down * p.across;
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

#endif
