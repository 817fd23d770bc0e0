/* steps.h: what recurrent layers have in common.
 *
 * A layer's input enters as z, its product with the kernel for all steps, which is one matrix
 * product. What is left is the product of the state with the recurrent kernel R in each step. R is
 * packed once. A thread then computes its own samples, from the first step to the last, and waits
 * for no other. */
#ifndef NNL_STEPS_H
#define NNL_STEPS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../../gemm/packed.h"
#include "../../math/activation.h"
#include "../../runtime/barrier.h"
#include "../../runtime/shares.h"

/* Packs x [K, N], or its transpose [N, K], with all threads of the team, and waits for them. */
static nnl_packed pack_together(real *packed, const real *x, bool transposed, int64_t K, int64_t N,
                                const nnl_team *team) {
    pack_panels(packed, (nnl_operand){x, transposed ? K : N, transposed}, K, N,
                nnl_share(ceil_div(N, NR), 1, team));
    nnl_wait(team);
    return (nnl_packed){packed, K, N};
}

/* c [rows, N] += a [rows, K] B. Rows of a are lda apart, and rows of c ldc. */
static void add_product(real *c, int64_t ldc, const real *a, int64_t lda, int64_t rows,
                        const nnl_packed *B) {
    multiply_packed(c, ldc, (nnl_operand){a, lda, false}, rows, B, true);
}

/* Two activations by number, with their parameters (activation.h). */
typedef struct {
    int kind;
    double alpha;
} nnl_act;

/* The steps of a layer, in the order in which they are computed. */
static inline int64_t step_at(int64_t s, int64_t T, bool reverse) {
    return reverse ? T - 1 - s : s;
}

/* What a recurrent op is told: its attributes after the activations, and its optional inputs. */
typedef struct {
    nnl_act act, rec;
    bool reverse;
    const real *mask; /* [N, T], or NULL: at a step where it is 0 the state stays */
    const real *drop; /* [N, U], or NULL: h is multiplied by it before R */
} nnl_recurrence;

/* attr  act: kind, alpha; rec: kind, alpha; reverse: the last step comes first; 1: a mask is given;
 *       1: drop is given. The optional inputs follow `required` others. */
static nnl_recurrence recurrence_of(const nnl_call *call, int required) {
    const nnl_attr *a = call->attr;
    nnl_recurrence r = {
        .act = {(int)a[0].i, a[1].f}, .rec = {(int)a[2].i, a[3].f}, .reverse = a[4].i != 0};
    if (a[5].i) r.mask = call->in[required++].data;
    if (a[6].i) r.drop = call->in[required].data;
    return r;
}

static inline bool is_masked(const nnl_recurrence *r, int64_t step) {
    return r->mask && r->mask[step] == 0;
}

/* Rows that lie `ld` apart. */
typedef struct {
    real *data;
    int64_t ld;
} nnl_rows;

static inline void copy_rows(nnl_rows y, const real *x, int64_t ldx, int64_t rows, int64_t n) {
    for (int64_t i = 0; i < rows; i++)
        memcpy(y.data + i * y.ld, x + i * ldx, (size_t)n * sizeof *x);
}

/* What R is multiplied by in a step: h times drop, if there is one. `kept` is where the gradient
 * needs it, or NULL; `room` has place for it. */
static nnl_rows recurrent_input(nnl_rows h, const real *drop, nnl_rows kept, real *room,
                                int64_t rows, int64_t U) {
    if (!drop && !kept.data) return h;
    const nnl_rows y = kept.data ? kept : (nnl_rows){room, U};
    if (!drop) {
        copy_rows(y, h.data, h.ld, rows, U);
        return h;
    }
    for (int64_t i = 0; i < rows; i++) {
        NNL_INDEPENDENT
        for (int64_t j = 0; j < U; j++)
            y.data[i * y.ld + j] = h.data[i * h.ld + j] * drop[i * U + j];
    }
    return y;
}

/* dh += (dz R^T) drop. `product` has room for the rows. */
static void add_to_previous(real *dh, const real *dz, int64_t ld, int64_t rows, const nnl_packed *R,
                            const real *drop, real *product) {
    const int64_t n = rows * R->N;
    if (!drop) {
        add_product(dh, R->N, dz, ld, rows, R);
        return;
    }
    memset(product, 0, (size_t)n * sizeof *product);
    add_product(product, R->N, dz, ld, rows, R);
    for (int64_t j = 0; j < n; j++) dh[j] = fmadd(product[j], drop[j], dh[j]);
}

#endif
