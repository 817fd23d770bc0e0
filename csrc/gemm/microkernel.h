/* microkernel.h: a tile of C that stays in registers while k runs; the one loop in which the time is spent.
 *
 * The loop is written once, over a vector type and a few operations that microkernel_<isa>.h supplies along
 * with the shape of the tile: MR rows of NV vectors. Heights and widths are constants where a tile is
 * instantiated, so that the compiler unrolls it and keeps the accumulators in registers. */
#ifndef NNL_MICROKERNEL_H
#define NNL_MICROKERNEL_H

#include "../activation.h"
#include "gemm.h"

#if defined(__AVX512F__)
#include "microkernel_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "microkernel_avx2.h"
#else
#include "microkernel_generic.h"
#endif

/* Columns of a packed panel, and of a tile that reads a wide piece of B in place. */
enum { NR = NV * LANES, THIN_NR = THIN_NV * LANES };

static inline vec vec_load(const real *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vec_store(real *p, vec v) { memcpy(p, &v, sizeof v); }

/* a[first], b[first], a[first + 1], b[first + 1], ... */
static inline __attribute__((always_inline)) vec vec_zip(vec a, vec b, const int first) {
    __typeof__(a < b) from; /* integers of the same width */
#pragma GCC unroll 16
    for (int l = 0; l < LANES; l++) from[l] = first + l / 2 + l % 2 * LANES;
    return __builtin_shuffle(a, b, from);
}

/* Where a tile finds its operands: a[i * a_row + k * a_k], b[k * b_k + j], c[i * ldc + j]. Whole vectors of b
 * are read, so b is padded where n is not a multiple of LANES; of c the n columns alone are touched. */
typedef struct {
    const real *a, *b;
    real *c, *packed;
    int64_t a_row, a_k, b_k, ldc;
    int64_t n, K;
    bool resume;                  /* c holds the sums over the k that came before */
    const real *bias;             /* of these columns, or NULL */
    const nnl_epilogue *epilogue; /* NULL when more k is to come */
} nnl_tile;

#ifndef PA
#define PA 0
#endif
#ifndef PB
#define PB 0
#endif
#define PREFETCH if (PA) {__builtin_prefetch(a+(k+PA)*a_k);__builtin_prefetch(a+(k+PA)*a_k+mr-1);} if (PB) {__builtin_prefetch(b+(k+PB)*b_k);__builtin_prefetch(b+(k+PB)*b_k+LANES);}
static inline __attribute__((always_inline)) void tile(const int mr, const int nv, const nnl_tile *t) {
    vec acc[MR][THIN_NV];
    const bool whole = t->n == nv * LANES;
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) {
            const real *c = t->c + i * t->ldc + j * LANES;
            if (!t->resume)
                acc[i][j] = (vec){0};
            else
                acc[i][j] = whole ? vec_load(c) : vec_load_first(c, t->n - j * LANES);
        }

    const int64_t K = t->K, a_row = t->a_row, a_k = t->a_k, b_k = t->b_k;
    const real *a = t->a, *b = t->b;
    real *packed = t->packed;
    for (int64_t k = 0; k < K; k++) {
        vec bk[THIN_NV];
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) bk[j] = vec_load(b + k * b_k + j * LANES);
        if (packed)
#pragma GCC unroll 16
            for (int j = 0; j < nv; j++) vec_store(packed + k * NR + j * LANES, bk[j]);
        PREFETCH
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) {
            vec ai = vec_broadcast(a[i * a_row + k * a_k]);
#pragma GCC unroll 16
            for (int j = 0; j < nv; j++) acc[i][j] = vec_fmadd(ai, bk[j], acc[i][j]);
        }
    }

#pragma GCC unroll 16
    for (int j = 0; j < nv; j++) {
        if (t->bias) {
            vec bias = whole ? vec_load(t->bias + j * LANES) : vec_load_first(t->bias + j * LANES, t->n - j * LANES);
#pragma GCC unroll 16
            for (int i = 0; i < mr; i++) acc[i][j] += bias;
        }
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) {
            real *c = t->c + i * t->ldc + j * LANES;
            if (whole)
                vec_store(c, acc[i][j]);
            else
                vec_store_first(c, acc[i][j], t->n - j * LANES);
        }
    }
    if (t->epilogue && t->epilogue->activation != NNL_LINEAR)
        for (int i = 0; i < mr; i++) {
            real *c = t->c + i * t->ldc;
            activate(c, c, t->n, t->epilogue->activation, t->epilogue->alpha);
        }
}

#define NNL_CASE(mr, nv) \
    case mr:             \
        if (mr <= MR) tile(mr, nv, t); \
        break;

#define NNL_CASES(nv) \
        NNL_CASE(1, nv) NNL_CASE(2, nv) NNL_CASE(3, nv) NNL_CASE(4, nv) NNL_CASE(5, nv) NNL_CASE(6, nv) \
        NNL_CASE(7, nv) NNL_CASE(8, nv) NNL_CASE(9, nv) NNL_CASE(10, nv) NNL_CASE(11, nv) \
        NNL_CASE(12, nv) NNL_CASE(13, nv) NNL_CASE(14, nv)
static void tile2(int mr, const nnl_tile *t) { switch (mr) { NNL_CASES(2) } }
static void tile1(int mr, const nnl_tile *t) { switch (mr) { NNL_CASES(1) } }
static void tilethin(int mr, const nnl_tile *t) { switch (mr) { 
case 1: tile(1,THIN_NV,t); break; 
case 2: if (THIN_MR>=2) tile(2,THIN_NV,t); break; 
case 3: if (THIN_MR>=3) tile(3,THIN_NV,t); break; } }
#endif
