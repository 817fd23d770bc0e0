/* elementwise.c: arithmetic on one, two or three tensors with NumPy's broadcasting. A walk cuts the
 * output into runs in which the stride of each operand is 0 or 1, so the loop over a run is
 * vectorised. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/circular.h"
#include "../math/vec.h"
#include "../runtime/shares.h"

enum { MAX_OPERANDS = 3, SINES_AT_ONCE = 256 };

/* A walk through the output, run by run. The current run has `count` elements, beginning with
 * element `at`. In operand k it begins at offset[k] and has stride step[k].
 *
 * The dimensions are those of the output without dimensions of size 1. Two neighbours are merged
 * into one if that is possible in every operand. In the last dimension each stride is then 0 or 1,
 * and a run is a part of it. `stride` and `index` are those of the dimensions; `end` is where the
 * walk ends. */
typedef struct {
    int64_t at, count, end, offset[MAX_OPERANDS], step[MAX_OPERANDS];
    int ndim;
    int64_t shape[NNL_MAX_NDIM], index[NNL_MAX_NDIM], stride[NNL_MAX_NDIM][MAX_OPERANDS];
} broadcast_walk;

/* The stride of operand x along dimension d of the output: 0 where x is repeated. */
static int64_t operand_stride(const nnl_tensor *x, const nnl_tensor *out, int d) {
    int x_d = d - (out->ndim - x->ndim);
    if (x_d < 0 || x->shape[x_d] == 1) return 0;
    int64_t stride = 1;
    for (int e = x_d + 1; e < x->ndim; e++) stride *= x->shape[e];
    return stride;
}

static void merge_dimensions(broadcast_walk *w, const nnl_tensor *in, int operands,
                             const nnl_tensor *out) {
    for (int d = 0; d < out->ndim; d++) {
        if (out->shape[d] == 1) continue;
        int64_t stride[MAX_OPERANDS] = {0};
        bool merge = w->ndim > 0;
        for (int k = 0; k < operands; k++) {
            stride[k] = operand_stride(&in[k], out, d);
            if (w->ndim > 0 && w->stride[w->ndim - 1][k] != stride[k] * out->shape[d])
                merge = false;
        }
        if (!merge) w->shape[w->ndim++] = 1;
        w->shape[w->ndim - 1] *= out->shape[d];
        memcpy(w->stride[w->ndim - 1], stride, sizeof stride);
    }
    if (w->ndim == 0) w->shape[w->ndim++] = 1;
}

/* Begins a walk at the first run of `part`. It is not inlined, nor is next_run: all ops share one
 * copy. */
static __attribute__((noinline)) void begin_walk(broadcast_walk *w, const nnl_tensor *in,
                                                 int operands, const nnl_tensor *out,
                                                 nnl_range part) {
    *w = (broadcast_walk){.at = part.begin, .end = part.end};
    if (part.begin >= part.end) return;
    merge_dimensions(w, in, operands, out);
    const int last = w->ndim - 1;
    int64_t rest = part.begin;
    for (int d = last; d >= 0; d--) {
        w->index[d] = rest % w->shape[d];
        rest /= w->shape[d];
        for (int k = 0; k < operands; k++) w->offset[k] += w->index[d] * w->stride[d][k];
    }
    memcpy(w->step, w->stride[last], sizeof w->step);
    const int64_t left = w->shape[last] - w->index[last];
    w->count = min_of(left, length(part));
}

/* Moves to the next run. After the last one, count is 0. */
static __attribute__((noinline)) void next_run(broadcast_walk *w) {
    int d = w->ndim - 1;
    w->at += w->count;
    for (int k = 0; k < MAX_OPERANDS; k++) w->offset[k] -= w->index[d] * w->stride[d][k];
    w->index[d] = 0;
    w->count = w->shape[d] < w->end - w->at ? w->shape[d] : w->end - w->at;
    if (w->count == 0) return;
    while (--d >= 0) {
        for (int k = 0; k < MAX_OPERANDS; k++) w->offset[k] += w->stride[d][k];
        if (++w->index[d] < w->shape[d]) return;
        for (int k = 0; k < MAX_OPERANDS; k++) w->offset[k] -= w->shape[d] * w->stride[d][k];
        w->index[d] = 0;
    }
}

