/* plan.c: one team of threads walks a program of steps, many times over, without leaving C.
 *
 * Steps stand in the order in which they were recorded. A barrier stands before a step only where
 * it touches memory that another thread may still be working on (the planner knows), and one ends
 * each run. */
#ifdef _OPENMP
#include <omp.h>
#endif

#include "parallel.h"

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
        if (step->wait) nnl_wait(team);
        nnl_team *who = step->alone ? &alone : team;
        if (step->alone && team->id != 0) continue;
        who->step = s;
        who->scratch = step->scratch;
        step->op(&step->call, who);
    }
}

static int64_t run_as(const nnl_program *p, int64_t runs, nnl_team *team) {
    unsigned saved = flush_denormals();
    int64_t done = 0;
    while (done < runs) {
        if (team->id == 0)
            for (int b = 0; b < p->n_bindings; b++) {
                const nnl_feed *feed = &p->feeds[p->bindings[b].feed];
                p->bindings[b].tensor->data = (void *)(feed->data + done * feed->stride);
            }
        nnl_wait(team);
        walk(p, team);
        nnl_wait(team);
        done++;
        /* No thread can set the status again before all have read it: the barrier above is in
         * between. */
        if (atomic_load(&team->status->first_bad) != NNL_FINE) break;
    }
    restore_denormals(saved);
    return done;
}

static int64_t run(const nnl_program *program, int64_t runs, int threads, nnl_status *status) {
    nnl_barrier barrier = {0};
    int64_t done = 0;
    atomic_store(&status->first_bad, NNL_FINE);
#ifdef _OPENMP
    if (threads > 1) {
#pragma omp parallel num_threads(threads)
        {
            nnl_team team = {.id = omp_get_thread_num(), .size = omp_get_num_threads(),
                             .barrier = &barrier, .status = status};
            int64_t mine = run_as(program, runs, &team);
            if (team.id == 0) done = mine;
        }
        return done;
    }
#else
    (void)threads;
#endif
    nnl_team team = {.id = 0, .size = 1, .barrier = &barrier, .status = status};
    done = run_as(program, runs, &team);
    return done;
}
