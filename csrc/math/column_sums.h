/* column_sums.h: sums over one axis, in an order that depends on the shape only.
 *
 * x is read as [A, R, B] and summed over R. R is cut into chunks, and a chunk is summed for many
 * columns side by side. If B is small, several rows are read as one wide row. */
#ifndef NNL_COLUMN_SUMS_H
#define NNL_COLUMN_SUMS_H

#include <stdint.h>
#include <string.h>

#include "../runtime/shares.h"
#include "vec.h"

enum { CHUNK_ROWS = 64, SUM_WIDTH = 64, COLUMN_TILE = 128 };

/* How [A, R, B] is summed. `groups` rows are read as one wide row of groups * B columns. */
typedef struct {
    int64_t A, R, B, groups, chunk_rows, chunks, tiles;
} sum_shape;

static sum_shape plan_sum(int64_t A, int64_t R, int64_t B) {
    sum_shape s = {.A = A, .R = R, .B = B, .groups = B > 0 && B < SUM_WIDTH ? SUM_WIDTH / B : 1};
    s.chunk_rows = s.groups * CHUNK_ROWS;
    s.chunks = ceil_div(R, s.chunk_rows);
    s.tiles = ceil_div(B, COLUMN_TILE);
    return s;
}

NNL_INLINE real itself_of(real x) { return x; }
NNL_INLINE real squared(real x) { return x * x; }

/* sum[j] += f(x[0][j]) + f(x[1][j]) + ..., row after row. The loop takes eight rows at a time to
 * load and store sum[j] less often; the order of the additions is that of the rows. */
NNL_INLINE void add_rows(real *restrict sum, const real *restrict x, int64_t rows, int64_t stride,
                         int64_t width, real f(real)) {
    int64_t row = 0;
    for (; row + 8 <= rows; row += 8, x += 8 * stride)
        for (int64_t j = 0; j < width; j++) {
            real s = sum[j];
            s += f(x[j]);
            s += f(x[j + stride]);
            s += f(x[j + 2 * stride]);
            s += f(x[j + 3 * stride]);
            s += f(x[j + 4 * stride]);
            s += f(x[j + 5 * stride]);
            s += f(x[j + 6 * stride]);
            s += f(x[j + 7 * stride]);
            sum[j] = s;
        }
    for (; row < rows; row++, x += stride)
        for (int64_t j = 0; j < width; j++) sum[j] += f(x[j]);
}

/* sum[j] = the sum of f over column j of a chunk: `rows` rows, s->B elements apart, from x on. The
 * sums of the rows in a wide row are added pairwise at the end. */
NNL_INLINE void sum_chunk(real sum[COLUMN_TILE], const real *x, int64_t rows, int64_t width,
                          const sum_shape *s, real f(real)) {
    if (rows < ROW_LANES && width == 1) { /* the same order, without the loops below */
        *sum = 0;
        for (int64_t row = 0; row < rows; row++) *sum += f(x[row * s->B]);
        return;
    }
    int64_t groups = rows < ROW_LANES ? 1 : rows / 4 < s->groups ? rows / 4 : s->groups;
    memset(sum, 0, (size_t)(groups * width) * sizeof *sum);
    add_rows(sum, x, rows / groups, groups * s->B, groups * width, f);
    add_rows(sum, x + rows / groups * groups * s->B, rows % groups, s->B, width, f);
    for (; groups > 1; groups = (groups + 1) / 2) {
        const int64_t upper = (groups + 1) / 2 * width;
        for (int64_t j = 0; j < groups / 2 * width; j++) sum[j] += sum[upper + j];
    }
}

#endif
