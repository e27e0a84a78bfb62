//! What every program gets: arguments, environment, streams, descriptors, signals; and errors that tell apart.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{ErrorKind, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use cofferdam_process::{Error, Plan, Stdio};
use common::{run, shell};

#[test]
fn arguments_and_environment_are_given_by_value() {
    let mut plan = shell("printf '%s|' \"$0\" \"$@\"; env | sort | tr '\\n' '|'");
    plan.args.extend(["zero".into(), "".into(), "two words".into()]);
    plan.env.push(("EMPTY".into(), "".into()));
    plan.env.push(("A".into(), "x=y".into()));
    let output = run(plan).unwrap();
    assert!(output.starts_with("zero||two words|A=x=y|EMPTY=|"), "{output}");
    assert!(!output.contains("CARGO"), "{output}");
}

#[test]
fn a_name_is_looked_up_in_the_search_path() {
    let mut plan = Plan::new("sh");
    plan.args.extend(["-c".into(), "echo found".into()]);
    plan.search = "/nowhere::/usr/bin:/bin".into();
    assert_eq!(run(plan).unwrap(), "found");
}

#[test]
fn errors_of_the_exec_are_those_of_the_standard_library() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "no program").unwrap();
    for program in
        ["/nowhere/program".as_ref(), "no-such-program".as_ref(), file.as_os_str(), "/etc".as_ref()]
    {
        let mut plan = Plan::new(program);
        plan.search = "/usr/bin:/bin".into();
        let error = plan.spawn(&[]).unwrap_err();
        let expected = std::process::Command::new(program).env("PATH", &plan.search).spawn().unwrap_err();
        assert_eq!(error.kind(), expected.kind(), "{program:?}: {error}");
        assert_eq!(error.errno().map(|errno| errno.number()), expected.raw_os_error(), "{program:?}");
        assert!(matches!(error, Error::Exec { .. }), "{error:?}");
    }
    let error = Plan::new("/nowhere/program").spawn(&[]).unwrap_err();
    assert_eq!(error.to_string(), "execute /nowhere/program: ENOENT (No such file or directory)");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[test]
fn the_exit_status_is_the_programs() {
    let status = |script: &str| shell(script).spawn(&[]).unwrap().wait().unwrap();
    assert_eq!(status("exit 7").code(), Some(7));
    assert_eq!(status("kill -TERM $$").signal(), Some(libc::SIGTERM));
    assert!(status("true").success());
}

#[test]
fn running_to_the_end_tells_the_same() {
    use cofferdam_process::Spawner;
    let status = |script: &str| Spawner::new(&shell(script), &[]).status();
    assert_eq!(status("exit 7").unwrap().code(), Some(7));
    assert_eq!(status("kill -KILL $$").unwrap().signal(), Some(libc::SIGKILL));
    assert_eq!(Spawner::new(&Plan::new("/nowhere"), &[]).status().unwrap_err().kind(), ErrorKind::NotFound);
    let mut plan = shell("yes");
    plan.stdout = Stdio::Pipe;
    assert!(!Spawner::new(&plan, &[]).status().unwrap().success());
}

#[test]
fn streams_are_pipes_files_or_nothing() {
    let mut plan = shell("cat; echo error >&2");
    (plan.stdin, plan.stdout, plan.stderr) = (Stdio::Pipe, Stdio::Pipe, Stdio::Pipe);
    let mut child = plan.spawn(&[]).unwrap();
    child.stdin.take().unwrap().write_all(b"through").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"through"[..], &b"error\n"[..]));

    let mut file = tempfile::tempfile().unwrap();
    let mut plan = shell("readlink /proc/self/fd/0; echo file >&2");
    let slot = plan.input("file");
    (plan.stdin, plan.stdout, plan.stderr) = (Stdio::Null, Stdio::Pipe, Stdio::Descriptor(slot));
    let output = plan.spawn(&[file.as_fd()]).unwrap().wait_with_output().unwrap();
    assert_eq!(output.stdout, b"/dev/null\n");
    let mut content = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut content).unwrap();
    assert_eq!(content, "file\n");
}

#[test]
fn descriptors_are_passed_under_their_numbers_and_no_others_stay() {
    let mut plan = shell("cat <&5; cat <&3; ls /proc/self/fd | tr '\\n' ' '");
    let (one, two) = (plan.input("one"), plan.input("two"));
    plan.pass = vec![(one, 5), (two, 3)];
    plan.stdout = Stdio::Pipe;
    let file = |content: &str| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file.rewind().unwrap();
        file
    };
    // Without close-on-exec, as a careless program opens it.
    let leaked = file("leaked");
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    let (one, two) = (file("one "), file("two "));
    let output = plan.spawn(&[one.as_fd(), two.as_fd()]).unwrap().wait_with_output().unwrap();
    // ls opens the directory as 4.
    assert_eq!(String::from_utf8_lossy(&output.stdout), "one two 0 1 2 3 4 5 ");
}

