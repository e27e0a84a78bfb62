//! What a filter makes of a call, without the kernel.

use crate::compile::opcode;
use crate::{Action, Architecture, Filter, Instruction};

impl Filter {
    /// What happens at a call, by its number and its arguments: what the kernel would make of it.
    ///
    /// ```
    /// use cofferdam_seccomp::{Action, Architecture, Profile};
    ///
    /// let filter = Profile::new(Action::Allow).rule(Action::Errno(1), ["execve"]).compile()?;
    /// let execve = Architecture::NATIVE.syscall_number("execve").expect("every architecture has it");
    /// assert_eq!(filter.decide(Architecture::NATIVE, execve, [0; 6]), Action::Errno(1));
    /// # Ok::<(), cofferdam_seccomp::Error>(())
    /// ```
    pub fn decide(&self, architecture: Architecture, number: u32, arguments: [u64; 6]) -> Action {
        let word = |offset: u32| match offset {
            opcode::NUMBER => number,
            opcode::ARCHITECTURE => architecture.audit_number(),
            _ => argument_word(architecture, offset, arguments),
        };
        let (mut at, mut loaded) = (0_usize, 0_u32);
        while let Some(Instruction { code, jt, jf, k }) = self.instructions.get(at).copied() {
            at += 1;
            let holds = match code {
                opcode::LOAD => {
                    loaded = word(k);
                    continue;
                }
                opcode::AND => {
                    loaded &= k;
                    continue;
                }
                opcode::JUMP => {
                    at = at.saturating_add(usize::try_from(k).unwrap_or(usize::MAX));
                    continue;
                }
                opcode::JUMP_EQ => loaded == k,
                opcode::JUMP_GT => loaded > k,
                opcode::JUMP_GE => loaded >= k,
                // A return; nothing else is made here.
                _ => return Action::from_code(k).unwrap_or(Action::KillProcess),
            };
            at += usize::from(if holds { jt } else { jf });
        }
        // The kernel takes no filter that can end like this.
        Action::KillProcess
    }
}

/// One half of an argument.
fn argument_word(architecture: Architecture, offset: u32, arguments: [u64; 6]) -> u32 {
    let place = offset.saturating_sub(opcode::ARGUMENTS);
    let argument =
        usize::try_from(place / 8).ok().and_then(|index| arguments.get(index)).copied().unwrap_or(0);
    let high = place.is_multiple_of(8) == architecture.is_big_endian();
    let half = if high { argument >> 32 } else { argument & 0xffff_ffff };
    u32::try_from(half).unwrap_or(0)
}
