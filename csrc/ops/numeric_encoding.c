/* numeric_encoding.c: numbers of a table as several values each, and the product that reads them.
 *
 * Of each column the product is a piecewise linear function of one number. Between two boundaries
 * it lies between its values there, so it costs two rows of these for each number, however many
 * bins there are. Its gradient goes to the same two rows. */
#include <stdint.h>
#include <string.h>

#include "../math/vec.h"
#include "../runtime/barrier.h"
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

/* The columns f of x with their bins, of encoded_linear and its gradient. */
typedef struct {
    const real *x, *w, *scale, *lower, *slope;
    const int32_t *bins;
    int64_t N, F, T, U, kept; /* rows, columns, bins of all, width of w, rows of w for x itself */
} encoded;

/* in: x, w, scale, lower, slope, bins from `in` on. */
static encoded plan_encoded(const nnl_tensor *x, const nnl_tensor *in, int64_t keep) {
    const int64_t F = in[4].shape[0];
    return (encoded){.x = x->data,
                     .w = in[0].data,
                     .scale = in[1].data,
                     .lower = in[2].data,
                     .slope = in[3].data,
                     .bins = in[4].data,
                     .N = F ? nnl_size(x) / F : nnl_size(x),
                     .F = F,
                     .T = in[2].shape[0],
                     .U = in[0].shape[1],
                     .kept = keep ? F : 0};
}

/* A place between two boundaries: the bin, of all, and how far it is through it. */
typedef struct {
    int32_t bin;
    real through;
} encoded_place;

/* Rows whose places are looked for side by side: one search alone waits for memory at each half. */
enum { PLACE_LANES = 16 };

/* Where the numbers of n rows, PLACE_LANES at most, lie among the bins of a column, of which there
 * is one. */
static void places_of(encoded_place *places, const encoded *e, int64_t row, int64_t n, int64_t f,
                      int64_t first) {
    real x[PLACE_LANES] = {0};
    int32_t at[PLACE_LANES] = {0};
    const real *lower = e->lower + first;
    for (int64_t i = 0; i < n; i++) x[i] = e->x[(row + i) * e->F + f];
    for (int32_t left = e->bins[f]; left > 1; left -= left / 2) {
        const int32_t half = left / 2;
        NNL_LANES
        for (int i = 0; i < PLACE_LANES; i++)
            at[i] += half & -(int32_t)(lower[at[i] + half] < x[i]);
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t bin = first + at[i];
        const real through = through_bin(x[i], e->lower[bin], e->slope[bin]);
        places[i] = (encoded_place){(int32_t)bin, through};
    }
}

/* Columns of y that are computed together: a constant makes loops of whole vectors. */
enum { ENCODED_WIDTH = 64 };

/* What a column adds to y at its first boundary is 0; at the one behind each of its bins t more by
 * scale_t w_t. */
static void values_at_boundaries(real *values, const encoded *e, int64_t first, int64_t bins) {
    memset(values, 0, (size_t)e->U * sizeof *values);
    for (int64_t t = first; t < first + bins; t++, values += e->U) {
        const real *restrict before = values, *restrict w = e->w + (e->kept + t) * e->U;
        real *restrict after = values + e->U;
        for (int64_t j = 0; j < e->U; j++) after[j] = fmadd(e->scale[e->kept + t], w[j], before[j]);
    }
}

/* Adds to n columns of y what all columns of x add there. Places of a row are PLACE_LANES apart. */
NNL_INLINE void encoded_columns(real *restrict y, const real *x, const real *values,
                                const encoded_place *places, const encoded *e, int64_t j,
                                const int64_t n) {
    for (int64_t f = 0; f < e->kept; f++)
        add_multiple(y + j, x[f] * e->scale[f], e->w + f * e->U + j, n);
    for (int64_t f = 0; f < e->F; f++, places += PLACE_LANES) {
        if (e->bins[f] == 0) continue;
        const real *v = values + (places->bin + f) * e->U + j;
        const real through = places->through;
        for (int64_t i = 0; i < n; i++)
            y[j + i] = fmadd(through, v[e->U + i], fmadd(1 - through, v[i], y[j + i]));
    }
}

/* y = (e * scale) w + b for the rows e that piecewise_linear_encoding makes of x.
 * in    x [..., F], w [(F) + T, U], scale [(F) + T], lower [T], slope [T], bins [F] int32,
 *       optionally b [U]
 * out   y [..., U]
 * attr  keep */
