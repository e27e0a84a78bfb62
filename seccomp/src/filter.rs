//! The compiled filter.

use std::fmt;

use crate::{Architecture, explain};

/// One instruction (`struct sock_filter`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// What is done (`linux/filter.h`).
    pub code: u16,
    /// How many instructions are skipped where the comparison holds.
    pub jt: u8,
    /// How many are skipped where it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

/// A program that decides about each call of a process (`seccomp(2)`, `SECCOMP_SET_MODE_FILTER`).
#[derive(Clone, PartialEq, Eq)]
pub struct Filter {
    pub(crate) instructions: Vec<Instruction>,
    pub(crate) architectures: Vec<Architecture>,
    pub(crate) flags: u32,
    pub(crate) notifies: bool,
}

impl Filter {
    /// The longest filter that the kernel takes (`BPF_MAXINSNS`).
    pub const MAX_INSTRUCTIONS: usize = 4096;

    /// The instructions.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// How many instructions there are.
    #[allow(clippy::len_without_is_empty, reason = "there is no empty filter")]
    pub fn len(&self) -> usize {
        self.instructions.len()
    }

    /// An array of `struct sock_filter`, eight bytes each, in the byte order of the filter's architectures.
    pub fn to_bytes(&self) -> Vec<u8> {
        let big = self.architectures.first().is_some_and(|first| first.is_big_endian());
        let mut bytes = Vec::with_capacity(self.instructions.len() * 8);
        for Instruction { code, jt, jf, k } in &self.instructions {
            let (code, k) = if big {
                (code.to_be_bytes(), k.to_be_bytes())
            } else {
                (code.to_le_bytes(), k.to_le_bytes())
            };
            bytes.extend(code);
            bytes.extend([*jt, *jf]);
            bytes.extend(k);
        }
        bytes
    }

    /// The architectures whose calls are let through to the rules; on any other the process is killed.
    pub fn architectures(&self) -> &[Architecture] {
        &self.architectures
    }

    /// The flags for `seccomp(2)`: `SECCOMP_FILTER_FLAG_*`, with that of a listener if the filter notifies.
    pub fn flags(&self) -> u32 {
        self.flags
    }

    /// Whether the filter needs a listener. Its installation returns one then.
    pub fn notifies(&self) -> bool {
        self.notifies
    }

    /// The filter in words, one line for each instruction, with the names of calls.
    ///
    /// ```
    /// use cofferdam_seccomp::{Action, Architecture, Profile};
    ///
    /// let mut profile = Profile::new(Action::Allow).rule(Action::Errno(1), ["reboot"]);
    /// profile.architectures = vec![Architecture::Aarch64];
    /// let words = profile.compile()?.explain().to_string();
    /// assert!(words.contains("if number == 142 (reboot)"), "{words}");
    /// assert!(words.contains("return errno 1"), "{words}");
    /// # Ok::<(), cofferdam_seccomp::Error>(())
    /// ```
    pub fn explain(&self) -> impl fmt::Display + '_ {
        explain::Explanation(self)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("instructions", &self.instructions.len())
            .field("architectures", &self.architectures)
            .field("flags", &self.flags)
            .field("notifies", &self.notifies)
            .finish()
    }
}
