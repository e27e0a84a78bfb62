//! Who a program is.

use std::fs;

use serde_json::json;

use crate::common::bundle::{Bundle, busybox};
use crate::common::{can_isolate, is_root};
use crate::fixture::{Before, Outside, attempt, for_everybody, turn};
use crate::require;

#[test]
fn cve_2016_3697_a_number_is_no_name() {
    require!(busybox().is_some(), "a static busybox");
    require!(is_root(), "root");
    let _turn = turn();
    let mut bundle = Bundle::new("id -u; id -g; echo $HOME");
    let names = "1000:x:0:0::/named:/bin/sh\nuser:x:1000:7::/numbered:/bin/sh\n";
    fs::write(bundle.path().join("rootfs/etc/passwd"), names).unwrap();
    fs::write(bundle.path().join("rootfs/etc/group"), "5:x:0:\n").unwrap();
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 5 });
    assert_eq!(attempt(&bundle).unwrap(), "1000\n5\n/numbered\n");
}

#[test]
fn cve_2022_29162_nothing_is_inheritable_or_ambient_unless_asked_for() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("identity::cve_2022_29162_nothing_is_inheritable_or_ambient_unless_asked_for", || {
        let mut bundle = Bundle::new(
            "while read -r a b; do case $a in CapInh:|CapAmb:) echo $a $b;; esac; done < /proc/self/status",
        );
        let all = json!(["CAP_NET_RAW", "CAP_CHOWN"]);
        bundle.config["process"]["capabilities"] =
            json!({ "bounding": all, "effective": all, "permitted": all });
        assert_eq!(attempt(&bundle).unwrap(), "CapInh: 0000000000000000\nCapAmb: 0000000000000000\n");
        // The control: what is asked for is seen.
        bundle.config["process"]["capabilities"]["inheritable"] = json!(["CAP_CHOWN"]);
        assert_eq!(attempt(&bundle).unwrap(), "CapInh: 0000000000000001\nCapAmb: 0000000000000000\n");
    });
}

#[test]
fn cve_2014_8989_groups_of_a_user_cannot_be_dropped() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("identity::cve_2014_8989_groups_of_a_user_cannot_be_dropped", || {
        if is_root() {
            return;
        }
        let (before, outside) = (Before::look(), Outside::new());
        let mut bundle = Bundle::new("cat /proc/self/setgroups");
        assert_eq!(attempt(&bundle).unwrap(), "deny\n");
        bundle.config["process"]["user"]["additionalGids"] = json!([0]);
        let text = attempt(&bundle).unwrap_err().to_string();
        assert!(text.starts_with("config.json: process.user.additionalGids"), "{text}");
        before.assert_same(&bundle, &outside, "groups");
    });
}

#[test]
fn cve_2026_30892_an_id_that_is_none_is_refused() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("identity::cve_2026_30892_an_id_that_is_none_is_refused", || {
        let (before, outside) = (Before::look(), Outside::new());
        for (field, value) in
            [("uid", json!(u32::MAX)), ("gid", json!(u32::MAX)), ("additionalGids", json!([u32::MAX]))]
        {
            let mut bundle = Bundle::new("id -u");
            bundle.config["process"]["user"][field] = value;
            let text = attempt(&bundle).unwrap_err().to_string();
            assert!(text.starts_with(&format!("config.json: process.user.{field}")), "{text}");
            before.assert_same(&bundle, &outside, field);
        }
    });
}

#[test]
fn tiocsti_a_program_does_not_type_into_the_callers_terminal() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("identity::tiocsti_a_program_does_not_type_into_the_callers_terminal", || {
        // The number of the terminal, and the session.
        let bundle = Bundle::new(
            "read -r a b c d e session tty rest < /proc/self/stat; echo $session $tty; cat < /dev/tty || echo none",
        );
        let text = attempt(&bundle).unwrap();
        assert_eq!(text, "1 0\nnone\n");
    });
}