static void fill(real *y, real value, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = value;
}

/* y = f(x), elementwise. */
NNL_INLINE void unary(const nnl_call *call, const nnl_team *team, real f(real)) {
    const real *x = call->in[0].data;
    real *y = call->out[0].data;
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), NNL_CACHE_LINE, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) y[i] = f(x[i]);
}

/* One run. The steps are constants, 0 or 1, wherever this is called, so each call is compiled to a
 * loop without tests. */
NNL_INLINE void binary_loop(real *y, const real *a, int a_step, const real *b, int b_step,
                            int64_t n, real f(real, real)) {
    const real first_a = *a, first_b = *b;
    NNL_INDEPENDENT
    for (int64_t i = 0; i < n; i++) y[i] = f(a_step ? a[i] : first_a, b_step ? b[i] : first_b);
}

NNL_INLINE void binary_run(real *y, const real *a, int64_t a_step, const real *b, int64_t b_step,
                           int64_t n, real f(real, real)) {
    if (a_step && b_step)
        binary_loop(y, a, 1, b, 1, n, f);
    else if (a_step)
        binary_loop(y, a, 1, b, 0, n, f);
    else if (b_step)
        binary_loop(y, a, 0, b, 1, n, f);
    else
        fill(y, f(*a, *b), n);
}

/* y = f(a, b), broadcast. */
NNL_INLINE void binary(const nnl_call *call, const nnl_team *team, real f(real, real)) {
    const real *a = call->in[0].data, *b = call->in[1].data;
    real *y = call->out[0].data;
    broadcast_walk w;
    begin_walk(&w, call->in, 2, &call->out[0],
               nnl_share(nnl_size(&call->out[0]), NNL_CACHE_LINE, team));
    for (; w.count > 0; next_run(&w))
        binary_run(y + w.at, a + w.offset[0], w.step[0], b + w.offset[1], w.step[1], w.count, f);
}

NNL_INLINE real negative_of(real x) { return -x; }
NNL_INLINE real square_of(real x) { return x * x; }
NNL_INLINE real floor_of(real x) {
    return REAL_IS_FLOAT ? __builtin_floorf((float)x) : __builtin_floor(x);
}
NNL_INLINE real expm1_of(real x) {
    return REAL_IS_FLOAT ? __builtin_expm1f((float)x) : __builtin_expm1(x);
}
NNL_INLINE real log1p_of(real x) {
    return REAL_IS_FLOAT ? __builtin_log1pf((float)x) : __builtin_log1p(x);
}
NNL_INLINE real erf_of(real x) {
    return REAL_IS_FLOAT ? __builtin_erff((float)x) : __builtin_erf(x);
}
NNL_INLINE real difference_of(real a, real b) { return a - b; }
NNL_INLINE real product_of(real a, real b) { return a * b; }
NNL_INLINE real quotient_of(real a, real b) { return a / b; }
NNL_INLINE real squared_difference_of(real a, real b) { return (a - b) * (a - b); }
NNL_INLINE real equal_of(real a, real b) { return a == b; }
NNL_INLINE real greater_of(real a, real b) { return a > b; }
NNL_INLINE real greater_equal_of(real a, real b) { return a >= b; }

/* y = f(x).
 * in    x
 * out   y, the shape of x, may be x */
