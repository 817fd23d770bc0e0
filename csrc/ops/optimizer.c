/* optimizer.c: parameter updates, each rule in one pass over memory. Every input marked * is
 * overwritten; there are no outputs.
 *
 * All rules take param*, then their slots* (what is kept from step to step, of the param's shape),
 * then grad, lr [1] and, where corrections depend on it, t int32 [1], which is 1 at the first
 * update. Formulas, and where each epsilon goes, are Keras's. What is the same for all elements is
 * computed in double and rounded once. */
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

/* This thread's part of the param: its share, or the tile whose gradient was just computed. */
NNL_INLINE nnl_range part_of_param(const nnl_call *call, const nnl_team *team) {
    return fused_range(nnl_size(&call->in[0]), team);
}
NNL_INLINE real number(const nnl_call *call, int input) { return *(real *)call->in[input].data; }
NNL_INLINE int32_t counter(const nnl_call *call, int input) {
    return *(int32_t *)call->in[input].data;
}
/* Moves an average on to x by `share`, which is 1 - decay. */
NNL_INLINE real averaged(real average, real x, real share) {
    return fmadd(x - average, share, average);
}
/* The same for an average of squares. */
NNL_INLINE real averaged_square(real average, real x, real share) {
    return fmadd(fmadd(x, x, -average), share, average);
}

/* param -= lr * decay * param, before the step (I. Loshchilov, F. Hutter: "Decoupled weight decay
 * regularization", ICLR 2019).
 * in    param*, lr [1]
 * attr  decay */
static void op_decay_weights(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data;
    const real part_lost = (real)(number(call, 1) * call->attr[0].f);
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) p[i] = fmadd(-part_lost, p[i], p[i]);
}

/* param -= lr * grad.
 * in    param*, grad, lr */
static void op_sgd_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data;
    const real *g = fused_operand(&call->in[1], team);
    const real lr = number(call, 2);
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) p[i] = fmadd(-lr, g[i], p[i]);
}

/* m = momentum * m - lr * grad, then param += m or, by Nesterov, param += momentum * m - lr * grad
 * (the learning rate is part of m).
 * in    param*, m*, grad, lr
 * attr  momentum, nesterov (0 or 1) */
static void op_momentum_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *m = call->in[1].data;
    const real *g = fused_operand(&call->in[2], team);
    const real lr = number(call, 3), momentum = (real)call->attr[0].f;
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

/* v = rho v + (1 - rho) grad^2; centered: a = rho a + (1 - rho) grad, and from v the square of a is
 * taken away; step = lr grad / sqrt(v + epsilon); with momentum: m = momentum m + step, which is
 * then the step; param -= step. The two flags are literal where this is called.
 *
 * A variance v - a^2 that rounding made negative counts as 0: a gradient that never changes would
 * make NaNs of it. */
NNL_INLINE void rmsprop(const nnl_call *call, nnl_team *team, bool momentum, bool centered) {
    real *p = call->in[0].data, *v = call->in[1].data;
    real *m = momentum ? call->in[2].data : NULL;
    real *a = centered ? call->in[2 + momentum].data : NULL;
    const int after_slots = 2 + momentum + centered;
    const real *g = fused_operand(&call->in[after_slots], team), lr = number(call, after_slots + 1);
    const real share = (real)(1 - call->attr[0].f), epsilon = (real)call->attr[1].f;
    const real kept = momentum ? (real)call->attr[2].f : 0;
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        v[i] = averaged_square(v[i], g[i], share);
        real variance = v[i];
        if (centered) {
            a[i] = averaged(a[i], g[i], share);
            variance = fmadd(-a[i], a[i], v[i]);
            variance = variance < 0 ? 0 : variance;
        }
        real step = lr * g[i] / real_sqrt(variance + epsilon);
        if (momentum) step = m[i] = fmadd(kept, m[i], step);
        p[i] -= step;
    }
}

/* T. Tieleman, G. Hinton: "Lecture 6.5 - RMSprop", Coursera, 2012; centered as in A. Graves:
 * "Generating sequences with recurrent neural networks", 2013, section 4.2.
 * in    param*, v*, [m*,] [a*,] grad, lr
 * attr  rho, epsilon[, momentum] */
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
 * in    param*, s*, grad, lr
 * attr  epsilon */
static void op_adagrad_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *s = call->in[1].data;
    const real *g = fused_operand(&call->in[2], team);
    const real lr = number(call, 3), epsilon = (real)call->attr[0].f;
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        s[i] = fmadd(g[i], g[i], s[i]);
        p[i] -= lr * g[i] / real_sqrt(s[i] + epsilon);
    }
}

