# cython: language_level=3, boundscheck=False, wraparound=False
"""The only binding between Python and C: engines, which run ops, and programs, which run plans.

`dispatch.apply` checks shapes and types before a call comes here. This module only checks that a
call fits into the arrays of fixed length, and passes addresses and numbers to C.
"""

cimport cython
cimport numpy as cnp
from libc.stdint cimport int8_t, int32_t, int64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

cnp.import_array()

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
        int64_t first_invalid_index
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

cdef enum:
    ATTRS = 16  # numbers that C gets of its attributes
ARENA, MEMORY, FEED, FUSED, OWN = range(5)  # the places where a tensor of a program can be
MAX_NDIM, MAX_OPERANDS, MAX_ATTRS = NNL_MAX_NDIM, NNL_MAX_OPERANDS, ATTRS

nnl_watch_forks()
cdef int _threads_at_import = nnl_max_threads()


def max_threads():
    """The number of threads of a run that begins now, in this thread, if no other run is active."""
    return nnl_max_threads()


def most_threads():
    """The largest number of threads that a run can get, now or after a current limit is lifted."""
    return max(_threads_at_import, nnl_max_threads())


def set_quota(int cores):
    """Limit the cores that all runs of this process use together; 0 removes the limit."""
    nnl_set_quota(cores)


def simulate_cores(int cores):
    """For tests of large teams: pretend that the machine has `cores` cores; 0 ends this."""
    nnl_simulate_cores(cores)


def simulate_preemption():
    """For tests: pretend that another process has just taken a core from a team."""
    nnl_note_preemption()


def active_runs():
    """The number of runs that this process is executing, and the number of their threads."""
    now = nnl_count_active_runs()
    return now.runs, now.threads


cdef void *_aligned(size_t size) except? NULL:
    """Zeroed memory that begins on a cache line, or on a huge page if it fills one.

    The caller frees it."""
    cdef void *memory = NULL
    cdef size_t page = 64 if size < (1 << 21) else (1 << 21)
    if posix_memalign(&memory, page, size if size else 64):
        raise MemoryError(f"nnlite: no memory for {size:,} bytes")
    if page > 64:
        madvise(memory, size, MADV_HUGEPAGE)
    memset(memory, 0, size)
    return memory


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
        if isinstance(value, float): to[k].f = value
        else: to[k].i = value
    return 0


cdef int _check_counts(Py_ssize_t operands, Py_ssize_t attrs) except -1:
    """Refuse a call that does not fit into the arrays of `Engine.scratch` and `Engine.call`."""
    if operands > NNL_MAX_OPERANDS:
        raise ValueError(
            f"expected at most {NNL_MAX_OPERANDS} inputs and outputs of an op, got {operands}"
        )
    if attrs > ATTRS:
        raise ValueError(f"expected at most {ATTRS} attributes of an op, got {attrs}")
    return 0


