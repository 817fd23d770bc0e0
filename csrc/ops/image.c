/* image.c: images with a margin, and images that are turned, moved, stretched. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/vec.h"
#include "../runtime/shares.h"

/* y = x moved by `top` rows and `left` columns; zeros where there is no x, and what falls outside
 * of y is cut off. So the offsets -top and -left take back what top and left did.
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

/* How an image goes on beyond its sides, as attr[0] of affine_transform names it. */
enum { FILL_CONSTANT, FILL_NEAREST, FILL_REFLECT, FILL_WRAP };

/* Pixels of a row worked on together. */
enum { WARP_PIXELS = 64 };

/* Where coordinates along one side of an image lie: between the pixels that begin `low` and `high`
 * elements from its start, `part` of the way; and whether they are inside. */
typedef struct {
    int32_t low[WARP_PIXELS], high[WARP_PIXELS], inside[WARP_PIXELS];
    real part[WARP_PIXELS];
} warp_side;

/* The coordinate in the image that stands for `at`, where the pixels are 0 ... last; up to one
 * pixel beyond, where the outermost pixel's value holds. Reflections are about the pixels' outer
 * edges; a wrapped image repeats after `last` pixels, as if its last pixel were the first of the
 * next. */
NNL_INLINE double continued(double at, double last, int mode) {
    if (mode == FILL_REFLECT) {
        const double side = last + 1, period = 2 * side, right = at < 0 ? -1 - at : at;
        const double within = right - period * __builtin_floor(right / period);
        return within >= side ? period - 1 - within : within;
    }
    if (mode == FILL_WRAP) {
        const double before = at + last * (__builtin_floor(-at / last) + 1);
        const double behind = at - last * __builtin_floor(at / last);
        return at < 0 ? before : at > last ? behind : at;
    }
    return at;
}

/* A line of coordinates along one side of an image, which has n pixels `stride` elements apart:
 * start + slope * j for the columns j of the output. */
typedef struct {
    double start, slope;
    int32_t n, stride;
} warp_line;

/* The places of the coordinates of `count` columns from `first` on. Coordinates are double and
 * never fused, so that all instruction sets agree on which side of a pixel they fall. */
NNL_INLINE void find_places(warp_side *side, warp_line line, int32_t first, int32_t count,
                            bool smooth, int mode) {
    const double last = line.n - 1;
    NNL_INDEPENDENT
    for (int32_t j = 0; j < count; j++) {
        const double at = line.start + line.slope * (first + j);
        double in = continued(at, last, mode);
        in = in > 0 ? in : 0; /* NaN too */
        in = in < last ? in : last;
        in = smooth ? in : __builtin_floor(in + 0.5);
        const double pixel = __builtin_floor(in);
        const int32_t low = (int32_t)pixel, high = low < line.n - 1 ? low + 1 : low;
        side->low[j] = low * line.stride;
        side->high[j] = high * line.stride;
        side->part[j] = (real)(in - pixel);
        side->inside[j] = mode != FILL_CONSTANT || ((at >= 0) & (at <= last));
    }
}

static void find_places_in(warp_side *side, warp_line line, int32_t first, int32_t count,
                           bool smooth, int mode) {
    switch (mode) {
    case FILL_CONSTANT:
        find_places(side, line, first, count, smooth, FILL_CONSTANT);
        break;
    case FILL_NEAREST:
        find_places(side, line, first, count, smooth, FILL_NEAREST);
        break;
    case FILL_REFLECT:
        find_places(side, line, first, count, smooth, FILL_REFLECT);
        break;
    default:
        find_places(side, line, first, count, smooth, FILL_WRAP);
    }
}

/* Exactly a where a and b are equal. */
NNL_INLINE real between(real a, real b, real part) { return fmadd(part, b - a, a); }

/* y = the image at `count` places; C and smooth are constants wherever that is worth it. */
NNL_INLINE void read_places(real *restrict y, const real *restrict image, const warp_side *row,
                            const warp_side *column, int32_t count, int32_t C, real cval,
                            bool smooth) {
    for (int32_t j = 0; j < count; j++) {
        const bool inside = row->inside[j] & column->inside[j];
        for (int32_t c = 0; c < C; c++) {
            const int32_t above = row->low[j] + c, below = row->high[j] + c;
            const int32_t left = column->low[j], right = column->high[j];
            real value = image[above + left];
            if (smooth) {
                const real upper = between(value, image[above + right], column->part[j]);
                const real lower = between(image[below + left], image[below + right],
                                           column->part[j]);
                value = between(upper, lower, row->part[j]);
            }
            y[j * C + c] = inside ? value : cval;
        }
    }
}

static void read_places_of(real *restrict y, const real *restrict image, const warp_side *row,
                           const warp_side *column, int32_t count, int32_t C, real cval,
                           bool smooth) {
    if (!smooth)
        read_places(y, image, row, column, count, C, cval, false);
    else if (C == 1)
        read_places(y, image, row, column, count, 1, cval, true);
    else if (C == 3)
        read_places(y, image, row, column, count, 3, cval, true);
    else
        read_places(y, image, row, column, count, C, cval, true);
}

/* y[n, i, j] = x[n] at the row m2 + m0 i + m1 j and the column m5 + m3 i + m4 j, between pixels
 * bilinear or the nearest one's.
 * in    x [N, H, W, C], H W C < 2^31; m int32 [N, 12]: the bit patterns of six doubles, as floats
 *       would decide wrongly at the border of an image
 * out   y as x
 * attr  how x goes on outside (FILL_CONSTANT ...), 1 = bilinear, value outside (FILL_CONSTANT) */
static void op_affine_transform(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *in = &call->in[0];
    const int64_t H = in->shape[1], W = in->shape[2], C = in->shape[3];
    const int mode = (int)call->attr[0].i;
    const bool smooth = call->attr[1].i;
    const real cval = (real)call->attr[2].f;
    if (W * C == 0) return;
    const nnl_range part = nnl_share(in->shape[0] * H, 1, team);
    for (int64_t line = part.begin; line < part.end; line++) {
        const real *image = (const real *)in->data + line / H * H * W * C;
        real *y = (real *)call->out[0].data + line * W * C;
        double m[6];
        memcpy(m, (const int32_t *)call->in[1].data + line / H * 12, sizeof m);
        const double i = (double)(line % H);
        const warp_line rows = {m[2] + m[0] * i, m[1], (int32_t)H, (int32_t)(W * C)};
        const warp_line columns = {m[5] + m[3] * i, m[4], (int32_t)W, (int32_t)C};
        for (int32_t first = 0; first < W; first += WARP_PIXELS, y += WARP_PIXELS * C) {
            const int32_t rest = (int32_t)W - first;
            const int32_t count = (int32_t)min_of(rest, WARP_PIXELS);
            warp_side row, column;
            find_places_in(&row, rows, first, count, smooth, mode);
            find_places_in(&column, columns, first, count, smooth, mode);
            read_places_of(y, image, &row, &column, count, (int32_t)C, cval, smooth);
        }
    }
}
