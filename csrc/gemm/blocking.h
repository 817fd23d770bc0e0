/* blocking.h: how a product is cut: into a rectangle of C for each thread, and blocks of B that
 * stay in L2. */
#ifndef NNL_BLOCKING_H
#define NNL_BLOCKING_H

#include <stdint.h>

#include "../runtime/shares.h"
#include "microkernel.h"

/* A block of B has at most KC rows and takes at most 512 KB, so it stays in L2. An MR x KC
 * micro-panel of A takes 16 KB, and stays in an L1 of 48 KB while one of B, 32 KB, is streamed. */
enum { KC = 256, BLOCK_ROWS = (512 << 10) / (NR * (int)sizeof(real)) /* of NR elements */ };

/* Columns of a block of B. */
static int64_t block_width(int64_t K) { return BLOCK_ROWS / min_of(K + 1, KC) * NR; }

/* Reals in a thread's packed block of B and micro-panel of A. K + 1: an address must exist even
 * where K is 0. */
static int64_t packed_b_size(int64_t N, int64_t K) {
    return min_of(ceil_div(N, NR) * NR, block_width(K)) * min_of(K + 1, KC);
}
static int64_t packed_a_size(int64_t K) { return PACKED_MR * whole_vectors(min_of(K + 1, KC)); }
static int64_t packing_size(int64_t N, int64_t K) {
    return ceil_div(packed_b_size(N, K) + packed_a_size(K), NNL_CACHE_LINE) * NNL_CACHE_LINE;
}

/* The team forms a grid over C. Returns the number of threads in a column of that grid. Of the
 * grids that the team's size allows, the best one has the least work for its busiest thread.
 *
 * The unit of work is one row of C by one micro-panel of B. Packing a micro-panel of B costs as
 * much as PACKING_COST rows, and reading a row of A from memory half a unit. */
static int threads_down(int64_t M, int64_t N, int threads) {
    enum { PACKING_COST = 6 };
    int64_t least = INT64_MAX;
    int best = 1;
    for (int down = 1; down <= threads; down++) {
        if (threads % down) continue;
        int64_t rows = ceil_div(M, down), b_panels = ceil_div(ceil_div(N, NR), threads / down);
        int64_t cost = b_panels * (rows + PACKING_COST) + rows / 2;
        if (cost < least) least = cost, best = down;
    }
    return best;
}

#endif
