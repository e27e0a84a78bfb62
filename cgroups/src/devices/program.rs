//! From rules to an eBPF program that decides as they do.
//!
//! The kernel runs it for each open and each `mknod` of a device, with `struct bpf_cgroup_dev_ctx`: the access in the
//! upper and the kind in the lower half of the first word, then the major and the minor number. It returns whether
//! that is allowed.
//!
//! The program is a decision tree over the table of the rules: the kind, then each major number that has entries of
//! its own, in it the minor numbers. Each way down ends in one of at most eight tails, one for each set of accesses.
//! So a device passes no more comparisons than there are major numbers, and minor numbers in its own; and the verifier,
//! which follows each way, has a number of steps to do that grows with the program and not with its square.

use super::insn::{Insn, Reg};
use super::table::Table;
use super::{Access, DeviceKind, DeviceRules, DeviceRulesFault};
use std::collections::{BTreeMap, BTreeSet};

const KIND: Reg = Reg::R2;
const ACCESS: Reg = Reg::R3;
const MAJOR: Reg = Reg::R4;
const MINOR: Reg = Reg::R5;

/// `BPF_DEVCG_DEV_*`
pub(super) const BLOCK: i32 = 1;
pub(super) const CHAR: i32 = 2;

/// A place that is jumped to from further up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    /// The part for block devices.
    Block,
    /// What follows a major number in a part.
    After(i32, u32),
    /// The entries of a part without a major number.
    Minors(i32),
    /// Where exactly such accesses are allowed.
    Tail(u8),
}

/// The program for some rules.
pub(super) fn compile(rules: &DeviceRules) -> Result<Vec<Insn>, DeviceRulesFault> {
    rules.check()?;
    let char = Table::new(rules, DeviceKind::Char)?;
    let block = Table::new(rules, DeviceKind::Block)?;
    let mut program = Assembler::default();
    program.insns.extend([
        Insn::set(Reg::R0, 0),
        Insn::load(ACCESS, Reg::R1, 0),
        Insn::copy(KIND, ACCESS),
        Insn::and(KIND, 0xffff),
        Insn::shift_right(ACCESS, 16),
        Insn::load(MAJOR, Reg::R1, 4),
        Insn::load(MINOR, Reg::R1, 8),
    ]);
    if char == block {
        program.part(&char, CHAR);
    } else {
        program.unless(KIND, CHAR, Label::Block);
        program.part(&char, CHAR);
        program.place(Label::Block);
        program.unless(KIND, BLOCK, tail(Access::EMPTY));
        program.part(&block, BLOCK);
    }
    program.tails();
    program.link().ok_or(DeviceRulesFault::TooMany { count: rules.rules().len() })
}

const fn tail(access: Access) -> Label {
    Label::Tail(access.bits())
}

#[derive(Default)]
struct Assembler {
    insns: Vec<Insn>,
    /// Instructions whose jump is still to be made, and where it goes.
    jumps: Vec<(usize, Label)>,
    places: BTreeMap<Label, usize>,
}

impl Assembler {
    fn place(&mut self, label: Label) {
        self.places.insert(label, self.insns.len());
    }

    fn goto(&mut self, label: Label) {
        self.jumps.push((self.insns.len(), label));
        self.insns.push(Insn::jump(0));
    }

    fn unless(&mut self, reg: Reg, value: i32, label: Label) {
        self.jumps.push((self.insns.len(), label));
        self.insns.push(Insn::jump_if_not(reg, value, 0));
    }

    /// Decides if the minor number is this one. Two instructions where one would do: with a jump to the tail the
    /// verifier would keep a state for each minor number until it comes to the end, and it keeps no more than 8192.
    fn minor(&mut self, minor: u32, access: Access) {
        self.insns.push(Insn::jump_if_not(MINOR, minor.cast_signed(), 1));
        self.goto(tail(access));
    }

