/* reduce.c: sums, maxima and indices of maxima over one axis.
 *
 * x is read as [A, R, B] and reduced over R. A sum is cut into chunks (column_sums.h), whose number
 * depends on the shape only. The chunks' sums are added in double, in the order of the chunks. So
 * no float goes through more than about CHUNK_ROWS additions in float, however long the sum is. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/column_sums.h"
#include "../math/vec.h"
#include "../runtime/barrier.h"
#include "../runtime/shares.h"

/* A sum of all elements is that of [1, n, 1]. sum_squares and sum_abs have no attributes. */
static sum_shape plan_sum_of(const nnl_call *call) {
    if (nnl_size(&call->out[0]) == 1) return plan_sum(1, nnl_size(&call->in[0]), 1);
    return plan_sum(call->attr[0].i, call->attr[1].i, call->attr[2].i);
}

/* Bytes of scratch of reduce_sum, sum_squares, sum_abs: the sums of the chunks. */
static int64_t reduce_scratch(const nnl_call *call, int threads) {
    (void)threads;
    const sum_shape s = plan_sum_of(call);
    return s.chunks > 1 ? s.A * s.chunks * s.B * (int64_t)sizeof(double) : 0;
}

/* Sums this thread's chunks. A chunk's sums go to a row of scratch, or to `out` if it is the only
 * chunk. */
NNL_INLINE void sum_chunks(real *out, const real *x, const sum_shape *s, const nnl_team *team,
                           real f(real)) {
    double *partial = team->scratch;
    const nnl_range part = nnl_share(s->A * s->chunks * s->tiles, 1, team);
    for (int64_t item = part.begin; item < part.end; item++) {
        const int64_t tile = item % s->tiles, row = item / s->tiles;
        const int64_t a = row / s->chunks, first = row % s->chunks * s->chunk_rows,
                      column = tile * COLUMN_TILE;
        const int64_t rows = min_of(s->R - first, s->chunk_rows);
        const int64_t width = min_of(s->B - column, COLUMN_TILE);
        real sum[COLUMN_TILE];
        sum_chunk(sum, x + (a * s->R + first) * s->B + column, rows, width, s, f);
        if (s->chunks == 1)
            memcpy(out + row * s->B + column, sum, (size_t)width * sizeof *sum);
        else
            for (int64_t j = 0; j < width; j++) partial[row * s->B + column + j] = (double)sum[j];
    }
}

/* How many of the outputs i ... end - 1 have the same index a as output i; at most `limit`. */
static inline int64_t columns_at(int64_t i, int64_t end, int64_t B, int64_t limit) {
    int64_t count = min_of(B - i % B, end - i);
    return min_of(count, limit);
}

/* out[a, b] = the chunks' sums, added from the first to the last. */
static void add_chunks(real *out, const double *partial, const sum_shape *s, const nnl_team *team) {
    const nnl_range part = nnl_share(s->A * s->B, NNL_CACHE_LINE, team);
    for (int64_t i = part.begin; i < part.end;) {
        const double *p = partial + i / s->B * s->chunks * s->B + i % s->B;
        const int64_t width = columns_at(i, part.end, s->B, SUM_WIDTH);
        double sum[SUM_WIDTH] = {0};
        for (int64_t c = 0; c < s->chunks; c++)
            for (int64_t j = 0; j < width; j++) sum[j] += p[c * s->B + j];
        for (int64_t j = 0; j < width; j++) out[i + j] = (real)sum[j];
        i += width;
    }
}

NNL_INLINE void reduce(const nnl_call *call, nnl_team *team, real f(real)) {
    real *out = call->out[0].data;
    const sum_shape s = plan_sum_of(call);
    if (s.chunks == 0) {
        if (team->id == 0) memset(out, 0, (size_t)(s.A * s.B) * sizeof *out);
        return;
    }
    sum_chunks(out, call->in[0].data, &s, team, f);
    if (s.chunks == 1) return;
    nnl_wait(team);
    add_chunks(out, team->scratch, &s, team);
}

