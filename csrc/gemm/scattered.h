/* scattered.h: a tile of C whose operand A lies anywhere, so that a convolution reads images in
 * place.
 *
 * Element (i, k) of A is a[row[i] + step[k]]. So the patches of an image are rows of A though
 * they were never copied: the rows are pixels and the steps go through the window, or the rows
 * are the places of the window and the steps go through pixels. */
#ifndef NNL_SCATTERED_H
#define NNL_SCATTERED_H

#include "microkernel.h"

/* b is packed, or as wide as whole vectors: b[k * b_k + j]. c[c_row[i] + j], of which only the n
 * columns are touched. */
typedef struct {
    const real *a, *b;
    real *c;
    const int64_t *step;
    int64_t K, b_k, n;
    int64_t a_row[MR], c_row[MR];
    int rows;
    bool resume;      /* c holds the sums over the k that came before */
    const real *bias; /* of these n columns, or NULL */
} nnl_scattered;

/* acc[i][j] += a[i, k] b[k, j], for all k. */
NNL_INLINE void accumulate_steps(const int mr, const int nv, vec acc[MR][NV],
                                 const nnl_scattered *t) {
    const int64_t K = t->K, b_k = t->b_k, *step = t->step;
    const real *b = t->b, *a[MR];
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++) a[i] = t->a + t->a_row[i];

    for (int64_t k = 0; k < K; k++, b += b_k) {
        const int64_t at = step[k];
        vec bk[NV];
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) bk[j] = vec_load(b + j * LANES);
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) {
            const vec ai = vec_broadcast(a[i][at]);
#pragma GCC unroll 16
            for (int j = 0; j < nv; j++) acc[i][j] = vec_fmadd(ai, bk[j], acc[i][j]);
        }
    }
}

/* c = (c or 0) + a b (+ bias) */
NNL_INLINE void scattered_tile(const int mr, const int nv, const nnl_scattered *t) {
    if (mr > MR) return;
    vec acc[MR][NV];
    const bool full = t->n == nv * LANES;
#pragma GCC unroll 16
    for (int i = 0; i < mr; i++)
#pragma GCC unroll 16
        for (int j = 0; j < nv; j++) {
            const real *c = t->c + t->c_row[i] + j * LANES;
            acc[i][j] = (vec){0};
            if (t->resume) acc[i][j] = full ? vec_load(c) : vec_load_first(c, t->n - j * LANES);
        }

    accumulate_steps(mr, nv, acc, t);

#pragma GCC unroll 16
    for (int j = 0; j < nv; j++) {
        const int64_t n = t->n - j * LANES;
        const vec bias = t->bias ? vec_load_first(t->bias + j * LANES, n) : (vec){0};
#pragma GCC unroll 16
        for (int i = 0; i < mr; i++) {
            real *c = t->c + t->c_row[i] + j * LANES;
            const vec sum = t->bias ? acc[i][j] + bias : acc[i][j];
            if (full)
                vec_store(c, sum);
            else
                vec_store_first(c, sum, n);
        }
    }
}

NNL_INLINE void scattered_panel(const int mr, const nnl_scattered *t) {
    if (t->n <= LANES)
        scattered_tile(mr, 1, t);
    else
        scattered_tile(mr, NV, t);
}

/* 1 .. MR rows by at most NR columns. */
static void multiply_scattered(const nnl_scattered *t) {
    _Static_assert(MR <= 14, "a case for every height");
    switch (t->rows) {
    case 1: scattered_panel(1, t); break;
    case 2: scattered_panel(2, t); break;
    case 3: scattered_panel(3, t); break;
    case 4: scattered_panel(4, t); break;
    case 5: scattered_panel(5, t); break;
    case 6: scattered_panel(6, t); break;
    case 7: scattered_panel(7, t); break;
    case 8: scattered_panel(8, t); break;
    case 9: scattered_panel(9, t); break;
    case 10: scattered_panel(10, t); break;
    case 11: scattered_panel(11, t); break;
    case 12: scattered_panel(12, t); break;
    case 13: scattered_panel(13, t); break;
    case 14: scattered_panel(14, t); break;
    }
}

#endif
