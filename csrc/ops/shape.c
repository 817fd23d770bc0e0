/* shape.c: ops that move or convert elements: transpose, gather, its gradient scatter_add,
 * gather_csr, standardize, one_hot. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../gemm/fusion.h"
#include "../math/vec.h"
#include "../runtime/shares.h"

/* A permutation of dimensions: the output's dimensions, and the stride of the input along each of
 * them. Neighbours of the input that remain neighbours are merged into one dimension. */
typedef struct {
    int ndim;
    int64_t shape[NNL_MAX_NDIM], stride[NNL_MAX_NDIM];
} permutation;

static permutation plan_transpose(const nnl_tensor *x, const nnl_attr *axes) {
    permutation p = {.ndim = 0};
    for (int d = 0; d < x->ndim; d++) {
        const int axis = (int)axes[d].i;
        if (x->shape[axis] == 1) continue;
        int64_t stride = 1;
        for (int e = axis + 1; e < x->ndim; e++) stride *= x->shape[e];
        if (p.ndim > 0 && p.stride[p.ndim - 1] == stride * x->shape[axis])
            p.shape[p.ndim - 1] *= x->shape[axis];
        else
            p.shape[p.ndim++] = x->shape[axis];
        p.stride[p.ndim - 1] = stride;
    }
    if (p.ndim == 0) p.stride[0] = p.shape[p.ndim++] = 1;
    return p;
}

enum { TRANSPOSE_TILE = 16 };

/* y[i, j] = x[j, i] for a tile of at most TRANSPOSE_TILE rows and columns. */
static void transpose_tile(real *y, int64_t y_stride, const real *x, int64_t x_stride, int64_t rows,
                           int64_t columns) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) y[i * y_stride + j] = x[j * x_stride + i];
}

/* Offsets in x and in y. */
typedef struct {
    int64_t x, y;
} offset_pair;

/* The offsets of index `at`, which counts over the dimensions of p except the last and `skip`. */
static offset_pair offsets_of(const permutation *p, int64_t at, int skip) {
    offset_pair offset = {0, 0};
    int64_t y_stride = p->shape[p->ndim - 1];
    for (int d = p->ndim - 2; d >= 0; d--) {
        if (d != skip) {
            offset.x += at % p->shape[d] * p->stride[d];
            offset.y += at % p->shape[d] * y_stride;
            at /= p->shape[d];
        }
        y_stride *= p->shape[d];
    }
    return offset;
}

/* If the innermost dimension is the same in x and y, its rows are copied whole. */
static void transpose_rows(real *y, const real *x, const permutation *p, int64_t n,
                           const nnl_team *team) {
    const int last = p->ndim - 1;
    const int64_t length = p->shape[last];
    const nnl_range part = nnl_share(n / length, 1, team);
    for (int64_t row = part.begin; row < part.end; row++)
        memcpy(y + row * length, x + offsets_of(p, row, last).x, (size_t)length * sizeof *y);
}

/* Otherwise matrices are transposed, tile by tile: their rows are contiguous in y, their columns in
 * x. */
static void transpose_matrices(real *y, const real *x, const permutation *p, int64_t n,
                               const nnl_team *team) {
    const int last = p->ndim - 1;
    int across = 0; /* the output's dimension along which x is contiguous */
    while (p->stride[across] != 1) across++;
    int64_t y_stride = 1;
    for (int d = across + 1; d <= last; d++) y_stride *= p->shape[d];
    const int64_t rows = p->shape[across], columns = p->shape[last], x_stride = p->stride[last];
    const int64_t tiles = ceil_div(rows, TRANSPOSE_TILE);
    const nnl_range part = nnl_share(n / (rows * columns) * tiles, 1, team);
    for (int64_t item = part.begin; item < part.end; item++) {
        const offset_pair start = offsets_of(p, item / tiles, across);
        const int64_t i = item % tiles * TRANSPOSE_TILE;
        const int64_t height = min_of(rows - i, TRANSPOSE_TILE);
        for (int64_t j = 0; j < columns; j += TRANSPOSE_TILE) {
            const int64_t width = min_of(columns - j, TRANSPOSE_TILE);
            transpose_tile(y + start.y + i * y_stride + j, y_stride, x + start.x + i + j * x_stride,
                           x_stride, height, width);
        }
    }
}

/* y = x with its dimensions permuted: dimension d of y is dimension attr[d] of x, as in NumPy.
 * in    x [...]
 * out   y, not x
 * attr  a dimension of x for each dimension of y */
