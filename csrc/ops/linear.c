/* linear.c: the ops that are one matrix product. */
#include "../gemm/gemm.h"

/* y = act(x w + b)
 * in    x [..., K], w [K, N], b [N] (may be left out)
 * out   y [..., N]
 * attr  0 activation (see activation.h), 1 its alpha */
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
    int64_t K = w->shape[0], N = w->shape[1], M = nnl_size(&call->out[0]) / (N ? N : 1);
    return gemm_scratch(M, N, K, false, false, threads);
}

/* y = op(a) op(b), where op transposes or does nothing
 * in    a [M, K] or [K, M], b [K, N] or [N, K]
 * out   y [M, N]
 * attr  0 transpose a, 1 transpose b */
static void op_matmul(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *a = &call->in[0], *b = &call->in[1], *y = &call->out[0];
    bool ta = call->attr[0].i != 0, tb = call->attr[1].i != 0;
    gemm(y->shape[0], y->shape[1], a->shape[ta ? 0 : 1], (nnl_operand){a->data, a->shape[1], ta},
         (nnl_operand){b->data, b->shape[1], tb}, y->data, y->shape[1], NULL, team);
}

static int64_t matmul_scratch(const nnl_call *call, int threads) {
    const nnl_tensor *a = &call->in[0], *y = &call->out[0];
    bool ta = call->attr[0].i != 0, tb = call->attr[1].i != 0;
    return gemm_scratch(y->shape[0], y->shape[1], a->shape[ta ? 0 : 1], ta, tb, threads);
}