static void op_encoded_linear(const nnl_call *call, nnl_team *team) {
    const encoded e = plan_encoded(&call->in[0], call->in + 1, call->attr[0].i);
    real *values = team->scratch; /* for each column a row more than it has bins */
    encoded_place *places = (encoded_place *)(values + (e.T + e.F) * e.U);
    places += team->id * e.F * PLACE_LANES; /* those of some rows, column after column */
    const nnl_range columns = nnl_share(e.F, 1, team), rows = nnl_share(e.N, 1, team);
    for (int64_t f = 0, t = 0; f < columns.end; t += e.bins[f++])
        if (f >= columns.begin) values_at_boundaries(values + (t + f) * e.U, &e, t, e.bins[f]);
    nnl_wait(team);
    for (int64_t row = rows.begin; row < rows.end; row++) {
        const real *x = e.x + row * e.F;
        real *y = (real *)call->out[0].data + row * e.U;
        if (call->n_in == 7)
            memcpy(y, call->in[6].data, (size_t)e.U * sizeof *y);
        else
            memset(y, 0, (size_t)e.U * sizeof *y);
        const int64_t lane = (row - rows.begin) % PLACE_LANES;
        const int64_t n = min_of(PLACE_LANES, rows.end - row);
        for (int64_t f = 0, t = 0; lane == 0 && f < e.F; t += e.bins[f++])
            if (e.bins[f]) places_of(places + f * PLACE_LANES, &e, row, n, f, t);
        int64_t j = 0;
        for (; j + ENCODED_WIDTH <= e.U; j += ENCODED_WIDTH)
            encoded_columns(y, x, values, places + lane, &e, j, ENCODED_WIDTH);
        encoded_columns(y, x, values, places + lane, &e, j, e.U - j);
    }
}

static int64_t encoded_linear_scratch(const nnl_call *call, int threads) {
    const int64_t T = call->in[3].shape[0], F = call->in[5].shape[0], U = call->in[1].shape[1];
    return (T + F) * U * (int64_t)sizeof(real) +
           threads * F * PLACE_LANES * (int64_t)sizeof(encoded_place);
}

/* Rows of dw, which are the sums e^T dy, become the gradients of w; those of scale are their
 * products with w. */
static void scale_gradients(real *dw, real *dscale, const encoded *e, int64_t first, int64_t rows) {
    for (int64_t row = first; row < first + rows; row++) {
        real *restrict d = dw + row * e->U;
        if (dscale) dscale[row] = row_dot(d, e->w + row * e->U, e->U);
        for (int64_t j = 0; j < e->U; j++) d[j] *= e->scale[row];
    }
}

/* Adds to n columns of dw, from column j on, the gradients of the values that rows lie between. Row
 * t of dw has that of the value behind bin t. */
NNL_INLINE void add_between(real *restrict dw, const real *restrict dy, const encoded_place *places,
                            const encoded *e, int64_t first, int64_t j, const int64_t n) {
    for (int64_t row = 0; row < e->N; row++) {
        const int64_t bin = places[row].bin - first;
        real *behind = dw + bin * e->U + j;
        add_multiple(behind, places[row].through, dy + row * e->U + j, n);
        if (bin) add_multiple(behind - e->U, 1 - places[row].through, dy + row * e->U + j, n);
    }
}

/* e^T dy for the bins of a column: a bin gets the gradients of all values behind it. */
static void bins_gradient(real *restrict dw, const real *restrict dy, encoded_place *places,
                          const encoded *e, int64_t f, int64_t first) {
    const int64_t bins = e->bins[f], U = e->U;
    memset(dw, 0, (size_t)(bins * U) * sizeof *dw);
    for (int64_t row = 0; row < e->N; row += PLACE_LANES)
        places_of(places + row, e, row, min_of(PLACE_LANES, e->N - row), f, first);
    int64_t j = 0;
    for (; j + ENCODED_WIDTH <= U; j += ENCODED_WIDTH)
        add_between(dw, dy, places, e, first, j, ENCODED_WIDTH);
    add_between(dw, dy, places, e, first, j, U - j);
    for (int64_t t = bins - 1; t > 0; t--) add_multiple(dw + (t - 1) * U, 1, dw + t * U, U);
}

/* The gradients of encoded_linear with respect to w and scale.
 * in    x [..., F], dy [..., U], w [(F) + T, U], scale [(F) + T], lower [T], slope [T],
 *       bins [F] int32
 * out   dw [(F) + T, U], optionally dscale [(F) + T]
 * attr  keep */
static void op_encoded_linear_gradient(const nnl_call *call, nnl_team *team) {
    const encoded e = plan_encoded(&call->in[0], call->in + 2, call->attr[0].i);
    const real *dy = call->in[1].data;
    real *dw = call->out[0].data, *dscale = call->n_out > 1 ? call->out[1].data : NULL;
    encoded_place *places = (encoded_place *)team->scratch + team->id * e.N;
    const nnl_range columns = nnl_share(e.F, 1, team);
    for (int64_t f = 0, t = 0; f < columns.end; t += e.bins[f++]) {
        if (f < columns.begin) continue;
        if (e.kept) {
            real *of_x = dw + f * e.U;
            memset(of_x, 0, (size_t)e.U * sizeof *of_x);
            for (int64_t row = 0; row < e.N; row++)
                add_multiple(of_x, e.x[row * e.F + f], dy + row * e.U, e.U);
            scale_gradients(dw, dscale, &e, f, 1);
        }
        if (e.bins[f]) bins_gradient(dw + (e.kept + t) * e.U, dy, places, &e, f, t);
        scale_gradients(dw, dscale, &e, e.kept + t, e.bins[f]);
    }
}

/* Bytes of scratch: for each thread the places of all rows in a column. */
static int64_t encoded_linear_gradient_scratch(const nnl_call *call, int threads) {
    const int64_t F = call->in[6].shape[0], N = F ? nnl_size(&call->in[0]) / F : 0;
    return threads * N * (int64_t)sizeof(encoded_place);
}
