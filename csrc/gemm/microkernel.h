/* microkernel.h: a tile of C that stays in registers while k runs: the loop that takes the time.
 *
 * The loop is written once, over a vector type and the few operations that microkernel_<isa>.h
 * supplies along with the tile's shape: MR rows of NV vectors. Height and width, and how A and B
 * are read, are constants wherever a tile is instantiated, so the compiler unrolls the loops over
 * them and gives each accumulator a register. */
#ifndef NNL_MICROKERNEL_H
#define NNL_MICROKERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/vec.h"
#include "../runtime/shares.h"

#if defined(__AVX512F__)
#include "microkernel_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "microkernel_avx2.h"
#else
#include "microkernel_generic.h"
#endif

enum {
    NR = NV * LANES,                          /* columns of a panel, a piece of packed B */
    THIN_NR = THIN_NV * LANES,                /* columns of a thin tile, which reads B in place; */
    LONG_NR = LONG_NV * LANES,                /* of one that has a single row */
    STRIP = (MR + LANES - 1) / LANES * LANES, /* from one k to the next in a packed strip of A */
};

/* n columns, filled up to whole vectors. */
static inline int64_t whole_vectors(int64_t n) { return ceil_div(n, LANES) * LANES; }

NNL_INLINE vec vec_load(const real *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

NNL_INLINE void vec_store(real *p, vec v) { memcpy(p, &v, sizeof v); }

/* a[first], b[first], a[first + 1], b[first + 1], ... */
NNL_INLINE vec vec_zip(vec a, vec b, const int first) {
    __typeof__(a < b) from; /* integers as wide as a real */
#pragma GCC unroll 16
    for (int l = 0; l < LANES; l++) from[l] = first + l / 2 + l % 2 * LANES;
    return __builtin_shuffle(a, b, from);
}

/* Where element (i, k) of a lies. ROWS: a[i * a_row + k]; where k goes in runs that do not lie
 * together, a[a_places[0] + i * a_row + step[k]]. COLUMNS: a[i + k * a_k]. ANYWHERE:
 * a[a_places[i] + step[k]], so that the patches of an image are rows of A though they were never
 * copied: the rows are pixels and the steps go through the window, or the rows are places in the
 * window and the steps go through pixels. */
typedef enum { ROWS, COLUMNS, ANYWHERE } nnl_form;

/* How b is read: whole vectors; these, which are also left packed in `keep`; whole vectors, of
 * which those of k begin at b[step[k]]; no more than n columns. */
typedef enum { WHOLE, KEEPING, STEPPING, EDGE } nnl_way;

/* What a tile computes: c[c_row[i] + j] = (c or 0) + the sum over k of a[i, k] b[k * b_k + j]
 * (+ bias[j]). Of c and bias only n columns are touched; b is padded to whole vectors, unless
 * the tile is an EDGE. */
typedef struct {
    nnl_form form;
    const real *a, *b;
    real *c, *keep; /* keep: where to leave b packed, or NULL */
    int64_t a_row, a_k, b_k, n, K;
    const int64_t *step; /* of a ANYWHERE, of its runs of ROWS, of the b of COLUMNS; else NULL */
    int64_t run;         /* k of a run */
    int64_t a_places[MR], c_row[MR];
    int rows;
    bool resume;        /* c holds the sums over the k that came before */
    const real *bias;   /* NULL: there is none, or more k is to come */
    const real *b_next; /* the b of the next tile, if this one is kept */
    const char *ahead;  /* memory that is fetched meanwhile: so many lines, some every so many k */
    int64_t ahead_lines, ahead_k;
} nnl_tile;

/* Rows of A that are addressed from one pointer: base, base + 1, 2 and 3 row lengths. With a
 * pointer or an offset for every row the general registers would not suffice. */
enum { GROUP = 4 };

enum {
    EARLY = 32, /* k by which rows of b are fetched early where they lie */
    SOME = 16,  /* k between two looks at what is to be fetched */
    FEW = 4     /* the same for what comes from far: many lines at once would hold up the others */
};

/* How many pointers into a there are. */
NNL_INLINE int pointers(const int mr, const nnl_form form) {
    return form == ROWS ? (mr + GROUP - 1) / GROUP : form == COLUMNS ? 1 : mr;
}

/* acc[i][j] += a[i, k] b[k, j], for all k. Every instruction beside the multiply-adds counts: an
 * addition of addresses can take the place of one of them. */
NNL_INLINE void accumulate(const int mr, const int nv, const nnl_form form, const nnl_way way,
                           vec acc[MR][LONG_NV], const nnl_tile *t) {
    const int64_t K = t->K, n = t->n, a_row = t->a_row, b_k = t->b_k, *step = t->step;
    const int64_t a_k = form == ROWS ? 1 : t->a_k;
    const bool in_runs = form == ROWS && step;
    const int64_t some = in_runs          ? t->run
                         : t->ahead_lines ? t->ahead_k
                         : way == KEEPING ? SOME
                                          : K;
    const int64_t lines = t->ahead_lines ? ceil_div(t->ahead_lines * some, K) : 0;
    const char *ahead = t->ahead, *ahead_end = ahead + 64 * t->ahead_lines;
    const real *b = t->b, *a[MR];
    real *keep = t->keep;
#pragma GCC unroll 16
    for (int g = 0; g < pointers(mr, form); g++)
        a[g] = t->a + (form == ANYWHERE ? t->a_places[g] : g * GROUP * a_row);

    for (int64_t k = 0; k < K;) {
        for (int64_t l = 0; l < lines && ahead < ahead_end; l++, ahead += 64)
            __builtin_prefetch(ahead, 0, 2);
#pragma GCC unroll 16
        for (int g = 0; in_runs && g < pointers(mr, form); g++)
            a[g] = t->a + t->a_places[0] + step[k] + g * GROUP * a_row;
        const char *early = (const char *)(b + EARLY * b_k);
        if (way == KEEPING && k + EARLY >= K)
            early = (const char *)(t->b_next + (k + EARLY - K) * b_k);
        const int64_t to_early = early - (const char *)b;
        for (const int64_t end = min_of(K, k + some); k < end; k++) {
            const int64_t at = form == ANYWHERE || way == STEPPING ? step[k] : 0;
            const real *from = way == STEPPING ? b + at : b;
            vec bk[LONG_NV];
#pragma GCC unroll 16
            for (int j = 0; j < nv; j++) {
                bk[j] = way == EDGE ? vec_load_first(from + j * LANES, n - j * LANES)
                                    : vec_load(from + j * LANES);
                if (way == KEEPING) vec_store(keep + j * LANES, bk[j]);
                if (way == KEEPING)
                    __builtin_prefetch((const char *)(from + j * LANES) + to_early);
            }
#pragma GCC unroll 16
            for (int i = 0; i < mr; i++) {
                const vec ai = vec_broadcast(form == ROWS      ? a[i / GROUP][i % GROUP * a_row]
                                             : form == COLUMNS ? a[0][i]
                                                               : a[i][at]);
#pragma GCC unroll 16
                for (int j = 0; j < nv; j++) acc[i][j] = vec_fmadd(ai, bk[j], acc[i][j]);
            }
            if (way != STEPPING) b += b_k;
            if (way == KEEPING) keep += NR;
            if (form != ANYWHERE) {
#pragma GCC unroll 16
                for (int g = 0; g < pointers(mr, form); g++) a[g] += a_k;
            }
        }
    }
}

/* A tile of whole vectors, nv of them, in c as in b. */
NNL_INLINE void tile(const int mr, const int nv, const nnl_form form, const nnl_way way,
                     const nnl_tile *t) {
    vec acc[MR][LONG_NV];
    if (mr > MR) return;
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++)
            acc[i][j] = t->resume ? vec_load(t->c + t->c_row[i] + j * LANES) : (vec){0};

    accumulate(mr, nv, form, way, acc, t);

    if (t->bias) {
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) {
            const vec bias = vec_load(t->bias + j * LANES);
#pragma GCC unroll 16
            for (int i = 0; i < mr; i++) acc[i][j] += bias;
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) vec_store(t->c + t->c_row[i] + j * LANES, acc[i][j]);
}

