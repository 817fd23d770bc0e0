/* warp.c: affine and projective transforms of images. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/vec.h"
#include "../runtime/shares.h"

/* What an image contains beyond its border: attr[0] of affine_transform and warp. FILL_BLEND is a
 * constant, too, but within a pixel of the border there is a mean of it and of the outermost pixel.
 * FILL_TILE repeats the image every n pixels. */
enum { FILL_CONSTANT, FILL_NEAREST, FILL_REFLECT, FILL_WRAP, FILL_BLEND, FILL_TILE };

/* Pixels of a row that are computed together. */
enum { WARP_PIXELS = 64 };

/* Coordinates along one axis of an image, for some pixels of the output. A coordinate is between
 * two pixels, whose offsets in the image are `low` and `high`, at `fraction` of the distance.
 * Where a pixel is not inside the image, the value beyond the border stands for it. */
typedef struct {
    int32_t low[WARP_PIXELS], high[WARP_PIXELS];
    int32_t low_inside[WARP_PIXELS], high_inside[WARP_PIXELS];
    bool all_inside;
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
    if (mode == FILL_TILE) {
        const double within = at - (last + 1) * __builtin_floor(at / (last + 1));
        return ((at > 0) & (within > last)) ? 0 : within;
    }
    return at;
}

/* Coordinates along one axis of an image for a row of the output: for column j
 * (start + slope * j) / (depth + tilt * j). The axis has n pixels with this stride. */
typedef struct {
    double start, slope, depth, tilt;
    int32_t n, stride;
} warp_line;

/* Computes the coordinates of `count` columns, beginning with column `first`. They are double and
 * not fused multiply-adds, so that all instruction sets agree on the pixels. */
NNL_INLINE void find_coordinates(warp_axis *axis, warp_line line, int32_t first, int32_t count,
                                 bool bilinear, int mode, bool divides) {
    const double last = line.n - 1;
    const double least = mode == FILL_BLEND ? -1 : 0, most = mode == FILL_BLEND ? line.n : last;
    NNL_INDEPENDENT
    for (int32_t j = 0; j < count; j++) {
        const double column = first + j;
        const double over = line.start + line.slope * column;
        const double at = divides ? over / (line.depth + line.tilt * column) : over;
        double in = map_inside(at, last, mode);
        in = in > least ? in : least; /* NaN too */
        in = in < most ? in : most;
        in = bilinear ? in : __builtin_floor(in + 0.5);
        const double pixel = __builtin_floor(in), next = pixel + 1;
        const int32_t low = (int32_t)(pixel < 0 ? 0 : pixel < last ? pixel : last);
        const int32_t high = (int32_t)(next < last ? next : last);
        axis->low[j] = low * line.stride;
        axis->high[j] = high * line.stride;
        axis->fraction[j] = (real)(in - pixel);
        if (mode == FILL_BLEND) {
            const bool below = !bilinear & !(at > -0.5); /* a half rounds away from 0 */
            axis->low_inside[j] = (pixel >= 0) & (pixel <= last) & !below;
            axis->high_inside[j] = next <= last;
        } else {
            const bool inside = mode != FILL_CONSTANT || ((at >= 0) & (at <= last));
            axis->low_inside[j] = axis->high_inside[j] = inside;
        }
    }
}

static void find_coordinates_in(warp_axis *axis, warp_line line, int32_t first, int32_t count,
                                bool bilinear, int mode) {
    /* Coordinates along a straight line never turn back, so its ends tell of all. */
    const double last = line.n - 1, begin = line.start + line.slope * first;
    const double end = line.start + line.slope * (first + count - 1);
    axis->all_inside = (line.depth == 1) & (line.tilt == 0) & (begin >= 0) & (begin <= last) &
                       (end >= 0) & (end <= last);
    if (axis->all_inside) {
        find_coordinates(axis, line, first, count, bilinear, FILL_NEAREST, false);
        return;
    }
    switch (mode) {
    case FILL_CONSTANT:
        find_coordinates(axis, line, first, count, bilinear, FILL_CONSTANT, true);
        break;
    case FILL_NEAREST:
        find_coordinates(axis, line, first, count, bilinear, FILL_NEAREST, true);
        break;
    case FILL_REFLECT:
        find_coordinates(axis, line, first, count, bilinear, FILL_REFLECT, true);
        break;
    case FILL_WRAP:
        find_coordinates(axis, line, first, count, bilinear, FILL_WRAP, true);
        break;
    case FILL_BLEND:
        find_coordinates(axis, line, first, count, bilinear, FILL_BLEND, true);
        break;
    default:
        find_coordinates(axis, line, first, count, bilinear, FILL_TILE, true);
    }
}

/* Linear interpolation. If a and b are equal, the result is exactly a. */
NNL_INLINE real interpolate(real a, real b, real fraction) { return fmadd(fraction, b - a, a); }

/* y = the image at `count` coordinates, bilinear or the nearest pixel. The callers pass C and
 * `bilinear` as constants where a loop of its own is faster. `inside`: all pixels are. */
