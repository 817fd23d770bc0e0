/* steps.h: what recurrent layers have in common.
 *
 * A layer's input enters as z, its product with the kernel for all steps, which is one matrix
 * product. What is left is the product of the state with the recurrent kernel R in each step. R is
 * packed once. A thread then computes its own samples, from the first step to the last, and waits
 * for no other. Only where there are fewer samples than threads do threads share the units of a
 * step, and wait for each other after each. */
#ifndef NNL_STEPS_H
#define NNL_STEPS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/microkernel.h"
#include "../../gemm/pack.h"
#include "../../math/activation.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"

/* What a thread computes in each step: these units of all gates, for these samples. */
typedef struct {
    nnl_range rows, units;
    bool together; /* all samples: the threads share the units */
} nnl_step_part;

/* Units are shared where a thread's part of R has this many reals or more: fewer are multiplied in
 * the time that a barrier takes. */
enum { WORTH_A_BARRIER = 1 << 14 };

static nnl_step_part step_part_of(int64_t N, int64_t U, int gates, bool divisible,
                                  const nnl_team *team) {
    if (divisible && N < team->size && gates * U * U >= WORTH_A_BARRIER * team->size)
        return (nnl_step_part){{0, N}, nnl_share(U, NNL_CACHE_LINE, team), true};
    return (nnl_step_part){nnl_share(N, 1, team), {0, U}, false};
}

/* Rows that lie `ld` apart. */
typedef struct {
    real *data;
    int64_t ld;
} nnl_rows;

/* A matrix [K, N] as the micro-kernel reads it: blocks of at most RECURRENT_KC rows, and in each of
 * them micro-panels of NR columns. Or as it lies, if `in_place`. */
typedef struct {
    const real *data;
    int64_t K, N;
    bool in_place;
} nnl_recurrent;

/* A micro-panel of the block takes half of L1. */
enum { RECURRENT_KC = 256 };

static int64_t packed_reals(int64_t K, int64_t N) { return K * ceil_div(N, NR) * NR; }

/* Where micro-panel p of the block that begins at row k lies. */
static inline int64_t packed_at(int64_t N, int64_t k, int64_t rows, int64_t p) {
    return k * ceil_div(N, NR) * NR + p * NR * rows;
}

/* Packs x [K, N], or its transpose [N, K], with all threads of the team, and waits for them. */
static nnl_recurrent pack_together(real *packed, const real *x, bool transposed, int64_t K,
                                   int64_t N, const nnl_team *team) {
    const nnl_range panels = nnl_share(ceil_div(N, NR), 1, team);
    for (int64_t k = 0; k < K; k += RECURRENT_KC) {
        const int64_t rows = min_of(RECURRENT_KC, K - k);
        for (int64_t p = panels.begin; p < panels.end; p++) {
            const int64_t n = min_of(NR, N - p * NR);
            const real *from = transposed ? x + p * NR * K + k : x + k * N + p * NR;
            real *panel = packed + packed_at(N, k, rows, p);
            memset(panel, 0, (size_t)(NR * rows) * sizeof *panel);
            pack(panel, NR, (nnl_pack_source){from, transposed ? K : N, rows, n, transposed});
        }
    }
    nnl_wait(team);
    return (nnl_recurrent){packed, K, N, false};
}

/* R [U, gates U] for the products of the forward steps. Where no thread has two samples of its own,
 * packing would cost more than it saves. */
static nnl_recurrent recurrent_kernel(real *packed, const real *R, int64_t N, int64_t U, int gates,
                                      const nnl_team *team) {
    if (N < team->size || N == 1) return (nnl_recurrent){R, U, gates * U, true};
    return pack_together(packed, R, false, U, gates * U, team);
}

/* What the next step reads, prefetched into L2 during this one: n reals of each row. The processor
 * does not see rows so far apart coming. */
typedef struct {
    nnl_rows rows;
    int64_t n;
} nnl_next;

