/* forward.c: convolution and its gradients, as products whose rows are read in the images in place.
 *
 * Letters: images x [N, H, W, C], kernels w [KH, KW, C / groups, F], results y [N, OH, OW, F].
 * The kernel, or its transpose, is packed by the team; then each thread computes rows of images
 * of its own. Where a window reaches over the border, the rows of x under it are copied once with
 * zeros around them: a tap in the padding adds 0 * w, whoever computes it. */
#include "../../math/activation.h"
#include "../../gemm/microkernel.h"

typedef struct {
    int64_t N, H, W, C, KH, KW, OH, OW, F;
    int64_t stride_h, stride_w, top, left, dilation_h, dilation_w, groups;
    int64_t Cg, Fg, K; /* channels of a group on both sides; KH KW Cg */
} nnl_conv;

/* attr  stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w, groups */
static nnl_conv conv_of(const nnl_tensor *x, const nnl_tensor *w, const nnl_tensor *y,
                        const nnl_attr *attr) {
    const int64_t *a = x->shape, *k = w->shape, *b = y->shape;
    nnl_conv g = {a[0], a[1], a[2], a[3], k[0], k[1], b[1], b[2], b[3],
                  attr[0].i, attr[1].i, attr[2].i, attr[3].i, attr[4].i, attr[5].i, attr[6].i,
                  .Cg = k[2], .Fg = b[3] / attr[6].i};
    g.K = g.KH * g.KW * g.Cg;
    return g;
}

/* Rows and columns of an image that `rows` rows, or columns, of windows cover. */
static int64_t covered_rows(const nnl_conv *g, int64_t rows) {
    return (rows - 1) * g->stride_h + (g->KH - 1) * g->dilation_h + 1;
}
static int64_t covered_columns(const nnl_conv *g, int64_t columns) {
    return (columns - 1) * g->stride_w + (g->KW - 1) * g->dilation_w + 1;
}

static bool reaches_over_border(const nnl_conv *g) {
    return g->top || g->left || covered_rows(g, g->OH) > g->H || covered_columns(g, g->OW) > g->W;
}

/* What is worked on between two packings: `rows` rows of one image of the result, or `images`
 * whole ones. */
typedef struct {
    int64_t images, rows;
} nnl_band;

/* About `pixels` of an image of rows x columns, at least one row. */
static nnl_band band_of(int64_t rows, int64_t columns, int64_t pixels) {
    const int64_t image = rows * columns;
    if (image <= pixels) return (nnl_band){image ? pixels / image : 1, rows};
    return (nnl_band){1, columns < pixels ? pixels / columns : 1};
}

/* The part of a band that begins at row `at` of all rows of all images and ends before `end`. */
static nnl_band next_band(nnl_band most, int64_t at, int64_t end, int64_t image_rows) {
    const int64_t row = at % image_rows, left = end - at;
    if (row == 0 && left >= image_rows && most.rows == image_rows)
        return (nnl_band){min_of(most.images, left / image_rows), image_rows};
    return (nnl_band){1, min_of(min_of(most.rows, image_rows - row), left)};
}

/* A band of x under its windows: element (image, row, column, c) is data[image * .. + c]. */
typedef struct {
    const real *data;
    int64_t image, row, pixel;
} nnl_view;

/* Reals that a thread needs for the padded copy of a band. */
static int64_t padded_size(const nnl_conv *g, nnl_band most) {
    if (!reaches_over_border(g)) return 0;
    return min_of(most.images, g->N) * covered_rows(g, min_of(most.rows, g->OH)) *
           covered_columns(g, g->OW) * g->C;
}

