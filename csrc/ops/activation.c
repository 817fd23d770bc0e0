/* activation.c: the ops that call the loops of activation.h: elementwise activations, gated ones,
 * and softmax and its logarithm over the last axis. */
#include <stdint.h>

#include "../gemm/fusion.h"
#include "../math/activation.h"
#include "../math/vec.h"
#include "../runtime/shares.h"

/* y = act(x).
 * in    x
 * out   y, the shape of x, may be x
 * attr  kind (NNL_RELU ...), alpha (see activate in activation.h) */
static void op_activation(const nnl_call *call, nnl_team *team) {
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), NNL_CACHE_LINE, team);
    activate((real *)call->out[0].data + part.begin, (const real *)call->in[0].data + part.begin,
             part.end - part.begin, (int)call->attr[0].i, call->attr[1].f);
}

/* dx = dy * act'(x), computed from y = act(x). May be fused as the consumer of dy (gemm/fusion.h).
 * in    dy, y, of one shape
 * out   dx, the same shape, may be dy or y
 * attr  kind, alpha */
static void op_activation_gradient(const nnl_call *call, nnl_team *team) {
    const nnl_range part = fused_range(nnl_size(&call->out[0]), team);
    activate_gradient((real *)call->out[0].data + part.begin,
                      fused_operand(&call->in[0], team) + part.begin,
                      (const real *)call->in[1].data + part.begin, part.end - part.begin,
                      (int)call->attr[0].i, call->attr[1].f);
}

/* y = x * gate(x).
 * in    x
 * out   y, the shape of x, may be x
 * attr  gate (NNL_SILU ...) */
static void op_gated_activation(const nnl_call *call, nnl_team *team) {
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), NNL_CACHE_LINE, team);
    activate_gated((real *)call->out[0].data + part.begin,
                   (const real *)call->in[0].data + part.begin, part.end - part.begin,
                   (int)call->attr[0].i);
}

/* dx = dy * (gate(x) + x * gate'(x)).
 * in    dy, x, of one shape
 * out   dx, the same shape, may be dy or x
 * attr  gate */
static void op_gated_activation_gradient(const nnl_call *call, nnl_team *team) {
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), NNL_CACHE_LINE, team);
    activate_gated_gradient(
        (real *)call->out[0].data + part.begin, (const real *)call->in[0].data + part.begin,
        (const real *)call->in[1].data + part.begin, part.end - part.begin, (int)call->attr[0].i);
}

/* A tensor read as rows of `classes` elements, its last axis. */
typedef struct {
    int64_t rows, classes;
} row_shape;

static row_shape rows_of(const nnl_tensor *x) {
    row_shape s = {.rows = 0, .classes = x->ndim > 0 ? x->shape[x->ndim - 1] : 1};
    if (s.classes > 0) s.rows = nnl_size(x) / s.classes;
    return s;
}

/* Calls f(y, x, rows, classes) for blocks of this thread's rows. */
NNL_INLINE void softmax_like(const nnl_call *call, const nnl_team *team,
                             void f(real *, const real *, int64_t, int64_t)) {
    const real *x = call->in[0].data;
    real *y = call->out[0].data;
    const row_shape shape = rows_of(&call->in[0]);
    if (shape.rows == 0) return;
    const nnl_range part = nnl_share(shape.rows, 1, team);
    const int64_t step = rows_per_block(shape.classes);
    for (int64_t row = part.begin; row < part.end; row += step) {
        const int64_t at = row * shape.classes, count = min_of(part.end - row, step);
        f(y + at, x + at, count, shape.classes);
    }
}

/* y = e^x / sum(e^x) over the last axis.
 * in    x [..., L]
 * out   y [..., L], may be x */
static void op_softmax(const nnl_call *call, nnl_team *team) {
    softmax_like(call, team, softmax_of_rows);
}

/* y = log(softmax(x)) = x - max(x) - log(sum(e^(x - max(x)))) over the last axis.
 * in    x [..., L]
 * out   y [..., L], not x */
static void op_log_softmax(const nnl_call *call, nnl_team *team) {
    softmax_like(call, team, log_softmax_of_rows);
}

/* dx = y * (dy - sum(dy * y)) over the last axis.
 * in    dy [..., L], y = softmax(x) [..., L]
 * out   dx [..., L], may be dy or y */
static void op_softmax_gradient(const nnl_call *call, nnl_team *team) {
    const row_shape shape = rows_of(&call->in[0]);
    if (shape.rows == 0) return;
    const nnl_range part = nnl_share(shape.rows, 1, team);
    for (int64_t row = part.begin; row < part.end; row++) {
        const real *dy = (const real *)call->in[0].data + row * shape.classes;
        const real *y = (const real *)call->in[1].data + row * shape.classes;
        real *dx = (real *)call->out[0].data + row * shape.classes;
        const real weighted_sum = row_dot(dy, y, shape.classes);
        NNL_INDEPENDENT
        for (int64_t j = 0; j < shape.classes; j++) dx[j] = y[j] * (dy[j] - weighted_sum);
    }
}

/* dx = dy - e^y * sum(dy) over the last axis.
 * in    dy [..., L], y = log_softmax(x) [..., L]
 * out   dx [..., L], may be dy or y */
static void op_log_softmax_gradient(const nnl_call *call, nnl_team *team) {
    const row_shape shape = rows_of(&call->in[0]);
    if (shape.rows == 0) return;
    const nnl_range part = nnl_share(shape.rows, 1, team);
    for (int64_t row = part.begin; row < part.end; row++) {
        const real *dy = (const real *)call->in[0].data + row * shape.classes;
        const real *y = (const real *)call->in[1].data + row * shape.classes;
        real *dx = (real *)call->out[0].data + row * shape.classes;
        const real sum = row_sum(dy, shape.classes);
        NNL_INDEPENDENT
        for (int64_t j = 0; j < shape.classes; j++) dx[j] = fmadd(-real_exp(y[j]), sum, dy[j]);
    }
}
