/* attention.c: dot-product attention and its gradient.
 *
 * A. Vaswani et al.: "Attention is all you need", NIPS 2017. A block of rows of scores is computed,
 * used and forgotten while it is in L2. The gradient computes it again, as T. Dao et al.:
 * "FlashAttention", NeurIPS 2022, do. Unlike there a row is never cut, so it needs no correction.
 *
 * The products of one head of one sample are those of packed.h. A row of a result is computed by
 * itself, and a sum over queries is one chain in their order. So no bit depends on how the queries
 * are cut into blocks. */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../gemm/packed.h"
#include "../math/activation.h"
#include "../math/dropout.h"
#include "../math/vec.h"
#include "../runtime/shares.h"

/* A logit that the mask hides. It is finite: where all keys of a query are hidden, all have the
 * same weight, as in Keras. */
#define MASKED_LOGIT ((real)(-0.7 * 3.38953e38))

enum {
    /* A block of scores has about this many reals, and at least this many rows. */
    SCORES_IN_BLOCK = 1 << 14,
    LEAST_ROWS = 32,
    /* Most keys that the gradient looks at together. They and their gradients stay in L2. */
    KEYS_OF_GRADIENT = 256
};

typedef struct {
    int64_t B, T, S, N, H, V;
    /* Of scores: most keys in a row, from row to row, most rows in a block, blocks. */
    int64_t keys, ld, rows, blocks;
} attention_sizes;

/* A row of scores takes whole groups of ROW_LANES. */
static inline int64_t whole_lanes(int64_t n) { return ceil_div(n, ROW_LANES) * ROW_LANES; }

/* q [B, T, N, H], v [B, S, N, V]. A row of scores has at most `most_keys`. */
static attention_sizes attention_sizes_of(const nnl_tensor *q, const nnl_tensor *v,
                                          int64_t most_keys) {
    attention_sizes z = {.B = q->shape[0],
                         .T = q->shape[1],
                         .S = v->shape[1],
                         .N = q->shape[2],
                         .H = q->shape[3],
                         .V = v->shape[3]};
    /* An odd number of groups: so the rows of a column do not all fall into the same sets of L1. */
    z.keys = min_of(z.S, most_keys);
    z.ld = (ceil_div(z.keys, ROW_LANES) | 1) * ROW_LANES;
    z.blocks = ceil_div(z.T, max_of(SCORES_IN_BLOCK / z.ld, LEAST_ROWS));
    z.rows = z.blocks ? ceil_div(z.T, z.blocks) : 0;
    return z;
}

static inline nnl_range queries_of(const attention_sizes *z, int64_t block) {
    return even_share((nnl_range){0, z->T}, 1, block, z->blocks);
}

/* n reals of scratch, in whole cache lines. */
static int64_t room(int64_t n) { return ceil_div(n, NNL_CACHE_LINE) * NNL_CACHE_LINE; }

static real *take_room(real **scratch, int64_t n) {
    real *taken = *scratch;
    *scratch += room(n);
    return taken;
}

/* A tensor that broadcasts to [B, N, T, S]; data is NULL if there is none. */
typedef struct {
    const real *data;
    int64_t step[4]; /* 0 along axes of one entry */
} attention_operand;

static attention_operand attention_operand_of(const nnl_tensor *x) {
    attention_operand o = {.data = x->data};
    for (int64_t d = 3, step = 1; d >= 0; step *= x->shape[d], d--)
        o.step[d] = x->shape[d] == 1 ? 0 : step;
    return o;
}

/* How scores become weights. */
typedef struct {
    real scale;
    bool causal, drops;
    /* Query t sees keys 0 ... t, and nothing else hides one. (If a mask or bias hides all of these,
     * the others do have a weight.) */
    bool in_order;
    attention_operand bias, mask;
    nnl_dropout dropout;
} attention_rule;

/* The optional inputs follow `required` others. */
static attention_rule attention_rule_of(const nnl_call *call, int required) {
    const nnl_attr *a = call->attr;
    attention_rule r = {.scale = (real)a[0].f, .causal = a[1].i != 0, .drops = a[4].f > 0};
    if (a[2].i) r.bias = attention_operand_of(&call->in[required++]);
    if (a[3].i) r.mask = attention_operand_of(&call->in[required++]);
    if (r.drops) r.dropout = dropout_of(&call->in[required], a[4].f);
    r.in_order = r.causal && !a[2].i && !a[3].i;
    return r;
}