/* v = rho v + (1 - rho) grad^2, step = grad sqrt(d + epsilon) / sqrt(v + epsilon), d = rho d + (1 -
 * rho) step^2, param -= lr step.
 * M. D. Zeiler: "ADADELTA: an adaptive learning rate method", 2012, algorithm 1.
 * in    param*, v*, d*, grad, lr
 * attr  rho, epsilon */
static void op_adadelta_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *v = call->in[1].data, *d = call->in[2].data;
    const real *g = fused_operand(&call->in[3], team), lr = number(call, 4);
    const real share = (real)(1 - call->attr[0].f), epsilon = (real)call->attr[1].f;
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        v[i] = averaged_square(v[i], g[i], share);
        const real step = g[i] * real_sqrt((d[i] + epsilon) / (v[i] + epsilon));
        d[i] = averaged_square(d[i], step, share);
        p[i] = fmadd(-lr, step, p[i]);
    }
}

/* m = beta1 m + (1 - beta1) grad, v = beta2 v + (1 - beta2) grad^2, param -= a m / (sqrt(v) +
 * epsilon) with a = lr sqrt(1 - beta2^t) / (1 - beta1^t); amsgrad: the largest v so far, `top`, in
 * place of v. The flag is literal where this is called. */
NNL_INLINE void adam(const nnl_call *call, nnl_team *team, bool amsgrad) {
    real *p = call->in[0].data, *m = call->in[1].data, *v = call->in[2].data;
    real *top = amsgrad ? call->in[3].data : NULL;
    const real *g = fused_operand(&call->in[3 + amsgrad], team);
    const double lr = number(call, 4 + amsgrad), t = counter(call, 5 + amsgrad);
    const double beta1 = call->attr[0].f, beta2 = call->attr[1].f;
    const real rate = (real)(lr * sqrt(1 - pow(beta2, t)) / (1 - pow(beta1, t)));
    const real share1 = (real)(1 - beta1), share2 = (real)(1 - beta2),
               epsilon = (real)call->attr[2].f;
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        m[i] = averaged(m[i], g[i], share1);
        v[i] = averaged_square(v[i], g[i], share2);
        if (amsgrad) top[i] = maximum_of(top[i], v[i]);
        p[i] -= rate * m[i] * real_reciprocal(real_sqrt(amsgrad ? top[i] : v[i]) + epsilon);
    }
}

/* D. P. Kingma, J. Ba: "Adam: a method for stochastic optimization", ICLR 2015, the form that ends
 * section 2; amsgrad: S. J. Reddi, S. Kale, S. Kumar: "On the convergence of Adam and beyond", ICLR
 * 2018, algorithm 2.
 * in    param*, m*, v*, [top*,] grad, lr, t
 * attr  beta1, beta2, epsilon */
static void op_adam_update(const nnl_call *call, nnl_team *team) { adam(call, team, false); }
static void op_amsgrad_update(const nnl_call *call, nnl_team *team) { adam(call, team, true); }

/* m = beta1 m + (1 - beta1) grad, u = max(beta2 u, |grad|), param -= lr / (1 - beta1^t) m / (u +
 * epsilon): Adam by the largest gradient in place of the mean square (the same paper, section 7.1).
 * in    param*, m*, u*, grad, lr, t
 * attr  beta1, beta2, epsilon */
static void op_adamax_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *m = call->in[1].data, *u = call->in[2].data;
    const real *g = fused_operand(&call->in[3], team);
    const double lr = number(call, 4), beta1 = call->attr[0].f;
    const real rate = (real)(lr / (1 - pow(beta1, counter(call, 5))));
    const real share1 = (real)(1 - beta1), beta2 = (real)call->attr[1].f,
               epsilon = (real)call->attr[2].f;
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        m[i] = averaged(m[i], g[i], share1);
        u[i] = maximum_of(beta2 * u[i], real_abs(g[i]));
        p[i] -= rate * m[i] / (u[i] + epsilon);
    }
}

/* The share of momentum at update t. */
static double nadam_momentum(double beta1, double t) { return beta1 * (1 - 0.5 * pow(0.96, t)); }

