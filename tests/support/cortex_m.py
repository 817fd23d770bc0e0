"""C programs on emulated Cortex-M boards: they start and end without an operating system."""

import subprocess

# By processor: the board of QEMU, and what the compiler is told of the processor.
BOARDS = {
    "cortex-m3": ("mps2-an385", ["-mcpu=cortex-m3", "-mthumb"]),
    "cortex-m4": (
        "mps2-an386",
        ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"],
    ),
}
# The emulator ends with what main returns: semihosting's SYS_EXIT_EXTENDED.
_START = """\
#include <stdint.h>
extern uint32_t data_start, data_end, data_in_flash, bss_start, bss_end;
int main(void);
void start(void) {
    uint32_t *from = &data_in_flash, exit_code[2];
#ifdef __ARM_FP
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
    __asm volatile("dsb\\n isb");
#endif
    for (uint32_t *to = &data_start; to < &data_end;) *to++ = *from++;
    for (uint32_t *to = &bss_start; to < &bss_end;) *to++ = 0;
    exit_code[0] = 0x20026;
    exit_code[1] = (uint32_t)main();
    register uint32_t call __asm("r0") = 0x20;
    register uint32_t *given __asm("r1") = exit_code;
    __asm volatile("bkpt 0xab" : : "r"(call), "r"(given) : "memory");
    for (;;) {}
}
void fault(void) {
    for (;;) {}
}
__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    (void *)0x20400000, (void *)start, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
    (void *)fault};
"""
_MAP = """\
MEMORY {
    FLASH (rx) : ORIGIN = 0, LENGTH = 4M
    RAM (rwx) : ORIGIN = 0x20000000, LENGTH = 4M
}
SECTIONS {
    .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) } > FLASH
    .ARM.exidx : { *(.ARM.exidx*) } > FLASH
    .data : { data_start = .; *(.data*) . = ALIGN(4); data_end = .; } > RAM AT > FLASH
    data_in_flash = LOADADDR(.data);
    .bss : { bss_start = .; *(.bss*) *(COMMON) . = ALIGN(4); bss_end = .; } > RAM
}
ENTRY(start)
"""


def run_on_board(processor, sources, folder, *flags):
    """What `main` of C files returns on a board.

    Parameters
    ----------
    processor : str
        One of `BOARDS`.
    sources : list of str
    folder : Path
        For what is made.
    *flags : str
        For the compiler.
    """
    board, of_processor = BOARDS[processor]
    start, places, program = (folder / name for name in ("start.c", "board.ld", "program.elf"))
    start.write_text(_START)
    places.write_text(_MAP)
    subprocess.run(
        [
            "arm-none-eabi-gcc",
            *of_processor,
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
            *flags,
            "-ffunction-sections",
            "-fdata-sections",
            "-nostartfiles",
            f"-Wl,--gc-sections,-T,{places}",
            str(start),
            *sources,
            "-o",
            str(program),
        ],
        check=True,
    )
    emulator = ["qemu-system-arm", "-M", board, "-display", "none", "-monitor", "none"]
    emulator += ["-serial", "none", "-semihosting-config", "enable=on,target=native"]
    return subprocess.run([*emulator, "-kernel", str(program)], timeout=60).returncode
