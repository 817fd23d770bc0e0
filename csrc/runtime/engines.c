/* engines.c: the list of engines, the choice among them, and the rules for sharing the machine's
 * threads. */
#include <pthread.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "engines.h"

#define ENGINE(isa) extern const nnl_engine nnl_engine_##isa##_float, nnl_engine_##isa##_double;
ENGINE(generic)
#if defined(__x86_64__)
ENGINE(avx2)
ENGINE(avx512)
#endif
#undef ENGINE

#define ENGINE(isa) &nnl_engine_##isa##_float, &nnl_engine_##isa##_double,
const nnl_engine *const nnl_engines[] = {
#if defined(__x86_64__)
    ENGINE(avx512) ENGINE(avx2)
#endif
    ENGINE(generic) NULL,
};

int nnl_runs_here(const nnl_engine *engine) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!strcmp(engine->isa, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("fma");
    if (!strcmp(engine->isa, "avx2"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return !strcmp(engine->isa, "generic");
}

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

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }

int nnl_max_threads(void) {
#ifdef _OPENMP
    /* Within a parallel region of someone else's, OpenMP would give one thread, too. */
    if (atomic_load(&forked) || omp_get_active_level() >= omp_get_max_active_levels()) return 1;
    int cores = atomic_load(&pretended), most = atomic_load(&quota);
    if (!cores) {
        cores = omp_get_num_procs(); /* those of the affinity mask, as it is now */
        if (most) cores = smaller(cores, most);
    }
    return smaller(omp_get_max_threads(), cores);
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
    atomic_store(&wait_ms, smaller(2 * wait, LONGEST_MS));
}

static int without_cores_left(int limit) {
    int left = atomic_load(&cores_left);
    if (limit == 1 || left == 0 || atomic_load(&pretended)) return limit;
    if (now_ms() < atomic_load(&until_ms)) return larger(1, limit - left);
    atomic_store(&cores_left, 0);
    return limit;
}

nnl_grant nnl_enter(int wanted) {
    int limit = wanted == 1 ? 1 : without_cores_left(nnl_max_threads());
    int share = limit / (atomic_fetch_add(&at_work.runs, 1) + 1);
    int seen = atomic_load(&at_work.threads), threads;
    do {
        threads = larger(1, larger(share, limit - seen));
        if (wanted > 0) threads = smaller(threads, wanted);
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
