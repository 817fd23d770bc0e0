# cython: language_level=3, boundscheck=False, wraparound=False
"""The one binding between Python and C: engines (what can be run) and programs (what is run).

Shapes are checked before anything reaches this module; here addresses and numbers are only handed
on.
"""

cimport cython
cimport numpy as cnp
from libc.stdint cimport int8_t, int32_t, int64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

cnp.import_array()

cdef extern from "nnlite.h" nogil:
    enum: NNL_MAX_NDIM
    int64_t NNL_NO_ERROR
    enum: NNL_STEP_SHIFT
    ctypedef struct nnl_tensor:
        void *data
        int64_t shape[NNL_MAX_NDIM]
        int32_t ndim
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
    ctypedef struct nnl_step:
        nnl_op_fn op
        nnl_call call
        void *scratch
        int8_t wait, single_thread, fused
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
    ctypedef struct nnl_engine:
        const char *isa
        int32_t real_size, n_ops
        const char **names
        const nnl_op_fn *ops
        const nnl_scratch_fn *scratch
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
    MAX_OPERANDS = 16
ARENA, MEMORY, FEED, FUSED = 0, 1, 2, 3  # where a tensor of a program lies
MAX_NDIM = NNL_MAX_NDIM

nnl_watch_forks()
cdef int _usual = nnl_max_threads()


def max_threads():
    """How many threads a run may use if it begins here and now, and no other run is under way."""
    return nnl_max_threads()


def most_threads():
    """How many a run may ever use, also when a limit that holds now is lifted."""
    return max(_usual, nnl_max_threads())


def set_quota(int cores):
    """Use no more cores than these, of all that the process may run on; 0 lifts it."""
    nnl_set_quota(cores)


def simulate_cores(int cores):
    """For tests of large teams: as if the machine had this many cores; 0 ends it."""
    nnl_simulate_cores(cores)


def simulate_preemption():
    """For tests: as if another process had just taken a core from a team."""
    nnl_note_preemption()


def active_runs():
    """(runs that are under way in this process, their threads in all)."""
    now = nnl_count_active_runs()
    return now.runs, now.threads


cdef void *_aligned(size_t size) except? NULL:
    """Zeroed memory on a page boundary (of huge pages where it fills some): the caller frees it."""
    cdef void *memory = NULL
    cdef size_t page = 64 if size < (1 << 21) else (1 << 21)
    if posix_memalign(&memory, page, size if size else 64):
        raise MemoryError(f"nnlite: no memory for {size:,} bytes")
    if page > 64:
        madvise(memory, size, MADV_HUGEPAGE)
    memset(memory, 0, size)
    return memory


cdef inline void _set_shape(nnl_tensor *t, tuple shape):
    cdef int d
    t.ndim = len(shape)
    for d in range(t.ndim):
        t.shape[d] = shape[d]


cdef inline void _look_at(nnl_tensor *t, cnp.ndarray a):
    cdef int d
    t.data = cnp.PyArray_DATA(a)
    t.ndim = cnp.PyArray_NDIM(a)
    for d in range(t.ndim):
        t.shape[d] = cnp.PyArray_DIM(a, d)


cdef inline void _set_attrs(nnl_attr *to, tuple attrs):
    cdef Py_ssize_t k
    for k in range(len(attrs)):
        value = attrs[k]
        if isinstance(value, float):
            to[k].f = value
        else:
            to[k].i = value


cdef class Engine:
    """The ops of one instruction set and precision."""

    cdef const nnl_engine *c
    cdef readonly str isa, real
    cdef readonly dict op_ids

    @staticmethod
    cdef Engine wrap(const nnl_engine *c):
        cdef Engine self = Engine.__new__(Engine)
        self.c = c
        self.isa = c.isa.decode()
        self.real = "float32" if c.real_size == 4 else "float64"
        self.op_ids = {c.names[k].decode(): k for k in range(c.n_ops)}
        return self

    def __repr__(self):
        return f"<Engine {self.isa} {self.real}>"

    def scratch(self, int op, tuple in_shapes, tuple out_shapes, tuple attrs, int threads):
        """Bytes of scratch memory that a call of these shapes needs."""
        cdef nnl_tensor tensors[MAX_OPERANDS]
        cdef nnl_attr values[MAX_OPERANDS]
        cdef nnl_call call
        cdef int k = 0
        for shape in in_shapes + out_shapes:
            _set_shape(&tensors[k], shape)
            k += 1
        _set_attrs(values, attrs)
        call.in_, call.n_in = tensors, len(in_shapes)
        call.out, call.n_out = tensors + call.n_in, len(out_shapes)
        call.attr = values
        return self.c.scratch[op](&call, threads)

    def call(self, int op, list inputs, list outputs, tuple attrs, int threads):
        """Run one op on NumPy arrays; returns the first bad element, or -1."""
        cdef nnl_tensor tensors[MAX_OPERANDS]
        cdef nnl_attr values[MAX_OPERANDS]
        cdef nnl_step step
        cdef nnl_program program
        cdef nnl_status status
        cdef int64_t scratch
        cdef int k = 0
        cdef nnl_thread_budget budget
        for a in inputs:
            _look_at(&tensors[k], a)
            k += 1
        for a in outputs:
            _look_at(&tensors[k], a)
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


def engines():
    """Every engine of this build that this CPU runs, the best instruction set first."""
    cdef int k = 0
    found = []
    while nnl_engines[k] is not NULL:
        if nnl_is_supported(nnl_engines[k]):
            found.append(Engine.wrap(nnl_engines[k]))
        k += 1
    return found


