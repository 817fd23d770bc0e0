/* philox.h: Philox4x32-10, random bits as a function of a counter and a key. So each thread can
 * compute its part of an array by itself.
 *
 * J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: "Parallel random numbers: as easy as 1, 2,
 * 3", SC 2011. A block is 4 words of 32 bits. Blocks are computed in groups, in vectors of 64-bit
 * lanes with a block in each lane. */
#ifndef NNL_PHILOX_H
#define NNL_PHILOX_H

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "vec.h"

enum { PHILOX_BLOCKS = 16, PHILOX_WORDS = 4 * PHILOX_BLOCKS };

/* The stream of blocks of one key and counter, with the keys of the ten rounds. */
typedef struct {
    uint64_t round_key[10][2];
    uint64_t counter;
} philox_stream;

/* From round to round the golden ratio and sqrt(3) - 1, as 32-bit fractions, are added to the key.
 */
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

/* The product of m and the lower half of each lane. x86 has an instruction for this which compilers
 * do not find by themselves. */
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

/* Ten rounds on the lower halves of a and b, two sets of words 0 ... 3, so that one's latency is
 * the other's work. What the rounds leave in the upper halves is without meaning. */
NNL_INLINE void philox_rounds(philox_wide a[4], philox_wide b[4], const philox_stream *stream) {
    for (int round = 0; round < 10; round++) {
        const uint64_t k0 = stream->round_key[round][0], k1 = stream->round_key[round][1];
        philox_wide pa = multiply_lower_halves(a[0], 0xD2511F53u),
                    pb = multiply_lower_halves(b[0], 0xD2511F53u);
        philox_wide qa = multiply_lower_halves(a[2], 0xCD9E8D57u),
                    qb = multiply_lower_halves(b[2], 0xCD9E8D57u);
        a[0] = (qa >> 32) ^ (a[1] ^ k0);
        b[0] = (qb >> 32) ^ (b[1] ^ k0);
        a[2] = (pa >> 32) ^ (a[3] ^ k1);
        b[2] = (pb >> 32) ^ (b[3] ^ k1);
        a[1] = qa;
        b[1] = qb;
        a[3] = pa;
        b[3] = pb;
    }
}

NNL_INLINE void store_lower_halves(uint32_t *words, philox_wide word) {
    const philox_narrow narrow = __builtin_convertvector(word, philox_narrow);
    memcpy(words, &narrow, sizeof narrow);
}

/* The words of the blocks group * PHILOX_BLOCKS + (0 ... PHILOX_BLOCKS - 1) of a stream: word 0 of
 * each block, then word 1 of each, and so on. The 128-bit counter of a block consists of its number
 * (lower half) and the stream's counter. */
static inline void philox_words(uint32_t words[PHILOX_WORDS], int64_t group,
                                const philox_stream *stream) {
    philox_wide lane = {0};
    for (int j = 0; j < PHILOX_LANES; j++) lane[j] = (uint64_t)j;
    const philox_wide c0 = lane * 0 + stream->counter, c1 = c0 >> 32;
    for (int b = 0; b < PHILOX_BLOCKS; b += 2 * PHILOX_LANES) {
        const philox_wide first = lane + (uint64_t)(group * PHILOX_BLOCKS + b),
                          second = first + PHILOX_LANES;
        philox_wide x[4] = {first, first >> 32, c0, c1}, y[4] = {second, second >> 32, c0, c1};
        philox_rounds(x, y, stream);
        for (int w = 0; w < 4; w++) {
            store_lower_halves(words + w * PHILOX_BLOCKS + b, x[w]);
            store_lower_halves(words + w * PHILOX_BLOCKS + b + PHILOX_LANES, y[w]);
        }
    }
}

#endif
