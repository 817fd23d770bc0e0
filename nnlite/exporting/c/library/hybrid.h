/* hybrid.h: recurrent layers in float whose kernels are 8-bit integers, in the arithmetic of
 * TensorFlow Lite's hybrid products. */
#include "integers.h"
#include "recurrent.h"

/* Of x in integers. */
static const float *integer_step_of(const recurrence *r, const void *x, int32_t t, float *numbers) {
    const int8_t *from = (const int8_t *)x + t * r->inputs;
    for (int32_t k = 0; k < r->inputs; k++) numbers[k] = (float)(from[k] - r->zero) * r->scale;
    return numbers;
}

/* The largest of the numbers, to either side, is 127. Of tiny numbers nothing is left. */
static factors integer_factors_of(const float *x, int32_t n, int8_t *room, int32_t at) {
    int8_t *steps = room + at;
    float most = 0;
    for (int32_t k = 0; k < n; k++) most = absolute(x[k]) > most ? absolute(x[k]) : most;
    const float factor = most > 1e-30f ? 127 / most : 0;
    for (int32_t k = 0; k < n; k++) steps[k] = quantized(x[k] * factor, 1, 0);
    const factors made = {x, steps, most / 127};
    return made;
}

static void integer_add_products(float *sums, const factors *x, const row_kernel *kernel,
                                 int32_t first, int32_t count) {
    const int32_t n = kernel->columns;
    const int8_t *row = (const int8_t *)kernel->values + first * n;
    for (int32_t j = 0; j < count; j++) {
        const float products = (float)integer_chain(0, x->integers, row + j * n, n, 0);
        sums[j] += products * (x->scale * kernel->scale[first + j]);
    }
}
