"""How many instructions products take on 64-bit ARM, of the NEON engine and of the generic one.

    python benchmarks/instructions.py

An emulator counts them, where no such machine is at hand: this says nothing of caches. Needs
aarch64-linux-gnu-gcc and qemu-aarch64 (7 or later). See benchmarks/README.md.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".c")
ENGINES = {"generic": [], "neon": ["-DNNL_NEON"]}
# Those of meson.build; what a part of the engine does not use would be warned of.
FLAGS = ["-std=gnu11", "-O3", "-falign-loops=64", "-fno-math-errno", "-fno-trapping-math"]
FLAGS += ["-ffp-contract=off", "-w", "-static"]
# M, N, K, and whether A and B are transposed.
PRODUCTS = [(144, 144, 144, 0, 0), (256, 256, 256, 0, 0), (64, 64, 64, 0, 0), (32, 128, 784, 0, 0)]
PRODUCTS += [(144, 144, 144, 1, 0), (144, 144, 144, 0, 1), (128, 10, 128, 0, 0)]


def built(folder):
    """The plugin that counts, and the program of each engine."""
    plugin = folder / "count.so"
    made = ["-O1", "-shared", "-fPIC", "-DPLUGIN", str(SOURCE), "-o", str(plugin)]
    subprocess.run(["cc", *made], check=True)
    for isa, flags in ENGINES.items():
        names = [f"-DNNL_ISA={isa}", "-DNNL_REAL=float", *flags]
        command = ["aarch64-linux-gnu-gcc", *FLAGS, *names, str(SOURCE), "-o", str(folder / isa)]
        subprocess.run(command, check=True)
    return plugin


def instructions(plugin, program, product):
    """Of one product, without the start of the program."""

    def counted(times):
        command = ["qemu-aarch64", "-plugin", plugin, program, *map(str, product), str(times)]
        return int(subprocess.run(command, check=True, capture_output=True).stderr)

    return (counted(3) - counted(1)) / 2


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        plugin = built(folder)
        print("M, N, K                 instructions for 4 multiply-adds")
        print("                           generic     neon    ratio")
        for product in PRODUCTS:
            M, N, K, *transposed = product
            four = M * N * K / 4
            generic, neon = (instructions(plugin, folder / isa, product) / four for isa in ENGINES)
            of = "".join(f" {x}^T" for x, is_it in zip("AB", transposed) if is_it)
            name = f"{M} x {N} x {K}{of}"
            print(f"{name:24}{generic:10.3f} {neon:8.3f} {generic / neon:8.2f}")


if __name__ == "__main__":
    sys.exit(main())
