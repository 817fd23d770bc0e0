/* plan.c: one team of threads walks a program of steps, many times over, without leaving C.
 *
 * Steps stand in the order in which Python recorded them. The planner puts a barrier before a step
 * only if the step touches memory that another thread may still be working on. Each run ends with
 * a barrier. */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../nnlite.h"
#include "barrier.h"
#include "shares.h"
#include "team.h"

/* An operation on a denormal number takes a hundred times as long as another. While our code runs
 * the CPU takes denormals for zero. */
#if defined(__x86_64__)
#include <immintrin.h>
static inline uint64_t flush_denormals(void) {
    unsigned saved = _mm_getcsr();
    _mm_setcsr(saved | 0x8040); /* FTZ, DAZ */
    return saved;
}
static inline void restore_denormals(uint64_t saved) { _mm_setcsr((unsigned)saved); }
#elif defined(__aarch64__)
static inline void restore_denormals(uint64_t saved) {
    __asm__ volatile("msr fpcr, %0" : : "r"(saved));
}
static inline uint64_t flush_denormals(void) {
    uint64_t saved;
    __asm__ volatile("mrs %0, fpcr" : "=r"(saved));
    restore_denormals(saved | 1 << 24); /* FZ */
    return saved;
}
#else
static inline uint64_t flush_denormals(void) { return 0; }
static inline void restore_denormals(uint64_t saved) { (void)saved; }
#endif

/* Does a step of a stretch for some samples, alone. `own` is how far this thread's memory lies
 * behind that of thread 0. */
static void do_samples(const nnl_step *step, nnl_range samples, int64_t own, nnl_team *alone) {
    nnl_tensor tensors[NNL_MAX_OPERANDS];
    nnl_call call = step->call;
    for (int k = 0; k < call.n_in + call.n_out; k++) {
        const nnl_tensor *all = k < call.n_in ? &call.in[k] : &call.out[k - call.n_in];
        nnl_tensor *some = &tensors[k];
        *some = *all;
        if (all->in_stretch == NNL_WHOLE) continue;
        some->shape[0] = 1;
        const int64_t begin = all->in_stretch == NNL_OWN
                                  ? own
                                  : samples.begin * nnl_size(some) * (int64_t)sizeof(real);
        some->data = (char *)all->data + begin;
        some->shape[0] = length(samples);
    }
    call.in = tensors, call.out = tensors + call.n_in;
    alone->scratch = step->scratch ? (char *)step->scratch + own : NULL;
    step->op(&call, alone);
}

/* Does the stretch that begins with step number `first`, for this thread's share of the samples. */
static void walk_stretch(const nnl_program *p, int first, const nnl_team *team) {
    const nnl_stretch *stretch = &p->steps[first].stretch;
    nnl_team alone = {.id = 0, .size = 1, .status = team->status};
    const nnl_range mine = nnl_share(stretch->samples, 1, team);
    const int64_t turns = ceil_div(length(mine), stretch->at_a_time);
    for (int64_t turn = 0; turn < turns; turn++)
        for (int64_t s = first; s < first + stretch->steps; s++) {
            alone.step = s;
            do_samples(&p->steps[s], even_share(mine, 1, turn, turns),
                       team->id * stretch->own_bytes, &alone);
        }
}

/* Does all steps once, as one thread of the team. */
static void walk(const nnl_program *p, nnl_team *team) {
    nnl_team single = {.id = 0, .size = 1, .status = team->status};
    for (int s = 0; s < p->n_steps; s++) {
        const nnl_step *step = &p->steps[s];
        if (step->fused) continue; /* the producer has done it */
        if (step->wait) nnl_wait(team);
        if (step->stretch.steps) {
            walk_stretch(p, s, team);
            s += (int)step->stretch.steps - 1;
            continue;
        }
        nnl_team *who = step->single_thread ? &single : team;
        if (step->single_thread && team->id != 0) continue;
        if (step->condition && !*(const int32_t *)step->condition->data) continue;
        who->step = s;
        who->scratch = step->scratch;
        who->consumer = s + 1 < p->n_steps && step[1].fused ? step + 1 : NULL;
        step->op(&step->call, who);
    }
}

