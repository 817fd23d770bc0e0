/* norm.c: batch normalization of the columns of x, and layer normalization of its rows. x [..., C]
 * is read as R rows of C columns.
 *
 * A sum over R is cut into chunks, and the number of chunks depends on the shape only. Each chunk
 * is read once. The chunks' sums are added in double, in the order of the chunks. If C is small,
 * several rows are read as one wide row.
 *
 * S. Ioffe, C. Szegedy: "Batch normalization", ICML 2015; J. L. Ba, J. R. Kiros, G. E. Hinton:
 * "Layer normalization", arXiv 1607.06450, 2016. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/vec.h"
#include "../runtime/barrier.h"
#include "../runtime/shares.h"

enum {
    NORM_ROWS = 64,  /* wide rows of a chunk */
    NORM_WIDTH = 64, /* columns below which several rows are read as one wide row */
    NORM_TILE = 128, /* columns that are summed together */
    CENTER_ROWS = 8, /* wide rows whose mean is the center of a chunk */
    ROWS_AT_ONCE = 8
};

/* How [R, C] is cut. `groups` rows are read as one wide row of groups * C columns. */
typedef struct {
    int64_t R, C, groups, chunk_rows, chunks, tiles;
} norm_shape;

static norm_shape plan_norm(const nnl_tensor *x) {
    norm_shape s = {.C = x->shape[x->ndim - 1]};
    if (s.C == 0) return s;
    s.R = nnl_size(x) / s.C;
    s.groups = s.C < NORM_WIDTH ? NORM_WIDTH / s.C : 1;
    s.chunk_rows = s.groups * NORM_ROWS;
    s.chunks = ceil_div(s.R, s.chunk_rows);
    s.tiles = ceil_div(s.C, NORM_TILE);
    return s;
}

/* `count` rows of `width` columns, the first of which is `column`. They form `wide` wide rows, and
 * `rest` rows are left, too few for another. `at` is the offset of the first element. */
typedef struct {
    int64_t index, at, count, wide, rest, column, width;
} norm_chunk;

static norm_chunk norm_chunk_at(const norm_shape *s, int64_t item) {
    norm_chunk k = {.index = item / s->tiles, .column = item % s->tiles * NORM_TILE};
    const int64_t row = k.index * s->chunk_rows;
    k.at = row * s->C + k.column;
    k.count = min_of(s->R - row, s->chunk_rows);
    k.wide = k.count / s->groups;
    k.rest = k.count % s->groups;
    k.width = min_of(s->C - k.column, NORM_TILE);
    return k;
}

/* Copies the values of a chunk's columns once for each row of a wide row. */
static void repeat_columns(real wide[NORM_TILE], const real *columns, const norm_shape *s,
                           const norm_chunk *k) {
    for (int64_t g = 0; g < s->groups; g++)
        memcpy(wide + g * k->width, columns + k->column, (size_t)k->width * sizeof *wide);
}

/* Adds the sums of the rows in a wide row pairwise. The result is sum[0 ... width - 1]. */
static void add_groups(real sum[NORM_TILE], const norm_shape *s, int64_t width) {
    for (int64_t groups = s->groups; groups > 1; groups = (groups + 1) / 2) {
        const int64_t upper = (groups + 1) / 2 * width;
        for (int64_t j = 0; j < groups / 2 * width; j++) sum[j] += sum[upper + j];
    }
}

/* sum[j] += x[0][j] + x[1][j] + ..., row after row. The loop takes four rows at a time to load and
 * store sum[j] less often. */
static void add_plain_rows(real *restrict sum, const real *restrict x, int64_t rows, int64_t stride,
                           int64_t width) {
    int64_t row = 0;
    for (; row + 4 <= rows; row += 4, x += 4 * stride)
        for (int64_t j = 0; j < width; j++)
            sum[j] = sum[j] + x[j] + x[j + stride] + x[j + 2 * stride] + x[j + 3 * stride];
    for (; row < rows; row++, x += stride)
        for (int64_t j = 0; j < width; j++) sum[j] += x[j];
}

/* Two sums for each column, plain = sum(w) and product = sum(w d), where d = x - center. For the
 * moments of x the weight w is d, for the gradient it is dy. */
typedef struct {
    real *plain, *product;
    const real *center;
} pair_of_sums;

