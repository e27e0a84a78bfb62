//! What the process is.

use serde_json::json;

use super::common::bundle::busybox;
use super::common::{can_isolate, is_root, own};
use super::inside;
use crate::require;

#[test]
fn the_user_has_the_ids_the_groups_and_the_umask() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    let text = inside("id -u; id -g; id -G; umask; grep Groups /proc/self/status", |config| {
        config["process"]["user"] =
            json!({ "uid": 1000, "gid": 1001, "umask": 0o027, "additionalGids": [5, 6] });
    });
    assert_eq!(text, "1000\n1001\n1001 5 6\n0027\nGroups:\t5 6 \n");
}

#[test]
fn the_program_has_its_arguments_directory_and_environment() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    let text = inside("", |config| {
        config["process"]["args"] =
            json!(["sh", "-c", "pwd; echo $0 $#; echo $A", "name", "one", "two words"]);
        config["process"]["env"] = json!(["PATH=/bin", "A=x=y"]);
        config["process"]["cwd"] = json!("/tmp");
    });
    assert_eq!(text, "/tmp\nname 2\nx=y\n");
}

/// The five sets of capabilities, all different. Over an `exec` a user keeps the ambient ones as permitted and effective, and
/// root gets the bounding ones.
#[test]
fn the_five_sets_of_capabilities_are_each_as_given() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    // Their numbers: 0, 5, 7 and 13.
    let (chown, kill, setuid, raw) = ("CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_NET_RAW");
    let sets = |uid: u32| {
        inside("grep -E '^Cap' /proc/self/status", |config| {
            config["process"]["user"] = json!({ "uid": uid, "gid": uid });
            config["process"]["capabilities"] = json!({
                "bounding": [chown, kill, setuid, raw], "permitted": [chown, kill, raw], "inheritable": [kill, raw],
                "effective": [chown, raw], "ambient": [raw],
            });
        })
    };
    let lines = |inheritable: u64, permitted: u64, effective: u64, ambient: u64| {
        format!(
            "CapInh:\t{inheritable:016x}\nCapPrm:\t{permitted:016x}\nCapEff:\t{effective:016x}\n\
             CapBnd:\t{:016x}\nCapAmb:\t{ambient:016x}\n",
            0x20a1
        )
    };
    assert_eq!(sets(1000), lines(0x2020, 0x2000, 0x2000, 0x2000));
    let roots = sets(0);
    assert!(roots.starts_with("CapInh:\t0000000000002020\n"), "{roots}");
    assert!(roots.contains("CapBnd:\t00000000000020a1\n"), "{roots}");
}

#[test]
fn all_sixteen_resources_are_limited() {
    require!(is_root() && busybox().is_some(), "root and a static busybox");
    const NAMES: [(&str, &str); 16] = [
        ("AS", "Max address space"),
        ("CORE", "Max core file size"),
        ("CPU", "Max cpu time"),
        ("DATA", "Max data size"),
        ("FSIZE", "Max file size"),
        ("LOCKS", "Max file locks"),
        ("MEMLOCK", "Max locked memory"),
        ("MSGQUEUE", "Max msgqueue size"),
        ("NICE", "Max nice priority"),
        ("NOFILE", "Max open files"),
        ("NPROC", "Max processes"),
        ("RSS", "Max resident set"),
        ("RTPRIO", "Max realtime priority"),
        ("RTTIME", "Max realtime timeout"),
        ("SIGPENDING", "Max pending signals"),
        ("STACK", "Max stack size"),
    ];
    let limits = own("limits");
    // Large enough for the shell, different for each, and not above what the caller has.
    let value = |index: usize, name: &str, line: &str| -> (u64, u64) {
        let index = u64::try_from(index).expect("a small number");
        let (soft, hard) = match name {
            "NICE" => (10, 20),
            "RTPRIO" => (30, 40),
            "AS" | "DATA" | "FSIZE" => ((1 << 26) + index * 4096, (1 << 27) + index * 4096),
            "STACK" => (1 << 20, 1 << 21),
            _ => (100 + index, 200 + index),
        };
        let found = limits.lines().find_map(|found| found.strip_prefix(line)).expect("a line");
        let most = found.split_whitespace().nth(1).expect("a limit").parse().unwrap_or(u64::MAX);
        (soft.min(most), hard.min(most))
    };
    let text = inside("cat /proc/self/limits", |config| {
        let limit = |(index, (name, line)): (usize, &(&str, &str))| {
            let (soft, hard) = value(index, name, line);
            json!({ "type": format!("RLIMIT_{name}"), "soft": soft, "hard": hard })
        };
        config["process"]["rlimits"] = NAMES.iter().enumerate().map(limit).collect();
    });
    for (index, (name, line)) in NAMES.iter().enumerate() {
        let found = text.lines().find_map(|found| found.strip_prefix(line)).expect("a line");
        let (soft, hard) = value(index, name, line);
        let words: Vec<&str> = found.split_whitespace().take(2).collect();
        assert_eq!(words, [soft.to_string(), hard.to_string()], "{name}");
    }
}

#[test]
fn privileges_and_the_score_are_as_given() {
    require!(busybox().is_some() && can_isolate(), "a static busybox and namespaces");
    for new in [true, false] {
        let text = inside("grep NoNewPrivs /proc/self/status; cat /proc/self/oom_score_adj", |config| {
            config["process"]["noNewPrivileges"] = json!(new);
            config["process"]["oomScoreAdj"] = json!(500);
        });
        assert_eq!(text, format!("NoNewPrivs:\t{}\n500\n", u8::from(new)));
    }
}
