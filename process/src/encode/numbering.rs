//! The numbers of slots in the program. What is closed makes room for what is opened after it, as a program has few.

use crate::plan::{Plan, Slot, Stdio, Step};

/// The numbering of a plan.
pub(super) struct Numbering<'a> {
    plan: &'a Plan,
    /// For each slot of the plan its number.
    numbers: &'a mut [u32],
    /// For each slot whether it has one already.
    has: Vec<bool>,
    /// For each slot the index of the step after which nothing needs it.
    last_use: Vec<Option<usize>>,
    free: Vec<u32>,
    next: u32,
}

impl<'a> Numbering<'a> {
    /// The inputs have their numbers; those of all others begin at one.
    pub(super) fn new(plan: &'a Plan, numbers: &'a mut [u32], next: u32) -> Self {
        let count = numbers.len();
        let mut has = vec![false; count];
        for slot in plan.slots.input_slots() {
            has[slot.0 as usize] = true;
        }
        Self { plan, numbers, has, last_use: vec![None; count], free: Vec::new(), next }
    }

    /// Numbers all slots, gives the first number that is left. Validation has seen that the slots exist.
    pub(super) fn all(mut self) -> u32 {
        let plan = self.plan;
        let used: Vec<Vec<Slot>> = plan.steps.iter().map(distinct).collect();
        for (index, slots) in used.iter().enumerate() {
            slots.iter().for_each(|slot| self.last_use[slot.0 as usize] = Some(index));
        }
        let streams = [plan.stdin, plan.stdout, plan.stderr].into_iter().filter_map(|stream| match stream {
            Stdio::Descriptor(slot) => Some(slot),
            Stdio::Inherit | Stdio::Null | Stdio::Pipe => None,
        });
        let passed = plan.pass.iter().map(|(slot, _)| *slot);
        let later = plan.last.iter().flat_map(Step::slots).chain(plan.listener());
        for slot in later.chain(streams).chain(passed) {
            self.last_use[slot.0 as usize] = None;
        }
        for (index, (step, slots)) in plan.steps.iter().zip(&used).enumerate() {
            slots.iter().for_each(|slot| self.number(slot.0 as usize));
            for slot in slots.iter().filter(|slot| closes(step, **slot)) {
                self.release(*slot, index);
            }
        }
        (0..self.has.len()).for_each(|slot| self.number(slot));
        self.next
    }

    fn number(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.has[slot], true) {
            self.numbers[slot] = self.free.pop().unwrap_or_else(|| {
                self.next += 1;
                self.next - 1
            });
        }
    }

    /// The step closes the slot, which makes room if that was its last use.
    fn release(&mut self, slot: Slot, step: usize) {
        if self.last_use[slot.0 as usize] == Some(step) && !self.plan.slots.is_input(slot) {
            self.free.push(self.numbers[slot.0 as usize]);
        }
    }
}

fn distinct(step: &Step) -> Vec<Slot> {
    let mut slots = step.slots();
    slots.sort_unstable();
    slots.dedup();
    slots
}

/// Whether a slot is empty after a step that uses it.
fn closes(step: &Step, slot: Slot) -> bool {
    match step {
        Step::Close(closed) => *closed == slot,
        Step::If { then, otherwise, .. } => then.iter().chain(otherwise).any(|step| closes(step, slot)),
        _ => false,
    }
}
