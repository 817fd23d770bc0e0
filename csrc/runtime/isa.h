/* isa.h: the engines of this build, one for each instruction set and precision. */
#ifndef NNL_ISA_H
#define NNL_ISA_H

#include "../nnlite.h"

/* Every engine of this build, the best instruction set first; NULL ends the list. */
extern const nnl_engine *const nnl_engines[];

/* Whether this CPU and its operating system can run the engine. */
int nnl_is_supported(const nnl_engine *engine);

#endif
