/* microkernel.h: computes one tile of C, which stays in registers while k runs. This loop takes
 * most of the time of every product and convolution.
 *
 * The loop is written once, over a vector type and a few operations that microkernel_<isa>.h
 * supplies along with the tile's shape: MR rows of NV vectors. Height, width and the ways to read A
 * and B are constants wherever the loop is instantiated, so the compiler unrolls it and keeps each
 * accumulator in a register. */
#ifndef NNL_MICROKERNEL_H
#define NNL_MICROKERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/activation.h"
#include "../math/vec.h"
#include "../runtime/shares.h"

#if defined(__AVX512F__)
#include "microkernel_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "microkernel_avx2.h"
#elif defined(NNL_NEON)
#include "microkernel_neon.h"
#else
#include "microkernel_generic.h"
#endif

enum {
    NR = NV * LANES,           /* columns of a tile, and of a micro-panel of B */
    THIN_NR = THIN_NV * LANES, /* columns of a thin tile, which reads B in place ... */
    LONG_NR = LONG_NV * LANES, /* ... and of one that has a single row */
    /* From one k to the next in a packed micro-panel of A: MR, rounded up to whole vectors. */
    PACKED_MR = (MR + LANES - 1) / LANES * LANES,
};

/* n columns, rounded up to whole vectors. */
static inline int64_t whole_vectors(int64_t n) { return ceil_div(n, LANES) * LANES; }

/* A vector at any address of a real. */
typedef real vec_in_memory
    __attribute__((vector_size(VEC_BYTES), aligned(sizeof(real)), may_alias));

NNL_INLINE vec vec_load(const real *p) { return *(const vec_in_memory *)p; }

NNL_INLINE void vec_store(real *p, vec v) { *(vec_in_memory *)p = v; }

/* capped_relu_of in each lane: the same bits, also of -0 and NaN. */
NNL_INLINE vec vec_clamp(vec x, real cap) {
    return vec_smaller(vec_broadcast(cap), vec_larger((vec){0}, x));
}

/* Integers as wide as a real. Of a comparison all bits of a lane are 1, or all are 0. */
typedef __typeof__((vec){0} < (vec){0}) vec_mask;

/* Lane l is element from[l] of a and b, one behind the other: 0 ... LANES - 1 are those of a. An
 * index counts modulo 2 * LANES. Clang's shuffle takes constants only. It makes one shuffle of the
 * loop where `from` is known when it compiles, and elsewhere reads the lanes from memory. */
NNL_INLINE vec vec_shuffle(vec a, vec b, vec_mask from) {
#if defined(__clang__)
    real both[2 * LANES];
    vec v;
    vec_store(both, a);
    vec_store(both + LANES, b);
#pragma GCC unroll 16
    for (int l = 0; l < LANES; l++) v[l] = both[from[l] & (2 * LANES - 1)];
    return v;
#else
    return __builtin_shuffle(a, b, from);
#endif
}

/* a[first], b[first], a[first + 1], b[first + 1], ... */
NNL_INLINE vec vec_zip(vec a, vec b, const int first) {
    vec_mask from;
#pragma GCC unroll 16
    for (int l = 0; l < LANES; l++) from[l] = first + l / 2 + l % 2 * LANES;
    return vec_shuffle(a, b, from);
}

/* Where element (i, k) of a micro-panel of A lies.
 * A_ROW_MAJOR:    a[i * a_row + k]. If k goes through runs that do not lie side by side, then
 *                 a[a_offset[0] + i * a_row + k_offset[k]].
 * A_COLUMN_MAJOR: a[i + k * a_k].
 * A_GATHERED:     a[a_offset[i] + k_offset[k]]. So the windows of an image are rows of A although
 *                 nobody copied them: the rows are pixels and k goes through the window, or the
 *                 rows are places in the window and k goes through pixels. */
typedef enum { A_ROW_MAJOR, A_COLUMN_MAJOR, A_GATHERED } nnl_a_access;

/* How the micro-panel of B is read.
 * B_VECTORS:  whole vectors.
 * B_PACKING:  the same, and they are also stored to pack_b.
 * B_GATHERED: whole vectors; those of k begin at b[k_offset[k]].
 * B_MASKED:   no more than n columns. */
typedef enum { B_VECTORS, B_PACKING, B_GATHERED, B_MASKED } nnl_b_access;

/* One tile: c[c_offset[i] + j] = (c or 0) + the sum over k of a[i, k] b[k * b_k + j] (+ bias[j]),
 * and then perhaps a clamp.
 * Of c and bias only n columns are touched. b is padded to whole vectors, except if B_MASKED. */
