//! What the process is.

use serde_json::{Value, json};

use super::super::build;
use super::super::testing::{
    as_anyone, busybox_root, has_busybox, in_user_namespace, is_root, output, refusal, request, run, spec,
    with_root,
};

/// What a shell command prints in a container with this change of `process`.
fn inside(command: &str, change: impl FnOnce(&mut Value)) -> String {
    output(&spec(command, |value| {
        as_anyone(value);
        change(&mut value["process"]);
    }))
}

fn refused(change: impl FnOnce(&mut Value)) -> String {
    refusal(&spec("true", |value| {
        as_anyone(value);
        change(&mut value["process"]);
    }))
}

#[test]
fn limits_are_set() {
    let limits = |list: Value| move |process: &mut Value| process["rlimits"] = list;
    let one = |soft: u64, hard: u64| json!({ "type": "RLIMIT_NOFILE", "soft": soft, "hard": hard });
    assert_eq!(inside("ulimit -Sn; ulimit -Hn", limits(json!([one(100, 200)]))), "100\n200\n");
}

#[test]
fn root_gives_a_user_namespace_more_than_it_could_take_itself() {
    let may = crate::prepare::may(rustix::thread::CapabilitySet::SYS_RESOURCE).unwrap();
    // Root of many machines that are containers themselves may not.
    if !is_root() || !may {
        println!("skipped: needs CAP_SYS_RESOURCE");
        return;
    }
    let above = crate::limit::own("MSGQUEUE".parse().unwrap()).1 + 4096;
    let spec = spec("grep 'Max msgqueue size' /proc/self/limits", |value| {
        in_user_namespace(value);
        value["process"]["rlimits"] = json!([{ "type": "RLIMIT_MSGQUEUE", "soft": 1, "hard": above }]);
    });
    let text = output(&spec);
    let fields: Vec<&str> = text.split_whitespace().skip(3).collect();
    assert_eq!(fields, ["1", above.to_string().as_str(), "bytes"]);
}

#[test]
fn the_umask_is_the_one_that_is_asked_for_or_022() {
    assert_eq!(inside("umask", |_| {}), "0022\n");
    assert_eq!(inside("umask", |process| process["user"]["umask"] = json!(0o077)), "0077\n");
}

#[test]
fn the_environment_is_as_given_with_a_home() {
    let given = json!(["A=1", "PATH=/usr/bin:/bin", "B=x=y", "A=2", "EMPTY="]);
    let text = inside("exec env", |process| {
        process["args"] = json!(["env"]);
        process["env"] = given.clone();
    });
    assert_eq!(text, "PATH=/usr/bin:/bin\nB=x=y\nA=2\nEMPTY=\nHOME=/root\n");
    assert_eq!(inside("echo $HOME", |process| process["env"] = json!(["HOME="])), "/root\n");
    assert_eq!(inside("echo $HOME", |process| process["env"] = json!(["HOME=/x"])), "/x\n");
}

