/* integers.h: 8-bit integers, of which a number is scale * (integer - zero), in the arithmetic of
 * TensorFlow Lite and CMSIS-NN. Negative numbers are shifted to the right arithmetically. */
#include "pooling.h"

/* x * multiplier * 2^(shift - 31): the product to its upper 32 bits, halves up; then shifted to the
 * right, halves away from 0. */
static int32_t rescaled(int32_t x, int32_t multiplier, int32_t shift) {
    const int32_t right = shift < 0 ? -shift : 0;
    const int32_t mask = (int32_t)(((int64_t)1 << right) - 1);
    int64_t wide = (int64_t)x * ((int64_t)1 << (shift < 0 ? 0 : shift));
    wide = wide < INT32_MIN ? INT32_MIN : wide > INT32_MAX ? INT32_MAX : wide;
    const int32_t high = (int32_t)((wide * multiplier + (1 << 30)) >> 31);
    return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0));
}

static int8_t limited(int32_t x, int32_t least, int32_t most) {
    return (int8_t)(x < least ? least : x > most ? most : x);
}

/* The nearest integer of x / scale, halves away from 0, and the zero. */
static int8_t quantized(float x, float scale, int32_t zero) {
    const float steps = x / scale;
    if (!(steps > -512 && steps < 512)) return steps > 0 ? 127 : steps < 0 ? -128 : (int8_t)zero;
    const int32_t whole = (int32_t)steps;
    const float rest = steps - (float)whole;
    return limited(whole + (rest >= 0.5f) - (rest <= -0.5f) + zero, -128, 127);
}

/* How sums of products become integers of the result, by a multiplier and a shift of each channel;
 * `bias` may be 0. */
typedef struct {
    const int32_t *bias, *multiplier;
    const int8_t *shift;
    int32_t zero, result_zero, least, most;
} integer_scale;

static int8_t integer_result(const integer_scale *s, int32_t sum, int32_t channel) {
    if (s->bias) sum += s->bias[channel];
    sum = rescaled(sum, s->multiplier[channel], s->shift[channel]);
    return limited(sum + s->result_zero, s->least, s->most);
}

/* sum + (a[0] - zero) b[0] + (a[1] - zero) b[1] + ... */
static int32_t integer_chain(int32_t sum, const int8_t *a, const int8_t *b, int32_t n,
                             int32_t zero) {
    for (int32_t k = 0; k < n; k++) sum += (a[k] - zero) * b[k];
    return sum;
}

/* As linear; the kernel is [units, inputs]. */
static void integer_linear(const int8_t *x, const int8_t *kernel, const integer_scale *s, int8_t *y,
                           int32_t rows, int32_t inputs, int32_t units) {
    for (int32_t row = 0; row < rows; row++, x += inputs, y += units)
        for (int32_t u = 0; u < units; u++)
            y[u] = integer_result(s, integer_chain(0, x, kernel + u * inputs, inputs, s->zero), u);
}

/* As convolved. */
static int8_t integer_convolved(const convolution *c, const integer_scale *s, const int8_t *x,
                                const int8_t *kernel, int32_t row, int32_t column, int32_t filter) {
    const int32_t width = c->channels / c->groups, group = filter / (c->filters / c->groups);
    const int8_t *w = kernel + filter * c->kernel_h * c->kernel_w * width;
    int32_t sum = 0;
    for (int32_t i = 0; i < c->kernel_h; i++)
        for (int32_t j = 0; j < c->kernel_w; j++, w += width) {
            const int32_t h = row * c->stride_h - c->top + i * c->dilation_h;
            const int32_t v = column * c->stride_w - c->left + j * c->dilation_w;
            const int8_t *from = x + (h * c->width + v) * c->channels + group * width;
            if (h < 0 || h >= c->height || v < 0 || v >= c->width) continue;
            sum = integer_chain(sum, from, w, width, s->zero);
        }
    return integer_result(s, sum, filter);
}

static void integer_conv2d(const convolution *c, const integer_scale *s, const int8_t *x,
                           const int8_t *kernel, int8_t *y) {
    for (int32_t row = 0; row < c->rows; row++)
        for (int32_t column = 0; column < c->columns; column++)
            for (int32_t f = 0; f < c->filters; f++)
                *y++ = integer_convolved(c, s, x, kernel, row, column, f);
}

static void integer_conv2d_max_pool2d(const convolution *c, const pooling *p,
                                      const integer_scale *s, const int8_t *x, const int8_t *kernel,
                                      int8_t *y) {
    for (int32_t i = 0; i < p->rows * p->columns; i++) {
        const window w = window_at(p, i / p->columns, i % p->columns);
        for (int32_t f = 0; f < p->channels; f++) {
            int8_t best = -128;
            for (int32_t h = w.top; h < w.bottom; h++)
                for (int32_t v = w.left; v < w.right; v++) {
                    const int8_t value = integer_convolved(c, s, x, kernel, h, v, f);
                    best = value > best ? value : best;
                }
            *y++ = best;
        }
    }
}

