/* activation.h: the activations, as loops that several ops call.
 *
 * There are three kinds: elementwise activations, whose gradients read the output only; gated ones,
 * x times a function of x, whose gradients read x; and the softmax of rows. */
#ifndef NNL_ACTIVATION_H
#define NNL_ACTIVATION_H

#include <stdbool.h>

#include "vec.h"

/* nnlite/ops/activation.py has the same names and numbers; a test compares them. */
enum {
    NNL_LINEAR,
    NNL_RELU,
    NNL_LEAKY_RELU,
    NNL_SIGMOID,
    NNL_TANH,
    NNL_CAPPED_RELU,
    NNL_ELU,
    NNL_SELU,
    NNL_SOFTPLUS,
    NNL_SOFTSIGN,
    NNL_HARD_SIGMOID,
    NNL_ISRU
};

/* selu(x) = SCALE x for x > 0, else SCALE_ALPHA (e^x - 1). G. Klambauer, T. Unterthiner, A. Mayr,
 * S. Hochreiter: "Self-normalizing neural networks", NIPS 2017. */
#define SELU_SCALE ((real)1.0507009873554804934)
#define SELU_SCALE_ALPHA ((real)1.7580993408473768599)

NNL_INLINE real relu_of(real x) { return x < 0 ? 0 : x; }
NNL_INLINE real capped_relu_of(real x, real cap) { return x < 0 ? 0 : x > cap ? cap : x; }
NNL_INLINE real elu_of(real x, real alpha) { return x > 0 ? x : alpha * real_expm1(x); }
NNL_INLINE real selu_of(real x) {
    return x > 0 ? SELU_SCALE * x : SELU_SCALE_ALPHA * real_expm1(x);
}
/* log(1 + e^x). */
NNL_INLINE real softplus_of(real x) { return relu_of(x) + real_log1p(real_exp(-real_abs(x))); }
/* x, and the largest finite number for infinity: a limit is computed where inf / inf or 0 * inf
 * would be NaN. NaN stays NaN. */
NNL_INLINE real finite_of(real x) {
    return x > REAL_LARGEST ? REAL_LARGEST : x < -REAL_LARGEST ? -REAL_LARGEST : x;
}
NNL_INLINE real softsign_of(real x) { return finite_of(x) / (1 + real_abs(finite_of(x))); }
/* The inverse square root unit, x / sqrt(1 + (x / limit)^2). B. Carlile et al.: "Improving deep
 * learning by inverse square root linear units", arXiv 1710.09967, 2017. */
NNL_INLINE real isru_of(real x, real limit, real inverse) {
    const real far = (real)1e9; /* its square is finite, and beyond the result is the limit */
    real r = x * inverse;
    r = r < -far ? -far : r > far ? far : r;
    return limit * (r / real_sqrt(fmadd(r, r, 1)));
}
NNL_INLINE real hard_sigmoid_of(real x) { return capped_relu_of((x + 3) * (real)(1. / 6), 1); }

/* relu and capped_relu, which kernels do to values that are still in their registers. */
typedef struct {
    bool is_done; /* else the activation is another one */
    real cap;
} nnl_clamp;

static inline nnl_clamp clamp_of(int kind, double alpha) {
    const real cap = kind == NNL_RELU ? REAL_INFINITY : (real)alpha;
    return (nnl_clamp){kind == NNL_RELU || (kind == NNL_CAPPED_RELU && !(cap < 0)), cap};
}

/* y = act(x), n values; y may be x. NaN stays NaN. `alpha` is the slope of leaky_relu below zero,
 * the maximum of capped_relu and the limit of isru; the limit of elu is -alpha. The switch has a
 * loop for each kind, so that each is vectorised. */