/* y[a, b] = sum over r of x[a, r, b].
 * in    x, read as [A, R, B]
 * out   y, read as [A, B]
 * attr  A, R, B */
static void op_reduce_sum(const nnl_call *call, nnl_team *team) { reduce(call, team, itself_of); }
/* y = sum(x^2), or sum(|x|).
 * in    x [...]
 * out   y, one element */
static void op_sum_squares(const nnl_call *call, nnl_team *team) { reduce(call, team, squared); }
static void op_sum_abs(const nnl_call *call, nnl_team *team) { reduce(call, team, real_abs); }

/* The larger of a and b, NaN if one of them is NaN. */
NNL_INLINE real larger_or_nan(real a, real b) { return ((b > a) | (b != b)) ? b : a; }
NNL_INLINE real lane_larger_or_nan(real lane, real x, real y) {
    return (void)y, larger_or_nan(lane, x);
}

static real row_max_or_nan(const real *x, int64_t n) {
    return fold_row(x, x, n, -REAL_INFINITY, lane_larger_or_nan, larger_or_nan);
}

/* y[a, b] = max over r of x[a, r, b], NaN if one of the elements is NaN, -inf if R is 0.
 * in    x, read as [A, R, B]
 * out   y, read as [A, B]
 * attr  A, R, B */
static void op_reduce_max(const nnl_call *call, nnl_team *team) {
    const real *x = call->in[0].data;
    real *out = call->out[0].data;
    const int64_t A = call->attr[0].i, R = call->attr[1].i, B = call->attr[2].i;
    const nnl_range part = nnl_share(A * B, NNL_CACHE_LINE, team);
    for (int64_t i = part.begin; i < part.end;) {
        const real *first = x + i / B * R * B + i % B;
        const int64_t width = columns_at(i, part.end, B, B);
        real *largest = out + i;
        if (B == 1) {
            *largest = row_max_or_nan(first, R);
        } else {
            for (int64_t j = 0; j < width; j++) largest[j] = -REAL_INFINITY;
            for (int64_t r = 0; r < R; r++)
                for (int64_t j = 0; j < width; j++)
                    largest[j] = larger_or_nan(largest[j], first[r * B + j]);
        }
        i += width;
    }
}

/* y[a, r, b] = the sum of x[a, s, b] over s <= r, added in double from the first s to the last; or
 * over s >= r, from the last to the first.
 * in    x, read as [A, R, B]
 * out   y, the shape of x, may be x
 * attr  A, R, B, reverse */
static void op_cumsum(const nnl_call *call, nnl_team *team) {
    const real *x = call->in[0].data;
    real *y = call->out[0].data;
    const int64_t A = call->attr[0].i, R = call->attr[1].i, B = call->attr[2].i;
    const int64_t first = call->attr[3].i ? (R - 1) * B : 0, step = call->attr[3].i ? -B : B;
    const nnl_range part = nnl_share(A * B, NNL_CACHE_LINE, team);
    for (int64_t i = part.begin; i < part.end;) {
        const int64_t width = columns_at(i, part.end, B, SUM_WIDTH);
        double sum[SUM_WIDTH] = {0};
        int64_t at = i / B * R * B + i % B + first;
        for (int64_t r = 0; r < R; r++, at += step)
            for (int64_t j = 0; j < width; j++) y[at + j] = (real)(sum[j] += (double)x[at + j]);
        i += width;
    }
}

enum {
    ARGMAX_BLOCK = 1024, /* elements of narrow rows that are computed together, in L1 */
    ARGMAX_NARROW = 64,  /* elements of the longest narrow row */
    ARGMAX_LANES = 2 * ROW_LANES
};

/* For each narrow row the index of its largest element, or of its first NaN. For each element, the
 * loop finds the largest of the next 2, 4, 8 ... elements as the larger of two shorter runs. If
 * these are equal, the first run's is taken. The last round is shorter if n is not a power of 2. */
