/* activations.h: functions of one number. Of the switches a model keeps the cases that it needs. */
#include "numbers.h"

enum {
    LINEAR,
    RELU,
    LEAKY_RELU,
    SIGMOID,
    TANH,
    CAPPED_RELU,
    ELU,
    SELU,
    SOFTPLUS,
    SOFTSIGN,
    HARD_SIGMOID,
    ISRU
};

static float capped_relu_of(float x, float cap) { return x < 0 ? 0 : x > cap ? cap : x; }

static float hard_sigmoid_of(float x) { return capped_relu_of((x + 3) * (float)(1. / 6), 1); }

static float selu_of(float x) { return x > 0 ? 1.05070099f * x : 1.75809934f * expm1_of(x); }

static float softplus_of(float x) { return (x < 0 ? 0 : x) + log1p_of(exp_of(-absolute(x))); }

/* The largest number for infinity. */
static float finite_of(float x) { return x > LARGEST ? LARGEST : x < -LARGEST ? -LARGEST : x; }

static float softsign_of(float x) { return finite_of(x) / (1 + absolute(finite_of(x))); }

/* x / sqrt(1 + (x / limit)^2). */
static float isru_of(float x, float limit) {
    float r = x * (1 / limit);
    r = r < -1e9f ? -1e9f : r > 1e9f ? 1e9f : r;
    return limit * (r / sqrt_of(r * r + 1));
}

static float activated(float x, int32_t kind, float alpha) {
    (void)alpha;
    // clang-format off
    switch (kind) {
    case RELU: return x < 0 ? 0 : x;
    case LEAKY_RELU: return x < 0 ? alpha * x : x;
    case SIGMOID: return sigmoid_of(x);
    case TANH: return tanh_of(x);
    case CAPPED_RELU: return capped_relu_of(x, alpha);
    case ELU: return x > 0 ? x : alpha * expm1_of(x);
    case SELU: return selu_of(x);
    case SOFTPLUS: return softplus_of(x);
    case SOFTSIGN: return softsign_of(x);
    case HARD_SIGMOID: return hard_sigmoid_of(x);
    case ISRU: return isru_of(x, alpha);
    default: return x;
    }
    // clang-format on
}

static float silu_gate(float x) {
    const float e = exp_of(-absolute(x)), r = 1 / (1 + e);
    return flushed(x < 0 ? e * r : r);
}

static float gelu_tanh_gate(float x) {
    const float u = x < -32 ? -32 : x > 32 ? 32 : x;
    return silu_gate(u * (0.0713548163f * (u * u) + 1.59576912f));
}

static float mish_gate(float x) {
    const float e = exp_of(x > 20 ? 20 : x), n = e * (e + 2);
    return n * (1 / (n + 2));
}

/* x times the gate: the functions SILU ... of nnlite's activations. */
static float gated(float x, float gate) { return (x < -LARGEST ? -LARGEST : x) * gate; }
