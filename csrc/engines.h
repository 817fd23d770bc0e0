/* engines.h: what exists once per process, whatever engines there are. */
#ifndef NNL_ENGINES_H
#define NNL_ENGINES_H

#include "nnlite.h"

/* Every engine of this build, best instruction set first, ended by NULL. */
extern const nnl_engine *const nnl_engines[];

/* Whether this CPU (and its operating system) can run the engine. */
int nnl_runs_here(const nnl_engine *engine);

/* Registers what must happen when the process forks; called once, at import. */
void nnl_watch_forks(void);

/* Threads that a run may use: `wanted` (0 = as many as sensible), no more than OpenMP's own limit
 * (which OMP_NUM_THREADS and threadpoolctl set) shared among the runs of this process that are
 * under way. nnl_leave() must follow each nnl_enter(). */
int nnl_enter(int wanted);
void nnl_leave(void);
int nnl_max_threads(void);

#endif