NNL_INLINE void add_row_pairs(pair_of_sums sums, const real *restrict dy, const real *restrict x,
                              int64_t rows, int64_t stride, int64_t width, bool weight_is_dy) {
    real *restrict plain = sums.plain, *restrict product = sums.product;
    const real *restrict center = sums.center;
    int64_t row = 0;
    for (; row + ROWS_AT_ONCE <= rows; row += ROWS_AT_ONCE) {
        for (int64_t j = 0; j < width; j++) {
            real p = 0, q = 0; /* short sums first: additions to the long ones round more */
            for (int r = 0; r < ROWS_AT_ONCE; r++) {
                const real d = x[j + r * stride] - center[j],
                           w = weight_is_dy ? dy[j + r * stride] : d;
                p += w;
                q = fmadd(w, d, q);
            }
            plain[j] += p;
            product[j] += q;
        }
        x += ROWS_AT_ONCE * stride, dy += ROWS_AT_ONCE * stride;
    }
    for (; row < rows; row++, x += stride, dy += stride)
        for (int64_t j = 0; j < width; j++) {
            const real d = x[j] - center[j], w = weight_is_dy ? dy[j] : d;
            plain[j] += w;
            product[j] = fmadd(w, d, product[j]);
        }
}

/* plain[j] and product[j] of each column of a chunk. */
NNL_INLINE void chunk_sums(real plain[NORM_TILE], real product[NORM_TILE], const real *dy,
                           const real *x, const real center[NORM_TILE], const norm_shape *s,
                           const norm_chunk *k, bool weight_is_dy) {
    const int64_t row = s->groups * k->width, stride = s->groups * s->C, end = k->wide * stride;
    const pair_of_sums sums = {plain, product, center};
    memset(plain, 0, (size_t)row * sizeof *plain);
    memset(product, 0, (size_t)row * sizeof *product);
    add_row_pairs(sums, dy, x, k->wide, stride, row, weight_is_dy);
    add_row_pairs(sums, dy + end, x + end, k->rest, s->C, k->width, weight_is_dy);
    add_groups(plain, s, k->width);
    add_groups(product, s, k->width);
}

/* The mean of the first rows of each column of a chunk, once for each row of a wide row. It is a
 * center for the deviations that is near the mean of all rows: the mean of m out of n numbers
 * differs from the mean of all n by at most sqrt(n / m) standard deviations, here by less than
 * three. */
static void estimate_centers(real mean[NORM_TILE], const real *x, const norm_shape *s,
                             const norm_chunk *k) {
    const int64_t row = s->groups * k->width, stride = s->groups * s->C;
    const int64_t wide = min_of(k->wide, CENTER_ROWS);
    const int64_t rest = wide < CENTER_ROWS ? k->rest : 0;
    memset(mean, 0, (size_t)row * sizeof *mean);
    add_plain_rows(mean, x, wide, stride, row);
    add_plain_rows(mean, x + wide * stride, rest, s->C, k->width);
    add_groups(mean, s, k->width);
    for (int64_t j = 0; j < k->width; j++) mean[j] /= (real)(wide * s->groups + rest);
    for (int64_t g = 1; g < s->groups; g++)
        memcpy(mean + g * k->width, mean, (size_t)k->width * sizeof *mean);
}

/* Bytes of scratch: for each chunk two rows of C doubles, then three rows of C reals, the
 * coefficients. */
static int64_t batch_norm_scratch(const nnl_call *call, int threads) {
    (void)threads;
    const norm_shape s = plan_norm(&call->in[0]);
    return s.C * (2 * s.chunks * (int64_t)sizeof(double) + 3 * (int64_t)sizeof(real));
}

static real *coefficients_of(const norm_shape *s, const nnl_team *team) {
    return (real *)((double *)team->scratch + 2 * s->chunks * s->C);
}

/* Stores the moments of each column of this thread's chunks to scratch: mean - x[0], and the sum of
 * squared deviations from the mean. Deviations are first taken from a center near the mean, so that
 * a large mean costs no digits; the sums are then corrected for the distance to the mean. */
