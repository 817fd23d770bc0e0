/* dropout.c: random keys, uniform and normal numbers, and dropout. The key alone determines the
 * random bits (math/dropout.h). The gradient of dropout therefore needs no mask, only the same key.
 */
#include <stdint.h>
#include <string.h>

#include "../math/dropout.h"
#include "../math/philox.h"
#include "../math/vec.h"
#include "../runtime/shares.h"

/* key = state; then the counter of state += 1.
 * in    state int32[4], written
 * out   key int32[4] */
static void op_random_key(const nnl_call *call, nnl_team *team) {
    if (team->id != 0) return;
    uint64_t seed_and_counter[2];
    memcpy(seed_and_counter, call->in[0].data, sizeof seed_and_counter);
    memcpy(call->out[0].data, seed_and_counter, sizeof seed_and_counter);
    seed_and_counter[1]++;
    memcpy(call->in[0].data, seed_and_counter, sizeof seed_and_counter);
}

/* A number in [0, 1) from 53 bits of two words. */
NNL_INLINE real uniform_of(uint32_t upper, uint32_t lower) {
    return ((real)(int32_t)(upper >> 5) * (real)0x1p26 + (real)(int32_t)(lower >> 6)) *
           (real)0x1p-53;
}

/* Uniform numbers in [0, 1). A float has the upper 24 bits of a word. A double has 53 bits of two
 * words: element i uses words i % 32 (upper bits) and i % 32 + 32 of group i / 32.
 * in    key int32[4]
 * out   y [...], any shape */
static void op_random_uniform(const nnl_call *call, nnl_team *team) {
    enum { STEP = REAL_IS_FLOAT ? PHILOX_WORDS : PHILOX_WORDS / 2 };
    real *y = call->out[0].data;
    const philox_stream stream = stream_of(&call->in[0]);
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), STEP, team);
    for (int64_t i = part.begin; i < part.end; i += STEP) {
        uint32_t words[PHILOX_WORDS];
        real values[STEP];
        philox_words(words, i / STEP, &stream);
        for (int j = 0; j < STEP; j++)
            values[j] = REAL_IS_FLOAT ? (real)(int32_t)(words[j] >> 8) * (real)0x1p-24
                                      : uniform_of(words[j], words[j + PHILOX_WORDS - STEP]);
        int64_t count = min_of(part.end - i, STEP);
        memcpy(y + i, values, (size_t)count * sizeof *y);
    }
}

/* Standard normal numbers: sqrt(-2 log u) times cos(2 pi v) and sin(2 pi v), for u in (0, 1] and v
 * in [0, 1). The first half of a group of numbers has the cosines, the second half the sines of the
 * same angles. For float, elements i and i + 32 of a group of 64 have u from 31 bits of word i and
 * v from 24 bits of word i + 32. For double, elements i and i + 16 of a group of 32 have u from 53
 * bits of words i and i + 16, and v from words i + 32 and i + 48.
 * G. E. P. Box, M. E. Muller: "A note on the generation of random normal deviates", 1958.
 * in    key int32[4]
 * out   y [...], any shape */
static void op_random_normal(const nnl_call *call, nnl_team *team) {
    enum { STEP = REAL_IS_FLOAT ? PHILOX_WORDS : PHILOX_WORDS / 2, HALF = STEP / 2 };
    real *y = call->out[0].data;
    const philox_stream stream = stream_of(&call->in[0]);
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), STEP, team);
    for (int64_t i = part.begin; i < part.end; i += STEP) {
        uint32_t words[PHILOX_WORDS];
        real values[STEP];
        philox_words(words, i / STEP, &stream);
        for (int j = 0; j < HALF; j++) {
            real u, v;
            if (REAL_IS_FLOAT) {
                u = (real)(int32_t)(words[j] >> 1) * (real)0x1p-31 + (real)0x1p-32;
                v = (real)(int32_t)(words[j + HALF] >> 8) * (real)0x1p-24;
            } else {
                u = 1 - uniform_of(words[j], words[j + HALF]);
                v = uniform_of(words[j + 2 * HALF], words[j + 3 * HALF]);
            }
            const real radius = real_sqrt(-2 * real_log(u));
            const circle_point at = real_circle(v);
            values[j] = radius * at.cosine;
            values[j + HALF] = radius * at.sine;
        }
        int64_t count = min_of(part.end - i, STEP);
        memcpy(y + i, values, (size_t)count * sizeof *y);
    }
}

/* y = x / (1 - rate) with probability 1 - rate (exact to 2^-32), else 0, also where x is NaN. The
 * gradient is the same op on dy, with the same key.
 * N. Srivastava et al.: "Dropout: a simple way to prevent neural networks from overfitting", JMLR
 * 15, 2014.
 * in    x [...], key int32[4]
 * out   y, the shape of x, may be x
 * attr  rate, 0 <= rate < 1 */
static void op_dropout(const nnl_call *call, nnl_team *team) {
    const real *x = call->in[0].data;
    real *y = call->out[0].data;
    const nnl_dropout d = dropout_of(&call->in[1], call->attr[0].f);
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), PHILOX_WORDS, team);
    for (int64_t i = part.begin; i < part.end; i += PHILOX_WORDS) {
        uint32_t words[PHILOX_WORDS];
        philox_words(words, i / PHILOX_WORDS, &d.stream);
        int64_t count = min_of(part.end - i, PHILOX_WORDS);
        NNL_INDEPENDENT
        for (int64_t j = 0; j < count; j++) {
            const real kept = x[i + j] * d.scale;
            y[i + j] = words[j] >= d.threshold ? kept : 0;
        }
    }
}
