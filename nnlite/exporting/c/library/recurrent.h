/* recurrent.h: recurrent layers over the steps of one sequence, x [steps, inputs]. Their recurrent
 * kernels are [gates units, units]. The kernel of the inputs is [gates units, inputs]; without it x
 * holds the products already. A step where `mask` is 0 leaves the state as it is; the state is
 * multiplied by `drop` before the product. Neither need be given. */
#include "products.h"

/* `keeps`: the results of all steps are kept, one behind the other; else that of the last. */
typedef struct {
    int32_t steps, inputs, units, reverse, keeps, kind, recurrent_kind;
    float alpha, recurrent_alpha;
} recurrence;

/* The product of the inputs of a step with one row of their kernel. */
static float input_sum(const recurrence *r, const float *x, const float *kernel, const float *bias,
                       int32_t row) {
    if (!kernel) return x[row];
    const float sum = chain(0, x, kernel + row * r->inputs, r->inputs);
    return bias ? sum + bias[row] : sum;
}

/* `sum` + the state times one row of the recurrent kernel. */
static float recurrent_sum(const recurrence *r, float sum, const float *state, const float *kernel,
                           const float *drop) {
    if (!drop) return chain(sum, state, kernel, r->units);
    for (int32_t k = 0; k < r->units; k++) sum += state[k] * drop[k] * kernel[k];
    return sum;
}

/* Copies a state, unless it lies there. */
static void keep_state(float *to, const float *from, int32_t units) {
    if (to != from) memcpy(to, from, (size_t)units * sizeof *to);
}

/* `room` is for a number of each unit. */
static void simple_rnn(const recurrence *r, const float *x, const float *kernel, const float *bias,
                       const float *recurrent, const float *first, const float *mask,
                       const float *drop, float *h, float *room) {
    const int32_t n = r->units;
    for (int32_t s = 0; s < r->steps; s++) {
        const int32_t t = r->reverse ? r->steps - 1 - s : s;
        const float *x_t = x + t * r->inputs;
        float *now = h + (r->keeps ? t * n : 0);
        if (mask && mask[t] == 0) {
            keep_state(now, first, n);
        } else {
            for (int32_t j = 0; j < n; j++) {
                const float sum = input_sum(r, x_t, kernel, bias, j);
                room[j] = activated(recurrent_sum(r, sum, first, recurrent + j * n, drop), r->kind,
                                    r->alpha);
            }
            keep_state(now, room, n);
        }
        first = now;
    }
}

/* From one c to the next there are c_step numbers: 0, where only the last is kept. `gates` has room
 * for 4 numbers of each unit. */
static void lstm(const recurrence *r, const float *x, const float *kernel, const float *bias,
                 const float *recurrent, const float *first_h, const float *first_c,
                 const float *mask, const float *drop, float *h, float *c, int32_t c_step,
                 float *gates) {
    const int32_t n = r->units;
    for (int32_t s = 0; s < r->steps; s++) {
        const int32_t t = r->reverse ? r->steps - 1 - s : s;
        const float *x_t = x + t * r->inputs;
        float *h_t = h + (r->keeps ? t * n : 0), *c_t = c + t * c_step;
        if (mask && mask[t] == 0) {
            keep_state(h_t, first_h, n);
            keep_state(c_t, first_c, n);
        } else {
            for (int32_t j = 0; j < 4 * n; j++) {
                float sum = input_sum(r, x_t, kernel, bias, j);
                sum = recurrent_sum(r, sum, first_h, recurrent + j * n, drop);
                gates[j] = j / n == 2 ? activated(sum, r->kind, r->alpha)
                                      : activated(sum, r->recurrent_kind, r->recurrent_alpha);
            }
            for (int32_t j = 0; j < n; j++) {
                c_t[j] = gates[n + j] * first_c[j] + gates[j] * gates[2 * n + j];
                h_t[j] = activated(c_t[j], r->kind, r->alpha) * gates[3 * n + j];
            }
        }
        first_h = h_t, first_c = c_t;
    }
}

/* The reset gate stands behind the product. `gates` has room for 2 numbers of each unit. */
static void gru(const recurrence *r, const float *x, const float *kernel, const float *bias,
                const float *recurrent, const float *recurrent_bias, const float *first,
                const float *mask, const float *drop, float *h, float *gates) {
    const int32_t n = r->units;
    for (int32_t s = 0; s < r->steps; s++) {
        const int32_t t = r->reverse ? r->steps - 1 - s : s;
        const float *x_t = x + t * r->inputs;
        float *now = h + (r->keeps ? t * n : 0), *reset = gates + n;
        if (mask && mask[t] == 0) {
            keep_state(now, first, n);
        } else {
            for (int32_t j = 0; j < 2 * n; j++) {
                const float m = recurrent_sum(r, recurrent_bias[j], first, recurrent + j * n, drop);
                gates[j] = activated(input_sum(r, x_t, kernel, bias, j) + m, r->recurrent_kind,
                                     r->recurrent_alpha);
            }
            for (int32_t j = 0; j < n; j++) {
                const int32_t at = 2 * n + j;
                const float m = recurrent_sum(r, recurrent_bias[at], first, recurrent + at * n,
                                              drop);
                const float sum = reset[j] * m + input_sum(r, x_t, kernel, bias, at);
                reset[j] = activated(sum, r->kind, r->alpha);
            }
            for (int32_t j = 0; j < n; j++) now[j] = gates[j] * (first[j] - reset[j]) + reset[j];
        }
        first = now;
    }
}