static void moments_of_chunks(const real *x, const norm_shape *s, const nnl_team *team) {
    double *partial = team->scratch;
    const nnl_range part = nnl_share(s->chunks * s->tiles, 1, team);
    for (int64_t item = part.begin; item < part.end; item++) {
        const norm_chunk k = norm_chunk_at(s, item);
        real center[NORM_TILE], sum[NORM_TILE], square[NORM_TILE];
        estimate_centers(center, x + k.at, s, &k);
        chunk_sums(sum, square, x + k.at, x + k.at, center, s, &k, false);
        double *mean = partial + 2 * k.index * s->C + k.column, *squares = mean + s->C;
        for (int64_t j = 0; j < k.width; j++) {
            const double rest = (double)sum[j] / (double)k.count;
            mean[j] = (double)center[j] - (double)x[k.column + j] + rest;
            squares[j] = (double)square[j] - rest * (double)sum[j];
        }
    }
}

/* How many rows chunk i has. */
static inline double rows_of_chunk(const norm_shape *s, int64_t i) {
    const int64_t left = s->R - i * s->chunk_rows;
    return (double)min_of(left, s->chunk_rows);
}

/* Mean and biased variance of `width` columns from the moments of their chunks. `partial` and `x`
 * point to the first of these columns.
 * T. F. Chan, G. H. Golub, R. J. LeVeque: "Updating formulae and a pairwise algorithm for computing
 * sample variances", 1979. */
static void merge_moments(real *mean, real *variance, const double *partial, const real *x,
                          const norm_shape *s, int64_t width) {
    double sum[NORM_TILE] = {0}, squares[NORM_TILE] = {0};
    for (int64_t i = 0; i < s->chunks; i++) {
        const double rows = rows_of_chunk(s, i), *means = partial + 2 * i * s->C;
        for (int64_t j = 0; j < width; j++) sum[j] += rows * means[j];
    }
    for (int64_t j = 0; j < width; j++) sum[j] /= (double)s->R;
    for (int64_t i = 0; i < s->chunks; i++) {
        const double rows = rows_of_chunk(s, i), *means = partial + 2 * i * s->C;
        for (int64_t j = 0; j < width; j++) {
            const double delta = means[j] - sum[j];
            squares[j] += means[s->C + j] + rows * delta * delta;
        }
    }
    for (int64_t j = 0; j < width; j++) {
        mean[j] = (real)(s->R > 0 ? (double)x[j] + sum[j] : sum[j]);
        variance[j] = (real)(squares[j] / (double)s->R);
    }
}

/* y = (x - p) q + r for some rows. p, q and r have one value for each column. */
static void normalize_rows(real *restrict y, const real *restrict x, const real *restrict p,
                           const real *restrict q, const real *restrict r, int64_t rows,
                           int64_t stride, int64_t width) {
    for (int64_t row = 0; row < rows; row++, x += stride, y += stride)
        for (int64_t j = 0; j < width; j++) y[j] = fmadd(x[j] - p[j], q[j], r[j]);
}

/* y = (x - p) q + r for all rows of this thread's chunks. The thread has summed the same chunks
 * before. It begins with the last one, which may still be in its cache. */
static void normalize_chunks(real *y, const real *x, const real *p, const real *q, const real *r,
                             const norm_shape *s, const nnl_team *team) {
    const nnl_range part = nnl_share(s->chunks * s->tiles, 1, team);
    for (int64_t item = part.end - 1; item >= part.begin; item--) {
        const norm_chunk k = norm_chunk_at(s, item);
        const int64_t row = s->groups * k.width, stride = s->groups * s->C, end = k.wide * stride;
        real wide_p[NORM_TILE], wide_q[NORM_TILE], wide_r[NORM_TILE];
        repeat_columns(wide_p, p, s, &k);
        repeat_columns(wide_q, q, s, &k);
        repeat_columns(wide_r, r, s, &k);
        normalize_rows(y + k.at, x + k.at, wide_p, wide_q, wide_r, k.wide, stride, row);
        normalize_rows(y + k.at + end, x + k.at + end, wide_p, wide_q, wide_r, k.rest, s->C,
                       k.width);
    }
}

/* y = (x - mean) gamma / sqrt(variance + epsilon) + beta. Mean and biased variance are those of the
 * columns, NaN if there are no rows.
 * in    x [..., C], gamma [C], beta [C]
 * out   y [..., C], not x; mean [C], variance [C]
 * attr  epsilon */