static void argmax_of_narrow_rows(int32_t *index, const real *x, int64_t rows, int64_t n) {
    real largest[ARGMAX_BLOCK];
    int32_t place[ARGMAX_BLOCK];
    memcpy(largest, x, (size_t)(rows * n) * sizeof *x);
    memset(place, 0, (size_t)(rows * n) * sizeof *place);
    for (int64_t run = 1, next; run < n; run = next) {
        next = min_of(2 * run, n);
        const int32_t shift = (int32_t)(next - run);
        for (int64_t i = 0; i + next <= rows * n; i++) {
            const real a = largest[i], b = largest[i + shift];
            const int32_t place_a = place[i], place_b = place[i + shift] + shift;
            largest[i] = is_larger(b, a) ? b : a;
            place[i] = is_larger(b, a) ? place_b : place_a;
        }
    }
    for (int64_t row = 0; row < rows; row++) index[row] = n > 0 ? place[row * n] : 0;
}

/* The same for one row of at least ARGMAX_LANES elements: for each lane, then over the lanes. */
static int32_t argmax_of_row(const real *x, int64_t n) {
    real largest[ARGMAX_LANES];
    int32_t place[ARGMAX_LANES];
    for (int32_t j = 0; j < ARGMAX_LANES; j++) largest[j] = x[j], place[j] = j;
    for (int64_t i = ARGMAX_LANES; i < n; i += ARGMAX_LANES) {
        if (i + ARGMAX_LANES > n) i = n - ARGMAX_LANES; /* the overlap is harmless */
        NNL_LANES
        for (int32_t j = 0; j < ARGMAX_LANES; j++) {
            const int larger = is_larger(x[i + j], largest[j]);
            largest[j] = larger ? x[i + j] : largest[j];
            place[j] = larger ? (int32_t)i + j : place[j];
        }
    }
    int best = 0;
    for (int j = 1; j < ARGMAX_LANES; j++) {
        const bool equal = !is_larger(largest[best], largest[j]) & (place[j] < place[best]);
        best = (is_larger(largest[j], largest[best]) | equal) ? j : best;
    }
    return place[best];
}

/* The same for rows of any length. */
static void argmax_of_rows(int32_t *index, const real *x, int64_t rows, int64_t n) {
    const int64_t step = n > ARGMAX_NARROW ? 1 : n > 0 ? ARGMAX_BLOCK / n : ARGMAX_BLOCK;
    for (int64_t row = 0; row < rows; row += step) {
        if (n <= ARGMAX_NARROW)
            argmax_of_narrow_rows(index + row, x + row * n, min_of(step, rows - row), n);
        else
            index[row] = argmax_of_row(x + row * n, n);
    }
}

/* The same for the first `width` columns of x [R, B]. */
static void argmax_of_columns(int32_t *index, const real *x, int64_t R, int64_t B, int64_t width) {
    real largest[SUM_WIDTH];
    for (int64_t j = 0; j < width; j++) {
        largest[j] = R > 0 ? x[j] : 0;
        index[j] = 0;
    }
    for (int64_t r = 1; r < R; r++)
        for (int64_t j = 0; j < width; j++) {
            const real value = x[r * B + j];
            const bool better = is_larger(value, largest[j]);
            largest[j] = better ? value : largest[j];
            index[j] = better ? (int32_t)r : index[j];
        }
}

/* y[a, b] = the lowest r where x[a, r, b] is largest. NaN is larger than all numbers.
 * in    x, read as [A, R, B]
 * out   y int32, read as [A, B]
 * attr  A, R, B */
static void op_argmax(const nnl_call *call, nnl_team *team) {
    const real *x = call->in[0].data;
    int32_t *out = call->out[0].data;
    const int64_t A = call->attr[0].i, R = call->attr[1].i, B = call->attr[2].i;
    const nnl_range part = nnl_share(A * B, 16, team);
    if (B == 1) {
        argmax_of_rows(out + part.begin, x + part.begin * R, part.end - part.begin, R);
        return;
    }
    for (int64_t i = part.begin; i < part.end;) {
        const real *first = x + i / B * R * B + i % B;
        const int64_t width = columns_at(i, part.end, B, SUM_WIDTH);
        argmax_of_columns(out + i, first, R, B, width);
        i += width;
    }
}
