/* microkernel_generic.h: tiles for any CPU, with GCC's 16-byte vectors and without a fused
 * multiply-add. */
#ifndef NNL_MICROKERNEL_GENERIC_H
#define NNL_MICROKERNEL_GENERIC_H

#include <stdint.h>

#include "../nnlite.h"

#define VEC_BYTES 16
enum { MR = 5, NV = 2, THIN_MR = 1, THIN_NV = 8, LONG_NV = 8 };
enum { STEPS_OF_A_LOAD = 1 }; /* a value is loaded and spread at once */

typedef real vec __attribute__((vector_size(VEC_BYTES)));
enum { LANES = VEC_BYTES / sizeof(real) };

/* GCC spreads a scalar operand over the lanes. x - 0 is x, also for x = -0. */
static inline vec vec_broadcast(real x) { return x - (vec){0}; }

/* x > y ? x : y and x < y ? x : y, so y where one is NaN. */
static inline vec vec_larger(vec x, vec y) {
    for (int l = 0; l < LANES; l++) y[l] = x[l] > y[l] ? x[l] : y[l];
    return y;
}
static inline vec vec_smaller(vec x, vec y) {
    for (int l = 0; l < LANES; l++) y[l] = x[l] < y[l] ? x[l] : y[l];
    return y;
}

static inline vec vec_fmadd(vec a, vec b, vec c) { return a * b + c; }

static inline vec vec_load_first(const real *p, int64_t n) {
    vec v = {0};
    for (int l = 0; l < LANES && l < n; l++) v[l] = p[l];
    return v;
}

static inline void vec_store_first(real *p, vec x, int64_t n) {
    for (int l = 0; l < LANES && l < n; l++) p[l] = x[l];
}

#endif
