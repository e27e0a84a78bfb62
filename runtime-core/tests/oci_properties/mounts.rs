//! Options of mounts, each class as the kernel shows it.

use serde_json::{Value, json};

use super::common::bundle::busybox;
use super::common::{can_isolate, is_root};
use super::inside;
use crate::require;

/// The attributes of a mount and the flags of its file system.
fn shown(entry: &Value) -> (Vec<String>, Vec<String>) {
    let text = inside("grep ' /tmp/x ' /proc/self/mountinfo | head -n 1", |config| {
        let mounts = config["mounts"].as_array_mut().expect("a list");
        // The root is read-only: what is mounted needs a place.
        mounts.push(json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" }));
        mounts.push(entry.clone());
    });
    let words = |part: &str| part.split(',').map(str::to_owned).collect();
    let fields: Vec<&str> = text.split_whitespace().collect();
    (words(fields[5]), words(fields.last().expect("fields")))
}

fn tmpfs(options: &[&str]) -> (Vec<String>, Vec<String>) {
    shown(&json!({ "destination": "/tmp/x", "type": "tmpfs", "source": "name", "options": options }))
}

#[test]
fn every_attribute_is_set_and_its_opposite_takes_it_back() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    for (set, clear, shown) in [
        ("ro", "rw", "ro"),
        ("nosuid", "suid", "nosuid"),
        ("nodev", "dev", "nodev"),
        ("noexec", "exec", "noexec"),
        ("noatime", "atime", "noatime"),
        ("nodiratime", "diratime", "nodiratime"),
        ("nosymfollow", "symfollow", "nosymfollow"),
    ] {
        for prefix in ["", "r"] {
            // Those for trees have an `r` before them.
            let (set, clear) = (format!("{prefix}{set}"), format!("{prefix}{clear}"));
            let has = |options: &[&str]| tmpfs(options).0.iter().any(|word| word == shown);
            assert!(has(&[&set]), "{set}");
            assert!(!has(&[&set, &clear]), "{set},{clear}");
            assert!(has(&[&clear, &set]), "{clear},{set}");
        }
    }
    let relative = |options: &[&str]| tmpfs(options).0.contains(&"relatime".to_owned());
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
        assert_eq!(relative(options), expected, "{options:?}");
    }
}

#[test]
fn flags_and_parameters_of_the_file_system_are_set() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    for (options, expected) in [
        (["sync"].as_slice(), "sync"),
        (&["dirsync"], "dirsync"),
        (&["lazytime"], "lazytime"),
        (&["size=64k"], "size=64k"),
        (&["mode=1770"], "mode=1770"),
    ] {
        let (_, flags) = tmpfs(options);
        assert!(flags.iter().any(|word| word == expected), "{options:?}: {flags:?}");
    }
    assert!(!tmpfs(&["async"]).1.contains(&"sync".to_owned()));
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