static void op_batch_norm(const nnl_call *call, nnl_team *team) {
    const norm_shape s = plan_norm(&call->in[0]);
    const real *x = call->in[0].data, *gamma = call->in[1].data, *beta = call->in[2].data;
    real *mean = call->out[1].data, *variance = call->out[2].data;
    real *scale = coefficients_of(&s, team);
    moments_of_chunks(x, &s, team);
    nnl_wait(team);
    const nnl_range part = nnl_share(s.C, NNL_CACHE_LINE, team);
    for (int64_t j = part.begin; j < part.end; j += NORM_TILE)
        merge_moments(mean + j, variance + j, (double *)team->scratch + j, x + j, &s,
                      min_of(part.end - j, NORM_TILE));
    for (int64_t j = part.begin; j < part.end; j++)
        scale[j] = gamma[j] / real_sqrt(variance[j] + (real)call->attr[0].f);
    nnl_wait(team);
    normalize_chunks(call->out[0].data, x, mean, scale, beta, &s, team);
}

/* Stores sum(dy) and sum(dy (x - mean)) of each column of this thread's chunks to scratch. */
static void gradient_sums_of_chunks(const real *dy, const real *x, const real *mean,
                                    const norm_shape *s, const nnl_team *team) {
    double *partial = team->scratch;
    const nnl_range part = nnl_share(s->chunks * s->tiles, 1, team);
    for (int64_t item = part.begin; item < part.end; item++) {
        const norm_chunk k = norm_chunk_at(s, item);
        real center[NORM_TILE], plain[NORM_TILE], product[NORM_TILE];
        repeat_columns(center, mean, s, &k);
        chunk_sums(plain, product, dy + k.at, x + k.at, center, s, &k, true);
        double *first = partial + 2 * k.index * s->C + k.column, *second = first + s->C;
        for (int64_t j = 0; j < k.width; j++) {
            first[j] = (double)plain[j];
            second[j] = (double)product[j];
        }
    }
}

/* dx = a (dy - b (x - mean) - c) for some rows. */
static void gradient_rows(real *restrict dx, const real *restrict dy, const real *restrict x,
                          const real coefficient[4][NORM_TILE], int64_t rows, int64_t stride,
                          int64_t width) {
    const real *a = coefficient[0], *b = coefficient[1];
    const real *c = coefficient[2], *mean = coefficient[3];
    for (int64_t row = 0; row < rows; row++, x += stride, dy += stride, dx += stride)
        for (int64_t j = 0; j < width; j++)
            dx[j] = a[j] * (fmadd(-b[j], x[j] - mean[j], dy[j]) - c[j]);
}

/* The operands of op_batch_norm_gradient, and the coefficients of dx in scratch. */
typedef struct {
    const real *dy, *x, *gamma, *mean, *variance;
    real *dgamma, *dbeta, *a, *b, *c; /* dx = a (dy - b (x - mean) - c) */
    double epsilon;
} norm_gradient;

/* dgamma, dbeta and the coefficients of dx for `width` columns, beginning with `first`. */
static void finish_gradient_sums(const norm_gradient *g, const double *partial, const norm_shape *s,
                                 int64_t first, int64_t width) {
    double sum[NORM_TILE] = {0}, product[NORM_TILE] = {0};
    for (int64_t i = 0; i < s->chunks; i++) {
        const double *sums = partial + 2 * i * s->C + first;
        for (int64_t j = 0; j < width; j++) sum[j] += sums[j];
        for (int64_t j = 0; j < width; j++) product[j] += sums[s->C + j];
    }
    for (int64_t j = 0; j < width; j++) {
        const int64_t column = first + j;
        const double v = (double)g->variance[column] + g->epsilon, scale = 1 / sqrt(v);
        g->dbeta[column] = (real)sum[j];
        g->dgamma[column] = (real)(product[j] * scale);
        g->a[column] = (real)((double)g->gamma[column] * scale);
        g->b[column] = (real)(product[j] / (v * (double)s->R));
        g->c[column] = (real)(sum[j] / (double)s->R);
    }
}

/* dx for all rows of this thread's chunks, the last chunk first, as in normalize_chunks. */
static void gradient_of_chunks(real *dx, const norm_gradient *g, const norm_shape *s,
                               const nnl_team *team) {
    const nnl_range part = nnl_share(s->chunks * s->tiles, 1, team);
    for (int64_t item = part.end - 1; item >= part.begin; item--) {
        const norm_chunk k = norm_chunk_at(s, item);
        const int64_t row = s->groups * k.width, stride = s->groups * s->C, at = k.at,
                      rest = k.at + k.wide * stride;
        real wide[4][NORM_TILE];
        repeat_columns(wide[0], g->a, s, &k);
        repeat_columns(wide[1], g->b, s, &k);
        repeat_columns(wide[2], g->c, s, &k);
        repeat_columns(wide[3], g->mean, s, &k);
        gradient_rows(dx + at, g->dy + at, g->x + at, wide, k.wide, stride, row);
        gradient_rows(dx + rest, g->dy + rest, g->x + rest, wide, k.rest, s->C, k.width);
    }
}

