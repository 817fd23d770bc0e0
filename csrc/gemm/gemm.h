/* gemm.h: C = act(A B + bias), the one matrix product that linear, matmul and others stand on.
 *
 * C[i,j] is one chain of fused multiply-adds over k = 0 .. K-1, starting from +0. Its bits
 * therefore depend on row i of A and column j of B alone: not on M or N, the threads, the
 * blocking, or the vector length. */
#ifndef NNL_GEMM_H
#define NNL_GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "../nnlite.h"

/* A matrix in memory: element (r, s) is data[r * ld + s], or data[s * ld + r] when transposed. */
typedef struct {
    const real *data;
    int64_t ld;
    bool transposed;
} nnl_operand;

/* What is done to a finished element: act(c + bias[j]). */
typedef struct {
    const real *bias; /* N, or NULL */
    int activation;
    double alpha;
} nnl_epilogue;

/* A [M, K], B [K, N], C [M, N] with rows ldc apart; epilogue NULL: none. All threads of the team
 * enter; C is complete only after the team's next barrier.
 * Of a product fused to a consumer (fusion.h) C is NULL and ldc is N. */
static void gemm(int64_t M, int64_t N, int64_t K, nnl_operand A, nnl_operand B, real *C,
                 int64_t ldc, const nnl_epilogue *epilogue, nnl_team *team);

/* Bytes that team->scratch (64-byte aligned) must hold for a team of up to `threads`; and how many
 * more of a product fused to a consumer. */
static int64_t gemm_scratch(int64_t N, int64_t K, int threads);
static int64_t gemm_fusion_scratch(int64_t M, int64_t N, int64_t K, int threads);

#endif
