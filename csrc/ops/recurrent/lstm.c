/* lstm.c: the long short-term memory and its gradient.
 *
 * S. Hochreiter, J. Schmidhuber: "Long short-term memory", Neural Computation 9, 1997; F. A. Gers,
 * J. Schmidhuber, F. Cummins: "Learning to forget", Neural Computation 12, 2000. */
#include <stdint.h>
#include <string.h>

#include "steps.h"

/* For each step t, and p the one before it:
 *
 *     i, f, g, o = rec(z_i + h_p R_i), rec(z_f + h_p R_f), act(z_g + h_p R_g), rec(z_o + h_p R_o)
 *     c_t = f c_p + i g
 *     h_t = o act(c_t)
 *
 * in    z [N, T, 4 U], R [U, 4 U], the first h and c [N, U], optionally mask and drop (steps.h)
 * out   h, c [N, T, U]; for the gradient also gates [N, T, 4 U] (may be z), and what R was
 *       multiplied by, before [N, T, U]
 * attr  as in steps.h */
static void op_lstm(const nnl_call *call, nnl_team *team) {
    const int64_t N = call->out[0].shape[0], T = call->out[0].shape[1], U = call->out[0].shape[2];
    const nnl_recurrence r = recurrence_of(call, 4);
    const nnl_step_part part = step_part_of(N, U, 4, !r.drop, team);
    const int64_t rows = length(part.rows), n0 = part.rows.begin;
    const int64_t u = part.units.begin, n = length(part.units);
    const real *z = (const real *)call->in[0].data + n0 * T * 4 * U;
    real *first_h = (real *)call->in[2].data + n0 * U, *first_c = (real *)call->in[3].data + n0 * U;
    real *h = (real *)call->out[0].data + n0 * T * U, *c = (real *)call->out[1].data + n0 * T * U;
    const bool keep = call->n_out > 2;
    real *gates = keep ? (real *)call->out[2].data + n0 * T * 4 * U : NULL;
    real *before = keep ? (real *)call->out[3].data + n0 * T * U : NULL;
    const real *drop = r.drop ? r.drop + n0 * U : NULL;

    real *scratch = team->scratch;
    const nnl_recurrent R = recurrent_kernel(scratch, call->in[1].data, N, U, 4, team);
    scratch += packed_reals(U, 4 * U);
    const nnl_rows room = {scratch + first_room(&part, team) * 5 * U, 4 * U};
    const nnl_rows dropped = {room.data + rows * 4 * U, U};

    for (int64_t s = 0; s < T && rows; s++) {
        const int64_t t = step_at(s, T, r.reverse), p = step_at(s - 1, T, r.reverse);
        const nnl_rows h_p = s ? (nnl_rows){h + p * U, T * U} : (nnl_rows){first_h, U};
        const nnl_rows c_p = s ? (nnl_rows){c + p * U, T * U} : (nnl_rows){first_c, U};
        const nnl_rows g = keep ? (nnl_rows){gates + t * 4 * U, T * 4 * U} : room;
        const nnl_rows kept = {keep ? before + t * U : NULL, T * U};
        copy_gates(4, g, z + t * 4 * U, T * 4 * U, &part, U);
        const nnl_rows a = recurrent_input(h_p, drop, kept, dropped, &part, U);
        add_recurrent(4, g, a, &part, U, &R, ahead_at(s + 1, z, rows, T, 4 * U, r.reverse));

        for (int64_t i = 0; i < rows; i++) {
            const int64_t at = (i * T + t) * U + u;
            real *h_t = h + at, *c_t = c + at, *g_i = g.data + i * g.ld + u;
            const real *h_i = h_p.data + i * h_p.ld + u, *c_i = c_p.data + i * c_p.ld + u;
            if (is_masked(&r, (n0 + i) * T + t)) {
                memcpy(c_t, c_i, (size_t)n * sizeof *c_t);
                memcpy(h_t, h_i, (size_t)n * sizeof *h_t);
                continue;
            }
            activate(g_i, g_i, n, r.rec.kind, r.rec.alpha);
            activate(g_i + U, g_i + U, n, r.rec.kind, r.rec.alpha);
            activate(g_i + 2 * U, g_i + 2 * U, n, r.act.kind, r.act.alpha);
            activate(g_i + 3 * U, g_i + 3 * U, n, r.rec.kind, r.rec.alpha);
            NNL_INDEPENDENT
            for (int64_t j = 0; j < n; j++)
                c_t[j] = fmadd(g_i[U + j], c_i[j], g_i[j] * g_i[2 * U + j]);
            activate(h_t, c_t, n, r.act.kind, r.act.alpha);
            NNL_INDEPENDENT
            for (int64_t j = 0; j < n; j++) h_t[j] *= g_i[3 * U + j];
        }
        if (part.together) nnl_arrive(team);
    }
}