cdef class Engine:
    """The ops of one instruction set and precision.

    Attributes
    ----------
    isa : str
        The instruction set: 'generic', 'avx2', 'avx512' or 'neon'.
    real : {'float32', 'float64'}
        The precision.
    op_ids : dict of str to int
        The number of each op by its name in `csrc/op_list.h`.
    panel : int
        The columns of a panel of a packed kernel.
    """

    cdef const nnl_engine *c
    cdef readonly str isa, real
    cdef readonly dict op_ids
    cdef readonly int panel

    @staticmethod
    cdef Engine wrap(const nnl_engine *c):
        cdef Engine self = Engine.__new__(Engine)
        self.c = c
        self.isa, self.panel = c.isa.decode(), c.panel
        self.real = "float32" if c.real_size == 4 else "float64"
        self.op_ids = {c.names[k].decode(): k for k in range(c.n_ops)}
        return self

    def __repr__(self):
        return f"<Engine {self.isa} {self.real}>"

    def scratch(self, int op, tuple in_shapes, tuple out_shapes, tuple attrs, int threads):
        """The bytes of scratch that a call of these shapes needs with up to `threads` threads."""
        cdef nnl_tensor tensors[NNL_MAX_OPERANDS]
        cdef nnl_attr values[ATTRS]
        cdef nnl_call call
        cdef int k = 0
        _check_counts(len(in_shapes) + len(out_shapes), len(attrs))
        for shape in in_shapes + out_shapes:
            _set_shape(&tensors[k], shape)
            k += 1
        _set_attrs(values, attrs)
        call.in_, call.n_in = tensors, len(in_shapes)
        call.out, call.n_out = tensors + call.n_in, len(out_shapes)
        call.attr = values
        return self.c.scratch[op](&call, threads)

    def call(self, int op, list inputs, list outputs, tuple attrs, int threads):
        """Run one op on NumPy arrays.

        Parameters
        ----------
        op : int
            The op's number, from `op_ids`.
        inputs, outputs : list of ndarray
            C-ordered, of the types that the op expects. The outputs are filled.
        attrs : tuple of int and float
            The attributes in C's order.
        threads : int
            The largest number of threads to use; 0 means as many as there are.

        Returns
        -------
        int
            The number of the first element whose index was out of range, or -1.
        """
        cdef nnl_tensor tensors[NNL_MAX_OPERANDS]
        cdef nnl_attr values[ATTRS]
        cdef nnl_step step
        cdef nnl_program program
        cdef nnl_status status
        cdef int64_t scratch
        cdef int k = 0
        cdef nnl_thread_budget budget
        cdef nnl_arity least = self.c.arities[op]
        _check_counts(len(inputs) + len(outputs), len(attrs))
        if len(inputs) < least.n_in or len(outputs) < least.n_out:
            raise ValueError(
                f"{self.c.names[op].decode()}: expected at least {least.n_in} inputs and "
                f"{least.n_out} outputs, got {len(inputs)} and {len(outputs)}"
            )
        for a in inputs + outputs:
            _point_to(&tensors[k], a)
            k += 1
        _set_attrs(values, attrs)
        memset(&step, 0, sizeof(step))
        memset(&program, 0, sizeof(program))
        step.op = self.c.ops[op]
        step.call.in_, step.call.n_in = tensors, len(inputs)
        step.call.out, step.call.n_out = tensors + step.call.n_in, len(outputs)
        step.call.attr = values
        program.steps, program.n_steps = &step, 1
        budget = nnl_acquire_threads(threads)
        try:
            scratch = self.c.scratch[op](&step.call, budget.threads)
            if scratch:
                step.scratch = _aligned(scratch)
            if threads == 1:
                self.c.run(&program, 0, 1, &budget, &status)
            else:
                with nogil:
                    self.c.run(&program, 0, 1, &budget, &status)
        finally:
            free(step.scratch)
            nnl_release_threads(&budget)
        return -1 if status.first_invalid_index == NNL_NO_ERROR else status.first_invalid_index


cdef int _count_engines():
    cdef int n = 0
    while nnl_engines[n] is not NULL: n += 1
    return n


def engines():
    """The engines of this build that this CPU can run, the best instruction set first."""
    cdef int k, n = _count_engines()
    return [Engine.wrap(nnl_engines[k]) for k in range(n) if nnl_is_supported(nnl_engines[k])]


def built_isas():
    """The instruction sets of this build, the best first. This CPU may not have all of them."""
    cdef int k, n = _count_engines()
    return list(dict.fromkeys([nnl_engines[k].isa.decode() for k in range(n)]))


cdef struct Context:
    char *arena
    nnl_tensor *tensors
    nnl_program program


