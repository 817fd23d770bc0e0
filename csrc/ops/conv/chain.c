/* chain.c: up to three convolutions as one op: of single pixels (`widen`), depthwise, and again of
 * single pixels (`narrow`). A thread computes some rows of y at a time: first the rows of the
 * widened images that are under them, then the depthwise rows, then y. So what lies between stays
 * in L2, and never reaches memory. Each element is computed as by three ops: the bits are theirs.
 * Letters and terms as in geometry.h and depthwise.h. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/gemm.h"
#include "../../gemm/microkernel.h"
#include "../../gemm/prefetch.h"
#include "../../math/activation.h"
#include "../../runtime/shares.h"
#include "depthwise.h"
#include "folded.h"
#include "geometry.h"

/* Reals of the rows between two of the convolutions, which takes an eighth of an L2 of 2 MB. */
enum { BETWEEN = 1 << 16 };

/* A convolution of single pixels, from C to F channels, if the chain has it. Its kernel is packed
 * as for conv2d_packed. */
typedef struct {
    bool is_there;
    const real *kernel;
    nnl_epilogue epilogue;
    int64_t C, F;
} nnl_point;

/* That of the inputs begin ... end - 1. attr: kind and alpha of the activation */
static nnl_point point_of(const nnl_call *call, int64_t begin, int64_t end, const nnl_attr *attr,
                          int64_t C, int64_t F) {
    return (nnl_point){.is_there = begin < end,
                       .kernel = begin < end ? call->in[begin].data : NULL,
                       .epilogue = {.bias = begin + 1 < end ? call->in[begin + 1].data : NULL,
                                    .activation = (int)attr[0].i,
                                    .alpha = attr[1].f},
                       .C = C,
                       .F = F};
}

static void convolve_pixels(const nnl_point *p, const real *x, int64_t pixels, real *y,
                            nnl_prefetch *prefetch) {
    const nnl_epilogue *e = &p->epilogue;
    nnl_tile t = {.a_access = A_ROW_MAJOR,
                  .a_row = p->C,
                  .K = p->C,
                  .b_k = NR,
                  .clamp = clamp_of(e->activation, e->alpha)};
    for (int i = 0; i < MR; i++) t.c_offset[i] = i * p->F;
    for (int64_t i = 0; i < pixels; i += t.rows) {
        real *to = y + i * p->F;
        t.rows = (int)min_of(MR, pixels - i);
        t.a = x + i * p->C;
        for (int64_t f = 0; f < p->F; f += NR) {
            t.b = p->kernel + f * p->C;
            t.c = to + f;
            t.n = min_of(NR, p->F - f);
            t.bias = e->bias ? e->bias + f : NULL;
            prefetch_some(prefetch, &t, PREFETCH_INTERVAL_LONG);
            multiply_tile(&t);
        }
        if (!t.clamp.is_done) activate_rows(to, t.rows, p->F, p->F, e);
    }
}

typedef struct {
    nnl_point widen, narrow;
    nnl_depthwise d; /* of the widened images, or of x */
    nnl_call depthwise;
    nnl_epilogue epilogue;        /* of the depthwise convolution, but for its bias */
    int64_t rows;                 /* of y at a time, at most */
    int64_t kernel, bias;         /* reals of the depthwise kernel, and of its bias */
    int64_t widened, depthwise_y; /* reals of the rows that a thread keeps */
} nnl_chain;

static nnl_chain chain_of(const nnl_call *call) {
    const nnl_attr *a = call->attr;
    const int64_t *x = call->in[0].shape, first = a[12].i, last = a[13].i;
    const nnl_tensor *w = &call->in[first], *y = &call->out[0];
    const int64_t C = w->shape[2], channels = C * w->shape[3];
    const nnl_tensor widened = {.shape = {x[0], x[1], x[2], C}, .ndim = 4};
    nnl_chain o = {.widen = point_of(call, 1, first, a, x[3], C),
                   .narrow = point_of(call, last, call->n_in, a + 10, channels, y->shape[3]),
                   .d = depthwise_of(&widened, w, y, a + 4),
                   .depthwise = {.in = call->in + first - 1, .n_in = (int)(last - first) + 1},
                   .epilogue = {.activation = (int)a[2].i, .alpha = a[3].f},
                   .kernel = transposed_size(w),
                   .bias = lines(channels)};
    const nnl_depthwise *d = &o.d;
    const int64_t row = d->OW * channels, widened_row = o.widen.is_there ? d->W * C : 0;
    const int64_t fit = BETWEEN / max_of(max_of(row, d->stride_h * widened_row), 1);
    o.rows = min_of(max_of(fit < STRIP_ROWS ? fit : fit / STRIP_ROWS * STRIP_ROWS, 1), d->OH);
    const int64_t under = (o.rows - 1) * d->stride_h + (d->KH - 1) * d->dilation_h + 1;
    o.widened = lines(min_of(under, d->H) * widened_row);
    o.depthwise_y = o.narrow.is_there ? lines(o.rows * row) : 0;
    return o;
}