def built_isas():
    """The instruction sets of this build, best first, runnable here or not."""
    cdef int k = 0
    names = []
    while nnl_engines[k] is not NULL:
        names.append(nnl_engines[k].isa.decode())
        k += 1
    return list(dict.fromkeys(names))


cdef struct Context:
    char *arena
    nnl_tensor *tensors
    nnl_program program


@cython.no_gc  # else the garbage collector may empty `idle` before __dealloc__ frees what it lists
cdef class Program:
    """A plan in C's terms: immutable, so that many threads may run it, each in its own context.

    Parameters
    ----------
    engine : Engine
    steps : list of (op, inputs, outputs, attrs, scratch, wait, single_thread, fused)
        `inputs` and `outputs` are tuples of (place, where, shape): (ARENA, byte offset, shape),
        (MEMORY, array, shape), (FEED, index, shape) or, of what a fused step reads and nobody
        stores, (FUSED, 0, shape); `scratch` is an offset in the arena, or -1.
    arena_bytes, n_feeds : int
    """

    cdef Engine engine
    cdef int n_steps, n_tensors, n_attrs, n_bindings, n_feeds
    cdef readonly int64_t arena_bytes
    cdef nnl_step *steps        # ops, counts and flags; a context adds the pointers
    cdef nnl_tensor *tensors    # shapes; data holds an address (MEMORY) or an offset (ARENA)
    cdef int8_t *places
    cdef nnl_attr *attrs
    cdef int64_t *scratch
    cdef object keep            # arrays that MEMORY tensors look at
    cdef list idle              # capsules of contexts that no run is using

    def __cinit__(self, Engine engine, list steps, int64_t arena_bytes, int n_feeds):
        cdef int s, t = 0, a = 0
        self.engine, self.arena_bytes, self.n_feeds = engine, arena_bytes, n_feeds
        self.keep, self.idle = [], []
        self.n_steps = len(steps)
        self.n_tensors = sum(len(step[1]) + len(step[2]) for step in steps)
        self.n_attrs = sum(len(step[3]) for step in steps)
        self.steps = <nnl_step *>calloc(self.n_steps + 1, sizeof(nnl_step))
        self.tensors = <nnl_tensor *>calloc(self.n_tensors + 1, sizeof(nnl_tensor))
        self.places = <int8_t *>calloc(self.n_tensors + 1, 1)
        self.attrs = <nnl_attr *>calloc(self.n_attrs + 1, sizeof(nnl_attr))
        self.scratch = <int64_t *>calloc(self.n_steps + 1, sizeof(int64_t))
        if not (self.steps and self.tensors and self.places and self.attrs and self.scratch):
            raise MemoryError("nnlite: no memory for a plan")
        for s in range(self.n_steps):
            op, inputs, outputs, attrs, scratch, wait, single_thread, fused = steps[s]
            self.steps[s].op = engine.c.ops[<int>op]
            self.steps[s].wait, self.steps[s].single_thread = wait, single_thread
            self.steps[s].fused = fused
            self.steps[s].call.n_in, self.steps[s].call.n_out = len(inputs), len(outputs)
            self.steps[s].call.attr = self.attrs + a
            _set_attrs(self.attrs + a, attrs)
            a += len(attrs)
            self.scratch[s] = scratch
            for place, where, shape in inputs + outputs:
                _set_shape(&self.tensors[t], shape)
                self.places[t] = place
                if place == MEMORY:
                    self.keep.append(where)
                    self.tensors[t].data = cnp.PyArray_DATA(<cnp.ndarray>where)
                else:
                    self.tensors[t].data = <void *><uintptr_t>where
                    self.n_bindings += place == FEED
                t += 1

    def __dealloc__(self):
        cdef Context *context
        for address in self.idle or ():
            context = <Context *><uintptr_t>address
            _free_context(context)
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
            if self.places[t] == ARENA:
                c.tensors[t].data = c.arena + <uintptr_t>self.tensors[t].data
            elif self.places[t] == FEED:
                c.program.bindings[b].tensor = &c.tensors[t]
                c.program.bindings[b].feed = <int32_t><uintptr_t>self.tensors[t].data
                b += 1
        tensor = c.tensors
        for s in range(self.n_steps):
            c.program.steps[s].call.in_ = tensor
            tensor += self.steps[s].call.n_in
            c.program.steps[s].call.out = tensor
            tensor += self.steps[s].call.n_out
            if self.scratch[s] >= 0:
                c.program.steps[s].scratch = c.arena + self.scratch[s]
        return c

    def run(self, list feeds, int64_t runs, int threads):
        """Run up to `runs` times without the GIL.

        Parameters
        ----------
        feeds : list of (array, offset, stride)
            Where each feed begins (bytes from the array's start) and what it moves on by at each
            run.
        runs : int
        threads : int
            At most this many; 0 means as many as there are.

        Returns
        -------
        done : int
            Runs that were finished.
        bad : None or (step, element)
            Where an index was out of range.
        """
        cdef Context *c
        cdef nnl_status status
        cdef int64_t done
        cdef int k = 0
        cdef char *start
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


def aligned_empty(tuple shape, dtype):
    """A zeroed C-ordered NumPy array that begins on a cache line."""
    import numpy as np
    dtype = np.dtype(dtype)
    cdef int64_t size = dtype.itemsize
    for n in shape:
        size *= n
    raw = np.zeros(size + 64, np.uint8)
    cdef int64_t shift = -(<int64_t>cnp.PyArray_DATA(<cnp.ndarray>raw)) & 63
    return raw[shift:shift + size].view(dtype).reshape(shape)
