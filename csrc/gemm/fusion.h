/* fusion.h: two steps done as one. A matrix product or another producer hands each finished tile of
 * its output to the step that reads it (the consumer) while the tile is in cache.
 *
 * The planner fuses two steps when the consumer alone reads the output. It marks the consumer as
 * `fused`, and the output gets no memory. plan.c skips the consumer and gives it to the producer
 * as team->consumer. The producer computes C in a buffer of its scratch. As soon as FUSED_TILE
 * elements of whole rows are finished it calls the consumer's op, with team->tile set.
 *
 * Each thread consumes the tiles that it has produced, so no barrier stands between the two. A
 * consumer computes each element from the same element of its operands, so the bits are those of
 * two separate steps. Consumers are activation_gradient and the updates of optimizer.c; producers
 * are matmul and scatter_add. */
#ifndef NNL_FUSION_H
#define NNL_FUSION_H

#include <stdbool.h>
#include <stdint.h>

#include "../nnlite.h"
#include "../runtime/shares.h"
#include "blocking.h"
#include "job.h"

/* --- The consumer's side: an op that may be fused asks these two. */

/* Of n elements those that this thread computes: the tile, or its share of all. */
static inline nnl_range fused_range(int64_t n, const nnl_team *team) {
    return team->tile ? (nnl_range){team->tile_begin, team->tile_end}
                      : nnl_share(n, NNL_CACHE_LINE, team);
}

/* Where element 0 of the operand lies; where only a tile of it exists, where it would lie. */
static inline const real *fused_operand(const nnl_tensor *operand, const nnl_team *team) {
    return team->tile ? team->tile - team->tile_begin : operand->data;
}

/* --- The producer's side. */

/* Elements of a tile, at least: few enough to stay in L1, and enough that what the consumer
 * computes once for each call has little weight. */
enum { FUSED_TILE = 4096 };

/* The consumer does the elements begin ... end - 1, which lie in `tile`. */
static void hand_on(const nnl_team *team, real *tile, int64_t begin, int64_t end) {
    nnl_team with_tile = *team;
    with_tile.consumer = NULL;
    with_tile.tile = tile, with_tile.tile_begin = begin, with_tile.tile_end = end;
    if (begin < end) team->consumer->op(&team->consumer->call, &with_tile);
}

/* Rows of C that a thread keeps until they are consumed. Where the columns or k are cut into
 * blocks, no row is complete before the last block: then all. Else fewer elements than FUSED_TILE
 * may be waiting when a micro-panel of rows, or a block of a transposed product, is added. */
static int64_t buffer_rows(int64_t M, int64_t N, int64_t K) {
    const bool early = K <= KC && N <= block_width(K);
    return early && N ? min_of(M, FUSED_TILE / N + MR + NR) : M;
}

static int64_t buffer_size(int64_t M, int64_t N, int64_t K) {
    return ceil_div(buffer_rows(M, N, K) * N, NNL_CACHE_LINE) * NNL_CACHE_LINE;
}

static int64_t gemm_fusion_scratch(int64_t M, int64_t N, int64_t K, int threads) {
    const bool one_each = buffer_rows(M, N, K) < M;
    return buffer_size(M, N, K) * (one_each ? threads : 1) * (int64_t)sizeof(real);
}

/* C lies in scratch, behind the memory where all threads pack. */
static void start_fusion(nnl_job *job, int64_t M) {
    const int64_t N = job->ldc, K = job->K;
    job->reuse_buffer = buffer_rows(M, N, K) < M;
    job->C = (real *)job->team->scratch + job->team->size * packing_size(N, K) +
             (job->reuse_buffer ? job->team->id * buffer_size(M, N, K) : 0);
    job->consumed = job->rows.begin;
}

/* The rows of C before `row` are finished. The consumer does those that it has not done, once they
 * fill a tile or are the last. */
static void consume_tile(nnl_job *job, int64_t row) {
    const int64_t begin = job->consumed * job->ldc, end = row * job->ldc;
    if (end - begin < FUSED_TILE && row < job->rows.end) return;
    hand_on(job->team, row_of_c(job, job->consumed), begin, end);
    job->consumed = row;
}

#endif
