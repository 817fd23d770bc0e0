/* barrier.h: how the threads of a team wait for each other. Each counts how often it has arrived,
 * in a cache line of its own, and others look at that. A thread that waits spins for a while, then
 * sleeps. Afterwards it moves off the core of the thread that woke it. */
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
/* Sleeps until nnl_wake, for a millisecond at most. Returns at once if `word` no longer holds
 * `seen`. */
static inline void nnl_sleep(_Atomic int *word, int seen) {
    const struct timespec most = {0, 1000000};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, &most, NULL, 0);
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

/* How often a thread has arrived. Two lines, as the processor fetches lines in pairs. */
typedef struct {
    _Alignas(128) _Atomic int times;
} nnl_arrivals;

typedef struct nnl_barrier {
    nnl_arrivals *of;       /* of each thread of the team */
    _Atomic int sleepers;   /* threads that sleep now */
    _Atomic int waker_core; /* where the last thread that woke others was running */
    _Atomic int64_t asleep; /* microseconds that threads have slept, in all */
    bool stop;              /* thread 0 sets it, the others read it behind the next barrier */
} nnl_barrier;

/* About 50 us of spinning: longer than any step's imbalance on an idle machine. A thread that
 * waits longer has most likely been preempted, or the thread that it waits for has. It sleeps then,
 * and so offers its core to the other thread. */
#define NNL_SPINS 5000

/* Whether a thread that has arrived `arrived` times is behind one that has arrived `times` times.
 * The counts may wrap around. */
static inline bool nnl_is_behind(int arrived, int times) {
    return (int)((unsigned)arrived - (unsigned)times) < 0;
}

static __attribute__((noinline)) void nnl_sleep_until(nnl_barrier *b, _Atomic int *arrived,
                                                      int times) {
    const int64_t began = nnl_microseconds();
    atomic_fetch_add(&b->sleepers, 1);
    for (int seen; nnl_is_behind(seen = atomic_load(arrived), times);) nnl_sleep(arrived, seen);
    atomic_fetch_sub(&b->sleepers, 1);
    atomic_fetch_add(&b->asleep, nnl_microseconds() - began);
    /* After sleeping, move off the waker's core. The scheduler may otherwise keep both threads on
     * one core, because one of them sleeps whenever the other runs. */
    if (nnl_current_core() == atomic_load(&b->waker_core)) nnl_move_off_core(nnl_current_core());
}

/* This thread has done what others wait for. Between the store of its count and the load of
 * `sleepers` stands no fence, which would cost the time of a message between two cores. So it may
 * miss a thread that falls asleep at this moment; that thread looks again after a millisecond. */
static inline void nnl_arrive(const nnl_team *team) {
    if (team->size == 1) return;
    nnl_barrier *b = team->barrier;
    _Atomic int *mine = &b->of[team->id].times;
    const int times = atomic_load_explicit(mine, memory_order_relaxed);
    atomic_store_explicit(mine, (int)((unsigned)times + 1), memory_order_release);
    if (atomic_load_explicit(&b->sleepers, memory_order_relaxed)) {
        atomic_store(&b->waker_core, nnl_current_core());
        nnl_wake(mine);
    }
}

/* Waits until thread `other` has arrived as often as this one. This thread then sees what `other`
 * wrote before. */
static inline void nnl_await(const nnl_team *team, int other) {
    if (team->size == 1) return;
    nnl_barrier *b = team->barrier;
    const int times = atomic_load_explicit(&b->of[team->id].times, memory_order_relaxed);
    _Atomic int *arrived = &b->of[other].times;
    for (int spin = 0; spin < NNL_SPINS; spin++) {
        if (!nnl_is_behind(atomic_load_explicit(arrived, memory_order_acquire), times)) return;
        nnl_pause();
    }
    nnl_sleep_until(b, arrived, times);
}

/* All threads of the team arrive before any leaves. Each then sees what the others wrote. */
static inline void nnl_wait(const nnl_team *team) {
    nnl_arrive(team);
    for (int other = 0; other < team->size; other++) nnl_await(team, other);
}

#endif