NNL_INLINE void panel_tile(const int mr, const nnl_form form, const nnl_tile *t) {
    const bool stepping = form == COLUMNS && t->step;
    if (t->n <= LANES && stepping)
        tile(mr, 1, form, STEPPING, t);
    else if (stepping)
        tile(mr, NV, form, STEPPING, t);
    else if (t->n <= LANES)
        tile(mr, 1, form, WHOLE, t);
    else if (form != ANYWHERE && t->keep)
        tile(mr, NV, form, KEEPING, t);
    else
        tile(mr, NV, form, WHOLE, t);
}

NNL_INLINE void panel_tiles(const nnl_form form, const nnl_tile *t) {
    _Static_assert(MR <= 14, "a case for every height");
    switch (t->rows) {
    case 1: panel_tile(1, form, t); break;
    case 2: panel_tile(2, form, t); break;
    case 3: panel_tile(3, form, t); break;
    case 4: panel_tile(4, form, t); break;
    case 5: panel_tile(5, form, t); break;
    case 6: panel_tile(6, form, t); break;
    case 7: panel_tile(7, form, t); break;
    case 8: panel_tile(8, form, t); break;
    case 9: panel_tile(9, form, t); break;
    case 10: panel_tile(10, form, t); break;
    case 11: panel_tile(11, form, t); break;
    case 12: panel_tile(12, form, t); break;
    case 13: panel_tile(13, form, t); break;
    case 14: panel_tile(14, form, t); break;
    }
}

