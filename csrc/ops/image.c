/* image.c: padding, cropping and resizing of images, and equalization of their values. */
#include <stdint.h>
#include <string.h>

#include "../math/vec.h"
#include "../runtime/shares.h"

/* y[n, h + top, w + left, c] = x[n, h, w, c]: padding, or cropping if the offsets are negative.
 * Elements of y that have no x are 0; elements of x that have no place in y are dropped. The
 * gradient is the same op with the offsets -top and -left.
 * in    x [N, H, W, C]
 * out   y [N, OH, OW, C]
 * attr  top, left */
static void op_pad2d(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *in = &call->in[0], *out = &call->out[0];
    const int64_t H = in->shape[1], W = in->shape[2], C = in->shape[3];
    const int64_t OH = out->shape[1], OW = out->shape[2];
    const int64_t top = call->attr[0].i, left = call->attr[1].i;
    int64_t first = max_of(left, 0), end = min_of(left + W, OW);
    if (first > OW) first = OW;
    if (end < first) end = first;
    const nnl_range part = nnl_share(out->shape[0] * OH, 1, team);
    for (int64_t row = part.begin; row < part.end; row++) {
        const int64_t h = row % OH - top;
        real *y = (real *)out->data + row * OW * C;
        if (h < 0 || h >= H || first == end) {
            memset(y, 0, (size_t)(OW * C) * sizeof *y);
            continue;
        }
        const real *x = (const real *)in->data + ((row / OH * H + h) * W + first - left) * C;
        memset(y, 0, (size_t)(first * C) * sizeof *y);
        memcpy(y + first * C, x, (size_t)((end - first) * C) * sizeof *y);
        memset(y + end * C, 0, (size_t)((OW - end) * C) * sizeof *y);
    }
}

/* Numbers of an inner axis that are summed together by resample. */
enum { RESAMPLE_BLOCK = 64 };

/* y[b] = sum of weights[k] x[k B + b], over K terms, for b < B. */
NNL_INLINE void weighted_sum(real *restrict y, const real *restrict x, const real *restrict weights,
                             int64_t K, int64_t B) {
    for (int64_t at = 0; at < B; at += RESAMPLE_BLOCK) {
        const int64_t count = min_of(B - at, RESAMPLE_BLOCK);
        real sum[RESAMPLE_BLOCK];
        for (int64_t b = 0; b < count; b++) sum[b] = weights[0] * x[at + b];
        for (int64_t k = 1; k < K; k++)
            for (int64_t b = 0; b < count; b++)
                sum[b] = fmadd(weights[k], x[k * B + at + b], sum[b]);
        memcpy(y + at, sum, (size_t)count * sizeof *y);
    }
}

/* y[a, i] = sum of weights[i, k] x[a, first[i] + k] over k < K: weighted means of neighbours along
 * an axis. The gradient is the same op with the transposed weights.
 * in    x [A, n, B]; first int32 [m], in [0, n - K]; weights [m, K], K > 0
 * out   y [A, m, B] */
static void op_resample(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *in = &call->in[0];
    const int64_t n = in->shape[1], B = in->shape[2];
    const int64_t m = call->in[2].shape[0], K = call->in[2].shape[1];
    const int32_t *first = call->in[1].data;
    const nnl_range part = nnl_share(in->shape[0] * m, 1, team);
    for (int64_t line = part.begin, a = line / (m ? m : 1), i = line - a * m; line < part.end;
         line++) {
        const real *weights = (const real *)call->in[2].data + i * K;
        const real *x = (const real *)in->data + (a * n + first[i]) * B;
        real *y = (real *)call->out[0].data + line * B;
        if (B == 1)
            weighted_sum(y, x, weights, K, 1);
        else if (B == 3 && K == 2)
            weighted_sum(y, x, weights, 2, 3);
        else if (B == 3)
            weighted_sum(y, x, weights, K, 3);
        else
            weighted_sum(y, x, weights, K, B);
        if (++i == m) i = 0, a++;
    }
}