static inline void activate(real *y, const real *x, int64_t n, int kind, double alpha) {
    const real a = (real)alpha;
    switch (kind) {
    case NNL_RELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = relu_of(x[i]);
        break;
    case NNL_LEAKY_RELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? a * x[i] : x[i];
        break;
    case NNL_SIGMOID:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = real_sigmoid(x[i]);
        break;
    case NNL_TANH:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = real_tanh(x[i]);
        break;
    case NNL_CAPPED_RELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = capped_relu_of(x[i], a);
        break;
    case NNL_ELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = elu_of(x[i], a);
        break;
    case NNL_SELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = selu_of(x[i]);
        break;
    case NNL_SOFTPLUS:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = softplus_of(x[i]);
        break;
    case NNL_SOFTSIGN:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = softsign_of(x[i]);
        break;
    case NNL_HARD_SIGMOID:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = hard_sigmoid_of(x[i]);
        break;
    case NNL_ISRU: {
        const real inverse = 1 / a;
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) y[i] = isru_of(x[i], a, inverse);
        break;
    }
    default:
        if (y != x) memmove(y, x, (size_t)n * sizeof *y);
    }
}

/* dx = dy * act'(x), computed from y = act(x); n values; dx may be dy or y. The switch has a loop
 * for each kind, as in activate. */
static inline void activate_gradient(real *dx, const real *dy, const real *y, int64_t n, int kind,
                                     double alpha) {
    const real a = (real)alpha;
    switch (kind) {
    case NNL_RELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) {
            const real whole = dy[i]; /* read in both cases, so the loop has no branch */
            dx[i] = y[i] > 0 ? whole : 0;
        }
        break;
    case NNL_LEAKY_RELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * (y[i] > 0 ? 1 : a);
        break;
    case NNL_SIGMOID:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * (y[i] * (1 - y[i]));
        break;
    case NNL_TANH:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * ((1 - y[i]) * (1 + y[i]));
        break;
    case NNL_CAPPED_RELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) {
            const real whole = dy[i];
            dx[i] = ((y[i] > 0) & (y[i] < a)) ? whole : 0;
        }
        break;
    case NNL_ELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * (y[i] > 0 ? 1 : y[i] + a);
        break;
    case NNL_SELU:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++)
            dx[i] = dy[i] * (y[i] > 0 ? SELU_SCALE : y[i] + SELU_SCALE_ALPHA);
        break;
    case NNL_SOFTPLUS: /* 1 - e^-y */
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) dx[i] = dy[i] * -real_expm1(-y[i]);
        break;
    case NNL_SOFTSIGN:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) {
            const real rest = 1 - real_abs(y[i]);
            dx[i] = dy[i] * (rest * rest);
        }
        break;
    case NNL_HARD_SIGMOID:
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) {
            const real share = dy[i] * (real)(1. / 6);
            dx[i] = ((y[i] > 0) & (y[i] < 1)) ? share : 0;
        }
        break;
    case NNL_ISRU: /* (1 - (y / a)^2)^(3/2) */
        NNL_INDEPENDENT
        for (int64_t i = 0; i < n; i++) {
            const real r = y[i] / a, rest = (1 - r) * (1 + r), left = rest < 0 ? 0 : rest;
            dx[i] = dy[i] * (left * real_sqrt(left));
        }
        break;
    default:
        if (dx != dy) memmove(dx, dy, (size_t)n * sizeof *dx);
    }
}

/* nnlite/ops/activation.py has the same names and numbers; a test compares them. */
enum { NNL_SILU, NNL_GELU, NNL_GELU_TANH, NNL_MISH, NNL_HARD_SILU };

/* The factor of x, and the derivative of that factor with respect to x. */
typedef struct {
    real value, slope;
} gate_parts;

/* s = sigmoid(x) and s (1 - s), where 1 - s would lose digits and is not formed. */
NNL_INLINE gate_parts silu_gate(real x) {
    const real e = real_exp(-real_abs(x)), r = 1 / (1 + e);
    return (gate_parts){x < 0 ? e * r : r, e * r * r};
}

/* D. Hendrycks, K. Gimpel: "Gaussian error linear units", arXiv 1606.08415, 2016. */
NNL_INLINE gate_parts gelu_gate(real x) {
    const normal_parts p = real_normal(x);
    return (gate_parts){p.below, p.gauss * (real)0.39894228040143267794};
}

