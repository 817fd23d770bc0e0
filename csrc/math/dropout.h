/* dropout.h: which elements dropout keeps. The key alone determines it.
 *
 * A key is an int32[4] of bit patterns: seed (low, high), counter (low, high). philox_words()
 * gives the bits in groups of PHILOX_WORDS words. Element i uses word i % PHILOX_WORDS of group
 * i / PHILOX_WORDS, that is, word (i / 16) % 4 of Philox block i / 64 * 16 + i % 16. */
#ifndef NNL_DROPOUT_H
#define NNL_DROPOUT_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "../nnlite.h"
#include "../runtime/shares.h"
#include "philox.h"

static philox_stream stream_of(const nnl_tensor *key) {
    uint64_t seed_and_counter[2];
    memcpy(seed_and_counter, key->data, sizeof seed_and_counter);
    return philox_start(seed_and_counter[0], seed_and_counter[1]);
}

/* An element is kept, and multiplied by `scale`, if its word is at least `threshold`. */
typedef struct {
    philox_stream stream;
    uint32_t threshold;
    real scale;
} nnl_dropout;

static nnl_dropout dropout_of(const nnl_tensor *key, double rate) {
    return (nnl_dropout){.stream = stream_of(key),
                         .threshold = rate > 0 ? (uint32_t)(fmin(rate, 0x0.ffffffffp0) * 0x1p32)
                                               : 0,
                         .scale = (real)(1 / (1 - rate))};
}

/* What elements first ... first + n - 1 are multiplied by: the scale, or 0. */
static void dropout_factors(real *factors, int64_t first, int64_t n, const nnl_dropout *d) {
    for (int64_t i = first / PHILOX_WORDS * PHILOX_WORDS; i < first + n; i += PHILOX_WORDS) {
        uint32_t words[PHILOX_WORDS];
        philox_words(words, i / PHILOX_WORDS, &d->stream);
        const int64_t begin = max_of(first - i, 0), end = min_of(first + n - i, PHILOX_WORDS);
        real *to = factors + (i - first);
        NNL_INDEPENDENT
        for (int64_t j = begin; j < end; j++) to[j] = words[j] >= d->threshold ? d->scale : 0;
    }
}

#endif
