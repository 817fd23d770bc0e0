/* limits.c: what this machine can do at most: multiply-adds from registers, and bytes to and from memory. */
#include <math.h>
#include <omp.h>
#include <stdbool.h>
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

/* Of each measurement the fastest part counts: each is short, so that some are not interrupted by
 * other processes. */
enum { PARTS = 50, PART_BYTES = 30 * 1000 * 1000, PART_SUMS = 500 * 1000 };

/* When the slowest thread of a team is here. */
static double time_of_all(void) {
    static double now;
#pragma omp barrier
#pragma omp master
    now = omp_get_wtime();
#pragma omp barrier
    return now;
}

/* Floating-point operations per second of a team. */
double peak_flops(int threads) {
    volatile float sink = 0;
    double fastest = INFINITY;
#pragma omp parallel num_threads(threads)
    for (int part = 0; part < PARTS; part++) {
        const double began = time_of_all();
        const float total = multiply_adds(PART_SUMS);
        if (total != 0) sink = total;
        const double taken = time_of_all() - began;
#pragma omp master
        fastest = taken < fastest ? taken : fastest;
    }
    (void)sink;
    return 2.0 * LANES * CHAINS * PART_SUMS * threads / fastest;
}

/* What a kernel does to memory: how many vectors it reads, how many times over, and how many it
 * writes: some of those that it has just read (`in_place`), or others. */
typedef struct {
    int64_t read, written, larger;
    double reads, writes; /* for each vector of the larger array */
    int readings;
    bool in_place;
} traffic;

enum { PIECE = 32 }; /* vectors of the larger array, before a look at the other one */

static void read_all(const vec *from, int64_t n) {
#pragma GCC unroll 8
    for (int64_t i = 0; i < n; i++) __asm__ volatile("" : : "x"(from[i]));
}

static void write_all(vec *to, int64_t n) {
    const vec value = {1};
#pragma GCC unroll 8
    for (int64_t i = 0; i < n; i++) to[i] = value;
    __asm__ volatile("" ::: "memory");
}

/* Loads and stores, and nothing else: both arrays are gone through once, at the same time. */
static void read_and_write(const vec *from, vec *to, const traffic *t) {
    int64_t in = 0, out = 0;
    for (int64_t at = 0; at < t->larger;) {
        at = at + PIECE < t->larger ? at + PIECE : t->larger;
        const int64_t in_end = (int64_t)(t->reads * (double)at + 0.5);
        const int64_t out_end = (int64_t)(t->writes * (double)at + 0.5);
        read_all(from + in, in_end - in);
        write_all(to + (t->in_place ? in : out), out_end - out);
        in = in_end, out = out_end;
    }
}

static vec *vectors(int64_t n) {
    return aligned_alloc(64, (size_t)(n + n % 2 + 2) * sizeof(vec)); /* a multiple of 64 bytes */
}

/* Bytes per second, each counted whenever it is read or written, when each thread of a team does
 * that to its share of the memory, again and again. In place no more is written than read. */
double peak_bytes(int64_t read, int64_t written, int readings, int in_place, int threads) {
    const int64_t share = (int64_t)sizeof(vec) * threads;
    traffic t = {.read = read / share, .written = written / share, .readings = readings,
                 .in_place = in_place};
    t.larger = t.read > t.written ? t.read : t.written;
    t.reads = (double)t.read / (double)t.larger;
    t.writes = (double)t.written / (double)t.larger;
    const int64_t bytes = (t.read * readings + t.written) * share;
    const int64_t times = 1 + PART_BYTES / bytes;
    double fastest = INFINITY;
#pragma omp parallel num_threads(threads)
    {
        vec *from = vectors(t.read), *to = t.in_place ? from : vectors(t.written);
        write_all(from, t.read);
        write_all(to, t.written);
        for (int part = 0; part < PARTS; part++) {
            const double began = time_of_all();
            for (int64_t k = 0; k < times; k++) {
                for (int again = 1; again < t.readings; again++) read_all(from, t.read);
                read_and_write(from, to, &t);
            }
            const double taken = time_of_all() - began;
#pragma omp master
            fastest = taken < fastest ? taken : fastest;
        }
        free(from);
        if (!t.in_place) free(to);
    }
    return (double)(bytes * times) / fastest;
}
