/* simple_rnn.c: the simple recurrent layer and its gradient.
 *
 * J. L. Elman: "Finding structure in time", Cognitive Science 14, 1990. */
#include <stdint.h>
#include <string.h>

#include "steps.h"

/* h_t = act(z_t + h_p R) for each step t, and p the one before it.
 * in    z [N, T, U], R [U, U], the first h [N, U], optionally mask and drop (steps.h)
 * out   h [N, T, U] (may be z); for the gradient also what R was multiplied by, before [N, T, U]
 * attr  as in steps.h; rec is not used */
static void op_simple_rnn(const nnl_call *call, nnl_team *team) {
    const int64_t N = call->out[0].shape[0], T = call->out[0].shape[1], U = call->out[0].shape[2];
    const nnl_recurrence r = recurrence_of(call, 3);
    const nnl_step_part part = step_part_of(N, U, 1, !r.drop, team);
    const int64_t rows = length(part.rows), n0 = part.rows.begin;
    const int64_t u = part.units.begin, n = length(part.units);
    const real *z = (const real *)call->in[0].data + n0 * T * U;
    real *first_h = (real *)call->in[2].data + n0 * U;
    real *h = (real *)call->out[0].data + n0 * T * U;
    real *before = call->n_out > 1 ? (real *)call->out[1].data + n0 * T * U : NULL;
    const real *drop = r.drop ? r.drop + n0 * U : NULL;

    real *scratch = team->scratch;
    const nnl_recurrent R = recurrent_kernel(scratch, call->in[1].data, N, U, 1, team);
    const nnl_rows dropped = {scratch + packed_reals(U, U) + n0 * U, U};

    for (int64_t s = 0; s < T && rows; s++) {
        const int64_t t = step_at(s, T, r.reverse), p = step_at(s - 1, T, r.reverse);
        const nnl_rows h_p = s ? (nnl_rows){h + p * U, T * U} : (nnl_rows){first_h, U};
        const nnl_rows kept = {before ? before + t * U : NULL, T * U};
        const nnl_rows y = {h + t * U, T * U};
        copy_gates(1, y, z + t * U, T * U, &part, U);
        const nnl_rows a = recurrent_input(h_p, drop, kept, dropped, &part, U);
        add_recurrent(1, y, a, &part, U, &R, ahead_at(s + 1, z, rows, T, U, r.reverse));
        for (int64_t i = 0; i < rows; i++) {
            real *h_t = y.data + i * y.ld + u;
            if (is_masked(&r, (n0 + i) * T + t))
                memcpy(h_t, h_p.data + i * h_p.ld + u, (size_t)n * sizeof *h_t);
            else
                activate(h_t, h_t, n, r.act.kind, r.act.alpha);
        }
        if (part.together) nnl_arrive(team);
    }
}

static int64_t simple_rnn_scratch(const nnl_call *call, int threads) {
    (void)threads;
    const int64_t N = call->out[0].shape[0], U = call->out[0].shape[2];
    return (packed_reals(U, U) + N * U) * (int64_t)sizeof(real);
}

/* in    dh [N, T, U], or [N, U] of the step that was computed last; h, R; mask and drop as
 *       in simple_rnn
 * out   dz [N, T, U] (may be dh), the gradient of the first h [N, U]; that of R is before^T dz
 * attr  as in simple_rnn */
static void op_simple_rnn_gradient(const nnl_call *call, nnl_team *team) {
    const int64_t *shape = call->in[1].shape, N = shape[0], T = shape[1], U = shape[2];
    const nnl_recurrence r = recurrence_of(call, 3);
    const nnl_range mine = nnl_share(N, 1, team);
    const int64_t rows = length(mine), n0 = mine.begin, from = n0 * T * U;
    const real *h = (const real *)call->in[1].data + from;
    real *dz = (real *)call->out[0].data + from, *next_h = (real *)call->out[1].data + n0 * U;

    real *scratch = team->scratch;
    const nnl_packed R = pack_together(scratch, call->in[2].data, true, U, U, team);
    real *product = scratch + packed_reals(U, U) + n0 * U;
    real *zeros = scratch + packed_reals(U, U) + (N + team->id) * U;
    memset(zeros, 0, (size_t)U * sizeof *zeros);
    memset(next_h, 0, (size_t)(rows * U) * sizeof *next_h);

    for (int64_t s = T - 1; s >= 0 && rows; s--) {
        const int64_t t = step_at(s, T, r.reverse);
        for (int64_t i = 0; i < rows; i++) {
            const int64_t at = (i * T + t) * U;
            const real *dh_t = from_outside(&call->in[0], n0 + i, t, T, U, s == T - 1, zeros);
            real *dh_p = next_h + i * U, *dz_t = dz + at;
            if (is_masked(&r, (n0 + i) * T + t)) {
                for (int64_t j = 0; j < U; j++) dh_p[j] += dh_t[j];
                memset(dz_t, 0, (size_t)U * sizeof *dz_t);
                continue;
            }
            NNL_INDEPENDENT
            for (int64_t j = 0; j < U; j++) {
                dz_t[j] = dh_t[j] + dh_p[j];
                dh_p[j] = 0;
            }
            activate_gradient(dz_t, dz_t, h + at, U, r.act.kind, r.act.alpha);
        }
        const nnl_operand d = {dz + t * U, T * U, false};
        add_to_previous(next_h, d, rows, &R, r.drop ? r.drop + n0 * U : NULL, product,
                        ahead_at(s - 1, h, rows, T, U, r.reverse));
    }
}

static int64_t simple_rnn_gradient_scratch(const nnl_call *call, int threads) {
    const int64_t N = call->in[1].shape[0], U = call->in[1].shape[2];
    return (packed_reals(U, U) + (N + threads) * U) * (int64_t)sizeof(real);
}
