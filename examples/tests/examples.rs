//! Each example shows what it says, as root and as an ordinary user.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{errors, users};

/// What an example prints as anybody, as root, and as an ordinary user.
type Case = (&'static str, &'static [&'static str], &'static [&'static str], &'static [&'static str]);

const CASES: [Case; 28] = [
    (
        "capabilities",
        &[
            "none: CapEff: 0000000000000000",
            "ambient: CapEff: 0000000000001000",
            "with usual: done",
            "not permitted",
        ],
        &[],
        &[],
    ),
    (
        "cgroup",
        &["it ended: exit status: ", "counted"],
        &["limited: pids.max 5", "times it could start no more"],
        &[],
    ),
    (
        "engine",
        &[
            "first ended: exit status: 3",
            "in second: exit status: 0",
            "second ended: signal: 9",
            "containers left: 0",
        ],
        &[],
        &[],
    ),
    (
        "errors",
        &[
            "no such program: execute /no/such/program: ENOENT",
            "NotFound, errno Some(ENOENT (No such file or directory)), exit code 127",
            "exit code 126",
            "a root that is a file: root /etc/passwd: ENOTDIR",
        ],
        &["no new user namespace: exit status: 0"],
        &["needs", "because: start a process in new namespaces"],
    ),
    (
        "exec",
        &["beside process 1, sh, on first reads secret", "join namespaces of pid:[", "has ended"],
        &[],
        &[],
    ),
    (
        "explain",
        &["set hostname builder", "execute make all", "the same again: true", "host's network: false"],
        &[],
        &[],
    ),
    ("hello", &["I am process 1, user 0, on box", "it ended: exit status: 0"], &[], &[]),
    (
        "idmaps",
        &["inside user 1000, group 1000, map 1000 "],
        &["inside user 0, group 0, map 0 100000 65536", "inside user 33, group 33"],
        &["uid_map: the range \"0 0 1\" needs CAP_SETFCAP"],
    ),
    (
        "init",
        &["is sleep, zombies: 1", "zombies: 0", "got TERM", "it ended: exit status: 6", "exit status: 137"],
        &[],
        &[],
    ),
    ("join", &["join net:[", "the server ended: signal: 9"], &[], &[]),
    (
        "limits",
        &["open files 64, processor seconds 1", "writing 6 MiB ended: exit status: 1", "refused: "],
        &[],
        &[],
    ),
    ("lsns", &["belong to process", "sleep 60", "cgroup"], &[], &[]),
    ("many", &["100 run at once", "100 of 100 ended as they were told"], &[], &[]),
    (
        "meeting",
        &["it reads: Linux version", "a message from the caller", "handed over at the start"],
        &[],
        &[],
    ),
    (
        "mounts",
        &[
            "/mnt is writable",
            "/media is read-only",
            "/srv has 1024 KiB",
            "now \"from inside\\n\"",
            "refused: ",
        ],
        &[],
        &[],
    ),
    ("names", &["inside \"box\"", "inside \"example\"", "forwarding inside: 1", "refused: sysctl"], &[], &[]),
    ("network", &["ConnectionRefused", "NetworkUnreachable", "connect to an own port: Ok(())"], &[], &[]),
    (
        "notify",
        &["asks for /tmp/made-in-words-only", "asks for /etc/forbidden", "\nmade\n", "Permission denied"],
        &[],
        &[],
    ),
    ("oci_bundle", &["example: created", "process 1 of a bundle", "it ended: exit status: 7"], &[], &[]),
    ("output", &["wrote \"out\\n\" and \"err\\n\"", "two became <two>", "the file has 12 bytes"], &[], &[]),
    ("persist", &[], &["inside it: 42 net:[", "gone: true"], &["needs root"]),
    (
        "plan",
        &["set hostname by-hand", "1 0 by-hand made-by-the-init", "change directory to /no/such"],
        &[],
        &[],
    ),
    (
        "root_directory",
        &["writable: exit status: 0", "the file outside: \"written\\n\"", "Read-only"],
        &[],
        &[],
    ),
    ("threads", &["100 of 100 programs succeeded"], &[], &[]),
    ("time", &["a week ahead: ", "refused: enter a new time namespace"], &[], &[]),
    ("timeout", &["was killed after 100ms", "after 50 ms: true", "it ended: signal: 9"], &[], &[]),
    ("tokio", &["4 is process 1", "less than 1 s: true", "TimedOut"], &[], &[]),
    (
        "user",
        &["user 1000, group 1000, in /tmp, umask 0077", "CapEff:\t0000000000000000", "LANG=C"],
        &[],
        &[],
    ),
];

/// Cargo puts the examples beside the tests.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let path = test.parent().and_then(Path::parent).expect("two levels").join("examples").join(name);
    assert!(path.exists(), "{} is not built: test the whole package", path.display());
    path
}

#[test]
fn every_example_shows_what_it_says() {
    for (name, anybody, root, ordinary) in CASES {
        if ["many", "tokio"].contains(&name) && !cfg!(feature = "tokio") {
            println!("skipped: the example {name} needs the feature tokio");
            continue;
        }
        if ["engine", "many", "oci_bundle"].contains(&name) && !Path::new("/bin/busybox").exists() {
            println!("skipped: the example {name} needs a static busybox");
            continue;
        }
        for user in users(&built(name).to_string_lossy(), env!("CARGO_BIN_EXE_isolate")) {
            let output = user.run::<&str>(&[]);
            let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
            let by = if user.root { "root" } else { "an ordinary user" };
            assert!(output.status.success(), "{name} by {by}: {:?} {}", output.status, errors(&output));
            for part in anybody.iter().chain(if user.root { root } else { ordinary }) {
                assert!(text.contains(part), "{name} by {by} does not say {part:?}: {text}");
            }
        }
    }
}

#[test]
fn every_example_is_listed_and_short() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(folder.join("README.md")).expect("README.md");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.join("examples")).expect("the examples") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("an example");
        // An engine is more than one capability.
        let most = if name == "engine" { 110 } else { 80 };
        assert!(text.lines().count() <= most, "{name} is longer than {most} lines");
        assert!(text.starts_with("//! ") && text.contains("eeds "), "{name} does not say what it needs");
        assert!(readme.contains(&format!("`{name}`")), "{name} is not in the README");
        names.push(name);
    }
    names.sort();
    assert_eq!(names, CASES.map(|(name, ..)| name));
}
