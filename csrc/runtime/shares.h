/* shares.h: how a team divides work among its threads, and how a thread reports an invalid index.
 */
#ifndef NNL_SHARES_H
#define NNL_SHARES_H

#include <stdatomic.h>
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

/* Share i of n of the items of r. Shares are cut at multiples of `grain` items from r.begin on, and
 * differ by one grain at most. */
static inline nnl_range even_share(nnl_range r, int64_t grain, int64_t i, int64_t n) {
    const int64_t grains = ceil_div(length(r), grain);
    return (nnl_range){min_of(r.begin + grains * i / n * grain, r.end),
                       min_of(r.begin + grains * (i + 1) / n * grain, r.end)};
}

/* This thread's share of n items. Ops on arrays of one shape give a thread the same elements, so
 * it finds in its cache what it wrote in the step before. */
static inline nnl_range nnl_share(int64_t n, int64_t grain, const nnl_team *team) {
    return even_share((nnl_range){0, n}, grain, team->id, team->size);
}

/* Elements of a cache line. As the grain of what is written it keeps two threads from writing to
 * one line. */
#define NNL_CACHE_LINE ((int64_t)(64 / sizeof(real)))

/* Notes that the index at this element, `value`, was out of range, unless a lower one is known. */
static inline void nnl_report_invalid_index(const nnl_team *team, int64_t element, int64_t value) {
    nnl_status *status = team->status;
    const int64_t mine = (team->step << NNL_STEP_SHIFT) + element;
    if (mine >= atomic_load(&status->first_invalid_index)) return;
    while (atomic_flag_test_and_set(&status->writing)) {
    }
    if (mine < atomic_load(&status->first_invalid_index)) {
        atomic_store(&status->first_invalid_index, mine);
        status->invalid_value = value;
    }
    atomic_flag_clear(&status->writing);
}

#endif
