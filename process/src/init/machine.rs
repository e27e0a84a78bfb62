//! The machine: carries a program out, operation by operation.

use super::channel::{self, Message, kind};
use super::format::{self, Argument, MAX_SLOTS, NONE, Operation, code, flag};
use super::sys::{self, checked};
use super::{hold, operations, place, reaper, target};

/// The state of the init.
pub(super) struct Machine<'a> {
    /// The program. Structures in it are patched in place.
    pub(super) program: &'a mut [u8],
    /// The descriptor in each slot, or -1.
    pub(super) slots: [i32; MAX_SLOTS],
    /// How many slots the program has.
    pub(super) used: u32,
    /// The control socket.
    pub(super) control: i32,
    /// Index of the operation under way.
    pub(super) index: u32,
    /// The caller's last word was taken.
    pub(super) taken: bool,
}

/// Reports a failure to the caller and ends the process.
pub(super) fn fail(control: i32, operation: u32, errno: i32) -> ! {
    let message = Message { kind: kind::FAILED, operation, errno, value: 0 };
    // If nobody listens any more, nobody needs to know.
    channel::send(control, message, &[]).unwrap_or_default();
    sys::exit(125)
}

/// Checks the program and carries it out.
pub(super) fn run(program: &mut [u8], control: i32) -> ! {
    let Ok(header) = format::check(program) else {
        fail(control, format::NO_OPERATION, sys::EBADMSG);
    };
    let mut machine =
        Machine { program, slots: [-1; MAX_SLOTS], used: header.slots, control, index: 0, taken: false };
    machine.load_given(header.given);
    let mut at = header.first;
    while machine.index < header.operations {
        match machine.step(at) {
            Ok(next) => at = next,
            Err(errno) => fail(machine.control, machine.index, errno),
        }
        machine.index += 1;
    }
    // A program ends with an exec, which does not come back.
    fail(machine.control, format::NO_OPERATION, sys::EBADMSG)
}

impl<'a> Machine<'a> {
    /// A machine for a checked program.
    #[cfg(test)]
    pub(super) fn new(program: &'a mut [u8], slots: u32, control: i32) -> Self {
        Self { program, slots: [-1; MAX_SLOTS], used: slots, control, index: 0, taken: false }
    }

    /// Fills the first slots with the descriptors that the header lists.
    fn load_given(&mut self, given: usize) {
        for index in 0..given {
            let number = format::u32_at(self.program, format::HEADER + index * 4).unwrap_or(NONE);
            if let Some(slot) = self.slots.get_mut(index) {
                *slot = number.cast_signed();
            }
        }
    }

    /// Carries out the operation at an offset; gives the offset of the next.
    pub(super) fn step(&mut self, at: usize) -> Result<usize, i32> {
        let operation = format::operation(self.program, at, self.used).map_err(|_| sys::EBADMSG)?;
        let result = match operation.code {
            code::CALL => self.call(&operation),
            code::TARGET => target::make(self, &operation),
            code::VERIFY => operations::verify(self, &operation),
            code::SYNC => operations::sync(self, &operation),
            code::FORK => operations::fork(self),
            code::STAY => reaper::stay(self),
            code::CWD => operations::check_cwd(),
            code::SIGNALS => operations::reset_signals(),
            code::PLACE => place::place(self, &operation),
            code::BOUNDING => operations::drop_bounding(&operation),
            code::FIND => hold::find(self, &operation),
            code::HOLD => hold::hold(self, &operation),
            code::TAKE => operations::last_word(self),
            _ => operations::exec(self, &operation),
        };
        match result {
            Ok(value) if operation.out != NONE => self.set(operation.out, value as i32)?,
            Err(errno) if errno.cast_unsigned() != operation.tolerate => return Err(errno),
            Err(_) => return self.skip(&operation),
            Ok(_) => {}
        }
        self.close_after(&operation)?;
        Ok(operation.next)
    }

    /// Leaves out operations after one that failed as it may; gives the offset of the next.
    fn skip(&mut self, operation: &Operation) -> Result<usize, i32> {
        self.close_after(operation)?;
        let mut next = operation.next;
        for _ in 0..operation.flags >> flag::SKIP {
            next = format::operation(self.program, next, self.used).map_err(|_| sys::EBADMSG)?.next;
            self.index += 1;
        }
        Ok(next)
    }

    /// Closes what an operation was the last to need.
    fn close_after(&mut self, operation: &Operation) -> Result<(), i32> {
        if let Some(slot) = (operation.flags >> flag::CLOSE & flag::CLOSE_MASK).checked_sub(1) {
            sys::close(self.slot(u64::from(slot))?);
            self.set(slot, -1)?;
        }
        Ok(())
    }

    /// A plain system call.
    fn call(&mut self, operation: &Operation) -> Result<usize, i32> {
        /// How often a call may answer `EAGAIN`: a path that is renamed all the time.
        const RETRIES: u32 = 1000;
        let mut arguments = [0; 6];
        for (value, argument) in arguments.iter_mut().zip(operation.arguments.iter().take(operation.count)) {
            *value = self.value(argument)?;
        }
        let mut left = if operation.flags & flag::RETRY != 0 { RETRIES } else { 0 };
        loop {
            // SAFETY: the caller's encoder made the arguments for this call: numbers, open descriptors, and
            // pointers into the program, which lives as long as the process.
            match unsafe { checked(operation.number, arguments) } {
                Err(sys::EAGAIN) if left > 0 => left -= 1,
                other => return other,
            }
        }
    }

    /// What an argument is as a machine word; structures are patched.
    pub(super) fn value(&mut self, argument: &Argument) -> Result<usize, i32> {
        match argument.kind {
            format::kind::NUMBER => Ok(argument.value as usize),
            format::kind::SLOT => Ok(sys::fd(self.slot(argument.value)?)),
            format::kind::BYTES => Ok(self.address(argument.start)),
            _ => {
                for index in 0..argument.value as usize {
                    self.patch(argument, index)?;
                }
                Ok(self.address(argument.start))
            }
        }
    }

    fn patch(&mut self, argument: &Argument, index: usize) -> Result<(), i32> {
        let (at, kind, value) =
            format::patch(self.program, argument, index, self.used).map_err(|_| sys::EBADMSG)?;
        let (bytes, width) = if kind == format::patch::SLOT {
            ((self.slot(value as u64)? as i64).to_ne_bytes(), 4)
        } else {
            ((self.address(value) as u64).to_ne_bytes(), 8)
        };
        let field = self.program.get_mut(at..at + width).ok_or(sys::EBADMSG)?;
        field.copy_from_slice(bytes.get(..width).ok_or(sys::EBADMSG)?);
        Ok(())
    }

    /// The address of an offset in the program.
    pub(super) fn address(&mut self, offset: usize) -> usize {
        self.program.as_mut_ptr() as usize + offset
    }

    /// The descriptor in a slot.
    pub(super) fn slot(&self, index: u64) -> Result<i32, i32> {
        match self.slots.get(index as usize) {
            Some(number) if *number >= 0 => Ok(*number),
            _ => Err(sys::EBADF),
        }
    }

    /// Puts a descriptor into a slot.
    pub(super) fn set(&mut self, index: u32, number: i32) -> Result<(), i32> {
        *self.slots.get_mut(index as usize).ok_or(sys::EBADMSG)? = number;
        Ok(())
    }

    /// The bytes of an argument.
    pub(super) fn bytes(&self, argument: &Argument) -> Result<&[u8], i32> {
        self.program.get(argument.start..argument.start + argument.len).ok_or(sys::EBADMSG)
    }
}