/* The same with (1 + tanh(u)) / 2 = sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3). */
NNL_INLINE gate_parts gelu_tanh_gate(real x) {
    const real twice = (real)1.5957691216057307118, cubic = (real)0.071354816272600244;
    x = x < -32 ? -32 : x > 32 ? 32 : x; /* beyond, the gate is 0 or 1 */
    const gate_parts s = silu_gate(x * fmadd(cubic, x * x, twice));
    return (gate_parts){s.value, s.slope * fmadd(3 * cubic, x * x, twice)};
}

/* tanh(softplus(x)) = n / (n + 2) with n = e^x (e^x + 2). D. Misra: "Mish", BMVC 2020. */
NNL_INLINE gate_parts mish_gate(real x) {
    const real enough = REAL_IS_FLOAT ? 20 : 40; /* the gate rounds to 1 before that */
    const real e = real_exp(x > enough ? enough : x), n = e * (e + 2), r = 1 / (n + 2);
    const real slope = 4 * e * (1 + e) * (r * r);
    return (gate_parts){n * r, x > enough ? 0 : slope};
}

NNL_INLINE gate_parts hard_silu_gate(real x) {
    return (gate_parts){hard_sigmoid_of(x), ((x > -3) & (x < 3)) ? (real)(1. / 6) : 0};
}

/* The gate of -inf is 0, and so is the limit of x gate(x). */
NNL_INLINE void gated_loop(real *y, const real *x, int64_t n, gate_parts gate(real)) {
    NNL_INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] < -REAL_LARGEST ? -REAL_LARGEST : x[i]) * gate(x[i]).value;
}

NNL_INLINE void gated_gradient_loop(real *dx, const real *dy, const real *x, int64_t n,
                                    gate_parts gate(real)) {
    NNL_INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const gate_parts g = gate(x[i]);
        dx[i] = dy[i] * fmadd(finite_of(x[i]), g.slope, g.value);
    }
}

/* y = x gate(x), n values; y may be x. */
static inline void activate_gated(real *y, const real *x, int64_t n, int gate) {
    switch (gate) {
    case NNL_SILU:
        gated_loop(y, x, n, silu_gate);
        break;
    case NNL_GELU:
        gated_loop(y, x, n, gelu_gate);
        break;
    case NNL_GELU_TANH:
        gated_loop(y, x, n, gelu_tanh_gate);
        break;
    case NNL_MISH:
        gated_loop(y, x, n, mish_gate);
        break;
    default:
        gated_loop(y, x, n, hard_silu_gate);
    }
}

/* dx = dy (gate(x) + x gate'(x)), n values; dx may be dy or x. */
static inline void activate_gated_gradient(real *dx, const real *dy, const real *x, int64_t n,
                                           int gate) {
    switch (gate) {
    case NNL_SILU:
        gated_gradient_loop(dx, dy, x, n, silu_gate);
        break;
    case NNL_GELU:
        gated_gradient_loop(dx, dy, x, n, gelu_gate);
        break;
    case NNL_GELU_TANH:
        gated_gradient_loop(dx, dy, x, n, gelu_tanh_gate);
        break;
    case NNL_MISH:
        gated_gradient_loop(dx, dy, x, n, mish_gate);
        break;
    default:
        gated_gradient_loop(dx, dy, x, n, hard_silu_gate);
    }
}

/* Elements of the rows that are worked on together. They stay in L1. */
enum { SOFTMAX_BLOCK = 1024 };

/* How many rows are worked on together: at least one, at most SOFTMAX_BLOCK. */
static inline int64_t rows_per_block(int64_t classes) {
    return classes < SOFTMAX_BLOCK ? SOFTMAX_BLOCK / classes : 1;
}

/* y = e^(x - most) for a row; returns the sum of y in the order of row_sum. y may be x. If n is not
 * a multiple of ROW_LANES, the last vector overlaps the one before it. The overlap is not summed
 * twice: `rest` points to the new elements, followed by zeros. */
