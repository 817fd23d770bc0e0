/* vec.h: elementary functions in plain C without branches, so the compiler vectorises every loop
 * over them.
 *
 * They use IEEE multiply, add, fused multiply-add, divide and integer operations only. The result
 * for a value therefore has the same bits at every place of an array, and on every instruction set
 * that has a fused multiply-add. Errors are given in ulp, units in the last place: the largest
 * found among 10^8 floats over all bit patterns and 6 * 10^7 random doubles. Denormal arguments and
 * results count as zero, and plan.c sets the CPU to do the same. */
#ifndef NNL_VEC_H
#define NNL_VEC_H

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../nnlite.h"

/* Before a loop whose pointers may be equal, as in an op done in place. It tells the compiler that
 * the iterations are independent all the same. */
#if defined(__clang__)
#define NNL_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define NNL_INDEPENDENT _Pragma("GCC ivdep")
#endif

/* Before a loop over ROW_LANES. GCC would otherwise unroll it into scalars, where it can become one
 * vector or a few. */
#if defined(__clang__)
#define NNL_LANES
#else
#define NNL_LANES _Pragma("GCC unroll 1")
#endif

/* For functions of one element and for loops that take such a function. Inlined, the function
 * becomes part of the loop, and the loop is vectorised. */
#define NNL_INLINE static inline __attribute__((always_inline))

/* A constant: of every `if` on it the compiler keeps one branch. */
#define REAL_IS_FLOAT (sizeof(real) == sizeof(float))
typedef __typeof__(__builtin_choose_expr(REAL_IS_FLOAT, (uint32_t)0, (uint64_t)0)) real_bits;
enum { MANTISSA_BITS = REAL_IS_FLOAT ? 23 : 52, EXPONENT_BIAS = REAL_IS_FLOAT ? 127 : 1023 };
#define REAL_INFINITY ((real)INFINITY)
#define REAL_LARGEST ((real)(REAL_IS_FLOAT ? FLT_MAX : DBL_MAX))
#define REAL_SMALLEST_NORMAL ((real)(REAL_IS_FLOAT ? FLT_MIN : DBL_MIN))

/* a * b + c, rounded once if the CPU can do so. */
NNL_INLINE real fmadd(real a, real b, real c) {
#if defined(__FMA__) || defined(__aarch64__)
    return REAL_IS_FLOAT ? __builtin_fmaf(a, b, c) : __builtin_fma(a, b, c);
#else
    return a * b + c;
#endif
}

NNL_INLINE void add_multiple(real *restrict to, real factor, const real *restrict from, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] = fmadd(factor, from[i], to[i]);
}

