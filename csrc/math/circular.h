/* circular.h: sine and cosine of float32 numbers, vectorised. */
#ifndef NNL_CIRCULAR_H
#define NNL_CIRCULAR_H

#include <math.h>

#include "vec.h"

/* Beyond it the C library computes them. Below it, multiples of the parts of pi / 2 are exact. */
#define MOST_RADIANS 1e6

/* The nearest integer, if |x| < 2^51. */
NNL_INLINE double rounded(double x) { return (x + 0x1.8p52) - 0x1.8p52; }

/* sin(x + quarters pi / 2) for |x| <= MOST_RADIANS, in double: 0.6 ulp of the float. x is n times
 * pi / 2, which has three parts of 32, 32 and 53 bits, and a rest r, |r| <= pi / 4. Polynomials of
 * Taylor's give its sine and cosine. */
NNL_INLINE double near_sine(double x, int quarters) {
    const double n = rounded(x * 0.63661977236758134);
    const double r = ((x - n * 0x1.921fb544p+0) - n * 0x1.0b4611a6p-34) - n * 0x1.3198a2e037073p-69;
    const double z = r * r;
    const double s = -1. / 5040 + z * (1. / 362880 - z * (1. / 39916800));
    const double c = -1. / 720 + z * (1. / 40320 - z * (1. / 3628800));
    const double sine = r + r * z * (-1. / 6 + z * (1. / 120 + z * s));
    const double cosine = 1 + z * (-1. / 2 + z * (1. / 24 + z * c));
    const double turn = n + quarters, half = rounded(turn / 2 - 0.25); /* rounded down */
    const double value = turn == 2 * half ? sine : cosine;
    return half == 2 * rounded(half / 2 - 0.25) ? value : -value;
}

NNL_INLINE real far_sine(real x, int quarters) {
    if (REAL_IS_FLOAT) return quarters ? __builtin_cosf((float)x) : __builtin_sinf((float)x);
    return quarters ? __builtin_cos(x) : __builtin_sin(x);
}

/* y[i] = sin(x[i] + quarters pi / 2) for 0 or 1 quarters; y may be x. */
NNL_INLINE void sines(real *y, const real *x, int64_t n, int quarters) {
    int near = REAL_IS_FLOAT;
    for (int64_t i = 0; i < n; i++) near &= real_abs(x[i]) <= (real)MOST_RADIANS;
    if (near) {
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = (real)near_sine(x[i], quarters);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const int here = REAL_IS_FLOAT && real_abs(x[i]) <= (real)MOST_RADIANS;
        y[i] = here ? (real)near_sine(x[i], quarters) : far_sine(x[i], quarters);
    }
}

#endif
