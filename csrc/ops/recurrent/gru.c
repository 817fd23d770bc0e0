/* gru.c: the gated recurrent unit, whose reset gate follows the product, and its gradient.
 *
 * K. Cho et al.: "Learning phrase representations using RNN encoder-decoder", EMNLP 2014; with the
 * reset gate after the product, as in cuDNN: arXiv 1406.1078, version 1. */
#include <stdint.h>
#include <string.h>

#include "steps.h"

/* For each step t, and p the one before it, with b of the recurrent product:
 *
 *     u, r = rec(z_u + h_p R_u + b_u), rec(z_r + h_p R_r + b_r)
 *     m    = h_p R_h + b_h
 *     g    = act(z_h + r m)
 *     h_t  = u h_p + (1 - u) g
 *
 * in    z [N, T, 3 U], R [U, 3 U], b [3 U], the first h [N, U], optionally mask and drop (steps.h)
 * out   h [N, T, U]; for the gradient also u, r, g, m as gates [N, T, 4 U], and what R was
 *       multiplied by, before [N, T, U]
 * attr  as in steps.h */
static void op_gru(const nnl_call *call, nnl_team *team) {
    const int64_t N = call->out[0].shape[0], T = call->out[0].shape[1], U = call->out[0].shape[2];
    const nnl_recurrence r = recurrence_of(call, 4);
    const nnl_step_part part = step_part_of(N, U, 3, !r.drop, team);
    const int64_t rows = length(part.rows), n0 = part.rows.begin;
    const int64_t u = part.units.begin, n = length(part.units);
    const real *z = (const real *)call->in[0].data + n0 * T * 3 * U, *b = call->in[2].data;
    real *first_h = (real *)call->in[3].data + n0 * U;
    real *h = (real *)call->out[0].data + n0 * T * U;
    const bool keep = call->n_out > 1;
    real *gates = keep ? (real *)call->out[1].data + n0 * T * 4 * U : NULL;
    real *before = keep ? (real *)call->out[2].data + n0 * T * U : NULL;
    const real *drop = r.drop ? r.drop + n0 * U : NULL;

    real *scratch = team->scratch;
    const nnl_recurrent R = recurrent_kernel(scratch, call->in[1].data, N, U, 3, team);
    scratch += packed_reals(U, 3 * U);
    const nnl_rows room = {scratch + first_room(&part, team) * 4 * U, 3 * U};
    const nnl_rows dropped = {room.data + rows * 3 * U, U};
    scratch += rooms(N, team->size) * 4 * U;
    real *mine_only = scratch + team->id * 4 * U; /* gates that nobody keeps */

    for (int64_t s = 0; s < T && rows; s++) {
        const int64_t t = step_at(s, T, r.reverse), p = step_at(s - 1, T, r.reverse);
        const nnl_rows h_p = s ? (nnl_rows){h + p * U, T * U} : (nnl_rows){first_h, U};
        const nnl_rows kept = {keep ? before + t * U : NULL, T * U};
        copy_gates(3, room, b, 0, &part, U);
        const nnl_rows a = recurrent_input(h_p, drop, kept, dropped, &part, U);
        add_recurrent(3, room, a, &part, U, &R, ahead_at(s + 1, z, rows, T, 3 * U, r.reverse));

        for (int64_t i = 0; i < rows; i++) {
            const int64_t at = (i * T + t) * U;
            const real *h_i = h_p.data + i * h_p.ld + u, *z_t = z + 3 * at + u;
            const real *m = room.data + i * room.ld + u;
            real *h_t = h + at + u, *g = (keep ? gates + 4 * at : mine_only) + u;
            if (is_masked(&r, (n0 + i) * T + t)) {
                memcpy(h_t, h_i, (size_t)n * sizeof *h_t);
                for (int k = 0; k < 4; k++) memset(g + k * U, 0, (size_t)n * sizeof *g);
                continue;
            }
            NNL_INDEPENDENT
            for (int64_t j = 0; j < n; j++) {
                g[j] = z_t[j] + m[j];
                g[U + j] = z_t[U + j] + m[U + j];
            }
            activate(g, g, n, r.rec.kind, r.rec.alpha);
            activate(g + U, g + U, n, r.rec.kind, r.rec.alpha);
            NNL_INDEPENDENT
            for (int64_t j = 0; j < n; j++) {
                g[2 * U + j] = fmadd(g[U + j], m[2 * U + j], z_t[2 * U + j]);
                g[3 * U + j] = m[2 * U + j];
            }
            activate(g + 2 * U, g + 2 * U, n, r.act.kind, r.act.alpha);
            NNL_INDEPENDENT
            for (int64_t j = 0; j < n; j++)
                h_t[j] = fmadd(g[j], h_i[j] - g[2 * U + j], g[2 * U + j]);
        }
        if (part.together) nnl_arrive(team);
    }
}

