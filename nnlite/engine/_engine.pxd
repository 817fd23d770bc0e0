# What `_engine.pyx` uses of C, and how tensors, shapes and attributes are written for C.

cimport numpy as cnp
from libc.stdint cimport int8_t, int32_t, int64_t

cdef extern from "nnlite.h" nogil:
    enum: NNL_MAX_NDIM, NNL_MAX_OPERANDS, NNL_SAMPLES, NNL_OWN, NNL_STEP_SHIFT
    int64_t NNL_NO_ERROR
    ctypedef struct nnl_tensor:
        void *data
        int64_t shape[NNL_MAX_NDIM]
        int32_t ndim, in_stretch
    ctypedef union nnl_attr:
        int64_t i
        double f
    ctypedef struct nnl_call:
        const nnl_tensor *in_ "in"
        nnl_tensor *out
        const nnl_attr *attr
        int n_in, n_out
    ctypedef struct nnl_status:
        int64_t first_invalid_index, invalid_value
    ctypedef struct nnl_team:
        int size
    ctypedef void (*nnl_op_fn)(const nnl_call *, nnl_team *) noexcept nogil
    ctypedef int64_t (*nnl_scratch_fn)(const nnl_call *, int) noexcept nogil
    ctypedef struct nnl_stretch:
        int64_t steps, samples, at_a_time, own_bytes
    ctypedef struct nnl_step:
        nnl_op_fn op
        nnl_call call
        void *scratch
        const nnl_tensor *condition
        int8_t wait, single_thread, fused
        nnl_stretch stretch
    ctypedef struct nnl_feed:
        const char *data
        int64_t stride
    ctypedef struct nnl_binding:
        nnl_tensor *tensor
        int32_t feed
    ctypedef struct nnl_program:
        nnl_step *steps
        nnl_binding *bindings
        nnl_feed *feeds
        int32_t n_steps, n_bindings
    ctypedef struct nnl_active_runs:
        int runs, threads
    ctypedef struct nnl_thread_budget:
        int threads
    ctypedef struct nnl_arity:
        int32_t n_in, n_out
    ctypedef struct nnl_engine:
        const char *isa
        int32_t real_size, n_ops, panel
        const char **names
        const nnl_op_fn *ops
        const nnl_scratch_fn *scratch
        const nnl_arity *arities
        int64_t (*run)(const nnl_program *, int64_t, int64_t, nnl_thread_budget *,
                       nnl_status *) noexcept nogil

cdef extern from "runtime/isa.h" nogil:
    const nnl_engine **nnl_engines
    int nnl_is_supported(const nnl_engine *)

cdef extern from "runtime/thread_budget.h" nogil:
    void nnl_watch_forks()
    int nnl_max_threads()
    void nnl_set_quota(int)
    void nnl_simulate_cores(int)
    nnl_thread_budget nnl_acquire_threads(int)
    void nnl_release_threads(const nnl_thread_budget *)
    void nnl_note_preemption()
    int64_t nnl_run(const nnl_engine *, const nnl_program *, int64_t, int, nnl_status *)
    nnl_active_runs nnl_count_active_runs()

cdef extern from "<stdlib.h>" nogil:
    int posix_memalign(void **, size_t, size_t)

cdef extern from "<sys/mman.h>" nogil:
    int madvise(void *, size_t, int)
    int MADV_HUGEPAGE


cdef inline Py_ssize_t _checked_ndim(Py_ssize_t ndim) except -1:
    if ndim > NNL_MAX_NDIM:
        raise ValueError(f"expected at most {NNL_MAX_NDIM} dimensions, got {ndim}")
    return ndim


cdef inline int _set_shape(nnl_tensor *t, tuple shape) except -1:
    cdef int d
    t.ndim = _checked_ndim(len(shape))
    for d in range(t.ndim):
        t.shape[d] = shape[d]
    return 0


cdef inline int _point_to(nnl_tensor *t, cnp.ndarray a) except -1:
    cdef int d
    t.data = cnp.PyArray_DATA(a)
    t.ndim = _checked_ndim(cnp.PyArray_NDIM(a))
    for d in range(t.ndim):
        t.shape[d] = cnp.PyArray_DIM(a, d)
    return 0


cdef inline int _set_attrs(nnl_attr *to, tuple attrs) except -1:
    cdef Py_ssize_t k
    for k, value in enumerate(attrs):
        if isinstance(value, float):
            to[k].f = value
        else:
            to[k].i = value
    return 0
