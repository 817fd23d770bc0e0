/* microkernel_avx2.h: tiles for the 16 registers of AVX2, each of 32 bytes. 6 x 2 of them are
 * accumulators, 2 hold a row of B, and 1 a value of A. */
#ifndef NNL_MICROKERNEL_AVX2_H
#define NNL_MICROKERNEL_AVX2_H

#include <immintrin.h>
#include <stdint.h>

#include "../nnlite.h"

#define VEC_BYTES 32
enum { MR = 6, NV = 2, THIN_MR = 1, THIN_NV = 8, LONG_NV = 8 };
enum { STEPS_OF_A_LOAD = 1 }; /* a value is loaded and spread at once */

typedef real vec __attribute__((vector_size(VEC_BYTES)));
enum { LANES = VEC_BYTES / sizeof(real) };

static inline vec vec_broadcast(real x) {
    return _Generic(x, float: _mm256_set1_ps, double: _mm256_set1_pd)(x);
}

/* x > y ? x : y and x < y ? x : y, so y where one is NaN. */
static inline vec vec_larger(vec x, vec y) {
    return _Generic((real)0, float: _mm256_max_ps, double: _mm256_max_pd)(x, y);
}
static inline vec vec_smaller(vec x, vec y) {
    return _Generic((real)0, float: _mm256_min_ps, double: _mm256_min_pd)(x, y);
}

static inline vec vec_fmadd(vec a, vec b, vec c) {
    return _Generic((real)0, float: _mm256_fmadd_ps, double: _mm256_fmadd_pd)(a, b, c);
}

/* A mask of 32-bit words: in the first n lanes the sign bits are set. */
static inline __m256i first_lanes(int64_t n) {
    int words = (int)(n >= LANES ? 8 : n <= 0 ? 0 : n * (8 / LANES));
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(words), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

static inline vec vec_load_first(const real *p, int64_t n) {
    return _Generic(*p, float: _mm256_maskload_ps, double: _mm256_maskload_pd)(p, first_lanes(n));
}

static inline void vec_store_first(real *p, vec x, int64_t n) {
    _Generic(*p, float: _mm256_maskstore_ps, double: _mm256_maskstore_pd)(p, first_lanes(n), x);
}

#endif
