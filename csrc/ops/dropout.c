/* dropout.c: random keys, uniform numbers and dropout. A key says everything: the same key gives
 * the same bits again, so nothing but the key is kept for the gradient.
 *
 * A key is an int32[4] of bit patterns: seed (low, high), counter (low, high). Element i takes
 * word i % PHILOX_WORDS of group i / PHILOX_WORDS as philox_words() lays it out, that is, word
 * (i / 16) % 4 of block i / 64 * 16 + i % 16. */
#include "../parallel.h"
#include "../philox.h"
#include "../vec.h"

static philox_stream stream_of(const nnl_tensor *key) {
    uint64_t seed_and_counter[2];
    memcpy(seed_and_counter, key->data, sizeof seed_and_counter);
    return philox_start(seed_and_counter[0], seed_and_counter[1]);
}

/* Takes the next key: out = state; counter of state += 1.
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

/* Uniform numbers in [0, 1): for float the upper 24 bits of a word; for double 53 bits of two
 * words, where element i has words i % 32 (upper bits) and i % 32 + 32 of group i / 32.
 * in    key int32[4]
 * out   any shape */
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
                                      : ((real)(int32_t)(words[j] >> 5) * (real)0x1p26 +
                                         (real)(int32_t)(words[j + PHILOX_WORDS - STEP] >> 6)) *
                                            (real)0x1p-53;
        int64_t count = part.end - i < STEP ? part.end - i : STEP;
        memcpy(y + i, values, (size_t)count * sizeof *y);
    }
}

/* y = x / (1 - rate) where the element is kept, which happens with probability 1 - rate (to
 * 2^-32), else 0 (for NaN too). Applied to dy with the same key it is the gradient.
 * in    x, key int32[4]
 * out   y as x
 * attr  rate, 0 <= rate < 1 */
static void op_dropout(const nnl_call *call, nnl_team *team) {
    const real *x = call->in[0].data;
    real *y = call->out[0].data;
    const double rate = call->attr[0].f;
    const uint32_t threshold = rate > 0 ? (uint32_t)(fmin(rate, 0x0.ffffffffp0) * 0x1p32) : 0;
    const real scale = (real)(1 / (1 - rate));
    const philox_stream stream = stream_of(&call->in[1]);
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), PHILOX_WORDS, team);
    for (int64_t i = part.begin; i < part.end; i += PHILOX_WORDS) {
        uint32_t words[PHILOX_WORDS];
        philox_words(words, i / PHILOX_WORDS, &stream);
        int64_t count = part.end - i < PHILOX_WORDS ? part.end - i : PHILOX_WORDS;
        NNL_INDEPENDENT
        for (int64_t j = 0; j < count; j++) {
            const real kept = x[i + j] * scale;
            y[i + j] = words[j] >= threshold ? kept : 0;
        }
    }
}