static void integer_max_pool2d(const pooling *p, const int8_t *x, int8_t *y) {
    for (int32_t i = 0; i < p->rows * p->columns; i++) {
        const window w = window_at(p, i / p->columns, i % p->columns);
        for (int32_t c = 0; c < p->channels; c++) {
            int8_t best = -128;
            for (int32_t h = w.top; h < w.bottom; h++)
                for (int32_t v = w.left; v < w.right; v++) {
                    const int8_t value = x[(h * p->width + v) * p->channels + c];
                    best = value > best ? value : best;
                }
            *y++ = best;
        }
    }
}

/* The mean of the window, rounded, halves away from the zero. */
static void integer_average_pool2d(const pooling *p, const int8_t *x, int8_t *y, int32_t zero) {
    for (int32_t i = 0; i < p->rows * p->columns; i++) {
        const window w = window_at(p, i / p->columns, i % p->columns);
        const int32_t count = (w.bottom - w.top) * (w.right - w.left);
        for (int32_t c = 0; c < p->channels; c++) {
            int32_t sum = 0;
            for (int32_t h = w.top; h < w.bottom; h++)
                for (int32_t v = w.left; v < w.right; v++)
                    sum += x[(h * p->width + v) * p->channels + c] - zero;
            *y++ = limited((sum + (sum < 0 ? -count / 2 : count / 2)) / count + zero, -128, 127);
        }
    }
}

/* Two numbers of different scales, and the result's. */
typedef struct {
    int32_t zero_a, multiplier_a, shift_a, zero_b, multiplier_b, shift_b, zero, multiplier, shift;
} integer_pair;

static int8_t integer_sum(const integer_pair *s, int32_t a, int32_t b) {
    const int32_t first = rescaled((a - s->zero_a) * (1 << 20), s->multiplier_a, s->shift_a);
    const int32_t second = rescaled((b - s->zero_b) * (1 << 20), s->multiplier_b, s->shift_b);
    return limited(rescaled(first + second, s->multiplier, s->shift) + s->zero, -128, 127);
}

static int8_t integer_difference(const integer_pair *s, int32_t a, int32_t b) {
    return integer_sum(s, a, 2 * s->zero_b - b);
}

static int8_t integer_product(const integer_pair *s, int32_t a, int32_t b) {
    const int32_t product = (a - s->zero_a) * (b - s->zero_b);
    return limited(rescaled(product, s->multiplier, s->shift) + s->zero, -128, 127);
}

/* y [a, b] = the sums over the middle axis of x [a, r, b]. */
static void integer_reduce_sum(const int8_t *x, int8_t *y, int32_t a, int32_t r, int32_t b,
                               const integer_pair *s) {
    for (int32_t i = 0; i < a; i++, x += r * b)
        for (int32_t j = 0; j < b; j++) {
            int32_t sum = 0;
            for (int32_t k = 0; k < r; k++) sum += x[k * b + j] - s->zero_a;
            *y++ = limited(rescaled(sum, s->multiplier, s->shift) + s->zero, -128, 127);
        }
}

static void integer_reduce_max(const int8_t *x, int8_t *y, int32_t a, int32_t r, int32_t b) {
    for (int32_t i = 0; i < a; i++, x += r * b)
        for (int32_t j = 0; j < b; j++) {
            int8_t best = -128;
            for (int32_t k = 0; k < r; k++) best = x[k * b + j] > best ? x[k * b + j] : best;
            *y++ = best;
        }
}

/* Of the powers of e a table has those of 0, -1, -2, ... times the scale of x, times 2^23. The
 * result has 256 steps to 1. */
static void integer_softmax(const int8_t *x, int8_t *y, const int32_t *powers, int32_t rows,
                            int32_t n) {
    for (int32_t row = 0; row < rows; row++, x += n, y += n) {
        int8_t most = -128;
        int64_t sum = 0;
        for (int32_t i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
        for (int32_t i = 0; i < n; i++) sum += powers[most - x[i]];
        for (int32_t i = 0; i < n; i++) {
            const int64_t power = powers[most - x[i]];
            y[i] = limited((int32_t)((512 * power + sum) / (2 * sum)) - 128, -128, 127);
        }
    }
}

/* As pad2d, around the integer that stands for 0. */
static void integer_pad2d(const int8_t *x, int8_t *y, int32_t h, int32_t w, int32_t c,
                          int32_t out_h, int32_t out_w, int32_t top, int32_t left, int32_t zero) {
    for (int32_t i = 0; i < out_h * out_w * c; i++) {
        const int32_t row = i / c / out_w - top, column = i / c % out_w - left;
        const int32_t inside = row >= 0 && row < h && column >= 0 && column < w;
        y[i] = inside ? x[(row * w + column) * c + i % c] : (int8_t)zero;
    }
}
