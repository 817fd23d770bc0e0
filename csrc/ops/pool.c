/* pool.c: the maximum or the mean of each window of an image. A window is cut at the border: the
 * padding is never the maximum and does not count in the mean.
 *
 * x [N, H, W, C] gives y [N, OH, OW, C]. Window (oh, ow) begins at row oh * stride_h - pad_top and
 * column ow * stride_w - pad_left. The inner loops run over the channels of one pixel. For windows
 * of 2 x 2 pixels side by side, the most common ones, they run over vectors that can hold several
 * pixels' channels. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../gemm/microkernel.h"
#include "../math/vec.h"
#include "../runtime/shares.h"

typedef struct {
    int64_t N, H, W, C, OH, OW, pool_h, pool_w, stride_h, stride_w, pad_top, pad_left;
} pool_shape;

/* attr  pool_h, pool_w, stride_h, stride_w, pad_top, pad_left */
static pool_shape plan_pool(const nnl_tensor *x, const nnl_tensor *y, const nnl_attr *attr) {
    return (pool_shape){.N = x->shape[0],
                        .H = x->shape[1],
                        .W = x->shape[2],
                        .C = x->shape[3],
                        .OH = y->shape[1],
                        .OW = y->shape[2],
                        .pool_h = attr[0].i,
                        .pool_w = attr[1].i,
                        .stride_h = attr[2].i,
                        .stride_w = attr[3].i,
                        .pad_top = attr[4].i,
                        .pad_left = attr[5].i};
}

/* Rows top ... bottom - 1 and columns left ... right - 1 of the image. A window may be empty. */
typedef struct {
    int64_t top, bottom, left, right;
} pool_window;

static inline pool_window window_at(const pool_shape *s, int64_t oh, int64_t ow) {
    pool_window w = {.top = oh * s->stride_h - s->pad_top, .left = ow * s->stride_w - s->pad_left};
    w.bottom = min_of(w.top + s->pool_h, s->H);
    w.right = min_of(w.left + s->pool_w, s->W);
    w.top = max_of(w.top, 0);
    w.left = max_of(w.left, 0);
    return w;
}

static inline bool is_two_by_two(const pool_window *w) {
    return w->bottom - w->top == 2 && w->right - w->left == 2;
}

/* 1 / the number of pixels of a window. */
static inline real inverse_count(const pool_window *w) {
    return 1 / (real)((w->bottom - w->top) * (w->right - w->left));
}

/* The larger of both, the first if they are equal, NaN if one of them is NaN. */
NNL_INLINE real first_largest(real best, real x) { return ((x > best) | (x != x)) ? x : best; }

/* y = f(... f(f(start, pixel 0), pixel 1) ...) over the pixels of a window, row by row. x is the
 * image. */
NNL_INLINE void reduce_window(real *restrict y, const real *restrict x, const pool_shape *s,
                              pool_window w, real start, real f(real, real)) {
    const int64_t C = s->C;
    if (is_two_by_two(&w)) {
        const real *a = x + (w.top * s->W + w.left) * C, *b = a + s->W * C;
        for (int64_t c = 0; c < C; c++) y[c] = f(f(f(f(start, a[c]), a[c + C]), b[c]), b[c + C]);
        return;
    }
    for (int64_t c = 0; c < C; c++) y[c] = start;
    for (int64_t h = w.top; h < w.bottom; h++)
        for (int64_t i = w.left; i < w.right; i++) {
            const real *pixel = x + (h * s->W + i) * C;
            for (int64_t c = 0; c < C; c++) y[c] = f(y[c], pixel[c]);
        }
}

/* Whether the windows are tiles: 2 x 2 pixels, side by side, none of them cut. */
static bool has_tiles(const pool_shape *s) {
    return s->pool_h == 2 && s->pool_w == 2 && s->stride_h == 2 && s->stride_w == 2 &&
           !s->pad_top && !s->pad_left && 2 * s->OH <= s->H && 2 * s->OW <= s->W;
}

NNL_INLINE vec vec_where(vec_mask m, vec x) { return (vec)(m & (vec_mask)x); }

/* first_largest, in each lane. */
NNL_INLINE vec vec_first_largest(vec best, vec x) {
    const vec_mask m = (x > best) | (x != x);
    return (vec)((m & (vec_mask)x) | (~m & (vec_mask)best));
}

