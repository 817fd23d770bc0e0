/* nnlite.h: the contract between Python and C. Every op is one function of one type, and it
 * cannot fail.
 *
 * The library is compiled once for each instruction set and precision, as a single translation
 * unit (engine.c) in which everything is static but one `nnl_engine`. `real` is its precision. */
#ifndef NNLITE_H
#define NNLITE_H

#include <stdatomic.h>
#include <stdint.h>

#ifndef NNL_REAL
#define NNL_REAL float
#endif
typedef NNL_REAL real;

#define NNL_MAX_NDIM 6
#define NNL_MAX_OPERANDS 16 /* inputs and outputs of one call */

/* Row-major and contiguous. It does not own its memory. It holds `real`s or int32s: each op knows
 * which. */
typedef struct {
    void *data;
    int64_t shape[NNL_MAX_NDIM];
    int32_t ndim;
    int32_t in_stretch; /* NNL_WHOLE ...; read only in a stretch of steps (nnl_stretch) */
} nnl_tensor;

/* What a thread gets of a tensor for some samples of a batch: all of it, these samples, or memory
 * of its own, which has room for as many. */
enum { NNL_WHOLE, NNL_SAMPLES, NNL_OWN };

/* How many elements a tensor has. */
static inline int64_t nnl_size(const nnl_tensor *t) {
    int64_t n = 1;
    for (int d = 0; d < t->ndim; d++) n *= t->shape[d];
    return n;
}

/* The op's Python row declares the type of each attribute, and Python casts the value to it. */
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

/* Where an op met an index that was out of range, step * 2^NNL_STEP_SHIFT + element, and what it
 * was. Of several the lowest place is kept, so the report does not depend on the number of threads.
 * NNL_NO_ERROR: none. */
typedef struct nnl_status {
    _Atomic int64_t first_invalid_index;
    int64_t invalid_value;
    atomic_flag writing; /* held by the thread that changes the two */
} nnl_status;
#define NNL_NO_ERROR INT64_MAX
/* In the place of the index where it is not what the caller gave: `NO_PLACE` in dispatch.py. */
#define NNL_NO_INDEX INT32_MIN
#define NNL_STEP_SHIFT 40

/* One of the threads that run an op together. Every thread enters the op, with a team of its own
 * that differs in `id`. All share the same `scratch`. */
typedef struct nnl_team {
    int id, size;
    void *scratch;
    struct nnl_barrier *barrier;
    struct nnl_status *status;
    int64_t step; /* number of the step in the program */
    /* A step that is fused to this op, or NULL. The op does that step for each tile of its output
     * while the tile is in cache, and never stores the output (gemm/fusion.h). */
    const struct nnl_step *consumer;
    /* For a fused step: elements tile_begin ... tile_end - 1 of the fused operand, the first of
     * which is at `tile`. NULL: the whole operand is in memory. */
    const real *tile;
    int64_t tile_begin, tile_end;
} nnl_team;

typedef void (*nnl_op_fn)(const nnl_call *call, nnl_team *team);
/* Bytes of scratch that a call needs when up to `threads` threads run it. */
typedef int64_t (*nnl_scratch_fn)(const nnl_call *call, int threads);

/* Consecutive steps that treat each sample of a batch by itself. A thread does all of them for a
 * few samples at a time, and so finds in its cache what lies between the steps. */
typedef struct {
    int64_t steps; /* 0: there is none */
    int64_t samples, at_a_time;
    int64_t own_bytes; /* of a thread's memory, for NNL_OWN tensors and scratch; that of the next
                          thread follows */
} nnl_stretch;

/* One step of a program. */
typedef struct nnl_step {
    nnl_op_fn op;
    nnl_call call;
    void *scratch;
    const nnl_tensor *condition; /* int32 [1]: where it is 0, the step is left out; or NULL */
    int8_t wait;                 /* a barrier stands before it */
    int8_t single_thread;        /* thread 0 does it, the others go on */
    int8_t fused;                /* the step before does it, tile by tile */
    nnl_stretch stretch;         /* that begins with this step */
} nnl_step;

/* Memory of the caller's. `data` is its address in run 0, and it moves on by `stride` bytes with
 * each run. */
typedef struct {
    const char *data;
    int64_t stride;
} nnl_feed;
/* A tensor of a program that looks at a feed. */
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

/* The runs that are under way in this process, and their threads. */
typedef struct {
    _Atomic int runs, threads;
} nnl_active_runs;

/* The threads of one run. */
typedef struct {
    int threads; /* that this run was given ... */
    int limit;   /* ... of those that all runs of the process may have together */
    const nnl_active_runs *active_runs;
    int preempted; /* set by the run: its threads waited for each other too long */
} nnl_thread_budget;

/* How many inputs and outputs a call has at least. */
typedef struct {
    int32_t n_in, n_out;
} nnl_arity;

typedef struct {
    const char *isa;
    int32_t real_size, n_ops;
    int32_t panel; /* columns of a panel of a packed kernel (pack_kernel) */
    const char *const *names;
    const nnl_op_fn *ops;
    const nnl_scratch_fn *scratch;
    const nnl_arity *arities;
    /* Does runs number begin ... end - 1 of the program, with budget->threads threads. Returns the
     * number of the next run. Stops early when an op reports an invalid index, when other runs
     * have begun and this one has more than its share of the threads, and when it is preempted. */
    int64_t (*run)(const nnl_program *program, int64_t begin, int64_t end,
                   nnl_thread_budget *budget, nnl_status *status);
} nnl_engine;

#endif