/* The most bins of equalize. */
enum { EQUALIZE_BINS = 65536 };

/* The bin of a value in [0, 255]; values beyond are in the outermost bins, NaN is in the first. */
NNL_INLINE int32_t bin_of(real value, int32_t bins) {
    const real at = value * (real)(bins - 1) / 255;
    return !(at > 0) ? 0 : at < (real)(bins - 1) ? (int32_t)at : bins - 1;
}

static int64_t equalize_scratch(const nnl_call *call, int threads) {
    return (int64_t)threads * call->attr[0].i * (int64_t)sizeof(int64_t);
}

/* y = 255 times the share of the values of an image and channel that lie in bins up to that of x,
 * not counting the first bin that has any, rounded. A channel with a single bin stays as it is.
 * R. C. Gonzalez, R. E. Woods: "Digital image processing", 2018, section 3.3.
 * in    x [N, P, C]
 * out   y [N, P, C]
 * attr  bins, at most EQUALIZE_BINS */
static void op_equalize(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *in = &call->in[0];
    const int64_t P = in->shape[1], C = in->shape[2];
    const int32_t bins = (int32_t)call->attr[0].i;
    int64_t *below = (int64_t *)team->scratch + (int64_t)team->id * bins;
    const nnl_range part = nnl_share(in->shape[0] * C, 1, team);
    for (int64_t channel = part.begin; channel < part.end; channel++) {
        const int64_t start = channel / C * P * C + channel % C;
        const real *x = (const real *)in->data + start;
        real *y = (real *)call->out[0].data + start;
        memset(below, 0, (size_t)bins * sizeof *below);
        for (int64_t p = 0; p < P; p++) below[bin_of(x[p * C], bins)]++;
        int64_t first = 0, filled = 0, sum = 0;
        for (int32_t b = 0; b < bins; b++) {
            if (below[b] && !sum) first = below[b];
            filled += below[b] != 0;
            sum += below[b];
            below[b] = sum;
        }
        if (filled < 2) {
            for (int64_t p = 0; p < P; p++) y[p * C] = x[p * C];
            continue;
        }
        for (int64_t p = 0; p < P; p++) {
            const double share = (double)(below[bin_of(x[p * C], bins)] - first);
            y[p * C] = (real)__builtin_rint(share * 255 / (double)(P - first));
        }
    }
}

/* --- clahe: contrast limited adaptive histogram equalization. K. Zuiderveld, Graphics Gems IV,
 * 1994. A tile of an image gives a table, what each level becomes there; a pixel gets a mean of
 * those of the four tiles whose centers are around it. */

enum { CLAHE_LEVELS = 256 };

/* Tiles along an axis of n pixels. The last ones may reach beyond the border, where the image is
 * mirrored. */
typedef struct {
    int64_t n, tiles, size;
} tiled_axis;

/* The tiles around a pixel, and how far it is from the center of the first towards the second. */
typedef struct {
    int64_t low, high;
    double share;
} tile_pair;

static tiled_axis tiled(int64_t n, int64_t wanted) {
    const int64_t tiles = min_of(n, wanted); /* more would be of one pixel, too */
    return (tiled_axis){n, tiles, tiles ? ceil_div(n, tiles) : 0};
}

NNL_INLINE int64_t mirrored(int64_t i, int64_t n) { return i < n ? i : 2 * n - 1 - i; }

NNL_INLINE tile_pair tiles_around(int64_t i, tiled_axis axis) {
    const double at = ((double)i - (double)axis.size / 2) / (double)axis.size;
    const double low = __builtin_floor(at);
    return (tile_pair){max_of((int64_t)low, 0), min_of((int64_t)low + 1, axis.tiles - 1), at - low};
}

/* The level of a value in [0, 255]; those beyond have the outermost ones, NaN has the first. */
NNL_INLINE int32_t level_of(real value) {
    return !(value > 0) ? 0 : value < 255 ? (int32_t)value : 255;
}