/* How a row of tiles is computed in vectors. A tile has four pixels. Each step of the loop takes a
 * vector of each pixel. A span is a stretch of the row that the loop steps through.
 *
 * If a vector has no room for the channels of two tiles, a span is one tile. Else (`narrow`) the
 * span is the whole row, and a vector holds the channels of as many tiles as fit. In a row of the
 * image, left and right pixels then alternate within two vectors. `left` and `right` are the
 * shuffles that separate them, `first` and `second` those that interleave them again.
 *
 * A span has `width` values of each pixel. `whole` steps, `step` values apart, store whole vectors.
 * If `step` is less than a vector, the next step overwrites the last lanes. The last step stores
 * the `rest`. */
typedef struct {
    int64_t C, spans, width, whole, step, rest;
    bool narrow;
    vec_mask left, right, first, second;
} tiling;

static tiling plan_tiling(const pool_shape *s) {
    tiling t = {.C = s->C, .spans = s->OW, .width = s->C, .step = LANES};
    const int64_t C = s->C > 0 ? s->C : 1;
    t.narrow = LANES / C > 1;
    if (t.narrow) t.spans = 1, t.width = s->OW * s->C, t.step = LANES / C * C;
    t.whole = t.width < LANES ? 0 : (t.width - LANES) / t.step + 1;
    t.rest = t.width - t.whole * t.step;
    for (int64_t l = 0; l < LANES; l++) {
        t.left[l] = l / C * 2 * C + l % C;
        t.right[l] = t.left[l] + C;
    }
    for (int64_t l = 0; l < 2 * LANES; l++) {
        const int64_t from = l / (2 * C) * C + l % C + l / C % 2 * LANES;
        if (l < LANES)
            t.first[l] = from;
        else
            t.second[l - LANES] = from;
    }
    return t;
}

/* n values of the left pixels and n of the right pixels, from one row of the image. */
typedef struct {
    vec left, right;
} pixel_pair;

NNL_INLINE pixel_pair load_pair(const real *x, int64_t n, const tiling *t, bool narrow) {
    if (!narrow) return (pixel_pair){vec_load_first(x, n), vec_load_first(x + t->C, n)};
    const vec a = vec_load_first(x, 2 * n), b = vec_load_first(x + LANES, 2 * n - LANES);
    return (pixel_pair){vec_shuffle(a, b, t->left), vec_shuffle(a, b, t->right)};
}

NNL_INLINE void store_pair(real *x, pixel_pair p, int64_t n, const tiling *t, bool narrow) {
    if (!narrow) {
        vec_store_first(x, p.left, n);
        vec_store_first(x + t->C, p.right, n);
    } else {
        vec_store_first(x, vec_shuffle(p.left, p.right, t->first), 2 * n);
        vec_store_first(x + LANES, vec_shuffle(p.left, p.right, t->second), 2 * n - LANES);
    }
}

/* The memory of a row of tiles: a row of y or dy, and the upper one of two rows of x and dx. The
 * lower row is `below` elements further. Arrays that an operation does not use are NULL. */
typedef struct {
    real *y, *dx;
    const real *dy, *x;
    int64_t below;
} tile_memory;

/* An operation on n values of each pixel. They begin at `at` in y, and at `above` in the upper row
 * of x. */
typedef void tile_op(const tile_memory *m, int64_t at, int64_t above, int64_t n, const tiling *t,
                     bool narrow);

/* Does the operation on a row of tiles. `narrow` is a constant wherever this is called. */
NNL_INLINE void for_tiles_as(tile_op f, const tile_memory *m, const tiling *t, bool narrow) {
    int64_t at = 0;
    for (int64_t span = 0; span < t->spans; span++, at += t->width) {
        int64_t j = 0;
        for (int64_t k = 0; k < t->whole; k++, j += t->step)
            f(m, at + j, 2 * at + (narrow ? 2 * j : j), LANES, t, narrow);
        if (t->rest) f(m, at + j, 2 * at + (narrow ? 2 * j : j), t->rest, t, narrow);
    }
}

NNL_INLINE void for_tiles(tile_op f, const tile_memory *m, const tiling *t) {
    if (t->narrow)
        for_tiles_as(f, m, t, true);
    else
        for_tiles_as(f, m, t, false);
}