static void op_negative(const nnl_call *call, nnl_team *team) { unary(call, team, negative_of); }
static void op_exp(const nnl_call *call, nnl_team *team) { unary(call, team, real_exp); }
static void op_log(const nnl_call *call, nnl_team *team) { unary(call, team, real_log); }
/* These call the C library, as power below, and are not vectorised. */
static void op_expm1(const nnl_call *call, nnl_team *team) { unary(call, team, expm1_of); }
static void op_log1p(const nnl_call *call, nnl_team *team) { unary(call, team, log1p_of); }
static void op_erf(const nnl_call *call, nnl_team *team) { unary(call, team, erf_of); }
static void op_sqrt(const nnl_call *call, nnl_team *team) { unary(call, team, real_sqrt); }
static void op_square(const nnl_call *call, nnl_team *team) { unary(call, team, square_of); }
static void op_abs(const nnl_call *call, nnl_team *team) { unary(call, team, real_abs); }
/* -1, 0 or 1, or NaN if x is NaN. */
static void op_sign(const nnl_call *call, nnl_team *team) { unary(call, team, sign_of); }
static void op_floor(const nnl_call *call, nnl_team *team) { unary(call, team, floor_of); }

/* y = sin(x + quarters pi / 2), a block at a time: one number far from 0 slows down its block. */
NNL_INLINE void circular(const nnl_call *call, const nnl_team *team, int quarters) {
    const real *x = call->in[0].data;
    real *y = call->out[0].data;
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), NNL_CACHE_LINE, team);
    for (int64_t i = part.begin; i < part.end; i += SINES_AT_ONCE)
        sines(y + i, x + i, min_of(part.end - i, SINES_AT_ONCE), quarters);
}

static void op_cos(const nnl_call *call, nnl_team *team) { circular(call, team, 1); }
static void op_sin(const nnl_call *call, nnl_team *team) { circular(call, team, 0); }

/* y = f(a, b), broadcast. A comparison gives 1 or 0, and 0 if an operand is NaN.
 * in    a, b
 * out   y, the shape to which a and b broadcast, may be an input of that shape */
static void op_add(const nnl_call *call, nnl_team *team) { binary(call, team, sum_of); }
static void op_subtract(const nnl_call *call, nnl_team *team) { binary(call, team, difference_of); }
static void op_multiply(const nnl_call *call, nnl_team *team) { binary(call, team, product_of); }
static void op_divide(const nnl_call *call, nnl_team *team) { binary(call, team, quotient_of); }
/* power calls the C library and is not vectorised. */
static void op_power(const nnl_call *call, nnl_team *team) { binary(call, team, real_pow); }
static void op_maximum(const nnl_call *call, nnl_team *team) { binary(call, team, maximum_of); }
static void op_minimum(const nnl_call *call, nnl_team *team) { binary(call, team, minimum_of); }
static void op_squared_difference(const nnl_call *call, nnl_team *team) {
    binary(call, team, squared_difference_of);
}
static void op_equal(const nnl_call *call, nnl_team *team) { binary(call, team, equal_of); }
static void op_greater(const nnl_call *call, nnl_team *team) { binary(call, team, greater_of); }
static void op_greater_equal(const nnl_call *call, nnl_team *team) {
    binary(call, team, greater_equal_of);
}

/* y = x, where x has one element (step 0) or n. */
static void copy_run(real *y, const real *x, int64_t step, int64_t n) {
    if (step == 0)
        fill(y, *x, n);
    else if (y != x)
        memcpy(y, x, (size_t)n * sizeof *y);
}

NNL_INLINE void where_loop(real *y, const real *cond, const real *a, int a_step, const real *b,
                           int b_step, int64_t n) {
    const real first_a = *a, first_b = *b;
    NNL_INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const real yes = a_step ? a[i] : first_a, no = b_step ? b[i] : first_b;
        y[i] = cond[i] != 0 ? yes : no;
    }
}

