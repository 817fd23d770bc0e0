/* team.h: starts the threads of a team, and returns when all have finished. */
#ifndef NNL_TEAM_H
#define NNL_TEAM_H

/* What each thread of a team does: thread `id` of `size`. Thread 0 is the one that calls. */
typedef void nnl_work(void *shared, int id, int size);

#if defined(NNL_TEAM_PTHREADS)
/* The thread sanitizer does not see how OpenMP's threads wait for each other. Under it, threads are
 * made for each run. A thread that cannot be made ends the process: this is for tests. */
#include <pthread.h>
#include <stdlib.h>

enum { MOST_THREADS = 64 };

typedef struct {
    nnl_work *work;
    void *shared;
    int id, size;
} nnl_member;

static void *start_member(void *member) {
    const nnl_member *m = member;
    m->work(m->shared, m->id, m->size);
    return NULL;
}

static void nnl_start_team(int size, nnl_work *work, void *shared) {
    pthread_t threads[MOST_THREADS];
    nnl_member members[MOST_THREADS];
    if (size > MOST_THREADS) size = MOST_THREADS;
    for (int id = 1; id < size; id++) {
        members[id] = (nnl_member){work, shared, id, size};
        if (pthread_create(&threads[id], NULL, start_member, &members[id])) abort();
    }
    work(shared, 0, size);
    for (int id = 1; id < size; id++) pthread_join(threads[id], NULL);
}
#elif defined(_OPENMP)
#include <omp.h>

static void nnl_start_team(int size, nnl_work *work, void *shared) {
    if (size == 1) {
        work(shared, 0, 1);
        return;
    }
#pragma omp parallel num_threads(size)
    work(shared, omp_get_thread_num(), omp_get_num_threads());
}
#else
static void nnl_start_team(int size, nnl_work *work, void *shared) {
    (void)size;
    work(shared, 0, 1);
}
#endif

#endif
