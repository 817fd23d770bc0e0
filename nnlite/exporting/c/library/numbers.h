/* numbers.h: elementary functions of float, with multiplications, additions, divisions and integers
 * alone, so that every target gives the same bits. */
#include <stdint.h>
#include <string.h>

/* The smallest number that is not denormal, and the largest. */
#define SMALLEST 1.17549435e-38f
#define LARGEST 3.40282347e+38f

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float infinity_of(void) { return float_of(0x7f800000u); }

static float absolute(float x) { return float_of(bits_of(x) & 0x7fffffffu); }

/* Denormal numbers count as zero. */
static float flushed(float x) { return absolute(x) < SMALLEST ? x * 0.f : x; }

static float sign_of(float x) { return x > 0 ? 1.f : x < 0 ? -1.f : x; }

/* NaN in either operand is the result. */
static float maximum_of(float a, float b) { return a > b || a != a ? a : b; }

static float minimum_of(float a, float b) { return a < b || a != a ? a : b; }

/* Rounded towards zero; a value out of range becomes the nearest integer, NaN becomes 0. */
static int32_t int32_of(float x) {
    if (x < -2147483648.f) return INT32_MIN;
    if (x >= 2147483648.f) return INT32_MAX;
    return x == x ? (int32_t)x : 0;
}

/* The largest integer that is not above x. */
static float floor_of(float x) {
    if (!(absolute(x) < 8388608.f) || x == 0) return x;
    float whole = (float)(int32_t)x;
    return float_of(bits_of(whole > x ? whole - 1 : whole) | (bits_of(x) & 0x80000000u));
}

/* The square root, digit by digit, correctly rounded. */
static float sqrt_of(float x) {
    if (absolute(x) < SMALLEST) return x * 0.f;
    if (!(x > 0 && x <= LARGEST)) return x > 0 ? x : float_of(0x7fc00000u);
    int32_t exponent = (int32_t)(bits_of(x) >> 23) - 127;
    const int32_t odd = exponent % 2 != 0;
    const uint64_t square = (uint64_t)((bits_of(x) & 0x7fffffu) | 0x800000u) << (23 + odd);
    uint64_t root = 0;
    exponent -= odd;
    for (uint64_t digit = 1u << 23; digit; digit >>= 1)
        if ((root | digit) * (root | digit) <= square) root |= digit;
    if (square - root * root > root) root++;
    return float_of(((uint32_t)(exponent / 2 + 126) << 23) + (uint32_t)root);
}

/* x = n ln 2 + r with |r| <= ln 2 / 2; `exponent` is n, at the place of the exponent. */
typedef struct {
    float r;
    uint32_t exponent;
} exp_parts;

static exp_parts split_exp(float x) {
    const float magic = 12582912.f; /* 1.5 * 2^23: the sum is rounded to an integer */
    const float sum = x * 1.44269504f + magic, n = sum - magic;
    exp_parts parts;
    parts.r = -n * -2.12194440e-4f + (-n * 0.693359375f + x);
    parts.exponent = bits_of(sum) << 23;
    return parts;
}

/* (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2. */
static float exp_curve(float r) {
    float q = r * 0.0013926213f + 0.008363203f;
    q = r * q + 0.041666556f;
    q = r * q + 0.16666576f;
    return r * q + 0.5f;
}

static float short_expm1(float r) { return r * r * exp_curve(r) + r; }

static float exp_of(float x) {
    const exp_parts p = split_exp(x);
    if (x < -87.33654f) return 0;
    if (!(x <= 88.72283f)) return x + infinity_of();
    return float_of(bits_of(1 + short_expm1(p.r)) + p.exponent);
}

/* e^x for x <= 0, with a rounded ln 2. */
static float exp_of_negative(float x) {
    const float magic = 12582912.f + 127;
    const float sum = x * 1.44269504f + magic, r = (magic - sum) * 0.693147181f + x;
    if (x < -87.33654f) return 0;
    return (r * (r * exp_curve(r) + 1) + 1) * float_of(bits_of(sum) << 23);
}

