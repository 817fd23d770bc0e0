/* optimizer.c: parameter updates. Each rule reads and writes its arrays in one pass.
 *
 * An input marked * is overwritten. There are no outputs. The inputs of a rule are:
 * param*    the parameter
 * slots*    arrays of the param's shape that are kept between updates, as m and v of Adam
 * grad      the gradient of the loss with respect to param, of its shape
 * lr        the learning rate [1]
 * t         if the rule depends on it: the number of the update, int32 [1], 1 at the first update
 *
 * The formulas, and the place of epsilon in them, are those of Keras. Factors that are the same for
 * all elements are computed in double and rounded once. Consumers: see gemm/fusion.h. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "../gemm/fusion.h"
#include "../math/vec.h"
#include "../runtime/shares.h"

/* counter += 1.
 * in    counter* int32 [1] */
static void op_increment(const nnl_call *call, nnl_team *team) {
    if (team->id == 0) ++*(int32_t *)call->in[0].data;
}

/* Weights change at every `every`-th step: steps += add, updates = steps / every, the number of
 * changes, and due = whether this step makes one.
 * in    steps* int32 [1], updates* int32 [1]
 * out   due int32 [1]
 * attr  every, add */
static void op_count_steps(const nnl_call *call, nnl_team *team) {
    if (team->id != 0) return;
    int32_t *steps = call->in[0].data;
    const int32_t every = (int32_t)call->attr[0].i;
    *steps += (int32_t)call->attr[1].i;
    *(int32_t *)call->in[1].data = *steps / every;
    *(int32_t *)call->out[0].data = *steps % every == 0;
}

/* The elements of param that this thread updates: its share, or those of the tile of grad. */
NNL_INLINE nnl_range part_of_param(const nnl_call *call, const nnl_team *team) {
    return fused_range(nnl_size(&call->in[0]), team);
}
NNL_INLINE real scalar(const nnl_call *call, int input) { return *(real *)call->in[input].data; }
NNL_INLINE int32_t counter(const nnl_call *call, int input) {
    return *(int32_t *)call->in[input].data;
}
/* A moving average: (1 - weight) average + weight x. */
NNL_INLINE real moving_average(real average, real x, real weight) {
    return fmadd(x - average, weight, average);
}
/* A moving average of squares: (1 - weight) average + weight x^2. */
NNL_INLINE real moving_average_of_squares(real average, real x, real weight) {
    return fmadd(fmadd(x, x, -average), weight, average);
}

/* param -= lr decay param, before the update of the rule.
 * I. Loshchilov, F. Hutter: "Decoupled weight decay regularization", ICLR 2019.
 * in    param*, lr [1]
 * attr  decay */
static void op_decay_weights(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data;
    const real rate = (real)(scalar(call, 1) * call->attr[0].f);
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) p[i] = fmadd(-rate, p[i], p[i]);
}

/* param -= lr grad.
 * May be fused as the consumer of grad.
 * in    param*, grad, lr */
static void op_sgd_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data;
    const real *g = fused_operand(&call->in[1], team);
    const real lr = scalar(call, 2);
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) p[i] = fmadd(-lr, g[i], p[i]);
}

/* m = momentum m - lr grad, then param += m, or by Nesterov's rule
 * param += momentum m - lr grad. The learning rate is part of m.
 * May be fused as the consumer of grad.
 * in    param*, m*, grad, lr
 * attr  momentum, 0: param += m or 1: Nesterov's rule */
static void op_momentum_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *m = call->in[1].data;
    const real *g = fused_operand(&call->in[2], team);
    const real lr = scalar(call, 3), momentum = (real)call->attr[0].f;
    const nnl_range part = part_of_param(call, team);
    if (call->attr[1].i) {
        NNL_INDEPENDENT
        for (int64_t i = part.begin; i < part.end; i++) {
            const real step = lr * g[i];
            m[i] = fmadd(momentum, m[i], -step);
            p[i] += fmadd(momentum, m[i], -step);
        }
    } else {
        NNL_INDEPENDENT
        for (int64_t i = part.begin; i < part.end; i++) {
            m[i] = fmadd(momentum, m[i], -lr * g[i]);
            p[i] += m[i];
        }
    }
}

