/* attention.h: dot-product attention of one sample. */
#include "rows.h"

/* q [queries, heads, size], k [keys, heads, size], v [keys, heads, value_size]. The steps are from
 * one head, query and key to the next in the bias and in the mask. */
typedef struct {
    int32_t queries, keys, heads, size, value_size, causal;
    int32_t bias_step[3], mask_step[3];
    float scale;
} attention_sizes;

/* y [queries, heads, value_size]; `weights` has room for a number of each key. */
static void attention(const attention_sizes *z, const float *q, const float *k, const float *v,
                      const float *bias, const float *mask, float *y, float *weights) {
    const float hidden = (float)(-0.7 * 3.38953e38);
    const int32_t plain = !bias && !mask && z->scale > 0, step = z->heads * z->size;
    for (int32_t t = 0; t < z->queries; t++)
        for (int32_t h = 0; h < z->heads; h++, q += z->size) {
            float lane[16] = {0};
            for (int32_t s = 0; s < z->keys; s++) {
                float score = 0;
                for (int32_t j = 0; j < z->size; j++) score += q[j] * k[s * step + h * z->size + j];
                if (!plain) score *= z->scale;
                if (bias)
                    score += bias[h * z->bias_step[0] + t * z->bias_step[1] + s * z->bias_step[2]];
                if (mask &&
                    mask[h * z->mask_step[0] + t * z->mask_step[1] + s * z->mask_step[2]] == 0)
                    score = hidden;
                if (z->causal && s > t) score = bias || mask ? hidden : -infinity_of();
                weights[s] = score;
            }
            const float scale = plain ? z->scale : 1, most = row_max(weights, z->keys) * scale;
            for (int32_t s = 0; s < z->keys; s++) {
                weights[s] = exp_of_negative(weights[s] * scale + -most);
                lane[s % 16] += weights[s];
            }
            const float share = 1 / sum_of_lanes(lane);
            for (int32_t j = 0; j < z->value_size; j++) {
                float sum = 0;
                for (int32_t s = 0; s < z->keys; s++)
                    sum += weights[s] * v[(s * z->heads + h) * z->value_size + j];
                *y++ = sum * share;
            }
        }
}