static void op_transpose(const nnl_call *call, nnl_team *team) {
    const int64_t n = nnl_size(&call->in[0]);
    if (n == 0) return;
    const permutation p = plan_transpose(&call->in[0], call->attr);
    if (p.stride[p.ndim - 1] == 1)
        transpose_rows(call->out[0].data, call->in[0].data, &p, n, team);
    else
        transpose_matrices(call->out[0].data, call->in[0].data, &p, n, team);
}

/* The element types of a source: attr[0] of gather, gather_csr and standardize. */
enum {
    FROM_FLOAT32,
    FROM_FLOAT64,
    FROM_UINT8,
    FROM_INT8,
    FROM_INT16,
    FROM_UINT16,
    FROM_INT32,
    FROM_UINT32,
    FROM_INT64,
    FROM_UINT64,
    FROM_BOOL
};

/* y = x, n elements of type T. x need not be aligned. */
#define CONVERT(T, to) \
    for (int64_t i = 0; i < n; i++) { \
        T value; \
        memcpy(&value, x + i * (int64_t)sizeof value, sizeof value); \
        y[i] = to(value); \
    } \
    break
#define CONVERT_FROM(type, to) \
    switch (type) { \
    case FROM_FLOAT32: \
        CONVERT(float, to); \
    case FROM_FLOAT64: \
        CONVERT(double, to); \
    case FROM_INT8: \
        CONVERT(int8_t, to); \
    case FROM_INT16: \
        CONVERT(int16_t, to); \
    case FROM_UINT16: \
        CONVERT(uint16_t, to); \
    case FROM_INT32: \
        CONVERT(int32_t, to); \
    case FROM_UINT32: \
        CONVERT(uint32_t, to); \
    case FROM_INT64: \
        CONVERT(int64_t, to); \
    case FROM_UINT64: \
        CONVERT(uint64_t, to); \
    default: \
        CONVERT(uint8_t, to); \
    }

static void convert_to_real(real *restrict y, const char *restrict x, int64_t n, int type) {
    CONVERT_FROM(type, (real))
}

static void convert_to_double(double *restrict y, const char *restrict x, int64_t n, int type) {
    CONVERT_FROM(type, (double))
}

static void convert_to_int32(int32_t *restrict y, const char *restrict x, int64_t n, int type) {
    CONVERT_FROM(type, int32_of)
}

#undef CONVERT_FROM
#undef CONVERT

static int64_t size_of_element(int type) {
    switch (type) {
    case FROM_FLOAT64:
    case FROM_INT64:
    case FROM_UINT64:
        return 8;
    case FROM_FLOAT32:
    case FROM_INT32:
    case FROM_UINT32:
        return 4;
    case FROM_INT16:
    case FROM_UINT16:
        return 2;
    default:
        return 1;
    }
}

/* How a gather converts: from `type` to int32 or real, whose elements have out_size bytes. If it is
 * the same type, rows are copied. */
typedef struct {
    int type;
    bool to_int32, same_type;
    int64_t out_size;
} conversion;

static conversion plan_conversion(const nnl_attr *attr) {
    conversion c = {.type = (int)attr[0].i, .to_int32 = attr[3].i == 1};
    c.out_size = c.to_int32 ? 4 : (int64_t)sizeof(real);
    c.same_type = c.type == (c.to_int32 ? FROM_INT32 : REAL_IS_FLOAT ? FROM_FLOAT32 : FROM_FLOAT64);
    return c;
}

static void convert_elements(char *y, const char *x, int64_t n, const conversion *c) {
    if (c->same_type)
        memcpy(y, x, (size_t)(n * c->out_size));
    else if (c->to_int32)
        convert_to_int32((int32_t *)y, x, n, c->type);
    else
        convert_to_real((real *)y, x, n, c->type);
}

/* The rows of a batch are anywhere in memory. While one row is read, the beginning of the next is
 * prefetched, enough of it that the CPU's own prefetcher continues with the rest. */
NNL_INLINE void prefetch_row(const char *row, int64_t bytes) {
    enum { BEGINNING = 4096 };
    for (int64_t b = 0; b < min_of(bytes, BEGINNING); b += 64) __builtin_prefetch(row + b, 0, 2);
}

/* y[i] = source[index[i]], converted to the type of y. Without an index, y[i] = source[i]. An
 * invalid index gives a row of zeros and is reported.
 * in    source, contiguous rows that are `stride` bytes apart; optionally index int32 [n]
 * out   y [n, ...], real or int32
 * attr  element type of the source (FROM_FLOAT32 ...), stride, number of rows of the source,
 *       0: y is real or 1: y is int32 */
