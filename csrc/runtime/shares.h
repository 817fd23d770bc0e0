/* shares.h: how a team divides work among its threads, and how a thread reports a bad index. */
#ifndef NNL_SHARES_H
#define NNL_SHARES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "../nnlite.h"

static inline int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }
/* n / size, rounded up. */
static inline int64_t ceil_div(int64_t n, int64_t size) { return (n + size - 1) / size; }

typedef struct {
    int64_t begin, end;
} nnl_range;

static inline int64_t length(nnl_range r) { return r.end - r.begin; }

/* Share i of n of the items of r, in whole blocks of `grain` (1 = any cut). */
static inline nnl_range even_share(nnl_range r, int64_t grain, int64_t i, int64_t n) {
    const int64_t blocks = ceil_div(length(r), grain);
    return (nnl_range){min_of(r.begin + blocks * i / n * grain, r.end),
                       min_of(r.begin + blocks * (i + 1) / n * grain, r.end)};
}

/* This thread's part of n items, in whole blocks of `grain` (1 = any cut), the same for every op
 * of one shape. */
static inline nnl_range nnl_share(int64_t n, int64_t grain, const nnl_team *team) {
    return even_share((nnl_range){0, n}, grain, team->id, team->size);
}

/* Elements of a cache line: the grain for writing, so that no two threads write one line. */
#define NNL_CACHE_LINE ((int64_t)(64 / sizeof(real)))

static inline void nnl_report(const nnl_team *team, int64_t element) {
    int64_t mine = (team->step << NNL_STEP_SHIFT) + element;
    int64_t seen = atomic_load(&team->status->first_bad);
    while (mine < seen && !atomic_compare_exchange_weak(&team->status->first_bad, &seen, mine)) {
    }
}

#endif
