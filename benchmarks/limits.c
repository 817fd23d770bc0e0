/* limits.c: what this machine can do at most: multiply-adds from registers, and bytes to and from memory. */
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__AVX512F__)
enum { LANES = 16 };
#else
enum { LANES = 8 };
#endif
typedef float vec __attribute__((vector_size(LANES * sizeof(float))));

enum { CHAINS = 12 }; /* enough independent sums to hide the latency of a multiply-add */

static float multiply_adds(int64_t times) {
    vec sum[CHAINS] = {0}, a = {0}, b = {0};
#pragma GCC unroll 12
    for (int c = 0; c < CHAINS; c++) __asm__ volatile("" : "+x"(sum[c])); /* no two are the same */
    for (int64_t i = 0; i < times; i++) {
        __asm__ volatile("" : "+x"(a), "+x"(b)); /* values that the compiler cannot know */
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++) sum[c] = sum[c] * a + b;
    }
    float total = 0;
    for (int c = 0; c < CHAINS; c++) total += sum[c][0];
    return total;
}

/* Floating-point operations per second of a team. */
double peak_flops(int threads) {
    const int64_t times = 4 * 1000 * 1000;
    volatile float sink = 0;
    double began = omp_get_wtime();
#pragma omp parallel num_threads(threads)
    {
        float total = multiply_adds(times);
        if (total != 0) sink = total;
    }
    return 2.0 * LANES * CHAINS * times * threads / (omp_get_wtime() - began);
}

/* Bytes per second, read and written, when a team goes over `bytes` of memory in place, again and again. */
double peak_bytes(int64_t bytes, int threads) {
    const int64_t n = bytes / (int64_t)sizeof(vec) / threads, times = 1 + (int64_t)4e8 / bytes;
    vec *memory = aligned_alloc(64, (size_t)(n * threads) * sizeof(vec));
    double began = 0;
#pragma omp parallel num_threads(threads)
    {
        vec *mine = memory + n * omp_get_thread_num();
        for (int64_t i = 0; i < n; i++) mine[i] = (vec){0};
#pragma omp barrier
#pragma omp master
        began = omp_get_wtime();
#pragma omp barrier
        for (int64_t t = 0; t < times; t++) {
            for (int64_t i = 0; i < n; i++) mine[i] += 1.0f;
            __asm__ volatile("" ::: "memory");
        }
    }
    double seconds = omp_get_wtime() - began;
    free(memory);
    return 2.0 * n * threads * sizeof(vec) * times / seconds;
}