#[test]
fn the_home_may_come_with_a_mount_and_its_links_lead_nowhere_else() {
    let (users, secret) = (tempfile::tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(secret.path(), "other:x:0:0::/secret:\n").unwrap();
    let home = |destination: &str, source: &std::path::Path| {
        let spec = spec("true", |value| {
            as_anyone(value);
            value["mounts"] = json!([{ "destination": destination, "type": "bind", "source": source, "options": ["bind"] }]);
        });
        let env = build(&request(&spec)).unwrap().plan.env;
        env.into_iter().find(|(name, _)| name == "HOME").map(|(_, home)| home.into_string().unwrap()).unwrap()
    };
    assert_eq!(home("/etc/passwd", secret.path()), "/secret");
    std::fs::write(users.path().join("passwd"), "me:x:0:0::/mine:\n").unwrap();
    assert_eq!(home("/etc//.", users.path()), "/mine");
    std::fs::remove_file(users.path().join("passwd")).unwrap();
    std::os::unix::fs::symlink(secret.path(), users.path().join("passwd")).unwrap();
    assert_eq!(home("/etc", users.path()), "/");
}

#[test]
fn a_program_is_looked_for_in_the_path_of_its_environment() {
    let text = inside("", |process| {
        process["args"] = json!(["echo", "found"]);
        process["env"] = json!(["PATH=/nowhere:/usr/bin:/bin"]);
    });
    assert_eq!(text, "found\n");
    let missing = spec("", |value| {
        as_anyone(value);
        value["process"]["args"] = json!(["no-such-program"]);
    });
    let prepared = build(&request(&missing)).unwrap();
    let error = run(&prepared).unwrap_err();
    assert_eq!(error.exit_code(), 127, "{error}");
}

#[test]
fn a_missing_working_directory_is_made_by_who_is_root_there() {
    let host = tempfile::tempdir().unwrap();
    let path = host.path().join("made/deep").display().to_string();
    let text = inside("pwd; stat -c %a .", |process| process["cwd"] = json!(path));
    assert_eq!(text, format!("{path}\n755\n"));
}

#[test]
fn tiocsti_a_process_has_a_session_of_its_own_and_no_terminal() {
    let command = "read pid name state parent group session terminal rest < /proc/self/stat; \
                   [ $pid = $session ] && echo leader $terminal";
    assert_eq!(inside(command, |_| {}), "leader 0\n");
}

#[test]
fn no_new_privileges_is_as_asked() {
    let command = "grep NoNewPrivs /proc/self/status";
    let with = |value: bool| inside(command, |process| process["noNewPrivileges"] = json!(value));
    assert_eq!([with(true), with(false)], ["NoNewPrivs:\t1\n", "NoNewPrivs:\t0\n"]);
}

#[test]
fn without_capabilities_in_the_configuration_there_are_none() {
    let command = "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | cut -f 2 | sort -u";
    let text = inside(command, |process| process["capabilities"] = Value::Null);
    assert_eq!(text, "0000000000000000\n");
}

#[test]
fn cve_2022_29162_what_is_not_asked_for_is_not_inheritable() {
    let list = json!(["CAP_NET_RAW", "CAP_KILL"]);
    let text = inside("grep -E 'Cap(Inh|Amb|Prm)' /proc/self/status", |process| {
        process["capabilities"] =
            json!({ "bounding": list, "permitted": list, "effective": list, "ambient": list });
    });
    assert_eq!(text, "CapInh:\t0000000000000000\nCapPrm:\t0000000000002020\nCapAmb:\t0000000000000000\n");
}

#[test]
fn a_user_has_ambient_capabilities_that_are_inheritable_too() {
    if !is_root() {
        return;
    }
    let list = json!(["CAP_NET_RAW"]);
    let text = inside("grep -E 'Cap(Inh|Amb|Eff|Bnd)' /proc/self/status; id -u; id -g; id -G", |process| {
        process["user"] = json!({ "uid": 1000, "gid": 1001, "additionalGids": [5, 6] });
        process["capabilities"] = json!({
            "bounding": list, "permitted": list, "effective": list, "inheritable": list, "ambient": list,
        });
    });
    let set = "0000000000002000";
    assert_eq!(
        text,
        format!("CapInh:\t{set}\nCapEff:\t{set}\nCapBnd:\t{set}\nCapAmb:\t{set}\n1000\n1001\n1001 5 6\n")
    );
}

#[test]
fn the_oom_score_is_set() {
    let score = |value: i64| move |process: &mut Value| process["oomScoreAdj"] = json!(value);
    assert_eq!(inside("cat /proc/self/oom_score_adj", score(777)), "777\n");
    if !is_root() {
        let text = refused(score(-1000));
        assert!(text.ends_with("which needs CAP_SYS_RESOURCE"), "{text}");
    }
}

#[test]
fn the_scheduler_is_set() {
    let with = |scheduler: Value| move |process: &mut Value| process["scheduler"] = scheduler;
    // Fields 19 and 41 of the line, without the two first.
    let command = "sed 's/.*) //' /proc/self/stat | cut -d ' ' -f 17,39";
    assert_eq!(inside(command, with(json!({ "policy": "SCHED_BATCH", "nice": 7 }))), "7 3\n");
    if is_root() {
        let deadline = json!({
            "policy": "SCHED_DEADLINE", "runtime": 1_000_000, "deadline": 10_000_000, "period": 20_000_000,
            "flags": ["SCHED_FLAG_RECLAIM"],
        });
        // Nothing may be forked under that policy without a further flag.
        let command =
            "while read -r line; do case $line in policy*) echo $line;; esac; done < /proc/self/sched";
        assert!(inside(command, with(deadline)).ends_with(": 6\n"));
    }
}

#[test]
fn the_io_priority_is_set() {
    let with = |class: &str, level: i64| {
        let value = json!({ "class": class, "priority": level });
        move |process: &mut Value| process["ioPriority"] = value
    };
    assert_eq!(inside("ionice -p $$", with("IOPRIO_CLASS_BE", 6)), "best-effort: prio 6\n");
    assert_eq!(inside("ionice -p $$", with("IOPRIO_CLASS_IDLE", 0)), "idle\n");
}

#[test]
fn labels_of_modules_that_are_not_there_are_errors() {
    if !std::path::Path::new("/sys/kernel/security/apparmor").exists() {
        assert_eq!(
            refused(|process| process["apparmorProfile"] = json!("box")),
            "config.json: process.apparmorProfile: \"box\" cannot be applied: AppArmor is not enabled"
        );
    }
    if !std::path::Path::new("/sys/fs/selinux/enforce").exists() {
        assert_eq!(
            refused(|process| process["selinuxLabel"] = json!("a:b:c")),
            "config.json: process.selinuxLabel: \"a:b:c\" cannot be applied: SELinux is not enabled"
        );
    }
}

/// On a machine with AppArmor, as the lane `vm-apparmor` has. Elsewhere there is the test above.
#[test]
fn a_profile_of_apparmor_counts_from_the_exec() {
    if !has_busybox() {
        return;
    }
    let enabled = std::fs::read("/sys/module/apparmor/parameters/enabled");
    if !is_root() || !enabled.is_ok_and(|text| text.starts_with(b"Y")) {
        return;
    }
    let root = busybox_root();
    let with = |profile: &str| {
        spec("cat /proc/self/attr/apparmor/current /proc/1/attr/apparmor/current", |value| {
            with_root(value, root.path());
            value["process"]["apparmorProfile"] = json!(profile);
        })
    };
    assert_eq!(output(&with("unconfined")), "unconfined\nunconfined\n");
    // What the module says of one that is not there shows that it was asked.
    let missing = with("no-such-profile");
    let error = run(&build(&request(&missing)).unwrap()).unwrap_err().to_string();
    assert_eq!(
        error,
        "write \"exec no-such-profile\" to self/attr/apparmor/exec in procfs: ENOENT (No such file or directory), \
         by write"
    );
}

#[test]
fn ids_have_to_exist() {
    let unmapped = spec("true", |value| {
        in_user_namespace(value);
        value["process"]["user"]["uid"] = json!(7);
    });
    assert_eq!(
        refusal(&unmapped),
        "config.json: process.user.uid: 7 is not mapped in the container's user namespace"
    );
    assert_eq!(
        refused(|process| process["user"]["username"] = json!("root")),
        "config.json: process.user.username: is for other systems: Linux takes uid and gid"
    );
}

#[test]
fn the_execution_domain_and_the_memory_policy_are_set() {
    let with = |command: &str, key: &str, setting: Value| {
        spec(command, |value| {
            as_anyone(value);
            value["linux"][key] = setting;
        })
    };
    if cfg!(target_arch = "x86_64") {
        let spec = with("uname -m", "personality", json!({ "domain": "LINUX32" }));
        assert_eq!(output(&spec), "i686\n");
    }
    if std::path::Path::new("/proc/self/numa_maps").exists() {
        let policy = json!({ "mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] });
        let spec = with("head -n 1 /proc/self/numa_maps | cut -d ' ' -f 2", "memoryPolicy", policy);
        assert_eq!(output(&spec), "bind=static:0\n");
    }
    let policy = json!({ "mode": "MPOL_BIND", "nodes": "0-8192" });
    assert_eq!(
        refusal(&with("true", "memoryPolicy", policy)),
        "config.json: linux.memoryPolicy.nodes: \"0-8192\" is not a range below 8192"
    );
}

#[test]
fn a_session_keyring_keeps_the_callers_keys_away() {
    let output = |no_new_keyring| {
        let id = format!("cofferdam-test-{}-{no_new_keyring}", std::process::id());
        let spec = spec(&format!("grep -c '_ses.{id}: empty' /proc/keys"), as_anyone);
        let mut request = request(&spec);
        (request.id, request.no_new_keyring) = (&id, no_new_keyring);
        run(&build(&request).unwrap()).unwrap().0
    };
    assert_eq!([output(false), output(true)], ["1\n", "0\n"]);
}