/* The rows of an image that are under some rows of windows. */
static nnl_range rows_under(const nnl_depthwise *d, nnl_range rows) {
    const int64_t begin = rows.begin * d->stride_h - d->top;
    const int64_t end = (rows.end - 1) * d->stride_h - d->top + (d->KH - 1) * d->dilation_h + 1;
    const int64_t first = min_of(max_of(begin, 0), d->H);
    return (nnl_range){first, max_of(min_of(end, d->H), first)};
}

/* Some rows of the depthwise result of an image, of which x holds the rows `under` them. */
static void depthwise_part(const nnl_depthwise *d, const real *x, nnl_range under, const real *w,
                           const nnl_epilogue *epilogue, real *y, nnl_range rows) {
    nnl_depthwise part = *d;
    part.H = length(under);
    part.OH = length(rows);
    part.top = d->top + under.begin - rows.begin * d->stride_h;
    depthwise_rows(&part, x, w, epilogue, y, (nnl_range){0, part.OH});
}

/* y = narrow(depthwise(widen(x))), where narrow or widen may be missing.
 * in    x [N, H, W, C0]; of `widen`, if there is one, packed and b of conv2d_packed, b optionally;
 *       those of depthwise_conv2d but for x; of `narrow` as of `widen`
 * out   y [N, OH, OW, F]
 * attr  kind and alpha of the activation of `widen`; all of depthwise_conv2d; kind and alpha of
 *       `narrow`; the numbers of the depthwise kernel among the inputs and of the first input of
 *       `narrow`, or of inputs */
static void op_conv2d_chain(const nnl_call *call, nnl_team *team) {
    nnl_chain o = chain_of(call);
    const nnl_depthwise *d = &o.d;
    const nnl_folded folded = folded_of(&o.depthwise, 2);
    real *kernel = team->scratch, *bias = kernel + o.kernel;
    real *widened = bias + o.bias + team->id * (o.widened + o.depthwise_y);
    o.epilogue.bias = folded_bias(&folded, bias, d->C * d->M, team);
    transpose_kernel(d, o.depthwise.in[1].data, folded.scale, false, kernel, team);

    const nnl_tensor *x = &call->in[0], *y = &call->out[0];
    const int64_t row = x->shape[2] * x->shape[3], widened_row = d->W * d->C, all = d->N * d->OH;
    const nnl_range share = nnl_share(all, STRIP_ROWS, team);
    nnl_range known = {0, 0}; /* rows that `widened` holds */
    for (int64_t r = share.begin, n; r < share.end; r += n) {
        const int64_t oh = r % d->OH;
        n = min_of(min_of(o.rows, d->OH - oh), share.end - r);
        const nnl_range rows = {oh, oh + n}, under = rows_under(d, rows);
        const real *from = (const real *)x->data + (r / d->OH * d->H + under.begin) * row;
        real *to = (real *)y->data + r * d->OW * y->shape[3];
        nnl_prefetch prefetch = plan_prefetch((nnl_range){r + n, r + 2 * n}, all, y, x,
                                              ceil_div(n * d->OW, MR) * ceil_div(y->shape[3], NR));
        if (o.widen.is_there) {
            const bool is_next = oh && r > share.begin;
            const int64_t kept = is_next ? max_of(known.end - under.begin, 0) : 0;
            if (kept)
                memmove(widened, widened + (under.begin - known.begin) * widened_row,
                        (size_t)(kept * widened_row) * sizeof *widened);
            convolve_pixels(&o.widen, from + kept * row, (length(under) - kept) * d->W,
                            widened + kept * widened_row, &prefetch);
            known = under;
            from = widened;
        }
        real *depthwise_y = o.narrow.is_there ? widened + o.widened : to;
        depthwise_part(d, from, under, kernel, &o.epilogue, depthwise_y, rows);
        if (o.narrow.is_there) convolve_pixels(&o.narrow, depthwise_y, n * d->OW, to, &prefetch);
    }
}

static int64_t conv2d_chain_scratch(const nnl_call *call, int threads) {
    const nnl_chain o = chain_of(call);
    return (o.kernel + o.bias + (o.widened + o.depthwise_y) * threads) * (int64_t)sizeof(real);
}