NNL_INLINE vec max_of_four(pixel_pair a, pixel_pair b) {
    const vec upper = vec_first_largest(a.left, a.right);
    return vec_first_largest(vec_first_largest(upper, b.left), b.right);
}

NNL_INLINE void max_of_tiles(const tile_memory *m, int64_t at, int64_t above, int64_t n,
                             const tiling *t, bool narrow) {
    const pixel_pair a = load_pair(m->x + above, n, t, narrow);
    const pixel_pair b = load_pair(m->x + above + m->below, n, t, narrow);
    vec_store_first(m->y + at, max_of_four(a, b), n);
}

NNL_INLINE void mean_of_tiles(const tile_memory *m, int64_t at, int64_t above, int64_t n,
                              const tiling *t, bool narrow) {
    const pixel_pair a = load_pair(m->x + above, n, t, narrow);
    const pixel_pair b = load_pair(m->x + above + m->below, n, t, narrow);
    vec_store_first(m->y + at, (a.left + a.right + b.left + b.right) * (real)0.25, n);
}

NNL_INLINE void pool(const nnl_call *call, const nnl_team *team, bool mean) {
    const pool_shape s = plan_pool(&call->in[0], &call->out[0], call->attr);
    const bool tiles = has_tiles(&s);
    const tiling t = plan_tiling(&s);
    const nnl_range part = nnl_share(s.N * s.OH, 1, team);
    for (int64_t row = part.begin; row < part.end; row++) {
        const real *image = (const real *)call->in[0].data + row / s.OH * s.H * s.W * s.C;
        real *y = (real *)call->out[0].data + row * s.OW * s.C;
        if (tiles) {
            const tile_memory m = {
                .y = y, .x = image + row % s.OH * 2 * s.W * s.C, .below = s.W * s.C};
            for_tiles(mean ? mean_of_tiles : max_of_tiles, &m, &t);
            continue;
        }
        for (int64_t ow = 0; ow < s.OW; ow++, y += s.C) {
            const pool_window w = window_at(&s, row % s.OH, ow);
            if (!mean) {
                reduce_window(y, image, &s, w, -REAL_INFINITY, first_largest);
            } else {
                const real share = inverse_count(&w);
                reduce_window(y, image, &s, w, 0, sum_of);
                for (int64_t c = 0; c < s.C; c++) y[c] *= share;
            }
        }
    }
}

/* y = the maximum of each window, NaN if one of its elements is NaN.
 * in    x [N, H, W, C]
 * out   y [N, OH, OW, C]
 * attr  pool_h, pool_w, stride_h, stride_w, pad_top, pad_left */
static void op_max_pool2d(const nnl_call *call, nnl_team *team) { pool(call, team, false); }

/* y = the mean of each window.
 * in    x [N, H, W, C]
 * out   y [N, OH, OW, C]
 * attr  as max_pool2d */
static void op_average_pool2d(const nnl_call *call, nnl_team *team) { pool(call, team, true); }

/* Channels of a window that are computed together. */
enum { POOL_CHANNELS = 128 };

/* The gradient of pixel x in a window whose maximum is y. The first pixel that equals y, or is NaN
 * as y is, gets the whole gradient: `remaining` is dy until then, and 0 afterwards. */
NNL_INLINE real claim_gradient(real *remaining, real x, real y) {
    const bool hit = (x == y) | (x != x);
    const real taken = hit ? *remaining : 0;
    *remaining = hit ? 0 : *remaining;
    return taken;
}

/* claim_gradient, in each lane. */
NNL_INLINE vec vec_claim_gradient(vec *remaining, vec x, vec y) {
    const vec_mask hit = (x == y) | (x != x);
    const vec taken = vec_where(hit, *remaining);
    *remaining = vec_where(~hit, *remaining);
    return taken;
}

