/* prefetch.h: which memory a tile prefetches for the tiles after it.
 *
 * The processor prefetches by itself what is read in order. It does not see rows that lie far
 * apart, nor the operands of the next step. Those are prefetched into L2 while a tile is computed:
 * `prefetch_lines` cache lines from `prefetch` on, a few of them every `prefetch_interval` steps
 * of k. */
#ifndef NNL_PREFETCH_H
#define NNL_PREFETCH_H

#include <stdbool.h>
#include <stdint.h>

#include "../nnlite.h"
#include "../runtime/shares.h"
#include "job.h"
#include "microkernel.h"

enum {
    /* Reals of an array that L2 has lost by the time the next step reads it (256 KB) ... */
    EVICTED_BETWEEN_STEPS = (256 << 10) / (int)sizeof(real),
    /* ... and of one that L2 cannot hold (2 MB). */
    BEYOND_L2 = 8 * EVICTED_BETWEEN_STEPS
};

/* --- Products. */

/* Finds what the consumer of a fused product reads and writes beside C: arrays as large as C, if
 * those are too large to be in L2. */
static void find_consumer_reads(nnl_job *job, int64_t M) {
    const nnl_call *consumer = &job->team->consumer->call;
    if (M * job->ldc < EVICTED_BETWEEN_STEPS) return;
    for (int i = 0; i < consumer->n_in && job->n_consumer_reads < MOST_PREFETCHED; i++)
        if (consumer->in[i].data && nnl_size(&consumer->in[i]) == M * job->ldc)
            job->consumer_reads[job->n_consumer_reads++] = consumer->in[i].data;
}

/* Tile number `tile` of a row of tiles prefetches what the consumer will read with the rows
 * `next`, at most as many lines as the tile has steps of k. */
static void prefetch_consumer(nnl_tile *t, const nnl_job *job, nnl_range next, int64_t tile) {
    const int64_t lines = ceil_div(length(next) * job->ldc, NNL_CACHE_LINE);
    const int64_t tiles = ceil_div(lines, t->K + 1), first = tile % tiles * t->K;
    if (tile / tiles >= job->n_consumer_reads) return;
    t->prefetch = (const char *)(job->consumer_reads[tile / tiles] + next.begin * job->ldc +
                                 first * NNL_CACHE_LINE);
    t->prefetch_lines = min_of(t->K, lines - first);
    t->prefetch_interval = PREFETCH_INTERVAL_SHORT;
}

/* Tile number `tile` of `tiles` prefetches its share of the A that comes next: of a transposed A
 * the next block of k, else the rows `next`. Only memory that will be read to the end of each row
 * is prefetched. */
static void prefetch_a(nnl_tile *t, const nnl_job *job, nnl_range next, nnl_range k, int64_t tile,
                       int64_t tiles) {
    const nnl_operand *A = &job->A;
    const nnl_range next_k = {k.end, min_of(k.end + length(k), job->K)};
    const nnl_range which = A->transposed ? next_k : next;
    const bool whole_rows = A->transposed ? 2 * length(job->rows) > A->ld
                                          : length(k) == job->K && A->ld == job->K;
    const nnl_range part = even_share((nnl_range){which.begin * A->ld, which.end * A->ld},
                                      NNL_CACHE_LINE, tile, tiles);
    t->prefetch = (const char *)(A->data + part.begin);
    t->prefetch_lines = whole_rows ? ceil_div(length(part), NNL_CACHE_LINE) : 0;
}

/* What the tile of micro-panel i of A and micro-panel p of B prefetches. `next`: the rows of the
 * micro-panel of A after this one. */
static void choose_prefetch(nnl_tile *t, const nnl_job *job, nnl_range next, nnl_range k, int64_t i,
                            int64_t a_panels, int64_t p, int64_t b_panels) {
    const bool transposed = job->A.transposed;
    t->prefetch_lines = 0;
    t->prefetch_interval = PREFETCH_INTERVAL_MEDIUM;
    if (job->n_consumer_reads) prefetch_consumer(t, job, next, p);
    if (!t->prefetch_lines && length(job->rows) * job->K >= BEYOND_L2)
        prefetch_a(t, job, next, k, transposed ? i * b_panels + p : p,
                   transposed ? a_panels * b_panels : b_panels);
}

/* --- Convolutions. */

/* Stretches of memory that are needed next. Tiles in turns prefetch some lines of each. Memory of a
 * result is prefetched, too, before it is written. */
enum { STRETCHES = 3 };
typedef struct {
    const char *at[STRETCHES], *end[STRETCHES];
    int64_t lines[STRETCHES];
    int turn;
} nnl_prefetch;

/* Of images a and of images b the rows `next`, where each has `rows` rows in all. `tiles`: about
 * how many tiles are computed before these are needed. Empty, if both may still be in L2 from the
 * step before. */
static nnl_prefetch plan_prefetch(nnl_range next, int64_t rows, const nnl_tensor *a,
                                  const nnl_tensor *b, int64_t tiles) {
    enum { IN_L2 = 1 << 19 }; /* reals */
    const bool large = nnl_size(a) + nnl_size(b) > IN_L2;
    const nnl_tensor *of[2] = {a, b};
    nnl_prefetch f = {.turn = 0};
    for (int i = 0; i < 2; i++) {
        const int64_t size = large ? nnl_size(of[i]) : 0;
        const real *data = of[i]->data;
        f.at[i] = (const char *)(data + size * next.begin / rows);
        f.end[i] = (const char *)(data + size * min_of(next.end, rows) / rows);
        f.lines[i] = ceil_div((f.end[i] - f.at[i]) / 64, ceil_div(tiles, 2));
    }
    return f;
}

/* And a part of a packed kernel, which the tiles after the next `tiles` read. */
static void prefetch_kernel(nnl_prefetch *f, const real *packed, int64_t reals, int64_t tiles) {
    const int turns = 1 + (f->at[0] < f->end[0]) + (f->at[1] < f->end[1]);
    f->at[2] = (const char *)packed;
    f->end[2] = (const char *)(packed + reals);
    f->lines[2] = ceil_div((f->end[2] - f->at[2]) / 64, ceil_div(tiles, turns));
}

/* Gives the tile its lines to prefetch, a few every `interval` steps of k. */
static void prefetch_some(nnl_prefetch *f, nnl_tile *t, int64_t interval) {
    int i = f->turn++ % STRETCHES;
    for (int tries = 1; tries < STRETCHES && f->at[i] >= f->end[i]; tries++)
        i = f->turn++ % STRETCHES;
    t->prefetch = f->at[i];
    t->prefetch_lines = min_of(f->lines[i], (f->end[i] - f->at[i]) / 64);
    t->prefetch_interval = interval;
    f->at[i] += 64 * t->prefetch_lines;
}

#endif
