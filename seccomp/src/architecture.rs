//! Architectures, as the kernel tells a filter about them.

use std::fmt;
use std::str::FromStr;

use crate::syscalls::Call;
use crate::{Action, Error};

/// An architecture, or rather a way of calling the kernel: one machine can have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
#[allow(missing_docs, reason = "these are names")]
pub enum Architecture {
    X86_64,
    X86,
    X32,
    Aarch64,
    Arm,
    Riscv64,
    LoongArch64,
    Ppc,
    Ppc64,
    Ppc64Le,
    S390,
    S390x,
    Mips,
    MipsEl,
    Mips64,
    MipsEl64,
    Mips64N32,
    MipsEl64N32,
}

/// What is known of one: its name, its `AUDIT_ARCH` number, its column in the table of calls, whether its arguments have
/// 64 bits, and whether it stores the high byte first.
type Facts = (Architecture, &'static str, u32, usize, bool, bool);

const FACTS: [Facts; 18] = [
    (Architecture::X86_64, "SCMP_ARCH_X86_64", 0xc000_003e, 0, true, false),
    (Architecture::X86, "SCMP_ARCH_X86", 0x4000_0003, 1, false, false),
    (Architecture::X32, "SCMP_ARCH_X32", 0xc000_003e, 2, false, false),
    (Architecture::Aarch64, "SCMP_ARCH_AARCH64", 0xc000_00b7, 3, true, false),
    (Architecture::Arm, "SCMP_ARCH_ARM", 0x4000_0028, 4, false, false),
    (Architecture::Riscv64, "SCMP_ARCH_RISCV64", 0xc000_00f3, 5, true, false),
    (Architecture::LoongArch64, "SCMP_ARCH_LOONGARCH64", 0xc000_0102, 6, true, false),
    (Architecture::Ppc, "SCMP_ARCH_PPC", 0x0000_0014, 7, false, true),
    (Architecture::Ppc64, "SCMP_ARCH_PPC64", 0x8000_0015, 8, true, true),
    (Architecture::Ppc64Le, "SCMP_ARCH_PPC64LE", 0xc000_0015, 8, true, false),
    (Architecture::S390, "SCMP_ARCH_S390", 0x0000_0016, 9, false, true),
    (Architecture::S390x, "SCMP_ARCH_S390X", 0x8000_0016, 10, true, true),
    (Architecture::Mips, "SCMP_ARCH_MIPS", 0x0000_0008, 11, false, true),
    (Architecture::MipsEl, "SCMP_ARCH_MIPSEL", 0x4000_0008, 11, false, false),
    (Architecture::Mips64, "SCMP_ARCH_MIPS64", 0x8000_0008, 12, true, true),
    (Architecture::MipsEl64, "SCMP_ARCH_MIPSEL64", 0xc000_0008, 12, true, false),
    (Architecture::Mips64N32, "SCMP_ARCH_MIPS64N32", 0xa000_0008, 13, false, true),
    (Architecture::MipsEl64N32, "SCMP_ARCH_MIPSEL64N32", 0xe000_0008, 13, false, false),
];

/// The bit in numbers of calls by which the kernel knows x32.
pub(crate) const X32_BIT: u32 = 0x4000_0000;

impl Architecture {
    /// The architecture of this program.
    #[cfg(target_arch = "x86_64")]
    pub const NATIVE: Self = if cfg!(target_pointer_width = "32") { Self::X32 } else { Self::X86_64 };
    /// The architecture of this program.
    #[cfg(target_arch = "x86")]
    pub const NATIVE: Self = Self::X86;
    /// The architecture of this program.
    #[cfg(target_arch = "aarch64")]
    pub const NATIVE: Self = Self::Aarch64;
    /// The architecture of this program.
    #[cfg(target_arch = "arm")]
    pub const NATIVE: Self = Self::Arm;
    /// The architecture of this program.
    #[cfg(target_arch = "riscv64")]
    pub const NATIVE: Self = Self::Riscv64;
    /// The architecture of this program.
    #[cfg(target_arch = "loongarch64")]
    pub const NATIVE: Self = Self::LoongArch64;
    /// The architecture of this program.
    #[cfg(target_arch = "powerpc")]
    pub const NATIVE: Self = Self::Ppc;
    /// The architecture of this program.
    #[cfg(target_arch = "powerpc64")]
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Ppc64 } else { Self::Ppc64Le };
    /// The architecture of this program.
    #[cfg(target_arch = "s390x")]
    pub const NATIVE: Self = Self::S390x;
    /// The architecture of this program.
    #[cfg(target_arch = "mips")]
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Mips } else { Self::MipsEl };
    /// The architecture of this program.
    #[cfg(target_arch = "mips64")]
    pub const NATIVE: Self = if cfg!(target_endian = "big") { Self::Mips64 } else { Self::MipsEl64 };

    /// All that there are tables for.
    pub fn all() -> impl Iterator<Item = Self> {
        FACTS.iter().map(|facts| facts.0)
    }

    /// The name in the OCI runtime-spec: `SCMP_ARCH_X86_64`.
    pub fn name(self) -> &'static str {
        self.facts().1
    }

    /// The number by which the kernel tells a filter (`AUDIT_ARCH_*`). That of x32 is that of x86_64.
    pub fn audit_number(self) -> u32 {
        self.facts().2
    }

    /// Whether the high byte of a number comes first.
    pub fn is_big_endian(self) -> bool {
        self.facts().5
    }

    /// The number of a call, if this architecture has it: `read` is 0 on x86_64 and 63 on aarch64.
    pub fn syscall_number(self, name: &str) -> Option<u32> {
        Call::find(name)?.number(self)
    }

    /// The name of the call with this number, if the tables know it.
    pub fn syscall_name(self, number: u32) -> Option<&'static str> {
        crate::syscalls::name(self, number)
    }

    /// Whether arguments have 64 bits; else only the low 32 are compared.
    pub(crate) fn is_64_bit(self) -> bool {
        self.facts().4
    }

    pub(crate) fn column(self) -> usize {
        self.facts().3
    }

    /// What the numbers of calls are counted from.
    pub(crate) fn base(self) -> u32 {
        match self {
            Self::X32 => X32_BIT,
            Self::Mips | Self::MipsEl => 4000,
            Self::Mips64 | Self::MipsEl64 => 5000,
            Self::Mips64N32 | Self::MipsEl64N32 => 6000,
            _ => 0,
        }
    }

    /// The lowest number that the architecture may have.
    pub(crate) fn lowest(self) -> u32 {
        if self == Self::X32 { X32_BIT } else { 0 }
    }

    /// The highest number that is an ordinary call's, and not something private.
    pub(crate) fn highest(self) -> u32 {
        match self {
            Self::X86_64 => X32_BIT - 1,
            Self::Arm => 0xe_ffff,
            _ => u32::MAX,
        }
    }

    /// The answer of a kernel that does not have a call.
    pub(crate) fn enosys(self) -> Action {
        Action::Errno(if self.base() >= 4000 && self != Self::X32 { 89 } else { 38 })
    }

    fn facts(self) -> Facts {
        const X86_64: Facts = FACTS[0];
        FACTS.iter().find(|facts| facts.0 == self).copied().unwrap_or(X86_64)
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Architecture {
    type Err = Error;

    /// Reads a name of the OCI runtime-spec. `SCMP_ARCH_NATIVE` is the architecture of this program.
    ///
    /// # Errors
    ///
    /// [`Error::Architecture`] for a name that is none, and for an architecture without a table here.
    fn from_str(name: &str) -> Result<Self, Error> {
        if name == "SCMP_ARCH_NATIVE" {
            return Ok(Self::NATIVE);
        }
        let found = FACTS.iter().find(|facts| facts.1 == name).map(|facts| facts.0);
        found.ok_or_else(|| Error::Architecture { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_architecture_has_its_facts_and_its_name_is_read_again() {
        let mut names: Vec<&str> = Vec::new();
        for architecture in Architecture::all() {
            assert_eq!(architecture.facts().0, architecture);
            assert_eq!(architecture.name().parse::<Architecture>().unwrap(), architecture);
            names.push(architecture.name());
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 18);
        assert_eq!("SCMP_ARCH_NATIVE".parse::<Architecture>().unwrap(), Architecture::NATIVE);
    }

    #[test]
    fn an_architecture_without_a_table_is_an_error() {
        let error = "SCMP_ARCH_PARISC".parse::<Architecture>().unwrap_err();
        assert_eq!(error.to_string(), "architecture SCMP_ARCH_PARISC is not supported");
    }
}
