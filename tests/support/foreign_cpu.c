/* foreign_cpu.c: runs cases of ops on a CPU that is not that of the tests. It reads them from
 * standard input and writes their results to standard output, as tests/support/foreign_cpu.py
 * packs and reads them. An emulator of the CPU runs this program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/nnlite.h"

#define JOINED_(a, b, c) a##b##_##c
#define JOINED(a, b, c) JOINED_(a, b, c)
#define ENGINE JOINED(nnl_engine_, NNL_ISA, NNL_REAL)
extern const nnl_engine ENGINE;

enum { MOST = 32 }; /* tensors or attributes of a call */

static void read_bytes(void *to, size_t size) {
    if (size && fread(to, size, 1, stdin) != 1) exit(2);
}
static int64_t read_number(void) {
    int64_t n;
    read_bytes(&n, sizeof n);
    return n;
}

/* A tensor over fresh memory: its number of axes, its shape, its bytes, and whether these follow.
 */
static size_t read_tensor(nnl_tensor *t) {
    t->ndim = (int32_t)read_number();
    for (int d = 0; d < t->ndim; d++) t->shape[d] = read_number();
    const size_t size = (size_t)read_number();
    t->data = malloc(size + 1);
    memset(t->data, 0xA5, size);
    if (read_number()) read_bytes(t->data, size);
    return size;
}

int main(void) {
    for (int64_t cases = read_number(); cases; cases--) {
        char name[64] = {0};
        read_bytes(name, sizeof name);
        int op = 0;
        while (op < ENGINE.n_ops && strcmp(ENGINE.names[op], name)) op++;
        if (op == ENGINE.n_ops) exit(3);
        nnl_tensor in[MOST], out[MOST];
        nnl_attr attr[MOST];
        size_t in_size[MOST], out_size[MOST];
        const int n_in = (int)read_number(), n_out = (int)read_number(),
                  n_attr = (int)read_number();
        for (int i = 0; i < n_in; i++) in_size[i] = read_tensor(&in[i]);
        for (int i = 0; i < n_out; i++) out_size[i] = read_tensor(&out[i]);
        read_bytes(attr, sizeof *attr * (size_t)n_attr);
        nnl_step step = {.op = ENGINE.ops[op], .call = {in, out, attr, n_in, n_out}};
        const size_t scratch = (size_t)ENGINE.scratch[op](&step.call, 1);
        step.scratch = aligned_alloc(64, (scratch + 64) / 64 * 64);
        nnl_program program = {.steps = &step, .n_steps = 1};
        nnl_active_runs active = {1, 1};
        nnl_thread_budget budget = {.threads = 1, .limit = 1, .active_runs = &active};
        nnl_status status = {NNL_NO_ERROR};
        if (ENGINE.run(&program, 0, 1, &budget, &status) != 1) exit(4);
        const int64_t bad = status.first_invalid_index;
        fwrite(&bad, sizeof bad, 1, stdout);
        for (int i = 0; i < n_out; i++) fwrite(out[i].data, 1, out_size[i], stdout);
        for (int i = 0; i < n_in; i++) fwrite(in[i].data, 1, in_size[i], stdout);
        for (int i = 0; i < n_in; i++) free(in[i].data);
        for (int i = 0; i < n_out; i++) free(out[i].data);
        free(step.scratch);
    }
    return 0;
}
