/* tables.h: rows of tables, columns of tables, parts of images. */
#include "numbers.h"

/* Rows of `bytes` bytes by their numbers. A number out of range gives zeros; returns whether there
 * was one. */
static int32_t gather(const void *table, const int32_t *number, void *y, int32_t n, int32_t bytes,
                      int32_t rows) {
    int32_t wrong = 0;
    for (int32_t i = 0; i < n; i++) {
        const int32_t is_row = number[i] >= 0 && number[i] < rows;
        char *to = (char *)y + i * bytes;
        if (is_row)
            memcpy(to, (const char *)table + number[i] * bytes, (size_t)bytes);
        else
            memset(to, 0, (size_t)bytes);
        wrong |= !is_row;
    }
    return wrong;
}

/* Rows of `size` zeros with a 1 at the label; returns whether a label was out of range. */
static int32_t one_hot(const int32_t *label, float *y, int32_t n, int32_t size) {
    int32_t wrong = 0;
    for (int32_t i = 0; i < n * size; i++) y[i] = 0;
    for (int32_t i = 0; i < n; i++) {
        const int32_t is_label = label[i] >= 0 && label[i] < size;
        if (is_label) y[i * size + label[i]] = 1;
        wrong |= !is_label;
    }
    return wrong;
}

/* How far x is through each bin, from 0 to 1; 0 for NaN. Columns have `bins` bins each. */
static void piecewise_linear_encoding(const float *x, const float *lower, const float *scale,
                                      const int32_t *bins, float *y, int32_t rows, int32_t columns,
                                      int32_t keep) {
    for (int32_t row = 0; row < rows; row++, x += columns) {
        for (int32_t f = 0; keep && f < columns; f++) *y++ = x[f];
        for (int32_t f = 0, t = 0; f < columns; f++)
            for (const int32_t end = t + bins[f]; t < end; t++) {
                const float u = (x[f] - lower[t]) * scale[t], above = u > 0 ? u : 0;
                *y++ = above < 1 ? above : 1;
            }
    }
}

/* y [a, m, b] = weighted means of `taps` neighbours of x [a, n, b], from first[i] on. */
static void resample(const float *x, const int32_t *first, const float *weights, float *y,
                     int32_t a, int32_t n, int32_t b, int32_t m, int32_t taps) {
    for (int32_t i = 0; i < a * m * b; i++) {
        const float *from = x + (i / (m * b) * n + first[i / b % m]) * b + i % b;
        const float *weight = weights + i / b % m * taps;
        float sum = weight[0] * from[0];
        for (int32_t k = 1; k < taps; k++) sum += weight[k] * from[k * b];
        y[i] = sum;
    }
}

/* y [out_h, out_w, c] = x [h, w, c], moved down and right; what has no x is 0. */
static void pad2d(const float *x, float *y, int32_t h, int32_t w, int32_t c, int32_t out_h,
                  int32_t out_w, int32_t top, int32_t left) {
    for (int32_t i = 0; i < out_h * out_w * c; i++) {
        const int32_t row = i / c / out_w - top, column = i / c % out_w - left;
        const int32_t inside = row >= 0 && row < h && column >= 0 && column < w;
        y[i] = inside ? x[(row * w + column) * c + i % c] : 0;
    }
}
