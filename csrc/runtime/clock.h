/* clock.h: time that only goes forward, and how a thread lets others run. */
#ifndef NNL_CLOCK_H
#define NNL_CLOCK_H

#include <stdint.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>
#undef near /* words that it takes away */
#undef far
static inline int64_t nnl_microseconds(void) {
    LARGE_INTEGER ticks, per_second;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_second);
    return (int64_t)((double)ticks.QuadPart * 1e6 / (double)per_second.QuadPart);
}
static inline void nnl_yield(void) { SwitchToThread(); }
#else
#include <sched.h>
#include <time.h>
static inline int64_t nnl_microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * (int64_t)1000000 + now.tv_nsec / 1000;
}
static inline void nnl_yield(void) { sched_yield(); }
#endif

#endif