/* v = rho v + (1 - rho) grad^2
 * centered: a = rho a + (1 - rho) grad, and v - a^2 takes the place of v below
 * step = lr grad / sqrt(v + epsilon)
 * with momentum: m = momentum m + step, and m is the step
 * param -= step
 *
 * If the gradient never changes, rounding can make v - a^2 negative; it counts as 0 then, else the
 * step would be NaN. Both flags are constants wherever this is called. */
NNL_INLINE void rmsprop(const nnl_call *call, nnl_team *team, bool momentum, bool centered) {
    real *p = call->in[0].data, *v = call->in[1].data;
    real *m = momentum ? call->in[2].data : NULL;
    real *a = centered ? call->in[2 + momentum].data : NULL;
    const int after_slots = 2 + momentum + centered;
    const real *g = fused_operand(&call->in[after_slots], team), lr = scalar(call, after_slots + 1);
    const real weight = (real)(1 - call->attr[0].f), epsilon = (real)call->attr[1].f;
    const real momentum_factor = momentum ? (real)call->attr[2].f : 0;
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        v[i] = moving_average_of_squares(v[i], g[i], weight);
        real variance = v[i];
        if (centered) {
            a[i] = moving_average(a[i], g[i], weight);
            variance = fmadd(-a[i], a[i], v[i]);
            variance = variance < 0 ? 0 : variance;
        }
        real step = lr * g[i] / real_sqrt(variance + epsilon);
        if (momentum) step = m[i] = fmadd(momentum_factor, m[i], step);
        p[i] -= step;
    }
}

/* See rmsprop. T. Tieleman, G. Hinton: "Lecture 6.5 - RMSprop", Coursera, 2012. Centered:
 * A. Graves: "Generating sequences with recurrent neural networks", 2013, section 4.2.
 * May be fused as the consumer of grad.
 * in    param*, v*, m* (with momentum), a* (centered), grad, lr
 * attr  rho, epsilon, momentum (with momentum) */
static void op_rmsprop_update(const nnl_call *call, nnl_team *team) {
    rmsprop(call, team, false, false);
}
static void op_rmsprop_momentum_update(const nnl_call *call, nnl_team *team) {
    rmsprop(call, team, true, false);
}
static void op_rmsprop_centered_update(const nnl_call *call, nnl_team *team) {
    rmsprop(call, team, false, true);
}
static void op_rmsprop_centered_momentum_update(const nnl_call *call, nnl_team *team) {
    rmsprop(call, team, true, true);
}

/* s += grad^2, param -= lr grad / sqrt(s + epsilon).
 * J. Duchi, E. Hazan, Y. Singer: "Adaptive subgradient methods", JMLR 12, 2011.
 * May be fused as the consumer of grad.
 * in    param*, s*, grad, lr
 * attr  epsilon */
static void op_adagrad_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *s = call->in[1].data;
    const real *g = fused_operand(&call->in[2], team);
    const real lr = scalar(call, 3), epsilon = (real)call->attr[0].f;
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        s[i] = fmadd(g[i], g[i], s[i]);
        p[i] -= lr * g[i] / real_sqrt(s[i] + epsilon);
    }
}

/* v = rho v + (1 - rho) grad^2
 * step = grad sqrt(d + epsilon) / sqrt(v + epsilon)
 * d = rho d + (1 - rho) step^2
 * param -= lr step
 * M. D. Zeiler: "ADADELTA: an adaptive learning rate method", 2012, algorithm 1.
 * May be fused as the consumer of grad.
 * in    param*, v*, d*, grad, lr
 * attr  rho, epsilon */
