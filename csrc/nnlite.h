/* nnlite.h: the contract between Python and C. Every op is one function of one type, and it
 * cannot fail.
 *
 * The whole library is compiled once per instruction set and precision as a single translation
 * unit (engine.c), with everything static but one `nnl_engine`. `real` is its precision. */
#ifndef NNLITE_H
#define NNLITE_H

#include <stdatomic.h>
#include <stdint.h>

#ifndef NNL_REAL
#define NNL_REAL float
#endif
typedef NNL_REAL real;

#define NNL_MAX_NDIM 6

/* Row-major and contiguous; does not own its memory. Holds `real`s or int32s: each op knows
 * which. */
typedef struct {
    void *data;
    int64_t shape[NNL_MAX_NDIM];
    int32_t ndim;
} nnl_tensor;

/* How many elements a tensor has. */
static inline int64_t nnl_size(const nnl_tensor *t) {
    int64_t n = 1;
    for (int d = 0; d < t->ndim; d++) n *= t->shape[d];
    return n;
}

/* The type of each attribute is declared in the op's Python row, and the value is cast there. */
typedef union {
    int64_t i;
    double f;
} nnl_attr;

typedef struct {
    const nnl_tensor *in;
    nnl_tensor *out;
    const nnl_attr *attr;
    int n_in, n_out;
} nnl_call;

/* Where an op that reads indices says that one was out of range: step * 2^40 + element, the
 * lowest of all that were met, so that the report does not depend on threads. NNL_FINE when none
 * was. */
typedef struct nnl_status {
    _Atomic int64_t first_bad;
} nnl_status;
#define NNL_FINE INT64_MAX
#define NNL_STEP_SHIFT 40

/* The threads that run an op together; every one of them enters the op. `scratch` is shared by
 * the team. */
typedef struct nnl_team {
    int id, size;
    void *scratch;
    struct nnl_barrier *barrier;
    struct nnl_status *status;
    int64_t step;
    /* A step that is fused to this op, or NULL: the op does it for each tile of its output while
     * the tile is in cache, and the output is never stored (gemm/fusion.h). */
    const struct nnl_step *consumer;
    /* For such a step: elements tile_begin ... tile_end - 1 of the fused operand, the first of
     * which is at `tile`. NULL: the operand is whole. */
    const real *tile;
    int64_t tile_begin, tile_end;
} nnl_team;

typedef void (*nnl_op_fn)(const nnl_call *call, nnl_team *team);
/* Bytes of scratch that a call needs when up to `threads` threads run it. */
typedef int64_t (*nnl_scratch_fn)(const nnl_call *call, int threads);

/* One step of a program. `wait`: a barrier stands before it. `alone`: thread 0 does it by
 * itself. `fused`: it is the consumer of the step before, which does it tile by tile. */
typedef struct nnl_step {
    nnl_op_fn op;
    nnl_call call;
    void *scratch;
    int8_t wait, alone, fused;
} nnl_step;

/* A feed is memory of the caller's that moves on by `stride` bytes at each run; `tensor` looks at
 * it. */
typedef struct {
    const char *data;
    int64_t stride;
} nnl_feed;
typedef struct {
    nnl_tensor *tensor;
    int32_t feed;
} nnl_binding;

typedef struct {
    nnl_step *steps;
    nnl_binding *bindings;
    nnl_feed *feeds;
    int32_t n_steps, n_bindings;
} nnl_program;

/* What is running in this process now. */
typedef struct {
    _Atomic int runs, threads;
} nnl_at_work;

/* The threads that a run was given, out of `limit` that all runs of the process share. `disturbed`:
 * whether they had to wait for each other too long, as when other processes take their cores. */
typedef struct {
    int threads, limit;
    const nnl_at_work *at_work;
    int disturbed;
} nnl_grant;

typedef struct {
    const char *isa;
    int32_t real_size, n_ops;
    const char *const *names;
    const nnl_op_fn *ops;
    const nnl_scratch_fn *scratch;
    /* Does runs number `begin` to `end` of the program with a team of the size granted; returns
     * the number of the next one. Stops after a run in which `status` was set, after one in which
     * so many others came that the team is larger than its share, and when it is disturbed. */
    int64_t (*run)(const nnl_program *program, int64_t begin, int64_t end, nnl_grant *grant,
                   nnl_status *status);
} nnl_engine;

#endif
