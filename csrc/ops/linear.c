/* linear.c: the ops that are one matrix product. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../gemm/gemm.h"

/* y = act(x w + b).
 * in    x [..., K], w [K, N], optionally b [N]
 * out   y [..., N]
 * attr  kind of the activation (NNL_RELU ...), its alpha (see activate in activation.h) */
static void op_linear(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *w = &call->in[1], *y = &call->out[0];
    int64_t K = w->shape[0], N = w->shape[1], M = nnl_size(y) / (N ? N : 1);
    nnl_operand x = {call->in[0].data, K, false};
    nnl_epilogue epilogue = {.bias = call->n_in == 3 ? call->in[2].data : NULL,
                             .activation = (int)call->attr[0].i,
                             .alpha = call->attr[1].f};
    gemm(M, N, K, x, (nnl_operand){w->data, N, false}, y->data, N, &epilogue, team);
}

static int64_t linear_scratch(const nnl_call *call, int threads) {
    const nnl_tensor *w = &call->in[1];
    return gemm_scratch(w->shape[1], w->shape[0], threads);
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
