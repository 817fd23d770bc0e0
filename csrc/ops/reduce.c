/* reduce.c: sums and maxima over one axis, in an order of summation that depends on the shape
 * alone.
 *
 * x is seen as [A, R, B] and reduced over R. R is cut into chunks; a chunk is summed for many
 * columns side by side, where a narrow x is seen as a wider one of fewer rows. Sums of chunks
 * are added in double, in the order of the chunks. So no float takes part in more than about
 * CHUNK_ROWS additions of float, however long the sum. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/column_sums.h"
#include "../math/vec.h"
#include "../runtime/barrier.h"
#include "../runtime/shares.h"

/* A sum of all elements is [1, n, 1]: so a call that has no attributes needs none. */
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

/* Sums this thread's chunks, each to a row of scratch, or to its place in `out` if there is one
 * chunk only. */
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

/* Of outputs i ... end - 1, as many as share the index a and fit into `most`. */
static inline int64_t columns_at(int64_t i, int64_t end, int64_t B, int64_t most) {
    int64_t count = min_of(B - i % B, end - i);
    return min_of(count, most);
}

/* out[a][b] = the chunks' sums, first to last. */
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

/* out[a][b] = sum over r of x[a][r][b].
 * in    x [A, R, B]
 * out   A * B values
 * attr  A, R, B */
static void op_reduce_sum(const nnl_call *call, nnl_team *team) { reduce(call, team, itself_of); }
/* in    x
 * out   the sum of its squares, or of its absolute values, one value. No attr. */
static void op_sum_squares(const nnl_call *call, nnl_team *team) { reduce(call, team, squared); }
static void op_sum_abs(const nnl_call *call, nnl_team *team) { reduce(call, team, real_abs); }

/* The larger; NaN if either is. */
NNL_INLINE real larger_or_nan(real a, real b) { return ((b > a) | (b != b)) ? b : a; }
NNL_INLINE real lane_larger_or_nan(real lane, real x, real y) {
    return (void)y, larger_or_nan(lane, x);
}

static real row_max_or_nan(const real *x, int64_t n) {
    return fold_row(x, x, n, -REAL_INFINITY, lane_larger_or_nan, larger_or_nan);
}

/* out[a][b] = max over r of x[a][r][b], NaN if there is one.
 * in    x [A, R, B]
 * out   A * B values
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

/* Elements of narrow rows worked on together, which stay in the level 1 cache, and how wide such
 * rows are at most. */
enum { ARGMAX_BLOCK = 1024, ARGMAX_NARROW = 64, ARGMAX_LANES = 2 * ROW_LANES };

/* Of each of a few narrow rows the first place of the largest; of the first NaN if there is one.
 * From each element on, the largest of the next 2, 4, 8 ... elements is that of two shorter runs,
 * the first of which counts where they are equal. */
static void argmax_of_narrow_rows(int32_t *index, const real *x, int64_t rows, int64_t n) {
    real largest[ARGMAX_BLOCK];
    int32_t place[ARGMAX_BLOCK];
    memcpy(largest, x, (size_t)(rows * n) * sizeof *x);
    memset(place, 0, (size_t)(rows * n) * sizeof *place);
    for (int64_t have = 1, next; have < n; have = next) {
        next = min_of(2 * have, n);
        const int32_t on = (int32_t)(next - have);
        for (int64_t i = 0; i + next <= rows * n; i++) {
            const real a = largest[i], b = largest[i + on];
            const int32_t at = place[i], from_b = place[i + on] + on;
            largest[i] = is_larger(b, a) ? b : a;
            place[i] = is_larger(b, a) ? from_b : at;
        }
    }
    for (int64_t row = 0; row < rows; row++) index[row] = n > 0 ? place[row * n] : 0;
}

/* The same of a row of at least ARGMAX_LANES elements: of each lane, and then of the lanes. */
static int32_t argmax_of_row(const real *x, int64_t n) {
    real largest[ARGMAX_LANES];
    int32_t place[ARGMAX_LANES];
    for (int32_t j = 0; j < ARGMAX_LANES; j++) largest[j] = x[j], place[j] = j;
    for (int64_t i = ARGMAX_LANES; i < n; i += ARGMAX_LANES) {
        if (i + ARGMAX_LANES > n) i = n - ARGMAX_LANES; /* some twice: the first place counts */
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
        best = is_larger(largest[j], largest[best]) | equal ? j : best;
    }
    return place[best];
}

static void argmax_of_rows(int32_t *index, const real *x, int64_t rows, int64_t n) {
    const int64_t step = n > ARGMAX_NARROW ? 1 : n > 0 ? ARGMAX_BLOCK / n : ARGMAX_BLOCK;
    for (int64_t row = 0; row < rows; row += step) {
        if (n <= ARGMAX_NARROW)
            argmax_of_narrow_rows(index + row, x + row * n, min_of(step, rows - row), n);
        else
            index[row] = argmax_of_row(x + row * n, n);
    }
}

/* The same for columns b ... b + width - 1 of [R, B]. */
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

/* out[a][b] = the first r where x[a][r][b] is largest; NaN counts as largest.
 * in    x [A, R, B]
 * out   int32, A * B values
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
