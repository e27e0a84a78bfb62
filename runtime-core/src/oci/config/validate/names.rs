//! `hostname` and `domainname`.

use oci_spec::runtime::{LinuxNamespaceType, Spec};

use super::spaces::Spaces;
use crate::oci::{Error, Result};

/// The kernel's limit of both names.
const MAX: usize = 64;

pub(super) fn check(spec: &Spec, spaces: Spaces<'_>) -> Result<()> {
    for (path, name) in [("hostname", spec.hostname()), ("domainname", spec.domainname())] {
        let Some(name) = name.as_deref() else { continue };
        if name.is_empty() {
            return Err(Error::config(path, "is empty"));
        }
        if name.len() > MAX {
            return Err(Error::config(path, format!("{} bytes are more than {MAX}", name.len())));
        }
        spaces.require(LinuxNamespaceType::Uts, path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{namespaces, table};

    #[test]
    fn names_fit_and_need_a_namespace() {
        let long = "x".repeat(64);
        table(vec![
            (json!({"hostname": long, "domainname": long}), ""),
            (json!({"hostname": format!("{long}x")}), "hostname: 65 bytes are more than 64"),
            (json!({"domainname": format!("{long}x")}), "domainname: 65 bytes are more than 64"),
            (json!({"hostname": "ü".repeat(33)}), "hostname: 66 bytes are more than 64"),
            (json!({"hostname": "", "linux": {"namespaces": []}}), ""),
            (
                json!({"hostname": "a", "linux": {"namespaces": namespaces(&["pid"])}}),
                "hostname: the container has no uts namespace of its own",
            ),
            (
                json!({"hostname": null, "domainname": "a", "linux": null}),
                "domainname: the container has no uts namespace of its own",
            ),
            (
                json!({"hostname": "a", "linux": {"namespaces": [{"type": "uts", "path": "/proc/1/ns/uts"}]}}),
                "",
            ),
        ]);
    }
}