/* How many keys the first `queries` queries see. */
static inline int64_t keys_seen_by(int64_t queries, const attention_sizes *z,
                                   const attention_rule *r) {
    return r->in_order ? min_of(queries, z->S) : z->S;
}

/* One query of one head. */
typedef struct {
    int64_t b, n, t;
} attention_row;

static inline const real *row_of_operand(const attention_operand *o, attention_row at,
                                         int64_t key) {
    return o->data + at.b * o->step[0] + at.n * o->step[1] + at.t * o->step[2] + key * o->step[3];
}

/* s = s * scale + bias, or MASKED_LOGIT where the query does not see the key. */
static void scale_and_mask(real *s, nnl_range keys, const attention_rule *r, attention_row at) {
    const int64_t S = length(keys);
    const real scale = r->scale;
    if (!r->bias.data) {
        for (int64_t j = 0; j < S; j++) s[j] *= scale;
    } else if (r->bias.step[3]) {
        const real *bias = row_of_operand(&r->bias, at, keys.begin);
        for (int64_t j = 0; j < S; j++) s[j] = fmadd(s[j], scale, bias[j]);
    } else {
        const real bias = *row_of_operand(&r->bias, at, keys.begin);
        for (int64_t j = 0; j < S; j++) s[j] = fmadd(s[j], scale, bias);
    }
    if (r->mask.data && r->mask.step[3]) {
        const real *mask = row_of_operand(&r->mask, at, keys.begin);
        for (int64_t j = 0; j < S; j++) s[j] = mask[j] != 0 ? s[j] : MASKED_LOGIT;
    } else if (r->mask.data && *row_of_operand(&r->mask, at, keys.begin) == 0) {
        for (int64_t j = 0; j < S; j++) s[j] = MASKED_LOGIT;
    }
    if (r->causal && !r->in_order)
        for (int64_t j = max_of(at.t + 1 - keys.begin, 0); j < S; j++) s[j] = MASKED_LOGIT;
}

/* Makes logits of a row of scores, but for a positive factor, which it returns. What fills the last
 * group of keys has no weight. */
static real scores_to_logits(real *s, nnl_range keys, const attention_sizes *z,
                             const attention_rule *r, attention_row at) {
    const bool scaled = !r->bias.data && !r->mask.data && r->scale > 0;
    if (!scaled) scale_and_mask(s, keys, r, at);
    const int64_t seen = min_of(keys_seen_by(at.t + 1, z, r), keys.end) - keys.begin;
    for (int64_t j = max_of(seen, 0); j < whole_lanes(length(keys)); j++) s[j] = -REAL_INFINITY;
    return scaled ? r->scale : 1;
}

/* s = e^(s * scale - largest) for n elements, a multiple of ROW_LANES. Returns their sum. */
static real weigh_row(real *s, int64_t n, real scale, real largest) {
    real lane[ROW_LANES] = {0};
    for (int64_t i = 0; i < n; i += ROW_LANES) {
        NNL_LANES
        NNL_INDEPENDENT
        for (int j = 0; j < ROW_LANES; j++) {
            const real e = real_exp_of_negative(fmadd(s[i + j], scale, -largest));
            s[i + j] = e;
            lane[j] += e;
        }
    }
    return row_sum(lane, ROW_LANES);
}

/* The number of the row, of all rows of scores. */
static inline int64_t row_number(const attention_sizes *z, attention_row at) {
    return (at.b * z->N + at.n) * z->T + at.t;
}

/* What dropout multiplies the weights of a row by. */
static void factors_of_row(real *factors, nnl_range keys, const attention_sizes *z,
                           const attention_rule *r, attention_row at) {
    dropout_factors(factors, row_number(z, at) * z->S + keys.begin, length(keys), &r->dropout);
}

/* Row t of head n of sample b, of x [B, L, N, D]. */
static inline real *row_of(const nnl_tensor *x, attention_row at) {
    const int64_t L = x->shape[1], N = x->shape[2], D = x->shape[3];
    return (real *)x->data + ((at.b * L + at.t) * N + at.n) * D;
}

/* From one row of a head to the next. */
static inline int64_t row_step(const nnl_tensor *x) { return x->shape[2] * x->shape[3]; }

/* The rows of a head from row t on, or their transpose. */
static nnl_operand rows_from(const nnl_tensor *x, attention_row at, bool transposed) {
    return (nnl_operand){row_of(x, at), row_step(x), transposed};
}

static nnl_packed pack_rows_from(real *packed, const nnl_tensor *x, attention_row at,
                                 int64_t rows) {
    return pack_all(packed, rows_from(x, at, false), rows, x->shape[3]);
}