static void op_gather(const nnl_call *call, nnl_team *team) {
    const char *source = call->in[0].data;
    char *out = call->out[0].data;
    const int64_t n = call->out[0].shape[0], stride = call->attr[1].i, rows = call->attr[2].i;
    const conversion c = plan_conversion(call->attr);
    if (nnl_size(&call->out[0]) == 0) return;
    const int64_t width = nnl_size(&call->out[0]) / n;
    const int32_t *index = call->n_in > 1 ? call->in[1].data : NULL;
    if (!index && stride == width * size_of_element(c.type) &&
        n <= rows) { /* one contiguous block */
        const nnl_range part = nnl_share(n * width, 16, team);
        convert_elements(out + part.begin * c.out_size,
                         source + part.begin * size_of_element(c.type), part.end - part.begin, &c);
        return;
    }
    const nnl_range part = nnl_share(n, 1, team);
    for (int64_t i = part.begin; i < part.end; i++) {
        const int64_t row = index ? index[i] : i;
        char *y = out + i * width * c.out_size;
        const int64_t next = index && i + 1 < part.end ? index[i + 1] : -1;
        if (next >= 0 && next < rows)
            prefetch_row(source + next * stride, width * size_of_element(c.type));
        if (row >= 0 && row < rows) {
            convert_elements(y, source + row * stride, width, &c);
        } else {
            memset(y, 0, (size_t)(width * c.out_size));
            nnl_report_invalid_index(team, i, row);
        }
    }
}

/* --- standardize: in double precision, so that what varies in a column far from 0 is not rounded
 * away. */

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
                nnl_report_invalid_index(team, i, row);
                continue;
            }
            for (int64_t j = first; j < width; j += step)
                standardize_elements(y + j, x + j * element, min_of(scale.n, width - j), type,
                                     &scale, call->attr[3].i == 1);
        }
    }
}

/* y[i] = row index[i] of a sparse matrix (compressed sparse rows) as a dense row. Without an index,
 * row i. An invalid index gives a row of zeros, an invalid column is left out; i is reported.
 * in    values float or double [stored]; column of each value int32 [stored]; number of the first
 *       value of each row int64 [rows + 1]; optionally index int32 [n]
 * out   y real [n, columns]
 * attr  element type of the values (FROM_FLOAT32 or FROM_FLOAT64), rows of the matrix */
static void op_gather_csr(const nnl_call *call, nnl_team *team) {
    const float *narrow = call->in[0].data;
    const double *wide = call->attr[0].i == FROM_FLOAT64 ? call->in[0].data : NULL;
    const int32_t *column = call->in[1].data, *index = call->n_in > 3 ? call->in[3].data : NULL;
    const int64_t *begin = call->in[2].data, rows = call->attr[1].i;
    const int64_t n = call->out[0].shape[0], columns = call->out[0].shape[1];
    const nnl_range part = nnl_share(n, 1, team);
    for (int64_t i = part.begin; i < part.end; i++) {
        const int64_t row = index ? index[i] : i;
        real *y = (real *)call->out[0].data + i * columns;
        memset(y, 0, (size_t)columns * sizeof *y);
        if (row < 0 || row >= rows) {
            nnl_report_invalid_index(team, i, row);
            continue;
        }
        for (int64_t k = begin[row]; k < begin[row + 1]; k++) {
            if (column[k] < 0 || column[k] >= columns)
                nnl_report_invalid_index(team, i, column[k]);
            else
                y[column[k]] = wide ? (real)wide[k] : (real)narrow[k];
        }
    }
}

/* Scratch of scatter_add as a producer, for one thread: a tile of rows, the numbers i in the order
 * of their rows, and where those of a row end. */
typedef struct {
    real *tile;
    int32_t *sorted, *end;
    int64_t rows_of_tile, reals;
} nnl_scatter_room;

static nnl_scatter_room scatter_room(void *scratch, int64_t M, int64_t R, int64_t width, int id) {
    const int64_t ints = ceil_div(M + R, NNL_CACHE_LINE) * NNL_CACHE_LINE;
    nnl_scatter_room room = {.rows_of_tile = max_of(1, FUSED_TILE / max_of(width, 1))};
    const int64_t tile = ceil_div(room.rows_of_tile * width, NNL_CACHE_LINE) * NNL_CACHE_LINE;
    room.reals = tile + ints; /* an int32 takes no more than a real */
    room.tile = (real *)scratch + id * room.reals;
    room.sorted = (int32_t *)(room.tile + tile);
    room.end = room.sorted + M;
    return room;
}

/* y goes to the consumer, tile by tile. A thread owns some rows; it sorts the numbers i by their
 * rows, and so adds in the same order as below. */
