//! Ids that are lent to an ordinary user, which only the helper programs `newuidmap` and `newgidmap` can map.

use std::path::Path;

use cofferdam::oci::ExecOptions;
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountPropagationFlags, mount_bind, mount_change};
use serde_json::{Value, json};

use crate::common::bundle::{Bundle, busybox};
use crate::common::is_root;
use crate::fixture::{Before, Outside, again, attempt, told, turn};
use crate::require;

/// An ordinary user, and the ids that are lent to it.
const NOBODY: u32 = 65534;
const LENT: u32 = 300_000;
const NAME: &str = "lent::a_container_of_an_ordinary_user_has_the_ids_that_are_lent_to_it";

fn helpers() -> bool {
    let there = |name: &&str| ["/usr/bin", "/bin"].iter().any(|at| Path::new(at).join(name).exists());
    ["newuidmap", "newgidmap"].iter().all(there)
}

/// Lends the ids, in a mount namespace of this thread.
fn lend(file: &Path) -> Result<(), rustix::io::Errno> {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    std::fs::write(file, format!("{NOBODY}:{LENT}:65536\n")).unwrap();
    mount_bind(file, "/etc/subuid")?;
    mount_bind(file, "/etc/subgid")
}

#[test]
fn a_container_of_an_ordinary_user_has_the_ids_that_are_lent_to_it() {
    if told().is_some() {
        return with_lent_ids();
    }
    require!(is_root() && busybox().is_some(), "root, to lend ids, and a static busybox");
    require!(helpers(), "newuidmap and newgidmap");
    let files = ["/etc/subuid", "/etc/subgid"].iter().all(|file| Path::new(file).exists());
    require!(files, "/etc/subuid and /etc/subgid");
    let _turn = turn();
    let directory = tempfile::tempdir().unwrap();
    let readable = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(directory.path(), readable).unwrap();
    let (text, passed) = std::thread::scope(|scope| {
        let run = || {
            lend(&directory.path().join("lent")).unwrap();
            again(NAME, NOBODY, |_| {})
        };
        scope.spawn(run).join().unwrap()
    });
    assert!(passed && text.contains("1 passed"), "{text}");
}

fn with_lent_ids() {
    let mut bundle =
        Bundle::new("cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -u; id -G");
    let two = |own: u32| -> Value {
        json!([{ "containerID": 0, "hostID": own, "size": 1 }, { "containerID": 1, "hostID": LENT, "size": 65536 }])
    };
    (bundle.config["linux"]["uidMappings"], bundle.config["linux"]["gidMappings"]) =
        (two(NOBODY), two(NOBODY));
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1001, "additionalGids": [5, 7] });
    let (before, outside) = (Before::look(), Outside::new());
    let text = attempt(&bundle).unwrap_or_else(|error| panic!("{error}"));
    let words: Vec<&str> = text.split_whitespace().collect();
    let map = ["0", "65534", "1", "1", "300000", "65536"];
    let expected = [&map[..], &map, &["allow", "1000", "1001", "5", "7"]].concat();
    assert_eq!(words, expected);
    before.assert_same(&bundle, &outside, "lent ids");

    // As the host sees them; and further processes have them, too.
    bundle.config["process"]["args"] = json!(["sleep", "60"]);
    let mut container = bundle.create("box").unwrap_or_else(|error| panic!("{error}"));
    container.start().unwrap_or_else(|error| panic!("{error}"));
    let status = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let (user, groups) = (LENT + 999, format!("Groups:\t{} {}", LENT + 4, LENT + 6));
    let seen = status(container.pid().unwrap());
    assert!(seen.contains(&format!("Uid:\t{user}\t{user}\t{user}\t{user}\n")), "{seen}");
    assert!(seen.contains(&groups), "{seen}");
    let process = container.process_template();
    let mut further = container.exec(ExecOptions::new(&process)).unwrap_or_else(|error| panic!("{error}"));
    let seen = status(further.pid());
    assert!(seen.contains(&format!("Uid:\t{user}\t{user}\t{user}\t{user}\n")), "{seen}");
    assert!(seen.contains(&groups), "{seen}");
    // The first process ends after all others, and this one is our child.
    further.kill(9).unwrap();
    further.wait().unwrap();
    drop(further);
    assert!(container.delete(true).unwrap().is_empty());

    // Ids that are not lent are refused by name, and nothing is left.
    bundle.config["linux"]["uidMappings"][1]["hostID"] = json!(LENT + 65536);
    let error = attempt(&bundle).unwrap_err().to_string();
    assert!(error.starts_with("config.json: linux.uidMappings: "), "{error}");
    before.assert_same(&bundle, &outside, "not lent");
}