static nnl_packed pack_as_columns(real *packed, const nnl_tensor *x, attention_row at,
                                  int64_t columns) {
    return pack_all(packed, rows_from(x, at, true), x->shape[3], columns);
}

/* The first columns, and those of zeros or of other keys that fill their last vector: whole vectors
 * of scores are written. */
static nnl_packed first_columns(nnl_packed x, int64_t keys) {
    x.columns = whole_vectors(keys);
    return x;
}

static nnl_packed first_rows(nnl_packed x, int64_t keys) {
    x.rows = keys;
    return x;
}

/* What the products of one head fetch: the same rows of the next head, of n arrays [B, L, N, D]. */
static nnl_ahead next_head(const nnl_tensor *const x[], int n, const attention_sizes *z,
                           attention_row at, int64_t tiles) {
    nnl_ahead a = {.n = 0};
    at.t = 0;
    if (++at.n == z->N) at.n = 0, at.b++;
    if (at.b == z->B) return a;
    int64_t lines = 0;
    for (int i = 0; i < n; i++) {
        const int64_t L = x[i]->shape[1], bytes = x[i]->shape[3] * (int64_t)sizeof(real);
        if (L == 0) continue;
        a.of[a.n].row = (const char *)row_of(x[i], at);
        a.of[a.n].step = row_step(x[i]) * (int64_t)sizeof(real);
        a.of[a.n].bytes = bytes, a.of[a.n].rows = L;
        lines += L * ceil_div(bytes, 64);
        a.n++;
    }
    a.lines = ceil_div(lines, max_of(tiles, 1));
    return a;
}

/* --- The result. */

static int64_t attention_room(const attention_sizes *z) {
    return room(packed_reals(z->H, z->S)) + room(packed_reals(z->S, z->V)) + room(z->rows * z->ld) +
           2 * room(z->rows) + room(whole_lanes(z->S));
}

/* For each sample and head, with softmax over the keys, and of dropout its factors:
 *
 *     y = (softmax(scale q k^T + bias) * factors) v
 *
 * in    q [B, T, N, H], k [B, S, N, H], v [B, S, N, V], S, H, V >= 1; optionally bias, mask (0: the
 *       query does not see the key), each of 4 axes that broadcast to [B, N, T, S], and a key
 *       int32[4]
 * out   y [B, T, N, V]; for the gradient of each row [B, N, T, 2]: its largest logit, and
 *       1 / sum(e^(logit - largest)). (Their log-sum-exp alone would not do: beside MASKED_LOGIT
 *       the logarithm is lost.)
 * attr  scale; 1: query t sees keys 0 ... t only; 1: a bias is given; 1: a mask is given; rate of
 *       the dropout: a key is given if it is not 0 */
static void op_attention(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *q = &call->in[0], *k = &call->in[1], *v = &call->in[2], *y = &call->out[0];
    const attention_sizes z = attention_sizes_of(q, v, INT64_MAX);
    const attention_rule rule = attention_rule_of(call, 3);
    real *scratch = (real *)team->scratch + team->id * attention_room(&z);
    real *packed_k = take_room(&scratch, packed_reals(z.H, z.S));
    real *packed_v = take_room(&scratch, packed_reals(z.S, z.V));
    real *scores = take_room(&scratch, z.rows * z.ld);
    real *largest = take_room(&scratch, z.rows), *shares = take_room(&scratch, z.rows);
    real *factors = scratch;
    const nnl_tensor *const used[] = {q, k, v, y};
    const int64_t tiles = z.blocks * ceil_div(z.rows, MR) *
                          (ceil_div(z.S, NR) + ceil_div(z.V, NR) * ceil_div(z.S, PACKED_KC));
    nnl_packed keys = {0}, values = {0};
    nnl_ahead ahead = {.n = 0};
    const nnl_range mine = nnl_share(z.B * z.N * z.blocks, 1, team);
    for (int64_t i = mine.begin; i < mine.end; i++) {
        const nnl_range queries = queries_of(&z, i % z.blocks);
        const attention_row first = {i / z.blocks / z.N, i / z.blocks % z.N, queries.begin};
        const nnl_range seen = {0, keys_seen_by(queries.end, &z, &rule)};
        const int64_t rows = length(queries), n = whole_lanes(seen.end), step = row_step(y);
        if (i == mine.begin || i % z.blocks == 0) {
            const attention_row first_key = {first.b, first.n, 0};
            keys = pack_as_columns(packed_k, k, first_key, z.S);
            values = pack_rows_from(packed_v, v, first_key, z.S);
            ahead = next_head(used, 4, &z, first, tiles);
        }
        const nnl_packed seen_keys = first_columns(keys, seen.end);
        const nnl_packed seen_values = first_rows(values, seen.end);
        multiply_packed(scores, z.ld, rows_from(q, first, false), rows, &seen_keys, false, &ahead);
        /* In two loops: the maximum of a row, and its sum, are not waited for. */
        attention_row at = first;
        real scale = 1;
        for (int64_t row = 0; row < rows; row++, at.t++) {
            scale = scores_to_logits(scores + row * z.ld, seen, &z, &rule, at);
            largest[row] = row_max(scores + row * z.ld, n) * scale;
        }
        at = first;
        for (int64_t row = 0; row < rows; row++, at.t++) {
            real *s = scores + row * z.ld;
            shares[row] = 1 / weigh_row(s, n, scale, largest[row]);
            if (rule.drops) {
                factors_of_row(factors, seen, &z, &rule, at);
                for (int64_t j = 0; j < seen.end; j++) s[j] *= factors[j];
            }
            if (call->n_out > 1) {
                real *kept = (real *)call->out[1].data + 2 * row_number(&z, at);
                kept[0] = largest[row], kept[1] = shares[row];
            }
        }
        real *to = row_of(y, first);
        multiply_packed(to, step, (nnl_operand){scores, z.ld, false}, rows, &seen_values, false,
                        &ahead);
        for (int64_t row = 0; row < rows; row++)
            for (int64_t j = 0; j < z.V; j++) to[row * step + j] *= shares[row];
    }
}

