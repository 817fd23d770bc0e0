/* pack.h: parts of an operand, copied into the order in which the micro-kernel reads them. */
#ifndef NNL_PACK_H
#define NNL_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "microkernel.h"

/* What is packed: K rows of n columns, n <= NR columns of B or n <= MR rows of A. Element (k, j)
 * is x[k * ld + j], or x[j * ld + k] if k_contiguous. */
typedef struct {
    const real *x;
    int64_t ld, K, n;
    bool k_contiguous;
} nnl_pack_source;

/* panel[k * width + j] = element (k, j). The last vector of each k is filled up with zeros. */
static void pack_rows(real *panel, int64_t width, const nnl_pack_source *p) {
    for (int64_t k = 0; k < p->K; k++)
        for (int64_t j = 0; j < p->n; j += LANES)
            vec_store(panel + k * width + j, vec_load_first(p->x + k * p->ld + j, p->n - j));
}

/* Transposes LANES rows of LANES elements. A round zips the upper half of the rows into the lower
 * half. Read an element's row and lane as one binary number: a round rotates it by one bit. After
 * log2(LANES) rounds row and lane have changed places. */
NNL_INLINE void transpose(vec x[LANES]) {
#pragma GCC unroll 4
    for (int round = 1; round < LANES; round *= 2) {
        vec y[LANES];
#pragma GCC unroll 16
        for (int i = 0; i < LANES / 2; i++) {
            y[2 * i] = vec_zip(x[i], x[i + LANES / 2], 0);
            y[2 * i + 1] = vec_zip(x[i], x[i + LANES / 2], LANES / 2);
        }
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++) x[i] = y[i];
    }
}

/* As pack_rows, from a source that is k_contiguous: in squares of LANES x LANES. */
static void pack_columns(real *panel, int64_t width, const nnl_pack_source *p) {
    for (int64_t k = 0; k < p->K; k += LANES)
        for (int64_t j = 0; j < p->n; j += LANES) {
            const int64_t rows = p->K - k, columns = p->n - j; /* that are left */
            const real *x = p->x + j * p->ld + k;
            real *to = panel + k * width + j;
            vec square[LANES];
            if (rows >= LANES && columns >= LANES) {
#pragma GCC unroll 16
                for (int l = 0; l < LANES; l++) square[l] = vec_load(x + l * p->ld);
            } else {
                for (int l = 0; l < LANES; l++)
                    square[l] = l < columns ? vec_load_first(x + l * p->ld, rows) : (vec){0};
            }
            transpose(square);
            if (rows >= LANES) {
#pragma GCC unroll 16
                for (int l = 0; l < LANES; l++) vec_store(to + l * width, square[l]);
            } else {
                for (int l = 0; l < rows; l++) vec_store(to + l * width, square[l]);
            }
        }
}

static void pack(real *panel, int64_t width, nnl_pack_source p) {
    (p.k_contiguous ? pack_columns : pack_rows)(panel, width, &p);
}

/* c[j * ldc + i] = panel[i * NR + j] (+ bias[i]), for `rows` <= LANES rows i and n columns j. */
static void unpack_transposed(real *c, int64_t ldc, const real *panel, int64_t rows, int64_t n,
                              const real *bias) {
    const vec b = bias ? vec_load_first(bias, rows) : (vec){0};
    for (int64_t j = 0; j < n; j += LANES) {
        vec square[LANES];
        for (int i = 0; i < LANES; i++)
            square[i] = i < rows ? vec_load(panel + i * NR + j) : (vec){0};
        transpose(square);
        for (int l = 0; l < LANES && j + l < n; l++)
            vec_store_first(c + (j + l) * ldc, bias ? square[l] + b : square[l], rows);
    }
}

#endif
