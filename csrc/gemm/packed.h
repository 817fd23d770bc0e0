/* packed.h: products with a B that is packed once and read many times, by one thread each. */
#ifndef NNL_PACKED_H
#define NNL_PACKED_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../runtime/shares.h"
#include "gemm.h"
#include "microkernel.h"
#include "pack.h"

/* A matrix [K, N] as the micro-kernel reads it: blocks of at most PACKED_KC rows, and in each of
 * them micro-panels of NR columns, the last one filled up with zeros. */
typedef struct {
    const real *data;
    int64_t K, N;
} nnl_packed;

/* A micro-panel of the block takes half of L1. */
enum { PACKED_KC = 256 };

static int64_t packed_reals(int64_t K, int64_t N) { return K * ceil_div(N, NR) * NR; }

/* Where micro-panel p of the block that begins at row k lies. */
static inline int64_t packed_at(int64_t N, int64_t k, int64_t rows, int64_t p) {
    return k * ceil_div(N, NR) * NR + p * NR * rows;
}

/* Packs some micro-panels of B [K, N]. */
static void pack_panels(real *packed, nnl_operand B, int64_t K, int64_t N, nnl_range panels) {
    for (int64_t k = 0; k < K; k += PACKED_KC) {
        const int64_t rows = min_of(PACKED_KC, K - k);
        for (int64_t p = panels.begin; p < panels.end; p++) {
            const int64_t j = p * NR, n = min_of(NR, N - j);
            const real *from = B.data + (B.transposed ? j * B.ld + k : k * B.ld + j);
            real *panel = packed + packed_at(N, k, rows, p);
            if (n < NR) memset(panel, 0, (size_t)(NR * rows) * sizeof *panel);
            pack(panel, NR, (nnl_pack_source){from, B.ld, rows, n, B.transposed});
        }
    }
}

static nnl_packed pack_all(real *packed, nnl_operand B, int64_t K, int64_t N) {
    pack_panels(packed, B, K, N, (nnl_range){0, ceil_div(N, NR)});
    return (nnl_packed){packed, K, N};
}

/* What is read next, to be prefetched into L2 meanwhile: `rows` rows of n reals, ld apart. The
 * processor does not see rows so far apart coming. */
typedef struct {
    const real *data;
    int64_t ld, rows, n;
} nnl_ahead;

/* C [rows, N] = (C if `add`, else 0) + A [rows, K] B. Rows of C are ldc apart. An element is one
 * chain of multiply-adds over k, whatever rows are beside it. K > 0, unless C is added to. Each
 * tile prefetches a row of `ahead`. */
static void multiply_packed_ahead(real *c, int64_t ldc, nnl_operand A, int64_t rows,
                                  const nnl_packed *B, bool add, nnl_ahead ahead) {
    const int64_t a_panels = ceil_div(rows, MR);
    int64_t tile = 0;
    nnl_tile t = {.a_access = A.transposed ? A_COLUMN_MAJOR : A_ROW_MAJOR,
                  .a_row = A.ld,
                  .a_k = A.ld,
                  .b_k = NR,
                  .prefetch_interval = PREFETCH_INTERVAL_SHORT};
    for (int i = 0; i < MR; i++) t.c_offset[i] = i * ldc;
    for (int64_t k = 0; k < B->K; k += PACKED_KC) {
        t.K = min_of(PACKED_KC, B->K - k);
        t.resume = add || k;
        for (int64_t j = 0; j < B->N; j += NR) {
            t.n = min_of(NR, B->N - j);
            t.b = B->data + packed_at(B->N, k, t.K, j / NR);
            for (int64_t i = 0; i < a_panels; i++, tile++) {
                const nnl_range r = even_share((nnl_range){0, rows}, 1, i, a_panels);
                t.rows = (int)length(r);
                t.a = A.data + (A.transposed ? k * A.ld + r.begin : r.begin * A.ld + k);
                t.c = c + r.begin * ldc + j;
                t.prefetch_lines = tile < ahead.rows ? ahead.n / NNL_CACHE_LINE : 0;
                if (t.prefetch_lines) t.prefetch = (const char *)(ahead.data + tile * ahead.ld);
                multiply_tile(&t);
            }
        }
    }
}

static void multiply_packed(real *c, int64_t ldc, nnl_operand A, int64_t rows, const nnl_packed *B,
                            bool add) {
    multiply_packed_ahead(c, ldc, A, rows, B, add, (nnl_ahead){0});
}

#endif
