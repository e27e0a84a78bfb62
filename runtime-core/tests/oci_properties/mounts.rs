//! Options of mounts, each class as the kernel shows it.

use serde_json::json;

use super::common::bundle::busybox;
use super::common::{can_isolate, is_root};
use super::inside;
use crate::require;

/// The attributes of mounts and the flags of their file systems, of a tmpfs with each of these options, all in one
/// container.
fn tmpfs(options: &[Vec<&str>]) -> Vec<(Vec<String>, Vec<String>)> {
    let text = inside("grep ' /tmp/x' /proc/self/mountinfo", |config| {
        let mounts = config["mounts"].as_array_mut().expect("a list");
        // The root is read-only: what is mounted needs a place.
        mounts.push(json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" }));
        for (index, options) in options.iter().enumerate() {
            let destination = format!("/tmp/x{index}");
            mounts.push(
                json!({ "destination": destination, "type": "tmpfs", "source": "name", "options": options }),
            );
        }
    });
    let words = |part: &str| part.split(',').map(str::to_owned).collect();
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let all: Vec<_> = lines.map(|fields| (words(fields[5]), words(fields.last().expect("fields")))).collect();
    assert_eq!(all.len(), options.len(), "{text}");
    all
}

#[test]
fn every_attribute_is_set_and_its_opposite_takes_it_back() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    let mut cases = Vec::new();
    for (set, clear) in [
        ("ro", "rw"),
        ("nosuid", "suid"),
        ("nodev", "dev"),
        ("noexec", "exec"),
        ("noatime", "atime"),
        ("nodiratime", "diratime"),
        ("nosymfollow", "symfollow"),
        // Those for trees.
        ("rro", "rrw"),
        ("rnosuid", "rsuid"),
        ("rnodev", "rdev"),
        ("rnoexec", "rexec"),
        ("rnoatime", "ratime"),
        ("rnodiratime", "rdiratime"),
        ("rnosymfollow", "rsymfollow"),
    ] {
        let word = set.strip_prefix('r').filter(|rest| rest.starts_with('n') || *rest == "ro").unwrap_or(set);
        cases.push((vec![set], word, true));
        cases.push((vec![set, clear], word, false));
        cases.push((vec![clear, set], word, true));
    }
    for (options, expected) in [
        (["relatime"].as_slice(), true),
        (&["strictatime"], false),
        (&["rstrictatime"], false),
        (&["strictatime", "nostrictatime"], true),
        (&["rstrictatime", "rnostrictatime"], true),
        (&["strictatime", "relatime"], true),
        (&["rstrictatime", "rrelatime"], true),
        (&["norelatime"], true),
        (&["defaults", "loud", "silent", "noiversion", "nolazytime", "nomand"], true),
    ] {
        cases.push((options.to_vec(), "relatime", expected));
    }
    let options: Vec<_> = cases.iter().map(|(options, ..)| options.clone()).collect();
    for ((options, word, expected), (attributes, _)) in cases.iter().zip(tmpfs(&options)) {
        assert_eq!(attributes.iter().any(|shown| shown == word), *expected, "{options:?}: {attributes:?}");
    }
}

#[test]
fn flags_and_parameters_of_the_file_system_are_set() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    let words = ["sync", "dirsync", "lazytime", "size=64k", "mode=1770", "async"];
    let options: Vec<_> = words.iter().map(|word| vec![*word]).collect();
    for (word, (_, flags)) in words.iter().zip(tmpfs(&options)) {
        if *word == "async" {
            assert!(!flags.contains(&"sync".to_owned()), "{flags:?}");
        } else {
            assert!(flags.iter().any(|shown| shown == word), "{word}: {flags:?}");
        }
    }
}

#[test]
fn every_word_of_propagation_is_obeyed() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    for (word, expected) in [
        ("shared", "shared"),
        ("rshared", "shared"),
        ("private", "-"),
        ("rprivate", "-"),
        ("unbindable", "unbindable"),
        ("runbindable", "unbindable"),
        // Of a file system of its own there is no master.
        ("slave", "-"),
        ("rslave", "-"),
    ] {
        let text =
            inside("grep ' /tmp/x ' /proc/self/mountinfo | cut -d ' ' -f 7 | cut -d : -f 1", |config| {
                let mounts = config["mounts"].as_array_mut().expect("a list");
                mounts.push(json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" }));
                let options = json!([word]);
                mounts.push(
                    json!({ "destination": "/tmp/x", "type": "tmpfs", "source": "x", "options": options }),
                );
            });
        assert_eq!(text, format!("{expected}\n"), "{word}");
    }
}
