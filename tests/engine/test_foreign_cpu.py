"""The engine for 64-bit ARM, under an emulator: every op at every shape of `cases.py`. It skips
where there is no cross compiler or no emulator."""

import foreign_cpu
import pytest
from cases import CASES
from kernels import ISAS, KERNELS, check, expected, run, same_bits

REALS = {"float": "float32", "double": "float64"}
OF_THE_C_LIBRARY = {"erf", "expm1", "log1p"}  # which may round their last bit in another way


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    return foreign_cpu.built(tmp_path_factory.mktemp("arm"), [("neon", real) for real in REALS])


@pytest.mark.parametrize("real", REALS)
def test_every_op_equals_the_oracle_and_has_the_bits_of_other_cpus(programs, real):
    dtype = REALS[real]
    cases = [(name, case) for name in KERNELS for case in CASES[name]]
    found = foreign_cpu.results(programs["neon", real], dtype, cases)
    fast = next((isa for isa in ISAS if isa != "generic"), None)
    others = set()
    for (name, case), (results, bad) in zip(cases, found, strict=True):
        assert bad == (-1 if case.bad is None else case.bad), name
        check(name, case, results, dtype, expected(name, case, dtype), "neon")
        if fast is not None and not all(map(same_bits, results, run(name, case, fast, dtype)[0])):
            others.add(name)
    assert others <= OF_THE_C_LIBRARY, sorted(others)