static void op_adadelta_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *v = call->in[1].data, *d = call->in[2].data;
    const real *g = fused_operand(&call->in[3], team), lr = scalar(call, 4);
    const real weight = (real)(1 - call->attr[0].f), epsilon = (real)call->attr[1].f;
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        v[i] = moving_average_of_squares(v[i], g[i], weight);
        const real step = g[i] * real_sqrt((d[i] + epsilon) / (v[i] + epsilon));
        d[i] = moving_average_of_squares(d[i], step, weight);
        p[i] = fmadd(-lr, step, p[i]);
    }
}

/* m = beta1 m + (1 - beta1) grad
 * v = beta2 v + (1 - beta2) grad^2
 * amsgrad: v_max = max(v_max, v), and v_max takes the place of v below
 * param -= lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)
 *
 * The flag is a constant wherever this is called. */
NNL_INLINE void adam(const nnl_call *call, nnl_team *team, bool amsgrad) {
    real *p = call->in[0].data, *m = call->in[1].data, *v = call->in[2].data;
    real *v_max = amsgrad ? call->in[3].data : NULL;
    const real *g = fused_operand(&call->in[3 + amsgrad], team);
    const double lr = scalar(call, 4 + amsgrad), t = counter(call, 5 + amsgrad);
    const double beta1 = call->attr[0].f, beta2 = call->attr[1].f;
    const real rate = (real)(lr * sqrt(1 - pow(beta2, t)) / (1 - pow(beta1, t)));
    const real weight1 = (real)(1 - beta1), weight2 = (real)(1 - beta2),
               epsilon = (real)call->attr[2].f;
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        m[i] = moving_average(m[i], g[i], weight1);
        v[i] = moving_average_of_squares(v[i], g[i], weight2);
        if (amsgrad) v_max[i] = maximum_of(v_max[i], v[i]);
        p[i] -= rate * m[i] * real_reciprocal(real_sqrt(amsgrad ? v_max[i] : v[i]) + epsilon);
    }
}

/* See adam. D. P. Kingma, J. Ba: "Adam: a method for stochastic optimization", ICLR 2015, the form
 * at the end of section 2. AMSGrad: S. J. Reddi, S. Kale, S. Kumar: "On the convergence of Adam and
 * beyond", ICLR 2018, algorithm 2.
 * May be fused as the consumer of grad.
 * in    param*, m*, v*, v_max* (amsgrad), grad, lr, t
 * attr  beta1, beta2, epsilon */
static void op_adam_update(const nnl_call *call, nnl_team *team) { adam(call, team, false); }
static void op_amsgrad_update(const nnl_call *call, nnl_team *team) { adam(call, team, true); }

/* AdaMax, which is Adam with the largest gradient in place of the mean square (section 7.1 of the
 * same paper):
 * m = beta1 m + (1 - beta1) grad
 * u = max(beta2 u, |grad|)
 * param -= lr / (1 - beta1^t) m / (u + epsilon)
 * May be fused as the consumer of grad.
 * in    param*, m*, u*, grad, lr, t
 * attr  beta1, beta2, epsilon */
static void op_adamax_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *m = call->in[1].data, *u = call->in[2].data;
    const real *g = fused_operand(&call->in[3], team);
    const double lr = scalar(call, 4), beta1 = call->attr[0].f;
    const real rate = (real)(lr / (1 - pow(beta1, counter(call, 5))));
    const real weight1 = (real)(1 - beta1), beta2 = (real)call->attr[1].f,
               epsilon = (real)call->attr[2].f;
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        m[i] = moving_average(m[i], g[i], weight1);
        u[i] = maximum_of(beta2 * u[i], real_abs(g[i]));
        p[i] -= rate * m[i] / (u[i] + epsilon);
    }
}

/* b(t), the coefficient of momentum at update t. */
static double nadam_momentum(double beta1, double t) { return beta1 * (1 - 0.5 * pow(0.96, t)); }

