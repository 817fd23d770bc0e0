# cython: language_level=3, boundscheck=False, wraparound=False
"""The only binding between Python and C: engines, which run ops, and programs, which run plans.

`dispatch.apply` checks shapes and types before a call comes here. This module only checks that a
call fits into the arrays of fixed length, and passes addresses and numbers to C.
"""

cimport cython
cimport numpy as cnp
from libc.math cimport fabs
from libc.stdint cimport int8_t, int32_t, int64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

cnp.import_array()

cdef enum:
    ATTRS = 16  # numbers that C gets of its attributes
cdef double EXACT = 1 << 53  # a Python int up to here is a double
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
        memset(tensors, 0, sizeof(tensors))  # the data come later: a size must not depend on them
        for shape in in_shapes + out_shapes:
            _set_shape(&tensors[k], shape)
            k += 1
        _set_attrs(values, attrs)
        call.in_, call.n_in = tensors, len(in_shapes)
        call.out, call.n_out = tensors + call.n_in, len(out_shapes)
        call.attr = values
        return self.c.scratch[op](&call, threads)

    cdef object _run(self, int op, nnl_tensor *tensors, int n_in, int n_out, nnl_attr *attrs,
                     int threads):
        """Run one op. Return None, or (element, value) of the first index that was out of range."""
        cdef nnl_step step
        cdef nnl_program program
        cdef nnl_status status
        cdef nnl_thread_budget budget
        cdef int64_t scratch
        memset(&step, 0, sizeof(step))
        memset(&program, 0, sizeof(program))
        step.op = self.c.ops[op]
        step.call.in_, step.call.n_in = tensors, n_in
        step.call.out, step.call.n_out = tensors + n_in, n_out
        step.call.attr = attrs
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
        if status.first_invalid_index != NNL_NO_ERROR:
            return status.first_invalid_index, status.invalid_value

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
        None or (element, value)
            Of the first index that was out of range.
        """
        cdef nnl_tensor tensors[NNL_MAX_OPERANDS]
        cdef nnl_attr values[ATTRS]
        cdef int k
        cdef nnl_arity least = self.c.arities[op]
        _check_counts(len(inputs) + len(outputs), len(attrs))
        if len(inputs) < least.n_in or len(outputs) < least.n_out:
            raise ValueError(
                f"{self.c.names[op].decode()}: expected at least {least.n_in} inputs and "
                f"{least.n_out} outputs, got {len(inputs)} and {len(outputs)}"
            )
        for k, a in enumerate(inputs + outputs):
            _point_to(&tensors[k], a)
        _set_attrs(values, attrs)
        return self._run(op, tensors, len(inputs), len(outputs), values, threads)


cdef bint _broadcast(nnl_tensor *result, const nnl_tensor *operand):
    """Let the shape of a result grow to that of an operand; 0 if they do not fit."""
    cdef int d, more = operand.ndim - result.ndim
    if more > 0:
        for d in range(operand.ndim - 1, -1, -1):
            result.shape[d] = result.shape[d - more] if d >= more else 1
        result.ndim, more = operand.ndim, 0
    for d in range(operand.ndim):
        if result.shape[d - more] == 1:
            result.shape[d - more] = operand.shape[d]
        elif operand.shape[d] != 1 and operand.shape[d] != result.shape[d - more]:
            return 0
    return 1


def elementwise(dict engines, int op, tuple values, tuple attrs, type Tensor, floatx, int64_t most):
    """The result of an op that works element by element, if that takes no preparation.

    Parameters
    ----------
    engines : dict of str to Engine
        By precision.
    op : int
        The op's number.
    values : tuple of Tensor, ndarray, float and int
        At most 3 operands.
    attrs : tuple of int and float
        The attributes in C's order.
    Tensor : type
    floatx : callable
        Gives the precision where no operand is a tensor.
    most : int
        The result and the operands have fewer elements.

    Returns
    -------
    Tensor or None
        None where the operands have to be converted or refused, or are many.
    """
    cdef nnl_tensor tensors[4]
    cdef nnl_tensor *result = &tensors[len(values)]
    cdef nnl_attr c_attrs[ATTRS]
    cdef double numbers[3]
    cdef float single
    cdef cnp.npy_intp shape[NNL_MAX_NDIM]
    cdef cnp.ndarray array, made
    cdef int64_t elements = 0, size = 1
    cdef int d, k, real = cnp.NPY_NOTYPE
    cdef bint known = False
    if len(values) > 3 or len(attrs) > ATTRS:
        return None
    result.ndim = 0
    for k in range(len(values)):
        value = values[k]
        if type(value) is float or type(value) is int:
            numbers[k], tensors[k].ndim = value, 0
            if fabs(numbers[k]) > EXACT:  # also infinity
                return None
            continue
        if isinstance(value, Tensor):
            value, known = value._data, True
        if type(value) is not cnp.ndarray:
            return None
        array = value
        if real == cnp.NPY_NOTYPE:
            real = cnp.PyArray_TYPE(array)
        if (
            cnp.PyArray_TYPE(array) != real
            or not cnp.PyArray_ISCARRAY_RO(array)
            or cnp.PyArray_NDIM(array) > NNL_MAX_NDIM
        ):
            return None
        _point_to(&tensors[k], array)
        elements += cnp.PyArray_SIZE(array)
        if not _broadcast(result, &tensors[k]):
            return None
    if real != cnp.NPY_FLOAT and real != cnp.NPY_DOUBLE:
        return None
    name = "float32" if real == cnp.NPY_FLOAT else "float64"
    if not known and name != floatx():
        return None
    for d in range(result.ndim):
        shape[d] = result.shape[d]
        size *= shape[d]
    if elements + size >= most:
        return None
    for k in range(len(values)):
        if type(values[k]) is float or type(values[k]) is int:
            tensors[k].data = &numbers[k]
            if real == cnp.NPY_FLOAT:
                single = <float>numbers[k]
                memcpy(&numbers[k], &single, sizeof(single))
    made = cnp.PyArray_EMPTY(result.ndim, shape, real, 0)
    result.data = cnp.PyArray_DATA(made)
    _set_attrs(c_attrs, attrs)
    (<Engine>engines[name])._run(op, tensors, len(values), 1, c_attrs, 1)
    return Tensor((<object>made).shape, name, made)


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

    def release(self):
        """Free the arena and the scratch that no run uses now. The next run allocates them."""
        while self.idle:
            _free_context(<Context *><uintptr_t>self.idle.pop())

    cdef Context *_new_context(self) except NULL:
        cdef int s, t, b = 0
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
        cdef nnl_tensor *tensor = c.tensors
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
        (int, None or (step, element, value))
            The number of runs that were finished, and the first index that was out of range.
        """
        cdef Context *c
        cdef nnl_status status
        cdef int64_t done, k = 0
        if len(feeds) != self.n_feeds:
            raise ValueError(f"expected {self.n_feeds} feeds, got {len(feeds)}")
        c = <Context *><uintptr_t>self.idle.pop() if self.idle else self._new_context()
        try:
            for array, offset, stride in feeds:
                c.program.feeds[k].data = <char *>cnp.PyArray_DATA(<cnp.ndarray>array)
                c.program.feeds[k].data += <int64_t>offset
                c.program.feeds[k].stride = stride
                k += 1
            with nogil:
                done = nnl_run(self.engine.c, &c.program, runs, threads, &status)
        finally:
            self.idle.append(<uintptr_t>c)
        if status.first_invalid_index == NNL_NO_ERROR:
            return done, None
        return done, (status.first_invalid_index >> NNL_STEP_SHIFT,
                      status.first_invalid_index & ((<int64_t>1 << NNL_STEP_SHIFT) - 1),
                      status.invalid_value)


cdef void _free_context(Context *c):
    free(c.arena)
    free(c.tensors)
    free(c.program.steps)
    free(c.program.bindings)
    free(c.program.feeds)
    free(c)