#[test]
fn numbers_that_cross_are_sorted_out() {
    let mut plan = shell("cat <&3; cat <&4");
    plan.stdout = Stdio::Pipe;
    let files: Vec<_> = (0..2)
        .map(|index| {
            let mut file = tempfile::tempfile().unwrap();
            write!(file, "file{index} ").unwrap();
            file.rewind().unwrap();
            file
        })
        .collect();
    let slots = [plan.input("0"), plan.input("1")];
    // Whatever numbers they have here, each order of 3 and 4 must work.
    for order in [[3, 4], [4, 3]] {
        files.iter().for_each(|mut file| file.rewind().unwrap());
        plan.pass = vec![(slots[0], order[0]), (slots[1], order[1])];
        let output = plan.spawn(&[files[0].as_fd(), files[1].as_fd()]).unwrap().wait_with_output().unwrap();
        let expected = if order[0] == 3 { "file0 file1 " } else { "file1 file0 " };
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }
}

#[test]
fn the_program_starts_with_default_signals() {
    // Rust ignores SIGPIPE; this test's thread also blocks a signal.
    let mut plan = shell("grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f2 | tr '\\n' ' '");
    plan.stdout = Stdio::Pipe;
    nix_block(libc::SIGUSR1);
    let output = plan.spawn(&[]).unwrap().wait_with_output().unwrap();
    let zero = "0000000000000000 ";
    assert_eq!(String::from_utf8_lossy(&output.stdout), zero.repeat(2));
}

#[allow(unsafe_code)]
fn nix_block(signal: i32) {
    // SAFETY: an initialised set, changed by the calls made for it.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigaddset(&raw mut set, signal);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

#[test]
fn waiting_can_be_limited_and_asked() {
    let mut child = shell("exec sleep 30").spawn(&[]).unwrap();
    assert!(child.try_wait().unwrap().is_none());
    let begin = Instant::now();
    assert!(child.wait_timeout(Duration::from_millis(50)).unwrap().is_none());
    assert!(begin.elapsed() >= Duration::from_millis(50));
    child.kill(libc::SIGKILL).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
    assert_eq!(child.try_wait().unwrap().unwrap().signal(), Some(libc::SIGKILL));
    child.kill(libc::SIGKILL).unwrap();
}

#[test]
fn realtime_signals_are_sent_and_wrong_ones_refused() {
    let mut child = shell("exec sleep 30").spawn(&[]).unwrap();
    assert_eq!(child.kill(200).unwrap_err().errno().unwrap().number(), libc::EINVAL);
    child.kill(40).unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(40));
}

#[test]
fn large_environments_reach_the_program() {
    let mut plan = shell("echo ${#BIG0} ${#BIG15}");
    for index in 0..16 {
        plan.env.push((format!("BIG{index}").into(), "x".repeat(100_000).into()));
    }
    assert_eq!(run(plan).unwrap(), "100000 100000");
}

#[test]
fn what_cannot_be_is_found_before_anything_happens() {
    let check = |change: &dyn Fn(&mut Plan), expected: &str| {
        let mut plan = Plan::new("/bin/true");
        change(&mut plan);
        let error = plan.spawn(&[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), expected);
    };
    check(&|plan| plan.program = "".into(), "program \"\" is empty");
    check(
        &|plan| plan.args.clear(),
        "argument vector of \"/bin/true\" is empty: the kernel would make one up",
    );
    check(&|plan| plan.args.push("a\0b".into()), "argument \"a\\0b\" contains a NUL byte");
    check(
        &|plan| plan.program = "a\0b".into(),
        "program \"/a\\0b\" contains a NUL byte".replace("/a", "/usr/local/sbin/a").as_str(),
    );
    check(
        &|plan| plan.env.push(("A=".into(), "".into())),
        "environment variable \"A=\" is empty or contains =",
    );
    check(
        &|plan| plan.env.push(("A".into(), "\0".into())),
        "environment variable \"A=\\0\" contains a NUL byte",
    );
    check(
        &|plan| plan.stdin = Stdio::Descriptor(plan.input("file")),
        "number of descriptors \"0\" is not what the plan asks for",
    );
}