@cython.no_gc  # the garbage collector must not empty `idle` before __dealloc__ frees the contexts
cdef class Program:
    """A plan as C runs it.

    A program never changes, so several threads may run it at once. Each run has a context of its
    own, kept for later runs: an arena, and the steps with pointers into it.

    Parameters
    ----------
    engine : Engine
    steps : list of (op, inputs, outputs, conditions, attrs, scratch, *flags, stretch, rows)
        `inputs`, `outputs` and `conditions` (at most one) are tuples of (place, where, shape):

        - (ARENA, byte offset in the arena, shape); for OWN that of thread 0's
        - (MEMORY, array, shape)
        - (FEED, number of the feed, shape)
        - (FUSED, 0, shape): the operand between a fused step and its producer, which has no memory

        `scratch` is a byte offset in the arena, or -1. The flags are those of `nnl_step` in
        `csrc/nnlite.h` (wait, single_thread, fused), `stretch` the numbers of its `nnl_stretch`, or
        (), `rows` the numbers of the operands of which a step in a stretch gets some rows.
    arena_bytes, n_feeds : int
        The size of the arena; the number of feeds, arrays whose address each run gives.
    """

    cdef Engine engine
    cdef int n_steps, n_tensors, n_attrs, n_bindings, n_feeds
    cdef readonly int64_t arena_bytes
    cdef nnl_step *steps        # ops, counts and flags; a context adds the pointers
    cdef nnl_tensor *tensors    # data is an address (MEMORY), an offset (ARENA) or a number (FEED)
    cdef int8_t *places
    cdef nnl_attr *attrs
    cdef int64_t *scratch
    cdef object keep            # the arrays of MEMORY tensors, so that their memory lives on
    cdef list idle              # addresses of the contexts that no run is using

    def __cinit__(self, Engine engine, list steps, int64_t arena_bytes, int n_feeds):
        cdef int s, t = 0, a = 0
        self.engine, self.arena_bytes, self.n_feeds = engine, arena_bytes, n_feeds
        self.keep, self.idle = [], []
        self.n_steps = len(steps)
        self.n_tensors = sum(len(step[1]) + len(step[2]) + len(step[3]) for step in steps)
        self.n_attrs = sum(len(step[4]) for step in steps)
        self.steps = <nnl_step *>calloc(self.n_steps + 1, sizeof(nnl_step))
        self.tensors = <nnl_tensor *>calloc(self.n_tensors + 1, sizeof(nnl_tensor))
        self.places = <int8_t *>calloc(self.n_tensors + 1, 1)
        self.attrs = <nnl_attr *>calloc(self.n_attrs + 1, sizeof(nnl_attr))
        self.scratch = <int64_t *>calloc(self.n_steps + 1, sizeof(int64_t))
        if not (self.steps and self.tensors and self.places and self.attrs and self.scratch):
            raise MemoryError("nnlite: no memory for a plan")
        for s in range(self.n_steps):
            op, inputs, outputs, conditions, attrs, scratch, *flags, stretch, rows = steps[s]
            self.steps[s].op = engine.c.ops[<int>op]
            self.steps[s].wait, self.steps[s].single_thread, self.steps[s].fused = flags
            if stretch:
                (self.steps[s].stretch.steps, self.steps[s].stretch.samples,
                 self.steps[s].stretch.at_a_time, self.steps[s].stretch.own_bytes) = stretch
            for k in rows:
                self.tensors[t + <int>k].in_stretch = NNL_SAMPLES
            self.steps[s].call.n_in, self.steps[s].call.n_out = len(inputs), len(outputs)
            self.steps[s].call.attr = self.attrs + a
            _set_attrs(self.attrs + a, attrs)
            a += len(attrs)
            self.scratch[s] = scratch
            for place, where, shape in inputs + outputs + conditions:
                _set_shape(&self.tensors[t], shape)
                self.places[t] = place
                if place == OWN:
                    self.tensors[t].in_stretch = NNL_OWN
                if place == MEMORY:
                    self.keep.append(where)
                    self.tensors[t].data = cnp.PyArray_DATA(<cnp.ndarray>where)
                else:
                    self.tensors[t].data = <void *><uintptr_t>where
                    self.n_bindings += place == FEED
                t += 1
            if conditions:
                self.steps[s].condition = self.tensors + t - 1

    def __dealloc__(self):
        for address in self.idle or ():
            _free_context(<Context *><uintptr_t>address)
        free(self.steps)
        free(self.tensors)
        free(self.places)
        free(self.attrs)
        free(self.scratch)

    cdef Context *_new_context(self) except NULL:
        cdef int s, t, b = 0
        cdef nnl_tensor *tensor
        cdef Context *c = <Context *>calloc(1, sizeof(Context))
        if c is NULL:
            raise MemoryError("nnlite: no memory for a plan")
        c.tensors = <nnl_tensor *>calloc(self.n_tensors + 1, sizeof(nnl_tensor))
        c.program.steps = <nnl_step *>calloc(self.n_steps + 1, sizeof(nnl_step))
        c.program.bindings = <nnl_binding *>calloc(self.n_bindings + 1, sizeof(nnl_binding))
        c.program.feeds = <nnl_feed *>calloc(self.n_feeds + 1, sizeof(nnl_feed))
        c.program.n_steps, c.program.n_bindings = self.n_steps, self.n_bindings
        try:
            if not (c.tensors and c.program.steps and c.program.bindings and c.program.feeds):
                raise MemoryError("nnlite: no memory for a plan")
            c.arena = <char *>_aligned(self.arena_bytes)
        except MemoryError:
            _free_context(c)
            raise
        memcpy(c.tensors, self.tensors, self.n_tensors * sizeof(nnl_tensor))
        memcpy(c.program.steps, self.steps, self.n_steps * sizeof(nnl_step))
        for t in range(self.n_tensors):
            if self.places[t] in (ARENA, OWN):
                c.tensors[t].data = c.arena + <uintptr_t>self.tensors[t].data
            elif self.places[t] == FEED:
                c.program.bindings[b].tensor = &c.tensors[t]
                c.program.bindings[b].feed = <int32_t><uintptr_t>self.tensors[t].data
                b += 1
        tensor = c.tensors
        for s in range(self.n_steps):
            c.program.steps[s].call.in_ = tensor
            c.program.steps[s].call.out = tensor + self.steps[s].call.n_in
            tensor += self.steps[s].call.n_in + self.steps[s].call.n_out
            if self.steps[s].condition is not NULL:
                c.program.steps[s].condition = tensor
                tensor += 1
            if self.scratch[s] >= 0:
                c.program.steps[s].scratch = c.arena + self.scratch[s]
        return c

    def run(self, list feeds, int64_t runs, int threads):
        """Run the program up to `runs` times without the GIL.

        Parameters
        ----------
        feeds : list of (array, offset, stride)
            The first run reads a feed `offset` bytes after the array's start, and each further run
            `stride` bytes after the run before it.
        runs : int
            The largest number of runs. A run that meets an index out of range is the last.
        threads : int
            The largest number of threads to use; 0 means as many as there are.

        Returns
        -------
        done : int
            The number of runs that were finished.
        invalid : None or (step, element)
            The first index that was out of range: the step that read it, and its element.
        """
        cdef Context *c
        cdef nnl_status status
        cdef int64_t done, k = 0
        cdef char *start
        if len(feeds) != self.n_feeds:
            raise ValueError(f"expected {self.n_feeds} feeds, got {len(feeds)}")
        c = <Context *><uintptr_t>self.idle.pop() if self.idle else self._new_context()
        try:
            for array, offset, stride in feeds:
                start = <char *>cnp.PyArray_DATA(<cnp.ndarray>array)
                c.program.feeds[k].data = start + <int64_t>offset
                c.program.feeds[k].stride = stride
                k += 1
            with nogil:
                done = nnl_run(self.engine.c, &c.program, runs, threads, &status)
        finally:
            self.idle.append(<uintptr_t>c)
        if status.first_invalid_index == NNL_NO_ERROR:
            return done, None
        return done, (status.first_invalid_index >> NNL_STEP_SHIFT,
                      status.first_invalid_index & ((<int64_t>1 << NNL_STEP_SHIFT) - 1))


cdef void _free_context(Context *c):
    free(c.arena)
    free(c.tensors)
    free(c.program.steps)
    free(c.program.bindings)
    free(c.program.feeds)
    free(c)
