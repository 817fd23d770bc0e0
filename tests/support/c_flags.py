"""Flags with which tests compile an engine: those of meson.build on which its bits depend."""

EXACT = ["-std=gnu11", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=off"]
FLAGS = {  # by instruction set
    "generic": [],
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"],
    "neon": ["-DNNL_NEON"],
}
