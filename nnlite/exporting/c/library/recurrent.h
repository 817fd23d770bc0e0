/* recurrent.h: recurrent layers over the steps of one sequence, x [steps, inputs]. Their recurrent
 * kernels are [gates units, units]. The kernel of the inputs is [gates units, inputs]; without it x
 * holds the products already. A step where `mask` is 0 leaves the state as it is; the state is
 * multiplied by `drop` before the product. Neither need be given. */
#include "products.h"

/* What is multiplied with the rows of a kernel: numbers, or integers of a scale. */
typedef struct {
    const float *reals;
    const int8_t *integers;
    float scale;
} factors;

/* A kernel [rows, columns]; it is of integers where each row has a scale. */
typedef struct {
    const void *values;
    const float *scale;
    int32_t columns;
} row_kernel;

/* `keeps`: the results of all steps are kept, one behind the other; else that of the last.
 * `step_of` gives the inputs of a step, which it makes in `numbers` where x is of integers.
 * `factors_of` gives numbers as `add_products` multiplies them, integers in `room` + `at`. This one
 * adds their products with `count` rows of a kernel to sums, from the row `first` on. */
typedef struct recurrence {
    int32_t steps, inputs, units, reverse, keeps, kind, recurrent_kind;
    float alpha, recurrent_alpha, scale;
    int32_t zero;
    row_kernel input, recurrent;
    const float *bias;
    const float *(*step_of)(const struct recurrence *r, const void *x, int32_t t, float *numbers);
    factors (*factors_of)(const float *x, int32_t n, int8_t *room, int32_t at);
    void (*add_products)(float *sums, const factors *x, const row_kernel *kernel, int32_t first,
                         int32_t count);
} recurrence;

static const float *real_step_of(const recurrence *r, const void *x, int32_t t, float *numbers) {
    (void)numbers;
    return (const float *)x + t * r->inputs;
}

static factors real_factors_of(const float *x, int32_t n, int8_t *room, int32_t at) {
    const factors made = {x, 0, 1};
    (void)n, (void)room, (void)at;
    return made;
}

static void real_add_products(float *sums, const factors *x, const row_kernel *kernel,
                              int32_t first, int32_t count) {
    const int32_t n = kernel->columns;
    const float *row = (const float *)kernel->values + first * n;
    for (int32_t j = 0; j < count; j++) sums[j] = chain(sums[j], x->reals, row + j * n, n);
}

/* The products of the inputs of a step with rows of their kernel. */
static void input_sums(const recurrence *r, float *sums, const factors *x, int32_t first,
                       int32_t count) {
    if (!r->input.values) {
        memcpy(sums, x->reals + first, (size_t)count * sizeof *sums);
        return;
    }
    for (int32_t j = 0; j < count; j++) sums[j] = 0;
    r->add_products(sums, x, &r->input, first, count);
    for (int32_t j = 0; r->bias && j < count; j++) sums[j] += r->bias[first + j];
}

/* Adds the state times rows of the recurrent kernel. */
static void add_recurrent(const recurrence *r, float *sums, const factors *state, const float *drop,
                          int32_t first, int32_t count) {
    if (!drop) {
        r->add_products(sums, state, &r->recurrent, first, count);
        return;
    }
    const float *row = (const float *)r->recurrent.values + first * r->units;
    for (int32_t j = 0; j < count; j++, row += r->units)
        for (int32_t k = 0; k < r->units; k++) sums[j] += state->reals[k] * drop[k] * row[k];
}

/* Copies a state, unless it lies there. */
static void keep_state(float *to, const float *from, int32_t units) {
    if (to != from) memcpy(to, from, (size_t)units * sizeof *to);
}

/* `gates` has room for a number of each unit, `numbers` for one of each input, `room` for an
 * integer of each input and unit. */
