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
    /* Reals of a block of scores; of long rows there are at least so many in a block. */
    SCORES_IN_BLOCK = 1 << 14,
    LEAST_ROWS = 32
};

typedef struct {
    int64_t B, T, S, N, H, V;
    int64_t ld, rows, blocks; /* of scores: from row to row; most rows of a block; blocks */
} attention_sizes;

/* q [B, T, N, H], k [B, S, N, H], v [B, S, N, V]. */
static attention_sizes attention_sizes_of(const nnl_tensor *q, const nnl_tensor *v) {
    attention_sizes z = {.B = q->shape[0],
                         .T = q->shape[1],
                         .S = v->shape[1],
                         .N = q->shape[2],
                         .H = q->shape[3],
                         .V = v->shape[3]};
    /* With an odd number of vectors in a row, columns do not all fall into the same sets of L1. */
    z.ld = (ceil_div(z.S, LANES) | 1) * LANES;
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
    return r;
}

/* One query of one head. */
typedef struct {
    int64_t b, n, t;
} attention_row;

static inline const real *row_of_operand(const attention_operand *o, attention_row at) {
    return o->data + at.b * o->step[0] + at.n * o->step[1] + at.t * o->step[2];
}

/* s = s * scale + bias, or MASKED_LOGIT where the query does not see the key. */
static void scores_to_logits(real *s, int64_t S, const attention_rule *r, attention_row at) {
    const real scale = r->scale;
    if (!r->bias.data) {
        for (int64_t j = 0; j < S; j++) s[j] *= scale;
    } else if (r->bias.step[3]) {
        const real *bias = row_of_operand(&r->bias, at);
        for (int64_t j = 0; j < S; j++) s[j] = fmadd(s[j], scale, bias[j]);
    } else {
        const real bias = *row_of_operand(&r->bias, at);
        for (int64_t j = 0; j < S; j++) s[j] = fmadd(s[j], scale, bias);
    }
    if (r->mask.data && r->mask.step[3]) {
        const real *mask = row_of_operand(&r->mask, at);
        for (int64_t j = 0; j < S; j++) s[j] = mask[j] != 0 ? s[j] : MASKED_LOGIT;
    } else if (r->mask.data && *row_of_operand(&r->mask, at) == 0) {
        for (int64_t j = 0; j < S; j++) s[j] = MASKED_LOGIT;
    }
    if (r->causal)
        for (int64_t j = at.t + 1; j < S; j++) s[j] = MASKED_LOGIT;
}

/* The number of the row, of all rows of scores. */
static inline int64_t row_number(const attention_sizes *z, attention_row at) {
    return (at.b * z->N + at.n) * z->T + at.t;
}

