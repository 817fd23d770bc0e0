/* gemm.c: each thread computes a rectangle of C and packs A and B for itself, so that no thread
 * waits for another. (The one exception is a few rows by a large B.)
 *
 *     for a block of columns of B, for a block of k:    packed, in L2
 *         for a micro-panel of rows of A:               in L1
 *             for a micro-panel of the block's columns: one tile of C, in registers
 *
 * The first micro-panel of A reads B from the caller's memory, and the micro-kernel leaves B packed
 * for the others. */
#include <stdbool.h>
#include <stdint.h>

#include "gemm.h"

#include "../math/activation.h"
#include "../runtime/barrier.h"
#include "../runtime/shares.h"
#include "blocking.h"
#include "fusion.h"
#include "job.h"
#include "microkernel.h"
#include "pack.h"
#include "prefetch.h"

/* A micro-panel of a transposed A is packed when at least this many micro-panels of B read it. */
enum { PACK_A_FROM = 3 };

static int64_t gemm_scratch(int64_t N, int64_t K, int threads) {
    return packing_size(N, K) * threads * (int64_t)sizeof(real);
}

/* What all tiles of a job have in common. */
static nnl_tile start_tile(const nnl_job *job, int64_t K) {
    nnl_tile t = {.K = K, .b_k = job->B.ld};
    for (int i = 0; i < MR; i++) t.c_offset[i] = i * job->ldc;
    return t;
}

/* The tile's C: n columns from j on. The epilogue comes with the last k. */
static void set_c(nnl_tile *t, const nnl_job *job, nnl_range rows, int64_t j, int64_t n,
                  bool last) {
    t->c = row_of_c(job, rows.begin) + j;
    t->n = n;
    t->rows = (int)length(rows);
    if (!last || !job->epilogue) return;
    const nnl_epilogue *e = job->epilogue;
    t->bias = e->bias ? e->bias + j : NULL;
    t->clamp = clamp_of(e->activation, e->alpha);
}

/* The tile's micro-panel of A, in place or packed: in rows where vectors of rows are loaded. */
static void set_a(nnl_tile *t, const nnl_job *job, nnl_range rows, int64_t k, int64_t b_panels) {
    const nnl_operand *A = &job->A;
    t->a_access = A->transposed ? A_COLUMN_MAJOR : A_ROW_MAJOR;
    t->a = A->data + (A->transposed ? k * A->ld + rows.begin : rows.begin * A->ld + k);
    t->a_row = t->a_k = A->ld;
    if (!A->transposed || b_panels < PACK_A_FROM) return;
    if (STEPS_OF_A_LOAD > 1) {
        t->a_access = A_ROW_MAJOR;
        t->a_row = whole_vectors(t->K);
        pack(job->packed_a, t->a_row, (nnl_pack_source){t->a, A->ld, length(rows), t->K, true});
    } else {
        t->a_k = PACKED_MR;
        pack(job->packed_a, t->a_k, (nnl_pack_source){t->a, A->ld, t->K, length(rows), false});
    }
    t->a = job->packed_a;
}

/* B has been packed, or it is one micro-panel wide, and lies in memory as if it were packed. */
static bool is_packed(const nnl_operand *B) { return B->ld == NR && !B->transposed; }

/* The tile's micro-panel of B, for the first micro-panel of A. Where the micro-kernel can read B in
 * place it does so, and packs it into `panel` if more micro-panels of A follow; else B is packed
 * here. */
static void set_b(nnl_tile *t, const nnl_job *job, real *panel, int64_t k, int64_t j, bool more) {
    const nnl_operand *B = &job->B;
    if (is_packed(B)) {
        t->b = B->data + (j / NR * job->K + k) * NR;
    } else if (B->transposed) {
        pack(panel, NR, (nnl_pack_source){B->data + j * B->ld + k, B->ld, t->K, t->n, true});
    } else if (t->n < NR) {
        pack(panel, NR, (nnl_pack_source){B->data + k * B->ld + j, B->ld, t->K, t->n, false});
    } else {
        t->b = B->data + k * B->ld + j;
        t->b_k = B->ld;
        t->pack_b = more ? panel : NULL;
        t->b_next = t->b + NR;
    }
}