static void multiply_rows(const nnl_tile *t) { panel_tiles(ROWS, t); }
static void multiply_columns(const nnl_tile *t) { panel_tiles(COLUMNS, t); }
static void multiply_anywhere(const nnl_tile *t) { panel_tiles(ANYWHERE, t); }

/* 1 .. MR rows by one or NV whole vectors. */
static void multiply_vectors(const nnl_tile *t) {
    switch (t->form) {
    case ROWS: multiply_rows(t); break;
    case COLUMNS: multiply_columns(t); break;
    case ANYWHERE: multiply_anywhere(t); break;
    }
}

/* The columns of a thin tile, of n that are left. */
static int64_t thin_width(int rows, int64_t n) {
    return rows == 1 && n >= LONG_NR ? LONG_NR : n >= THIN_NR ? THIN_NR : min_of(n, NR);
}

/* 1 .. THIN_MR rows by as many columns as thin_width() says. So few accumulators are in use that a
 * tile must be wide for the multiply-adds not to wait for each other; and the longer the pieces are
 * in which it reads b, the faster they come. */
NNL_INLINE void thin_tile(const int mr, const nnl_form form, const nnl_tile *t) {
    if (mr > THIN_MR) return;
    if (mr == 1 && t->n == LONG_NR)
        tile(1, LONG_NV, form, WHOLE, t);
    else if (t->n == THIN_NR)
        tile(mr, THIN_NV, form, WHOLE, t);
    else
        tile(mr, NV, form, EDGE, t);
}

NNL_INLINE void thin_tiles(const nnl_form form, const nnl_tile *t) {
    _Static_assert(THIN_MR <= 3, "a case for every height");
    switch (t->rows) {
    case 1: thin_tile(1, form, t); break;
    case 2: thin_tile(2, form, t); break;
    case 3: thin_tile(3, form, t); break;
    }
}

static void multiply_thin_vectors(const nnl_tile *t) {
    if (t->form == ROWS)
        thin_tiles(ROWS, t);
    else
        thin_tiles(COLUMNS, t);
}

/* A tile whose columns do not fill whole vectors is computed in a corner of its own. */
static void multiply_in_corner(const nnl_tile *t, void (*multiply)(const nnl_tile *)) {
    real corner[MR * NR], bias[NR] = {0};
    const size_t size = (size_t)t->n * sizeof *corner;
    nnl_tile in = *t;
    in.c = corner, in.bias = t->bias ? bias : NULL;
    if (t->bias) memcpy(bias, t->bias, size);
    for (int i = 0; i < t->rows; i++) {
        in.c_row[i] = i * NR;
        if (t->resume) memcpy(corner + i * NR, t->c + t->c_row[i], size);
    }
    multiply(&in);
    for (int i = 0; i < t->rows; i++) memcpy(t->c + t->c_row[i], corner + i * NR, size);
}

/* 1 .. MR rows by at most NR columns. */
static void multiply_panel(const nnl_tile *t) {
    if (t->n == LANES || t->n == NR)
        multiply_vectors(t);
    else
        multiply_in_corner(t, multiply_vectors);
}

/* 1 .. THIN_MR rows by as many columns as thin_width() says; b is read where it lies. */
static void multiply_thin(const nnl_tile *t) {
    if (t->n >= NR)
        multiply_thin_vectors(t);
    else
        multiply_in_corner(t, multiply_thin_vectors);
}

#endif
