/* isa.c: the engines of this build, and which of them this CPU runs. */
#include <stddef.h>
#include <string.h>

#include "isa.h"

#define ENGINE(isa) extern const nnl_engine nnl_engine_##isa##_float, nnl_engine_##isa##_double;
ENGINE(generic)
#if defined(__x86_64__)
ENGINE(avx2)
ENGINE(avx512)
#elif defined(__aarch64__)
ENGINE(neon)
#endif
#undef ENGINE

#define ENGINE(isa) &nnl_engine_##isa##_float, &nnl_engine_##isa##_double
const nnl_engine *const nnl_engines[] = {
#if defined(__x86_64__)
    ENGINE(avx512),
    ENGINE(avx2),
#elif defined(__aarch64__)
    ENGINE(neon),
#endif
    ENGINE(generic),
    NULL,
};

int nnl_is_supported(const nnl_engine *engine) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!strcmp(engine->isa, "avx512"))
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("fma");
    if (!strcmp(engine->isa, "avx2"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#elif defined(__aarch64__)
    if (!strcmp(engine->isa, "neon")) return 1; /* all 64-bit ARM has it */
#endif
    return !strcmp(engine->isa, "generic");
}