typedef struct {
    nnl_a_access a_access;
    const real *a, *b;
    real *c, *pack_b; /* pack_b: where to leave b packed, or NULL */
    int64_t a_row, a_k, b_k, n, K;
    const int64_t *k_offset; /* NULL: k is not gathered */
    int64_t run;             /* length of the runs of k, if A_ROW_MAJOR has k_offset */
    int64_t a_offset[MR], c_offset[MR];
    int rows;
    bool resume;      /* c holds the sums over earlier k */
    const real *bias; /* NULL: no bias, or later k follow */
    nnl_clamp clamp;
    const real *b_next; /* the b of the next tile, if this tile packs b */
    /* Memory to prefetch into L2 meanwhile: some lines every prefetch_interval steps of k. */
    const char *prefetch;
    int64_t prefetch_lines, prefetch_interval;
} nnl_tile;

/* Rows of A that are addressed from one pointer, at 0, 1, 2 and 3 times a_row. With a pointer for
 * each row the general registers would not suffice. */
enum { ROWS_PER_POINTER = 4 };

/* Tiles of as many rows do several steps of k before they move their pointers, which takes an
 * eighth of the instructions. */
enum { TALL_MR = 10, STEPS_OF_TALL = 4 };

enum {
    /* B that is read in place is prefetched into L1 this many steps of k early. */
    B_PREFETCH_DISTANCE = 32,
    /* Steps of k between two prefetches into L2. At a short interval few lines are asked for at
     * once, which suits lines that come from memory: many would hold up the loads of the tile. */
    PREFETCH_INTERVAL_SHORT = 4,
    PREFETCH_INTERVAL_MEDIUM = 16,
    PREFETCH_INTERVAL_LONG = 64
};

/* How many pointers into A there are. */
NNL_INLINE int a_pointers(const int mr, const nnl_a_access a_access) {
    return a_access == A_ROW_MAJOR      ? (mr + ROWS_PER_POINTER - 1) / ROWS_PER_POINTER
           : a_access == A_COLUMN_MAJOR ? 1
                                        : mr;
}

/* What accumulate reads of a tile. The pointers move from one k to the next. */
typedef struct {
    const real *a[MR], *b;
    real *pack_b;
    int64_t a_row, a_k, b_k, n;
    const int64_t *k_offset;
} nnl_tile_operands;

/* acc[i][j] += a[i, k] b[k, j], for `steps` k: 1, or as many as a vector has lanes, which then
 * holds these k of a row of A. */
NNL_INLINE void accumulate_steps(const int steps, const int mr, const int nv,
                                 const nnl_a_access a_access, const nnl_b_access b_access,
                                 vec acc[MR][LONG_NV], nnl_tile_operands *p, int64_t k,
                                 int64_t to_early) {
    const int64_t at = a_access == A_GATHERED || b_access == B_GATHERED ? p->k_offset[k] : 0;
    vec a_steps[MR];
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
        if (steps > 1)
            a_steps[i] = vec_load(p->a[i / ROWS_PER_POINTER] + i % ROWS_PER_POINTER * p->a_row);
#pragma GCC unroll 16
    for (int step = 0; step < steps; step++) {
        const real *from = b_access == B_GATHERED ? p->b + at : p->b;
        vec bk[LONG_NV];
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) {
            bk[j] = b_access == B_MASKED ? vec_load_first(from + j * LANES, p->n - j * LANES)
                                         : vec_load(from + j * LANES);
            if (b_access == B_PACKING) vec_store(p->pack_b + j * LANES, bk[j]);
            if (b_access == B_PACKING && j * VEC_BYTES % 64 == 0)
                __builtin_prefetch((const char *)(from + j * LANES) + to_early);
        }
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) {
            const vec ai = vec_broadcast(
                steps > 1 ? a_steps[i][step]
                : a_access == A_ROW_MAJOR
                    ? p->a[i / ROWS_PER_POINTER][i % ROWS_PER_POINTER * p->a_row]
                : a_access == A_COLUMN_MAJOR ? p->a[0][i]
                                             : p->a[i][at]);
#pragma GCC unroll 16
            for (int j = 0; j < nv; j++) acc[i][j] = vec_fmadd(ai, bk[j], acc[i][j]);
        }
        if (b_access != B_GATHERED) p->b += p->b_k;
        if (b_access == B_PACKING) p->pack_b += NR;
    }
    if (a_access != A_GATHERED) {
#pragma GCC unroll 16
        for (int g = 0; g < a_pointers(mr, a_access); g++) p->a[g] += steps * p->a_k;
    }
}

