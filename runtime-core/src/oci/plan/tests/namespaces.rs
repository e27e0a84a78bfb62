//! Which namespaces it is in.

use std::fs::read_link;

use serde_json::{Value, json};

use super::super::testing::{as_anyone, explain, in_user_namespace, is_root, output, refusal, spec};

fn with_path(kind: &str, path: &str) -> impl FnOnce(&mut Value) {
    move |value: &mut Value| {
        let list = value["linux"]["namespaces"].as_array_mut().unwrap();
        list.retain(|entry| entry["type"] != kind);
        list.insert(0, json!({ "type": kind, "path": path }));
    }
}

#[test]
fn a_path_has_to_be_a_namespace_of_its_kind() {
    let at = "config.json: linux.namespaces[0].path: ";
    let cases = [
        ("/proc/self/ns/ipc", "/proc/self/ns/ipc is a ipc namespace, not a net namespace"),
        ("/etc/passwd", "/etc/passwd is not a namespace file"),
        ("/nowhere", "open /nowhere: ENOENT (No such file or directory)"),
    ];
    for (path, text) in cases {
        let found = refusal(&spec("true", with_path("network", path)));
        assert!(found.starts_with(at), "{found}");
        assert_eq!(found.trim_start_matches(at), text);
    }
}

#[test]
fn namespaces_of_another_process_are_joined() {
    if !is_root() {
        return;
    }
    let mut other = crate::Command::new("/bin/sleep");
    let mut other = other
        .arg("60")
        .namespaces(crate::Namespaces::all().without(crate::Namespaces::USER))
        .spawn()
        .unwrap();
    let pid = other.id();
    let names = [
        ("network", "net"),
        ("ipc", "ipc"),
        ("uts", "uts"),
        ("pid", "pid"),
        ("time", "time"),
        ("cgroup", "cgroup"),
    ];
    let joined = spec("for n in net ipc uts pid time cgroup; do readlink /proc/self/ns/$n; done", |value| {
        for (kind, file) in names {
            with_path(kind, &format!("/proc/{pid}/ns/{file}"))(value);
        }
    });
    let theirs = names.map(|(_, file)| {
        let link = read_link(format!("/proc/{pid}/ns/{file}")).unwrap();
        format!("{}\n", link.display())
    });
    assert_eq!(output(&joined), theirs.concat());
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn root_of_a_user_namespace_that_is_joined_is_root_there() {
    let mut other = crate::Command::new("/bin/sleep");
    let mut other = other.arg("60").spawn().unwrap();
    let pid = other.id();
    let joined = spec("id -u; readlink /proc/self/ns/user", |value| {
        with_path("user", &format!("/proc/{pid}/ns/user"))(value);
        value["linux"]["uidMappings"] = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
        value["linux"]["gidMappings"] = json!([{ "containerID": 0, "hostID": 0, "size": 1 }]);
    });
    let theirs = read_link(format!("/proc/{pid}/ns/user")).unwrap();
    assert_eq!(output(&joined), format!("0\n{}\n", theirs.display()));
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn a_new_user_namespace_comes_after_what_is_joined_and_owns_the_rest() {
    if !is_root() {
        return;
    }
    let mut other = crate::Command::new("/bin/sleep");
    let kinds = crate::Namespaces::NET | crate::Namespaces::MNT;
    let mut other = other.arg("60").namespaces(kinds).spawn().unwrap();
    let pid = other.id();
    let joined = spec("readlink /proc/self/ns/net; hostname; id -u; id -G; echo $$", |value| {
        in_user_namespace(value);
        with_path("network", &format!("/proc/{pid}/ns/net"))(value);
        value["hostname"] = json!("box");
        let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 1000 }]);
        value["linux"]["uidMappings"] = map.clone();
        value["linux"]["gidMappings"] = map;
        value["process"]["user"] = json!({ "uid": 5, "gid": 6, "additionalGids": [7] });
    });
    let theirs = read_link(format!("/proc/{pid}/ns/net")).unwrap();
    assert_eq!(output(&joined), format!("{}\nbox\n5\n6 7\n1\n", theirs.display()));
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn the_callers_own_namespace_by_path_is_a_shared_one() {
    let spec = spec("true", |value| {
        as_anyone(value);
        with_path("uts", "/proc/self/ns/uts")(value);
        value["hostname"] = json!("box");
    });
    assert_eq!(
        refusal(&spec),
        "config.json: hostname: \"box\" cannot be set without an uts namespace of its own"
    );
}

#[test]
fn many_ids_are_mapped_by_root() {
    if !is_root() {
        return;
    }
    let spec = spec("id -u; id -G; cat /proc/self/uid_map; cat /proc/self/setgroups", |value| {
        in_user_namespace(value);
        let map = json!([{ "containerID": 0, "hostID": 100_000, "size": 1000 }]);
        value["linux"]["uidMappings"] = map.clone();
        value["linux"]["gidMappings"] = map;
        value["process"]["user"] = json!({ "uid": 5, "gid": 6, "additionalGids": [7] });
    });
    assert_eq!(output(&spec), "5\n6 7\n         0     100000       1000\nallow\n");
}

#[test]
fn cve_2014_8989_groups_cannot_be_left_where_the_caller_could_not_leave_them() {
    let plain = spec("cat /proc/self/setgroups", in_user_namespace);
    assert_eq!(output(&plain), if is_root() { "allow\n" } else { "deny\n" });
    if is_root() {
        return;
    }
    let more = spec("true", |value| {
        in_user_namespace(value);
        value["process"]["user"]["additionalGids"] = json!([0]);
    });
    assert_eq!(
        refusal(&more),
        "config.json: process.user.additionalGids: [0] cannot be set: this user namespace denies setgroups, as one \
         without newgidmap must"
    );
}

#[test]
fn clocks_are_offset_in_a_time_namespace() {
    let text = output(&spec("cat /proc/self/timens_offsets", |value| {
        as_anyone(value);
        value["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "time" }));
        value["linux"]["timeOffsets"] =
            json!({ "monotonic": { "secs": 100, "nanosecs": 5 }, "boottime": { "secs": -7 } });
    }));
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words, ["monotonic", "100", "5", "boottime", "-7", "0"]);
}

#[test]
fn a_cgroup_namespace_is_made_after_the_process_is_in_its_cgroups() {
    let spec = spec("true", |value| {
        value["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "cgroup" }));
    });
    let mut request = super::super::testing::request(&spec);
    request.cgroup.shape = crate::cgroup::Shape { unified: true, tasks: 2 };
    let text = super::super::build(&request).unwrap().plan.explain();
    let start: Vec<&str> = text.lines().take(5).collect();
    assert_eq!(
        start,
        [
            "start a process in new namespaces: pid mnt net ipc uts",
            "in the cgroup the cgroup",
            "enter the cgroup tasks of the cgroup in v1 hierarchy 1",
            "enter the cgroup tasks of the cgroup in v1 hierarchy 2",
            "enter new namespaces: cgroup",
        ]
    );
    assert!(
        explain(&spec)
            .unwrap()
            .starts_with("start a process in new namespaces: pid mnt net ipc uts cgroup\n")
    );
}
