//! Filters in containers.

use std::os::fd::{AsRawFd, OwnedFd};

use cofferdam_process::{BoxError, Process, Rendezvous};
use serde_json::{Value, json};

use super::super::point;
use super::super::testing::{as_anyone, explain, output, output_with, refusal, spec};
use crate::oci::Spec;

fn with(command: &str, seccomp: Value, no_new_privileges: bool) -> Spec {
    spec(command, |value| {
        as_anyone(value);
        value["process"]["noNewPrivileges"] = json!(no_new_privileges);
        value["linux"]["seccomp"] = seccomp;
    })
}

/// All is allowed but these calls.
fn without(names: &[&str], action: &str) -> Value {
    json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": names, "action": action }] })
}

#[test]
fn a_filter_holds_with_and_without_new_privileges() {
    let command = "umask 022; chmod 700 /proc/self 2>&1 | grep -c 'not permitted'; \
                   grep -E 'Seccomp:|CapEff|CapPrm|NoNewPrivs' /proc/self/status";
    let filter = without(&["chmod", "fchmod", "fchmodat", "fchmodat2"], "SCMP_ACT_ERRNO");
    let caps = "00000000000004e1";
    for (privileges, bit) in [(true, 1), (false, 0)] {
        assert_eq!(
            output(&with(command, filter.clone(), privileges)),
            format!("1\nCapPrm:\t{caps}\nCapEff:\t{caps}\nNoNewPrivs:\t{bit}\nSeccomp:\t2\n")
        );
    }
}

#[test]
fn the_filter_is_loaded_last_of_all() {
    let filter = without(&["chmod"], "SCMP_ACT_ERRNO");
    let lines = |privileges| {
        let text = explain(&with("true", filter.clone(), privileges)).unwrap();
        let last: Vec<String> = text.lines().rev().take(3).map(str::to_owned).collect();
        last
    };
    let [execute, filter, ..] = &lines(true)[..] else { panic!("too few lines") };
    assert_eq!(execute, "execute /bin/sh -c true");
    assert!(filter.starts_with("call seccomp with a filter of "), "{filter}");
    let [_, capset, filter] = &lines(false)[..] else { panic!("too few lines") };
    assert_eq!(capset, "call capset");
    assert!(filter.starts_with("call seccomp with a filter of "), "{filter}");
}

#[test]
fn wrong_profiles_name_their_place() {
    let nothing = json!({ "defaultAction": "SCMP_ACT_ERRNO" });
    assert_eq!(
        refusal(&with("true", nothing, true)),
        "config.json: linux.seccomp: does not allow execve, which the start of the program needs"
    );
    assert_eq!(
        refusal(&with("true", without(&["mkdir"], "SCMP_ACT_NOTIFY"), true)),
        "config.json: linux.seccomp.listenerPath: is missing: there is a rule with SCMP_ACT_NOTIFY"
    );
    let index = json!({ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{
        "names": ["mkdir"], "action": "SCMP_ACT_KILL", "args": [{ "index": 6, "value": 0, "op": "SCMP_CMP_EQ" }],
    }] });
    let text = refusal(&with("true", index, true));
    assert!(
        text.starts_with("config.json: linux.seccomp: syscalls[0].args[0].index: 6 is above 5"),
        "{text}"
    );
}

/// Takes the listener.
#[derive(Default)]
struct Taker(Option<OwnedFd>);

impl Rendezvous for Taker {
    fn sync(&mut self, at: u32, _: Process<'_>, mut sent: Vec<OwnedFd>) -> Result<Vec<OwnedFd>, BoxError> {
        assert_eq!((at, sent.len()), (point::LISTENER, 1));
        self.0 = sent.pop();
        Ok(Vec::new())
    }
}

#[test]
fn the_listener_of_a_filter_reaches_the_caller() {
    for privileges in [true, false] {
        let mut filter = without(&["swapon"], "SCMP_ACT_NOTIFY");
        filter["listenerPath"] = json!("/run/agent");
        let mut taker = Taker::default();
        assert_eq!(output_with(&with("echo here", filter, privileges), &mut taker), "here\n");
        let listener = taker.0.unwrap();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd()));
        assert_eq!(link.unwrap().display().to_string(), "anon_inode:seccomp notify");
    }
}
