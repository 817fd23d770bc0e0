/* winograd.c: conv2d of 3 x 3 kernels with a quarter of the multiplications, and its gradient with
 * respect to the images. winograd.h has the formulas.
 *
 * The team transforms the kernel, some filters at a time. Then each thread takes its patches, some
 * at a time: transforms them, multiplies, transforms the sums. An element depends on its own patch
 * only, so the bits do not depend on how the work is divided. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/gemm.h"
#include "../../gemm/microkernel.h"
#include "../../gemm/pack.h"
#include "../../gemm/packed.h"
#include "../../math/activation.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"
#include "folded.h"
#include "geometry.h"
#include "sparse.h"
#include "winograd.h"

enum {
    PATCHES_AT_A_TIME = 28,
    /* Reals of the transformed kernel at most: in L2, if that is worth transforming patches for
     * each turn; else anywhere. */
    KERNEL_IN_CACHE = POSITIONS * 128 * 64,
    KERNEL_AT_A_TIME = 1 << 21,
    WORTH_A_TURN = 64 /* filters */
};

/* How a call is divided. */
typedef struct {
    nnl_patches patches;
    int64_t width;       /* filters at a time */
    int64_t kernel, own; /* reals of the transformed kernel, and of each thread */
} nnl_winograd;

static nnl_winograd winograd_of(nnl_conv g) {
    nnl_winograd o = {.patches = patches_of(g)};
    const int64_t of_panel = POSITIONS * g.C * NR, in_cache = KERNEL_IN_CACHE / of_panel;
    const int64_t panels = in_cache * NR >= WORTH_A_TURN ? in_cache : KERNEL_AT_A_TIME / of_panel;
    const int64_t at_a_time = min_of(o.patches.all, PATCHES_AT_A_TIME);
    o.width = min_of(g.F, max_of(panels, 1) * NR);
    o.kernel = POSITIONS * spaced(packed_reals(g.C, o.width));
    o.own = POSITIONS * (spaced(at_a_time * g.C) + spaced(at_a_time * o.width)) + lines(g.C);
    return o;
}

/* The kernel of a convolution [3, 3, C, F]; or, of its gradient, that of the convolution of which F
 * and C are channels and filters: then it is turned and transposed. Each filter is times its scale
 * if that is given. */
typedef struct {
    const real *w, *scale;
    bool turned;
} nnl_small_kernel;

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

/* G w G^T for a channel and a vector of filters. The taps of w, and the positions, lie apart. */
NNL_INLINE void transform_taps(const real *w, int64_t tap, const vec scale, real *to,
                               int64_t position) {
    vec given[9], columns[3 * PATCH_SIDE], all[POSITIONS];
#pragma GCC unroll 16
    for (int i = 0; i < 9; i++) given[i] = vec_load(w + i * tap) * scale;
#pragma GCC unroll 16
    for (int i = 0; i < 3; i++) transform_kernel_line(columns + i, given + i, 3);
#pragma GCC unroll 16
    for (int i = 0; i < PATCH_SIDE; i++) {
        vec line[PATCH_SIDE];
        transform_kernel_line(line, columns + 3 * i, 1);
        memcpy(all + PATCH_SIDE * i, line, sizeof line);
    }
#pragma GCC unroll 36
    for (int i = 0; i < POSITIONS; i++) vec_store(to + i * position, all[i]);
}

/* G w G^T for a share of the channels and `width` filters from f on. The kernel of each position is
 * packed for products. */
static void transform_kernel(const nnl_small_kernel *kernel, const nnl_conv *g, int64_t f,
                             int64_t width, real *to, const nnl_team *team) {
    const int64_t size = spaced(packed_reals(g->C, width));
    const nnl_range share = nnl_share(g->C, LANES, team);
    for (int64_t c = share.begin; c < share.end; c += LANES)
        for (int64_t j = 0; j < width; j += LANES) {
            real turned[9 * LANES * LANES];
            const real *w = kernel->w + c * g->F + f + j;
            int64_t tap = g->C * g->F, channel = g->F;
            if (kernel->turned) {
                for (int i = 0; i < 9; i++)
                    pack(turned + i * LANES * LANES, LANES,
                         (nnl_pack_source){kernel->w + ((8 - i) * g->F + f + j) * g->C + c, g->C,
                                           LANES, LANES, true});
                w = turned, tap = LANES * LANES, channel = LANES;
            }
            const vec scale = kernel->scale ? vec_load(kernel->scale + f + j) : vec_broadcast(1);
            for (int64_t i = 0; i < LANES; i++) {
                const int64_t k = (c + i) / PACKED_KC * PACKED_KC;
                const int64_t rows = min_of(PACKED_KC, g->C - k);
                transform_taps(w + i * channel, tap, scale,
                               to + packed_at(width, k, rows, j / NR) + (c + i - k) * NR + j % NR,
                               size);
            }
        }
}