/* The gradients of batch_norm. With d = x - mean, v = variance + epsilon and sums over the R rows:
 * dbeta = sum(dy)
 * dgamma = sum(dy d) / sqrt(v)
 * dx = gamma / sqrt(v) (dy - d sum(dy d) / (R v) - sum(dy) / R)
 * in    dy [..., C], x [..., C], gamma [C], mean [C], variance [C]
 * out   dx [..., C], not dy or x; dgamma [C], dbeta [C]
 * attr  epsilon */
static void op_batch_norm_gradient(const nnl_call *call, nnl_team *team) {
    const norm_shape s = plan_norm(&call->in[0]);
    real *coefficients = coefficients_of(&s, team);
    const norm_gradient g = {.dy = call->in[0].data,
                             .x = call->in[1].data,
                             .gamma = call->in[2].data,
                             .mean = call->in[3].data,
                             .variance = call->in[4].data,
                             .dgamma = call->out[1].data,
                             .dbeta = call->out[2].data,
                             .a = coefficients,
                             .b = coefficients + s.C,
                             .c = coefficients + 2 * s.C,
                             .epsilon = call->attr[0].f};
    gradient_sums_of_chunks(g.dy, g.x, g.mean, &s, team);
    nnl_wait(team);
    const nnl_range part = nnl_share(s.C, NNL_CACHE_LINE, team);
    for (int64_t j = part.begin; j < part.end; j += NORM_TILE)
        finish_gradient_sums(&g, team->scratch, &s, j, min_of(part.end - j, NORM_TILE));
    nnl_wait(team);
    gradient_of_chunks(call->out[0].data, &g, &s, team);
}

/* y = a x + b, rounded once.
 * in    x [..., C], a [C], b [C]
 * out   y [..., C], may be x */
static void op_scale_shift(const nnl_call *call, nnl_team *team) {
    const norm_shape s = plan_norm(&call->in[0]);
    const real *x = call->in[0].data, *a = call->in[1].data, *b = call->in[2].data;
    real *y = call->out[0].data;
    const nnl_range part = nnl_share(s.R, 1, team);
    for (int64_t row = part.begin; row < part.end; row++) {
        const int64_t at = row * s.C;
        NNL_INDEPENDENT
        for (int64_t j = 0; j < s.C; j++) y[at + j] = fmadd(x[at + j], a[j], b[j]);
    }
}

/* moving = moving * momentum + batch * (1 - momentum): the moving mean or variance.
 * in    moving, written; batch, the shape of moving
 * out   none
 * attr  momentum */
static void op_moving_update(const nnl_call *call, nnl_team *team) {
    real *moving = call->in[0].data;
    const real *batch = call->in[1].data;
    const real momentum = (real)call->attr[0].f, rest = (real)(1 - call->attr[0].f);
    const nnl_range part = nnl_share(nnl_size(&call->in[0]), NNL_CACHE_LINE, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++)
        moving[i] = fmadd(moving[i], momentum, batch[i] * rest);
}

/* y = (x - mean) inv_std gamma + beta. mean and inv_std = 1 / sqrt(variance + epsilon) are those of
 * the rows.
 * in    x [..., C], gamma [C], beta [C]
 * out   y [..., C], not x; mean [...], inv_std [...]
 * attr  epsilon */
static void op_layer_norm(const nnl_call *call, nnl_team *team) {
    const norm_shape s = plan_norm(&call->in[0]);
    const real *gamma = call->in[1].data, *beta = call->in[2].data;
    real *mean = call->out[1].data, *inv_std = call->out[2].data;
    const nnl_range part = nnl_share(s.R, 1, team);
    for (int64_t row = part.begin; row < part.end; row++) {
        const real *restrict x = (const real *)call->in[0].data + row * s.C;
        real *restrict y = (real *)call->out[0].data + row * s.C;
        const real row_mean = row_sum(x, s.C) / (real)s.C;
        for (int64_t j = 0; j < s.C; j++) y[j] = x[j] - row_mean;
        const real variance = row_dot(y, y, s.C) / (real)s.C;
        const real scale = 1 / real_sqrt(variance + (real)call->attr[0].f);
        for (int64_t j = 0; j < s.C; j++) y[j] = fmadd(y[j] * scale, gamma[j], beta[j]);
        mean[row] = row_mean;
        inv_std[row] = scale;
    }
}

