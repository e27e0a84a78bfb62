//! The decoder under arbitrary input, and the interpreter on real operations.

use proptest::prelude::*;

use super::format::{self, code};
use super::machine::Machine;
use super::sys;
use crate::encode::{Operation, Program, decode};

proptest! {
    #[test]
    fn arbitrary_bytes_never_crash_the_decoder(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        // Noise has no valid header.
        prop_assert!(format::check(&bytes).is_err());
    }

    /// A valid program with some bytes changed gets deeper into the decoder than noise.
    #[test]
    fn changed_programs_never_crash_the_decoder(
        operations in proptest::collection::vec(crate::encode::arbitrary_operation(), 0..8),
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..16),
    ) {
        let program = Program { operations, labels: Vec::new(), slots: 16 };
        let mut bytes = program.to_bytes(&[0, 1, 2]).unwrap();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if let Ok(header) = format::check(&bytes) {
            // What passes the check can be decoded without errors.
            let mut at = header.first;
            for _ in 0..header.operations {
                at = format::operation(&bytes, at, header.slots).unwrap().next;
            }
        }
    }

    #[test]
    fn decoding_gives_what_was_encoded(
        operations in proptest::collection::vec(crate::encode::arbitrary_operation(), 0..12),
        given in proptest::collection::vec(any::<i32>(), 0..16),
    ) {
        let program = Program { operations: operations.clone(), labels: Vec::new(), slots: 16 };
        let bytes = program.to_bytes(&given).unwrap();
        let (decoded, numbers) = decode(&bytes).unwrap();
        prop_assert_eq!(decoded, operations);
        prop_assert_eq!(numbers, given);
    }
}

/// Runs a program's operations in this process.
fn run(operations: Vec<Operation>) -> Result<(), (usize, i32)> {
    let count = operations.len();
    let mut bytes = Program { operations, labels: Vec::new(), slots: 16 }.to_bytes(&[]).unwrap();
    let header = format::check(&bytes).unwrap();
    let mut machine = Machine::new(&mut bytes, header.slots, -1);
    let mut at = header.first;
    for index in 0..count {
        at = machine.step(at).map_err(|errno| (index, errno))?;
    }
    Ok(())
}

#[test]
fn calls_take_strings_numbers_and_slots() {
    use crate::encode::Value;
    let open = |path: &str| {
        let path = Value::Bytes([path.as_bytes(), &[0]].concat());
        Operation::call(
            libc::SYS_openat,
            [Value::Number(-100_i64 as u64), path, Value::Number(0), Value::Number(0)],
        )
    };
    let close = |slot| Operation::call(libc::SYS_close, [Value::Slot(slot)]);
    assert_eq!(run(vec![open("/etc/passwd").out(3), close(3)]), Ok(()));
    assert_eq!(run(vec![open("/nowhere").out(3)]), Err((0, libc::ENOENT)));
    assert_eq!(run(vec![open("/nowhere").tolerate(libc::ENOENT)]), Ok(()));
    // A slot that nothing was put into.
    assert_eq!(run(vec![close(5)]), Err((0, sys::EBADF)));
    assert_eq!(run(vec![Operation::new(code::CWD)]), Ok(()));
    assert_eq!(run(vec![Operation::call(-1, [])]), Err((0, libc::ENOSYS)));
}

#[test]
fn an_operation_that_fails_as_it_may_leaves_out_others() {
    let wrong = || Operation::call(libc::SYS_close, [crate::encode::Value::Number(u64::MAX)]);
    let may_fail = |skip: u32| wrong().tolerate(libc::EBADF).flags(skip << format::flag::SKIP);
    assert_eq!(skipping(vec![may_fail(1), wrong()]), Ok(()));
    assert_eq!(skipping(vec![may_fail(2), wrong(), wrong(), Operation::new(code::CWD)]), Ok(()));
    assert_eq!(skipping(vec![may_fail(1), wrong(), wrong()]), Err((2, libc::EBADF)));
    // One that succeeds leaves out nothing.
    let succeeds = Operation::new(code::CWD).tolerate(libc::EBADF).flags(1 << format::flag::SKIP);
    assert_eq!(skipping(vec![succeeds, wrong()]), Err((1, libc::EBADF)));
    // Beyond the end there is nothing to skip.
    assert_eq!(skipping(vec![may_fail(2), wrong()]), Err((1, sys::EBADMSG)));
}