/* Computes y once more, which costs less than to read it. */
NNL_INLINE void gradient_of_max_tiles(const tile_memory *m, int64_t at, int64_t above, int64_t n,
                                      const tiling *t, bool narrow) {
    const pixel_pair a = load_pair(m->x + above, n, t, narrow);
    const pixel_pair b = load_pair(m->x + above + m->below, n, t, narrow);
    const vec y = max_of_four(a, b);
    vec remaining = vec_load_first(m->dy + at, n);
    pixel_pair da, db; /* in the order of the window's pixels */
    da.left = vec_claim_gradient(&remaining, a.left, y);
    da.right = vec_claim_gradient(&remaining, a.right, y);
    db.left = vec_claim_gradient(&remaining, b.left, y);
    db.right = vec_claim_gradient(&remaining, b.right, y);
    store_pair(m->dx + above, da, n, t, narrow);
    store_pair(m->dx + above + m->below, db, n, t, narrow);
}

NNL_INLINE void gradient_of_mean_tiles(const tile_memory *m, int64_t at, int64_t above, int64_t n,
                                       const tiling *t, bool narrow) {
    const vec share = vec_load_first(m->dy + at, n) * (real)0.25;
    store_pair(m->dx + above, (pixel_pair){share, share}, n, t, narrow);
    store_pair(m->dx + above + m->below, (pixel_pair){share, share}, n, t, narrow);
}

/* dx of image n under row oh of the windows, if these are tiles. Pixels under no window get 0. */
static void gradient_of_tile_row(const nnl_call *call, const pool_shape *s, const tiling *t,
                                 int64_t n, int64_t oh) {
    const int64_t row = s->W * s->C, above = (n * s->H + 2 * oh) * row;
    const int64_t at = (n * s->OH + oh) * s->OW * s->C;
    real *dx = (real *)call->out[0].data + above;
    tile_memory m = {.dy = (const real *)call->in[0].data + at, .dx = dx, .below = row};
    if (call->n_in > 1) {
        m.x = (const real *)call->in[1].data + above;
        for_tiles(gradient_of_max_tiles, &m, t);
    } else {
        for_tiles(gradient_of_mean_tiles, &m, t);
    }
    const int64_t used = 2 * s->OW * s->C;
    if (used < row) {
        memset(dx + used, 0, (size_t)(row - used) * sizeof *dx);
        memset(dx + row + used, 0, (size_t)(row - used) * sizeof *dx);
    }
    if (oh == s->OH - 1) memset(dx + 2 * row, 0, (size_t)((s->H - 2 * s->OH) * row) * sizeof *dx);
}

/* dx += the gradient of the maximum of one window. Only the rows `rows` of dx are touched. */
static void add_gradient_of_max(real *restrict dx, const real *restrict dy, const real *restrict x,
                                const real *restrict y, const pool_shape *s, pool_window w,
                                nnl_range rows) {
    const int64_t C = s->C, at = (w.top * s->W + w.left) * C, below = s->W * C;
    if (is_two_by_two(&w) && w.top >= rows.begin && w.bottom <= rows.end) {
        const real *a = x + at, *b = a + below;
        real *da = dx + at, *db = da + below;
        NNL_INDEPENDENT
        for (int64_t c = 0; c < C; c++) {
            real remaining = dy[c];
            da[c] += claim_gradient(&remaining, a[c], y[c]);
            da[c + C] += claim_gradient(&remaining, a[c + C], y[c]);
            db[c] += claim_gradient(&remaining, b[c], y[c]);
            db[c + C] += claim_gradient(&remaining, b[c + C], y[c]);
        }
        return;
    }
    for (int64_t first = 0; first < C; first += POOL_CHANNELS) {
        const int64_t n = min_of(C - first, POOL_CHANNELS);
        real remaining[POOL_CHANNELS];
        memcpy(remaining, dy + first, (size_t)n * sizeof *remaining);
        for (int64_t h = w.top; h < w.bottom && h < rows.end; h++)
            for (int64_t i = w.left; i < w.right; i++) {
                const int64_t pixel = (h * s->W + i) * C + first;
                if (h < rows.begin)
                    for (int64_t c = 0; c < n; c++)
                        claim_gradient(&remaining[c], x[pixel + c], y[first + c]);
                else
                    for (int64_t c = 0; c < n; c++)
                        dx[pixel + c] += claim_gradient(&remaining[c], x[pixel + c], y[first + c]);
            }
    }
}

