/* engines.c: the list of engines, the choice among them, and the rules for sharing the machine's
 * threads. */
#include <pthread.h>
#include <stddef.h>
#include <string.h>
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
static _Atomic int runs_under_way;

static void in_child(void) {
    atomic_store(&forked, 1);
    atomic_store(&runs_under_way, 0);
}

void nnl_watch_forks(void) { pthread_atfork(NULL, NULL, in_child); }

int nnl_max_threads(void) {
#ifdef _OPENMP
    return atomic_load(&forked) ? 1 : omp_get_max_threads();
#else
    return 1;
#endif
}

int nnl_enter(int wanted) {
    int share = nnl_max_threads() / (atomic_fetch_add(&runs_under_way, 1) + 1);
    if (wanted > 0 && wanted < share) share = wanted;
    return share > 1 ? share : 1;
}

void nnl_leave(void) { atomic_fetch_sub(&runs_under_way, 1); }