static int64_t attention_scratch(const nnl_call *call, int threads) {
    const attention_sizes z = attention_sizes_of(&call->in[0], &call->in[2], INT64_MAX);
    return threads * attention_room(&z) * (int64_t)sizeof(real);
}

/* --- The gradient. */

static int64_t attention_gradient_room(const attention_sizes *z) {
    return room(packed_reals(z->H, z->keys)) + room(packed_reals(z->V, z->keys)) +
           room(packed_reals(z->keys, z->H)) + room(packed_reals(z->rows, z->H)) +
           room(packed_reals(z->rows, z->V)) + 2 * room(z->rows * z->ld) +
           room(whole_lanes(z->keys));
}

/* Of a row: from its logits, s times `scale`, and the gradient d of its weights after dropout,
 * those weights and the gradient of the logits. `factors` may be NULL; kept: as attention gives it;
 * dot: of dy and y, which is that of d and the weights. */
static void logits_to_gradient(real *s, real *d, const real *factors, int64_t n, real scale,
                               const real kept[2], real dot) {
    const real largest = kept[0], share = kept[1];
    if (factors) {
        NNL_INDEPENDENT
        for (int64_t j = 0; j < n; j++) {
            const real weight = real_exp_of_negative(fmadd(s[j], scale, -largest)) * share;
            s[j] = weight * factors[j];
            d[j] = weight * (d[j] * factors[j] - dot);
        }
    } else {
        NNL_INDEPENDENT
        for (int64_t j = 0; j < n; j++) {
            const real weight = real_exp_of_negative(fmadd(s[j], scale, -largest)) * share;
            s[j] = weight;
            d[j] = weight * (d[j] - dot);
        }
    }
    /* Where all keys are hidden the logits are constants. */
    if (largest == MASKED_LOGIT) memset(d, 0, (size_t)n * sizeof *d);
}

static void clear_rows(const nnl_tensor *x, attention_row at, int64_t rows) {
    for (int64_t end = at.t + rows; at.t < end; at.t++)
        memset(row_of(x, at), 0, (size_t)x->shape[3] * sizeof(real));
}

/* A thread computes heads of samples of its own, a few hundred keys at a time.
 * in    dy [B, T, N, V], q, k, v, y and what attention kept; bias, mask and key as there
 * out   dq, dk, dv; if asked for, the gradient of the logits [B, N, T, S]
 * attr  as there; 1: a bias is given, and the gradient of the logits is asked for */
