/* optimizer.c: parameter updates in one pass over memory. Every input marked * is overwritten;
 * there are no outputs. */
#include "../parallel.h"
#include "../vec.h"

/* counter += 1.
 * in    counter* int32 [1] */
static void op_increment(const nnl_call *call, nnl_team *team) {
    if (team->id == 0) ++*(int32_t *)call->in[0].data;
}

/* param -= lr * grad.
 * in    param*, grad (one shape), lr [1] */
static void op_sgd_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data;
    const real *g = call->in[1].data;
    const real lr = *(const real *)call->in[2].data;
    const nnl_range part = nnl_share(nnl_size(&call->in[0]), NNL_LINE, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) p[i] = fmadd(-lr, g[i], p[i]);
}

/* velocity = momentum * velocity - lr * grad, then param += velocity or, by Nesterov, param +=
 * momentum * velocity - lr * grad (as Keras: the learning rate is part of the velocity).
 * in    param*, velocity*, grad (one shape), lr [1]
 * attr  momentum, nesterov (0 or 1) */
static void op_momentum_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *v = call->in[1].data;
    const real *g = call->in[2].data;
    const real lr = *(const real *)call->in[3].data, momentum = (real)call->attr[0].f;
    const nnl_range part = nnl_share(nnl_size(&call->in[0]), NNL_LINE, team);
    if (call->attr[1].i) {
        NNL_INDEPENDENT
        for (int64_t i = part.begin; i < part.end; i++) {
            const real step = lr * g[i];
            v[i] = fmadd(momentum, v[i], -step);
            p[i] += fmadd(momentum, v[i], -step);
        }
    } else {
        NNL_INDEPENDENT
        for (int64_t i = part.begin; i < part.end; i++) {
            v[i] = fmadd(momentum, v[i], -lr * g[i]);
            p[i] += v[i];
        }
    }
}

/* m += (grad - m) (1 - beta1), v += (grad^2 - v) (1 - beta2), param -= a m / (sqrt(v) + epsilon)
 * with a = lr sqrt(1 - beta2^t) / (1 - beta1^t), as Keras.
 * D. P. Kingma, J. Ba: "Adam: a method for stochastic optimization", ICLR 2015, the form that ends
 * section 2.
 * in    param*, m*, v*, grad (one shape), lr [1], t int32 [1] (1 at the first update)
 * attr  beta1, beta2, epsilon */
static void op_adam_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *m = call->in[1].data, *v = call->in[2].data;
    const real *g = call->in[3].data;
    const double lr = *(const real *)call->in[4].data, t = *(const int32_t *)call->in[5].data;
    const double beta1 = call->attr[0].f, beta2 = call->attr[1].f;
    const real rate = (real)(lr * sqrt(1 - pow(beta2, t)) / (1 - pow(beta1, t)));
    const real share1 = (real)(1 - beta1), share2 = (real)(1 - beta2),
               epsilon = (real)call->attr[2].f;
    const nnl_range part = nnl_share(nnl_size(&call->in[0]), NNL_LINE, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        m[i] = fmadd(g[i] - m[i], share1, m[i]);
        v[i] = fmadd(fmadd(g[i], g[i], -v[i]), share2, v[i]);
        p[i] -= rate * m[i] / (real_sqrt(v[i]) + epsilon);
    }
}
