/* microkernel.h: a tile of C that stays in registers while k runs: the loop that takes the time.
 *
 * The loop is written once, over a vector type and the few operations that microkernel_<isa>.h
 * supplies along with the tile's shape: MR rows of NV vectors. Height and width are constants
 * wherever a tile is instantiated, so the compiler unrolls the loops over them and gives each
 * accumulator a register. */
#ifndef NNL_MICROKERNEL_H
#define NNL_MICROKERNEL_H

#include "gemm.h"

#if defined(__AVX512F__)
#include "microkernel_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "microkernel_avx2.h"
#else
#include "microkernel_generic.h"
#endif

enum {
    NR = NV * LANES,                          /* columns of a panel, a piece of packed B */
    THIN_NR = THIN_NV * LANES,                /* columns of a thin tile, which reads B in place */
    STRIP = (MR + LANES - 1) / LANES * LANES, /* from one k to the next in a packed strip of A */
};

#define NNL_INLINE static inline __attribute__((always_inline))

NNL_INLINE vec vec_load(const real *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

NNL_INLINE void vec_store(real *p, vec v) { memcpy(p, &v, sizeof v); }

/* a[first], b[first], a[first + 1], b[first + 1], ... */
NNL_INLINE vec vec_zip(vec a, vec b, const int first) {
    __typeof__(a < b) from; /* integers as wide as a real */
#pragma GCC unroll 16
    for (int l = 0; l < LANES; l++) from[l] = first + l / 2 + l % 2 * LANES;
    return __builtin_shuffle(a, b, from);
}

/* Where a tile finds its operands: a[i * a_row + k * a_k], b[k * b_k + j] and c[i * ldc + j]. Of c
 * only the n columns are touched. b is read in whole vectors, and so is padded to that, unless
 * the tile is an EDGE. */
typedef struct {
    const real *a, *b;
    real *c, *keep; /* keep: where to leave b packed, or NULL */
    int64_t a_row, a_k, b_k, ldc, n, K;
    int rows;
    bool resume;      /* c holds the sums over the k that came before */
    const real *bias; /* of these n columns; NULL: there is none, or more k is to come */
    const char *ahead; /* memory that is fetched meanwhile, `ahead_step` bytes further for each k */
    int64_t ahead_step;
} nnl_tile;

/* Rows of A that are addressed from one pointer: base, base + 1, 2 and 3 row lengths. With a
 * pointer or an offset for every row the general registers would not suffice. */
enum { GROUP = 4 };

/* How b is read: whole vectors, packed; whole vectors where they lie; these, which are also left
 * packed in `keep`; no more than n columns. */
typedef enum { WHOLE, IN_PLACE, KEEPING, EDGE } nnl_way;

/* Rows of b that are fetched early while it is read in place, from row to row too far apart for the
 * processor to see it coming. */
enum { AHEAD = 8 };

/* acc[i][j] += a[i, k] b[k, j], for all k. */
NNL_INLINE void accumulate(const int mr, const int nv, const nnl_way way, vec acc[MR][THIN_NV],
                           const nnl_tile *t) {
    const int64_t K = t->K, n = t->n, a_row = t->a_row, a_k = t->a_k, b_k = t->b_k;
    const char *ahead = t->ahead;
    const real *b = t->b, *a[(MR + GROUP - 1) / GROUP];
    real *keep = t->keep;
#pragma GCC unroll 16
    for (int g = 0; g * GROUP < mr; g++) a[g] = t->a + g * GROUP * a_row;

    for (int64_t k = 0; k < K; k++) {
        vec bk[THIN_NV];
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) {
            const real *p = b + k * b_k + j * LANES;
            bk[j] = way == EDGE ? vec_load_first(p, n - j * LANES) : vec_load(p);
            if (way == KEEPING) vec_store(keep + k * NR + j * LANES, bk[j]);
            if (way == KEEPING || way == IN_PLACE) __builtin_prefetch(p + AHEAD * b_k);
        }
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) {
            vec ai = vec_broadcast(a[i / GROUP][i % GROUP * a_row]);
#pragma GCC unroll 16
            for (int j = 0; j < nv; j++) acc[i][j] = vec_fmadd(ai, bk[j], acc[i][j]);
        }
#pragma GCC unroll 16
        for (int g = 0; g * GROUP < mr; g++) a[g] += a_k;
        __builtin_prefetch(ahead, 0, 2);
        ahead += t->ahead_step;
    }
}

/* c = (c or 0) + a b (+ bias) */
NNL_INLINE void tile(const int mr, const int nv, const nnl_way way, const nnl_tile *t) {
    vec acc[MR][THIN_NV];
    const bool full = t->n == nv * LANES;
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) {
            const real *c = t->c + i * t->ldc + j * LANES;
            acc[i][j] = (vec){0};
            if (t->resume) acc[i][j] = full ? vec_load(c) : vec_load_first(c, t->n - j * LANES);
        }

    accumulate(mr, nv, way, acc, t);

#pragma GCC unroll 16
    for (int j = 0; j < nv; j++) {
        const int64_t n = t->n - j * LANES;
        const vec bias = t->bias ? vec_load_first(t->bias + j * LANES, n) : (vec){0};
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) {
            real *c = t->c + i * t->ldc + j * LANES;
            const vec sum = t->bias ? acc[i][j] + bias : acc[i][j];
            if (full)
                vec_store(c, sum);
            else
                vec_store_first(c, sum, n);
        }
    }
}

NNL_INLINE void panel_tile(const int mr, const nnl_tile *t) {
    if (mr > MR) return;
    if (t->n <= LANES)
        tile(mr, 1, WHOLE, t);
    else if (t->keep)
        tile(mr, NV, KEEPING, t);
    else
        tile(mr, NV, WHOLE, t);
}

/* So few accumulators are in use that a tile must be wide for the multiply-adds not to wait for
 * each other. */
NNL_INLINE void thin_tile(const int mr, const nnl_tile *t) {
    if (mr > THIN_MR) return;
    if (t->n == THIN_NR)
        tile(mr, THIN_NV, IN_PLACE, t);
    else
        tile(mr, NV, EDGE, t);
}

/* 1 .. MR rows by at most NR columns; b is packed, or to be. */
static void multiply_panel(const nnl_tile *t) {
    _Static_assert(MR <= 14, "a case for every height");
    switch (t->rows) {
    case 1: panel_tile(1, t); break;
    case 2: panel_tile(2, t); break;
    case 3: panel_tile(3, t); break;
    case 4: panel_tile(4, t); break;
    case 5: panel_tile(5, t); break;
    case 6: panel_tile(6, t); break;
    case 7: panel_tile(7, t); break;
    case 8: panel_tile(8, t); break;
    case 9: panel_tile(9, t); break;
    case 10: panel_tile(10, t); break;
    case 11: panel_tile(11, t); break;
    case 12: panel_tile(12, t); break;
    case 13: panel_tile(13, t); break;
    case 14: panel_tile(14, t); break;
    }
}

/* 1 .. THIN_MR rows by THIN_NR columns, or at most NR; b is read in place. */
static void multiply_thin(const nnl_tile *t) {
    _Static_assert(THIN_MR <= 3, "a case for every height");
    switch (t->rows) {
    case 1: thin_tile(1, t); break;
    case 2: thin_tile(2, t); break;
    case 3: thin_tile(3, t); break;
    }
}

#endif
