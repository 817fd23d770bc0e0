/* engine.c: the library for one instruction set and one precision, as a single translation unit.
 * Everything in it is static, except the nnl_engine at the end. The build defines NNL_ISA and
 * NNL_REAL. */
#include "nnlite.h"

#include "gemm/gemm.c"
#include "ops/linear.c"
#include "ops/attention.c"
#include "ops/reduce.c"
#include "ops/conv/forward.c"
#include "ops/conv/winograd.c"
#include "ops/conv/gradient_input.c"
#include "ops/conv/gradient_kernel.c"
#include "ops/conv/winograd_gradient_kernel.c"
#include "ops/conv/depthwise.c"
#include "ops/conv/chain.c"
#include "ops/elementwise.c"
#include "ops/activation.c"
#include "ops/shape.c"
#include "ops/slicing.c"
#include "ops/windows.c"
#include "ops/loss.c"
#include "ops/ctc.c"
#include "ops/metric.c"
#include "ops/order.c"
#include "ops/dropout.c"
#include "ops/pool.c"
#include "ops/norm.c"
#include "ops/recurrent/lstm.c"
#include "ops/recurrent/gru.c"
#include "ops/recurrent/simple_rnn.c"
#include "ops/image.c"
#include "ops/warp.c"
#include "ops/numeric_encoding.c"
#include "ops/optimizer.c"
#include "runtime/plan.c"

static int64_t no_scratch(const nnl_call *call, int threads) {
    (void)call, (void)threads;
    return 0;
}

#define NNL_OP(name, n_in, n_out, scratch) #name,
static const char *const names[] = {
#include "op_list.h"
};
#undef NNL_OP
#define NNL_OP(name, n_in, n_out, scratch) op_##name,
static const nnl_op_fn ops[] = {
#include "op_list.h"
};
#undef NNL_OP
#define NNL_OP(name, n_in, n_out, scratch) scratch,
static const nnl_scratch_fn scratches[] = {
#include "op_list.h"
};
#undef NNL_OP
#define NNL_OP(name, n_in, n_out, scratch) {n_in, n_out},
static const nnl_arity arities[] = {
#include "op_list.h"
};
#undef NNL_OP

#define NNL_TEXT_(x) #x
#define NNL_TEXT(x) NNL_TEXT_(x)
#define NNL_NAME_(isa, real) nnl_engine_##isa##_##real
#define NNL_NAME(isa, real) NNL_NAME_(isa, real)

const nnl_engine NNL_NAME(NNL_ISA, NNL_REAL) = {
    .isa = NNL_TEXT(NNL_ISA),
    .real_size = sizeof(real),
    .panel = NR,
    .n_ops = sizeof ops / sizeof *ops,
    .names = names,
    .ops = ops,
    .scratch = scratches,
    .arities = arities,
    .run = run,
};