static int64_t gru_scratch(const nnl_call *call, int threads) {
    const int64_t N = call->out[0].shape[0], U = call->out[0].shape[2];
    return (packed_reals(U, 3 * U) + (rooms(N, threads) + threads) * 4 * U) * (int64_t)sizeof(real);
}

/* in    dh [N, T, U], or [N, U] of the step that was computed last; gates, h, the first h, R;
 *       mask and drop as in gru
 * out   dz [N, T, 3 U], dm [N, T, 3 U] (of h R + b; they differ in the last third), the gradient of
 *       the first h [N, U]; that of R is before^T dm, that of b the sum of dm
 * attr  as in gru */
static void op_gru_gradient(const nnl_call *call, nnl_team *team) {
    const int64_t *shape = call->in[2].shape, N = shape[0], T = shape[1], U = shape[2];
    const nnl_recurrence r = recurrence_of(call, 5);
    const nnl_range mine = nnl_share(N, 1, team);
    const int64_t rows = length(mine), n0 = mine.begin, from = n0 * T * U;
    const real *gates = (const real *)call->in[1].data + 4 * from;
    const real *h = (const real *)call->in[2].data + from;
    const real *first_h = (const real *)call->in[3].data + n0 * U;
    real *dz = (real *)call->out[0].data + 3 * from, *dm = (real *)call->out[1].data + 3 * from;
    real *next_h = (real *)call->out[2].data + n0 * U;

    real *scratch = team->scratch;
    const nnl_packed R = pack_together(scratch, call->in[4].data, true, 3 * U, U, team);
    scratch += packed_reals(3 * U, U);
    real *product = scratch + n0 * U, *d_gates = scratch + N * U + team->id * 4 * U;
    real *zeros = d_gates + 3 * U;
    memset(zeros, 0, (size_t)U * sizeof *zeros);
    memset(next_h, 0, (size_t)(rows * U) * sizeof *next_h);

    for (int64_t s = T - 1; s >= 0 && rows; s--) {
        const int64_t t = step_at(s, T, r.reverse), p = step_at(s - 1, T, r.reverse);
        for (int64_t i = 0; i < rows; i++) {
            const int64_t at = (i * T + t) * U;
            const real *h_p = s ? h + (i * T + p) * U : first_h + i * U, *g = gates + 4 * at;
            const real *dh_t = from_outside(&call->in[0], n0 + i, t, T, U, s == T - 1, zeros);
            real *dz_t = dz + 3 * at, *dm_t = dm + 3 * at, *dh_p = next_h + i * U;
            if (is_masked(&r, (n0 + i) * T + t)) {
                memset(dz_t, 0, (size_t)(3 * U) * sizeof *dz_t);
                memset(dm_t, 0, (size_t)(3 * U) * sizeof *dm_t);
                for (int64_t j = 0; j < U; j++) dh_p[j] += dh_t[j];
                continue;
            }
            NNL_INDEPENDENT
            for (int64_t j = 0; j < U; j++) {
                const real d = dh_t[j] + dh_p[j], u = g[j], candidate = g[2 * U + j];
                d_gates[j] = d * (h_p[j] - candidate);
                d_gates[2 * U + j] = d * (1 - u);
                dh_p[j] = d * u;
            }
            activate_gradient(dz_t + 2 * U, d_gates + 2 * U, g + 2 * U, U, r.act.kind, r.act.alpha);
            NNL_INDEPENDENT
            for (int64_t j = 0; j < U; j++) {
                const real d = dz_t[2 * U + j];
                d_gates[U + j] = d * g[3 * U + j];
                dm_t[2 * U + j] = d * g[U + j];
            }
            activate_gradient(dz_t, d_gates, g, 2 * U, r.rec.kind, r.rec.alpha);
            memcpy(dm_t, dz_t, (size_t)(2 * U) * sizeof *dm_t);
        }
        const nnl_operand d = {dm + t * 3 * U, T * 3 * U, false};
        add_to_previous(next_h, d, rows, &R, r.drop ? r.drop + n0 * U : NULL, product,
                        ahead_at(s - 1, gates, rows, T, 4 * U, r.reverse));
    }
}

static int64_t gru_gradient_scratch(const nnl_call *call, int threads) {
    const int64_t N = call->in[2].shape[0], U = call->in[2].shape[2];
    return (packed_reals(3 * U, U) + N * U + threads * 4 * U) * (int64_t)sizeof(real);
}
