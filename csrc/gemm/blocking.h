/* blocking.h: into what parts a product is cut: one for each thread, and blocks that stay in a
 * cache. */
#ifndef NNL_BLOCKING_H
#define NNL_BLOCKING_H

#include <stdint.h>

#include "../runtime/shares.h"
#include "microkernel.h"

/* A block of B is at most KC deep and half a megabyte large; with a strip of A as deep as that, 20
 * kB, the first cache has room for what passes by. */
enum { KC = 384, BLOCK = (512 << 10) / (NR * (int)sizeof(real)) };

/* Columns of a block. */
static int64_t block_width(int64_t K) { return BLOCK / min_of(K + 1, KC) * NR; }

/* Reals in a thread's packed block and strip; never none, so that there is an address. */
static int64_t block_size(int64_t N, int64_t K) {
    return min_of(ceil_div(N, NR) * NR, block_width(K)) * min_of(K + 1, KC);
}
static int64_t strip_size(int64_t K) { return STRIP * min_of(K + 1, KC); }
static int64_t thread_size(int64_t N, int64_t K) {
    return ceil_div(block_size(N, K) + strip_size(K), NNL_LINE) * NNL_LINE;
}

/* The team stands as a grid over C: how many threads one below the other? Of the grids that its
 * size allows, the best is the one whose busiest thread has least to do. A panel's width of one
 * row is the unit; a panel costs PACKING more, and the width of a row of A half a unit, since it
 * has to come from far. */
static int threads_down(int64_t M, int64_t N, int threads) {
    enum { PACKING = 6 };
    int64_t least = INT64_MAX;
    int best = 1;
    for (int down = 1; down <= threads; down++) {
        if (threads % down) continue;
        int64_t rows = ceil_div(M, down), panels = ceil_div(ceil_div(N, NR), threads / down);
        int64_t cost = panels * (rows + PACKING) + rows / 2;
        if (cost < least) least = cost, best = down;
    }
    return best;
}

#endif
