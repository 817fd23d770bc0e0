/* gemm.c: each thread multiplies its own rectangle of C, block by block, and packs for itself. */
#include "gemm.h"
#include "microkernel.h"
#include "pack.c"

#ifndef KC_
#define KC_ 512
#endif
#ifndef NC_
#define NC_ NR
#endif
#ifndef MC_
#define MC_ 560
#endif
#ifndef INP_
#define INP_ MR
#endif
enum { KC = KC_, NC = NC_, MC = MC_ };
enum { IN_PLACE_ROWS = INP_ };

static int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }

/* Reals of scratch that one thread needs. */
static int64_t block_size(int64_t N, int64_t K) {
    return min_of((N + NR - 1) / NR * NR, NC) * (min_of(K, KC) + 1);
}

static int64_t gemm_scratch(int64_t M, int64_t N, int64_t K, bool a_transposed, bool b_transposed,
                            int threads) {
    (void)M, (void)a_transposed, (void)b_transposed;
    return block_size(N, K) * threads * (int64_t)sizeof(real);
}

/* A rectangle of C. */
typedef struct {
    nnl_range rows, columns;
} nnl_part;

static nnl_part part_of(int64_t M, int64_t N, const nnl_team *team) {
    enum { PACKING = 6 };
    int64_t panels = (N + NR - 1) / NR, least = INT64_MAX;
    int down = 1;
    for (int d = 1; d <= team->size; d++) {
        if (team->size % d) continue;
        int64_t rows = (M + d - 1) / d, across = team->size / d;
        int64_t cost = (panels + across - 1) / across * (rows + PACKING) + rows / 2;
        if (cost < least) least = cost, down = d;
    }
    nnl_team by_rows = {.id = team->id % down, .size = down};
    nnl_team by_columns = {.id = team->id / down, .size = team->size / down};
    return (nnl_part){nnl_share(M, 1, &by_rows), nnl_share(N, NR, &by_columns)};
}

/* `rows` rows of the tile t, in tiles of nearly equal height. */
static void multiply(void (*kernel)(int, const nnl_tile *), int64_t rows, nnl_tile t) {
    int64_t tiles = (rows + MR - 1) / MR;
    const real *a = t.a;
    real *c = t.c;
    for (int64_t i = 0; i < tiles; i++) {
        int64_t begin = rows * i / tiles, end = rows * (i + 1) / tiles;
        t.a = a + begin * t.a_row;
        t.c = c + begin * t.ldc;
        if (tiles == 1) t.packed = NULL;
        kernel((int)(end - begin), &t);
        if (t.packed) t.b = t.packed, t.b_k = NR, t.packed = NULL;
    }
}

static void gemm(int64_t M, int64_t N, int64_t K, nnl_operand A, nnl_operand B, real *C, int64_t ldc,
                 const nnl_epilogue *epilogue, nnl_team *team) {
    nnl_part part = part_of(M, N, team);
    if (part.rows.begin == part.rows.end) return;
    real *block = (real *)team->scratch + team->id * block_size(N, K);
    /* Nothing is read of them then, and the address may not even exist. */
    if (K == 0) A = B = (nnl_operand){block, 0, false};
    int64_t kblocks = (K + KC - 1) / KC; if (!kblocks) kblocks = 1;

    nnl_tile t = {.ldc = ldc, .a_row = A.transposed ? 1 : A.ld, .a_k = A.transposed ? A.ld : 1};
    int64_t all = part.rows.end - part.rows.begin;
    for (int64_t i = part.rows.begin; i < part.rows.end; i += MC) {
        int64_t rows = min_of(part.rows.end - i, MC);
        for (int64_t q = 0; q < kblocks; q++) {
            int64_t k = K * q / kblocks;
            t.K = K * (q + 1) / kblocks - k;
            t.resume = k > 0;
            t.epilogue = q + 1 == kblocks ? epilogue : NULL;
            t.a = A.data + i * t.a_row + k * t.a_k;
            for (int64_t j = part.columns.begin; j < part.columns.end; j += t.n) {
                t.n = min_of(part.columns.end - j, NR);
                t.c = C + i * ldc + j;
                t.bias = t.epilogue && epilogue->bias ? epilogue->bias + j : NULL;
                t.b = B.data + k * B.ld + j;
                t.b_k = B.ld;
                t.packed = block;
                if (all <= THIN_MR && part.columns.end - j >= THIN_NR && !B.transposed) {
                    t.n = THIN_NR;
                    t.packed = NULL;
                    multiply(tilethin, rows, t);
                    continue;
                }
                if (B.transposed || t.n < NR) {
                    pack(block, B, k, t.K, j, t.n);
                    t.b = block, t.b_k = NR, t.packed = NULL;
                }
                multiply(t.n > LANES ? tile2 : tile1, rows, t);
            }
        }
    }
}