    /// All that there is to one kind of devices; it is never left at its end.
    fn part(&mut self, table: &Table, part: i32) {
        let named = table.devices.keys().map(|device| device.0);
        for major in named.chain(table.majors.keys().copied()).collect::<BTreeSet<_>>() {
            self.unless(MAJOR, major.cast_signed(), Label::After(part, major));
            for (device, &access) in table.devices.range((major, 0)..=(major, u32::MAX)) {
                self.minor(device.1, access);
            }
            self.goto(table.majors.get(&major).map_or(Label::Minors(part), |&access| tail(access)));
            self.place(Label::After(part, major));
        }
        self.place(Label::Minors(part));
        for (&minor, &access) in &table.minors {
            self.minor(minor, access);
        }
        self.goto(tail(table.rest));
    }

    /// The tails that are used: the verifier takes no instruction that nothing leads to.
    fn tails(&mut self) {
        let used: BTreeSet<_> = self.jumps.iter().map(|jump| jump.1).collect();
        for bits in 0..=Access::ALL.bits() {
            if !used.contains(&Label::Tail(bits)) {
                continue;
            }
            self.place(Label::Tail(bits));
            if bits != Access::ALL.bits() {
                // Bits that are not known yet count as denied.
                self.insns.push(Insn::jump_if_any(ACCESS, !i32::from(bits), 1));
            }
            self.insns.extend([Insn::set(Reg::R0, 1), Insn::exit()]);
        }
    }

    /// Makes the jumps; none if one of them is too far.
    fn link(mut self) -> Option<Vec<Insn>> {
        for (from, label) in self.jumps {
            let over = self.places.get(&label)?.checked_sub(from + 1)?;
            self.insns.get_mut(from)?.off = i16::try_from(over).ok()?;
        }
        Some(self.insns)
    }
}

#[cfg(test)]
mod tests {
    use super::super::interpret::{run, run_raw};
    use super::super::tests::{any_access, any_device, any_rules};
    use super::*;
    use proptest::prelude::*;

    fn compiled(rules: &str) -> Vec<Insn> {
        compile(&rules.parse().unwrap()).unwrap()
    }

    #[test]
    fn rules_that_say_the_same_make_the_same_program() {
        assert_eq!(compiled("deny a\nallow a"), compiled("a"));
        assert_eq!(compiled("a").len(), 10);
        assert_eq!(compiled("").len(), 11);
        assert_eq!(compiled("c 1:3 rwm\nb 1:3 rwm"), compiled("a 1:3 rwm"));
    }

    #[test]
    fn what_no_jump_can_reach_is_refused() {
        let rules = |count: u32, letter: &str| {
            let line = |i: u32| format!("{letter} {}:7 r", i % 4000);
            (0..count).map(line).collect::<Vec<_>>().join("\n").parse::<DeviceRules>().unwrap()
        };
        let last = compile(&rules(4000, "a")).unwrap();
        assert_eq!(last.len(), 7 + 4 * 4000 + 1 + 3 + 3);
        assert!(run(&last, CHAR, Access::READ, 3999, 7));
        let stars = |i: u32| [format!("c {i}:* r"), format!("b *:{i} w"), format!("a *:{i} m")];
        let crossed: Vec<_> = (0..127).flat_map(stars).collect();
        let crossed = crossed.join("\n").parse::<DeviceRules>().unwrap();
        assert_eq!(compile(&crossed), Err(DeviceRulesFault::TooMany { count: 381 }));
    }

    #[test]
    fn bits_of_later_kernels_are_denied_unless_all_is_allowed() {
        let context = [8 << 16 | 2, 1, 3];
        assert!(!run_raw(&compiled("c 1:3 r"), context));
        assert!(run_raw(&compiled("c 1:3 rwm"), context));
    }

    proptest! {
        #[test]
        fn the_program_decides_as_the_rules(
            rules in any_rules(), devices in prop::collection::vec((any_device(), any_access()), 1..30)
        ) {
            let program = compile(&rules).unwrap();
            let count = rules.rules().len();
            prop_assert!(program.len() <= 40 + 8 * (count + count * count / 4), "{} instructions", program.len());
            for ((major, minor), access) in devices {
                for (kind, bits) in [(DeviceKind::Char, CHAR), (DeviceKind::Block, BLOCK)] {
                    let answer = run(&program, bits, access, major, minor);
                    prop_assert_eq!(answer, rules.decide(kind, major, minor, access));
                }
            }
        }
    }
}
