/* winograd_gradient_kernel.c: the gradient of conv2d with respect to kernels of 3 x 3 and to the
 * bias, with a quarter of the multiplications. winograd.h has the formulas.
 *
 * The sum over the patches makes a product of each position. It is cut into chunks of patches and
 * blocks of channels and filters, whose sums stay in L2 for all positions. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/gemm.h"
#include "../../gemm/microkernel.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"
#include "chunks.h"
#include "geometry.h"
#include "sparse.h"
#include "winograd.h"

enum {
    SUMMED_AT_A_TIME = 32,  /* patches, at most */
    CHANNELS_OF_BLOCK = 64, /* channels, and filters, of a block at most */
    WHOLE_CHANNELS = 16,    /* what they are a multiple of */
    LEAST_SUMMED = 1 << 6   /* patches of a chunk, at least */
};

/* How a call is divided. Chunks and blocks depend on shapes only. */
typedef struct {
    nnl_patches patches;
    int64_t chunks, of_channels, of_filters; /* how many chunks, and blocks of each */
    int64_t size, sums, bias;                /* reals of dw, of the chunks' dw and db */
    int64_t own_x, own_dy, own;              /* reals of a thread: by use, and in all */
} nnl_winograd_sums;

static nnl_winograd_sums winograd_sums_of(const nnl_conv *g, bool with_bias) {
    nnl_winograd_sums s = {.patches = patches_of(g), .size = 9 * g->C * g->F};
    const int64_t c = min_of(g->C, CHANNELS_OF_BLOCK), f = min_of(g->F, CHANNELS_OF_BLOCK);
    s.of_channels = ceil_div(g->C, CHANNELS_OF_BLOCK);
    s.of_filters = ceil_div(g->F, CHANNELS_OF_BLOCK);
    const int64_t most = ceil_div(MAX_CHUNKS, s.of_channels * s.of_filters);
    const int64_t rows = g->N * s.patches.down;
    s.chunks = max_of(min_of(min_of(most, rows), s.patches.all / LEAST_SUMMED), 1);
    s.sums = s.chunks > 1 ? lines(s.chunks * s.size) : 0;
    s.bias = with_bias ? lines_of_doubles(s.chunks * g->F) : 0;
    s.own_x = POSITIONS * spaced(SUMMED_AT_A_TIME * c);
    s.own_dy = POSITIONS * spaced(SUMMED_AT_A_TIME * f);
    s.own = lines(max_of(c, f)) + s.own_x + s.own_dy + POSITIONS * spaced(c * f);
    return s;
}

/* G^T u of six vectors: three. */
NNL_INLINE void gather_line(vec *to, const vec *u, const int apart, const int to_apart) {
    const vec sixth = vec_broadcast((real)(1.0 / 6)), twelfth = vec_broadcast((real)(1.0 / 12));
    const vec even = u[apart] + u[2 * apart], odd = u[2 * apart] - u[apart];
    const vec even_of_2 = u[3 * apart] + u[4 * apart], odd_of_2 = u[3 * apart] - u[4 * apart];
    const vec both = sixth * (even_of_2 - even);
    const vec rest = vec_fmadd(vec_broadcast((real)(1.0 / 24)), even_of_2, -sixth * even);
    to[0] = vec_fmadd(vec_broadcast((real)0.25), u[0], rest);
    to[to_apart] = vec_fmadd(sixth, odd, twelfth * odd_of_2);
    to[2 * to_apart] = both + u[5 * apart];
}

/* dw = G^T u G of a block of channels and filters. */
static void gather_kernel(const nnl_conv *g, const real *u, nnl_range channels, nnl_range filters,
                          real *dw) {
    const int64_t size = spaced(length(channels) * length(filters));
    for (int64_t c = channels.begin; c < channels.end; c++)
        for (int64_t f = filters.begin; f < filters.end; f += LANES, u += LANES) {
            vec d[POSITIONS], columns[3 * PATCH_SIDE], w[9];
#pragma GCC unroll 36
            for (int i = 0; i < POSITIONS; i++) d[i] = vec_load(u + i * size);
#pragma GCC unroll 16
            for (int j = 0; j < PATCH_SIDE; j++)
                gather_line(columns + j, d + j, PATCH_SIDE, PATCH_SIDE);
#pragma GCC unroll 16
            for (int i = 0; i < 3; i++) gather_line(w + 3 * i, columns + PATCH_SIDE * i, 1, 1);
#pragma GCC unroll 16
            for (int i = 0; i < 9; i++) vec_store(dw + (i * g->C + c) * g->F + f, w[i]);
        }
}

