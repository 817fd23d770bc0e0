/* elementwise.c: arithmetic on one, two or three tensors with NumPy's broadcasting. One walker finds runs of elements
 * in which every operand moves on by 0 or 1; the loops over a run are then plain and fast. */
#include "../parallel.h"
#include "../vec.h"

enum { MOST_OPERANDS = 3 };

/* How an output's elements find theirs in the operands: dimensions of size 1 left out, neighbours merged where every
 * operand allows it. In the last dimension each stride is 0 or 1. */
typedef struct {
    int ndim, operands;
    int64_t shape[NNL_MAX_NDIM], stride[MOST_OPERANDS][NNL_MAX_NDIM];
} broadcast;

/* Elements between neighbours along dimension d of the output in operand x, 0 where it is repeated. */
static int64_t operand_stride(const nnl_tensor *x, const nnl_tensor *out, int d) {
    int own = d - (out->ndim - x->ndim);
    if (own < 0 || x->shape[own] == 1) return 0;
    int64_t stride = 1;
    for (int e = own + 1; e < x->ndim; e++) stride *= x->shape[e];
    return stride;
}

static broadcast plan_broadcast(const nnl_tensor *in, int operands, const nnl_tensor *out) {
    broadcast b = {.ndim = 0, .operands = operands};
    for (int d = 0; d < out->ndim; d++) {
        if (out->shape[d] == 1) continue;
        bool merge = b.ndim > 0;
        int64_t stride[MOST_OPERANDS];
        for (int k = 0; k < operands; k++) {
            stride[k] = operand_stride(&in[k], out, d);
            if (b.ndim > 0 && b.stride[k][b.ndim - 1] != stride[k] * out->shape[d]) merge = false;
        }
        if (!merge) b.shape[b.ndim++] = 1;
        b.shape[b.ndim - 1] *= out->shape[d];
        for (int k = 0; k < operands; k++) b.stride[k][b.ndim - 1] = stride[k];
    }
    if (b.ndim == 0) b.shape[b.ndim++] = 1;
    return b;
}

/* A run: `count` elements of the output; operand k starts at `offset[k]` and moves by `step[k]`. */
typedef struct {
    int64_t count, offset[MOST_OPERANDS], step[MOST_OPERANDS];
} run_of_elements;

/* The longest run that starts at element `begin` and ends before `end`. */
static inline void find_run(run_of_elements *r, const broadcast *b, int64_t begin, int64_t end) {
    const int last = b->ndim - 1;
    int64_t rest = begin / b->shape[last], at = begin % b->shape[last];
    r->count = b->shape[last] - at < end - begin ? b->shape[last] - at : end - begin;
    for (int k = 0; k < b->operands; k++) {
        r->step[k] = b->stride[k][last];
        r->offset[k] = at * r->step[k];
    }
    for (int d = last - 1; d >= 0 && rest > 0; d--) {
        at = rest % b->shape[d];
        rest /= b->shape[d];
        for (int k = 0; k < b->operands; k++) r->offset[k] += at * b->stride[k][d];
    }
}

static void fill(real *y, real value, int64_t n) {
    for (int64_t i = 0; i < n; i++) y[i] = value;
}

/* y = f(x), elementwise. */
NNL_INLINE void unary(const nnl_call *call, const nnl_team *team, real f(real)) {
    const real *x = call->in[0].data;
    real *y = call->out[0].data;
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), NNL_LINE, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) y[i] = f(x[i]);
}

/* One run. The steps are 0 or 1 and literal where this is called, so that each call is a loop of its own. */
NNL_INLINE void binary_loop(real *y, const real *a, int a_step, const real *b, int b_step, int64_t n,
                            real f(real, real)) {
    const real first_a = *a, first_b = *b;
    NNL_INDEPENDENT
    for (int64_t i = 0; i < n; i++) y[i] = f(a_step ? a[i] : first_a, b_step ? b[i] : first_b);
}

NNL_INLINE void binary_run(real *y, const real *a, int64_t a_step, const real *b, int64_t b_step, int64_t n,
                           real f(real, real)) {
    if (a_step && b_step)
        binary_loop(y, a, 1, b, 1, n, f);
    else if (a_step)
        binary_loop(y, a, 1, b, 0, n, f);
    else if (b_step)
        binary_loop(y, a, 0, b, 1, n, f);
    else
        fill(y, f(*a, *b), n);
}

/* out = f(a, b), broadcast. */
NNL_INLINE void binary(const nnl_call *call, const nnl_team *team, real f(real, real)) {
    const real *a = call->in[0].data, *b = call->in[1].data;
    real *y = call->out[0].data;
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), NNL_LINE, team);
    const broadcast shape = plan_broadcast(call->in, 2, &call->out[0]);
    run_of_elements r;
    for (int64_t i = part.begin; i < part.end;) {
        find_run(&r, &shape, i, part.end);
        binary_run(y + i, a + r.offset[0], r.step[0], b + r.offset[1], r.step[1], r.count, f);
        i += r.count;
    }
}