static void op_attention_gradient(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *dy = &call->in[0], *q = &call->in[1], *k = &call->in[2], *v = &call->in[3];
    const nnl_tensor *y = &call->in[4];
    const nnl_tensor *dq = &call->out[0], *dk = &call->out[1], *dv = &call->out[2];
    const attention_sizes z = attention_sizes_of(q, v, KEYS_OF_GRADIENT);
    const attention_rule rule = attention_rule_of(call, 6);
    real *scratch = (real *)team->scratch + team->id * attention_gradient_room(&z);
    real *k_columns = take_room(&scratch, packed_reals(z.H, z.keys));
    real *v_columns = take_room(&scratch, packed_reals(z.V, z.keys));
    real *k_rows = take_room(&scratch, packed_reals(z.keys, z.H));
    real *q_rows = take_room(&scratch, packed_reals(z.rows, z.H));
    real *dy_rows = take_room(&scratch, packed_reals(z.rows, z.V));
    real *weights = take_room(&scratch, z.rows * z.ld);
    real *dlogits = take_room(&scratch, z.rows * z.ld);
    real *factors = rule.drops ? scratch : NULL;
    const nnl_tensor *const used[] = {dy, q, k, v, y, dq, dk, dv};
    const int64_t chunks = ceil_div(z.S, z.keys);
    const int64_t tiles = z.blocks * chunks * 3 * ceil_div(z.rows, MR) * ceil_div(z.keys, NR);
    nnl_ahead ahead = {.n = 0};
    const nnl_range mine = nnl_share(z.B * z.N * chunks, chunks, team);
    for (int64_t i = mine.begin; i < mine.end; i++) {
        const nnl_range keys = even_share((nnl_range){0, z.S}, 1, i % chunks, chunks);
        const attention_row head = {i / chunks / z.N, i / chunks % z.N, 0};
        const attention_row first_key = {head.b, head.n, keys.begin};
        const nnl_packed all_k = pack_as_columns(k_columns, k, first_key, length(keys));
        const nnl_packed all_v = pack_as_columns(v_columns, v, first_key, length(keys));
        const nnl_packed all_k_rows = pack_rows_from(k_rows, k, first_key, length(keys));
        if (keys.begin == 0) ahead = next_head(used, 8, &z, head, tiles);
        clear_rows(dk, first_key, length(keys));
        clear_rows(dv, first_key, length(keys));
        for (int64_t block = 0; block < z.blocks; block++) {
            const nnl_range queries = queries_of(&z, block);
            const attention_row first = {head.b, head.n, queries.begin};
            const nnl_range seen = {keys.begin,
                                    min_of(keys_seen_by(queries.end, &z, &rule), keys.end)};
            const int64_t rows = length(queries), n = length(seen);
            if (n <= 0) continue;
            const nnl_packed seen_k = first_columns(all_k, n), seen_v = first_columns(all_v, n);
            multiply_packed(weights, z.ld, rows_from(q, first, false), rows, &seen_k, false,
                            &ahead);
            multiply_packed(dlogits, z.ld, rows_from(dy, first, false), rows, &seen_v, false,
                            &ahead);
            attention_row at = first;
            for (int64_t row = 0; row < rows; row++, at.t++) {
                real *s = weights + row * z.ld, *d = dlogits + row * z.ld;
                const int64_t number = row_number(&z, at);
                const real scale = scores_to_logits(s, seen, &z, &rule, at);
                if (factors) factors_of_row(factors, seen, &z, &rule, at);
                logits_to_gradient(s, d, factors, whole_lanes(n), scale,
                                   (const real *)call->in[5].data + 2 * number,
                                   row_dot(row_of(dy, at), row_of(y, at), z.V));
                if (call->n_out > 3)
                    memcpy((real *)call->out[3].data + number * z.S + keys.begin, d,
                           (size_t)n * sizeof *d);
                for (int64_t j = 0; j < n; j++) d[j] *= rule.scale;
            }
            const nnl_packed some_q = pack_rows_from(q_rows, q, first, rows);
            const nnl_packed some_dy = pack_rows_from(dy_rows, dy, first, rows);
            const nnl_packed seen_k_rows = first_rows(all_k_rows, n);
            multiply_packed(row_of(dv, first_key), row_step(dv), (nnl_operand){weights, z.ld, true},
                            n, &some_dy, true, &ahead);
            multiply_packed(row_of(dk, first_key), row_step(dk), (nnl_operand){dlogits, z.ld, true},
                            n, &some_q, true, &ahead);
            multiply_packed(row_of(dq, first), row_step(dq), (nnl_operand){dlogits, z.ld, false},
                            rows, &seen_k_rows, keys.begin > 0, &ahead);
        }
    }
}

static int64_t attention_gradient_scratch(const nnl_call *call, int threads) {
    const attention_sizes z = attention_sizes_of(&call->in[1], &call->in[3], KEYS_OF_GRADIENT);
    return threads * attention_gradient_room(&z) * (int64_t)sizeof(real);
}