/* u[channel][filter] += the sum over some patches of x[patch][channel] dy[patch][filter]. */
static void multiply_position(const real *x, const real *dy, int64_t patches, int64_t channels,
                              int64_t filters, real *u, bool resume) {
    nnl_tile t = {.a_access = A_COLUMN_MAJOR,
                  .a_k = channels,
                  .b_k = filters,
                  .K = patches,
                  .resume = resume};
    const int64_t a_panels = ceil_div(channels, MR);
    for (int i = 0; i < MR; i++) t.c_offset[i] = i * filters;
    for (int64_t f = 0; f < filters; f += NR) {
        t.n = min_of(NR, filters - f);
        t.b = dy + f;
        for (int64_t s = 0; s < a_panels; s++) {
            const nnl_range c = even_share((nnl_range){0, channels}, 1, s, a_panels);
            t.rows = (int)length(c);
            t.a = x + c.begin;
            t.c = u + c.begin * filters + f;
            multiply_tile(&t);
        }
    }
}

/* The dw of one chunk and block. `own` is the thread's scratch. */
static void sum_patches(const nnl_winograd_sums *s, const real *x, const real *dy,
                        nnl_range patches, nnl_range channels, nnl_range filters, real *dw,
                        real *own) {
    const int64_t c = length(channels), f = length(filters), sum = spaced(c * f);
    const int64_t turns = ceil_div(length(patches), SUMMED_AT_A_TIME);
    real *of_x = own + lines(max_of(c, f)), *of_dy = of_x + s->own_x, *u = of_dy + s->own_dy;
    memset(own, 0, (size_t)max_of(c, f) * sizeof *own);
    for (int64_t turn = 0; turn < turns; turn++) {
        const nnl_range some = even_share(patches, 1, turn, turns);
        const int64_t n = length(some);
        transform_patches(&s->patches, x, own, some, channels, of_x);
        spread_results(&s->patches, dy, own, some, filters, of_dy);
        for (int64_t i = 0; i < POSITIONS; i++)
            multiply_position(of_x + i * spaced(n * c), of_dy + i * spaced(n * f), n, c, f,
                              u + i * sum, turn > 0);
    }
    gather_kernel(&s->patches.g, u, channels, filters, dw);
}

/* The first row of y, counted over all images, of a row of patches. */
static int64_t row_of_patches(const nnl_patches *p, int64_t row) {
    return row / p->down * p->g.OH + row % p->down * SIDE;
}

/* As conv2d_gradient_kernel, but for rounding, for the kernels of conv2d_winograd. */
static void op_conv2d_winograd_gradient_kernel(const nnl_call *call, nnl_team *team) {
    const nnl_conv g = conv_of(&call->in[0], &call->out[0], &call->in[1], call->attr);
    const nnl_winograd_sums s = winograd_sums_of(&g, call->n_out == 2);
    const real *x = call->in[0].data, *dy = call->in[1].data;
    real *dw = call->out[0].data, *db = s.bias ? call->out[1].data : NULL;
    real *sums = team->scratch, *own = sums + s.sums + s.bias + team->id * s.own;
    double *bias_sums = (double *)(sums + s.sums);
    if (s.patches.all == 0) {
        set_to_zero(call, team);
        return;
    }
    if (is_sparse(&g, dy)) {
        sparse_gradient_kernel(&g, x, dy, dw, db, team);
        return;
    }
    const int64_t blocks = s.of_channels * s.of_filters;
    const nnl_range items = nnl_share(s.chunks * blocks, 1, team);
    for (int64_t i = items.begin; i < items.end; i++) {
        const int64_t chunk = i / blocks, block = i % blocks, across = s.patches.across;
        const nnl_range rows = even_share((nnl_range){0, g.N * s.patches.down}, 1, chunk, s.chunks);
        const nnl_range channels = even_share((nnl_range){0, g.C}, WHOLE_CHANNELS,
                                              block / s.of_filters, s.of_channels);
        const nnl_range filters = even_share((nnl_range){0, g.F}, WHOLE_CHANNELS,
                                             block % s.of_filters, s.of_filters);
        sum_patches(&s, x, dy, (nnl_range){rows.begin * across, rows.end * across}, channels,
                    filters, s.sums ? sums + chunk * s.size : dw, own);
        if (!db || block) continue;
        const int64_t begin = row_of_patches(&s.patches, rows.begin);
        const int64_t end = row_of_patches(&s.patches, rows.end);
        memset(bias_sums + chunk * g.F, 0, (size_t)g.F * sizeof *bias_sums);
        sum_bias(bias_sums + chunk * g.F, dy + begin * g.OW * g.F, (end - begin) * g.OW, g.F);
    }
    if (!s.sums && !db) return;
    nnl_wait(team);
    if (s.sums) join_chunks(dw, sums, s.size, s.chunks, team);
    if (db) join_bias(db, bias_sums, g.F, s.chunks, team);
}

static int64_t conv2d_winograd_gradient_kernel_scratch(const nnl_call *call, int threads) {
    const nnl_conv g = conv_of(&call->in[0], &call->out[0], &call->in[1], call->attr);
    const nnl_winograd_sums s = winograd_sums_of(&g, call->n_out == 2);
    return max_of(s.sums + s.bias + s.own * threads, sparse_scratch(&g)) * (int64_t)sizeof(real);
}
