/* job.h: what one thread computes of a product, and the memory that it works in. */
#ifndef NNL_JOB_H
#define NNL_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "../nnlite.h"
#include "../runtime/shares.h"
#include "gemm.h"

enum { MOST_PREFETCHED = 4 };

typedef struct {
    nnl_operand A, B;
    real *C; /* row 0 of C; of a fused product see reuse_buffer */
    int64_t K, ldc;
    nnl_range rows, columns; /* this thread's rectangle of C */
    const nnl_epilogue *epilogue;
    real *packed_b, *packed_a; /* room for a block of B and a micro-panel of A */
    nnl_team *team;
    /* Of a fused product (fusion.h): */
    int64_t consumed;  /* the consumer has had the rows before this one */
    bool early;        /* rows are complete, and consumed, while later ones are still computed */
    bool reuse_buffer; /* C holds no more rows than are not consumed yet: row `consumed` is first */
    const real *consumer_reads[MOST_PREFETCHED]; /* operands that are worth prefetching */
    int n_consumer_reads;
} nnl_job;

static inline real *row_of_c(const nnl_job *job, int64_t row) {
    return job->C + (row - (job->reuse_buffer ? job->consumed : 0)) * job->ldc;
}

#endif
