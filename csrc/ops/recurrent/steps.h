/* steps.h: what recurrent layers have in common.
 *
 * A layer's input enters as z, its product with the kernel for all steps, which is one matrix
 * product. What is left is the product of the state with the recurrent kernel R in each step. R is
 * packed once. A thread then computes its own samples, from the first step to the last, and waits
 * for no other. Only where there are fewer samples than threads do threads share the units of a
 * step. A thread then waits for the units of another when the product reaches them. */
#ifndef NNL_STEPS_H
#define NNL_STEPS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/packed.h"
#include "../../math/activation.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"

/* What a thread computes in each step: these units of all gates, for these samples. */
typedef struct {
    nnl_range rows, units;
    const nnl_team *together; /* all samples: these threads share the units; else NULL */
} nnl_step_part;

/* Units are shared where a thread's part of R has this many reals or more: fewer are multiplied in
 * the time that a barrier takes. */
enum { WORTH_A_BARRIER = 1 << 14 };

static nnl_step_part step_part_of(int64_t N, int64_t U, int gates, bool divisible,
                                  const nnl_team *team) {
    if (divisible && N < team->size && gates * U * U >= WORTH_A_BARRIER * team->size)
        return (nnl_step_part){{0, N}, nnl_share(U, NNL_CACHE_LINE, team), team};
    return (nnl_step_part){nnl_share(N, 1, team), {0, U}, NULL};
}

/* Of the memory for products, in rows: where a thread's begins, and how many rows there are. A
 * thread that shares units has rows of its own: beside another's units the processor would fetch in
 * advance what that thread is writing. */
static int64_t first_room(const nnl_step_part *part, const nnl_team *team) {
    return part->together ? team->id * length(part->rows) : part->rows.begin;
}
static int64_t rooms(int64_t N, int threads) { return N < threads ? N * threads : N; }

/* Rows that lie `ld` apart. */
typedef struct {
    real *data;
    int64_t ld;
} nnl_rows;

/* Packs x [K, N], or its transpose [N, K], with all threads of the team, and waits for them. */
static nnl_packed pack_together(real *packed, const real *x, bool transposed, int64_t K, int64_t N,
                                const nnl_team *team) {
    pack_panels(packed, (nnl_operand){x, transposed ? K : N, transposed}, K, N,
                nnl_share(ceil_div(N, NR), 1, team));
    nnl_wait(team);
    return (nnl_packed){packed, K, N, K, N};
}

/* R [U, gates U], packed, or as it lies in memory. */
typedef struct {
    nnl_packed matrix;
    bool in_place;
} nnl_recurrent;

/* R [U, gates U] for the products of the forward steps. Where no thread has two samples of its own,
 * packing would cost more than it saves. */
static nnl_recurrent recurrent_kernel(real *packed, const real *R, int64_t N, int64_t U, int gates,
                                      const nnl_team *team) {
    if (N < team->size || N == 1) return (nnl_recurrent){{R, U, gates * U, U, gates * U}, true};
    return (nnl_recurrent){pack_together(packed, R, false, U, gates * U, team), false};
}

/* Asks for all lines of x at once: those that another thread has written come slowly. */
static inline void fetch_together(const real *x, nnl_range range) {
    for (int64_t j = range.begin; j < range.end; j += NNL_CACHE_LINE) __builtin_prefetch(x + j);
}

/* c[g U + j] += the sum over k of a[k] b[k ld + g U + j], for all gates g and n <= nv LANES units
 * j. There are enough accumulators that multiply-adds do not wait for each other. Where `others` is
 * given, each of its threads makes its share of the units of a. */
