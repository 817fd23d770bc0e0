/* linear.c: the ops that are one matrix product. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../gemm/blocking.h"
#include "../gemm/gemm.h"
#include "../runtime/shares.h"

/* op_linear, where w is the kernel, packed or not. */
static void multiply_rows(const nnl_call *call, nnl_operand w, nnl_team *team) {
    const nnl_tensor *y = &call->out[0];
    const int64_t K = call->in[1].shape[0], N = y->shape[y->ndim - 1];
    const int64_t M = nnl_size(y) / (N ? N : 1);
    const nnl_operand x = {call->in[0].data, K, false};
    nnl_epilogue epilogue = {.bias = call->n_in == 3 ? call->in[2].data : NULL,
                             .activation = (int)call->attr[0].i,
                             .alpha = call->attr[1].f};
    gemm(M, N, K, x, w, y->data, N, &epilogue, team);
}

/* y = act(x w + b).
 * in    x [..., K], w [K, N], optionally b [N]
 * out   y [..., N]
 * attr  kind of the activation (NNL_RELU ...), its alpha (see activate in activation.h) */
static void op_linear(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *w = &call->in[1];
    multiply_rows(call, (nnl_operand){w->data, w->shape[1], false}, team);
}

static int64_t linear_scratch(const nnl_call *call, int threads) {
    const nnl_tensor *w = &call->in[1];
    return gemm_scratch(w->shape[1], w->shape[0], threads);
}

/* The same with a kernel that pack_kernel has packed.
 * in    x [..., K], packed [K, whole panels], optionally b [N]
 * out, attr  as of linear */
static void op_linear_packed(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *w = &call->in[1];
    multiply_rows(call, (nnl_operand){w->data, NR, false}, team);
}

/* y = a b, or a^T b, a b^T, a^T b^T. May be fused as the producer of y (gemm/fusion.h); y has no
 * memory then.
 * in    a [M, K] or, transposed, [K, M]; b [K, N] or, transposed, [N, K]
 * out   y [M, N]
 * attr  1: a is transposed, 1: b is transposed */
static void op_matmul(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *a = &call->in[0], *b = &call->in[1];
    const bool ta = call->attr[0].i != 0, tb = call->attr[1].i != 0;
    const int64_t M = a->shape[ta], N = b->shape[!tb], K = a->shape[!ta];
    gemm(M, N, K, (nnl_operand){a->data, a->shape[1], ta}, (nnl_operand){b->data, b->shape[1], tb},
         call->n_out ? call->out[0].data : NULL, N, NULL, team);
}

static int64_t matmul_scratch(const nnl_call *call, int threads) {
    const nnl_tensor *a = &call->in[0], *b = &call->in[1];
    const bool ta = call->attr[0].i != 0, tb = call->attr[1].i != 0;
    const int64_t M = a->shape[ta], N = b->shape[!tb], K = a->shape[!ta];
    return gemm_scratch(N, K, threads) + (call->n_out ? 0 : gemm_fusion_scratch(M, N, K, threads));
}

/* Where matrix number i of the stack y is found in the stack x, whose leading axes broadcast to
 * those of y. */
static const real *matrix_of(const nnl_tensor *x, const nnl_tensor *y, int64_t i) {
    int64_t at = 0, step = x->shape[x->ndim - 1] * x->shape[x->ndim - 2];
    for (int d = x->ndim - 3, of_y = y->ndim - 3; d >= 0; d--, of_y--) {
        if (x->shape[d] > 1) at += i % y->shape[of_y] * step;
        i /= y->shape[of_y];
        step *= x->shape[d];
    }
    return (const real *)x->data + at;
}

/* The same for stacks of matrices. Each thread computes matrices of its own; of those that would be
 * left, all threads share each.
 * in    a [..., M, K] or, transposed, [..., K, M]; b [..., K, N] or [..., N, K]; their leading axes
 *       broadcast
 * out   y [..., M, N]
 * attr  1: each a is transposed, 1: each b is transposed */
static void op_batch_matmul(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *a = &call->in[0], *b = &call->in[1], *y = &call->out[0];
    const bool ta = call->attr[0].i != 0, tb = call->attr[1].i != 0;
    const int64_t M = y->shape[y->ndim - 2], N = y->shape[y->ndim - 1];
    const int64_t K = a->shape[a->ndim - (ta ? 2 : 1)];
    if (M == 0 || N == 0) return;
    const int64_t count = nnl_size(y) / (M * N), together = count % team->size;
    const nnl_range mine = nnl_share(count - together, 1, team);
    nnl_team alone = *team;
    alone.id = 0, alone.size = 1;
    alone.scratch = (real *)team->scratch + team->id * packing_size(N, K);
    for (int64_t i = mine.begin; i < mine.end + together; i++) {
        const bool is_mine = i < mine.end;
        const int64_t which = is_mine ? i : i - mine.end + count - together;
        gemm(M, N, K, (nnl_operand){matrix_of(a, y, which), a->shape[a->ndim - 1], ta},
             (nnl_operand){matrix_of(b, y, which), b->shape[b->ndim - 1], tb},
             (real *)y->data + which * M * N, N, NULL, is_mine ? &alone : team);
    }
}

static int64_t batch_matmul_scratch(const nnl_call *call, int threads) {
    const nnl_tensor *a = &call->in[0], *b = &call->in[1];
    const bool ta = call->attr[0].i != 0, tb = call->attr[1].i != 0;
    return gemm_scratch(b->shape[b->ndim - (tb ? 2 : 1)], a->shape[a->ndim - (ta ? 2 : 1)],
                        threads);
}
