/* winograd.c: conv2d of 3 x 3 kernels with a quarter of the multiplications, and its gradient with
 * respect to the images. winograd.h has the formulas.
 *
 * The team transforms the kernel, some filters at a time. Then each thread takes its patches, some
 * at a time: transforms them, multiplies, transforms the sums. Those of dx overlap, so a thread has
 * whole images, and adds them in the order of the patches. The bits do not depend on how the work
 * is divided. */
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

/* How a call is divided. From `inner` channels follow `outer`: C and F of a convolution, F and C of
 * its gradient. */
typedef struct {
    nnl_patches patches;
    bool is_gradient;
    int64_t inner, outer;
    int64_t width;       /* outer channels at a time */
    int64_t kernel, own; /* reals of the transformed kernel, and of each thread */
} nnl_winograd;

static nnl_winograd winograd_of(const nnl_conv *g, bool is_gradient) {
    nnl_winograd o = {patches_of(g), is_gradient, .inner = g->C, .outer = g->F};
    if (is_gradient) o.inner = g->F, o.outer = g->C;
    const int64_t of_panel = POSITIONS * o.inner * NR, in_cache = KERNEL_IN_CACHE / of_panel;
    const int64_t panels = in_cache * NR >= WORTH_A_TURN ? in_cache : KERNEL_AT_A_TIME / of_panel;
    const int64_t at_a_time = min_of(o.patches.all, PATCHES_AT_A_TIME);
    o.width = min_of(o.outer, max_of(panels, 1) * NR);
    o.kernel = POSITIONS * spaced(packed_reals(o.inner, o.width));
    o.own = POSITIONS * (spaced(at_a_time * o.inner) + spaced(at_a_time * o.width)) +
            lines(o.inner);
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

/* G w G^T for a share of the inner channels, and `width` outer ones from `first` on, each times its
 * scale if that is given. The kernel of each position is packed for products. */
static void transform_kernel(const nnl_winograd *o, const real *w, const real *scale, int64_t first,
                             int64_t width, real *to, const nnl_team *team) {
    const int64_t inner = o->inner, outer = o->outer, size = spaced(packed_reals(inner, width));
    const nnl_range share = nnl_share(inner, LANES, team);
    for (int64_t c = share.begin; c < share.end; c += LANES)
        for (int64_t j = 0; j < width; j += LANES) {
            real transposed[9 * LANES * LANES];
            const real *from = w + c * outer + first + j;
            int64_t tap = inner * outer, channel = outer;
            if (o->is_gradient) {
                for (int i = 0; i < 9; i++)
                    pack(transposed + i * LANES * LANES, LANES,
                         (nnl_pack_source){w + (i * outer + first + j) * inner + c, inner, LANES,
                                           LANES, true});
                from = transposed, tap = LANES * LANES, channel = LANES;
            }
            const vec scales = scale ? vec_load(scale + first + j) : vec_broadcast(1);
            for (int64_t i = 0; i < LANES; i++) {
                const int64_t k = (c + i) / PACKED_KC * PACKED_KC;
                const int64_t rows = min_of(PACKED_KC, inner - k);
                transform_taps(from + i * channel, tap, scales,
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

/* B m of six vectors of m, `apart` vectors apart, in place. */
NNL_INLINE void overlap_line(vec *m, const int apart) {
    const vec two = vec_broadcast(2), four = vec_broadcast(4), minus_five = vec_broadcast(-5);
    const vec m0 = m[0], m1 = m[apart], m2 = m[2 * apart], m3 = m[3 * apart], m4 = m[4 * apart];
    const vec m5 = m[5 * apart];
    const vec even = m1 + m2, odd = m1 - m2, even_of_2 = m3 + m4, odd_of_2 = m3 - m4;
    m[0] = four * m0;
    m[apart] = vec_fmadd(four, m5 - odd, -two * odd_of_2);
    m[2 * apart] = vec_fmadd(minus_five, m0, vec_fmadd(-four, even, -even_of_2));
    m[3 * apart] = vec_fmadd(minus_five, m5, vec_fmadd(two, odd_of_2, odd));
    m[4 * apart] = m0 + even + even_of_2;
}

/* dx += B m B^T of some patches and of `width` channels, with which dx begins. `first`: dx is set
 * to 0 before, image by image. */
static void add_patches(const nnl_patches *p, const real *m, nnl_range patches, int64_t width,
                        real *dx, bool first) {
    const nnl_conv *g = &p->g;
    const int64_t size = spaced(length(patches) * width), of_image = p->down * p->across;
    for (int64_t i = patches.begin; i < patches.end; i++, m += width) {
        real *image = dx + i / of_image * g->H * g->W * g->C;
        const int64_t h = i / p->across % p->down * SIDE - g->top;
        const int64_t w = i % p->across * SIDE - g->left;
        const nnl_range rows = {max_of(0, -h), min_of(PATCH_SIDE, g->H - h)};
        const nnl_range columns = {max_of(0, -w), min_of(PATCH_SIDE, g->W - w)};
        if (first && i % of_image == 0)
            memset(image, 0, (size_t)(g->H * g->W * g->C) * sizeof *image);
        for (int64_t c = 0; c < width; c += LANES) {
            vec d[POSITIONS];
#pragma GCC unroll 36
            for (int k = 0; k < POSITIONS; k++) d[k] = vec_load(m + k * size + c);
#pragma GCC unroll 16
            for (int j = 0; j < PATCH_SIDE; j++) overlap_line(d + j, PATCH_SIDE);
#pragma GCC unroll 16
            for (int j = 0; j < PATCH_SIDE; j++) overlap_line(d + PATCH_SIDE * j, 1);
            for (int64_t k = rows.begin; k < rows.end; k++)
                for (int64_t j = columns.begin; j < columns.end; j++) {
                    real *to = image + ((h + k) * g->W + w + j) * g->C + c;
                    vec_store(to, vec_load(to) + d[PATCH_SIDE * k + j]);
                }
        }
    }
}

/* y = act(the convolution of x + the bias of the epilogue); or, of a gradient, dx of dy. */
static void convolve_patches(const nnl_winograd *o, const real *from, const real *w,
                             const real *scale, real *to, const nnl_epilogue *epilogue,
                             real *scratch, nnl_team *team) {
    const nnl_patches *p = &o->patches;
    real *kernel = scratch, *zeros = kernel + o->kernel + team->id * o->own;
    real *own = zeros + lines(o->inner);
    const nnl_range share = nnl_share(p->all, o->is_gradient ? p->down * p->across : 1, team);
    const nnl_range inner = {0, o->inner};
    const int64_t turns = ceil_div(length(share), PATCHES_AT_A_TIME);
    memset(zeros, 0, (size_t)o->inner * sizeof *zeros);
    for (int64_t first = 0; first < o->outer; first += o->width) {
        const int64_t width = min_of(o->width, o->outer - first);
        const int64_t size = spaced(packed_reals(o->inner, width));
        nnl_epilogue of_width = *epilogue;
        if (epilogue->bias) of_width.bias += first;
        if (first) nnl_wait(team); /* until no thread reads the kernel before */
        transform_kernel(o, w, scale, first, width, kernel, team);
        nnl_wait(team);
        for (int64_t turn = 0; turn < turns; turn++) {
            const nnl_range patches = even_share(share, 1, turn, turns);
            const int64_t rows = length(patches), in = spaced(rows * o->inner);
            const int64_t out = spaced(rows * width);
            real *sums = own + POSITIONS * in;
            if (o->is_gradient)
                spread_results(p, from, zeros, patches, inner, own);
            else
                transform_patches(p, from, zeros, patches, inner, own);
            for (int64_t i = 0; i < POSITIONS; i++) {
                const nnl_packed B = {kernel + i * size, o->inner, width, o->inner, width};
                multiply_packed(sums + i * out, width, (nnl_operand){own + i * in, o->inner, false},
                                rows, &B, false, NULL);
            }
            if (o->is_gradient)
                add_patches(p, sums, patches, width, to + first, first == 0);
            else
                transform_sums(p, sums, patches, width, to + first, &of_width);
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
    const nnl_winograd o = winograd_of(&g, false);
    const nnl_folded folded = folded_of(call, 2);
    real *left = team->scratch, *scratch = left + lines(g.F);
    const nnl_epilogue epilogue = {.bias = folded_bias(&folded, left, g.F, team),
                                   .activation = (int)call->attr[0].i,
                                   .alpha = call->attr[1].f};
    convolve_patches(&o, call->in[0].data, call->in[1].data, folded.scale, call->out[0].data,
                     &epilogue, scratch, team);
}

static int64_t conv2d_winograd_scratch(const nnl_call *call, int threads) {
    const nnl_conv g = conv_of(&call->in[0], &call->in[1], &call->out[0], call->attr + 2);
    const nnl_winograd o = winograd_of(&g, false);
    return (lines(g.F) + o.kernel + o.own * threads) * (int64_t)sizeof(real);
}

/* As conv2d_gradient_input, but for rounding, for the kernels of conv2d_winograd. */
static void op_conv2d_winograd_gradient_input(const nnl_call *call, nnl_team *team) {
    const nnl_conv g = conv_of(&call->out[0], &call->in[1], &call->in[0], call->attr);
    const nnl_winograd o = winograd_of(&g, true);
    const real *dy = call->in[0].data, *w = call->in[1].data;
    real *dx = call->out[0].data;
    if (call->attr[7].i && is_sparse(&g, dy))
        sparse_gradient_input(&g, dy, w, dx, team);
    else
        convolve_patches(&o, dy, w, NULL, dx, &(nnl_epilogue){.bias = NULL}, team->scratch, team);
}

static int64_t conv2d_winograd_gradient_input_scratch(const nnl_call *call, int threads) {
    const nnl_conv g = conv_of(&call->out[0], &call->in[1], &call->in[0], call->attr);
    const nnl_winograd o = winograd_of(&g, true);
    return max_of(o.kernel + o.own * threads, sparse_scratch(&g)) * (int64_t)sizeof(real);
}
