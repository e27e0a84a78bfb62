//! System calls by name, number and architecture.

mod multiplexed;
mod table;

use crate::Architecture;

/// How many columns the table has.
const COLUMNS: usize = 14;

/// The calls of the architecture ARM that are its own. They have numbers far above all others.
const ARM_PRIVATE: [(&str, u32); 6] = [
    ("breakpoint", 0xf_0001),
    ("cacheflush", 0xf_0002),
    ("get_tls", 0xf_0006),
    ("set_tls", 0xf_0005),
    ("usr26", 0xf_0003),
    ("usr32", 0xf_0004),
];

/// A call that at least one architecture has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    row: &'static [u16; COLUMNS],
    arm: Option<u32>,
    outer: Option<(multiplexed::Outer, u64)>,
}

/// Another way to make a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Multiplexer {
    /// The number of the call that stands for several others.
    pub(crate) number: u32,
    /// Which bits of its first argument say what is called.
    pub(crate) mask: u64,
    /// What they say for the call that was asked for.
    pub(crate) value: u64,
}

impl Call {
    /// The call of this name, if any architecture has one.
    pub(crate) fn find(name: &str) -> Option<Self> {
        const NOWHERE: [u16; COLUMNS] = [table::NO; COLUMNS];
        let row = table::TABLE.binary_search_by_key(&name, |(known, _)| known).ok();
        let row = row.and_then(|row| table::TABLE.get(row)).map(|(_, row)| row);
        let arm = ARM_PRIVATE.iter().find(|(private, _)| *private == name).map(|(_, number)| *number);
        if row.is_none() && arm.is_none() {
            return None;
        }
        Some(Self { row: row.unwrap_or(&NOWHERE), arm, outer: multiplexed::outer(name) })
    }

    /// Its number, if the architecture has it as a call of its own.
    pub(crate) fn number(self, architecture: Architecture) -> Option<u32> {
        if architecture == Architecture::Arm && self.arm.is_some() {
            return self.arm;
        }
        let number = *self.row.get(architecture.column())?;
        (number != table::NO).then(|| architecture.base() + u32::from(number))
    }

    /// How else it can be made on the architecture.
    pub(crate) fn multiplexer(self, architecture: Architecture) -> Option<Multiplexer> {
        let (outer, value) = self.outer?;
        let number = Self::find(outer.name())?.number(architecture)?;
        Some(Multiplexer { number, mask: outer.mask(), value })
    }
}

/// The name of a call by its number.
pub(crate) fn name(architecture: Architecture, number: u32) -> Option<&'static str> {
    if architecture == Architecture::Arm
        && let Some((name, _)) = ARM_PRIVATE.iter().find(|(_, private)| *private == number)
    {
        return Some(name);
    }
    let number = u16::try_from(number.checked_sub(architecture.base())?).ok().filter(|n| *n != table::NO)?;
    let column = architecture.column();
    table::TABLE.iter().find(|(_, numbers)| numbers.get(column) == Some(&number)).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(architecture: Architecture, name: &str) -> Option<u32> {
        Call::find(name).and_then(|call| call.number(architecture))
    }

    #[test]
    fn the_table_is_sorted_and_no_number_stands_twice() {
        assert!(table::TABLE.is_sorted_by(|a, b| a.0 < b.0));
        for column in 0..COLUMNS {
            let mut numbers: Vec<u16> = table::TABLE.iter().map(|(_, row)| row[column]).collect();
            numbers.retain(|number| *number != table::NO);
            numbers.sort_unstable();
            // Two names for one call.
            numbers.retain(|number| (*number, column) != (341, 4));
            let all = numbers.len();
            numbers.dedup();
            assert_eq!(numbers.len(), all, "column {column}");
            assert!(all > 300, "column {column} has {all}");
        }
    }

    #[test]
    fn the_numbers_of_this_machine_are_those_of_libc() {
        let of = |name| number(Architecture::NATIVE, name).map(i64::from);
        assert_eq!(of("read"), Some(libc::SYS_read));
        assert_eq!(of("clone3"), Some(libc::SYS_clone3));
        assert_eq!(of("seccomp"), Some(libc::SYS_seccomp));
        assert_eq!(of("mount_setattr"), Some(libc::SYS_mount_setattr));
    }

    #[test]
    fn well_known_numbers_are_right_on_each_architecture() {
        let openat = [
            (Architecture::X86_64, 257),
            (Architecture::X86, 295),
            (Architecture::X32, 0x4000_0000 + 257),
            (Architecture::Aarch64, 56),
            (Architecture::Arm, 322),
            (Architecture::Riscv64, 56),
            (Architecture::LoongArch64, 56),
            (Architecture::Ppc, 286),
            (Architecture::Ppc64Le, 286),
            (Architecture::S390, 288),
            (Architecture::S390x, 288),
            (Architecture::Mips, 4288),
            (Architecture::MipsEl64, 5247),
            (Architecture::Mips64N32, 6251),
        ];
        for (architecture, expected) in openat {
            assert_eq!(number(architecture, "openat"), Some(expected), "{architecture}");
            assert_eq!(name(architecture, expected), Some("openat"), "{architecture}");
        }
        assert_eq!(number(Architecture::X32, "execve"), Some(0x4000_0000 + 520));
        assert_eq!(number(Architecture::Arm, "set_tls"), Some(0xf_0005));
        assert_eq!(number(Architecture::Aarch64, "open"), None);
        assert_eq!(name(Architecture::X86_64, 60_000), None);
    }

    #[test]
    fn a_name_is_known_if_any_architecture_has_it() {
        let is_known = |name| Call::find(name).is_some();
        assert!(is_known("swapcontext") && is_known("set_tls") && is_known("_llseek"));
        assert!(!is_known("frobnicate") && !is_known(""));
    }

    #[test]
    fn a_socket_of_x86_can_be_had_by_socketcall_too() {
        let multiplexer =
            |architecture, name| Call::find(name).and_then(|call| call.multiplexer(architecture));
        let found = multiplexer(Architecture::X86, "socket");
        assert_eq!(found, Some(Multiplexer { number: 102, mask: 0xffff_ffff, value: 1 }));
        let found = multiplexer(Architecture::S390x, "shmctl");
        assert_eq!(found, Some(Multiplexer { number: 117, mask: 0xffff, value: 24 }));
        assert_eq!(multiplexer(Architecture::X86_64, "socket"), None);
        assert_eq!(multiplexer(Architecture::Arm, "shmctl"), None);
        assert_eq!(multiplexer(Architecture::X86, "read"), None);
    }
}