/* From how often each level occurs among the pixels of a tile to what it becomes. At most `limit`
 * count; all levels get the same share of the rest. */
static void spread_levels(double *levels, double pixels, double limit) {
    double rest = 0, sum = 0;
    for (int v = 0; limit > 0 && v < CLAHE_LEVELS; v++) {
        const double count = levels[v] < limit ? levels[v] : limit;
        rest += levels[v] - count;
        levels[v] = count;
    }
    const double first = levels[0] + rest / CLAHE_LEVELS;
    const double others = pixels - first;
    for (int v = 0; v < CLAHE_LEVELS; v++) {
        sum += levels[v] + rest / CLAHE_LEVELS;
        const double to = (sum - first) * 255 / (others == 0 ? 1 : others);
        levels[v] = to < 0 ? 0 : to > 255 ? 255 : to;
    }
}

static int64_t clahe_scratch(const nnl_call *call, int threads) {
    const nnl_tensor *in = &call->in[0];
    const int64_t down = tiled(in->shape[1], call->attr[0].i).tiles;
    const int64_t across = tiled(in->shape[2], call->attr[1].i).tiles;
    return threads * down * across * CLAHE_LEVELS * (int64_t)sizeof(double);
}

/* y = what the levels of an image and channel become.
 * in    x [N, H, W, C], in [0, 255]
 * out   y [N, H, W, C]
 * attr  tiles along H and W; how often a level may count, as a multiple of the mean; 0: always */
static void op_clahe(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *in = &call->in[0];
    const int64_t C = in->shape[3];
    const tiled_axis rows = tiled(in->shape[1], call->attr[0].i);
    const tiled_axis columns = tiled(in->shape[2], call->attr[1].i);
    const int64_t tables = rows.tiles * columns.tiles * CLAHE_LEVELS, H = rows.n, W = columns.n;
    const double pixels = (double)(rows.size * columns.size);
    const double limit = call->attr[2].f * pixels / CLAHE_LEVELS;
    double *table = (double *)team->scratch + team->id * tables;
    const nnl_range part = nnl_share(tables ? in->shape[0] * C : 0, 1, team);
    for (int64_t channel = part.begin; channel < part.end; channel++) {
        const int64_t start = channel / C * H * W * C + channel % C;
        const real *x = (const real *)in->data + start;
        real *y = (real *)call->out[0].data + start;
        memset(table, 0, (size_t)tables * sizeof *table);
        for (int64_t i = 0; i < rows.tiles * rows.size; i++) {
            const real *row = x + mirrored(i, H) * W * C;
            double *of_row = table + i / rows.size * columns.tiles * CLAHE_LEVELS;
            for (int64_t t = 0, j = 0; t < columns.tiles; t++)
                for (int64_t end = j + columns.size; j < end; j++)
                    of_row[t * CLAHE_LEVELS + level_of(row[mirrored(j, W) * C])]++;
        }
        for (int64_t t = 0; t < tables; t += CLAHE_LEVELS) spread_levels(table + t, pixels, limit);
        for (int64_t i = 0; i < H; i++) {
            const tile_pair down = tiles_around(i, rows);
            const double *above = table + down.low * columns.tiles * CLAHE_LEVELS;
            const double *below = table + down.high * columns.tiles * CLAHE_LEVELS;
            for (int64_t j = 0; j < W; j++) {
                const tile_pair across = tiles_around(j, columns);
                const int32_t level = level_of(x[(i * W + j) * C]);
                const int64_t left = across.low * CLAHE_LEVELS + level;
                const int64_t right = across.high * CLAHE_LEVELS + level;
                const double up = above[left] + across.share * (above[right] - above[left]);
                const double low = below[left] + across.share * (below[right] - below[left]);
                y[(i * W + j) * C] = (real)(up + down.share * (low - up));
            }
        }
    }
}