/* Rows of a chunk. What they add to dgamma and dbeta is summed in one pair of rows of scratch. */
enum { LAYER_NORM_ROWS = 16 };

/* Bytes of scratch: for each chunk a row of dgamma and a row of dbeta. */
static int64_t layer_norm_gradient_scratch(const nnl_call *call, int threads) {
    (void)threads;
    const norm_shape s = plan_norm(&call->in[0]);
    return ceil_div(s.R, LAYER_NORM_ROWS) * 2 * s.C * (int64_t)sizeof(real);
}

/* dx of one row. Adds the row's terms to dgamma and dbeta. dx holds h until the sums are known. */
static void layer_norm_gradient_row(real *restrict dx, real *restrict dgamma, real *restrict dbeta,
                                    const real *restrict dy, const real *restrict x,
                                    const real *restrict gamma, real mean, real inv_std,
                                    int64_t C) {
    real sum = 0, product = 0;
    for (int64_t first = 0; first < C; first += NORM_TILE) {
        const int64_t n = min_of(C - first, NORM_TILE);
        real dy_hat[NORM_TILE];
        for (int64_t j = 0; j < n; j++) {
            const real hat = (x[first + j] - mean) * inv_std;
            dx[first + j] = hat;
            dy_hat[j] = dy[first + j] * hat;
            dgamma[first + j] += dy_hat[j];
            dbeta[first + j] += dy[first + j];
        }
        sum += row_dot(dy + first, gamma + first, n);
        product += row_dot(dy_hat, gamma + first, n);
    }
    sum /= (real)C;
    product /= (real)C;
    for (int64_t j = 0; j < C; j++)
        dx[j] = inv_std * (fmadd(-dx[j], product, dy[j] * gamma[j]) - sum);
}

/* The gradients of layer_norm. With h = (x - mean) inv_std, sums over rows and means over columns:
 * dbeta = sum(dy)
 * dgamma = sum(dy h)
 * dx = inv_std (dy gamma - mean(dy gamma) - h mean(dy gamma h))
 * in    dy [..., C], x [..., C], gamma [C], mean [...], inv_std [...]
 * out   dx [..., C], not dy or x; dgamma [C], dbeta [C] */
static void op_layer_norm_gradient(const nnl_call *call, nnl_team *team) {
    const norm_shape s = plan_norm(&call->in[0]);
    const real *dy = call->in[0].data, *x = call->in[1].data, *gamma = call->in[2].data;
    const real *mean = call->in[3].data, *inv_std = call->in[4].data;
    real *dx = call->out[0].data, *dgamma = call->out[1].data, *dbeta = call->out[2].data;
    real *partial = team->scratch;
    const int64_t C = s.C, chunks = ceil_div(s.R, LAYER_NORM_ROWS);
    const nnl_range part = nnl_share(chunks, 1, team);
    for (int64_t k = part.begin; k < part.end; k++) {
        const int64_t first = k * LAYER_NORM_ROWS, end = min_of(first + LAYER_NORM_ROWS, s.R);
        real *sums = partial + 2 * k * C;
        memset(sums, 0, (size_t)(2 * C) * sizeof *sums);
        for (int64_t row = first; row < end; row++)
            layer_norm_gradient_row(dx + row * C, sums, sums + C, dy + row * C, x + row * C, gamma,
                                    mean[row], inv_std[row], C);
    }
    nnl_wait(team);
    const nnl_range columns = nnl_share(C, NNL_CACHE_LINE, team);
    for (int64_t j = columns.begin; j < columns.end; j++) {
        double sum = 0, product = 0;
        for (int64_t k = 0; k < chunks; k++) {
            product += (double)partial[2 * k * C + j];
            sum += (double)partial[(2 * k + 1) * C + j];
        }
        dgamma[j] = (real)product;
        dbeta[j] = (real)sum;
    }
}