NNL_INLINE void unit_tile(const int gates, const int nv, const bool whole, real *c, const real *a,
                          const real *b, int64_t ld, int64_t U, int64_t n, const nnl_team *others) {
    vec acc[4][LONG_NV];
#pragma GCC unroll 16
    for (int g = 0; g < gates; g++)
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) {
            const real *from = c + g * U + j * LANES;
            acc[g][j] = whole ? vec_load(from) : vec_load_first(from, n - j * LANES);
        }
    const int makers = others ? others->size : 1;
    for (int maker = 0; maker < makers; maker++) {
        const nnl_range made = even_share((nnl_range){0, U}, NNL_CACHE_LINE, maker, makers);
        if (others) {
            nnl_await(others, maker);
            if (maker != others->id) fetch_together(a, made);
        }
        for (int64_t k = made.begin; k < made.end; k++, b += ld) {
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

/* c[gates, units] += a R for one sample, R as it lies. A single gate has tiles of three widths:
 * narrow ones have too few accumulators, and a wide one that is not full computes in vain. */
NNL_INLINE void add_units(const int gates, real *c, const real *a, nnl_range units, int64_t U,
                          const nnl_packed *R, const nnl_team *others) {
    const int narrow = LONG_NV / 4, wide = gates == 1 ? LONG_NV : narrow, half = wide / 2;
    for (int64_t j = units.begin, n; (n = units.end - j) > 0;) {
        const real *b = R->data + j;
        if (n >= wide * LANES) {
            unit_tile(gates, wide, true, c + j, a, b, R->N, U, n, others);
            j += wide * LANES;
        } else if (gates == 1 && n >= half * LANES) {
            unit_tile(gates, half, true, c + j, a, b, R->N, U, n, others);
            j += half * LANES;
        } else {
            unit_tile(gates, narrow, false, c + j, a, b, R->N, U, n, others);
            j += narrow * LANES;
        }
    }
}

/* c += a R for the gates of a thread's part; an element's sum is the same either way. */
NNL_INLINE void add_recurrent(const int gates, nnl_rows c, nnl_rows a, const nnl_step_part *part,
                              int64_t U, const nnl_recurrent *R, nnl_ahead ahead) {
    const int64_t rows = length(part->rows);
    if (!R->in_place) {
        multiply_packed(c.data, c.ld, (nnl_operand){a.data, a.ld, false}, rows, &R->matrix, true,
                        &ahead);
        return;
    }
    for (int64_t i = 0; i < rows; i++) {
        const real *next = ahead.n ? (const real *)(ahead.of[0].row + i * ahead.of[0].step) : NULL;
        for (int g = 0; next && g < gates; g++) fetch_together(next + g * U, part->units);
        add_units(gates, c.data + i * c.ld, a.data + i * a.ld, part->units, U, &R->matrix,
                  part->together);
    }
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

/* Of x [rows, T, n] what is read at step s, if there is such a step: a row during each tile. */
static inline nnl_ahead ahead_at(int64_t s, const real *x, int64_t rows, int64_t T, int64_t n,
                                 bool reverse) {
    nnl_ahead a; /* most of it is left as it is: filling it would take as long as fetching */
    const int64_t bytes = n * (int64_t)sizeof *x;
    a.n = 0 <= s && s < T && rows, a.which = 0, a.byte = 0, a.lines = ceil_div(bytes, 64);
    if (a.n == 0) return a;
    a.of[0].row = (const char *)(x + step_at(s, T, reverse) * n);
    a.of[0].step = T * bytes, a.of[0].bytes = bytes, a.of[0].rows = rows;
    return a;
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

/* The gradient of a sample's state at step t, as it comes from outside: from x [N, T, U], or from
 * x [N, U] for the step that was computed last, and `zeros` for the others. */
static const real *from_outside(const nnl_tensor *x, int64_t sample, int64_t t, int64_t T,
                                int64_t U, bool last, const real *zeros) {
    if (x->ndim == 3) return (const real *)x->data + (sample * T + t) * U;
    return last ? (const real *)x->data + sample * U : zeros;
}

/* dh += (dz R^T) drop. `product` has room for the rows. */
static void add_to_previous(real *dh, nnl_operand dz, int64_t rows, const nnl_packed *R,
                            const real *drop, real *product, nnl_ahead ahead) {
    const int64_t n = rows * R->N;
    if (!drop) {
        multiply_packed(dh, R->N, dz, rows, R, true, &ahead);
        return;
    }
    multiply_packed(product, R->N, dz, rows, R, false, &ahead);
    for (int64_t j = 0; j < n; j++) dh[j] = fmadd(product[j], drop[j], dh[j]);
}

#endif
