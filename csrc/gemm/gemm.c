/* gemm.c: each thread has a rectangle of C and packs for itself, so that none waits for another
 * (but for a few rows by a large B).
 *
 *     for a block of columns of B, for a block of k:    packed, in the second cache
 *         for a strip of rows of A:                     in the first cache
 *             for a panel of the block's columns:       one tile of C, in registers
 *
 * The first strip reads B where the caller has it, and leaves it packed for those that follow. */
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

/* A strip of a transposed A is packed when at least so many panels are to read it. */
enum { PACK_STRIP = 3 };

/* An array of so many reals does not stay in the second cache between two steps; of so many, not
 * even between two uses in one. */
enum { FAR = (256 << 10) / (int)sizeof(real), LARGE = 8 * FAR };
static int64_t gemm_scratch(int64_t N, int64_t K, int threads) {
    return thread_size(N, K) * threads * (int64_t)sizeof(real);
}

/* What all tiles of a job have in common. */
static nnl_tile start_tile(const nnl_job *job, int64_t K) {
    nnl_tile t = {.K = K, .b_k = job->B.ld};
    for (int i = 0; i < MR; i++) t.c_row[i] = i * job->ldc;
    return t;
}

/* The tile's c: n columns from j on, and their bias if these k are the last. */
static void place_c(nnl_tile *t, const nnl_job *job, nnl_range rows, int64_t j, int64_t n,
                    bool last) {
    t->c = row_of_c(job, rows.begin) + j;
    t->n = n;
    t->rows = (int)length(rows);
    t->bias = last && job->epilogue && job->epilogue->bias ? job->epilogue->bias + j : NULL;
}

/* The tile's a: a strip of A, in place or packed. */
static void place_a(nnl_tile *t, const nnl_job *job, nnl_range rows, int64_t k, int64_t panels) {
    const nnl_operand *A = &job->A;
    t->form = A->transposed ? COLUMNS : ROWS;
    t->a = A->data + (A->transposed ? k * A->ld + rows.begin : rows.begin * A->ld + k);
    t->a_row = t->a_k = A->ld;
    if (A->transposed && panels >= PACK_STRIP) {
        pack(job->strip, STRIP, (nnl_piece){t->a, A->ld, t->K, length(rows), false});
        t->a = job->strip;
        t->a_k = STRIP;
    }
}

/* The tile's b as the first strip finds it: in place, and to be kept if more strips follow; where
 * it cannot be read in place, packed. */
static void place_b(nnl_tile *t, const nnl_job *job, real *panel, int64_t k, int64_t j, bool more) {
    const nnl_operand *B = &job->B;
    if (B->transposed) {
        pack(panel, NR, (nnl_piece){B->data + j * B->ld + k, B->ld, t->K, t->n, true});
    } else if (t->n < NR) {
        pack(panel, NR, (nnl_piece){B->data + k * B->ld + j, B->ld, t->K, t->n, false});
    } else {
        t->b = B->data + k * B->ld + j;
        t->b_k = B->ld;
        t->keep = more ? panel : NULL;
        t->b_next = t->b + NR;
    }
}

/* What the consumer reads and writes beside C, where that is too much to be in L2. */
static void find_ahead(nnl_job *job, int64_t M) {
    const nnl_call *consumer = &job->team->consumer->call;
    if (M * job->ldc < FAR) return;
    for (int i = 0; i < consumer->n_in && job->n_ahead < MOST_AHEAD; i++)
        if (consumer->in[i].data && nnl_size(&consumer->in[i]) == M * job->ldc)
            job->ahead[job->n_ahead++] = consumer->in[i].data;
}

/* Of it, what the next strip will need: the tiles of a strip fetch it, each as many lines as it has
 * k. */
static void place_consumer_ahead(nnl_tile *t, const nnl_job *job, nnl_range next, int64_t tile) {
    const int64_t lines = ceil_div(length(next) * job->ldc, NNL_LINE);
    const int64_t tiles = ceil_div(lines, t->K + 1), from = tile % tiles * t->K;
    if (tile / tiles >= job->n_ahead) return;
    t->ahead = (const char *)(job->ahead[tile / tiles] + next.begin * job->ldc + from * NNL_LINE);
    t->ahead_lines = min_of(t->K, lines - from);
    t->ahead_k = FEW;
}