/* Applies an activation that is no clamp to rows that are complete. They are still in cache, and
 * longer than the rows of one tile. */
static void activate_c(const nnl_job *job, nnl_range rows, nnl_range columns) {
    if (!job->epilogue || job->epilogue->activation == NNL_LINEAR) return;
    real *c = row_of_c(job, rows.begin) + columns.begin;
    int64_t count = length(rows), n = length(columns);
    if (n == job->ldc) n *= count, count = 1;
    for (int64_t i = 0; i < count; i++, c += job->ldc)
        activate(c, c, n, job->epilogue->activation, job->epilogue->alpha);
}

/* C[rows, columns] = (C or 0) + A[rows, k] B[k, columns]; then the epilogue, after the last k. */
static void multiply_block(nnl_job *job, nnl_range columns, nnl_range k) {
    const bool last = k.end == job->K;
    nnl_tile t = start_tile(job, length(k));
    t.resume = k.begin > 0;
    int64_t a_panels = ceil_div(length(job->rows), MR), b_panels = ceil_div(length(columns), NR);
    const bool packed = is_packed(&job->B);
    for (int64_t i = 0; i < a_panels; i++) {
        nnl_range rows = even_share(job->rows, 1, i, a_panels);
        const nnl_range next = even_share(job->rows, 1, i + 1 < a_panels ? i + 1 : i, a_panels);
        set_a(&t, job, rows, k.begin, b_panels);
        for (int64_t p = 0; p < b_panels; p++) {
            const int64_t j = columns.begin + p * NR;
            real *panel = job->packed_b + p * NR * t.K;
            set_c(&t, job, rows, j, min_of(columns.end - j, NR), last);
            t.b = panel;
            t.b_k = NR;
            choose_prefetch(&t, job, next, k, i, a_panels, p, b_panels);
            t.pack_b = NULL;
            if (i == 0 || packed) set_b(&t, job, panel, k.begin, j, a_panels > 1);
            multiply_tile(&t);
        }
        if (last && !t.clamp.is_done) activate_c(job, rows, columns);
        if (last && job->early) consume_tile(job, rows.end);
    }
}

/* At most THIN_MR rows: each element of B is read once, so nothing is packed. */
static void multiply_few_rows(const nnl_job *job, nnl_range columns, nnl_range k) {
    const bool last = k.end == job->K;
    nnl_tile t = start_tile(job, length(k));
    t.resume = k.begin > 0;
    set_a(&t, job, job->rows, k.begin, 0);
    for (int64_t j = columns.begin; j < columns.end; j += t.n) {
        const int64_t n = thin_width((int)length(job->rows), columns.end - j);
        set_c(&t, job, job->rows, j, n, last);
        t.b = job->B.data + k.begin * job->B.ld + j;
        multiply_thin_tile(&t);
    }
    if (last && !t.clamp.is_done) activate_c(job, job->rows, columns);
}

/* The same for a large B. The work is done in as many turns as there are threads, and in each turn
 * a thread reads other columns of B. A fixed range of columns of each row of B would map to a part
 * of the sets of its L2 only. */
static void multiply_few_rows_in_turns(const nnl_job *job, int64_t N) {
    const nnl_team *team = job->team;
    for (int turn = 0; turn < team->size; turn++) {
        if (turn) nnl_wait(team);
        const int64_t which = (team->id + turn) % team->size;
        multiply_few_rows(job, even_share((nnl_range){0, N}, NR, which, team->size),
                          even_share((nnl_range){0, job->K}, 1, turn, team->size));
    }
}

/* Whether C^T = B^T A^T is computed. With a transposed A and fewer columns of B than a vector has
 * lanes, the vectors are full only if they run along the rows of C. The order of the sums is the
 * same. */
static bool is_better_transposed(const nnl_job *job) {
    const int64_t n = length(job->columns);
    return job->A.transposed && !job->B.transposed && 4 * n <= 3 * LANES && n <= MR && job->K;
}

