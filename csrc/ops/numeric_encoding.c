/* numeric_encoding.c: numbers of a table as several values each. */
#include <stdint.h>
#include <string.h>

#include "../math/vec.h"
#include "../runtime/shares.h"

/* Bins that are computed together. */
enum { BIN_LANES = 8 };

/* How far x is through a bin, from 0 to 1; 0 for NaN. */
NNL_INLINE real through_bin(real x, real lower, real scale) {
    const real u = (x - lower) * scale, above = u > 0 ? u : 0;
    return above < 1 ? above : 1;
}

NNL_INLINE void through_bins(real *restrict e, real x, const real *restrict lower,
                             const real *restrict scale) {
    NNL_LANES
    for (int t = 0; t < BIN_LANES; t++) e[t] = through_bin(x, lower[t], scale[t]);
}

/* For each row of x: x itself if `keep`, then e_t = min(max((x - lower_t) * scale_t, 0), 1) for the
 * bins t of its first column, of its second column, ...
 * in    x [..., F], lower [T], scale [T], bins [F] int32: how many of the T bins each column has
 * out   y [..., (F) + T]
 * attr  keep */
static void op_piecewise_linear_encoding(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *out = &call->out[0];
    const int64_t F = call->in[3].shape[0], T = call->in[1].shape[0];
    const real *lower = call->in[1].data, *scale = call->in[2].data;
    const int32_t *bins = call->in[3].data;
    const int64_t kept = call->attr[0].i ? F : 0, width = kept + T;
    const nnl_range part = nnl_share(width ? nnl_size(out) / width : 0, 1, team);
    for (int64_t row = part.begin; row < part.end; row++) {
        const real *x = (const real *)call->in[0].data + row * F;
        real *y = (real *)out->data + row * width;
        memcpy(y, x, (size_t)kept * sizeof *y);
        real *e = y + kept;
        int64_t t = 0;
        for (int64_t f = 0; f < F; f++) {
            const int64_t end = min_of(t + bins[f], T);
            /* Lanes beyond the column's last bin are written again by the next columns. */
            for (; t < end && t + BIN_LANES <= T; t += BIN_LANES)
                through_bins(e + t, x[f], lower + t, scale + t);
            for (; t < end; t++) e[t] = through_bin(x[f], lower[t], scale[t]);
            t = end;
        }
    }
}
