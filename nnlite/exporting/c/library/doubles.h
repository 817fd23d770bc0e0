/* doubles.h: functions of float that the engine leaves to the C library, computed in double. They
 * are exact but for the last rounding. */
#include "numbers.h"

/* The nearest float. */
static float nearest_of(double x) {
    const double a = x < 0 ? -x : x;
    if (a >= 3.4028235677973366e38) return x < 0 ? -infinity_of() : infinity_of();
    return flushed((float)x);
}

/* e^x for |x| <= 700. */
static double exp_in_double(double x) {
    const double n = rounded(x * 1.4426950408889634);
    const double r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
    const uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
    double power, sum = 1;
    memcpy(&power, &bits, sizeof power);
    for (int32_t k = 14; k > 0; k--) sum = 1 + r / k * sum;
    return sum * power;
}

/* The natural logarithm of a finite x > 1e-300, by its mantissa m: 2 artanh((m - 1) / (m + 1)). */
static double log_in_double(double x) {
    uint64_t bits;
    double m, sum = 0;
    memcpy(&bits, &x, sizeof bits);
    const uint64_t shifted = bits + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    const double n = (double)((int32_t)(shifted >> 52) - 1023);
    bits = (shifted & 0xfffffffffffffu) + 0x3fe6a09e667f3bcdu;
    memcpy(&m, &bits, sizeof m);
    const double s = (m - 1) / (m + 1);
    for (int32_t k = 21; k > 0; k -= 2) sum = 1. / k + s * s * sum;
    return n * 0.69314718055994531 + 2 * s * sum;
}

/* e^x - 1. */
static float exp_minus_1_of(float x) {
    const double d = (double)x;
    if (absolute(x) < 1e-4f) return nearest_of(d * (1 + d * (0.5 + d * (1. / 6))));
    return x < 100 ? nearest_of(exp_in_double(x < -100 ? -100. : d) - 1) : x + infinity_of();
}

/* log(1 + x). */
static float log_1_plus_of(float x) {
    const double d = (double)x;
    if (absolute(x) < 1e-4f) return nearest_of(d * (1 - d * (0.5 - d * (1. / 3))));
    if (x > -1 && x <= LARGEST) return nearest_of(log_in_double(1 + d));
    return x == -1 ? -infinity_of() : x < -1 ? float_of(0x7fc00000u) : x;
}

/* The error function, by its power series. */
static float erf_of(float x) {
    const double d = (double)x, square = d * d;
    double term = d, sum = d;
    if (x == 0 || !(absolute(x) < 4)) return x > 0 ? 1.f : x < 0 ? -1.f : x;
    for (int32_t k = 1; k < 80; k++) {
        term *= -square / k;
        sum += term / (2 * k + 1);
    }
    return nearest_of(sum * 1.1283791670955126);
}

/* Whether an integer is odd; numbers that are not integers are even. */
static int32_t is_odd(float x) {
    return absolute(x) < 16777216.f && (float)(int32_t)x == x && (int32_t)x % 2 != 0;
}

/* x to the power of y, with the special cases of C's pow. */
static float power_of(float x, float y) {
    const float a = absolute(x), size = absolute(y);
    const float sign = bits_of(x) >> 31 && is_odd(y) ? -1.f : 1.f;
    if (y == 0 || x == 1) return 1;
    if (x != x || y != y) return x + y;
    if (a == 1 && size > LARGEST) return 1;
    if (a == 0 || a > LARGEST || size > LARGEST)
        return (a > 1) == (y > 0) ? sign * infinity_of() : sign * 0.f;
    if (x < 0 && floor_of(y) != y) return float_of(0x7fc00000u);
    const double log = (double)y * log_in_double((double)a);
    return sign * nearest_of(exp_in_double(log < -300 ? -300. : log > 300 ? 300. : log));
}