/* dx += the gradient of the mean of one window. Only the rows `rows` of dx are touched. */
static void add_gradient_of_mean(real *restrict dx, const real *restrict dy, const pool_shape *s,
                                 pool_window w, nnl_range rows) {
    const real share = inverse_count(&w);
    const int64_t top = max_of(w.top, rows.begin);
    for (int64_t h = top; h < w.bottom && h < rows.end; h++)
        for (int64_t i = w.left; i < w.right; i++) {
            real *pixel = dx + (h * s->W + i) * s->C;
            for (int64_t c = 0; c < s->C; c++) pixel[c] = fmadd(dy[c], share, pixel[c]);
        }
}

/* The first row of dx in band oh. Band oh begins where windows oh begin and ends where
 * windows oh + 1 begin. The bands divide the rows of dx among threads. */
static inline int64_t first_row_of_band(const pool_shape *s, int64_t oh) {
    const int64_t row = oh * s->stride_h - s->pad_top;
    if (oh == s->OH || row > s->H) return s->H;
    return oh == 0 || row < 0 ? 0 : row;
}

/* dx of the bands first ... end - 1 of image n: zeros, to which each window that covers some of
 * their rows is added in order. */
static void pool_gradient_of_bands(const nnl_call *call, const pool_shape *s, int64_t n,
                                   int64_t first, int64_t end) {
    const int64_t image = n * s->H * s->W * s->C, row_size = s->W * s->C;
    const nnl_range rows = {first_row_of_band(s, first), first_row_of_band(s, end)};
    real *dx = (real *)call->out[0].data + image;
    const int64_t count = (rows.end - rows.begin) * row_size;
    memset(dx + rows.begin * row_size, 0, (size_t)count * sizeof *dx);
    while (first > 0 && window_at(s, first - 1, 0).bottom > rows.begin) first--;
    for (int64_t oh = first; oh < end; oh++)
        for (int64_t ow = 0; ow < s->OW; ow++) {
            const int64_t at = ((n * s->OH + oh) * s->OW + ow) * s->C;
            const real *dy = (const real *)call->in[0].data + at;
            const pool_window w = window_at(s, oh, ow);
            if (call->n_in == 1)
                add_gradient_of_mean(dx, dy, s, w, rows);
            else
                add_gradient_of_max(dx, dy, (const real *)call->in[1].data + image,
                                    (const real *)call->in[2].data + at, s, w, rows);
        }
}

/* Each thread computes bands of dx. If windows do not overlap, it does one band at a time, which
 * stays in cache. If they do, it does all its bands of an image together, because each call repeats
 * the windows that begin before its first band. */
static void pool_gradient(const nnl_call *call, const nnl_team *team) {
    const pool_shape s = plan_pool(&call->out[0], &call->in[0], call->attr);
    if (s.OH == 0 && team->id == 0)
        memset(call->out[0].data, 0, (size_t)nnl_size(&call->out[0]) * sizeof(real));
    const nnl_range part = nnl_share(s.N * s.OH, 1, team);
    const int64_t limit = s.stride_h >= s.pool_h ? 1 : s.OH;
    if (has_tiles(&s)) {
        const tiling t = plan_tiling(&s);
        for (int64_t band = part.begin; band < part.end; band++)
            gradient_of_tile_row(call, &s, &t, band / s.OH, band % s.OH);
        return;
    }
    for (int64_t band = part.begin; band < part.end;) {
        const int64_t n = band / s.OH, first = band % s.OH;
        int64_t count = min_of(s.OH - first, limit);
        if (count > part.end - band) count = part.end - band;
        pool_gradient_of_bands(call, &s, n, first, first + count);
        band += count;
    }
}

/* The gradient of max_pool2d. In each window, the first pixel that equals the maximum gets dy. A
 * pixel of several windows gets their sum, added in the order of the windows.
 * in    dy [N, OH, OW, C], x [N, H, W, C], y = max_pool2d(x) [N, OH, OW, C]
 * out   dx [N, H, W, C]
 * attr  as max_pool2d */
static void op_max_pool2d_gradient(const nnl_call *call, nnl_team *team) {
    pool_gradient(call, team);
}

/* The gradient of average_pool2d: each pixel of a window gets dy / (pixels of the window), summed
 * over the windows.
 * in    dy [N, OH, OW, C]
 * out   dx [N, H, W, C]
 * attr  as average_pool2d */
static void op_average_pool2d_gradient(const nnl_call *call, nnl_team *team) {
    pool_gradient(call, team);
}