static void scatter_add_to_consumer(const nnl_call *call, const nnl_team *team) {
    const nnl_tensor *x = &call->in[0];
    const int32_t *index = call->in[1].data;
    const int64_t M = call->in[1].shape[0], R = call->attr[0].i;
    int64_t width = 1;
    for (int d = 1; d < x->ndim; d++) width *= x->shape[d];
    const nnl_scatter_room room = scatter_room(team->scratch, M, R, width, team->id);
    const nnl_range mine = nnl_share(R, 1, team);
    int32_t *end = room.end, begin = 0;
    memset(end, 0, (size_t)length(mine) * sizeof *end);
    for (int64_t i = 0; i < M; i++)
        if (index[i] >= mine.begin && index[i] < mine.end) end[index[i] - mine.begin]++;
    for (int64_t r = 0; r < length(mine); r++) { /* where those of a row begin */
        const int32_t count = end[r];
        end[r] = begin, begin += count;
    }
    for (int64_t i = 0; i < M; i++)
        if (index[i] >= mine.begin && index[i] < mine.end)
            room.sorted[end[index[i] - mine.begin]++] = (int32_t)i;
    begin = 0;
    for (int64_t r = mine.begin, n; r < mine.end; r += n) {
        n = min_of(room.rows_of_tile, mine.end - r);
        memset(room.tile, 0, (size_t)(n * width) * sizeof *room.tile);
        for (int64_t row = 0; row < n; row++) {
            real *to = room.tile + row * width;
            for (; begin < end[r - mine.begin + row]; begin++) {
                const real *from = (const real *)x->data + room.sorted[begin] * width;
                for (int64_t j = 0; j < width; j++) to[j] += from[j];
            }
        }
        hand_on(team, room.tile, r * width, (r + n) * width);
    }
}

static int64_t scatter_add_scratch(const nnl_call *call, int threads) {
    const int64_t M = call->in[1].shape[0], R = call->attr[0].i;
    int64_t width = 1;
    for (int d = 1; d < call->in[0].ndim; d++) width *= call->in[0].shape[d];
    if (call->n_out) return 0;
    return scatter_room(NULL, M, R, width, 0).reals * threads * (int64_t)sizeof(real);
}

/* The gradient of gather: y[index[i]] += x[i] for all i in order, from zeros on. Rows out of range
 * are left out. A thread owns some of the columns, or some of the rows if they are short, and looks
 * at each index: the order of a sum does not depend on the threads. May be fused as the producer of
 * y (gemm/fusion.h); y has no memory then.
 * in    x [M, ...], index [M]
 * out   y [R, ...]
 * attr  R */
static void op_scatter_add(const nnl_call *call, nnl_team *team) {
    if (team->consumer) {
        scatter_add_to_consumer(call, team);
        return;
    }
    const real *x = call->in[0].data;
    const int32_t *index = call->in[1].data;
    real *y = call->out[0].data;
    const int64_t M = call->in[1].shape[0], R = call->out[0].shape[0];
    if (nnl_size(&call->out[0]) == 0) return;
    const int64_t width = nnl_size(&call->out[0]) / R;
    const bool by_columns = width >= NNL_CACHE_LINE * team->size;
    const nnl_range all_rows = {0, R}, all_columns = {0, width};
    const nnl_range rows = by_columns ? all_rows : nnl_share(R, 1, team);
    const nnl_range columns = by_columns ? nnl_share(width, NNL_CACHE_LINE, team) : all_columns;
    const size_t size = (size_t)length(columns) * sizeof *y;
    for (int64_t r = rows.begin; r < rows.end; r++) memset(y + r * width + columns.begin, 0, size);
    for (int64_t i = 0; i < M; i++) {
        const int64_t r = index[i];
        if (r < rows.begin || r >= rows.end) continue;
        real *to = y + r * width + columns.begin;
        const real *from = x + i * width + columns.begin;
        for (int64_t j = 0; j < length(columns); j++) to[j] += from[j];
    }
}

/* y[..., l] = 1 if l is the label, else 0. An invalid label gives zeros and is reported.
 * in    labels int32 [...]
 * out   y real [..., L] */
static void op_one_hot(const nnl_call *call, nnl_team *team) {
    const int32_t *label = call->in[0].data;
    real *y = call->out[0].data;
    const int64_t n = nnl_size(&call->in[0]), L = call->out[0].shape[call->out[0].ndim - 1];
    const nnl_range part = nnl_share(n, 1, team);
    memset(y + part.begin * L, 0, (size_t)((part.end - part.begin) * L) * sizeof *y);
    for (int64_t i = part.begin; i < part.end; i++) {
        if (label[i] >= 0 && label[i] < L)
            y[i * L + label[i]] = 1;
        else
            nnl_report_invalid_index(team, i, label[i]);
    }
}