NNL_INLINE real negative_of(real x) { return -x; }
NNL_INLINE real square_of(real x) { return x * x; }
NNL_INLINE real sign_of(real x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
NNL_INLINE real sum_of(real a, real b) { return a + b; }
NNL_INLINE real difference_of(real a, real b) { return a - b; }
NNL_INLINE real product_of(real a, real b) { return a * b; }
NNL_INLINE real quotient_of(real a, real b) { return a / b; }
/* NaN in either operand is the result, as in NumPy. */
NNL_INLINE real maximum_of(real a, real b) { return (a > b) | (a != a) ? a : b; }
NNL_INLINE real minimum_of(real a, real b) { return (a < b) | (a != a) ? a : b; }
NNL_INLINE real squared_difference_of(real a, real b) { return (a - b) * (a - b); }
NNL_INLINE real equal_of(real a, real b) { return a == b; }
NNL_INLINE real greater_of(real a, real b) { return a > b; }
NNL_INLINE real greater_equal_of(real a, real b) { return a >= b; }

/* y = f(x). in: x. out: y, the shape of x; they may be the same memory. */
static void op_negative(const nnl_call *call, nnl_team *team) { unary(call, team, negative_of); }
static void op_exp(const nnl_call *call, nnl_team *team) { unary(call, team, real_exp); }
static void op_log(const nnl_call *call, nnl_team *team) { unary(call, team, real_log); }
static void op_sqrt(const nnl_call *call, nnl_team *team) { unary(call, team, real_sqrt); }
static void op_square(const nnl_call *call, nnl_team *team) { unary(call, team, square_of); }
static void op_abs(const nnl_call *call, nnl_team *team) { unary(call, team, real_abs); }
/* -1, 0 or 1; NaN of NaN. */
static void op_sign(const nnl_call *call, nnl_team *team) { unary(call, team, sign_of); }

/* out = f(a, b). in: a, b. out: their shapes broadcast; an operand of that shape may be the same memory.
 * Comparisons give 1 or 0, and 0 for NaN. */
static void op_add(const nnl_call *call, nnl_team *team) { binary(call, team, sum_of); }
static void op_subtract(const nnl_call *call, nnl_team *team) { binary(call, team, difference_of); }
static void op_multiply(const nnl_call *call, nnl_team *team) { binary(call, team, product_of); }
static void op_divide(const nnl_call *call, nnl_team *team) { binary(call, team, quotient_of); }
/* By the C library's pow, which is not vectorised. */
static void op_power(const nnl_call *call, nnl_team *team) { binary(call, team, real_pow); }
static void op_maximum(const nnl_call *call, nnl_team *team) { binary(call, team, maximum_of); }
static void op_minimum(const nnl_call *call, nnl_team *team) { binary(call, team, minimum_of); }
static void op_squared_difference(const nnl_call *call, nnl_team *team) {
    binary(call, team, squared_difference_of);
}
static void op_equal(const nnl_call *call, nnl_team *team) { binary(call, team, equal_of); }
static void op_greater(const nnl_call *call, nnl_team *team) { binary(call, team, greater_of); }
static void op_greater_equal(const nnl_call *call, nnl_team *team) { binary(call, team, greater_equal_of); }

/* y = x, where x is one element (step 0) or n. */
static void copy_run(real *y, const real *x, int64_t step, int64_t n) {
    if (step == 0)
        fill(y, *x, n);
    else if (y != x)
        memcpy(y, x, (size_t)n * sizeof *y);
}

NNL_INLINE void where_loop(real *y, const real *cond, const real *a, int a_step, const real *b, int b_step,
                           int64_t n) {
    const real first_a = *a, first_b = *b;
    NNL_INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const real yes = a_step ? a[i] : first_a, no = b_step ? b[i] : first_b;
        y[i] = cond[i] != 0 ? yes : no;
    }
}

static void where_run(real *y, const real *cond, const real *a, int64_t a_step, const real *b, int64_t b_step,
                      int64_t n) {
    if (a_step && b_step)
        where_loop(y, cond, a, 1, b, 1, n);
    else if (a_step)
        where_loop(y, cond, a, 1, b, 0, n);
    else if (b_step)
        where_loop(y, cond, a, 0, b, 1, n);
    else
        where_loop(y, cond, a, 0, b, 0, n);
}

/* out = cond != 0 ? a : b, broadcast (NaN counts as true).
 * in: cond, a, b. out: their shapes broadcast; an operand of that shape may be the same memory. */
static void op_where(const nnl_call *call, nnl_team *team) {
    const real *cond = call->in[0].data, *a = call->in[1].data, *b = call->in[2].data;
    real *y = call->out[0].data;
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), NNL_LINE, team);
    const broadcast shape = plan_broadcast(call->in, 3, &call->out[0]);
    run_of_elements r;
    for (int64_t i = part.begin; i < part.end;) {
        find_run(&r, &shape, i, part.end);
        const real *c = cond + r.offset[0], *yes = a + r.offset[1], *no = b + r.offset[2];
        if (r.step[0])
            where_run(y + i, c, yes, r.step[1], no, r.step[2], r.count);
        else
            copy_run(y + i, *c != 0 ? yes : no, r.step[*c != 0 ? 1 : 2], r.count);
        i += r.count;
    }
}

/* out = x, repeated. in: x. out: a shape that x broadcasts to. */
static void op_broadcast_to(const nnl_call *call, nnl_team *team) {
    const real *x = call->in[0].data;
    real *y = call->out[0].data;
    const nnl_range part = nnl_share(nnl_size(&call->out[0]), NNL_LINE, team);
    const broadcast shape = plan_broadcast(call->in, 1, &call->out[0]);
    run_of_elements r;
    for (int64_t i = part.begin; i < part.end;) {
        find_run(&r, &shape, i, part.end);
        copy_run(y + i, x + r.offset[0], r.step[0], r.count);
        i += r.count;
    }
}

/* in: x. out: y, the shape of x. attr: 0: x is int32 and y real; 1: x is real and y int32, truncated. */
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
