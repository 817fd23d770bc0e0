/* gemm.h: C = act(A B + bias), the matrix product that linear and matmul call.
 *
 * C[i, j] is one chain of fused multiply-adds over k = 0 ... K - 1, starting from +0. Its bits
 * therefore depend on row i of A and column j of B only. They do not depend on M or N, on the
 * number of threads, on the blocking or on the vector length. */
#ifndef NNL_GEMM_H
#define NNL_GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "../nnlite.h"

/* A matrix in memory. Element (r, s) is data[r * ld + s], or data[s * ld + r] if transposed. A B
 * that pack_kernel has packed lies in panels [K, NR], one behind the other: its ld is NR. */
typedef struct {
    const real *data;
    int64_t ld;
    bool transposed;
} nnl_operand;

/* What is done to each finished element: act(c + bias[j]). */
typedef struct {
    const real *bias; /* N, or NULL */
    int activation;
    double alpha;
} nnl_epilogue;

/* A [M, K], B [K, N], C [M, N] with rows ldc apart. `epilogue` may be NULL. All threads of the team
 * enter, and C is complete after the team's next barrier. If a consumer is fused (fusion.h), C is
 * NULL and ldc is N. */
static void gemm(int64_t M, int64_t N, int64_t K, nnl_operand A, nnl_operand B, real *C,
                 int64_t ldc, const nnl_epilogue *epilogue, nnl_team *team);

/* Bytes of team->scratch, aligned to 64, for a team of up to `threads`. The second is what a fused
 * product needs in addition. */
static int64_t gemm_scratch(int64_t N, int64_t K, int threads);
static int64_t gemm_fusion_scratch(int64_t M, int64_t N, int64_t K, int threads);

#endif
