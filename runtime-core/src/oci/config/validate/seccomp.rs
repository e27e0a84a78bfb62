//! `linux.seccomp`: the listener. The rules are for the part that makes the filter.

use oci_spec::runtime::LinuxSeccomp;

use super::paths::absolute;
use crate::oci::{Error, Result};

pub(super) fn check(seccomp: Option<&LinuxSeccomp>) -> Result<()> {
    let Some(seccomp) = seccomp else { return Ok(()) };
    match (seccomp.listener_path(), seccomp.listener_metadata()) {
        (Some(path), _) => absolute(path, "linux.seccomp.listenerPath"),
        (None, Some(_)) => {
            Err(Error::config("linux.seccomp.listenerMetadata", "is there without `listenerPath`"))
        }
        (None, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::table;

    fn seccomp(path: Value, metadata: Value) -> Value {
        json!({"linux": {"seccomp": {
            "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": metadata,
        }}})
    }

    #[test]
    fn metadata_needs_a_listener() {
        table(vec![
            (seccomp(json!("/run/agent"), json!("x")), ""),
            (seccomp(json!(""), json!("")), ""),
            (
                seccomp(json!(""), json!("x")),
                "linux.seccomp.listenerMetadata: is there without `listenerPath`",
            ),
            (seccomp(json!("agent"), json!("x")), "linux.seccomp.listenerPath: \"agent\" is not absolute"),
            (
                json!({"linux": {"seccomp": {"defaultAction": "SCMP_ACT_DENY"}}}),
                "linux.seccomp.defaultAction: \"SCMP_ACT_DENY\" is unknown: known are SCMP_ACT_KILL, SCMP_ACT_KILL_THREAD, \
                 SCMP_ACT_KILL_PROCESS, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_NOTIFY, SCMP_ACT_TRACE, SCMP_ACT_LOG, \
                 SCMP_ACT_ALLOW",
            ),
        ]);
    }
}