/* acc[i][j] += a[i, k] b[k, j], for all k. Each instruction beside the multiply-adds counts: an
 * addition of addresses may take the place of a multiply-add. It is one function because both loops
 * move the same pointers. */
NNL_INLINE void accumulate(const int mr, const int nv, const nnl_a_access a_access,
                           const nnl_b_access b_access, vec acc[MR][LONG_NV], const nnl_tile *t) {
    const int64_t K = t->K, *k_offset = t->k_offset;
    const bool in_runs = a_access == A_ROW_MAJOR && k_offset;
    const int steps = a_access == A_ROW_MAJOR && mr > 1 ? STEPS_OF_A_LOAD : 1;
    const int64_t interval = in_runs                 ? t->run
                             : t->prefetch_lines     ? t->prefetch_interval
                             : b_access == B_PACKING ? PREFETCH_INTERVAL_MEDIUM
                                                     : K;
    const int64_t lines = t->prefetch_lines ? ceil_div(t->prefetch_lines * interval, K) : 0;
    const char *prefetch = t->prefetch, *prefetch_end = prefetch + 64 * t->prefetch_lines;
    nnl_tile_operands p = {.b = t->b,
                           .pack_b = t->pack_b,
                           .a_row = t->a_row,
                           .a_k = a_access == A_ROW_MAJOR ? 1 : t->a_k,
                           .b_k = t->b_k,
                           .n = t->n,
                           .k_offset = k_offset};
#pragma GCC unroll 16
    for (int g = 0; g < a_pointers(mr, a_access); g++)
        p.a[g] = t->a + (a_access == A_GATHERED ? t->a_offset[g] : g * ROWS_PER_POINTER * p.a_row);

    for (int64_t k = 0; k < K;) {
        for (int64_t l = 0; l < lines && prefetch < prefetch_end; l++, prefetch += 64)
            __builtin_prefetch(prefetch, 0, 2);
        if (in_runs) {
#pragma GCC unroll 16
            for (int g = 0; g < a_pointers(mr, a_access); g++)
                p.a[g] = t->a + t->a_offset[0] + k_offset[k] + g * ROWS_PER_POINTER * p.a_row;
        }
        const char *early = (const char *)(p.b + B_PREFETCH_DISTANCE * p.b_k);
        if (b_access == B_PACKING && k + B_PREFETCH_DISTANCE >= K)
            early = (const char *)(t->b_next + (k + B_PREFETCH_DISTANCE - K) * p.b_k);
        const int64_t to_early = early - (const char *)p.b;
        const int64_t end = min_of(K, k + interval);
        if (steps > 1)
            for (; k + steps <= end; k += steps)
                accumulate_steps(steps, mr, nv, a_access, b_access, acc, &p, k, to_early);
        if (a_access == A_ROW_MAJOR && b_access == B_VECTORS && mr >= TALL_MR)
            for (; k + STEPS_OF_TALL <= end; k += STEPS_OF_TALL)
#pragma GCC unroll 4
                for (int step = 0; step < STEPS_OF_TALL; step++)
                    accumulate_steps(1, mr, nv, a_access, b_access, acc, &p, k + step, to_early);
        for (; k < end; k++) accumulate_steps(1, mr, nv, a_access, b_access, acc, &p, k, to_early);
    }
}

/* Vector j of n columns. */
NNL_INLINE vec load_columns(const real *p, int j, int64_t n) {
    return n >= (j + 1) * LANES ? vec_load(p + j * LANES)
                                : vec_load_first(p + j * LANES, n - j * LANES);
}

/* A tile of up to nv vectors. */
NNL_INLINE void compute_tile(const int mr, const int nv, const nnl_a_access a_access,
                             const nnl_b_access b_access, const nnl_tile *t) {
    vec acc[MR][LONG_NV];
    const bool whole = t->n == nv * LANES;
    if (mr > MR) return;
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++)
            acc[i][j] = t->resume ? load_columns(t->c + t->c_offset[i], j, t->n) : (vec){0};

    accumulate(mr, nv, a_access, b_access, acc, t);

    if (t->bias) {
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) {
            const vec bias = load_columns(t->bias, j, t->n);
#pragma GCC unroll 16
            for (int i = 0; i < mr; i++) acc[i][j] += bias;
        }
    }
    if (t->clamp.is_done) {
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++)
#pragma GCC unroll 16
            for (int j = 0; j < nv; j++) acc[i][j] = vec_clamp(acc[i][j], t->clamp.cap);
    }
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) {
            real *c = t->c + t->c_offset[i] + j * LANES;
            if (whole)
                vec_store(c, acc[i][j]);
            else
                vec_store_first(c, acc[i][j], t->n - j * LANES);
        }
}

