/* thread_budget.h: how the runs of a process share its cores. This exists once in a process,
 * whatever the number of engines. */
#ifndef NNL_THREAD_BUDGET_H
#define NNL_THREAD_BUDGET_H

#include <stdint.h>

#include "../nnlite.h"

/* Prepares for forks of the process. Called once, at import. */
void nnl_watch_forks(void);

/* The most threads that the caller may use at this moment. OpenMP's own limit holds
 * (OMP_NUM_THREADS, threadpoolctl), the affinity mask and the quota. */
int nnl_max_threads(void);
/* The CPU quota of the container, in cores; 0: none. */
void nnl_set_quota(int cores);
/* For tests of large teams: as if the machine had this many cores; 0: as it is. */
void nnl_simulate_cores(int cores);

/* Threads for a run: at most `wanted` (0: no wish), as many as other runs leave of
 * nnl_max_threads(), and at least an equal share of these among the active runs.
 * nnl_release_threads() must follow each call. */
nnl_thread_budget nnl_acquire_threads(int wanted);
void nnl_release_threads(const nnl_thread_budget *budget);

/* Notes that a team was preempted. For a while the runs of this process use one core less. */
void nnl_note_preemption(void);

/* Runs the program up to `runs` times and returns how many runs were finished. Between two runs
 * the team shrinks if other runs have begun, and grows if they have ended. */
int64_t nnl_run(const nnl_engine *engine, const nnl_program *program, int64_t runs, int wanted,
                nnl_status *status);
nnl_active_runs nnl_count_active_runs(void);

#endif
