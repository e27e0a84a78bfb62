//! A filter in words.

use std::fmt;

use crate::compile::opcode;
use crate::{Action, Architecture, Filter, Instruction};

/// Displays a filter.
pub(crate) struct Explanation<'f>(pub(crate) &'f Filter);

/// What was loaded last, by which operands get names.
#[derive(Clone, Copy)]
enum Loaded {
    Architecture,
    Number(Option<Architecture>),
    Argument,
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut loaded = Loaded::Architecture;
        // The section of an architecture begins where the comparison with its number leads to.
        let mut sections: Vec<(usize, Architecture)> = Vec::new();
        for (index, instruction) in self.0.instructions.iter().enumerate() {
            let Instruction { code, jt, k, .. } = *instruction;
            if code == opcode::LOAD {
                let section = sections.iter().find(|(start, _)| *start == index).map(|(_, of)| *of);
                loaded = match k {
                    opcode::NUMBER => Loaded::Number(section),
                    opcode::ARCHITECTURE => Loaded::Architecture,
                    _ => Loaded::Argument,
                };
            }
            if let (Loaded::Architecture, opcode::JUMP_EQ) = (loaded, code) {
                let of = self.0.architectures.iter().find(|of| of.audit_number() == k);
                sections.extend(of.map(|of| (index + 1 + usize::from(jt), *of)));
            }
            write!(f, "{index:4}: ")?;
            self.line(f, index, instruction, loaded)?;
        }
        Ok(())
    }
}

impl Explanation<'_> {
    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        index: usize,
        instruction: &Instruction,
        loaded: Loaded,
    ) -> fmt::Result {
        let Instruction { code, jt, jf, k } = *instruction;
        let to = |skipped: u8| index + 1 + usize::from(skipped);
        let comparison = match code {
            opcode::LOAD => return writeln!(f, "load {}", self.place(k)),
            opcode::AND => return writeln!(f, "and {k:#x}"),
            opcode::RETURN => return writeln!(f, "return {}", words(k)),
            opcode::JUMP => {
                return writeln!(f, "go to {}", index + 1 + usize::try_from(k).unwrap_or(usize::MAX >> 1));
            }
            opcode::JUMP_EQ => "==",
            opcode::JUMP_GT => ">",
            opcode::JUMP_GE => ">=",
            _ => return writeln!(f, "{code:#06x} {k:#x} {jt} {jf}"),
        };
        match loaded {
            Loaded::Architecture => {
                let names: Vec<&str> = self
                    .0
                    .architectures
                    .iter()
                    .filter(|of| of.audit_number() == k)
                    .map(|of| of.name())
                    .collect();
                write!(f, "if architecture {comparison} {k:#x} ({})", names.join(", "))?;
            }
            Loaded::Number(of) => {
                let of = of.map(|of| {
                    if of == Architecture::X86_64 && k >= of.highest() { Architecture::X32 } else { of }
                });
                write!(f, "if number {comparison} {k}")?;
                if let Some(name) = of.and_then(|of| of.syscall_name(k)) {
                    write!(f, " ({name})")?;
                }
            }
            Loaded::Argument => write!(f, "if it {comparison} {k:#x}")?,
        }
        writeln!(f, " go to {}, else {}", to(jt), to(jf))
    }

    fn place(&self, offset: u32) -> String {
        match offset {
            opcode::NUMBER => "number".to_owned(),
            opcode::ARCHITECTURE => "architecture".to_owned(),
            _ => {
                let big = self.0.architectures.first().is_some_and(|first| first.is_big_endian());
                let place = offset.saturating_sub(opcode::ARGUMENTS);
                let half = if place.is_multiple_of(8) == big { "high" } else { "low" };
                format!("argument {}, {half} half", place / 8)
            }
        }
    }
}

fn words(code: u32) -> String {
    match Action::from_code(code) {
        Some(Action::KillProcess) => "kill process".to_owned(),
        Some(Action::KillThread) => "kill thread".to_owned(),
        Some(Action::Trap) => "trap".to_owned(),
        Some(Action::Errno(errno)) => format!("errno {errno}"),
        Some(Action::Notify) => "notify".to_owned(),
        Some(Action::Trace(message)) => format!("trace {message}"),
        Some(Action::Log) => "log".to_owned(),
        Some(Action::Allow) => "allow".to_owned(),
        None => format!("{code:#x}"),
    }
}
