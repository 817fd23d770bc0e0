/* slicing.c: slice, its gradient, concatenate. The first two copy bytes, so they serve real and
 * int32 tensors. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/vec.h"
#include "../runtime/shares.h"

/* A part of a tensor: along each dimension `size` entries, beginning with `begin`, `step` apart.
 *
 * Trailing dimensions that are in the part as a whole form one contiguous row, together with the
 * dimension before them if its step is 1. A row of the part has `row` bytes. It begins row_begin
 * bytes into a row of the whole tensor, which has whole_row bytes. The arrays describe the other
 * dimensions. */
typedef struct {
    int ndim; /* dimensions that are not in the row */
    int64_t whole[NNL_MAX_NDIM], begin[NNL_MAX_NDIM], step[NNL_MAX_NDIM], size[NNL_MAX_NDIM];
    int64_t whole_row, row_begin, row;
} box;

static box plan_box(const nnl_tensor *whole, const nnl_tensor *part, const nnl_attr *attr) {
    const nnl_attr *begin = attr + 1, *step = begin + NNL_MAX_NDIM;
    box p = {.ndim = whole->ndim, .row = attr[0].i ? 4 : sizeof(real), .row_begin = 0};
    while (p.ndim > 0 && part->shape[p.ndim - 1] == whole->shape[p.ndim - 1] &&
           step[p.ndim - 1].i == 1)
        p.row *= whole->shape[--p.ndim];
    p.whole_row = p.row;
    if (p.ndim > 0 && step[p.ndim - 1].i == 1) {
        p.ndim--;
        p.whole_row = p.row * whole->shape[p.ndim];
        p.row_begin = p.row * begin[p.ndim].i;
        p.row *= part->shape[p.ndim];
    }
    for (int d = 0; d < p.ndim; d++) {
        p.whole[d] = whole->shape[d];
        p.size[d] = part->shape[d];
        p.begin[d] = begin[d].i;
        p.step[d] = step[d].i;
    }
    return p;
}

static int64_t product(const int64_t *shape, int ndim) {
    int64_t n = 1;
    for (int d = 0; d < ndim; d++) n *= shape[d];
    return n;
}

/* The number of the row of the whole tensor that is row `at` of the part. */
static int64_t whole_row_of(const box *p, int64_t at) {
    int64_t row = 0, stride = 1;
    for (int d = p->ndim - 1; d >= 0; d--) {
        row += (p->begin[d] + at % p->size[d] * p->step[d]) * stride;
        at /= p->size[d];
        stride *= p->whole[d];
    }
    return row;
}

/* The number of the row of the part that is row `at` of the whole tensor, or -1. */
static int64_t part_row_of(const box *p, int64_t at) {
    int64_t row = 0, stride = 1;
    for (int d = p->ndim - 1; d >= 0; d--) {
        const int64_t from = at % p->whole[d] - p->begin[d], place = from / p->step[d];
        if (from % p->step[d] || place < 0 || place >= p->size[d]) return -1;
        row += place * stride;
        stride *= p->size[d];
        at /= p->whole[d];
    }
    return row;
}

/* y[i, j, ...] = x[begin[0] + i step[0], begin[1] + j step[1], ...].
 * in    x, real or int32
 * out   y, as many dimensions, the type of x
 * attr  0: real or 1: int32, begin of NNL_MAX_NDIM dimensions, step (not 0) of NNL_MAX_NDIM
 *       dimensions */
static void op_slice(const nnl_call *call, nnl_team *team) {
    if (nnl_size(&call->out[0]) == 0) return;
    const box p = plan_box(&call->in[0], &call->out[0], call->attr);
    const char *x = call->in[0].data;
    char *y = call->out[0].data;
    const nnl_range rows = nnl_share(product(p.size, p.ndim), 1, team);
    for (int64_t r = rows.begin; r < rows.end; r++)
        memcpy(y + r * p.row, x + whole_row_of(&p, r) * p.whole_row + p.row_begin, (size_t)p.row);
}

/* dx = dy in the part that slice reads, 0 elsewhere.
 * in    dy, the shape of slice's y
 * out   dx, the shape of slice's x
 * attr  as slice */
static void op_slice_gradient(const nnl_call *call, nnl_team *team) {
    const box p = plan_box(&call->out[0], &call->in[0], call->attr);
    const char *dy = call->in[0].data;
    char *dx = call->out[0].data;
    const bool nothing = nnl_size(&call->in[0]) == 0;
    const nnl_range rows = nnl_share(product(p.whole, p.ndim), 1, team);
    for (int64_t r = rows.begin; r < rows.end; r++) {
        char *to = dx + r * p.whole_row;
        const int64_t from = nothing ? -1 : part_row_of(&p, r);
        if (from < 0) {
            memset(to, 0, (size_t)p.whole_row);
            continue;
        }
        memset(to, 0, (size_t)p.row_begin);
        memcpy(to + p.row_begin, dy + from * p.row, (size_t)p.row);
        memset(to + p.row_begin + p.row, 0, (size_t)(p.whole_row - p.row_begin - p.row));
    }
}

/* y = the inputs joined along an axis.
 * in    one or more real tensors, whose shapes are equal except along the axis
 * out   y, along the axis as large as all inputs together
 * attr  axis */
static void op_concatenate(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *y = &call->out[0];
    const int axis = (int)call->attr[0].i;
    const int64_t rows = product(y->shape, axis), y_row = product(y->shape + axis, y->ndim - axis);
    const nnl_range part = nnl_share(rows, 1, team);
    int64_t at = 0;
    for (int k = 0; k < call->n_in; k++) {
        const nnl_tensor *x = &call->in[k];
        const int64_t row = product(x->shape + axis, x->ndim - axis);
        if (row)
            for (int64_t r = part.begin; r < part.end; r++)
                memcpy((real *)y->data + r * y_row + at, (const real *)x->data + r * row,
                       (size_t)row * sizeof(real));
        at += row;
    }
}