/* y = act(A^T m A + b) of some patches and of `width` filters, with which y and the bias begin. */
static void transform_sums(const nnl_patches *o, const real *m, nnl_range patches, int64_t width,
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

/* y = act(the convolution of x + the bias of the epilogue). */
static void convolve_patches(const nnl_winograd *o, const real *x, const nnl_small_kernel *given,
                             real *y, const nnl_epilogue *epilogue, real *scratch, nnl_team *team) {
    const nnl_conv *g = &o->patches.g;
    real *kernel = scratch, *zeros = kernel + o->kernel + team->id * o->own;
    real *own = zeros + lines(g->C);
    const nnl_range share = nnl_share(o->patches.all, 1, team), channels = {0, g->C};
    const int64_t turns = ceil_div(length(share), PATCHES_AT_A_TIME);
    memset(zeros, 0, (size_t)g->C * sizeof *zeros);
    for (int64_t f = 0; f < g->F; f += o->width) {
        const int64_t width = min_of(o->width, g->F - f);
        const int64_t size = spaced(packed_reals(g->C, width));
        nnl_epilogue of_width = *epilogue;
        if (epilogue->bias) of_width.bias += f;
        if (f) nnl_wait(team); /* until no thread reads the filters before */
        transform_kernel(given, g, f, width, kernel, team);
        nnl_wait(team);
        for (int64_t turn = 0; turn < turns; turn++) {
            const nnl_range patches = even_share(share, 1, turn, turns);
            const int64_t rows = length(patches), in = spaced(rows * g->C);
            const int64_t out = spaced(rows * width);
            real *sums = own + POSITIONS * in;
            transform_patches(&o->patches, x, zeros, patches, channels, own);
            for (int64_t i = 0; i < POSITIONS; i++) {
                const nnl_packed B = {kernel + i * size, g->C, width, g->C, width};
                multiply_packed(sums + i * out, width, (nnl_operand){own + i * in, g->C, false},
                                rows, &B, false, NULL);
            }
            transform_sums(&o->patches, sums, patches, width, y + f, &of_width);
        }
    }
}

/* As conv2d, but for rounding: of kernels of 3 x 3, strides and dilations of 1, and one group,
 * where C and F fill whole vectors.
 * in    x [N, H, W, C], w [3, 3, C, F], optionally b [F]; optionally scale and shift [F]
 * out   y [N, OH, OW, F]
 * attr  as of conv2d */
static void op_conv2d_winograd(const nnl_call *call, nnl_team *team) {
    const nnl_conv g = conv_of(&call->in[0], &call->in[1], &call->out[0], call->attr + 2);
    const nnl_winograd o = winograd_of(g);
    const nnl_folded folded = folded_of(call, 2);
    real *left = team->scratch, *scratch = left + lines(g.F);
    const nnl_epilogue epilogue = {.bias = folded_bias(&folded, left, g.F, team),
                                   .activation = (int)call->attr[0].i,
                                   .alpha = call->attr[1].f};
    const nnl_small_kernel kernel = {call->in[1].data, folded.scale, false};
    convolve_patches(&o, call->in[0].data, &kernel, call->out[0].data, &epilogue, scratch, team);
}

static int64_t conv2d_winograd_scratch(const nnl_call *call, int threads) {
    const nnl_conv g = conv_of(&call->in[0], &call->in[1], &call->out[0], call->attr + 2);
    const nnl_winograd o = winograd_of(g);
    return (lines(g.F) + o.kernel + o.own * threads) * (int64_t)sizeof(real);
}

/* The convolution of dy that gives dx. */
static nnl_conv turned(const nnl_conv *g) {
    nnl_conv t = *g;
    t.H = g->OH, t.W = g->OW, t.OH = g->H, t.OW = g->W;
    t.C = t.Cg = g->F, t.F = t.Fg = g->C;
    t.top = g->KH - 1 - g->top, t.left = g->KW - 1 - g->left;
    t.K = t.KH * t.KW * t.Cg;
    return t;
}

/* As conv2d_gradient_input, but for rounding, for the kernels of conv2d_winograd. */
static void op_conv2d_winograd_gradient_input(const nnl_call *call, nnl_team *team) {
    const nnl_conv g = conv_of(&call->out[0], &call->in[1], &call->in[0], call->attr);
    const nnl_winograd o = winograd_of(turned(&g));
    const nnl_small_kernel kernel = {call->in[1].data, NULL, true};
    const real *dy = call->in[0].data;
    if (call->attr[7].i && is_sparse(&g, dy))
        sparse_gradient_input(&g, dy, call->in[1].data, call->out[0].data, team);
    else
        convolve_patches(&o, dy, &kernel, call->out[0].data, &(nnl_epilogue){.bias = NULL},
                         team->scratch, team);
}

static int64_t conv2d_winograd_gradient_input_scratch(const nnl_call *call, int threads) {
    const nnl_conv g = conv_of(&call->out[0], &call->in[1], &call->in[0], call->attr);
    const nnl_winograd o = winograd_of(turned(&g));
    return max_of(o.kernel + o.own * threads, sparse_scratch(&g)) * (int64_t)sizeof(real);
}
