/* chunks.h: sums of a gradient over the pixels. These are cut into chunks, whose number depends on
 * shapes only; a thread sums whole chunks, and the sums are added in order. */
#ifndef NNL_CONV_CHUNKS_H
#define NNL_CONV_CHUNKS_H

#include <stdint.h>
#include <string.h>

#include "../../math/column_sums.h"
#include "../../runtime/shares.h"
#include "geometry.h"

enum { MAX_CHUNKS = 8 /* of a large kernel */ };

static int64_t lines_of_doubles(int64_t n) {
    return lines(n * (int64_t)(sizeof(double) / sizeof(real)));
}

/* db += the sum of dy over `pixels` pixels. */
static void sum_bias(double *db, const real *dy, int64_t pixels, int64_t F) {
    const sum_shape s = plan_sum(1, pixels, F);
    real sum[COLUMN_TILE];
    for (int64_t at = 0; at < pixels; at += s.chunk_rows)
        for (int64_t f = 0; f < F; f += COLUMN_TILE) {
            const int64_t n = min_of(COLUMN_TILE, F - f);
            sum_chunk(sum, dy + at * F + f, min_of(s.chunk_rows, pixels - at), n, &s, itself_of);
            for (int64_t j = 0; j < n; j++) db[f + j] += (double)sum[j];
        }
}

/* to[i] = sums[i] + sums[size + i] + ..., the sums of the chunks added in order. */
static void sum_of_chunks(real *restrict to, const real *restrict sums, int64_t n, int64_t chunks,
                          int64_t size) {
    memcpy(to, sums, (size_t)n * sizeof *to);
    for (int64_t c = 1; c < chunks; c++)
        for (int64_t i = 0; i < n; i++) to[i] += sums[c * size + i];
}

/* dw = the sums of its chunks, of `size` reals each. */
static void join_chunks(real *dw, const real *sums, int64_t size, int64_t chunks,
                        const nnl_team *team) {
    const nnl_range part = nnl_share(size, NNL_CACHE_LINE, team);
    for (int64_t i = part.begin; i < part.end; i += NNL_CACHE_LINE)
        sum_of_chunks(dw + i, sums + i, min_of(NNL_CACHE_LINE, part.end - i), chunks, size);
}

/* db = the sums of its chunks. */
static void join_bias(real *db, const double *sums, int64_t F, int64_t chunks,
                      const nnl_team *team) {
    const nnl_range part = nnl_share(F, NNL_CACHE_LINE, team);
    for (int64_t f = part.begin; f < part.end; f++) {
        double sum = 0;
        for (int64_t c = 0; c < chunks; c++) sum += sums[c * F + f];
        db[f] = (real)sum;
    }
}

/* The gradients where there are no pixels. */
static void set_to_zero(const nnl_call *call, const nnl_team *team) {
    for (int i = 0; i < call->n_out && team->id == 0; i++)
        memset(call->out[i].data, 0, (size_t)nnl_size(&call->out[i]) * sizeof(real));
}

#endif
