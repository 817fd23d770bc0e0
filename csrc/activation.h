/* activation.h: the elementwise activations that `linear` and `activation` fuse; gradients read the output alone. */
#ifndef NNL_ACTIVATION_H
#define NNL_ACTIVATION_H

#include "vec.h"

enum { NNL_LINEAR = 0, NNL_RELU = 1, NNL_LEAKY_RELU = 2, NNL_SIGMOID = 3, NNL_TANH = 4 };

/* y = act(x), n values; y may be x. NaN stays NaN. `alpha` is the slope of leaky_relu below zero. */
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
static inline void activate_gradient(real *dx, const real *dy, const real *y, int64_t n, int kind, double alpha) {
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
        for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * fmadd(-y[i], y[i], 1);
        break;
    default:
        if (dx != dy) memmove(dx, dy, (size_t)n * sizeof *dx);
    }
}

#endif