/* m and v as Adam's. With b(t) = beta1 (1 - 0.96^t / 2) and their product B(t) = b(1) ... b(t):
 * param -= lr (b(t+1) m / (1 - B(t+1)) + (1 - b(t)) grad / (1 - B(t))) / (sqrt(v / (1 - beta2^t)) +
 * epsilon).
 * T. Dozat: "Incorporating Nesterov momentum into Adam", ICLR workshop 2016, algorithm 2.
 * in    param*, m*, v*, grad, lr, t, B(t - 1) [1]
 * attr  beta1, beta2, epsilon */
static void op_nadam_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *m = call->in[1].data, *v = call->in[2].data;
    const real *g = fused_operand(&call->in[3], team);
    const double lr = number(call, 4), t = counter(call, 5);
    const double beta1 = call->attr[0].f, beta2 = call->attr[1].f;
    const double now = nadam_momentum(beta1, t), next = nadam_momentum(beta1, t + 1);
    const double product = number(call, 6) * now;
    const real of_m = (real)(lr * next / (1 - product * next));
    const real of_g = (real)(lr * (1 - now) / (1 - product));
    const real correction = (real)(1 / (1 - pow(beta2, t)));
    const real share1 = (real)(1 - beta1), share2 = (real)(1 - beta2),
               epsilon = (real)call->attr[2].f;
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        m[i] = averaged(m[i], g[i], share1);
        v[i] = averaged_square(v[i], g[i], share2);
        p[i] -= fmadd(of_m, m[i], of_g * g[i]) / (real_sqrt(v[i] * correction) + epsilon);
    }
}

/* B *= b(t), as op_nadam_update has them; once for each step, after the updates.
 * in    B* [1], t int32 [1]
 * attr  beta1 */
static void op_nadam_advance(const nnl_call *call, nnl_team *team) {
    real *product = call->in[0].data;
    if (team->id == 0)
        *product = (real)(*product * nadam_momentum(call->attr[0].f, counter(call, 1)));
}

/* param -= lr sign(beta1 m + (1 - beta1) grad), then m = beta2 m + (1 - beta2) grad.
 * X. Chen et al.: "Symbolic discovery of optimization algorithms", NeurIPS 2023.
 * in    param*, m*, grad, lr
 * attr  beta1, beta2 */
static void op_lion_update(const nnl_call *call, nnl_team *team) {
    real *p = call->in[0].data, *m = call->in[1].data;
    const real *g = fused_operand(&call->in[2], team), lr = number(call, 3);
    const real share1 = (real)(1 - call->attr[0].f), share2 = (real)(1 - call->attr[1].f);
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        p[i] = fmadd(-lr, sign_of(averaged(m[i], g[i], share1)), p[i]);
        m[i] = averaged(m[i], g[i], share2);
    }
}

NNL_INLINE real root_of(real x, real power) { return (void)power, real_sqrt(x); }
/* `root` is a square root or, not vectorised, any power. */
NNL_INLINE void ftrl(const nnl_call *call, nnl_team *team, real root(real, real)) {
    real *p = call->in[0].data, *s = call->in[1].data, *z = call->in[2].data;
    const real *g = fused_operand(&call->in[3], team);
    const real lr = number(call, 4), power = (real)-call->attr[0].f;
    const real l1 = (real)call->attr[1].f, shrinkage = (real)(2 * call->attr[3].f);
    const real twice_l2 = (real)(2 * call->attr[2].f + call->attr[4].f / lr);
    const nnl_range part = part_of_param(call, team);
    NNL_INDEPENDENT
    for (int64_t i = part.begin; i < part.end; i++) {
        const real before = root(s[i], power);
        s[i] = fmadd(g[i], g[i], s[i]);
        const real after = root(s[i], power);
        z[i] += fmadd(shrinkage, p[i], g[i]) - (after - before) / lr * p[i];
        const real limited = z[i] > l1 ? l1 : z[i] < -l1 ? -l1 : z[i];
        p[i] = (limited - z[i]) / (after / lr + twice_l2);
    }
}

/* s' = s + grad^2, z += grad + 2 shrinkage param - (s'^-power - s^-power) / lr param, param =
 * (z limited to [-l1, l1] - z) / (s'^-power / lr + 2 l2 + beta / lr).
 * H. B. McMahan et al.: "Ad click prediction: a view from the trenches", KDD 2013, algorithm 1.
 * in    param*, s*, z*, grad, lr
 * attr  power (not above 0), l1, l2, shrinkage, beta */
static void op_ftrl_update(const nnl_call *call, nnl_team *team) {
    if (call->attr[0].f == -0.5)
        ftrl(call, team, root_of);
    else
        ftrl(call, team, real_pow);
}