NNL_INLINE void sample_pixels(real *restrict y, const real *restrict image, const warp_axis *row,
                              const warp_axis *column, int32_t count, int32_t C, real cval,
                              bool bilinear, bool inside) {
    for (int32_t j = 0; j < count; j++) {
        const bool above_in = inside || row->low_inside[j];
        const bool below_in = inside || row->high_inside[j];
        const bool left_in = inside || column->low_inside[j];
        const bool right_in = inside || column->high_inside[j];
        for (int32_t c = 0; c < C; c++) {
            const int32_t above = row->low[j] + c, below = row->high[j] + c;
            const int32_t left = column->low[j], right = column->high[j];
            real value = (above_in & left_in) ? image[above + left] : cval;
            if (bilinear) {
                const real corner = (above_in & right_in) ? image[above + right] : cval;
                const real under = (below_in & left_in) ? image[below + left] : cval;
                const real opposite = (below_in & right_in) ? image[below + right] : cval;
                const real upper = interpolate(value, corner, column->fraction[j]);
                const real lower = interpolate(under, opposite, column->fraction[j]);
                value = interpolate(upper, lower, row->fraction[j]);
            }
            y[j * C + c] = value;
        }
    }
}

static void sample_pixels_of(real *restrict y, const real *restrict image, const warp_axis *row,
                             const warp_axis *column, int32_t count, int32_t C, real cval,
                             bool bilinear) {
    const bool inside = row->all_inside & column->all_inside;
    if (!bilinear)
        sample_pixels(y, image, row, column, count, C, cval, false, inside);
    else if (C == 1)
        sample_pixels(y, image, row, column, count, 1, cval, true, inside);
    else if (C == 3 && inside)
        sample_pixels(y, image, row, column, count, 3, cval, true, true);
    else if (C == 3)
        sample_pixels(y, image, row, column, count, 3, cval, true, false);
    else
        sample_pixels(y, image, row, column, count, C, cval, true, inside);
}

/* The maps of the pixels of an output to places in an image: column (m0 j + m1 i + m2) / depth and
 * row (m3 j + m4 i + m5) / depth with depth = m6 j + m7 i + 1, for row i and column j. */
typedef struct {
    int64_t height, width, C;
    double m[8];
} warp_map;

/* The line of a map along row i of the output, for the columns or the rows of the image. */
NNL_INLINE warp_line column_line(const warp_map *map, int64_t i) {
    const double *m = map->m, row = (double)i;
    return (warp_line){m[2] + m[1] * row,   m[0],           1 + m[7] * row, m[6],
                       (int32_t)map->width, (int32_t)map->C};
}

NNL_INLINE warp_line row_line(const warp_map *map, int64_t i) {
    const double *m = map->m, row = (double)i;
    return (warp_line){m[5] + m[4] * row,    m[3],
                       1 + m[7] * row,       m[6],
                       (int32_t)map->height, (int32_t)(map->width * map->C)};
}

/* Row i, of `width` pixels, of a transformed image. */
static void warp_row(real *y, const real *image, const warp_map *map, int64_t i, int64_t width,
                     bool bilinear, int mode, real cval) {
    const warp_line rows = row_line(map, i), columns = column_line(map, i);
    const int32_t C = (int32_t)map->C;
    for (int32_t first = 0; first < width; first += WARP_PIXELS, y += WARP_PIXELS * C) {
        const int32_t count = (int32_t)min_of(width - first, WARP_PIXELS);
        warp_axis row, column;
        find_coordinates_in(&row, rows, first, count, bilinear, mode);
        find_coordinates_in(&column, columns, first, count, bilinear, mode);
        sample_pixels_of(y, image, &row, &column, count, C, cval, bilinear);
    }
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
    if (W * C == 0) return;
    const nnl_range part = nnl_share(in->shape[0] * H, 1, team);
    for (int64_t line = part.begin; line < part.end; line++) {
        double m[6];
        memcpy(m, (const int32_t *)call->in[1].data + line / H * 12, sizeof m);
        const warp_map map = {H, W, C, {m[4], m[3], m[5], m[1], m[0], m[2], 0, 0}};
        warp_row((real *)call->out[0].data + line * W * C,
                 (const real *)in->data + line / H * H * W * C, &map, line % H, W, call->attr[1].i,
                 (int)call->attr[0].i, (real)call->attr[2].f);
    }
}

NNL_INLINE warp_map map_of_image(const nnl_tensor *image, const nnl_tensor *m, int64_t n) {
    warp_map map = {image->shape[1], image->shape[2], image->shape[3], {0}};
    for (int k = 0; k < 8; k++) map.m[k] = (double)((const real *)m->data)[n * 8 + k];
    return map;
}

/* Whether a coordinate and those of further columns, a pixel apart, are pixels of an axis. */
NNL_INLINE bool are_pixels(double start, double slope, int64_t count, int64_t n) {
    const double end = start + slope * (double)(count - 1), last = (double)(n - 1);
    return (start == __builtin_floor(start)) & (slope * slope == 1) & (start >= 0) &
           (start <= last) & (end >= 0) & (end <= last);
}

