/* microkernel_avx512.h: tiles for the 32 registers of AVX-512, each of 64 bytes. 14 x 2 of them are
 * accumulators, 2 hold a row of B, and 1 a value of A. */
#ifndef NNL_MICROKERNEL_AVX512_H
#define NNL_MICROKERNEL_AVX512_H

#include <immintrin.h>
#include <stdint.h>

#include "../nnlite.h"

#define VEC_BYTES 64
enum { MR = 14, NV = 2, THIN_MR = 3, THIN_NV = 8, LONG_NV = 16 };
enum { STEPS_OF_A_LOAD = 1 }; /* a value is loaded and spread at once */

typedef real vec __attribute__((vector_size(VEC_BYTES)));
enum { LANES = VEC_BYTES / sizeof(real) };

static inline vec vec_broadcast(real x) {
    return _Generic(x, float: _mm512_set1_ps, double: _mm512_set1_pd)(x);
}

/* x > y ? x : y and x < y ? x : y, so y where one is NaN. */
static inline vec vec_larger(vec x, vec y) {
    return _Generic((real)0, float: _mm512_max_ps, double: _mm512_max_pd)(x, y);
}
static inline vec vec_smaller(vec x, vec y) {
    return _Generic((real)0, float: _mm512_min_ps, double: _mm512_min_pd)(x, y);
}

static inline vec vec_fmadd(vec a, vec b, vec c) {
    return _Generic((real)0, float: _mm512_fmadd_ps, double: _mm512_fmadd_pd)(a, b, c);
}

/* A mask with one bit for each lane: those of the first n lanes are set. */
static inline __mmask16 first_lanes(int64_t n) {
    return n >= LANES ? 0xffff : n <= 0 ? 0 : (__mmask16)((1u << n) - 1);
}

static inline vec vec_load_first(const real *p, int64_t n) {
    const __mmask16 mask = first_lanes(n);
    return _Generic(*p, float: _mm512_maskz_loadu_ps, double: _mm512_maskz_loadu_pd)(mask, p);
}

static inline void vec_store_first(real *p, vec x, int64_t n) {
    _Generic(*p, float: _mm512_mask_storeu_ps, double: _mm512_mask_storeu_pd)(p, first_lanes(n), x);
}

#endif