static void where_run(real *y, const real *cond, const real *a, int64_t a_step, const real *b,
                      int64_t b_step, int64_t n) {
    if (a_step && b_step)
        where_loop(y, cond, a, 1, b, 1, n);
    else if (a_step)
        where_loop(y, cond, a, 1, b, 0, n);
    else if (b_step)
        where_loop(y, cond, a, 0, b, 1, n);
    else
        where_loop(y, cond, a, 0, b, 0, n);
}

/* y = cond != 0 ? a : b, broadcast. So NaN is true.
 * in    cond, a, b
 * out   y, the shape to which all three broadcast, may be an input of that shape */
static void op_where(const nnl_call *call, nnl_team *team) {
    real *y = call->out[0].data;
    broadcast_walk w;
    begin_walk(&w, call->in, 3, &call->out[0],
               nnl_share(nnl_size(&call->out[0]), NNL_CACHE_LINE, team));
    for (; w.count > 0; next_run(&w)) {
        const real *cond = (const real *)call->in[0].data + w.offset[0];
        const real *a = (const real *)call->in[1].data + w.offset[1];
        const real *b = (const real *)call->in[2].data + w.offset[2];
        if (w.step[0])
            where_run(y + w.at, cond, a, w.step[1], b, w.step[2], w.count);
        else if (*cond != 0)
            copy_run(y + w.at, a, w.step[1], w.count);
        else
            copy_run(y + w.at, b, w.step[2], w.count);
    }
}

/* y = x, repeated along the dimensions where x has size 1 or none.
 * in    x
 * out   y, a shape to which x broadcasts, may be x if x has that shape */
static void op_broadcast_to(const nnl_call *call, nnl_team *team) {
    const real *x = call->in[0].data;
    real *y = call->out[0].data;
    broadcast_walk w;
    begin_walk(&w, call->in, 1, &call->out[0],
               nnl_share(nnl_size(&call->out[0]), NNL_CACHE_LINE, team));
    for (; w.count > 0; next_run(&w)) copy_run(y + w.at, x + w.offset[0], w.step[0], w.count);
}

/* y = x in the other type. A real is truncated towards 0.
 * in    x, int32 or real
 * out   y, the shape of x, real or int32
 * attr  0: from int32 to real, 1: from real to int32 */
static void op_cast(const nnl_call *call, nnl_team *team) {
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), 16, team);
    if (call->attr[0].i == 0) {
        const int32_t *x = call->in[0].data;
        real *y = call->out[0].data;
        for (int64_t i = part.begin; i < part.end; i++) y[i] = (real)x[i];
    } else {
        const real *x = call->in[0].data;
        int32_t *y = call->out[0].data;
        for (int64_t i = part.begin; i < part.end; i++) y[i] = int32_of(x[i]);
    }
}

/* target = x.
 * in    target, written; x, the same shape; both real
 * out   none, or the memory of target */
static void op_assign(const nnl_call *call, nnl_team *team) {
    const nnl_range part = nnl_share(nnl_size(&call->in[0]), NNL_CACHE_LINE, team);
    real *target = call->in[0].data;
    const real *x = call->in[1].data;
    if (target != x)
        memcpy(target + part.begin, x + part.begin, (size_t)(part.end - part.begin) * sizeof *x);
}

/* target = keep target + sign x, in whole numbers that wrap around at 32 bits.
 * in    target, written; x, the same shape or one element; both int32
 * out   none
 * attr  keep (0 or 1), sign (1 or -1) */
static void op_assign_integers(const nnl_call *call, nnl_team *team) {
    const nnl_range part = nnl_share(nnl_size(&call->in[0]), NNL_CACHE_LINE, team);
    uint32_t *target = call->in[0].data;
    const uint32_t *x = call->in[1].data;
    const uint32_t keep = (uint32_t)call->attr[0].i, sign = (uint32_t)call->attr[1].i;
    const int64_t stride = nnl_size(&call->in[1]) > 1;
    for (int64_t i = part.begin; i < part.end; i++)
        target[i] = keep * target[i] + sign * x[i * stride];
}
