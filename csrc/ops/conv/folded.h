/* folded.h: what a normalization with fixed statistics makes of the convolution before it. Kernel
 * and bias take its scale and shift, so it costs nothing: apart from rounding,
 * (conv(x, w) + b) s + t = conv(x, w s) + (b s + t). */
#ifndef NNL_CONV_FOLDED_H
#define NNL_CONV_FOLDED_H

#include <stdint.h>

#include "../../gemm/microkernel.h"
#include "../../nnlite.h"
#include "../../runtime/shares.h"

/* The optional inputs of a convolution, from number `first` on: the bias, then scale and shift.
 * Each is NULL, or has an element for each channel of y. */
typedef struct {
    const real *bias, *scale, *shift;
} nnl_folded;

static nnl_folded folded_of(const nnl_call *call, int first) {
    const int given = call->n_in - first;
    const bool has_bias = given % 2, is_folded = given > 1;
    nnl_folded f = {NULL, NULL, NULL};
    if (has_bias) f.bias = call->in[first].data;
    if (is_folded) f.scale = call->in[call->n_in - 2].data, f.shift = call->in[call->n_in - 1].data;
    return f;
}

/* Packs n columns of w [K, F], each times its scale, as a panel [K, NR]. */
static void pack_scaled(real *panel, const real *w, int64_t F, int64_t K, const real *scale,
                        int64_t n) {
    for (int64_t j = 0; j < n; j += LANES) {
        const vec s = vec_load_first(scale + j, n - j);
        for (int64_t k = 0; k < K; k++)
            vec_store(panel + k * NR + j, vec_load_first(w + k * F + j, n - j) * s);
    }
}

/* The bias that is left, or NULL. Each thread computes its share in `room`, of F reals, and the
 * team waits before it is read. */
static const real *folded_bias(const nnl_folded *f, real *room, int64_t F, const nnl_team *team) {
    if (!f->scale || !f->bias) return f->scale ? f->shift : f->bias;
    const nnl_range part = nnl_share(F, NNL_CACHE_LINE, team);
    for (int64_t i = part.begin; i < part.end; i++)
        room[i] = fmadd(f->bias[i], f->scale[i], f->shift[i]);
    return room;
}

#endif