/* e^x - 1 for x <= 0. */
static float expm1_of(float x) {
    const exp_parts p = split_exp(x < -20 ? -20 : x);
    const float power = float_of(bits_of(1) + p.exponent);
    return power * short_expm1(p.r) + (power - 1);
}

/* The natural logarithm, as 2 artanh((m - 1) / (m + 1)) for the mantissa m. */
static float log_of(float x) {
    const uint32_t root_half = bits_of(0.707106781f);
    const uint32_t shifted = bits_of(x) + (bits_of(1) - root_half);
    const float e = float_of((shifted >> 23) | bits_of(8388608.f)) - (8388608.f + 127);
    const float f = float_of((shifted & 0x7fffffu) + root_half) - 1;
    const float s = f / (2 + f), z = s * s, half_square = 0.5f * f * f;
    const float q = z * (z * 0.2957994f + 0.3998878f) + 0.66666687f;
    const float rest = e * -2.12194440e-4f + s * (z * q + half_square);
    if (x < SMALLEST) return x < 0 ? float_of(0x7fc00000u) : -infinity_of();
    return x <= LARGEST ? e * 0.693359375f + (f - (half_square - rest)) : x;
}

/* log(1 + x) for finite x >= 0. */
static float log1p_of(float x) {
    const float u = 1 + x;
    return log_of(u) + (x - (u - 1)) / u;
}

static float tanh_of(float x) {
    const float a = absolute(x) > 10 ? 10 : absolute(x);
    const exp_parts p = split_exp(-2 * a);
    const float power = float_of(bits_of(1) + p.exponent);
    const float y = power * short_expm1(p.r) + (power - 1);
    return float_of((bits_of(y / (y + 2)) & 0x7fffffffu) | (bits_of(x) & 0x80000000u));
}

static float sigmoid_of(float x) { return flushed(1 / (1 + exp_of(-x))); }

/* x * x - square, where `square` is x * x rounded. */
static float rest_of_square(float x, float square) {
    const float upper = float_of(bits_of(x) & ~0xfffu), lower = x - upper;
    return (upper * upper - square + 2 * upper * lower) + lower * lower;
}

/* The probability that a standard normal value is below x. */
static float normal_below(float x) {
    const float a = absolute(x) > 14 ? 14 : absolute(x), square = a * a;
    const float rest = rest_of_square(a, square), r = 1 / (a + 4), s = (a - 4) * r;
    float gauss = exp_of(-0.5f * square), p = s * -0.000115843635f + 0.00021157929f;
    gauss = -0.5f * rest * gauss + gauss;
    p = s * p + 0.0015777092f;
    p = s * p + -0.0035297603f;
    p = s * p + -0.007532521f;
    p = s * p + 0.06040685f;
    p = s * p + -0.1865222f;
    p = s * p + 0.3871367f;
    p = s * p + -0.6078966f;
    p = s * p + 0.75528514f;
    return x < 0 ? gauss * p * r : 1 - gauss * p * r;
}

/* The nearest integer, if |x| < 2^51. */
static double rounded(double x) { return (x + 6755399441055744.) - 6755399441055744.; }

/* sin(x + quarters pi / 2). */
static float sine_of(float x, int32_t quarters) {
    const double n = rounded((double)x * 0.63661977236758134);
    const double r = (((double)x - n * 0x1.921fb544p+0) - n * 0x1.0b4611a6p-34) -
                     n * 0x1.3198a2e037073p-69;
    const double z = r * r;
    const double s = -1. / 5040 + z * (1. / 362880 - z * (1. / 39916800));
    const double c = -1. / 720 + z * (1. / 40320 - z * (1. / 3628800));
    const double sine = r + r * z * (-1. / 6 + z * (1. / 120 + z * s));
    const double cosine = 1 + z * (-1. / 2 + z * (1. / 24 + z * c));
    const double turn = n + quarters, half = rounded(turn / 2 - 0.25);
    const double value = turn == 2 * half ? sine : cosine;
    return (float)(half == 2 * rounded(half / 2 - 0.25) ? value : -value);
}
