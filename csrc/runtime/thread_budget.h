/* thread_budget.h: the rules by which the runs of a process share its cores. */
#ifndef NNL_THREAD_BUDGET_H
#define NNL_THREAD_BUDGET_H

#include <stdint.h>

#include "../nnlite.h"

/* Registers what must happen when the process forks; called once, at import. */
void nnl_watch_forks(void);

/* The most threads that the caller may use at this moment: OpenMP's own limit (OMP_NUM_THREADS,
 * threadpoolctl), and no more than there are cores in the affinity mask and in the quota. */
int nnl_max_threads(void);
void nnl_set_quota(int cores);     /* of the container; 0: none */
void nnl_pretend_cores(int cores); /* for tests of larger teams; 0: look */

/* Threads for a run: at most `wanted` (0 = as many as sensible), what others leave of
 * nnl_max_threads(), and never less than an equal share among the runs of this process that are
 * under way. nnl_leave() must follow each nnl_enter(). */
nnl_grant nnl_enter(int wanted);
void nnl_leave(const nnl_grant *grant);

/* Take note that a team had to wait for cores: for a while, runs of this process leave one more
 * core to others. */
void nnl_disturbed(void);

/* Runs the program up to `runs` times; returns how many were finished. Between two of them the
 * team makes room for runs that began after it. */
int64_t nnl_run(const nnl_engine *engine, const nnl_program *program, int64_t runs, int wanted,
                nnl_status *status);
nnl_at_work nnl_all_at_work(void);

#endif
