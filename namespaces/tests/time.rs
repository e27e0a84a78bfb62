//! Clock offsets of a real time namespace.

mod common;

use cofferdam_namespaces::{Clocks, Offset, TimeOffsets};
use common::{CloneFlags, on_own_thread};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::Command;

// nix has no name for it.
const CLONE_NEWTIME: i32 = 0x80;

fn unshare_time() -> File {
    nix::sched::unshare(CloneFlags::from_bits_retain(CLONE_NEWTIME))
        .expect("root may, also of a user namespace");
    let tid = rustix::thread::gettid();
    File::open(format!("/proc/{tid}")).expect("own directory")
}

#[test]
fn offsets_reach_the_children() {
    require_root_of_a_namespace!();
    on_own_thread(|| {
        let dir = unshare_time();
        let offsets = TimeOffsets {
            monotonic: Offset { seconds: -1, nanoseconds: 500_000_000 },
            boottime: Offset { seconds: 1_000_000, nanoseconds: 7 },
        };
        offsets.check(&Clocks::now()).expect("in range");
        offsets.write_to(dir.as_fd()).expect("write");
        assert_eq!(TimeOffsets::current().expect("read"), offsets);
        let mut cat = Command::new("cat");
        #[allow(unsafe_code)]
        // SAFETY: the closure does nothing. That there is one has the library fork: before Linux 6.3 a process with
        // a new time namespace for its children cannot be copied by vfork.
        unsafe {
            cat.pre_exec(|| Ok(()));
        }
        let output = cat.arg("/proc/uptime").output().expect("cat");
        let text = String::from_utf8(output.stdout).expect("text");
        let uptime: f64 = text.split(' ').next().and_then(|word| word.parse().ok()).expect("seconds");
        assert!(uptime > 1_000_000.0, "{text}");
        let error = offsets.write_to(dir.as_fd()).expect_err("frozen by the child");
        assert_eq!(error.errno().and_then(|errno| errno.name()), Some("EACCES"));
    });
}

#[test]
fn the_kernel_agrees_about_the_range() {
    require_root_of_a_namespace!();
    let now = Clocks::now();
    let zero = Offset::default();
    let offset = |seconds| Offset { seconds, nanoseconds: 0 };
    let high = 4_611_686_018;
    let cases = [
        (offset(-now.monotonic.seconds - 2), false),
        (offset(high), false),
        (offset(high - now.monotonic.seconds - 60), true),
        (offset(i64::MAX), false),
        (offset(i64::MIN), false),
        (offset(-now.monotonic.seconds / 2), true),
    ];
    for (monotonic, fits) in cases {
        on_own_thread(move || {
            let dir = unshare_time();
            let offsets = TimeOffsets { monotonic, boottime: zero };
            assert_eq!(offsets.check(&Clocks::now()).is_ok(), fits, "{offsets}");
            let written = offsets.write_to(dir.as_fd()).map_err(|error| error.errno());
            let expected = if fits { Ok(()) } else { Err(Some("ERANGE")) };
            assert_eq!(written.map_err(|errno| errno.and_then(|e| e.name())), expected, "{offsets}");
        });
    }
}
