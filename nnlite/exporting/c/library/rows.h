/* rows.h: sums, maxima, normalizations of rows and columns. A row is summed in 16 lanes, which are
 * added pairwise at its end; fewer elements from left to right. */
#include "numbers.h"

/* The sum of 16 lanes, which it overwrites. */
static float sum_of_lanes(float *lane) {
    for (int32_t width = 8; width > 0; width /= 2)
        for (int32_t j = 0; j < width; j++) lane[j] += lane[j + width];
    return lane[0];
}

/* The sum of a[i] b[i], or of a[i] if b is NULL. */
static float row_dot(const float *a, const float *b, int32_t n) {
    float lane[16] = {0};
    for (int32_t i = 0; i < n; i++) lane[n < 16 ? 0 : i % 16] += b ? a[i] * b[i] : a[i];
    return n < 16 ? lane[0] : sum_of_lanes(lane);
}

/* The largest element, -infinity of none; NaN is skipped. */
static float row_max(const float *x, int32_t n) {
    float best = -infinity_of();
    for (int32_t i = 0; i < n; i++) best = x[i] > best ? x[i] : best;
    return best;
}

static void softmax(const float *x, float *y, int32_t rows, int32_t n) {
    for (int32_t row = 0; row < rows; row++, x += n, y += n) {
        const float most = row_max(x, n);
        for (int32_t i = 0; i < n; i++) y[i] = exp_of(x[i] - most);
        const float scale = 1 / row_dot(y, 0, n);
        for (int32_t i = 0; i < n; i++) y[i] = flushed(y[i] * scale);
    }
}

static void log_softmax(const float *x, float *y, int32_t rows, int32_t n) {
    for (int32_t row = 0; row < rows; row++, x += n, y += n) {
        const float most = row_max(x, n);
        for (int32_t i = 0; i < n; i++) y[i] = exp_of(x[i] - most);
        const float log_sum = log_of(row_dot(y, 0, n));
        for (int32_t i = 0; i < n; i++) y[i] = x[i] - most - log_sum;
    }
}

/* y = (x - mean) / sqrt(variance + epsilon) gamma + beta of each row; y is not x. */
static void layer_norm(const float *x, const float *gamma, const float *beta, float *y,
                       int32_t rows, int32_t n, float epsilon) {
    for (int32_t row = 0; row < rows; row++, x += n, y += n) {
        const float mean = row_dot(x, 0, n) / (float)n;
        for (int32_t i = 0; i < n; i++) y[i] = x[i] - mean;
        const float scale = 1 / sqrt_of(row_dot(y, y, n) / (float)n + epsilon);
        for (int32_t i = 0; i < n; i++) y[i] = y[i] * scale * gamma[i] + beta[i];
    }
}

/* The sum of `rows` elements, which lie `step` apart, in at most `most` groups: row i
 * belongs to group i % groups, the rows that are left over to the first, and the groups' sums are
 * added pairwise. */
static float sum_of_chunk(const float *x, int32_t rows, int32_t step, int32_t most) {
    float sum[64] = {0};
    int32_t groups = rows < 16 ? 1 : rows / 4 < most ? rows / 4 : most;
    const int32_t whole = rows / groups * groups;
    for (int32_t row = 0; row < rows; row++) sum[row < whole ? row % groups : 0] += x[row * step];
    for (; groups > 1; groups = (groups + 1) / 2)
        for (int32_t j = 0; j < groups / 2; j++) sum[j] += sum[j + (groups + 1) / 2];
    return sum[0];
}

/* y [a, b] = the sums over the middle axis of x [a, r, b], in chunks of 64 groups. */
static void reduce_sum(const float *x, float *y, int32_t a, int32_t r, int32_t b) {
    const int32_t groups = b < 64 ? 64 / b : 1, most = 64 * groups;
    for (int32_t i = 0; i < a; i++, x += r * b)
        for (int32_t j = 0; j < b; j++) {
            double sum = 0;
            if (r > 0 && r <= most) sum = (double)sum_of_chunk(x + j, r, b, groups);
            for (int32_t at = 0; r > most && at < r; at += most)
                sum += (double)sum_of_chunk(x + at * b + j, r - at < most ? r - at : most, b,
                                            groups);
            *y++ = (float)sum;
        }
}

static float larger_or_nan(float a, float b) { return b > a || b != b ? b : a; }

/* y [a, b] = the maxima over the middle axis of x [a, r, b]; NaN is larger than all numbers. Of
 * zeros of both signs the first counts, of long rows the first of 16 lanes. */
static void reduce_max(const float *x, float *y, int32_t a, int32_t r, int32_t b) {
    const int32_t lanes = b == 1 && r >= 16 ? 16 : 1;
    for (int32_t i = 0; i < a; i++, x += r * b)
        for (int32_t j = 0; j < b; j++) {
            float lane[16];
            for (int32_t k = 0; k < lanes; k++) lane[k] = -infinity_of();
            for (int32_t k = 0; k < r; k++)
                lane[k % lanes] = larger_or_nan(lane[k % lanes], x[k * b + j]);
            for (int32_t width = lanes / 2; width > 0; width /= 2)
                for (int32_t k = 0; k < width; k++)
                    lane[k] = larger_or_nan(lane[k], lane[k + width]);
            *y++ = lane[0];
        }
}

/* Whether a > b, where NaN is larger than all numbers. */
static int32_t is_larger(float a, float b) { return a > b || (a != a && b == b); }

/* y [a, b] = where x [a, r, b] is largest along its middle axis, the lowest of equal places. */
static void argmax(const float *x, int32_t *y, int32_t a, int32_t r, int32_t b) {
    for (int32_t i = 0; i < a; i++, x += r * b)
        for (int32_t j = 0; j < b; j++) {
            int32_t best = 0;
            for (int32_t k = 1; k < r; k++)
                if (is_larger(x[k * b + j], x[best * b + j])) best = k;
            *y++ = best;
        }
}

/* The places of the k largest elements of each row, the largest first. */
static void top_k(const float *x, int32_t *y, int32_t rows, int32_t n, int32_t k) {
    for (int32_t row = 0; row < rows; row++, x += n, y += k)
        for (int32_t j = 0, found = 0; j < n; j++) {
            if (found == k && !is_larger(x[j], x[y[k - 1]])) continue;
            int32_t place = found < k ? found++ : k - 1;
            for (; place > 0 && is_larger(x[j], x[y[place - 1]]); place--) y[place] = y[place - 1];
            y[place] = j;
        }
}

/* y [a, s, b] = the sums of x [a, r, b] over r <= s, or over r >= s if `reverse`, in double. */
static void cumsum(const float *x, float *y, int32_t a, int32_t r, int32_t b, int32_t reverse) {
    for (int32_t i = 0; i < a; i++, x += r * b, y += r * b)
        for (int32_t j = 0; j < b; j++) {
            double sum = 0;
            for (int32_t k = 0; k < r; k++) {
                const int32_t at = (reverse ? r - 1 - k : k) * b + j;
                sum += (double)x[at];
                y[at] = (float)sum;
            }
        }
}