/* c [rows, N] += a [rows, K] B, B packed. Rows of a are lda apart, and rows of c ldc. An element is
 * one chain of multiply-adds over k, whatever rows are beside it. Each tile prefetches a row. */
static void add_packed_product(real *c, int64_t ldc, const real *a, int64_t lda, int64_t rows,
                               const nnl_recurrent *B, nnl_next next) {
    const int64_t a_panels = ceil_div(rows, MR);
    int64_t tile = 0;
    nnl_tile t = {.a_access = A_ROW_MAJOR, .a_row = lda, .a_k = lda, .b_k = NR, .resume = true};
    for (int i = 0; i < MR; i++) t.c_offset[i] = i * ldc;
    t.prefetch_interval = PREFETCH_INTERVAL_SHORT;
    for (int64_t k = 0; k < B->K; k += RECURRENT_KC) {
        t.K = min_of(RECURRENT_KC, B->K - k);
        for (int64_t j = 0; j < B->N; j += NR) {
            t.n = min_of(NR, B->N - j);
            t.b = B->data + packed_at(B->N, k, t.K, j / NR);
            for (int64_t i = 0; i < a_panels; i++, tile++) {
                const nnl_range r = even_share((nnl_range){0, rows}, 1, i, a_panels);
                t.rows = (int)length(r);
                t.a = a + r.begin * lda + k;
                t.c = c + r.begin * ldc + j;
                t.prefetch = (const char *)(next.rows.data + min_of(tile, rows - 1) * next.rows.ld);
                t.prefetch_lines = tile < rows ? next.n / NNL_CACHE_LINE : 0;
                multiply_tile(&t);
            }
        }
    }
}

/* c[g U + j] += the sum over k of a[k] b[k ld + g U + j], for all gates g and n <= nv LANES units j.
 * So many accumulators are in use at once that multiply-adds do not wait for each other. */
NNL_INLINE void unit_tile(const int gates, const int nv, const bool whole, real *c, const real *a,
                          const real *b, int64_t K, int64_t ld, int64_t U, int64_t n) {
    vec acc[4][LONG_NV];
#pragma GCC unroll 16
    for (int g = 0; g < gates; g++)
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) {
            const real *from = c + g * U + j * LANES;
            acc[g][j] = whole ? vec_load(from) : vec_load_first(from, n - j * LANES);
        }
    for (int64_t k = 0; k < K; k++, b += ld) {
        const vec ak = vec_broadcast(a[k]);
#pragma GCC unroll 16
        for (int g = 0; g < gates; g++)
#pragma GCC unroll 16
            for (int j = 0; j < nv; j++) {
                const real *from = b + g * U + j * LANES;
                const vec bk = whole ? vec_load(from) : vec_load_first(from, n - j * LANES);
                acc[g][j] = vec_fmadd(ak, bk, acc[g][j]);
            }
    }
#pragma GCC unroll 16
    for (int g = 0; g < gates; g++)
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) {
            real *to = c + g * U + j * LANES;
            if (whole)
                vec_store(to, acc[g][j]);
            else
                vec_store_first(to, acc[g][j], n - j * LANES);
        }
}

/* c[gates, units] += a R for one sample, R as it lies. */
NNL_INLINE void add_units(const int gates, real *c, const real *a, nnl_range units, int64_t U,
                          const nnl_recurrent *R) {
    const int nv = LONG_NV / (gates == 1 ? 1 : 4);
    for (int64_t j = units.begin; j < units.end; j += nv * LANES) {
        const int64_t n = units.end - j;
        if (n >= nv * LANES)
            unit_tile(gates, nv, true, c + j, a, R->data + j, R->K, R->N, U, n);
        else
            unit_tile(gates, nv, false, c + j, a, R->data + j, R->K, R->N, U, n);
    }
}

/* c += a R for the gates of a thread's part; an element's sum is the same either way. */
NNL_INLINE void add_recurrent(const int gates, nnl_rows c, nnl_rows a, const nnl_step_part *part,
                              int64_t U, const nnl_recurrent *R, nnl_next next) {
    const int64_t rows = length(part->rows);
    if (!R->in_place) {
        add_packed_product(c.data, c.ld, a.data, a.ld, rows, R, next);
        return;
    }
    for (int64_t i = 0; i < rows; i++)
        add_units(gates, c.data + i * c.ld, a.data + i * a.ld, part->units, U, R);
}