/// Runs a program's operations in this process, as far as they are not left out.
fn skipping(operations: Vec<Operation>) -> Result<(), (usize, i32)> {
    let mut bytes = Program { operations, labels: Vec::new(), slots: 16 }.to_bytes(&[]).unwrap();
    let header = format::check(&bytes).unwrap();
    let mut machine = Machine::new(&mut bytes, header.slots, -1);
    let mut at = header.first;
    while machine.index < header.operations {
        at = machine.step(at).map_err(|errno| (machine.index as usize, errno))?;
        machine.index += 1;
    }
    Ok(())
}

#[test]
fn structures_are_patched_with_pointers_and_descriptors() {
    use crate::encode::{Content, Patch, Value};
    // writev to a pipe: an iovec whose pointer is filled in.
    let (read, write) = rustix::pipe::pipe().unwrap();
    let write = u64::from(std::os::fd::AsRawFd::as_raw_fd(&write).unsigned_abs());
    let mut bytes = vec![0; 16];
    bytes[8..].copy_from_slice(&5_u64.to_ne_bytes());
    bytes.extend(b"hello");
    let patches = vec![Patch { offset: 0, content: Content::Pointer(16) }];
    let vector = Value::Structure { bytes, patches };
    run(vec![Operation::call(libc::SYS_writev, [Value::Number(write), vector, Value::Number(1)])]).unwrap();
    let mut buffer = [0; 8];
    assert_eq!(rustix::io::read(&read, &mut buffer).unwrap(), 5);
    assert_eq!(&buffer[..5], b"hello");
}

#[test]
fn the_numbers_are_those_of_the_c_library() {
    use super::sys::nr;
    let pairs = [
        (nr::CLOSE, libc::SYS_close),
        (nr::MMAP, libc::SYS_mmap),
        (nr::RT_SIGACTION, libc::SYS_rt_sigaction),
        (nr::RECVFROM, libc::SYS_recvfrom),
        (nr::SENDMSG, libc::SYS_sendmsg),
        (nr::RECVMSG, libc::SYS_recvmsg),
        (nr::EXECVE, libc::SYS_execve),
        (nr::WAIT4, libc::SYS_wait4),
        (nr::KILL, libc::SYS_kill),
        (nr::FCNTL, libc::SYS_fcntl),
        (nr::GETCWD, libc::SYS_getcwd),
        (nr::CAPGET, libc::SYS_capget),
        (nr::CAPSET, libc::SYS_capset),
        (nr::RT_SIGTIMEDWAIT, libc::SYS_rt_sigtimedwait),
        (nr::FSTATFS, libc::SYS_fstatfs),
        (nr::PRCTL, libc::SYS_prctl),
        (nr::EXIT_GROUP, libc::SYS_exit_group),
        (nr::OPENAT, libc::SYS_openat),
        (nr::UNSHARE, libc::SYS_unshare),
        (nr::MKDIRAT, libc::SYS_mkdirat),
        (nr::DUP3, libc::SYS_dup3),
        (nr::SETNS, libc::SYS_setns),
        (nr::EXECVEAT, libc::SYS_execveat),
        (nr::STATX, libc::SYS_statx),
        (nr::CLONE3, libc::SYS_clone3),
        (nr::CLOSE_RANGE, libc::SYS_close_range),
        (nr::OPENAT2, libc::SYS_openat2),
        (nr::READLINKAT, libc::SYS_readlinkat),
        (nr::ACCEPT4, libc::SYS_accept4),
        (nr::FACCESSAT2, libc::SYS_faccessat2),
    ];
    for (ours, theirs) in pairs {
        assert_eq!(libc::c_long::from(ours), theirs);
    }
}
