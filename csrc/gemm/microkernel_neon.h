/* microkernel_neon.h: tiles for the 32 registers of 64-bit ARM, each of 16 bytes. 5 x 4 of them are
 * accumulators, 4 hold a row of B, and 5 hold values of A. */
#ifndef NNL_MICROKERNEL_NEON_H
#define NNL_MICROKERNEL_NEON_H

#include <arm_neon.h>
#include <stdint.h>

#include "../nnlite.h"

#define VEC_BYTES 16
enum { MR = 5, NV = 4, THIN_MR = 1, THIN_NV = 9, LONG_NV = 15 };
/* A multiply-add takes its factor from a lane. So vectors of rows of A need not be spread. */
enum { STEPS_OF_A_LOAD = VEC_BYTES / sizeof(real) };

typedef real vec __attribute__((vector_size(VEC_BYTES)));
enum { LANES = VEC_BYTES / sizeof(real) };

static inline vec vec_broadcast(real x) {
    return (vec) _Generic(x, float: vdupq_n_f32, double: vdupq_n_f64)(x);
}

/* x > y ? x : y and x < y ? x : y, so y where one is NaN. */
#define CHOOSE _Generic((real)0, float: vbslq_f32, double: vbslq_f64)
static inline vec vec_larger(vec x, vec y) {
    return (vec)CHOOSE(_Generic((real)0, float: vcgtq_f32, double: vcgtq_f64)(x, y), x, y);
}
static inline vec vec_smaller(vec x, vec y) {
    return (vec)CHOOSE(_Generic((real)0, float: vcltq_f32, double: vcltq_f64)(x, y), x, y);
}
#undef CHOOSE

static inline vec vec_fmadd(vec a, vec b, vec c) {
    return (vec) _Generic((real)0, float: vfmaq_f32, double: vfmaq_f64)(c, a, b);
}

static inline vec vec_load_first(const real *p, int64_t n) {
    vec v = {0};
    for (int l = 0; l < LANES && l < n; l++) v[l] = p[l];
    return v;
}

static inline void vec_store_first(real *p, vec x, int64_t n) {
    for (int l = 0; l < LANES && l < n; l++) p[l] = x[l];
}

#endif