/* What dropout multiplies the weights of a row by. */
static void factors_of_row(real *factors, const attention_sizes *z, const attention_rule *r,
                           attention_row at) {
    dropout_factors(factors, row_number(z, at) * z->S, z->S, &r->dropout);
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

/* The keys or values of a head, as columns. There are whole vectors of them, so that rows of scores
 * are written in whole vectors. */
static nnl_packed pack_as_columns(real *packed, const nnl_tensor *x, attention_row first) {
    const int64_t S = x->shape[1];
    nnl_packed p = pack_all(packed, rows_from(x, first, true), x->shape[3], S);
    p.N = whole_vectors(S);
    return p;
}

/* --- The result. */

static int64_t attention_room(const attention_sizes *z) {
    return room(packed_reals(z->H, z->S)) + room(packed_reals(z->S, z->V)) + room(z->rows * z->ld) +
           room(z->rows) + room(z->S);
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
    const attention_sizes z = attention_sizes_of(q, v);
    const attention_rule rule = attention_rule_of(call, 3);
    real *scratch = (real *)team->scratch + team->id * attention_room(&z);
    real *packed_k = take_room(&scratch, packed_reals(z.H, z.S));
    real *packed_v = take_room(&scratch, packed_reals(z.S, z.V));
    real *scores = take_room(&scratch, z.rows * z.ld);
    real *scales = take_room(&scratch, z.rows), *factors = scratch;
    nnl_packed keys = {0}, values = {0};
    const nnl_range mine = nnl_share(z.B * z.N * z.blocks, 1, team);
    for (int64_t i = mine.begin; i < mine.end; i++) {
        const nnl_range queries = queries_of(&z, i % z.blocks);
        const attention_row first = {i / z.blocks / z.N, i / z.blocks % z.N, queries.begin};
        const int64_t rows = length(queries);
        if (i == mine.begin || i % z.blocks == 0) {
            const attention_row first_key = {first.b, first.n, 0};
            keys = pack_as_columns(packed_k, k, first_key);
            values = pack_rows_from(packed_v, v, first_key, z.S);
        }
        multiply_packed(scores, z.ld, rows_from(q, first, false), rows, &keys, false);
        attention_row at = first;
        for (int64_t row = 0; row < rows; row++, at.t++) {
            real *s = scores + row * z.ld;
            scores_to_logits(s, z.S, &rule, at);
            const real largest = row_max(s, z.S), sum = exp_and_sum(s, s, z.S, largest);
            scales[row] = 1 / sum;
            if (rule.drops) {
                factors_of_row(factors, &z, &rule, at);
                for (int64_t j = 0; j < z.S; j++) s[j] *= factors[j];
            }
            if (call->n_out > 1) {
                real *kept = (real *)call->out[1].data + 2 * row_number(&z, at);
                kept[0] = largest, kept[1] = scales[row];
            }
        }
        real *to = row_of(y, first);
        const int64_t step = row_step(y);
        multiply_packed(to, step, (nnl_operand){scores, z.ld, false}, rows, &values, false);
        for (int64_t row = 0; row < rows; row++)
            for (int64_t j = 0; j < z.V; j++) to[row * step + j] *= scales[row];
    }
}

static int64_t attention_scratch(const nnl_call *call, int threads) {
    const attention_sizes z = attention_sizes_of(&call->in[0], &call->in[2]);
    return threads * attention_room(&z) * (int64_t)sizeof(real);
}

/* --- The gradient. */

static int64_t attention_gradient_room(const attention_sizes *z) {
    return room(packed_reals(z->H, z->S)) + room(packed_reals(z->V, z->S)) +
           room(packed_reals(z->S, z->H)) + room(packed_reals(z->rows, z->H)) +
           room(packed_reals(z->rows, z->V)) + 2 * room(z->rows * z->ld) + room(z->S);
}

/* Of a row: from its logits s and the gradient d of its weights after dropout, those weights and
 * the gradient of the logits. `factors` may be NULL; kept: as attention gives it; dot: of dy and y,
 * which is that of d and the weights. */
static void logits_to_gradient(real *s, real *d, const real *factors, int64_t S, const real kept[2],
                               real dot) {
    const real largest = kept[0], scale = kept[1];
    /* Where all keys are hidden the logits are constants. */
    const real slope = largest == MASKED_LOGIT ? 0 : 1;
    if (factors) {
        for (int64_t j = 0; j < S; j++) {
            const real weight = real_exp(s[j] - largest) * scale;
            s[j] = weight * factors[j];
            d[j] = slope * (weight * (d[j] * factors[j] - dot));
        }
    } else {
        for (int64_t j = 0; j < S; j++) {
            const real weight = real_exp(s[j] - largest) * scale;
            s[j] = weight;
            d[j] = slope * (weight * (d[j] - dot));
        }
    }
}

/* A thread computes heads of samples of its own.
 * in    dy [B, T, N, V], q, k, v, y and what attention kept; bias, mask and key as there
 * out   dq, dk, dv; if asked for, the gradient of the logits [B, N, T, S]
 * attr  as there; 1: the gradient of the logits is asked for */
static void op_attention_gradient(const nnl_call *call, nnl_team *team) {
    const nnl_tensor *dy = &call->in[0], *q = &call->in[1], *k = &call->in[2], *v = &call->in[3];
    const nnl_tensor *dq = &call->out[0], *dk = &call->out[1], *dv = &call->out[2];
    const attention_sizes z = attention_sizes_of(q, v);
    const attention_rule rule = attention_rule_of(call, 6);
    real *scratch = (real *)team->scratch + team->id * attention_gradient_room(&z);
    real *k_columns = take_room(&scratch, packed_reals(z.H, z.S));
    real *v_columns = take_room(&scratch, packed_reals(z.V, z.S));
    real *k_rows = take_room(&scratch, packed_reals(z.S, z.H));
    real *q_rows = take_room(&scratch, packed_reals(z.rows, z.H));
    real *dy_rows = take_room(&scratch, packed_reals(z.rows, z.V));
    real *weights = take_room(&scratch, z.rows * z.ld);
    real *dlogits = take_room(&scratch, z.rows * z.ld);
    real *factors = rule.drops ? scratch : NULL;
    const nnl_range mine = nnl_share(z.B * z.N, 1, team);
    for (int64_t i = mine.begin; i < mine.end; i++) {
        const attention_row first_key = {i / z.N, i % z.N, 0};
        const nnl_packed keys = pack_as_columns(k_columns, k, first_key);
        const nnl_packed values = pack_as_columns(v_columns, v, first_key);
        const nnl_packed keys_as_rows = pack_rows_from(k_rows, k, first_key, z.S);
        for (int64_t block = 0; block < z.blocks; block++) {
            const nnl_range queries = queries_of(&z, block);
            const attention_row first = {first_key.b, first_key.n, queries.begin};
            const int64_t rows = length(queries);
            multiply_packed(weights, z.ld, rows_from(q, first, false), rows, &keys, false);
            multiply_packed(dlogits, z.ld, rows_from(dy, first, false), rows, &values, false);
            attention_row at = first;
            for (int64_t row = 0; row < rows; row++, at.t++) {
                real *s = weights + row * z.ld, *d = dlogits + row * z.ld;
                const int64_t number = row_number(&z, at);
                scores_to_logits(s, z.S, &rule, at);
                if (factors) factors_of_row(factors, &z, &rule, at);
                logits_to_gradient(s, d, factors, z.S, (const real *)call->in[5].data + 2 * number,
                                   row_dot(row_of(dy, at), row_of(&call->in[4], at), z.V));
                if (call->n_out > 3)
                    memcpy((real *)call->out[3].data + number * z.S, d, (size_t)z.S * sizeof *d);
                for (int64_t j = 0; j < z.S; j++) d[j] *= rule.scale;
            }
            const nnl_packed some_q = pack_rows_from(q_rows, q, first, rows);
            const nnl_packed some_dy = pack_rows_from(dy_rows, dy, first, rows);
            multiply_packed(row_of(dv, first_key), row_step(dv), (nnl_operand){weights, z.ld, true},
                            z.S, &some_dy, block > 0);
            multiply_packed(row_of(dk, first_key), row_step(dk), (nnl_operand){dlogits, z.ld, true},
                            z.S, &some_q, block > 0);
            multiply_packed(row_of(dq, first), row_step(dq), (nnl_operand){dlogits, z.ld, false},
                            rows, &keys_as_rows, false);
        }
    }
    if (z.T == 0 && team->id == 0) {
        memset(dk->data, 0, (size_t)nnl_size(dk) * sizeof(real));
        memset(dv->data, 0, (size_t)nnl_size(dv) * sizeof(real));
    }
}

static int64_t attention_gradient_scratch(const nnl_call *call, int threads) {
    const attention_sizes z = attention_sizes_of(&call->in[1], &call->in[3]);
    return threads * attention_gradient_room(&z) * (int64_t)sizeof(real);
}