/* One row of x, from column -left on, with zeros where there is none. */
static void copy_padded_row(real *to, const real *x, const nnl_conv *g, int64_t columns) {
    const int64_t before = min_of(g->left, columns), inside = min_of(g->W, columns - before);
    const int64_t after = columns - before - inside;
    memset(to, 0, (size_t)(before * g->C) * sizeof *to);
    if (x)
        memcpy(to + before * g->C, x, (size_t)(inside * g->C) * sizeof *to);
    else
        memset(to + before * g->C, 0, (size_t)(inside * g->C) * sizeof *to);
    memset(to + (before + inside) * g->C, 0, (size_t)(after * g->C) * sizeof *to);
}

/* The band that begins at row `at` of all rows of results; `copy` has room for padded_size. */
static nnl_view view_of(const nnl_conv *g, const real *x, nnl_band band, int64_t at, real *copy) {
    const int64_t n = at / g->OH, first = at % g->OH * g->stride_h - g->top;
    if (!reaches_over_border(g))
        return (nnl_view){x + (n * g->H + first) * g->W * g->C, g->H * g->W * g->C, g->W * g->C,
                          g->C};
    const int64_t rows = covered_rows(g, band.rows), columns = covered_columns(g, g->OW);
    const nnl_view v = {copy, rows * columns * g->C, columns * g->C, g->C};
    for (int64_t i = 0; i < band.images; i++)
        for (int64_t r = 0; r < rows; r++) {
            const int64_t h = first + r;
            const real *row = x + ((n + i) * g->H + h) * g->W * g->C;
            copy_padded_row(copy + i * v.image + r * v.row, h >= 0 && h < g->H ? row : NULL, g,
                            columns);
        }
    return v;
}

/* Rounded up to whole cache lines. */
static int64_t lines(int64_t reals) { return pieces(reals, NNL_LINE) * NNL_LINE; }
static int64_t lines_of_indices(int64_t n) {
    return lines(n * (int64_t)(sizeof(int64_t) / sizeof(real)));
}

/* How the team shares rows and columns of a product: this thread's part of both. */
typedef struct {
    nnl_range rows, panels;
} nnl_part;

static nnl_part part_of(int64_t rows, int64_t pixels_of_row, int64_t panels, const nnl_team *team) {
    const int down = threads_down(rows * pixels_of_row, panels * NR, team->size);
    return (nnl_part){piece((nnl_range){0, rows}, 1, team->id % down, down),
                      piece((nnl_range){0, panels}, 1, team->id / down, team->size / down)};
}

/* The columns of a product, `width` for each group, stand in panels of NR that hold columns of one
 * group only. Panel p: its group, its first column in that group and of all, its columns. */
typedef struct {
    int64_t group, within, column, n;
} nnl_panel;

static int64_t panels_of(int64_t groups, int64_t width) { return groups * pieces(width, NR); }

static nnl_panel panel_of(int64_t p, int64_t width) {
    const int64_t group = p / pieces(width, NR), within = p % pieces(width, NR) * NR;
    return (nnl_panel){group, within, group * width + within, min_of(NR, width - within)};
}

/* All columns of some panels. */
static nnl_range columns_of(nnl_range panels, int64_t width) {
    const nnl_panel last = panel_of(panels.end - 1, width);
    return (nnl_range){panel_of(panels.begin, width).column, last.column + last.n};
}

enum {
    SECOND_CACHE = 1 << 19, /* reals */
    SELDOM = 64             /* k of a tile of COLUMNS between two looks at what is to be fetched */
};

/* Memory that comes next: two stretches of it, of which tiles in turns fetch some lines while they
 * run. A result's lines, too, are fetched before they are written. */
typedef struct {
    const char *at[2], *end[2];
    int64_t lines[2];
    int turn;
} nnl_fetch;

/* Rows `next`, out of so many, of images a, and the same part of images b. About so many tiles come
 * before. Nothing, where both may still be near from what was done before. */
