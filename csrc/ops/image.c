/* image.c: padding and cropping of images, and affine transforms of them. */
#include <stdbool.h>
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

/* What an image contains beyond its border: attr[0] of affine_transform. */
enum { FILL_CONSTANT, FILL_NEAREST, FILL_REFLECT, FILL_WRAP };

/* Pixels of a row that are computed together. */
enum { WARP_PIXELS = 64 };

/* Coordinates along one axis of an image, for some pixels of the output. A coordinate is between
 * two pixels, whose offsets in the image are `low` and `high`, at `fraction` of the distance.
 * `inside`: whether the coordinate is inside the image. */
typedef struct {
    int32_t low[WARP_PIXELS], high[WARP_PIXELS], inside[WARP_PIXELS];
    real fraction[WARP_PIXELS];
} warp_axis;

/* Maps a coordinate beyond the border to one in the image, whose pixels are 0 ... last. The result
 * may be up to one pixel beyond; the value is then that of the outermost pixel. A reflection is
 * about the outer edge of the outermost pixel. A wrapped image has period `last`, so its last pixel
 * coincides with the first pixel of the next copy. */
NNL_INLINE double map_inside(double at, double last, int mode) {
    if (mode == FILL_REFLECT) {
        const double size = last + 1, period = 2 * size, right = at < 0 ? -1 - at : at;
        const double within = right - period * __builtin_floor(right / period);
        return within >= size ? period - 1 - within : within;
    }
    if (mode == FILL_WRAP) {
        const double from_below = at + last * (__builtin_floor(-at / last) + 1);
        const double from_above = at - last * __builtin_floor(at / last);
        return at < 0 ? from_below : at > last ? from_above : at;
    }
    return at;
}

/* Coordinates along one axis of an image for a row of the output: start + slope * j for column j.
 * The axis has n pixels with this stride. */
typedef struct {
    double start, slope;
    int32_t n, stride;
} warp_line;

/* Computes the coordinates of `count` columns, beginning with column `first`. They are double and
 * not fused multiply-adds, so that all instruction sets agree on the pixels. */
NNL_INLINE void find_coordinates(warp_axis *axis, warp_line line, int32_t first, int32_t count,
                                 bool bilinear, int mode) {
    const double last = line.n - 1;
    NNL_INDEPENDENT
    for (int32_t j = 0; j < count; j++) {
        const double at = line.start + line.slope * (first + j);
        double in = map_inside(at, last, mode);
        in = in > 0 ? in : 0; /* NaN too */
        in = in < last ? in : last;
        in = bilinear ? in : __builtin_floor(in + 0.5);
        const double pixel = __builtin_floor(in);
        const int32_t low = (int32_t)pixel, high = low < line.n - 1 ? low + 1 : low;
        axis->low[j] = low * line.stride;
        axis->high[j] = high * line.stride;
        axis->fraction[j] = (real)(in - pixel);
        axis->inside[j] = mode != FILL_CONSTANT || ((at >= 0) & (at <= last));
    }
}

static void find_coordinates_in(warp_axis *axis, warp_line line, int32_t first, int32_t count,
                                bool bilinear, int mode) {
    switch (mode) {
    case FILL_CONSTANT:
        find_coordinates(axis, line, first, count, bilinear, FILL_CONSTANT);
        break;
    case FILL_NEAREST:
        find_coordinates(axis, line, first, count, bilinear, FILL_NEAREST);
        break;
    case FILL_REFLECT:
        find_coordinates(axis, line, first, count, bilinear, FILL_REFLECT);
        break;
    default:
        find_coordinates(axis, line, first, count, bilinear, FILL_WRAP);
    }
}

/* Linear interpolation. If a and b are equal, the result is exactly a. */
NNL_INLINE real interpolate(real a, real b, real fraction) { return fmadd(fraction, b - a, a); }

/* y = the image at `count` coordinates, bilinear or the nearest pixel. The callers pass C and
 * `bilinear` as constants where a loop of its own is faster. */
NNL_INLINE void sample_pixels(real *restrict y, const real *restrict image, const warp_axis *row,
                              const warp_axis *column, int32_t count, int32_t C, real cval,
                              bool bilinear) {
    for (int32_t j = 0; j < count; j++) {
        const bool inside = row->inside[j] & column->inside[j];
        for (int32_t c = 0; c < C; c++) {
            const int32_t above = row->low[j] + c, below = row->high[j] + c;
            const int32_t left = column->low[j], right = column->high[j];
            real value = image[above + left];
            if (bilinear) {
                const real upper = interpolate(value, image[above + right], column->fraction[j]);
                const real lower = interpolate(image[below + left], image[below + right],
                                               column->fraction[j]);
                value = interpolate(upper, lower, row->fraction[j]);
            }
            y[j * C + c] = inside ? value : cval;
        }
    }
}

static void sample_pixels_of(real *restrict y, const real *restrict image, const warp_axis *row,
                             const warp_axis *column, int32_t count, int32_t C, real cval,
                             bool bilinear) {
    if (!bilinear)
        sample_pixels(y, image, row, column, count, C, cval, false);
    else if (C == 1)
        sample_pixels(y, image, row, column, count, 1, cval, true);
    else if (C == 3)
        sample_pixels(y, image, row, column, count, 3, cval, true);
    else
        sample_pixels(y, image, row, column, count, C, cval, true);
}

/* y[n, i, j] = x[n] at row m0 i + m1 j + m2 and column m3 i + m4 j + m5, interpolated between four
 * pixels or the value of the nearest one.
 * in    x [N, H, W, C], H W C < 2^31; m int32 [N, 12], the bit patterns of six doubles (in float,
 *       a coordinate at the border could round to the wrong side of it)
 * out   y [N, H, W, C]
 * attr  what is beyond the border (FILL_CONSTANT ...), 0: nearest pixel or 1: bilinear, the value
 *       beyond the border for FILL_CONSTANT */
static void op_affine_transform(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *in = &call->in[0];
    const int64_t H = in->shape[1], W = in->shape[2], C = in->shape[3];
    const int mode = (int)call->attr[0].i;
    const bool bilinear = call->attr[1].i;
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
            warp_axis row, column;
            find_coordinates_in(&row, rows, first, count, bilinear, mode);
            find_coordinates_in(&column, columns, first, count, bilinear, mode);
            sample_pixels_of(y, image, &row, &column, count, (int32_t)C, cval, bilinear);
        }
    }
}
