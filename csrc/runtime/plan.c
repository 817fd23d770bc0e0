/* plan.c: one team of threads walks a program of steps, many times over, without leaving C.
 *
 * Steps stand in the order in which they were recorded. A barrier stands before a step only where
 * it touches memory that another thread may still be working on (the planner knows), and one ends
 * each run. */
#ifdef _OPENMP
#include <omp.h>
#endif

#include "../nnlite.h"
#include "barrier.h"

/* Denormal numbers cost a hundred times an ordinary multiply: treat them as zero while our code
 * runs. */
#if defined(__x86_64__)
#include <immintrin.h>
static inline unsigned flush_denormals(void) {
    unsigned saved = _mm_getcsr();
    _mm_setcsr(saved | 0x8040); /* FTZ, DAZ */
    return saved;
}
static inline void restore_denormals(unsigned saved) { _mm_setcsr(saved); }
#else
static inline unsigned flush_denormals(void) { return 0; }
static inline void restore_denormals(unsigned saved) { (void)saved; }
#endif

static void walk(const nnl_program *p, nnl_team *team) {
    nnl_team alone = {.id = 0, .size = 1, .status = team->status};
    for (int s = 0; s < p->n_steps; s++) {
        const nnl_step *step = &p->steps[s];
        if (step->fused) continue;
        if (step->wait) nnl_wait(team);
        nnl_team *who = step->alone ? &alone : team;
        if (step->alone && team->id != 0) continue;
        who->step = s;
        who->scratch = step->scratch;
        who->consumer = s + 1 < p->n_steps && step[1].fused ? step + 1 : NULL;
        step->op(&step->call, who);
    }
}

/* Whether a team must become smaller: there are more threads than cores, and it has more than its
 * share of them. */
static bool crowded(const nnl_grant *grant) {
    const nnl_at_work *all = grant->at_work;
    return grant->threads > 1 && atomic_load(&all->threads) > grant->limit &&
           grant->threads > grant->limit / atomic_load(&all->runs);
}

/* Whether threads slept for a quarter of the time or more, because their partners most likely had
 * no core: with one thread less, none would have to. (On an idle machine they sleep when they first
 * meet, if at all; beside a process that takes one of two cores, most of the time.) */
static bool disturbed(const nnl_barrier *b, int64_t began) {
    enum { NOTICED_US = 2000 };
    const int64_t asleep = atomic_load_explicit(&b->asleep, memory_order_relaxed);
    return asleep >= NOTICED_US && asleep >= (nnl_microseconds() - began) / 4;
}

static int64_t run_as(const nnl_program *p, int64_t begin, int64_t end, nnl_grant *grant,
                      nnl_team *team) {
    unsigned saved = flush_denormals();
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
            grant->disturbed = disturbed(team->barrier, began);
            team->barrier->stop = grant->disturbed || crowded(grant);
        }
        nnl_wait(team);
        next++;
        /* No thread can set the status or `stop` again before all have read it: the barrier above
         * is in between. */
        if (atomic_load(&team->status->first_bad) != NNL_FINE || team->barrier->stop) break;
    }
    restore_denormals(saved);
    return next;
}

static int64_t run(const nnl_program *program, int64_t begin, int64_t end, nnl_grant *grant,
                   nnl_status *status) {
    nnl_barrier barrier = {0};
    int64_t next = begin;
    atomic_store(&status->first_bad, NNL_FINE);
#ifdef _OPENMP
    if (grant->threads > 1) {
        const int core = nnl_core();
#pragma omp parallel num_threads(grant->threads)
        {
            nnl_team team = {.id = omp_get_thread_num(), .size = omp_get_num_threads(),
                             .barrier = &barrier, .status = status};
            /* The system may wake a thread where the one that calls it is running. */
            if (team.id > 0 && core >= 0 && nnl_core() == core) nnl_leave_core(core);
            int64_t mine = run_as(program, begin, end, grant, &team);
            if (team.id == 0) next = mine;
        }
        return next;
    }
#endif
    nnl_team team = {.id = 0, .size = 1, .barrier = &barrier, .status = status};
    next = run_as(program, begin, end, grant, &team);
    return next;
}