NNL_INLINE void tile_of_height(const int mr, const nnl_a_access a_access, const nnl_tile *t) {
    const bool gathered = a_access == A_COLUMN_MAJOR && t->k_offset;
    if (t->n <= LANES && gathered)
        compute_tile(mr, 1, a_access, B_GATHERED, t);
    else if (gathered)
        compute_tile(mr, NV, a_access, B_GATHERED, t);
    else if (t->n <= LANES)
        compute_tile(mr, 1, a_access, B_VECTORS, t);
    else if (a_access != A_GATHERED && t->pack_b)
        compute_tile(mr, NV, a_access, B_PACKING, t);
    else
        compute_tile(mr, NV, a_access, B_VECTORS, t);
}

NNL_INLINE void tile_of_any_height(const nnl_a_access a_access, const nnl_tile *t) {
    _Static_assert(MR <= 14, "a case for every height");
    // clang-format off
    switch (t->rows) {
    case 1: tile_of_height(1, a_access, t); break;
    case 2: tile_of_height(2, a_access, t); break;
    case 3: tile_of_height(3, a_access, t); break;
    case 4: tile_of_height(4, a_access, t); break;
    case 5: tile_of_height(5, a_access, t); break;
    case 6: tile_of_height(6, a_access, t); break;
    case 7: tile_of_height(7, a_access, t); break;
    case 8: tile_of_height(8, a_access, t); break;
    case 9: tile_of_height(9, a_access, t); break;
    case 10: tile_of_height(10, a_access, t); break;
    case 11: tile_of_height(11, a_access, t); break;
    case 12: tile_of_height(12, a_access, t); break;
    case 13: tile_of_height(13, a_access, t); break;
    case 14: tile_of_height(14, a_access, t); break;
    }
    // clang-format on
}

static void tile_row_major(const nnl_tile *t) { tile_of_any_height(A_ROW_MAJOR, t); }
static void tile_column_major(const nnl_tile *t) { tile_of_any_height(A_COLUMN_MAJOR, t); }
static void tile_gathered(const nnl_tile *t) { tile_of_any_height(A_GATHERED, t); }

/* The columns of a thin tile, of n that are left. */
static int64_t thin_width(int rows, int64_t n) {
    return rows == 1 && n >= LONG_NR ? LONG_NR : n >= THIN_NR ? THIN_NR : min_of(n, NR);
}

/* 1 .. THIN_MR rows by thin_width() columns. With few rows a tile must be wide: a multiply-add
 * waits for the one before it in the same accumulator, so many accumulators must be in use. Wide
 * tiles also read B in long stretches, which come faster from memory. */
NNL_INLINE void thin_tile_of_height(const int mr, const nnl_a_access a_access, const nnl_tile *t) {
    if (mr > THIN_MR) return;
    if (mr == 1 && t->n == LONG_NR)
        compute_tile(1, LONG_NV, a_access, B_VECTORS, t);
    else if (t->n == THIN_NR)
        compute_tile(mr, THIN_NV, a_access, B_VECTORS, t);
    else
        compute_tile(mr, NV, a_access, B_MASKED, t);
}

NNL_INLINE void thin_tile_of_any_height(const nnl_a_access a_access, const nnl_tile *t) {
    _Static_assert(THIN_MR <= 3, "a case for every height");
    // clang-format off
    switch (t->rows) {
    case 1: thin_tile_of_height(1, a_access, t); break;
    case 2: thin_tile_of_height(2, a_access, t); break;
    case 3: thin_tile_of_height(3, a_access, t); break;
    }
    // clang-format on
}

/* 1 .. MR rows by at most NR columns. */
static void multiply_tile(const nnl_tile *t) {
    // clang-format off
    switch (t->a_access) {
    case A_ROW_MAJOR: tile_row_major(t); break;
    case A_COLUMN_MAJOR: tile_column_major(t); break;
    case A_GATHERED: tile_gathered(t); break;
    }
    // clang-format on
}

/* 1 .. THIN_MR rows by thin_width() columns; b is read where it lies. */
static void multiply_thin_tile(const nnl_tile *t) {
    if (t->a_access == A_ROW_MAJOR)
        thin_tile_of_any_height(A_ROW_MAJOR, t);
    else
        thin_tile_of_any_height(A_COLUMN_MAJOR, t);
}

#endif
