/* thread_budget.c: how many threads each run gets of the cores that this process may use. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "shares.h"
#include "thread_budget.h"

/* libgomp's threads do not exist in a forked child, and waiting for them would hang it: one
 * thread there. */
static _Atomic int forked;
static nnl_at_work at_work;

static void in_child(void) {
    atomic_store(&forked, 1);
    atomic_store(&at_work.runs, 0);
    atomic_store(&at_work.threads, 0);
}

void nnl_watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

static _Atomic int quota, pretended; /* 0: none */

void nnl_set_quota(int cores) { atomic_store(&quota, cores); }
void nnl_pretend_cores(int cores) { atomic_store(&pretended, cores); }

int nnl_max_threads(void) {
#ifdef _OPENMP
    /* Within a parallel region of someone else's, OpenMP would give one thread, too. */
    if (atomic_load(&forked) || omp_get_active_level() >= omp_get_max_active_levels()) return 1;
    int cores = atomic_load(&pretended), most = atomic_load(&quota);
    if (!cores) {
        cores = omp_get_num_procs(); /* those of the affinity mask, as it is now */
        if (most) cores = min_of(cores, most);
    }
    return min_of(omp_get_max_threads(), cores);
#else
    return 1;
#endif
}

/* Where other processes need cores too, a team does without some until this moment, in
 * milliseconds; then it tries again. A try that fails makes the next wait twice as long. */
enum { SHORTEST_MS = 5, LONGEST_MS = 800 };
static _Atomic int cores_left = 0, wait_ms = SHORTEST_MS;
static _Atomic int64_t until_ms = 0;

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)1000 + now.tv_nsec / 1000000;
}

void nnl_disturbed(void) {
    if (atomic_load(&pretended)) return; /* a team larger than the machine always is */
    int wait = atomic_load(&wait_ms);
    atomic_fetch_add(&cores_left, 1);
    atomic_store(&until_ms, now_ms() + wait);
    atomic_store(&wait_ms, min_of(2 * wait, LONGEST_MS));
}

static int without_cores_left(int limit) {
    int left = atomic_load(&cores_left);
    if (limit == 1 || left == 0 || atomic_load(&pretended)) return limit;
    if (now_ms() < atomic_load(&until_ms)) return max_of(1, limit - left);
    atomic_store(&cores_left, 0);
    return limit;
}

nnl_grant nnl_enter(int wanted) {
    int limit = wanted == 1 ? 1 : without_cores_left(nnl_max_threads());
    int share = limit / (atomic_fetch_add(&at_work.runs, 1) + 1);
    int seen = atomic_load(&at_work.threads), threads;
    do {
        threads = max_of(1, max_of(share, limit - seen));
        if (wanted > 0) threads = min_of(threads, wanted);
    } while (!atomic_compare_exchange_weak(&at_work.threads, &seen, seen + threads));
    return (nnl_grant){.threads = threads, .limit = limit, .at_work = &at_work};
}

void nnl_leave(const nnl_grant *grant) {
    atomic_fetch_sub(&at_work.threads, grant->threads);
    atomic_fetch_sub(&at_work.runs, 1);
}

int64_t nnl_run(const nnl_engine *engine, const nnl_program *program, int64_t runs, int wanted,
                nnl_status *status) {
    int64_t done = 0;
    do {
        nnl_grant grant = nnl_enter(wanted);
        done = engine->run(program, done, runs, &grant, status);
        nnl_leave(&grant);
        if (grant.disturbed)
            nnl_disturbed();
        else if (grant.threads > 1 && atomic_load(&cores_left) == 0)
            atomic_store(&wait_ms, SHORTEST_MS);
    } while (done < runs && atomic_load(&status->first_bad) == NNL_FINE);
    return done;
}

nnl_at_work nnl_all_at_work(void) { return at_work; }