static int64_t lstm_scratch(const nnl_call *call, int threads) {
    const int64_t N = call->out[0].shape[0], U = call->out[0].shape[2];
    return (packed_reals(U, 4 * U) + rooms(N, threads) * 5 * U) * (int64_t)sizeof(real);
}

/* in    dh, dc [N, T, U], or [N, U] of the step that was computed last; gates, c, the first c, R;
 *       mask and drop as in lstm
 * out   dz [N, T, 4 U] (may be gates), the gradients of the first h and c [N, U]; that of R is
 *       before^T dz
 * attr  as in lstm */
static void op_lstm_gradient(const nnl_call *call, nnl_team *team) {
    const int64_t *shape = call->in[3].shape, N = shape[0], T = shape[1], U = shape[2];
    const nnl_recurrence r = recurrence_of(call, 6);
    const nnl_range mine = nnl_share(N, 1, team);
    const int64_t rows = length(mine), n0 = mine.begin, from = n0 * T * U;
    const real *gates = (const real *)call->in[2].data + 4 * from;
    const real *c = (const real *)call->in[3].data + from;
    const real *first_c = (const real *)call->in[4].data + n0 * U;
    real *dz = (real *)call->out[0].data + 4 * from;
    real *next_h = (real *)call->out[1].data + n0 * U, *next_c = (real *)call->out[2].data + n0 * U;

    real *scratch = team->scratch;
    const nnl_packed R = pack_together(scratch, call->in[5].data, true, 4 * U, U, team);
    scratch += packed_reals(4 * U, U);
    real *product = scratch + n0 * U, *d_gates = scratch + N * U + team->id * 7 * U;
    real *act_c = d_gates + 4 * U, *d_c = act_c + U, *zeros = d_c + U;
    memset(zeros, 0, (size_t)U * sizeof *zeros);
    memset(next_h, 0, (size_t)(rows * U) * sizeof *next_h);
    memset(next_c, 0, (size_t)(rows * U) * sizeof *next_c);

    for (int64_t s = T - 1; s >= 0 && rows; s--) {
        const int64_t t = step_at(s, T, r.reverse), p = step_at(s - 1, T, r.reverse);
        for (int64_t i = 0; i < rows; i++) {
            const int64_t at = (i * T + t) * U;
            const real *c_p = s ? c + (i * T + p) * U : first_c + i * U, *g = gates + 4 * at;
            const real *dh_t = from_outside(&call->in[0], n0 + i, t, T, U, s == T - 1, zeros);
            const real *dc_t = from_outside(&call->in[1], n0 + i, t, T, U, s == T - 1, zeros);
            real *dz_t = dz + 4 * at, *dh_p = next_h + i * U, *dc_p = next_c + i * U;
            if (is_masked(&r, (n0 + i) * T + t)) {
                memset(dz_t, 0, (size_t)(4 * U) * sizeof *dz_t);
                for (int64_t j = 0; j < U; j++) dh_p[j] += dh_t[j], dc_p[j] += dc_t[j];
                continue;
            }
            activate(act_c, c + at, U, r.act.kind, r.act.alpha);
            NNL_INDEPENDENT
            for (int64_t j = 0; j < U; j++) {
                const real d = dh_t[j] + dh_p[j];
                d_gates[3 * U + j] = d * act_c[j];
                d_c[j] = d * g[3 * U + j];
                dh_p[j] = 0;
            }
            activate_gradient(d_c, d_c, act_c, U, r.act.kind, r.act.alpha);
            NNL_INDEPENDENT
            for (int64_t j = 0; j < U; j++) {
                const real d = d_c[j] + (dc_t[j] + dc_p[j]);
                d_gates[j] = d * g[2 * U + j];
                d_gates[U + j] = d * c_p[j];
                d_gates[2 * U + j] = d * g[j];
                dc_p[j] = d * g[U + j];
            }
            activate_gradient(dz_t, d_gates, g, 2 * U, r.rec.kind, r.rec.alpha);
            activate_gradient(dz_t + 2 * U, d_gates + 2 * U, g + 2 * U, U, r.act.kind, r.act.alpha);
            activate_gradient(dz_t + 3 * U, d_gates + 3 * U, g + 3 * U, U, r.rec.kind, r.rec.alpha);
        }
        const nnl_operand d = {dz + t * 4 * U, T * 4 * U, false};
        add_to_previous(next_h, d, rows, &R, r.drop ? r.drop + n0 * U : NULL, product,
                        ahead_at(s - 1, gates, rows, T, 4 * U, r.reverse));
    }
}

static int64_t lstm_gradient_scratch(const nnl_call *call, int threads) {
    const int64_t N = call->in[3].shape[0], U = call->in[3].shape[2];
    return (packed_reals(4 * U, U) + N * U + threads * 7 * U) * (int64_t)sizeof(real);
}
