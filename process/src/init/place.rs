//! The program's descriptors: each at its number, all others closed.

use super::format::{self, Argument, Operation};
use super::machine::Machine;
use super::sys::{self, checked, fd, nr};

/// Most descriptors that a program can be given.
pub(crate) const MAX_PLACED: usize = 256;

/// Most descriptors that the init keeps for later.
pub(crate) const MAX_KEPT: usize = 64;

const F_SETFD: usize = 2;
const F_DUPFD_CLOEXEC: usize = 1030;
const FD_CLOEXEC: usize = 1;

/// Arguments: pairs of slot and number, by rising number; slots that stay open for later, and are closed by the exec.
pub(super) fn place(machine: &mut Machine<'_>, operation: &Operation) -> Result<usize, i32> {
    let list = operation.arguments[0];
    let count = list.len / 8;
    let mut targets = [0_i32; MAX_PLACED];
    let mut sources = [0_i32; MAX_PLACED];
    let (targets, sources) =
        (targets.get_mut(..count).ok_or(sys::EMFILE)?, sources.get_mut(..count).ok_or(sys::EMFILE)?);
    for (index, (target, source)) in targets.iter_mut().zip(sources.iter_mut()).enumerate() {
        let word = |at: usize| {
            format::u32_at(machine.program, list.start + index * 8 + at).map_err(|_| sys::EBADMSG)
        };
        *source = machine.slot(u64::from(word(0)?))?;
        *target = word(4)?.cast_signed();
    }
    let above = targets.last().map_or(0, |last| *last + 1);
    machine.control = out_of_the_way(machine.control, targets, above)?;
    let mut kept = [0_i32; MAX_KEPT + 1];
    let kept = keep(machine, &operation.arguments[1], targets, above, &mut kept)?;
    for (source, target) in sources.iter_mut().zip(targets.iter()) {
        if source != target {
            *source = out_of_the_way(*source, targets, above)?;
        }
    }
    for (source, target) in sources.iter().zip(targets.iter()) {
        put(*source, *target)?;
    }
    for number in kept.iter() {
        // SAFETY: takes numbers only.
        unsafe { checked(nr::FCNTL, [fd(*number), F_SETFD, FD_CLOEXEC, 0, 0, 0])? };
    }
    close_others(targets, kept)
}

/// What stays open: the control socket and the descriptors in these slots, none of them at a target's number.
fn keep<'k>(
    machine: &mut Machine<'_>,
    slots: &Argument,
    targets: &[i32],
    above: i32,
    kept: &'k mut [i32; MAX_KEPT + 1],
) -> Result<&'k [i32], i32> {
    let (control, others) = kept.split_first_mut().ok_or(sys::EINVAL)?;
    *control = machine.control;
    let count = slots.len / 4;
    for (index, number) in others.get_mut(..count).ok_or(sys::EMFILE)?.iter_mut().enumerate() {
        let slot = format::u32_at(machine.program, slots.start + index * 4).map_err(|_| sys::EBADMSG)?;
        *number = out_of_the_way(machine.slot(u64::from(slot))?, targets, above)?;
        machine.set(slot, *number)?;
    }
    kept.get(..=count).ok_or(sys::EMFILE)
}

/// A descriptor whose number is one of the targets moves above them all.
fn out_of_the_way(number: i32, targets: &[i32], above: i32) -> Result<i32, i32> {
    if !targets.contains(&number) {
        return Ok(number);
    }
    // SAFETY: takes numbers only.
    unsafe { checked(nr::FCNTL, [fd(number), F_DUPFD_CLOEXEC, fd(above), 0, 0, 0]) }.map(|copy| copy as i32)
}

fn put(source: i32, target: i32) -> Result<(), i32> {
    // SAFETY: takes numbers only.
    let result = unsafe {
        if source == target {
            checked(nr::FCNTL, [fd(target), F_SETFD, 0, 0, 0, 0])
        } else {
            checked(nr::DUP3, [fd(source), fd(target), 0, 0, 0, 0])
        }
    };
    result.map(|_| ())
}

/// Closes everything between the targets and the kept numbers, and above them.
fn close_others(targets: &[i32], kept: &[i32]) -> Result<usize, i32> {
    let mut from = 0;
    loop {
        let next = targets.iter().chain(kept).filter(|kept| **kept >= from).min();
        let last = next.map_or(i32::MAX, |kept| *kept - 1);
        if from <= last {
            // SAFETY: takes numbers only.
            unsafe { checked(nr::CLOSE_RANGE, [fd(from), fd(last), 0, 0, 0, 0])? };
        }
        match next {
            Some(kept) => from = *kept + 1,
            None => return Ok(0),
        }
    }
}