/* m and v are those of Adam. With b(t) = beta1 (1 - 0.96^t / 2) and B(t) = b(1) ... b(t):
 * step = b(t+1) m / (1 - B(t+1)) + (1 - b(t)) grad / (1 - B(t))
 * param -= lr step / (sqrt(v / (1 - beta2^t)) + epsilon)
 * T. Dozat: "Incorporating Nesterov momentum into Adam", ICLR workshop 2016, algorithm 2.
 * May be fused as the consumer of grad.
 * in    param*, m*, v*, grad, lr, t, B(t - 1) [1]
 * attr  beta1, beta2, epsilon */
static void op_nadam_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *m = call->in[1].data, *v = call->in[2].data;
    const real *g = fused_operand(&call->in[3], team);
    const double lr = scalar(call, 4), t = counter(call, 5);
    const double beta1 = call->attr[0].f, beta2 = call->attr[1].f;
    const double now = nadam_momentum(beta1, t), next = nadam_momentum(beta1, t + 1);
    const double product = scalar(call, 6) * now;
    const real m_factor = (real)(lr * next / (1 - product * next));
    const real g_factor = (real)(lr * (1 - now) / (1 - product));
    const real correction = (real)(1 / (1 - pow(beta2, t)));
    const real weight1 = (real)(1 - beta1), weight2 = (real)(1 - beta2),
               epsilon = (real)call->attr[2].f;
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        m[i] = moving_average(m[i], g[i], weight1);
        v[i] = moving_average_of_squares(v[i], g[i], weight2);
        p[i] -= fmadd(m_factor, m[i], g_factor * g[i]) / (real_sqrt(v[i] * correction) + epsilon);
    }
}

/* B *= b(t), for b and B as in op_nadam_update. It is called once for each t, after all updates.
 * in    B* [1], t int32 [1]
 * attr  beta1 */
static void op_nadam_advance(const nnl_call *call, nnl_team *team) {
    real *product = call->in[0].data;
    if (team->id == 0)
        *product = (real)(*product * nadam_momentum(call->attr[0].f, counter(call, 1)));
}

/* m and v are those of Adam. direction = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon),
 * whose length LAMB makes that of the parameter.
 * Y. You et al.: "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR
 * 2020, algorithm 2.
 * in    m*, v*, grad, t
 * out   direction, may be grad
 * attr  beta1, beta2, epsilon */
static void op_lamb_direction(const nnl_call *call, nnl_team *team) {
    real *m = call->in[0].data, *v = call->in[1].data, *direction = call->out[0].data;
    const real *g = call->in[2].data;
    const double t = counter(call, 3), beta1 = call->attr[0].f, beta2 = call->attr[1].f;
    const real m_factor = (real)(1 / (1 - pow(beta1, t))),
               v_factor = (real)(1 / (1 - pow(beta2, t)));
    const real weight1 = (real)(1 - beta1), weight2 = (real)(1 - beta2),
               epsilon = (real)call->attr[2].f;
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        m[i] = moving_average(m[i], g[i], weight1);
        v[i] = moving_average_of_squares(v[i], g[i], weight2);
        direction[i] = m_factor * m[i] / (real_sqrt(v_factor * v[i]) + epsilon);
    }
}

/* z is where the gradients lead, x the mean of all z so far, and param = (1 - beta1) z + beta1 x
 * lies between them. With 1 / t the weight of the new z in the mean, x needs no memory:
 * v = beta2 v + (1 - beta2) grad^2
 * x = (param - (1 - beta1) z) / beta1
 * z -= lr min(t / warmup, 1) grad / (sqrt(v / (1 - beta2^t)) + epsilon)
 * param = (1 - beta1) z + beta1 ((1 - 1 / t) x + z / t)
 * A. Defazio et al.: "The road less scheduled", NeurIPS 2024, algorithm 1, with equal weights.
 * May be fused as the consumer of grad.
 * in    param*, z*, v*, grad, lr, t
 * attr  beta1, beta2, epsilon, warmup, or 0 for none */