/* Whether the team must become smaller: all runs together have more threads than the limit, and
 * this one has more than an equal share of the limit. */
static bool is_oversubscribed(const nnl_thread_budget *budget) {
    const nnl_active_runs *all = budget->active_runs;
    return budget->threads > 1 && atomic_load(&all->threads) > budget->limit &&
           budget->threads > budget->limit / atomic_load(&all->runs);
}

/* Whether threads slept at barriers for a quarter of the time or more. Then the threads that they
 * waited for most likely had no core, and a team with one thread less would not wait. On an idle
 * machine threads sleep when they first meet, if at all; beside a process that takes one of two
 * cores they sleep most of the time. */
static bool was_preempted(const nnl_barrier *b, int64_t began) {
    enum { NOTICEABLE_US = 2000 };
    const int64_t asleep = atomic_load_explicit(&b->asleep, memory_order_relaxed);
    return asleep >= NOTICEABLE_US && asleep >= (nnl_microseconds() - began) / 4;
}

/* Does the runs begin ... end - 1 as one thread of the team; returns the number of the next. */
static int64_t run_as(const nnl_program *p, int64_t begin, int64_t end, nnl_thread_budget *budget,
                      nnl_team *team) {
    const uint64_t saved = flush_denormals();
    const int64_t began = nnl_microseconds();
    int64_t next = begin;
    while (next < end) {
        if (team->id == 0)
            for (int b = 0; b < p->n_bindings; b++) {
                const nnl_feed *feed = &p->feeds[p->bindings[b].feed];
                p->bindings[b].tensor->data = (void *)(feed->data + next * feed->stride);
            }
        nnl_wait(team);
        walk(p, team);
        if (team->id == 0) {
            budget->preempted = was_preempted(team->barrier, began);
            team->barrier->stop = budget->preempted || is_oversubscribed(budget);
        }
        nnl_wait(team);
        next++;
        /* All threads read the same status and `stop` here: the barrier at the beginning of the
         * next run stands before anything that can set them. */
        const int64_t invalid = atomic_load(&team->status->first_invalid_index);
        if (invalid != NNL_NO_ERROR || team->barrier->stop) break;
    }
    restore_denormals(saved);
    return next;
}

/* What the threads of a team share. */
typedef struct {
    const nnl_program *program;
    int64_t begin, end, next;
    nnl_thread_budget *budget;
    nnl_status *status;
    nnl_barrier *barrier;
    int core; /* of the calling thread, or -1 */
} nnl_shared_run;

static void run_member(void *shared, int id, int size) {
    nnl_shared_run *r = shared;
    nnl_team team = {.id = id, .size = size, .barrier = r->barrier, .status = r->status};
    /* The scheduler may wake a thread on the core of the calling thread. */
    if (id > 0 && r->core >= 0 && nnl_current_core() == r->core) nnl_move_off_core(r->core);
    const int64_t next = run_as(r->program, r->begin, r->end, r->budget, &team);
    if (id == 0) r->next = next;
}

static int64_t run(const nnl_program *program, int64_t begin, int64_t end,
                   nnl_thread_budget *budget, nnl_status *status) {
    nnl_arrivals arrivals[budget->threads];
    memset(arrivals, 0, sizeof arrivals);
    nnl_barrier barrier = {.of = arrivals};
    nnl_shared_run shared = {.program = program,
                             .begin = begin,
                             .end = end,
                             .budget = budget,
                             .status = status,
                             .barrier = &barrier,
                             .core = budget->threads > 1 ? nnl_current_core() : -1};
    atomic_store(&status->first_invalid_index, NNL_NO_ERROR);
    atomic_flag_clear(&status->writing);
    nnl_start_team(budget->threads, run_member, &shared);
    return shared.next;
}
