//! Builds a program: slots, labels, operations.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::numbering::Numbering;
use super::program::{Operation, Program, Value};
use super::{Context, Label, Part};
use crate::Error;
use crate::init::format::{code, flag};
use crate::plan::{Location, Plan, Slot, Stdio};

/// `AT_FDCWD` as an argument.
pub(super) const AT_FDCWD: Value = Value::Number((-100_i64).cast_unsigned());

/// A program under construction.
pub(super) struct Builder<'a> {
    pub(super) plan: &'a Plan,
    pub(super) context: Context,
    /// The part of the plan that operations are labelled with.
    pub(super) part: Part,
    /// A procfs of the init's own, once a step needed it.
    pub(super) private_proc: Option<u32>,
    /// Files of the process in procfs that were opened at the start, by step.
    pub(super) opened: Vec<(usize, u32)>,
    /// Filled if the working directory was entered at the first attempt, where there are two.
    pub(super) entered: Option<u32>,
    /// The steps that are being encoded belong to a condition.
    pub(super) nested: bool,
    /// Nothing is joined with the operations before this one, as a condition leads here.
    joint: usize,
    operations: Vec<Operation>,
    labels: Vec<Label>,
    /// The program's slot for each slot of the plan.
    numbers: Vec<u32>,
    free: Vec<u32>,
    slots: u32,
}

impl<'a> Builder<'a> {
    pub(super) fn new(plan: &'a Plan, context: Context) -> Self {
        // The given descriptors come first: the plan's inputs, then the three standard streams.
        let mut numbers = vec![0; plan.slots.count()];
        let mut next = 0;
        let inputs = plan.slots.input_slots().map(|slot| slot.0 as usize);
        for index in inputs {
            numbers[index] = next;
            next += 1;
        }
        next += STREAMS;
        let next = Numbering::new(plan, &mut numbers, next).all();
        Self {
            plan,
            context,
            part: Part::Frame("prepare the init"),
            private_proc: None,
            opened: Vec::new(),
            entered: None,
            nested: false,
            joint: 0,
            operations: Vec::new(),
            labels: Vec::new(),
            numbers,
            free: Vec::new(),
            slots: next,
        }
    }

    pub(super) fn finish(self) -> Program {
        Program { operations: self.operations, labels: self.labels, slots: self.slots }
    }

    /// The program's number of a slot of the plan. Validation has seen that it exists.
    pub(super) fn slot(&self, slot: Slot) -> u32 {
        self.numbers.get(slot.0 as usize).copied().unwrap_or(u32::MAX)
    }

    /// The slot that a standard stream is given in.
    pub(super) fn stream(&self, stdio: Stdio, stream: u32) -> u32 {
        match stdio {
            Stdio::Descriptor(slot) => self.slot(slot),
            _ => u32::try_from(self.plan.inputs()).unwrap_or(u32::MAX) + stream,
        }
    }

    /// A slot for the time being.
    pub(super) fn temporary(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.slots += 1;
            self.slots - 1
        })
    }

    pub(super) fn push(&mut self, operation: Operation, call: Option<&'static str>) {
        self.operations.push(operation);
        self.labels.push(Label { part: self.part, call });
    }

    /// How many operations there are; from here on they can be reached by a condition.
    pub(super) fn joint(&mut self) -> usize {
        self.joint = self.operations.len();
        self.joint
    }

    /// Where an operation fails as it may, the operations after it are left out up to the end of what there is now.
    pub(super) fn skip(&mut self, index: usize) -> Result<(), Error> {
        let end = self.joint();
        let count = u32::try_from(end - index - 1).ok().filter(|count| *count <= flag::MAX_SKIP);
        match (count, self.operations.get_mut(index)) {
            (Some(count), Some(operation)) => operation.flags |= count << flag::SKIP,
            _ => {
                let reason = "has more than 4095 operations";
                return Err(Error::Invalid { what: "conditional step", value: String::new(), reason });
            }
        }
        Ok(())
    }

    /// A system call whose result does not matter.
    pub(super) fn call(
        &mut self,
        name: &'static str,
        number: libc::c_long,
        values: impl IntoIterator<Item = Value>,
    ) {
        self.push(Operation::call(number, values), Some(name));
    }

    /// Closes a temporary slot, which is free again.
    pub(super) fn close_temporary(&mut self, slot: u32) {
        self.close(slot);
        self.free.push(slot);
    }

    /// Closes a slot: with the operation before it, if that belongs to the same part of the plan and closes no other.
    pub(super) fn close(&mut self, slot: u32) {
        let joint = self.operations.len() <= self.joint;
        let same = !joint && self.labels.last().is_some_and(|label| label.part == self.part);
        match self.operations.last_mut().filter(|last| {
            same && last.flags >> flag::CLOSE & flag::CLOSE_MASK == 0 && last.code == code::CALL
        }) {
            Some(last) => last.flags |= (slot + 1) << flag::CLOSE,
            None => self.call("close", libc::SYS_close, [Value::Slot(slot)]),
        }
    }

    /// The directory and path arguments of an `*at` call.
    pub(super) fn location(&self, location: &Location) -> Result<[Value; 2], Error> {
        let dir = location.dir.map_or(AT_FDCWD, |dir| Value::Slot(self.slot(dir)));
        Ok([dir, path(&location.path)?])
    }
}

/// How many standard streams there are.
pub(super) const STREAMS: u32 = 3;

/// A string with its NUL.
pub(super) fn text(text: &OsStr, what: &'static str) -> Result<Vec<u8>, Error> {
    let bytes = text.as_bytes();
    if bytes.contains(&0) {
        return Err(Error::Invalid {
            what,
            value: text.to_string_lossy().into_owned(),
            reason: "contains a NUL byte",
        });
    }
    Ok([bytes, &[0]].concat())
}

/// A path as an argument.
pub(super) fn path(path: &Path) -> Result<Value, Error> {
    text(path.as_os_str(), "path").map(Value::Bytes)
}

/// An empty path as an argument.
pub(super) fn empty_path() -> Value {
    Value::Bytes(vec![0])
}

/// Words in native byte order.
pub(super) fn words<const N: usize>(words: [u64; N]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}
