//! Statistics of whatever the files contain: never a panic, and an error that names the file.

mod common;
mod recorded;

use cofferdam_cgroups::{Error, Statistics, StatisticsReader};
use proptest::prelude::*;
use recorded::{files, recorded_v1, recorded_v2, v1_path};
use std::cell::RefCell;

/// A change of a content that is still somewhat like it.
#[derive(Clone, Debug)]
enum Change {
    Cut(prop::sample::Index),
    Replace(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    SwapLines(prop::sample::Index, prop::sample::Index),
    Digits(prop::sample::Index, String),
}

fn change() -> impl Strategy<Value = Change> {
    use prop::sample::Index;
    let byte = prop_oneof![Just(b'\n'), Just(b' '), Just(b'='), Just(b'.'), Just(b'-'), any::<u8>()];
    prop_oneof![
        any::<Index>().prop_map(Change::Cut),
        (any::<Index>(), byte).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(at, more)| Change::Insert(at, more)),
        (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Change::SwapLines(one, other)),
        (any::<Index>(), "[0-9]{1,40}").prop_map(|(at, digits)| Change::Digits(at, digits)),
    ]
}

fn changed(content: &[u8], change: &Change) -> Vec<u8> {
    let mut new = content.to_vec();
    let length = content.len() + 1;
    match change {
        Change::Cut(at) => new.truncate(at.index(length)),
        Change::Replace(at, byte) => {
            if let Some(old) = new.get_mut(at.index(length)) {
                *old = *byte;
            }
        }
        Change::Insert(at, more) => {
            drop(new.splice(at.index(length)..at.index(length), more.iter().copied()))
        }
        Change::SwapLines(one, other) => {
            let mut lines: Vec<&[u8]> = content.split(|byte| *byte == b'\n').collect();
            let (one, other) = (one.index(lines.len()), other.index(lines.len()));
            lines.swap(one, other);
            new = lines.join(&b'\n');
        }
        Change::Digits(at, digits) => {
            let at = at.index(length);
            drop(new.splice(at..at, digits.bytes()));
        }
    }
    new
}

fn check(reader: &mut StatisticsReader, path: &std::path::Path, content: &[u8]) -> Result<(), TestCaseError> {
    // In place, as the reader holds the file.
    std::fs::write(path, content).expect("recorded file");
    match reader.read(&mut Statistics::default()) {
        Ok(()) => {}
        Err(Error::Parse { path: at, .. }) => prop_assert_eq!(at, path),
        Err(error) => return Err(TestCaseError::fail(error.to_string())),
    }
    Ok(())
}

#[test]
fn mutated_files_of_v2_are_errors_or_values() {
    let (tree, cgroup) = recorded_v2();
    let files = files("v2");
    let reader = RefCell::new(StatisticsReader::new(&cgroup).unwrap());
    proptest!(|(file in prop::sample::select(files), changes in prop::collection::vec(change(), 1..4))| {
        let path = tree.path(format!("/sys/fs/cgroup/job/{}", file.0));
        let content = changes.iter().fold(file.1.clone().into_bytes(), |content, change| changed(&content, change));
        check(&mut reader.borrow_mut(), &path, &content)?;
        std::fs::write(&path, &file.1).unwrap();
    });
}

#[test]
fn mutated_files_of_v1_are_errors_or_values() {
    let (tree, cgroup) = recorded_v1();
    let files = files("v1");
    let reader = RefCell::new(StatisticsReader::new(&cgroup).unwrap());
    proptest!(|(file in prop::sample::select(files), changes in prop::collection::vec(change(), 1..4))| {
        let path = tree.path(v1_path(&file.0));
        let content = changes.iter().fold(file.1.clone().into_bytes(), |content, change| changed(&content, change));
        check(&mut reader.borrow_mut(), &path, &content)?;
        std::fs::write(&path, &file.1).unwrap();
    });
}

#[test]
fn noise_is_an_error_or_a_value() {
    let (tree, cgroup) = recorded_v2();
    let files = files("v2");
    let reader = RefCell::new(StatisticsReader::new(&cgroup).unwrap());
    proptest!(|(file in prop::sample::select(files), noise in prop::collection::vec(any::<u8>(), 0..300))| {
        let path = tree.path(format!("/sys/fs/cgroup/job/{}", file.0));
        check(&mut reader.borrow_mut(), &path, &noise)?;
        std::fs::write(&path, &file.1).unwrap();
    });
}

#[test]
fn a_file_cut_short_never_gives_larger_numbers() {
    let (tree, cgroup) = recorded_v2();
    let content = files("v2").into_iter().find(|(name, _)| name == "memory.stat").unwrap().1;
    let path = tree.path("/sys/fs/cgroup/job/memory.stat");
    let mut reader = StatisticsReader::new(&cgroup).unwrap();
    let mut whole = Statistics::default();
    reader.read(&mut whole).unwrap();
    let whole = whole.memory.unwrap().stat;
    for length in 0..content.len() {
        std::fs::write(&path, &content.as_bytes()[..length]).unwrap();
        let mut part = Statistics::default();
        if reader.read(&mut part).is_ok() {
            let part = part.memory.unwrap().stat;
            assert!(
                part.pgfault <= whole.pgfault && part.kernel <= whole.kernel && part.pgscan <= whole.pgscan
            );
        }
    }
}