/* Piece `tile` of `tiles` of what of a large A comes next: the next block of k of a transposed one;
 * else the next strip, if it is read as a whole. Both are read in an order in which the processor
 * does not see their lines coming. */
static void place_a_ahead(nnl_tile *t, const nnl_job *job, nnl_range next, nnl_range k,
                          int64_t tile, int64_t tiles) {
    const nnl_operand *A = &job->A;
    const nnl_range deeper = {k.end, min_of(k.end + length(k), job->K)};
    const nnl_range which = A->transposed ? deeper : next;
    /* Only what is read to the end of each row lies together. */
    const bool together = A->transposed ? 2 * length(job->rows) > A->ld
                                        : length(k) == job->K && A->ld == job->K;
    const nnl_range part = even_share((nnl_range){which.begin * A->ld, which.end * A->ld}, NNL_LINE,
                                 tile, tiles);
    t->ahead = (const char *)(A->data + part.begin);
    t->ahead_lines = together ? ceil_div(length(part), NNL_LINE) : 0;
}

/* What tile p of strip s may fetch, of all that comes later. */
static void look_ahead(nnl_tile *t, const nnl_job *job, nnl_range next, nnl_range k, int64_t s,
                       int64_t strips, int64_t p, int64_t panels) {
    const bool turned = job->A.transposed;
    t->ahead_lines = 0;
    t->ahead_k = SOME;
    if (job->n_ahead) place_consumer_ahead(t, job, next, p);
    if (!t->ahead_lines && length(job->rows) * job->K >= LARGE)
        place_a_ahead(t, job, next, k, turned ? s * panels + p : p,
                      turned ? strips * panels : panels);
}

/* Done when a strip is complete: it is still near, and longer than the rows of a tile. */
static void activate_strip(const nnl_job *job, nnl_range rows, nnl_range columns) {
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
    int64_t strips = ceil_div(length(job->rows), MR), panels = ceil_div(length(columns), NR);
    /* Rows of B as long as a panel's lie as if packed. */
    const bool packed = job->B.ld == NR && !job->B.transposed && length(columns) == NR;
    for (int64_t s = 0; s < strips; s++) {
        nnl_range rows = even_share(job->rows, 1, s, strips);
        const nnl_range next = even_share(job->rows, 1, s + 1 < strips ? s + 1 : s, strips);
        place_a(&t, job, rows, k.begin, panels);
        for (int64_t p = 0; p < panels; p++) {
            const int64_t j = columns.begin + p * NR;
            real *panel = job->block + p * NR * t.K;
            place_c(&t, job, rows, j, min_of(columns.end - j, NR), last);
            t.b = panel;
            t.b_k = NR;
            t.keep = NULL;
            look_ahead(&t, job, next, k, s, strips, p, panels);
            if (s == 0 || packed) place_b(&t, job, panel, k.begin, j, strips > 1 && !packed);
            multiply_panel(&t);
        }
        if (last) activate_strip(job, rows, columns);
        if (last && job->early) consume_tile(job, rows.end);
    }
}

/* At most THIN_MR rows meet each element of B once: nothing is packed. */
static void multiply_few_rows(const nnl_job *job, nnl_range columns, nnl_range k) {
    const bool last = k.end == job->K;
    nnl_tile t = start_tile(job, length(k));
    t.resume = k.begin > 0;
    place_a(&t, job, job->rows, k.begin, 0);
    for (int64_t j = columns.begin; j < columns.end; j += t.n) {
        const int64_t n = thin_width((int)length(job->rows), columns.end - j);
        place_c(&t, job, job->rows, j, n, last);
        t.b = job->B.data + k.begin * job->B.ld + j;
        multiply_thin(&t);
    }
    if (last) activate_strip(job, job->rows, columns);
}

/* The same for a large B, of which each thread reads other columns in each of as many turns as
 * there are threads: always the same columns would all lie in a part of its second cache. */
static void multiply_few_rows_in_turns(const nnl_job *job, int64_t N) {
    const nnl_team *team = job->team;
    for (int turn = 0; turn < team->size; turn++) {
        if (turn) nnl_wait(team);
        const int64_t which = (team->id + turn) % team->size;
        multiply_few_rows(job, even_share((nnl_range){0, N}, NR, which, team->size),
                          even_share((nnl_range){0, job->K}, 1, turn, team->size));
    }
}

