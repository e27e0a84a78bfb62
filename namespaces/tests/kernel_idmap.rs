//! The kernel's verdict about id maps, text by text, against that of `IdMap::parse`.

mod common;

use cofferdam_namespaces::{Error, IdMap, MapFault};
use common::{CloneFlags, Sleeper};
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;

/// Whether the kernel takes the text for a map, be it permitted to this caller or not. Needs a new child
/// for each.
fn kernel_takes(text: &str) -> Option<bool> {
    let child = Sleeper::start(CloneFlags::CLONE_NEWUSER)?;
    let path = format!("/proc/{}/uid_map", child.pid());
    let mut file = OpenOptions::new().write(true).open(path).expect("open");
    match file.write_all(text.as_bytes()) {
        Ok(()) => Some(true),
        Err(error) => match error.raw_os_error() {
            Some(libc::EPERM) => Some(true),
            Some(libc::EINVAL) => Some(false),
            _ => panic!("{text:?}: {error}"),
        },
    }
}

fn many(count: u32) -> String {
    (0..count).fold(String::new(), |mut text, i| {
        writeln!(text, "{0} {0} 1", i * 2).expect("to a string");
        text
    })
}

#[test]
fn same_verdict() {
    let texts = [
        "0 1000 1",
        "0 1000 1\n",
        "   0   1000     1  \n  1 100000\t65536",
        "0 0 4294967295",
        "0 0 4294967294",
        "1 0 4294967294",
        "1 0 4294967295",
        "0 1 4294967295",
        "4294967294 4294967294 1",
        "4294967294 0 2",
        "4294967295 0 1",
        "0 4294967295 1",
        "0 0 0",
        "0 0 1\n1 5 0",
        "0 0 2\n2 2 2",
        "0 0 2\n1 5 1",
        "0 5 2\n9 4 2",
        "0 5 2\n9 6 1",
        "5 0 2\n3 9 2",
        "5 0 2\n3 9 3",
        "0 0 1\n0 0 1",
        "0 0",
        "0 0 1 2",
        "0 0 1\n\n1 1 1",
        "a b c",
        "-1 0 1",
        "+1 0 1",
        "0x1 0 1",
        "0 0 1 # note",
        " ",
    ];
    for text in texts.into_iter().map(str::to_owned).chain([many(340), many(341)]) {
        let Some(kernel) = kernel_takes(&text) else {
            skip!("user namespaces cannot be made here");
        };
        assert_eq!(IdMap::parse(text.as_bytes()).is_ok(), kernel, "{text:?}");
    }
}

/// Where we are stricter on purpose: the kernel cuts a number to 32 bits, so that this would map id 0.
#[test]
fn numbers_are_not_cut() {
    let text = "4294967296 1000 1";
    let Some(kernel) = kernel_takes(text) else {
        skip!("user namespaces cannot be made here");
    };
    assert!(kernel);
    let fault = MapFault::Syntax { entry: 1, text: text.to_owned() };
    assert_eq!(IdMap::parse(text.as_bytes()), Err(Error::IdMap(fault)));
}