/* y = x for the gates of a thread's part; y may be x. */
static void copy_gates(int gates, nnl_rows y, const real *x, int64_t ldx, const nnl_step_part *part,
                       int64_t U) {
    const int64_t u = part->units.begin;
    if (y.data == x) return;
    for (int64_t i = 0; i < length(part->rows); i++)
        for (int g = 0; g < gates; g++)
            memcpy(y.data + i * y.ld + g * U + u, x + i * ldx + g * U + u,
                   (size_t)length(part->units) * sizeof *x);
}

/* Two activations by number, with their parameters (activation.h). */
typedef struct {
    int kind;
    double alpha;
} nnl_act;

/* The steps of a layer, in the order in which they are computed. */
static inline int64_t step_at(int64_t s, int64_t T, bool reverse) {
    return reverse ? T - 1 - s : s;
}

/* The rows of x [rows, T, n] at step s, or none if there is no such step. */
static inline nnl_next next_at(int64_t s, const real *x, int64_t T, int64_t n, bool reverse) {
    if (s < 0 || s >= T) return (nnl_next){{(real *)x, 0}, 0};
    return (nnl_next){{(real *)x + step_at(s, T, reverse) * n, T * n}, n};
}

/* What a recurrent op is told: its attributes after the activations, and its optional inputs. */
typedef struct {
    nnl_act act, rec;
    bool reverse;
    const real *mask; /* [N, T], or NULL: at a step where it is 0 the state stays */
    const real *drop; /* [N, U], or NULL: h is multiplied by it before R */
} nnl_recurrence;

/* attr  act: kind, alpha; rec: kind, alpha; reverse: the last step comes first; 1: a mask is given;
 *       1: drop is given. The optional inputs follow `required` others. */
static nnl_recurrence recurrence_of(const nnl_call *call, int required) {
    const nnl_attr *a = call->attr;
    nnl_recurrence r = {
        .act = {(int)a[0].i, a[1].f}, .rec = {(int)a[2].i, a[3].f}, .reverse = a[4].i != 0};
    if (a[5].i) r.mask = call->in[required++].data;
    if (a[6].i) r.drop = call->in[required].data;
    return r;
}

static inline bool is_masked(const nnl_recurrence *r, int64_t step) {
    return r->mask && r->mask[step] == 0;
}

/* What R is multiplied by in a step: h, or h times drop in `room`. `kept`: where the gradient needs
 * it, or NULL. */
static nnl_rows recurrent_input(nnl_rows h, const real *drop, nnl_rows kept, nnl_rows room,
                                const nnl_step_part *part, int64_t U) {
    if (!drop) {
        if (kept.data) copy_gates(1, kept, h.data, h.ld, part, U);
        return h;
    }
    for (int64_t i = 0; i < length(part->rows); i++) {
        NNL_INDEPENDENT
        for (int64_t j = 0; j < U; j++)
            room.data[i * room.ld + j] = h.data[i * h.ld + j] * drop[i * U + j];
    }
    if (kept.data) copy_gates(1, kept, room.data, room.ld, part, U);
    return room;
}

/* dh += (dz R^T) drop. `product` has room for the rows. */
static void add_to_previous(real *dh, const real *dz, int64_t ld, int64_t rows,
                            const nnl_recurrent *R, const real *drop, real *product,
                            nnl_next next) {
    const int64_t n = rows * R->N;
    if (!drop) {
        add_packed_product(dh, R->N, dz, ld, rows, R, next);
        return;
    }
    memset(product, 0, (size_t)n * sizeof *product);
    add_packed_product(product, R->N, dz, ld, rows, R, next);
    for (int64_t j = 0; j < n; j++) dh[j] = fmadd(product[j], drop[j], dh[j]);
}

#endif
