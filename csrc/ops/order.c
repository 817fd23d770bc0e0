/* order.c: the order of the elements of a row, as their indices. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../math/vec.h"
#include "../runtime/shares.h"

enum { FEW = 16 }; /* up to as many places are found by insertion, more by merging */

/* Whether a stands before b. NaN is larger than all numbers. */
NNL_INLINE bool stands_before(real a, real b, bool smallest) {
    return smallest ? is_larger(b, a) : is_larger(a, b);
}

/* The first k indices, each inserted where it belongs. */
NNL_INLINE void insert_first(int32_t *best, const real *x, int64_t L, int64_t k, bool smallest) {
    for (int64_t j = 0, found = 0; j < L && k > 0; j++) {
        if (found == k && !stands_before(x[j], x[best[k - 1]], smallest)) continue;
        int64_t place = found < k ? found++ : k - 1;
        for (; place > 0 && stands_before(x[j], x[best[place - 1]], smallest); place--)
            best[place] = best[place - 1];
        best[place] = (int32_t)j;
    }
}

/* Two neighbouring runs of indices, a and b, as one. Of equal elements those of a come first. */
NNL_INLINE void merge(int32_t *merged, const int32_t *a, const int32_t *b, const int32_t *end,
                      const real *x, bool smallest) {
    const int32_t *const middle = b;
    while (a < middle && b < end) *merged++ = stands_before(x[*b], x[*a], smallest) ? *b++ : *a++;
    while (a < middle) *merged++ = *a++;
    while (b < end) *merged++ = *b++;
}

/* All L indices: runs of FEW by insertion, then runs of twice the length, again and again. `index`
 * and `other` have room for L each; returns the one that holds the result. */
NNL_INLINE int32_t *merge_sort(int32_t *index, int32_t *other, const real *x, int64_t L,
                               bool smallest) {
    for (int64_t i = 0; i < L; i += FEW) {
        const int64_t n = min_of(FEW, L - i);
        insert_first(index + i, x + i, n, n, smallest);
        for (int64_t j = i; j < i + n; j++) index[j] += (int32_t)i;
    }
    for (int64_t run = FEW; run < L; run *= 2) {
        for (int64_t i = 0; i < L; i += 2 * run)
            merge(other + i, index + i, index + min_of(i + run, L), index + min_of(i + 2 * run, L),
                  x, smallest);
        int32_t *const merged = other;
        other = index, index = merged;
    }
    return index;
}

/* Bytes of scratch: for each thread two lists of the indices of a row. */
static int64_t top_k_scratch(const nnl_call *call, int threads) {
    const int64_t lists = call->attr[0].i > FEW ? 2 * (int64_t)threads : 0;
    return lists * call->in[0].shape[1] * (int64_t)sizeof(int32_t);
}

/* y[n] = the indices of the k largest elements of row n, the largest first; or of the smallest, the
 * smallest first. Of equal elements the one with the lower index comes first.
 * in    x [N, L]
 * out   y int32 [N, k], k <= L
 * attr  k, smallest */
static void op_top_k(const nnl_call *call, nnl_team *team) {
    const int64_t N = call->in[0].shape[0], L = call->in[0].shape[1], k = call->attr[0].i;
    const bool smallest = call->attr[1].i != 0;
    const nnl_range part = nnl_share(N, 1, team);
    for (int64_t n = part.begin; n < part.end; n++) {
        const real *x = (const real *)call->in[0].data + n * L;
        int32_t *best = (int32_t *)call->out[0].data + n * k;
        if (k <= FEW) {
            insert_first(best, x, L, k, smallest);
            continue;
        }
        int32_t *index = (int32_t *)team->scratch + 2 * L * team->id;
        memcpy(best, merge_sort(index, index + L, x, L, smallest), (size_t)k * sizeof *best);
    }
}
