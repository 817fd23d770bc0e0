/* winograd.c: conv2d of 3 x 3 kernels with a quarter of the multiplications.
 *
 * From a *patch* of 6 x 6 pixels of x follow 4 x 4 pixels of y. Patches overlap by two pixels. With
 * the fixed small matrices A, B and G,
 *     y = A^T [(G w G^T) * (B^T x B)] A
 * for a channel c and a filter f, where * multiplies element by element: 36 products in place of
 * 16 * 9. The sum over the channels makes a matrix product of each of the 36 *positions*. Results
 * differ from those of conv2d by rounding, which the matrices enlarge: in float32 by some 1e-6 of
 * the largest. An infinity or NaN in a patch may reach all of its results.
 *
 * F(4 x 4, 3 x 3) of A. Lavin, S. Gray: "Fast algorithms for convolutional neural networks", CVPR
 * 2016.
 *
 * The team transforms the kernel, some filters at a time. Then each thread takes its patches, some
 * at a time: transforms them, multiplies, transforms the sums. An element depends on its own patch
 * only, so the bits do not depend on how the work is divided. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/gemm.h"
#include "../../gemm/microkernel.h"
#include "../../gemm/packed.h"
#include "../../math/activation.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"
#include "folded.h"
#include "geometry.h"

enum {
    SIDE = 4,                  /* of the pixels of y that a patch gives */
    PATCH_SIDE = SIDE + 3 - 1, /* of a patch */
    POSITIONS = PATCH_SIDE * PATCH_SIDE,
    PATCHES_AT_A_TIME = 28,
    KERNEL_AT_A_TIME = 1 << 21 /* reals of the transformed kernel */
};

/* How a call is divided. */
typedef struct {
    nnl_conv g;
    int64_t down, across, patches; /* of an image, and of all images */
    int64_t width;                 /* filters at a time */
    int64_t at_a_time;             /* patches of a thread at a time, at most */
    int64_t kernel, own;           /* reals of the transformed kernel, and of each thread */
} nnl_winograd;

/* From a position to the next one in memory, for `reals` of each. That is a line more than they
 * take, as the positions of one patch would else often be in the same set of a cache. */
static int64_t spaced(int64_t reals) { return lines(reals) + NNL_CACHE_LINE; }

static nnl_winograd winograd_of(const nnl_call *call) {
    nnl_winograd o = {.g = conv_of(&call->in[0], &call->in[1], &call->out[0], call->attr + 2)};
    o.down = ceil_div(o.g.OH, SIDE);
    o.across = ceil_div(o.g.OW, SIDE);
    o.patches = o.g.N * o.down * o.across;
    const int64_t panels = KERNEL_AT_A_TIME / (POSITIONS * o.g.C * NR);
    o.width = min_of(o.g.F, max_of(panels, 1) * NR);
    o.at_a_time = min_of(o.patches, PATCHES_AT_A_TIME);
    o.kernel = POSITIONS * spaced(packed_reals(o.g.C, o.width));
    o.own = POSITIONS * (spaced(o.at_a_time * o.g.C) + spaced(o.at_a_time * o.width)) +
            lines(o.g.C);
    return o;
}

/* G w of three vectors of w, `apart` vectors apart. */
NNL_INLINE void transform_kernel_line(vec *to, const vec *w, const int apart) {
    const vec sixth = vec_broadcast((real)(1.0 / 6)), twelfth = vec_broadcast((real)(1.0 / 12));
    const vec w0 = w[0], w1 = w[apart], w2 = w[2 * apart];
    const vec even = -sixth * (w0 + w2), odd = sixth * w1;
    const vec even_of_2 = vec_fmadd(sixth, w2, vec_broadcast((real)(1.0 / 24)) * w0);
    const vec odd_of_2 = twelfth * w1;
    to[0] = vec_broadcast((real)0.25) * w0;
    to[apart] = even - odd;
    to[2 * apart] = even + odd;
    to[3 * apart] = even_of_2 + odd_of_2;
    to[4 * apart] = even_of_2 - odd_of_2;
    to[5 * apart] = w2;
}

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

