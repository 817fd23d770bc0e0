/* pack.c: K x NR panels of B copied into the order in which the micro-kernel reads them. */
#include "gemm.h"
#include "microkernel.h"

/* B's rows lie in memory as they are wanted. They are read whole, because the processor fetches ahead best
 * along a row; each goes to all the panels. */
static void pack_rows(real *panels, nnl_operand B, int64_t k0, int64_t K, int64_t j0, int64_t N) {
    for (int64_t k = 0; k < K; k++) {
        const real *b = B.data + (k0 + k) * B.ld + j0;
        real *to = panels + k * NR;
        int64_t j = 0;
        for (; j + NR <= N; j += NR) memcpy(to + j * K, b + j, NR * sizeof *to);
        for (int64_t l = 0; l < (N - j); l += LANES)
            vec_store(to + j * K + l, vec_load_first(b + j + l, N - j - l));
    }
}

/* LANES rows of LANES elements become columns: each round of zipping the upper half of the rows into the lower
 * half doubles the distance between two elements that began as neighbours; log2(LANES) rounds turn the square. */
static inline __attribute__((always_inline)) void transpose(vec x[LANES]) {
#pragma GCC unroll 4
    for (int round = 1; round < LANES; round *= 2) {
        vec y[LANES];
#pragma GCC unroll 16
        for (int i = 0; i < LANES / 2; i++) {
            y[2 * i] = vec_zip(x[i], x[i + LANES / 2], 0);
            y[2 * i + 1] = vec_zip(x[i], x[i + LANES / 2], LANES / 2);
        }
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) x[i] = y[i];
    }
}

/* The same where B's columns are contiguous. */
static void pack_columns(real *panel, nnl_operand B, int64_t k0, int64_t K, int64_t j0, int64_t n) {
    const real *b = B.data + j0 * B.ld + k0;
    for (int64_t k = 0; k < K; k += LANES)
        for (int64_t j = 0; j < n; j += LANES) {
            vec x[LANES];
            if (K - k >= LANES && n - j >= LANES)
#pragma GCC unroll 16
                for (int l = 0; l < LANES; l++) x[l] = vec_load(b + (j + l) * B.ld + k);
            else
                for (int l = 0; l < LANES; l++)
                    x[l] = j + l < n ? vec_load_first(b + (j + l) * B.ld + k, K - k) : (vec){0};
            transpose(x);
            if (K - k >= LANES)
#pragma GCC unroll 16
                for (int l = 0; l < LANES; l++) vec_store(panel + (k + l) * NR + j, x[l]);
            else
                for (int l = 0; l < K - k; l++) vec_store(panel + (k + l) * NR + j, x[l]);
        }
}

static void pack(real *panels, nnl_operand B, int64_t k0, int64_t K, int64_t j0, int64_t N) {
    if (!B.transposed) pack_rows(panels, B, k0, K, j0, N);
    else for (int64_t j = 0; j < N; j += NR) pack_columns(panels + j * K, B, k0, K, j0 + j, N - j < NR ? N - j : NR);
}