NNL_INLINE real_bits bits_of(real x) {
    real_bits bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

NNL_INLINE real real_of(real_bits bits) {
    real x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

NNL_INLINE real real_abs(real x) {
    return REAL_IS_FLOAT ? __builtin_fabsf((float)x) : __builtin_fabs(x);
}
NNL_INLINE real real_sqrt(real x) { return REAL_IS_FLOAT ? __builtin_sqrtf(x) : __builtin_sqrt(x); }
NNL_INLINE real sign_of(real x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
/* NaN in either operand is the result, as in NumPy. */
NNL_INLINE real maximum_of(real a, real b) { return ((a > b) | (a != a)) ? a : b; }
NNL_INLINE real minimum_of(real a, real b) { return ((a < b) | (a != a)) ? a : b; }
/* 1 / x for x > 0, 0.501 ulp. An estimate from the bits of x, off by at most 5.1 %, is improved by
 * three steps of Newton's method. Loops that wait for divisions run up to 1.6 times as fast with
 * it. For x = 0 the result is not finite, for x > 2^125 it is 2^-125. */
NNL_INLINE real real_reciprocal(real x) {
    if (!REAL_IS_FLOAT) return 1 / x;
    x = x > (real)0x1p125 ? (real)0x1p125 : x;
    real y = real_of((real_bits)0x7ef311c7 - bits_of(x));
    y *= fmadd(-x, y, 2);
    y *= fmadd(-x, y, 2);
    return fmadd(y, fmadd(-x, y, 1), y);
}
NNL_INLINE real real_pow(real x, real y) {
    return REAL_IS_FLOAT ? __builtin_powf(x, y) : __builtin_pow(x, y);
}

/* ln 2 in two parts. The upper part has few bits, so its product with an exponent is exact. */
#define LN2_UPPER ((real)(REAL_IS_FLOAT ? 0.693359375 : 6.93147180369123816490e-01))
#define LN2_LOWER ((real)(REAL_IS_FLOAT ? -2.12194440054690583e-4 : 1.90821492927058770002e-10))

/* x = n ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 * 2^MANTISSA_BITS to x / ln 2 rounds it to the
 * integer n and leaves n in the lowest bits of the sum. `exponent` is n, shifted to the place of
 * the exponent. */
typedef struct {
    real r;
    real_bits exponent;
} exp_parts;

NNL_INLINE exp_parts split_exp(real x) {
    const real magic = REAL_IS_FLOAT ? 0x1.8p23 : 0x1.8p52;
    real sum = fmadd(x, (real)1.44269504088896340736, magic);
    real n = sum - magic;
    real r = fmadd(-n, LN2_LOWER, fmadd(-n, LN2_UPPER, x));
    return (exp_parts){r, bits_of(sum) << MANTISSA_BITS};
}

/* (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2, interpolated at Chebyshev nodes. */
NNL_INLINE real exp_curve(real r) {
    real q;
    if (REAL_IS_FLOAT) {
        q = fmadd(r, (real)0.0013926213, (real)0.008363203);
        q = fmadd(r, q, (real)0.041666556);
        q = fmadd(r, q, (real)0.16666576);
    } else {
        q = fmadd(r, (real)2.510047017823352e-08, (real)2.762013841995055e-07);
        q = fmadd(r, q, (real)2.755726825262608e-06);
        q = fmadd(r, q, (real)2.4801521190985998e-05);
        q = fmadd(r, q, (real)0.00019841269863222843);
        q = fmadd(r, q, (real)0.0013888888917281236);
        q = fmadd(r, q, (real)0.008333333333330011);
        q = fmadd(r, q, (real)0.04166666666662399);
        q = fmadd(r, q, (real)0.16666666666666669);
    }
    return fmadd(r, q, (real)0.5);
}

/* e^r - 1 for |r| <= ln 2 / 2. */
NNL_INLINE real short_expm1(real r) { return fmadd(r * r, exp_curve(r), r); }

/* e^x. It overflows to infinity, and is 0 where the result would be denormal. NaN stays NaN. 1.1
 * ulp, double 1.2. */
NNL_INLINE real real_exp(real x) {
    const real highest = REAL_IS_FLOAT ? 88.72283 : 709.782712893384;
    const real lowest = REAL_IS_FLOAT ? -87.33654 : -708.3964185322641;
    exp_parts p = split_exp(x);
    real y = real_of(bits_of(1 + short_expm1(p.r)) + p.exponent);
    y = x <= highest ? y : x + REAL_INFINITY;
    return x < lowest ? 0 : y;
}

/* e^x for x <= 0, as in a softmax, in two thirds of the instructions. ln 2 is rounded, so the error
 * grows with |x|, but by less than that which the rounding of x causes. 1 + 0.3 |x| ulp. */
NNL_INLINE real real_exp_of_negative(real x) {
    /* As in split_exp, but the lowest bits of the sum are n + EXPONENT_BIAS. */
    const real magic = (REAL_IS_FLOAT ? 0x1.8p23 : 0x1.8p52) + EXPONENT_BIAS;
    const real lowest = REAL_IS_FLOAT ? -87.33654 : -708.3964185322641;
    const real sum = fmadd(x, (real)1.44269504088896340736, magic);
    const real r = fmadd(magic - sum, (real)0.69314718055994530942, x);
    const real y = fmadd(r, fmadd(r, exp_curve(r), 1), 1) * real_of(bits_of(sum) << MANTISSA_BITS);
    return x < lowest ? 0 : y;
}

/* The natural logarithm: log(m) = 2 artanh(s) with s = (m - 1) / (m + 1) and m in [sqrt(1/2),
 * sqrt(2)). The terms are arranged as in FreeBSD's msun, so little is lost near x = 1. log(0) is
 * -inf, the logarithm of a negative number NaN. 0.9 ulp. */
NNL_INLINE real real_log(real x) {
    const real magic = REAL_IS_FLOAT ? 0x1p23 : 0x1p52;
    const real_bits one = bits_of(1), root_half = bits_of((real)0.70710678118654752440);
    real_bits shifted = bits_of(x) + (one - root_half);
    real e = real_of((shifted >> MANTISSA_BITS) | bits_of(magic)) - (magic + EXPONENT_BIAS);
    real f = real_of((shifted & (((real_bits)1 << MANTISSA_BITS) - 1)) + root_half) - 1;
    real s = f / (2 + f), z = s * s, q;
    if (REAL_IS_FLOAT) {
        q = fmadd(z, (real)0.2957994, (real)0.3998878);
        q = fmadd(z, q, (real)0.66666687);
    } else {
        q = fmadd(z, (real)0.14616439892010571, (real)0.1533172245763702);
        q = fmadd(z, q, (real)0.18182889096910845);
        q = fmadd(z, q, (real)0.2222221113522639);
        q = fmadd(z, q, (real)0.2857142862597262);
        q = fmadd(z, q, (real)0.3999999999989951);
        q = fmadd(z, q, (real)0.666666666666667);
    }
    real half_square = (real)0.5 * f * f;
    real rest = fmadd(e, LN2_LOWER, s * fmadd(z, q, half_square));
    real y = fmadd(e, LN2_UPPER, f - (half_square - rest));
    y = x <= REAL_LARGEST ? y : x;
    real below = x < 0 ? (real)NAN : -REAL_INFINITY;
    return x < REAL_SMALLEST_NORMAL ? below : y;
}

/* log(1 + x) for finite x >= 0. The rounding error of 1 + x is corrected. 1.2 ulp. */
NNL_INLINE real real_log1p(real x) {
    real u = 1 + x;
    return real_log(u) + (x - (u - 1)) / u;
}

/* e^x - 1 for x <= 0, accurate near 0. 1.5 ulp. */
NNL_INLINE real real_expm1(real x) {
    const real enough = REAL_IS_FLOAT ? -20 : -40; /* it rounds to -1 before that */
    exp_parts p = split_exp(x < enough ? enough : x);
    real power = real_of(bits_of(1) + p.exponent);
    return fmadd(power, short_expm1(p.r), power - 1);
}

/* tanh(|x|) = -y / (y + 2) with y = e^(-2 |x|) - 1, which is accurate for small x, and the sign of
 * x. 2.6 ulp, double 2.8. */
NNL_INLINE real real_tanh(real x) {
    const real enough = REAL_IS_FLOAT ? 10 : 20; /* tanh rounds to 1 before that */
    real a = real_abs(x);
    a = a > enough ? enough : a;
    exp_parts p = split_exp(-2 * a);
    real power = real_of(bits_of(1) + p.exponent);
    real y = fmadd(power, short_expm1(p.r), power - 1);
    const real_bits sign = bits_of((real)-0.0);
    return real_of((bits_of(y / (y + 2)) & ~sign) | (bits_of(x) & sign));
}

/* 1 / (1 + e^-x). 2.5 ulp. */
NNL_INLINE real real_sigmoid(real x) { return 1 / (1 + real_exp(-x)); }

/* x * x - square, exactly, where `square` is x * x rounded. */
NNL_INLINE real rest_of_square(real x, real square) {
#if defined(__FMA__) || defined(__aarch64__)
    return fmadd(x, x, -square);
#else
    const real_bits lower_half = ((real_bits)1 << (MANTISSA_BITS / 2 + 1)) - 1;
    real upper = real_of(bits_of(x) & ~lower_half), lower = x - upper;
    return (upper * upper - square + 2 * upper * lower) + lower * lower;
#endif
}

/* Of the standard normal distribution: gauss = e^(-x^2 / 2), below = the probability of a value
 * less than x. */
typedef struct {
    real gauss, below;
} normal_parts;

/* With a = |x| the upper tail is e^(-a^2 / 2) p(s) / (a + K), s = (a - K) / (a + K). The polynomial
 * p interpolates at Chebyshev nodes (after M. M. Shepherd, J. G. Laframboise: "Chebyshev
 * approximation of (1 + 2x) exp(x^2) erfc x", Math. Comp. 36, 1981). The rounding error of a^2 is
 * corrected, so small tails are as accurate as large ones. 5 ulp, double 7. Most lines of the
 * function are the coefficients of p in both precisions. */
NNL_INLINE normal_parts real_normal(real x) {
    const real K = REAL_IS_FLOAT ? 4 : 5, enough = REAL_IS_FLOAT ? 14 : 39;
    real a = real_abs(x);
    a = a > enough ? enough : a;
    real square = a * a, rest = rest_of_square(a, square);
    real gauss = real_exp((real)-0.5 * square);
    gauss = fmadd((real)-0.5 * rest, gauss, gauss);
    real r = 1 / (a + K), s = (a - K) * r, p;
    if (REAL_IS_FLOAT) {
        p = fmadd(s, (real)-0.000115843635, (real)0.00021157929);
        p = fmadd(s, p, (real)0.0015777092);
        p = fmadd(s, p, (real)-0.0035297603);
        p = fmadd(s, p, (real)-0.007532521);
        p = fmadd(s, p, (real)0.06040685);
        p = fmadd(s, p, (real)-0.1865222);
        p = fmadd(s, p, (real)0.3871367);
        p = fmadd(s, p, (real)-0.6078966);
        p = fmadd(s, p, (real)0.75528514);
    } else {
        p = fmadd(s, (real)2.2304911837475154e-09, (real)7.647443882306754e-09);
        p = fmadd(s, p, (real)-1.061581801782573e-08);
        p = fmadd(s, p, (real)-6.671504965930671e-08);
        p = fmadd(s, p, (real)4.3729097145162106e-08);
        p = fmadd(s, p, (real)4.344751385328317e-07);
        p = fmadd(s, p, (real)-3.3745543123857964e-07);
        p = fmadd(s, p, (real)-2.7703359213845883e-06);
        p = fmadd(s, p, (real)3.981155259999038e-06);
        p = fmadd(s, p, (real)1.6681705436903142e-05);
        p = fmadd(s, p, (real)-4.976284274479492e-05);
        p = fmadd(s, p, (real)-5.9375865414441355e-05);
        p = fmadd(s, p, (real)0.000544899060362547);
        p = fmadd(s, p, (real)-0.0007978693752169911);
        p = fmadd(s, p, (real)-0.0029933767687916886);
        p = fmadd(s, p, (real)0.02079506679761954);
        p = fmadd(s, p, (real)-0.06911863870650092);
        p = fmadd(s, p, (real)0.1650203661704974);
        p = fmadd(s, p, (real)-0.31353315667129644);
        p = fmadd(s, p, (real)0.4953056159699742);
        p = fmadd(s, p, (real)-0.6653825028900568);
        p = fmadd(s, p, (real)0.769193049750063);
    }
    real above = gauss * p * r;
    return (normal_parts){gauss, x < 0 ? above : 1 - above};
}

/* The cosine and the sine of 2 pi u. */
typedef struct {
    real cosine, sine;
} circle_point;

/* For 0 <= u <= 1: u is a multiple of a quarter turn plus a rest v with |v| <= 1/8, and polynomials
 * give cosine and sine of the rest. 1.5 ulp of 1. */
NNL_INLINE circle_point real_circle(real u) {
    const real magic = REAL_IS_FLOAT ? 0x1.8p23 : 0x1.8p52;
    real sum = fmadd(4, u, magic), v = fmadd((real)-0.25, sum - magic, u), z = v * v, c, s;
    real_bits quarters = bits_of(sum), odd = 0 - (quarters & 1);
    if (REAL_IS_FLOAT) {
        s = fmadd(z, (real)-75.40161, (real)81.592545);
        s = fmadd(z, s, (real)-41.341663);
        s = fmadd(z, s, (real)6.2831855);
        c = fmadd(z, (real)-83.59182, (real)64.921234);
        c = fmadd(z, c, (real)-19.739153);
        c = fmadd(z, c, (real)1.0);
    } else {
        s = fmadd(z, (real)3.7808689593022957, (real)-15.093804209987114);
        s = fmadd(z, s, (real)42.058685020160894);
        s = fmadd(z, s, (real)-76.70585970427454);
        s = fmadd(z, s, (real)81.60524927594804);
        s = fmadd(z, s, (real)-41.341702240399634);
        s = fmadd(z, s, (real)6.283185307179586);
        c = fmadd(z, (real)7.810290968144191, (real)-26.42425703488269);
        c = fmadd(z, c, (real)60.24462008593029);
        c = fmadd(z, c, (real)-85.45681709034115);
        c = fmadd(z, c, (real)64.93939402236538);
        c = fmadd(z, c, (real)-19.73920880217842);
        c = fmadd(z, c, (real)1.0);
    }
    s *= v;
    const int to_sign = 8 * sizeof(real) - 2; /* from bit 1 to the sign's */
    const real_bits sign = bits_of((real)-0.0);
    real_bits cosine = (bits_of(c) & ~odd) | (bits_of(s) & odd);
    real_bits sine = (bits_of(s) & ~odd) | (bits_of(c) & odd);
    return (circle_point){real_of(cosine ^ (((quarters + 1) << to_sign) & sign)),
                          real_of(sine ^ ((quarters << to_sign) & sign))};
}

/* Rounded towards zero. A value out of range becomes the nearest int32, NaN becomes 0. */
NNL_INLINE int32_t int32_of(double x) {
    x = x < INT32_MIN ? INT32_MIN : x;
    x = x > INT32_MAX ? INT32_MAX : x;
    return x == x ? (int32_t)x : 0;
}

/* A row is summed in this many lanes, which are added pairwise at its end. That is fast and
 * accurate, and the order depends on the row's length only. Rows shorter than this are summed from
 * left to right. */
#define ROW_LANES 16

/* Folds a row: `f` adds the elements x[i] and y[i] to a lane, which begins at `start`, and `join`
 * adds two lanes. */
NNL_INLINE real fold_row(const real *x, const real *y, int64_t n, real start,
                         real f(real lane, real x, real y), real join(real a, real b)) {
    if (n < ROW_LANES) {
        for (int64_t i = 0; i < n; i++) start = f(start, x[i], y[i]);
        return start;
    }
    real lane[ROW_LANES];
    for (int j = 0; j < ROW_LANES; j++) lane[j] = start;
    int64_t i = 0;
    for (; i + ROW_LANES <= n; i += ROW_LANES) {
        NNL_LANES
        for (int j = 0; j < ROW_LANES; j++) lane[j] = f(lane[j], x[i + j], y[i + j]);
    }
    for (int j = 0; i + j < n; j++) lane[j] = f(lane[j], x[i + j], y[i + j]);
    for (int width = ROW_LANES / 2; width > 0; width /= 2)
        for (int j = 0; j < width; j++) lane[j] = join(lane[j], lane[j + width]);
    return lane[0];
}

NNL_INLINE real sum_of(real a, real b) { return a + b; }
NNL_INLINE real larger_of(real a, real b) { return b > a ? b : a; }
/* Whether a > b, where NaN is larger than all numbers. */
NNL_INLINE int is_larger(real a, real b) { return (a > b) | ((a != a) & (b == b)); }
NNL_INLINE real lane_plus_x(real lane, real x, real y) { return (void)y, lane + x; }
NNL_INLINE real lane_plus_product(real lane, real x, real y) { return fmadd(x, y, lane); }
NNL_INLINE real larger_of_lane_and_x(real lane, real x, real y) {
    return (void)y, larger_of(lane, x);
}

static inline real row_sum(const real *x, int64_t n) {
    return fold_row(x, x, n, 0, lane_plus_x, sum_of);
}

static inline real row_dot(const real *x, const real *y, int64_t n) {
    return fold_row(x, y, n, 0, lane_plus_product, sum_of);
}

/* lane[j] = max(lane[j], x[j]). */
NNL_INLINE void take_larger(real lane[ROW_LANES], const real *x) {
    NNL_LANES
    for (int j = 0; j < ROW_LANES; j++) lane[j] = larger_of(lane[j], x[j]);
}

/* The largest of a row, -inf if the row is empty; NaN is skipped. The order does not matter here.
 * So the last vector may overlap the one before it, and two sets of lanes are used, which do not
 * wait for each other. */
static inline real row_max(const real *x, int64_t n) {
    if (n < ROW_LANES) return fold_row(x, x, n, -REAL_INFINITY, larger_of_lane_and_x, larger_of);
    real even[ROW_LANES], odd[ROW_LANES];
    for (int j = 0; j < ROW_LANES; j++) even[j] = odd[j] = -REAL_INFINITY;
    int64_t i = 0;
    for (; i + 2 * ROW_LANES <= n; i += 2 * ROW_LANES) {
        take_larger(even, x + i);
        take_larger(odd, x + i + ROW_LANES);
    }
    if (i + ROW_LANES <= n) take_larger(even, x + i);
    take_larger(odd, x + n - ROW_LANES);
    take_larger(even, odd);
    return fold_row(even, even, ROW_LANES, -REAL_INFINITY, larger_of_lane_and_x, larger_of);
}

/* fold_row for each row. In a short row each addition waits for the one before it, so several rows
 * are folded side by side. */
NNL_INLINE void fold_rows(real *out, const real *x, int64_t rows, int64_t n, real start,
                          real f(real lane, real x, real y), real join(real a, real b)) {
    enum { TOGETHER = 8 };
    int64_t row = 0;
    if (n < ROW_LANES)
        for (; row + TOGETHER <= rows; row += TOGETHER) {
            const real *first = x + row * n;
            real each[TOGETHER];
            for (int k = 0; k < TOGETHER; k++) each[k] = start;
            for (int64_t i = 0; i < n; i++)
                for (int k = 0; k < TOGETHER; k++)
                    each[k] = f(each[k], first[k * n + i], first[k * n + i]);
            for (int k = 0; k < TOGETHER; k++) out[row + k] = each[k];
        }
    for (; row < rows; row++) out[row] = fold_row(x + row * n, x + row * n, n, start, f, join);
}

static inline void row_sums(real *out, const real *x, int64_t rows, int64_t n) {
    fold_rows(out, x, rows, n, 0, lane_plus_x, sum_of);
}

static inline void row_maxima(real *out, const real *x, int64_t rows, int64_t n) {
    if (n < ROW_LANES)
        fold_rows(out, x, rows, n, -REAL_INFINITY, larger_of_lane_and_x, larger_of);
    else
        for (int64_t row = 0; row < rows; row++) out[row] = row_max(x + row * n, n);
}

#endif
