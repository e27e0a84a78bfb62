use super::*;
use crate::devices::program::compile;
use std::path::{Path, PathBuf};

#[test]
fn the_last_line_of_the_verifier_that_is_no_figure_is_told() {
    let log =
        b"R0 !read_ok\nverification time 9 usec\nstack depth 0\nprocessed 1 insns (limit 1000000)\n\0\0";
    let reason = reason_of_load(libc::EACCES, log);
    assert_eq!(reason, Some(DeviceProgramFault::Verifier("R0 !read_ok".to_owned())));
    assert_eq!(reason_of_load(libc::EPERM, &[0; 8]), Some(DeviceProgramFault::Privileges));
    assert_eq!(reason_of_load(libc::EINVAL, b""), Some(DeviceProgramFault::NotInKernel));
    assert_eq!(reason_of_load(libc::ENOMEM, b""), Some(DeviceProgramFault::Memory));
    assert_eq!(reason_of_load(libc::EFAULT, b""), None);
}

#[test]
fn a_program_that_is_refused_says_why() {
    let dir = Dir::open(Path::new("/")).unwrap();
    let error = load(&[Insn::exit()], &dir).unwrap_err().to_string();
    let unprivileged = format!("EPERM (Operation not permitted): {}", DeviceProgramFault::Privileges);
    let not_there = format!("EINVAL (Invalid argument): {}", DeviceProgramFault::NotInKernel);
    let expected = ["EACCES (Permission denied): R0 !read_ok", &unprivileged, &not_there];
    assert!(expected.iter().any(|end| error == format!("load the device program of /: {end}")), "{error}");
}

/// A v2 cgroup that is removed in the end; none where this process cannot make one, or have programs.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Option<Self> {
        let table = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        let line = table.lines().find(|line| line.contains(" - cgroup2 "))?;
        let name = format!("cofferdam-test-{}-{name}", std::process::id());
        let scratch = Self(Path::new(line.split(' ').nth(4)?).join(name));
        std::fs::create_dir(&scratch.0).ok()?;
        programs(&scratch.dir()).is_ok().then_some(scratch)
    }

    fn dir(&self) -> Dir {
        Dir::open(&self.0).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Without processes it can be removed, or was never made.
        drop(std::fs::remove_dir(&self.0));
    }
}

fn ids(dir: &Dir) -> (Vec<u32>, Vec<u32>) {
    let programs = programs(dir).unwrap();
    (programs.ours.iter().map(|ours| ours.0).collect(), programs.others)
}

#[test]
fn the_programs_of_others_stay_and_of_ours_there_is_one() {
    let Some(scratch) = Scratch::new("programs") else {
        return eprintln!("skipped: needs a v2 hierarchy, and to be root of the host");
    };
    let dir = scratch.dir();
    let insns = compile(&"c 1:3 rwm".parse().unwrap()).unwrap();
    let other = load_named(&insns, c"somebody", &dir).unwrap();
    let replaced = [load(&insns, &dir).unwrap(), load(&insns, &dir).unwrap()];
    sys::attach_device_program(dir.as_fd(), replaced[0].as_fd(), None).unwrap();
    sys::attach_device_program(dir.as_fd(), other.as_fd(), None).unwrap();
    sys::attach_device_program(dir.as_fd(), replaced[1].as_fd(), None).unwrap();
    let (two, others) = ids(&dir);
    assert_eq!((two.len(), others.len()), (2, 1));
    let program = load(&insns, &dir).unwrap();
    attach(&dir, &program).unwrap();
    let (one, still) = ids(&dir);
    assert_eq!((one.len(), &still), (1, &others));
    assert!(!two.contains(&one[0]));
    detach(&dir, &program).unwrap();
    detach(&dir, &program).unwrap();
    assert_eq!(ids(&dir), (vec![], others));
}

#[test]
fn a_directory_of_v1_is_refused_by_the_kernel() {
    let Some(scratch) = Scratch::new("refused") else {
        return eprintln!("skipped: needs a v2 hierarchy, and to be root of the host");
    };
    let program = load(&compile(&"a".parse().unwrap()).unwrap(), &scratch.dir()).unwrap();
    let error = attach(&Dir::open(Path::new("/proc")).unwrap(), &program).unwrap_err();
    assert_eq!(error.to_string(), "look for the device program of /proc: EBADF (Bad file descriptor)");
}
