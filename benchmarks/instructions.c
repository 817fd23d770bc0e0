/* instructions.c: a product of the engine, some times over; or, with PLUGIN, a plugin of QEMU that
 * counts the instructions of a program. Compiled by instructions.py. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef PLUGIN

typedef uint64_t plugin_id;
typedef struct block block;
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, block *));
void qemu_plugin_register_vcpu_tb_exec_inline(block *, int, void *, uint64_t);
void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);
size_t qemu_plugin_tb_n_insns(const block *);

enum { ADD = 0 }; /* QEMU_PLUGIN_INLINE_ADD_U64 */
__attribute__((visibility("default"))) int qemu_plugin_version = 1;
static uint64_t count;

static void on_translation(plugin_id id, block *b) {
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(b, ADD, &count, qemu_plugin_tb_n_insns(b));
}

static void on_end(plugin_id id, void *data) {
    (void)id, (void)data;
    fprintf(stderr, "%" PRIu64 "\n", count);
}

__attribute__((visibility("default"))) int qemu_plugin_install(plugin_id id, const void *info,
                                                               int argc, char **argv) {
    (void)info, (void)argc, (void)argv;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}

#else

#include "../csrc/gemm/gemm.c"

static void *zeros(int64_t bytes) { return calloc(1, (size_t)bytes + NNL_CACHE_LINE); }

/* Arguments: M, N, K, whether A and B are transposed, how many times. */
int main(int argc, char **argv) {
    if (argc != 7) return 2;
    int64_t n[6];
    for (int i = 0; i < 6; i++) n[i] = strtoll(argv[i + 1], NULL, 10);
    const int64_t M = n[0], N = n[1], K = n[2], size = (int64_t)sizeof(real);
    const nnl_operand A = {zeros(M * K * size), n[3] ? M : K, n[3] != 0};
    const nnl_operand B = {zeros(K * N * size), n[4] ? K : N, n[4] != 0};
    nnl_team team = {.size = 1, .scratch = zeros(gemm_scratch(N, K, 1))};
    real *C = zeros(M * N * size);
    for (int64_t i = 0; i < n[5]; i++) gemm(M, N, K, A, B, C, N, NULL, &team);
    return C[0] != 0;
}

#endif