static void simple_rnn(const recurrence *r, const void *x, const float *first, const float *mask,
                       const float *drop, float *h, float *gates, float *numbers, int8_t *room) {
    const int32_t n = r->units;
    for (int32_t s = 0; s < r->steps; s++) {
        const int32_t t = r->reverse ? r->steps - 1 - s : s;
        float *now = h + (r->keeps ? t * n : 0);
        if (mask && mask[t] == 0) {
            keep_state(now, first, n);
        } else {
            const factors x_t = r->factors_of(r->step_of(r, x, t, numbers), r->inputs, room, 0);
            const factors state = r->factors_of(first, n, room, r->inputs);
            input_sums(r, gates, &x_t, 0, n);
            add_recurrent(r, gates, &state, drop, 0, n);
            for (int32_t j = 0; j < n; j++) gates[j] = activated(gates[j], r->kind, r->alpha);
            keep_state(now, gates, n);
        }
        first = now;
    }
}

/* From one c to the next there are c_step numbers: 0, where only the last is kept. `gates` has room
 * for 4 numbers of each unit. */
static void lstm(const recurrence *r, const void *x, const float *first_h, const float *first_c,
                 const float *mask, const float *drop, float *h, float *c, int32_t c_step,
                 float *gates, float *numbers, int8_t *room) {
    const int32_t n = r->units;
    for (int32_t s = 0; s < r->steps; s++) {
        const int32_t t = r->reverse ? r->steps - 1 - s : s;
        float *h_t = h + (r->keeps ? t * n : 0), *c_t = c + t * c_step;
        if (mask && mask[t] == 0) {
            keep_state(h_t, first_h, n);
            keep_state(c_t, first_c, n);
        } else {
            const factors x_t = r->factors_of(r->step_of(r, x, t, numbers), r->inputs, room, 0);
            const factors state = r->factors_of(first_h, n, room, r->inputs);
            input_sums(r, gates, &x_t, 0, 4 * n);
            add_recurrent(r, gates, &state, drop, 0, 4 * n);
            for (int32_t j = 0; j < 4 * n; j++)
                gates[j] = j / n == 2 ? activated(gates[j], r->kind, r->alpha)
                                      : activated(gates[j], r->recurrent_kind, r->recurrent_alpha);
            for (int32_t j = 0; j < n; j++) {
                c_t[j] = gates[n + j] * first_c[j] + gates[j] * gates[2 * n + j];
                h_t[j] = activated(c_t[j], r->kind, r->alpha) * gates[3 * n + j];
            }
        }
        first_h = h_t, first_c = c_t;
    }
}

/* The reset gate stands behind the product. `gates` has room for 3 numbers of each unit. */
static void gru(const recurrence *r, const void *x, const float *recurrent_bias, const float *first,
                const float *mask, const float *drop, float *h, float *gates, float *numbers,
                int8_t *room) {
    const int32_t n = r->units;
    for (int32_t s = 0; s < r->steps; s++) {
        const int32_t t = r->reverse ? r->steps - 1 - s : s;
        float *now = h + (r->keeps ? t * n : 0), *reset = gates + n, *m = gates + 2 * n;
        if (mask && mask[t] == 0) {
            keep_state(now, first, n);
        } else {
            const factors x_t = r->factors_of(r->step_of(r, x, t, numbers), r->inputs, room, 0);
            const factors state = r->factors_of(first, n, room, r->inputs);
            for (int32_t part = 0; part < 3; part++) {
                float *gate = part ? reset : gates;
                memcpy(m, recurrent_bias + part * n, (size_t)n * sizeof *m);
                add_recurrent(r, m, &state, drop, part * n, n);
                for (int32_t j = 0; part == 2 && j < n; j++) m[j] = reset[j] * m[j];
                input_sums(r, gate, &x_t, part * n, n);
                for (int32_t j = 0; j < n; j++)
                    gate[j] = part == 2 ? activated(m[j] + gate[j], r->kind, r->alpha)
                                        : activated(gate[j] + m[j], r->recurrent_kind,
                                                    r->recurrent_alpha);
            }
            for (int32_t j = 0; j < n; j++) now[j] = gates[j] * (first[j] - reset[j]) + reset[j];
        }
        first = now;
    }
}
