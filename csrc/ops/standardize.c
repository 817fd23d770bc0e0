/* standardize.c: an op that shifts and divides the entries of the last axis in double precision.
 * What varies in a column far from 0 is not rounded away: only the result is rounded. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/vec.h"
#include "../runtime/shares.h"

enum { STANDARDIZED_AT_ONCE = 256 };

/* The mean and the deviation of some neighbouring elements of a row. */
typedef struct {
    int64_t n;
    double mean[STANDARDIZED_AT_ONCE], deviation[STANDARDIZED_AT_ONCE];
} row_scale;

/* `rest` is what rounding took from `mean`; one that cannot be is of another mean. */
NNL_INLINE double with_rest(real mean, real rest) {
    const double sum = (double)mean + (double)rest;
    return (real)sum == mean ? sum : (double)mean;
}

NNL_INLINE int64_t whole_columns(int64_t C) { return STANDARDIZED_AT_ONCE / C * C; }

/* For the columns from `first` on; all of them, as often as they fit, if they are few. */
static void fill_row_scale(row_scale *s, const nnl_call *call, int64_t first, int64_t width) {
    const real *mean = call->in[1].data, *rest = call->in[2].data, *deviation = call->in[3].data;
    const int64_t C = nnl_size(&call->in[1]);
    const int64_t most = C > STANDARDIZED_AT_ONCE ? C - first : min_of(width, whole_columns(C));
    s->n = min_of(STANDARDIZED_AT_ONCE, most);
    for (int64_t j = 0, c = first; j < s->n; j++) {
        s->mean[j] = with_rest(mean[c], rest[c]);
        s->deviation[j] = deviation[c];
        c = c + 1 < C ? c + 1 : 0;
    }
}

static void standardize_elements(real *y, const char *x, int64_t n, int type, const row_scale *s,
                                 bool invert) {
    double wide[STANDARDIZED_AT_ONCE];
    convert_to_double(wide, x, n, type);
    if (invert) {
        NNL_INDEPENDENT
        for (int64_t j = 0; j < n; j++) y[j] = (real)(wide[j] * s->deviation[j] + s->mean[j]);
    } else {
        NNL_INDEPENDENT
        for (int64_t j = 0; j < n; j++) y[j] = (real)((wide[j] - s->mean[j]) / s->deviation[j]);
    }
}

/* y = (x - mean) / deviation along the last axis, or x * deviation + mean, computed in double. The
 * rows of x are those of a source, as gather reads them. An invalid index gives a row of zeros and
 * is reported.
 * in    source; mean [C]; what rounding took from the mean [C]; deviation [C]; optionally
 *       index int32 [n]
 * out   y [n, ...], C of its last elements in a row or all in all; it may be the source
 * attr  element type of the source (FROM_FLOAT32 ...), bytes from one of its rows to the next or
 *       0: they are packed, number of its rows, 1: the inverse */
static void op_standardize(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *out = &call->out[0];
    const int type = (int)call->attr[0].i;
    const int64_t size = nnl_size(out), C = nnl_size(&call->in[1]), rows = call->attr[2].i;
    if (size == 0) return;
    int64_t n = out->ndim ? out->shape[0] : 1;
    if (size / n % C != 0) n = 1; /* a vector */
    const int64_t width = size / n, element = size_of_element(type);
    const int64_t stride = call->attr[1].i ? call->attr[1].i : width * element;
    const int64_t step = C > STANDARDIZED_AT_ONCE ? C : whole_columns(C);
    const int32_t *index = call->n_in > 4 ? call->in[4].data : NULL;
    const nnl_range part = nnl_share(n, 1, team);
    row_scale scale;
    for (int64_t first = 0; first < C; first += STANDARDIZED_AT_ONCE) {
        fill_row_scale(&scale, call, first, width);
        for (int64_t i = part.begin; i < part.end; i++) {
            const int64_t row = index ? index[i] : i;
            const char *x = (const char *)call->in[0].data + row * stride;
            real *y = (real *)out->data + i * width;
            if (call->attr[1].i && (row < 0 || row >= rows)) {
                memset(y, 0, (size_t)width * sizeof *y);
                nnl_report_invalid_index(team, i);
                continue;
            }
            for (int64_t j = first; j < width; j += step)
                standardize_elements(y + j, x + j * element, min_of(scale.n, width - j), type,
                                     &scale, call->attr[3].i == 1);
        }
    }
}