static void multiply_transposed(nnl_job *job) {
    real product[MR * NR];
    const nnl_operand *A = &job->A, *B = &job->B;
    const int64_t n = length(job->columns);
    const real *bias = job->epilogue ? job->epilogue->bias : NULL;
    nnl_tile t = {
        .a_access = A_COLUMN_MAJOR, .a_k = B->ld, .b_k = A->ld, .c = product, .rows = (int)n};
    for (int i = 0; i < t.rows; i++) t.c_offset[i] = i * NR;
    for (int64_t m = job->rows.begin; m < job->rows.end; m += NR) {
        t.n = min_of(NR, job->rows.end - m);
        for (int64_t k = 0; k < job->K; k += t.K) {
            t.K = min_of(KC, job->K - k);
            t.resume = k > 0;
            t.a = B->data + job->columns.begin + k * B->ld;
            t.b = A->data + m + k * A->ld;
            if (t.n % LANES) {
                pack(job->packed_b, NR, (nnl_pack_source){t.b, A->ld, t.K, t.n, false});
                t.b = job->packed_b, t.b_k = NR;
            }
            multiply_tile(&t);
        }
        unpack_transposed(row_of_c(job, m) + job->columns.begin, job->ldc, product, n, t.n,
                          bias ? bias + job->columns.begin : NULL);
        activate_c(job, (nnl_range){m, m + t.n}, job->columns);
        if (job->team->consumer) consume_tile(job, m + t.n);
    }
}

/* The general case: block by block. */
static void multiply_blocks(nnl_job *job, int64_t M) {
    const bool fused = job->team->consumer != NULL;
    const int64_t K = job->K, j_blocks = ceil_div(length(job->columns), block_width(K));
    const int64_t k_blocks = K ? ceil_div(K, KC) : 1;
    job->early = fused && j_blocks == 1;
    if (job->early) find_consumer_reads(job, M);
    for (int64_t j = 0; j < j_blocks; j++)
        for (int64_t k = 0; k < k_blocks; k++)
            multiply_block(job, even_share(job->columns, NR, j, j_blocks),
                           even_share((nnl_range){0, K}, 1, k, k_blocks));
    if (fused && !job->early) consume_tile(job, job->rows.end);
}

static void gemm(int64_t M, int64_t N, int64_t K, nnl_operand A, nnl_operand B, real *C,
                 int64_t ldc, const nnl_epilogue *epilogue, nnl_team *team) {
    /* A consumer takes whole rows of C. */
    const int down = team->consumer ? team->size : threads_down(M, N, team->size);
    const int across = team->size / down;
    real *mine = (real *)team->scratch + team->id * packing_size(N, K);
    nnl_job job = {.A = A,
                   .B = B,
                   .C = C,
                   .K = K,
                   .ldc = ldc,
                   .epilogue = epilogue,
                   .rows = even_share((nnl_range){0, M}, 1, team->id % down, down),
                   .columns = even_share((nnl_range){0, N}, NR, team->id / down, across),
                   .packed_b = mine,
                   .packed_a = mine + packed_b_size(N, K),
                   .team = team};
    const bool reads_rows = !B.transposed && B.ld >= N;
    if (M <= THIN_MR && reads_rows && !team->consumer && N * K >= EVICTED_BETWEEN_STEPS) {
        job.rows = (nnl_range){0, M};
        multiply_few_rows_in_turns(&job, N);
        return;
    }
    if (length(job.rows) == 0 || length(job.columns) == 0) return;
    if (team->consumer) start_fusion(&job, M);
    /* An operand without elements may have no address. Any address will do, as nothing is read. */
    if (K == 0) job.A = job.B = (nnl_operand){mine, 0, false};

    if (length(job.rows) <= THIN_MR && reads_rows) {
        multiply_few_rows(&job, job.columns, (nnl_range){0, K});
        if (team->consumer) consume_tile(&job, job.rows.end);
    } else if (is_better_transposed(&job)) {
        multiply_transposed(&job);
    } else {
        multiply_blocks(&job, M);
    }
}