static inline real exp_and_sum(real *y, const real *x, int64_t n, real most) {
    if (n < ROW_LANES) {
        for (int64_t j = 0; j < n; j++) y[j] = real_exp(x[j] - most);
        return row_sum(y, n);
    }
    real lane[ROW_LANES] = {0}, last[2 * ROW_LANES] = {0};
    const real *end = x + n - ROW_LANES, *rest = last + ROW_LANES - n % ROW_LANES;
    NNL_LANES
    for (int j = 0; j < ROW_LANES; j++) last[j] = real_exp(end[j] - most);
    for (int64_t i = 0; i + ROW_LANES <= n; i += ROW_LANES) {
        NNL_LANES
        NNL_INDEPENDENT
        for (int j = 0; j < ROW_LANES; j++) {
            const real e = real_exp(x[i + j] - most);
            y[i + j] = e;
            lane[j] += e;
        }
    }
    NNL_LANES
    for (int j = 0; j < ROW_LANES; j++) lane[j] += rest[j];
    memcpy(y + n - ROW_LANES, last, ROW_LANES * sizeof *y);
    return row_sum(lane, ROW_LANES);
}

/* For each row largest = max(x), y = e^(x - largest) and sums = the sum of y. Rows of fewer
 * elements than ROW_LANES go through exp together, as one array. */
static inline void exp_of_rows(real *y, real *sums, real *largest, const real *x, int64_t rows,
                               int64_t classes) {
    row_maxima(largest, x, rows, classes);
    if (classes >= ROW_LANES) {
        for (int64_t row = 0, at = 0; row < rows; row++, at += classes)
            sums[row] = exp_and_sum(y + at, x + at, classes, largest[row]);
        return;
    }
    for (int64_t row = 0; row < rows; row++) {
        const real *z = x + row * classes, most = largest[row];
        NNL_INDEPENDENT
        for (int64_t j = 0; j < classes; j++) y[row * classes + j] = z[j] - most;
    }
    NNL_INDEPENDENT
    for (int64_t i = 0; i < rows * classes; i++) y[i] = real_exp(y[i]);
    row_sums(sums, y, rows, classes);
}

/* y = x - max(x) - log(sum(e^(x - max(x)))) for each row, of which there are at most
 * rows_per_block(classes). y is not x. */
static inline void log_softmax_of_rows(real *restrict y, const real *restrict x, int64_t rows,
                                       int64_t classes) {
    real largest[SOFTMAX_BLOCK], sums[SOFTMAX_BLOCK];
    exp_of_rows(y, sums, largest, x, rows, classes);
    for (int64_t row = 0; row < rows; row++) sums[row] = real_log(sums[row]);
    for (int64_t row = 0; row < rows; row++, y += classes, x += classes) {
        const real log_sum = sums[row], most = largest[row];
        for (int64_t j = 0; j < classes; j++) y[j] = x[j] - most - log_sum;
    }
}

/* For each row: the largest logit, and log_sum = log(sum_j e^(z_j - largest)). At most
 * rows_per_block(classes) rows. */
static inline void log_sums_of_rows(real *log_sum, real *largest, const real *z, int64_t rows,
                                    int64_t classes) {
    real e[SOFTMAX_BLOCK];
    if (classes <= SOFTMAX_BLOCK) {
        exp_of_rows(e, log_sum, largest, z, rows, classes);
    } else { /* a single row, in blocks */
        *largest = row_max(z, classes);
        *log_sum = 0;
        for (int64_t at = 0; at < classes; at += SOFTMAX_BLOCK) {
            const int64_t left = classes - at, count = left < SOFTMAX_BLOCK ? left : SOFTMAX_BLOCK;
            *log_sum += exp_and_sum(e, z + at, count, *largest);
        }
    }
    for (int64_t row = 0; row < rows; row++) log_sum[row] = real_log(log_sum[row]);
}

/* y = e^x / sum(e^x) for each row, of which there are at most rows_per_block(classes). y may be x.
 */
static inline void softmax_of_rows(real *y, const real *x, int64_t rows, int64_t classes) {
    real largest[SOFTMAX_BLOCK], sums[SOFTMAX_BLOCK];
    exp_of_rows(y, sums, largest, x, rows, classes);
    for (int64_t row = 0; row < rows; row++, y += classes) {
        const real scale = 1 / sums[row];
        NNL_INDEPENDENT
        for (int64_t j = 0; j < classes; j++) y[j] *= scale;
    }
}

#endif
