/* recurrent.h: recurrent layers over the steps of one sequence. Their kernels are [gates units,
 * units]. A step where `mask` is 0 leaves the state as it is; the state is multiplied by `drop`
 * before the product. Neither need be given. */
#include "products.h"

typedef struct {
    int32_t steps, units, reverse, kind, recurrent_kind;
    float alpha, recurrent_alpha;
} recurrence;

/* `sum` + the state times one row of the kernel. */
static float recurrent_sum(const recurrence *r, float sum, const float *state, const float *kernel,
                           const float *drop) {
    if (!drop) return chain(sum, state, kernel, r->units);
    for (int32_t k = 0; k < r->units; k++) sum += state[k] * drop[k] * kernel[k];
    return sum;
}

/* Copies a state that stays as it is. */
static void keep_state(float *to, const float *from, int32_t units) {
    if (to != from) memcpy(to, from, (size_t)units * sizeof *to);
}

/* h [steps, units] of x, the products of the inputs [steps, units]. */
static void simple_rnn(const recurrence *r, const float *x, const float *kernel, const float *first,
                       const float *mask, const float *drop, float *h) {
    const int32_t n = r->units;
    for (int32_t s = 0; s < r->steps; s++) {
        const int32_t t = r->reverse ? r->steps - 1 - s : s;
        float *now = h + t * n;
        if (mask && mask[t] == 0) {
            keep_state(now, first, n);
        } else {
            for (int32_t j = 0; j < n; j++)
                now[j] = activated(recurrent_sum(r, x[t * n + j], first, kernel + j * n, drop),
                                   r->kind, r->alpha);
        }
        first = now;
    }
}

/* h and c [steps, units] of x [steps, 4 units]; from one c to the next there are c_step numbers: 0,
 * where only the last is kept. `gates` has room for 4 units. */
static void lstm(const recurrence *r, const float *x, const float *kernel, const float *first_h,
                 const float *first_c, const float *mask, const float *drop, float *h, float *c,
                 int32_t c_step, float *gates) {
    const int32_t n = r->units;
    for (int32_t s = 0; s < r->steps; s++) {
        const int32_t t = r->reverse ? r->steps - 1 - s : s;
        float *h_t = h + t * n, *c_t = c + t * c_step;
        if (mask && mask[t] == 0) {
            keep_state(h_t, first_h, n);
            keep_state(c_t, first_c, n);
        } else {
            for (int32_t j = 0; j < 4 * n; j++) {
                const float sum = recurrent_sum(r, x[t * 4 * n + j], first_h, kernel + j * n, drop);
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

/* h [steps, units] of x [steps, 3 units], with the reset gate behind the product. `gates` has room
 * for 2 units. */
static void gru(const recurrence *r, const float *x, const float *kernel, const float *bias,
                const float *first, const float *mask, const float *drop, float *h, float *gates) {
    const int32_t n = r->units;
    for (int32_t s = 0; s < r->steps; s++) {
        const int32_t t = r->reverse ? r->steps - 1 - s : s;
        const float *x_t = x + t * 3 * n;
        float *now = h + t * n, *reset = gates + n;
        if (mask && mask[t] == 0) {
            keep_state(now, first, n);
        } else {
            for (int32_t j = 0; j < 2 * n; j++)
                gates[j] = activated(
                    x_t[j] + recurrent_sum(r, bias[j], first, kernel + j * n, drop),
                    r->recurrent_kind, r->recurrent_alpha);
            for (int32_t j = 0; j < n; j++) {
                const int32_t at = 2 * n + j;
                const float m = recurrent_sum(r, bias[at], first, kernel + at * n, drop);
                reset[j] = activated(reset[j] * m + x_t[at], r->kind, r->alpha);
            }
            for (int32_t j = 0; j < n; j++)
                now[j] = gates[j] * (first[j] - reset[j]) + reset[j];
        }
        first = now;
    }
}
