#!/usr/bin/env python3
"""Makes `src/syscalls/table.rs`: the numbers of all system calls on all architectures.

    generate.py LINUX_RAW_SYS S390_HEADERS MIPS_HEADERS >src/syscalls/table.rs

LINUX_RAW_SYS is the folder `src` of the crate linux-raw-sys (0.12.1: the headers of Linux 6.17), which has the numbers
of every architecture but two. Those come from the kernel's own headers, as Debian packages them (6.1): `unistd_32.h` of
linux-libc-dev-s390x-cross and `unistd_n32.h` of linux-libc-dev-mips64el-cross. Calls since Linux 6.5 have one number
everywhere, so what these two are too old for is taken from the others.
"""
import re
import sys

COLUMNS = ["x86_64", "x86", "x32", "aarch64", "arm", "riscv64", "loongarch64", "powerpc", "powerpc64", "s390", "s390x",
           "mips", "mips64", "mips64n32"]
BASES = {"x32": 0x40000000, "mips": 4000, "mips64": 5000, "mips64n32": 6000}
# Not calls: bounds, and the numbers of calls that only the kernel's own headers use.
NO_CALLS = {"OABI_SYSCALL_BASE", "SYSCALL_MASK", "SYSCALL_BASE", "Linux", "64_Linux", "N32_Linux", "O32_Linux", "syscalls",
            "arch_specific_syscall", "Linux_syscalls", "64_Linux_syscalls", "N32_Linux_syscalls", "O32_Linux_syscalls"}
SAME_EVERYWHERE = 451


def is_call(name):
    """Whether this is a call at all, and no place that is kept free."""
    return name not in NO_CALLS and not re.fullmatch(r"(reserved|unused)\d+", name)


raw, s390, mips = sys.argv[1:]
PATTERNS = {"s390": (s390, r"#define __NR_(\w+) (\d+)"), "mips64n32": (mips, r"#define __NR_(\w+)\s+\(__NR_Linux \+ (\d+)\)")}

numbers = {}
for column in COLUMNS:
    path, pattern = PATTERNS.get(column, (f"{raw}/{column}/general.rs", r"const __NR_(\w+): u32 = (\d+);"))
    with open(path, encoding="utf-8") as source:
        found = {name: int(number) for name, number in re.findall(pattern, source.read()) if is_call(name)}
    if column not in PATTERNS:
        found = {name: number - BASES.get(column, 0) for name, number in found.items()}
    numbers[column] = found
for column in PATTERNS:
    for name, number in numbers["riscv64"].items():
        if number >= SAME_EVERYWHERE:
            numbers[column].setdefault(name, number)

names = sorted({name for found in numbers.values() for name in found})
print("//! The numbers of system calls. Made by `tables/generate.py`; see there where they come from.")
print()
print("use super::COLUMNS;")
print()
print("/// No such call.")
print("pub(super) const NO: u16 = u16::MAX;")
print()
print("/// Sorted by name. Numbers are counted from the base of their architecture.")
print("///")
print("/// Columns: " + ", ".join(COLUMNS[:8]) + ",")
print("/// " + ", ".join(COLUMNS[8:]) + ".")
print("#[rustfmt::skip]")
print(f"pub(super) static TABLE: [(&str, [u16; COLUMNS]); {len(names)}] = [")
for name in names:
    row = ",".join(str(numbers[column].get(name, "NO")) for column in COLUMNS)
    assert all(0 <= numbers[column].get(name, 0) < 65535 for column in COLUMNS), name
    print(f'    ("{name}", [{row}]),')
print("];")
