/* barrier.h: how the threads of a team wait for each other. A barrier spins for a while, then
 * sleeps. Afterwards a thread moves off the core of the thread that woke it. */
#ifndef NNL_BARRIER_H
#define NNL_BARRIER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "../nnlite.h"
#include "clock.h"

#if defined(__x86_64__)
#define nnl_pause() __builtin_ia32_pause()
#else
#define nnl_pause() atomic_signal_fence(memory_order_seq_cst)
#endif

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
/* Sleeps until nnl_wake. Returns at once if `word` no longer holds `seen`. */
static inline void nnl_sleep(_Atomic int *word, int seen) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}
static inline void nnl_wake(_Atomic int *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}
/* The core that this thread runs on. */
static inline int nnl_current_core(void) {
    unsigned core = 0;
    syscall(SYS_getcpu, &core, NULL, NULL);
    return (int)core;
}
/* Moves this thread from `core` to another core that it may use, if there is one. */
static inline void nnl_move_off_core(int core) {
    unsigned long all[16] = {0}, others[16];
    const int bits = 8 * (int)sizeof *all;
    if (core >= 16 * bits || syscall(SYS_sched_getaffinity, 0, sizeof all, all) < 0) return;
    memcpy(others, all, sizeof all);
    others[core / bits] &= ~(1ul << core % bits);
    /* The first call moves the thread; it fails if no core is left. The second restores the mask.
     */
    if (syscall(SYS_sched_setaffinity, 0, sizeof others, others) == 0)
        syscall(SYS_sched_setaffinity, 0, sizeof all, all);
}
#else
static inline void nnl_sleep(_Atomic int *word, int seen) { (void)word, (void)seen, nnl_yield(); }
static inline void nnl_wake(_Atomic int *word) { (void)word; }
static inline int nnl_current_core(void) { return -1; }
static inline void nnl_move_off_core(int core) { (void)core; }
#endif

/* The two counters have a cache line each: waiting threads read `phase` while others still write
 * `arrived`. */
typedef struct nnl_barrier {
    _Alignas(64) _Atomic int arrived;
    _Alignas(64) _Atomic int phase;
    _Atomic int sleepers;   /* threads that sleep now */
    _Atomic int waker_core; /* where the last thread that woke others was running */
    _Atomic int64_t asleep; /* microseconds that threads have slept, in all */
    bool stop;              /* thread 0 sets it, the others read it behind the next barrier */
} nnl_barrier;

/* About 50 us of spinning: longer than any step's imbalance on an idle machine. A thread that
 * waits longer has most likely been preempted, or the thread that it waits for has. It sleeps then,
 * and so offers its core to the other thread. */
#define NNL_SPINS 5000

/* All threads of the team arrive before any leaves. Each then sees what the others wrote. */
static inline void nnl_wait(const nnl_team *team) {
    if (team->size == 1) return;
    nnl_barrier *b = team->barrier;
    int phase = atomic_load_explicit(&b->phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&b->arrived, 1, memory_order_acq_rel) == team->size - 1) {
        atomic_store_explicit(&b->arrived, 0, memory_order_relaxed);
        /* A thread that is not counted in `sleepers` yet sees the new phase before it sleeps. */
        atomic_store(&b->phase, phase + 1);
        if (atomic_load(&b->sleepers)) {
            atomic_store(&b->waker_core, nnl_current_core());
            nnl_wake(&b->phase);
        }
        return;
    }
    for (int spin = 0; spin < NNL_SPINS; spin++) {
        if (atomic_load_explicit(&b->phase, memory_order_acquire) != phase) return;
        nnl_pause();
    }
    const int64_t began = nnl_microseconds();
    atomic_fetch_add(&b->sleepers, 1);
    while (atomic_load(&b->phase) == phase) nnl_sleep(&b->phase, phase);
    atomic_fetch_sub(&b->sleepers, 1);
    atomic_fetch_add(&b->asleep, nnl_microseconds() - began);
    /* After sleeping, move off the waker's core. The scheduler may otherwise keep both threads on
     * one core, because one of them sleeps whenever the other runs. */
    if (nnl_current_core() == atomic_load(&b->waker_core)) nnl_move_off_core(nnl_current_core());
}

#endif
