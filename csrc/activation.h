/* activation.h: the activations, as loops that ops share: elementwise ones, whose gradients read
 * the output alone, and the softmax of a few rows. */
#ifndef NNL_ACTIVATION_H
#define NNL_ACTIVATION_H

#include "vec.h"

enum { NNL_LINEAR = 0, NNL_RELU = 1, NNL_LEAKY_RELU = 2, NNL_SIGMOID = 3, NNL_TANH = 4 };

/* y = act(x), n values; y may be x. NaN stays NaN. `alpha` is the slope of leaky_relu below
 * zero. */
static inline void activate(real *y, const real *x, int64_t n, int kind, double alpha) {
    const real slope = (real)alpha;
    switch (kind) {
    case NNL_RELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? 0 : x[i];
        break;
    case NNL_LEAKY_RELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? slope * x[i] : x[i];
        break;
    case NNL_SIGMOID:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = real_sigmoid(x[i]);
        break;
    case NNL_TANH:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = real_tanh(x[i]);
        break;
    default:
        if (y != x) memmove(y, x, (size_t)n * sizeof *y);
    }
}

/* dx = dy * act'(x), written in terms of y = act(x); n values; dx may be dy or y. */
static inline void activate_gradient(real *dx, const real *dy, const real *y, int64_t n, int kind,
                                     double alpha) {
    const real slope = (real)alpha;
    switch (kind) {
    case NNL_RELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) {
            const real whole = dy[i]; /* read in both cases, so that the loop has no branch */
            dx[i] = y[i] > 0 ? whole : 0;
        }
        break;
    case NNL_LEAKY_RELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * (y[i] > 0 ? 1 : slope);
        break;
    case NNL_SIGMOID:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * (y[i] * (1 - y[i]));
        break;
    case NNL_TANH:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * ((1 - y[i]) * (1 + y[i]));
        break;
    default:
        if (dx != dy) memmove(dx, dy, (size_t)n * sizeof *dx);
    }
}

/* Elements worked on together: they stay in the level 1 cache. */
enum { SOFTMAX_BLOCK = 1024 };

/* At least one row, at most SOFTMAX_BLOCK. */
static inline int64_t rows_per_block(int64_t classes) {
    return classes < SOFTMAX_BLOCK ? SOFTMAX_BLOCK / classes : 1;
}

/* y = e^(x - largest), largest = max(x), for each of a few rows. Narrow rows go through exp
 * together, as one array. */
static inline void exp_of_rows(real *y, real *largest, const real *x, int64_t rows,
                               int64_t classes) {
    for (int64_t row = 0; row < rows; row++) {
        const real *z = x + row * classes;
        const real most = row_max(z, classes);
        NNL_INDEPENDENT
        for (int64_t j = 0; j < classes; j++) y[row * classes + j] = z[j] - most;
        largest[row] = most;
    }
    NNL_INDEPENDENT
    for (int64_t i = 0; i < rows * classes; i++) y[i] = real_exp(y[i]);
}

/* y = e^x / sum(e^x) of each of a few rows: at most rows_per_block, or one. y may be x. */
static inline void softmax_of_rows(real *y, const real *x, int64_t rows, int64_t classes) {
    real largest[SOFTMAX_BLOCK];
    exp_of_rows(y, largest, x, rows, classes);
    for (int64_t row = 0; row < rows; row++, y += classes) {
        const real scale = 1 / row_sum(y, classes);
        NNL_INDEPENDENT
        for (int64_t j = 0; j < classes; j++) y[j] *= scale;
    }
}

#endif
