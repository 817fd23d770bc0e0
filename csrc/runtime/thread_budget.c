/* thread_budget.c: how many threads each run gets of the cores that this process may use. */
#include <stdatomic.h>
#include <stdint.h>
#ifndef _WIN32
#include <pthread.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

#include "clock.h"
#include "shares.h"
#include "thread_budget.h"

/* A forked child has none of libgomp's threads, and would wait for them for ever. It uses one
 * thread. */
static _Atomic int forked;
static nnl_active_runs active_runs;

#ifdef _WIN32
void nnl_watch_forks(void) { atomic_store(&forked, 0); } /* there is no fork */
#else
static void in_child(void) {
    atomic_store(&forked, 1);
    atomic_store(&active_runs.runs, 0);
    atomic_store(&active_runs.threads, 0);
}

void nnl_watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }
#endif

static _Atomic int quota, simulated_cores; /* 0: none */

void nnl_set_quota(int cores) { atomic_store(&quota, cores); }
void nnl_simulate_cores(int cores) { atomic_store(&simulated_cores, cores); }

int nnl_max_threads(void) {
#ifdef _OPENMP
    /* Within a parallel region of the caller's OpenMP gives one thread, too. */
    if (atomic_load(&forked) || omp_get_active_level() >= omp_get_max_active_levels()) return 1;
    int cores = atomic_load(&simulated_cores), most = atomic_load(&quota);
    if (!cores) {
        cores = omp_get_num_procs(); /* those of the affinity mask, as it is now */
        if (most) cores = min_of(cores, most);
    }
    return min_of(omp_get_max_threads(), cores);
#else
    return 1;
#endif
}

/* Where other processes need cores, teams yield some to them until yield_until_ms, and then try
 * again to use all. Each try that fails makes the next time twice as long. */
enum { SHORTEST_MS = 5, LONGEST_MS = 800 };
static _Atomic int cores_yielded = 0, yield_ms = SHORTEST_MS;
static _Atomic int64_t yield_until_ms = 0;

static int64_t now_ms(void) { return nnl_microseconds() / 1000; }

void nnl_note_preemption(void) {
    /* A simulated team is larger than the machine, so its threads are preempted all the time. */
    if (atomic_load(&simulated_cores)) return;
    int ms = atomic_load(&yield_ms);
    atomic_fetch_add(&cores_yielded, 1);
    atomic_store(&yield_until_ms, now_ms() + ms);
    atomic_store(&yield_ms, min_of(2 * ms, LONGEST_MS));
}

static int without_yielded_cores(int limit) {
    int yielded = atomic_load(&cores_yielded);
    if (limit == 1 || yielded == 0 || atomic_load(&simulated_cores)) return limit;
    if (now_ms() < atomic_load(&yield_until_ms)) return max_of(1, limit - yielded);
    atomic_store(&cores_yielded, 0);
    return limit;
}

nnl_thread_budget nnl_acquire_threads(int wanted) {
    int limit = wanted == 1 ? 1 : without_yielded_cores(nnl_max_threads());
    int share = limit / (atomic_fetch_add(&active_runs.runs, 1) + 1);
    int seen = atomic_load(&active_runs.threads), threads;
    do {
        threads = max_of(1, max_of(share, limit - seen));
        if (wanted > 0) threads = min_of(threads, wanted);
    } while (!atomic_compare_exchange_weak(&active_runs.threads, &seen, seen + threads));
    return (nnl_thread_budget){.threads = threads, .limit = limit, .active_runs = &active_runs};
}

void nnl_release_threads(const nnl_thread_budget *budget) {
    atomic_fetch_sub(&active_runs.threads, budget->threads);
    atomic_fetch_sub(&active_runs.runs, 1);
}

int64_t nnl_run(const nnl_engine *engine, const nnl_program *program, int64_t runs, int wanted,
                nnl_status *status) {
    int64_t done = 0;
    do {
        nnl_thread_budget budget = nnl_acquire_threads(wanted);
        done = engine->run(program, done, runs, &budget, status);
        nnl_release_threads(&budget);
        if (budget.preempted)
            nnl_note_preemption();
        else if (budget.threads > 1 && atomic_load(&cores_yielded) == 0)
            atomic_store(&yield_ms, SHORTEST_MS);
    } while (done < runs && atomic_load(&status->first_invalid_index) == NNL_NO_ERROR);
    return done;
}

nnl_active_runs nnl_count_active_runs(void) { return active_runs; }