/* Fewer columns than a vector has lanes, and a transposed A: its columns lie in vectors, so that
 * the product turned round, with them for columns, is full ones. The sums are the same. */
static bool turns_round(const nnl_job *job) {
    const int64_t n = length(job->columns);
    return job->A.transposed && !job->B.transposed && 4 * n <= 3 * LANES && n <= MR && job->K;
}

static void multiply_turned(nnl_job *job) {
    real product[MR * NR];
    const nnl_operand *A = &job->A, *B = &job->B;
    const int64_t n = length(job->columns);
    const real *bias = job->epilogue ? job->epilogue->bias : NULL;
    nnl_tile t = {.form = COLUMNS, .a_k = B->ld, .b_k = A->ld,
                  .c = product, .rows = (int)n};
    for (int i = 0; i < t.rows; i++) t.c_row[i] = i * NR;
    for (int64_t m = job->rows.begin; m < job->rows.end; m += NR) {
        t.n = min_of(NR, job->rows.end - m);
        for (int64_t k = 0; k < job->K; k += t.K) {
            t.K = min_of(KC, job->K - k);
            t.resume = k > 0;
            t.a = B->data + job->columns.begin + k * B->ld;
            t.b = A->data + m + k * A->ld;
            if (t.n % LANES) {
                pack(job->block, NR, (nnl_piece){t.b, A->ld, t.K, t.n, false});
                t.b = job->block, t.b_k = NR;
            }
            multiply_panel(&t);
        }
        unpack_turned(row_of_c(job, m) + job->columns.begin, job->ldc, product, n, t.n,
                      bias ? bias + job->columns.begin : NULL);
        activate_strip(job, (nnl_range){m, m + t.n}, job->columns);
        if (job->team->consumer) consume_tile(job, m + t.n);
    }
}

static void gemm(int64_t M, int64_t N, int64_t K, nnl_operand A, nnl_operand B, real *C,
                 int64_t ldc, const nnl_epilogue *epilogue, nnl_team *team) {
    /* A consumer gets whole rows. */
    const int down = team->consumer ? team->size : threads_down(M, N, team->size);
    const int across = team->size / down;
    real *mine = (real *)team->scratch + team->id * thread_size(N, K);
    nnl_job job = {.A = A, .B = B, .C = C, .K = K, .ldc = ldc, .epilogue = epilogue,
                   .rows = even_share((nnl_range){0, M}, 1, team->id % down, down),
                   .columns = even_share((nnl_range){0, N}, NR, team->id / down, across),
                   .block = mine, .strip = mine + block_size(N, K), .team = team};
    if (M <= THIN_MR && !B.transposed && !team->consumer && N * K >= FAR) {
        job.rows = (nnl_range){0, M};
        multiply_few_rows_in_turns(&job, N);
        return;
    }
    if (length(job.rows) == 0 || length(job.columns) == 0) return;
    if (team->consumer) start_fusion(&job, M);
    /* Nothing will be read of them; but there may be no address at all. */
    if (K == 0) job.A = job.B = (nnl_operand){mine, 0, false};

    if (length(job.rows) <= THIN_MR && !B.transposed) {
        multiply_few_rows(&job, job.columns, (nnl_range){0, K});
        if (team->consumer) consume_tile(&job, job.rows.end);
        return;
    }
    if (turns_round(&job)) {
        multiply_turned(&job);
        return;
    }
    const int64_t j_blocks = ceil_div(length(job.columns), block_width(K));
    const int64_t k_blocks = K ? ceil_div(K, KC) : 1;
    job.early = team->consumer && j_blocks == 1;
    if (job.early) find_ahead(&job, M);
    for (int64_t j = 0; j < j_blocks; j++)
        for (int64_t k = 0; k < k_blocks; k++)
            multiply_block(&job, even_share(job.columns, NR, j, j_blocks),
                           even_share((nnl_range){0, K}, 1, k, k_blocks));
    if (team->consumer && !job.early) consume_tile(&job, job.rows.end);
}