static nnl_fetch fetch_of(nnl_range next, int64_t rows, const nnl_tensor *a, const nnl_tensor *b,
                          int64_t tiles) {
    const bool much = nnl_size(a) + nnl_size(b) > SECOND_CACHE;
    const nnl_tensor *of[2] = {a, b};
    nnl_fetch f = {.turn = 0};
    for (int i = 0; i < 2; i++) {
        const int64_t size = much ? nnl_size(of[i]) : 0;
        const real *data = of[i]->data;
        f.at[i] = (const char *)(data + size * next.begin / rows);
        f.end[i] = (const char *)(data + size * min_of(next.end, rows) / rows);
        f.lines[i] = pieces((f.end[i] - f.at[i]) / 64, pieces(tiles, 2));
    }
    return f;
}

/* What the tile shall fetch, a few lines every `some` k. */
static void fetch_some(nnl_fetch *f, nnl_tile *t, int64_t some) {
    const int i = f->turn++ % 2;
    t->ahead = f->at[i];
    t->ahead_lines = min_of(f->lines[i], (f->end[i] - f->at[i]) / 64);
    t->ahead_k = some;
    f->at[i] += 64 * t->ahead_lines;
}

/* --- y = act(conv(x, w) + b) */

enum {
    BAND = 512,            /* pixels of the result in a band */
    PACKED_BLOCK = 1 << 18 /* reals of packed B that the second cache holds */
};

static void pack_kernel(const nnl_conv *g, const real *w, real *packed, const nnl_team *team) {
    const nnl_range mine = nnl_share(panels_of(g->groups, g->Fg), 1, team);
    for (int64_t p = mine.begin; p < mine.end; p++) {
        const nnl_panel f = panel_of(p, g->Fg);
        pack(packed + p * g->K * NR, NR, (nnl_piece){w + f.column, g->F, g->K, f.n, false});
    }
}

/* Taps whose places in x lie side by side. */
static int64_t taps_together(const nnl_conv *g) {
    return g->dilation_w == 1 && g->groups == 1 ? g->KW * g->Cg : g->Cg;
}

/* Through a window: its rows, columns and channels. */
static void window_steps(const nnl_conv *g, const nnl_view *v, int64_t *step) {
    for (int64_t i = 0; i < g->KH; i++)
        for (int64_t j = 0; j < g->KW; j++) {
            const int64_t at = i * g->dilation_h * v->row + j * g->dilation_w * v->pixel;
            for (int64_t c = 0; c < g->Cg; c++) *step++ = at + c;
        }
}

/* Rows of a tile: `count` pixels from (image, row, column) of the band on, in order. */
typedef struct {
    int64_t image, row, column;
} nnl_place;

static void place_pixels(nnl_tile *t, const nnl_conv *g, const nnl_view *v, int64_t rows,
                         nnl_place *at, int64_t count) {
    t->rows = (int)count;
    for (int64_t i = 0; i < count; i++) {
        t->a_places[i] = at->image * v->image + at->row * g->stride_h * v->row +
                         at->column * g->stride_w * v->pixel;
        t->c_row[i] = i * g->F;
        if (++at->column < g->OW) continue;
        at->column = 0;
        if (++at->row < rows) continue;
        at->row = 0;
        at->image++;
    }
}

/* Rows of a tile that lie evenly are addressed from a few pointers, while k goes through a run. */
enum { LONG_RUN = 8 };

/* The tile's form, from its places and the length of its runs of k. */
static void choose_form(nnl_tile *t, int64_t run) {
    const int64_t apart = t->rows > 1 ? t->a_places[1] - t->a_places[0] : 0;
    bool even = run >= LONG_RUN;
    for (int i = 1; even && i < t->rows; i++)
        even = t->a_places[i] == t->a_places[0] + i * apart;
    t->form = even ? ROWS : ANYWHERE;
    t->a_row = apart;
    t->run = run;
}

/* Rows of n columns, ld apart. */
static void activate_rows(real *y, int64_t rows, int64_t n, int64_t ld,
                          const nnl_epilogue *epilogue) {
    if (epilogue->activation == NNL_LINEAR) return;
    if (n == ld) n *= rows, rows = 1;
    for (int64_t i = 0; i < rows; i++, y += ld)
        activate(y, y, n, epilogue->activation, epilogue->alpha);
}

