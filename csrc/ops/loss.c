/* loss.c: losses taken straight from logits, where they are accurate, their gradients, and the running mean of them. */
#include "../parallel.h"
#include "../vec.h"

/* uses exp_of_rows, softmax_of_rows and rows_per_block of activation.c */

/* loss = log(sum(e^(z - largest))) + sum_j t_j (largest - z_j), the first given; t has the sum 1 or is scaled. */
NNL_INLINE real lane_add_loss(real lane, real t, real below) { return fmadd(t, below, lane); }

/* log(sum(e^(z - max z))) of each row, at most SOFTMAX_BLOCK of them. */
static void log_of_sums(real *y, const real *z, int64_t rows, int64_t classes) {
    real block[SOFTMAX_BLOCK];
    if (classes <= SOFTMAX_BLOCK) {
        exp_of_rows(block, z, rows, classes);
    }
    (void)y;
}