/* Copies row i if all of it is a row of the image or its mirror image; returns whether it is. */
static bool copy_row(real *restrict y, const real *restrict image, const warp_map *map, int64_t i,
                     int64_t width) {
    const warp_line rows = row_line(map, i), columns = column_line(map, i);
    const bool straight = (rows.slope == 0) & (rows.tilt == 0) & (rows.depth == 1);
    if (!straight || !are_pixels(rows.start, 1, 1, map->height) ||
        !are_pixels(columns.start, columns.slope, width, map->width))
        return false;
    const int64_t C = map->C;
    image += ((int64_t)rows.start * map->width + (int64_t)columns.start) * C;
    if (columns.slope > 0) {
        memcpy(y, image, (size_t)(width * C) * sizeof *y);
        return true;
    }
    for (int64_t j = 0; j < width; j++)
        for (int64_t c = 0; c < C; c++) y[j * C + c] = image[c - j * C];
    return true;
}

/* y[n, i, j] = x[n] at row (m3 j + m4 i + m5) / d and column (m0 j + m1 i + m2) / d with
 * d = m6 j + m7 i + 1, interpolated between four pixels or the value of the nearest one.
 * in    x [N, H, W, C], H W C < 2^31; m [N, 8]
 * out   y [N, OH, OW, C], OW C < 2^31
 * attr  as of affine_transform */
static void op_warp(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *in = &call->in[0], *out = &call->out[0];
    const int64_t OH = out->shape[1], OW = out->shape[2], C = out->shape[3];
    if (OW * C == 0) return;
    const nnl_range part = nnl_share(out->shape[0] * OH, 1, team);
    for (int64_t line = part.begin; line < part.end; line++) {
        const int64_t n = line / OH, i = line % OH;
        const warp_map map = map_of_image(in, &call->in[1], n);
        const real *image = (const real *)in->data + n * map.height * map.width * C;
        real *y = (real *)out->data + line * OW * C;
        if (!copy_row(y, image, &map, i, OW))
            warp_row(y, image, &map, i, OW, call->attr[1].i, (int)call->attr[0].i,
                     (real)call->attr[2].f);
    }
}

/* dx += dy times the weight of each pixel at `count` coordinates. */
static void spread_pixels(real *dx, const real *dy, const warp_axis *row, const warp_axis *column,
                          int32_t count, int32_t C, bool bilinear) {
    for (int32_t j = 0; j < count; j++) {
        const real down = row->fraction[j], right = column->fraction[j];
        const real across[2] = {column->low_inside[j] ? 1 - right : 0,
                                bilinear && column->high_inside[j] ? right : 0};
        const real along[2] = {row->low_inside[j] ? 1 - down : 0,
                               bilinear && row->high_inside[j] ? down : 0};
        const int32_t rows[2] = {row->low[j], row->high[j]};
        const int32_t columns[2] = {column->low[j], column->high[j]};
        for (int r = 0; r < 2; r++)
            for (int k = 0; k < 2; k++) {
                const real weight = along[r] * across[k];
                if (weight == 0) continue;
                real *to = dx + rows[r] + columns[k];
                for (int32_t c = 0; c < C; c++) to[c] = fmadd(weight, dy[j * C + c], to[c]);
            }
    }
}

/* dx = the gradient of warp to its images. An image is the work of one thread, so that its sums
 * have one order.
 * in    dy [N, OH, OW, C], m [N, 8]
 * out   dx [N, H, W, C]
 * attr  as of affine_transform */
static void op_warp_gradient(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *in = &call->in[0], *out = &call->out[0];
    const int64_t OH = in->shape[1], OW = in->shape[2], C = in->shape[3];
    const int64_t size = out->shape[1] * out->shape[2] * C;
    const int mode = (int)call->attr[0].i;
    const bool bilinear = call->attr[1].i;
    if (size == 0) return;
    const nnl_range part = nnl_share(out->shape[0], 1, team);
    for (int64_t n = part.begin; n < part.end; n++) {
        const warp_map map = map_of_image(out, &call->in[1], n);
        real *dx = (real *)out->data + n * size;
        memset(dx, 0, (size_t)size * sizeof *dx);
        for (int64_t i = 0; i < OH; i++) {
            const warp_line rows = row_line(&map, i), columns = column_line(&map, i);
            const real *dy = (const real *)in->data + (n * OH + i) * OW * C;
            for (int32_t first = 0; first < OW; first += WARP_PIXELS, dy += WARP_PIXELS * C) {
                const int32_t count = (int32_t)min_of(OW - first, WARP_PIXELS);
                warp_axis row, column;
                find_coordinates_in(&row, rows, first, count, bilinear, mode);
                find_coordinates_in(&column, columns, first, count, bilinear, mode);
                spread_pixels(dx, dy, &row, &column, count, (int32_t)C, bilinear);
            }
        }
    }
}