/* A^T m of six vectors of m, `apart` vectors apart: the first four of them. */
NNL_INLINE void transform_sum_line(vec *m, const int apart) {
    const vec m5 = m[5 * apart];
    const vec even = m[apart] + m[2 * apart], odd = m[apart] - m[2 * apart];
    const vec even_of_2 = m[3 * apart] + m[4 * apart], odd_of_2 = m[3 * apart] - m[4 * apart];
    m[0] = m[0] + even + even_of_2;
    m[apart] = vec_fmadd(vec_broadcast(2), odd_of_2, odd);
    m[2 * apart] = vec_fmadd(vec_broadcast(4), even_of_2, even);
    m[3 * apart] = vec_fmadd(vec_broadcast(8), odd_of_2, odd) + m5;
}

/* G w G^T for a share of the channels and `width` filters from f on, each times its scale if that
 * is given. The kernel of each position is packed for products. */
static void transform_kernel(const nnl_winograd *o, const real *w, const real *scale, int64_t f,
                             int64_t width, real *to, const nnl_team *team) {
    const int64_t C = o->g.C, F = o->g.F, size = spaced(packed_reals(C, width));
    const nnl_range share = nnl_share(C, 1, team);
    for (int64_t c = share.begin; c < share.end; c++) {
        const int64_t k = c / PACKED_KC * PACKED_KC, rows = min_of(PACKED_KC, C - k);
        for (int64_t j = 0; j < width; j += LANES) {
            real *at = to + packed_at(width, k, rows, j / NR) + (c - k) * NR + j % NR;
            vec given[9], columns[3 * PATCH_SIDE], all[POSITIONS];
#pragma GCC unroll 16
            for (int i = 0; i < 9; i++) {
                given[i] = vec_load(w + (i * C + c) * F + f + j);
                if (scale) given[i] *= vec_load(scale + f + j);
            }
#pragma GCC unroll 16
            for (int i = 0; i < 3; i++) transform_kernel_line(columns + i, given + i, 3);
#pragma GCC unroll 16
            for (int i = 0; i < PATCH_SIDE; i++) {
                vec line[PATCH_SIDE];
                transform_kernel_line(line, columns + 3 * i, 1);
                memcpy(all + PATCH_SIDE * i, line, sizeof line);
            }
#pragma GCC unroll 36
            for (int i = 0; i < POSITIONS; i++) vec_store(at + i * size, all[i]);
        }
    }
}

/* B^T x B of some patches: to[position][patch][channel]. `zeros` stands for pixels outside. */
static void transform_patches(const nnl_winograd *o, const real *x, const real *zeros,
                              nnl_range patches, real *to) {
    const nnl_conv *g = &o->g;
    const int64_t size = spaced(length(patches) * g->C);
    for (int64_t p = patches.begin; p < patches.end; p++, to += g->C) {
        const int64_t n = p / (o->down * o->across);
        const int64_t h = p / o->across % o->down * SIDE - g->top;
        const int64_t w = p % o->across * SIDE - g->left;
        const real *from[POSITIONS];
        for (int i = 0; i < POSITIONS; i++) {
            const int64_t row = h + i / PATCH_SIDE, column = w + i % PATCH_SIDE;
            const bool inside = row >= 0 && row < g->H && column >= 0 && column < g->W;
            from[i] = inside ? x + ((n * g->H + row) * g->W + column) * g->C : zeros;
        }
        for (int64_t c = 0; c < g->C; c += LANES) {
            vec d[POSITIONS];
#pragma GCC unroll 36
            for (int i = 0; i < POSITIONS; i++) d[i] = vec_load(from[i] + c);
#pragma GCC unroll 16
            for (int j = 0; j < PATCH_SIDE; j++) transform_patch_line(d + j, PATCH_SIDE);
#pragma GCC unroll 16
            for (int i = 0; i < PATCH_SIDE; i++) transform_patch_line(d + PATCH_SIDE * i, 1);
#pragma GCC unroll 36
            for (int i = 0; i < POSITIONS; i++) vec_store(to + i * size + c, d[i]);
        }
    }
}