/* y of one band, for some of the panels. */
static void convolve_band(const nnl_conv *g, const nnl_view *v, nnl_band band, nnl_range panels,
                          const real *packed, real *y, const nnl_epilogue *epilogue,
                          nnl_fetch *fetch, nnl_tile *t) {
    const int64_t rows = band.images * band.rows, run = taps_together(g);
    const nnl_range all = columns_of(panels, g->Fg);
    /* Strips of one row of pixels each, where these are long enough to lie evenly. */
    const bool by_rows = run >= LONG_RUN && g->OW >= MR;
    const int64_t parts = by_rows ? rows : 1, wide = by_rows ? g->OW : rows * g->OW;
    const int64_t strips = pieces(wide, MR);
    nnl_place at = {0};
    for (int64_t s = 0; s < parts * strips; s++) {
        const nnl_range part = {s / strips * wide, (s / strips + 1) * wide};
        const nnl_range strip = piece(part, 1, s % strips, strips);
        place_pixels(t, g, v, band.rows, &at, length(strip));
        choose_form(t, run);
        real *c = y + strip.begin * g->F;
        for (int64_t p = panels.begin; p < panels.end; p++) {
            const nnl_panel f = panel_of(p, g->Fg);
            t->a = v->data + f.group * g->Cg;
            t->b = packed + p * g->K * NR;
            t->c = c + f.column;
            t->n = f.n;
            t->bias = epilogue->bias ? epilogue->bias + f.column : NULL;
            if (by_rows) fetch_some(fetch, t, t->K); /* at each run */
            multiply_panel(t);
        }
        activate_rows(c + all.begin, length(strip), length(all), g->F, epilogue);
    }
}

/* With one channel and few filters, pixels that lie side by side are the columns of the product
 * and the filters its rows: so the vectors are full. The sums are the same. */
static bool turns(const nnl_conv *g) {
    return g->C == 1 && g->stride_w == 1 && 2 * g->F <= LANES && 2 * g->OW >= NR;
}

/* Reals for NR pixels' windows [K][NR] and their results [F][NR]. */
static int64_t turned_room(const nnl_conv *g) { return turns(g) ? (g->K + g->F) * NR : 0; }

/* One row of y; x: the first pixel under its first window. */
static void convolve_turned_row(const nnl_conv *g, const nnl_view *v, const real *x, real *room,
                                real *y, const real *bias, nnl_tile *t) {
    for (int64_t ow = 0; ow < g->OW; ow += NR) {
        const int64_t n = min_of(NR, g->OW - ow);
        real *to = room;
        for (int64_t i = 0; i < g->KH; i++)
            for (int64_t j = 0; j < g->KW; j++, to += NR) {
                const real *from = x + i * g->dilation_h * v->row + j * g->dilation_w + ow;
                for (int64_t l = 0; l < n; l += LANES)
                    vec_store(to + l, vec_load_first(from + l, n - l));
            }
        t->n = whole_vectors(n);
        multiply_panel(t);
        unpack_turned(y + ow * g->F, g->F, t->c, g->F, n, bias);
    }
}

/* y of one band; `room` has turned_room, `step` room for K. */
static void convolve_turned(const nnl_conv *g, const nnl_view *v, nnl_band band, const real *w,
                            real *room, int64_t *step, real *y, const nnl_epilogue *epilogue) {
    nnl_tile t = {.form = ANYWHERE, .a = w, .b = room, .c = room + g->K * NR, .step = step,
                  .K = g->K, .b_k = NR, .rows = (int)g->F};
    for (int64_t k = 0; k < g->K; k++) step[k] = k * g->F;
    for (int f = 0; f < t.rows; f++) t.a_places[f] = f, t.c_row[f] = f * NR;
    for (int64_t r = 0; r < band.images * band.rows; r++, y += g->OW * g->F) {
        const int64_t at = r / band.rows * v->image + r % band.rows * g->stride_h * v->row;
        convolve_turned_row(g, v, v->data + at, room, y, epilogue->bias, &t);
        activate_rows(y, g->OW, g->F, g->F, epilogue);
    }
}

