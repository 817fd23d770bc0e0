/* philox.h: Philox4x32-10, random bits as a pure function of a counter and a key, so any thread can make any part.
 *
 * J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011. A block
 * is 4 words of 32 bits; a group of blocks is made at once, a few side by side in vectors of 64-bit lanes. */
#ifndef NNL_PHILOX_H
#define NNL_PHILOX_H

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "vec.h"

enum { PHILOX_BLOCKS = 16, PHILOX_WORDS = 4 * PHILOX_BLOCKS };

/* All blocks of one key and counter, with the keys of the ten rounds. */
typedef struct {
    uint64_t round_key[10][2];
    uint64_t counter;
} philox_stream;

/* Between rounds the key is raised by the golden ratio and by sqrt(3) - 1. */
static inline philox_stream philox_start(uint64_t key, uint64_t counter) {
    philox_stream stream = {.counter = counter};
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        stream.round_key[round][0] = k0;
        stream.round_key[round][1] = k1;
    }
    return stream;
}

#if defined(__AVX512F__)
enum { PHILOX_LANES = 8 };
#elif defined(__AVX2__)
enum { PHILOX_LANES = 4 };
#else
enum { PHILOX_LANES = 2 };
#endif
typedef uint64_t philox_wide __attribute__((vector_size(8 * PHILOX_LANES)));
typedef uint32_t philox_narrow __attribute__((vector_size(4 * PHILOX_LANES)));

/* The product of the lower half of each lane and m. x86 has an instruction that compilers do not find. */
NNL_INLINE philox_wide multiply_lower_halves(philox_wide a, uint32_t m) {
#if defined(__AVX512F__)
    return (philox_wide)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(m));
#elif defined(__AVX2__)
    return (philox_wide)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(m));
#elif defined(__x86_64__)
    return (philox_wide)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(m));
#else
    return (a & 0xffffffff) * m;
#endif
}

/* Ten rounds on the lower halves of word[0 ... 3]; what they leave in the upper halves is without meaning. */
NNL_INLINE void philox_rounds(philox_wide word[4], const philox_stream *stream) {
    for (int round = 0; round < 10; round++) {
        philox_wide p = multiply_lower_halves(word[0], 0xD2511F53u);
        philox_wide q = multiply_lower_halves(word[2], 0xCD9E8D57u);
        word[0] = (q >> 32) ^ word[1] ^ stream->round_key[round][0];
        word[1] = q;
        word[2] = (p >> 32) ^ word[3] ^ stream->round_key[round][1];
        word[3] = p;
    }
}

/* The words of the blocks group * PHILOX_BLOCKS + (0 ... PHILOX_BLOCKS - 1) of a stream: first word 0 of each of
 * them, then word 1 of each, and so on. The 128-bit counter of a block is its number and the stream's counter. */
static inline void philox_words(uint32_t words[PHILOX_WORDS], int64_t group, const philox_stream *stream) {
    philox_wide lane = {0};
    for (int j = 0; j < PHILOX_LANES; j++) lane[j] = (uint64_t)j;
    for (int b = 0; b < PHILOX_BLOCKS; b += PHILOX_LANES) {
        philox_wide block = lane + (uint64_t)(group * PHILOX_BLOCKS + b);
        philox_wide counter = (philox_wide){0} + stream->counter;
        philox_wide word[4] = {block, block >> 32, counter, counter >> 32};
        philox_rounds(word, stream);
        for (int w = 0; w < 4; w++) {
            philox_narrow narrow = __builtin_convertvector(word[w], philox_narrow);
            memcpy(words + w * PHILOX_BLOCKS + b, &narrow, sizeof narrow);
        }
    }
}

#endif