static void op_schedule_free_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *z = call->in[1].data, *v = call->in[2].data;
    const real *g = fused_operand(&call->in[3], team);
    const double t = counter(call, 5), beta1 = call->attr[0].f, beta2 = call->attr[1].f;
    const double warmup = call->attr[3].f, lr = scalar(call, 4);
    const real rate = (real)(t < warmup ? lr * t / warmup : lr);
    const real correction = (real)(1 / (1 - pow(beta2, t))), weight2 = (real)(1 - beta2);
    const real epsilon = (real)call->attr[2].f;
    const real kept = (real)(1 - 1 / t), rest = (real)(1 - beta1);
    const real of_z = (real)(1 - beta1 + beta1 / t);
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        v[i] = moving_average_of_squares(v[i], g[i], weight2);
        const real of_x = fmadd(-rest, z[i], p[i]); /* beta1 x */
        z[i] -= rate * g[i] / (real_sqrt(v[i] * correction) + epsilon);
        p[i] = fmadd(of_z, z[i], kept * of_x);
    }
}

/* param -= lr sign(beta1 m + (1 - beta1) grad)
 * m = beta2 m + (1 - beta2) grad
 * X. Chen et al.: "Symbolic discovery of optimization algorithms", NeurIPS 2023.
 * May be fused as the consumer of grad.
 * in    param*, m*, grad, lr
 * attr  beta1, beta2 */
static void op_lion_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *m = call->in[1].data;
    const real *g = fused_operand(&call->in[2], team), lr = scalar(call, 3);
    const real weight1 = (real)(1 - call->attr[0].f), weight2 = (real)(1 - call->attr[1].f);
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        p[i] = fmadd(-lr, sign_of(moving_average(m[i], g[i], weight1)), p[i]);
        m[i] = moving_average(m[i], g[i], weight2);
    }
}

NNL_INLINE real root_of(real x, real power) { return (void)power, real_sqrt(x); }
/* `root` is the square root, or any power, which is not vectorised. See op_ftrl_update. */
NNL_INLINE void ftrl(const nnl_call *call, nnl_team *team, real root(real, real)) {
    real *p = call->in[0].data, *s = call->in[1].data, *z = call->in[2].data;
    const real *g = fused_operand(&call->in[3], team);
    const real lr = scalar(call, 4), power = (real)-call->attr[0].f;
    const real l1 = (real)call->attr[1].f, shrinkage = (real)(2 * call->attr[3].f);
    const real twice_l2 = (real)(2 * call->attr[2].f + call->attr[4].f / lr);
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        const real before = root(s[i], power);
        s[i] = fmadd(g[i], g[i], s[i]);
        const real after = root(s[i], power);
        z[i] += fmadd(shrinkage, p[i], g[i]) - (after - before) / lr * p[i];
        const real clipped = z[i] > l1 ? l1 : z[i] < -l1 ? -l1 : z[i];
        p[i] = (clipped - z[i]) / (after / lr + twice_l2);
    }
}

/* With s' = s + grad^2, the new s:
 * z += grad + 2 shrinkage param - (s'^-power - s^-power) / lr param
 * param = (clip(z, -l1, l1) - z) / (s'^-power / lr + 2 l2 + beta / lr)
 * H. B. McMahan et al.: "Ad click prediction: a view from the trenches", KDD 2013, algorithm 1.
 * May be fused as the consumer of grad.
 * in    param*, s*, z*, grad, lr
 * attr  power <= 0, l1, l2, shrinkage, beta */
static void op_ftrl_update(const nnl_call *call, nnl_team *team) {
    if (call->attr[0].f == -0.5)
        ftrl(call, team, root_of);
    else
        ftrl(call, team, real_pow);
}