/* y = act(conv(x, w) + b), y[n, oh, ow, f] = sum over kh, kw, c of
 *     x[n, oh stride_h - top + kh dilation_h, ow stride_w - left + kw dilation_w, c] times
 *     w[kh, kw, c, f], where channels f of a group see channels c of the same group.
 * in    x [N, H, W, C], w [KH, KW, C / groups, F], b [F] (may be left out)
 * out   y [N, OH, OW, F]
 * attr  0 activation (see activation.h), 1 its alpha, 2 stride_h, 3 stride_w, 4 top, 5 left,
 *       6 dilation_h, 7 dilation_w, 8 groups */
static void op_conv2d(const nnl_call *call, nnl_team *team) {
    const nnl_conv g = conv_of(&call->in[0], &call->in[1], &call->out[0], call->attr + 2);
    const nnl_epilogue epilogue = {.bias = call->n_in == 3 ? call->in[2].data : NULL,
                                   .activation = (int)call->attr[0].i,
                                   .alpha = call->attr[1].f};
    const nnl_band most = band_of(g.OH, g.OW, BAND);
    const int64_t panels = panels_of(g.groups, g.Fg);
    const int64_t indices = lines_of_indices(g.K), room = lines(padded_size(&g, most));
    real *packed = team->scratch;
    real *mine = packed + panels * g.K * NR + team->id * (indices + room + turned_room(&g));
    int64_t *step = (int64_t *)mine;
    pack_kernel(&g, call->in[1].data, packed, team);
    nnl_wait(team);

    const nnl_part part = part_of(g.N * g.OH, g.OW, panels, team);
    if (length(part.panels) == 0 || nnl_size(&call->out[0]) == 0) return;
    const int64_t blocks = pieces(length(part.panels) * g.K * NR, PACKED_BLOCK);
    const int64_t cuts = min_of(blocks, length(part.panels));
    nnl_tile t = {.form = ANYWHERE, .step = step, .K = g.K, .b_k = NR};
    for (int64_t r = part.rows.begin; r < part.rows.end;) {
        const nnl_band band = next_band(most, r, part.rows.end, g.OH);
        const nnl_view v = view_of(&g, call->in[0].data, band, r, mine + indices);
        real *y = (real *)call->out[0].data + r * g.OW * g.F;
        r += band.images * band.rows;
        if (turns(&g)) {
            convolve_turned(&g, &v, band, call->in[1].data, mine + indices + room, step, y,
                            &epilogue);
            continue;
        }
        window_steps(&g, &v, step);
        const int64_t rows = band.images * band.rows;
        nnl_fetch fetch = fetch_of((nnl_range){r, r + rows}, g.N * g.OH, &call->out[0],
                                   &call->in[0],
                                   pieces(rows * g.OW, MR) * length(part.panels));
        for (int64_t b = 0; b < cuts; b++)
            convolve_band(&g, &v, band, piece(part.panels, 1, b, cuts), packed, y, &epilogue,
                          &fetch, &t);
    }
}

static int64_t conv2d_scratch(const nnl_call *call, int threads) {
    const nnl_conv g = conv_of(&call->in[0], &call->in[1], &call->out[0], call->attr + 2);
    const int64_t mine = lines_of_indices(g.K) +
                         lines(padded_size(&g, band_of(g.OH, g.OW, BAND))) + turned_room(&g);
    return (panels_of(g.groups, g.Fg) * g.K * NR + mine * threads) * (int64_t)sizeof(real);
}