/* y = act(A^T m A + b) of some patches and of `width` filters, with which y and the bias begin. */
static void transform_sums(const nnl_winograd *o, const real *m, nnl_range patches, int64_t width,
                           real *y, const nnl_epilogue *epilogue) {
    const nnl_conv *g = &o->g;
    const int64_t size = spaced(length(patches) * width);
    const nnl_clamp clamp = clamp_of(epilogue->activation, epilogue->alpha);
    for (int64_t p = patches.begin; p < patches.end; p++, m += width) {
        const int64_t n = p / (o->down * o->across);
        const int64_t h = p / o->across % o->down * SIDE, w = p % o->across * SIDE;
        const int64_t rows = min_of(SIDE, g->OH - h), columns = min_of(SIDE, g->OW - w);
        real *to = y + ((n * g->OH + h) * g->OW + w) * g->F;
        for (int64_t f = 0; f < width; f += LANES) {
            const vec bias = epilogue->bias ? vec_load(epilogue->bias + f) : (vec){0};
            vec d[POSITIONS];
#pragma GCC unroll 36
            for (int i = 0; i < POSITIONS; i++) d[i] = vec_load(m + i * size + f);
#pragma GCC unroll 16
            for (int j = 0; j < PATCH_SIDE; j++) transform_sum_line(d + j, PATCH_SIDE);
#pragma GCC unroll 16
            for (int i = 0; i < SIDE; i++) transform_sum_line(d + PATCH_SIDE * i, 1);
            for (int64_t i = 0; i < rows; i++)
                for (int64_t j = 0; j < columns; j++) {
                    vec v = d[PATCH_SIDE * i + j] + bias;
                    if (clamp.is_done) v = vec_clamp(v, clamp.cap);
                    vec_store(to + (i * g->OW + j) * g->F + f, v);
                }
        }
        for (int64_t i = 0; i < rows && !clamp.is_done; i++)
            activate_rows(to + i * g->OW * g->F, columns, width, g->F, epilogue);
    }
}

/* As conv2d, but for rounding: of kernels of 3 x 3, strides and dilations of 1, and one group,
 * where C and F fill whole vectors.
 * in    x [N, H, W, C], w [3, 3, C, F], optionally b [F]; optionally scale and shift [F]
 * out   y [N, OH, OW, F]
 * attr  as of conv2d */
static void op_conv2d_winograd(const nnl_call *call, nnl_team *team) {
    const nnl_winograd o = winograd_of(call);
    const nnl_folded folded = folded_of(call, 2);
    const int64_t C = o.g.C, F = o.g.F;
    real *kernel = team->scratch, *left = kernel + o.kernel;
    real *zeros = left + lines(F) + team->id * o.own, *own = zeros + lines(C);
    const real *bias = folded_bias(&folded, left, F, team);
    const nnl_range share = nnl_share(o.patches, 1, team);
    const int64_t turns = ceil_div(length(share), PATCHES_AT_A_TIME);
    memset(zeros, 0, (size_t)C * sizeof *zeros);
    for (int64_t f = 0; f < F; f += o.width) {
        const int64_t width = min_of(o.width, F - f), size = spaced(packed_reals(C, width));
        if (f) nnl_wait(team); /* until no thread reads the filters before */
        transform_kernel(&o, call->in[1].data, folded.scale, f, width, kernel, team);
        nnl_wait(team);
        const nnl_epilogue epilogue = {.bias = bias ? bias + f : NULL,
                                       .activation = (int)call->attr[0].i,
                                       .alpha = call->attr[1].f};
        for (int64_t turn = 0; turn < turns; turn++) {
            const nnl_range patches = even_share(share, 1, turn, turns);
            const int64_t rows = length(patches), in = spaced(rows * C), out = spaced(rows * width);
            real *sums = own + POSITIONS * in;
            transform_patches(&o, call->in[0].data, zeros, patches, own);
            for (int64_t i = 0; i < POSITIONS; i++) {
                const nnl_packed B = {kernel + i * size, C, width, C, width};
                multiply_packed(sums + i * out, width, (nnl_operand){own + i * in, C, false}, rows,
                                &B, false, NULL);
            }
            transform_sums(&o, sums, patches, width, (real *)call->out[0].data + f, &epilogue);
        }
    }
}

static int64_t conv2d_winograd_scratch(const nnl_call *call, int threads) {
    const nnl_winograd o = winograd_of(call);
    return (o.kernel + lines(o.g.F) + o.own * threads) * (int64_t)sizeof(real);
}
