//! Whose the cgroup of a container is: config-linux.md, "Cgroup ownership".

use std::path::{Component, Path};

use oci_spec::runtime::{Linux, LinuxIdMapping, LinuxNamespaceType, Mount, Spec};

use crate::oci::{Error, Result};

/// The user of the host who gets it: who runs the program, if the container has a cgroup namespace of its own and
/// mounts its cgroup writable.
///
/// With a user namespace that is joined nothing is known of its ids, and the cgroup stays as it is, as the runtime-spec allows.
pub(super) fn owner(spec: &Spec) -> Result<Option<u32>> {
    let (Some(linux), Some(process)) = (spec.linux(), spec.process()) else { return Ok(None) };
    let mounted = spec.mounts().iter().flatten().any(is_writable_cgroup);
    if !mounted || own(linux, LinuxNamespaceType::Cgroup) != Some(true) {
        return Ok(None);
    }
    let uid = process.user().uid();
    match own(linux, LinuxNamespaceType::User) {
        None => Ok(Some(uid)),
        Some(false) => Ok(None),
        Some(true) => {
            let host = on_host(uid, linux.uid_mappings().as_deref().unwrap_or_default());
            let unknown = || Error::config("process.user.uid", format!("{uid} is not in linux.uidMappings"));
            Ok(Some(host.ok_or_else(unknown)?))
        }
    }
}

/// Whether a namespace is made, or else joined; none if it is the caller's.
fn own(linux: &Linux, kind: LinuxNamespaceType) -> Option<bool> {
    let mut namespaces = linux.namespaces().iter().flatten();
    let found = namespaces.find(|namespace| namespace.typ() == kind)?;
    Some(found.path().as_ref().is_none_or(|path| path.as_os_str().is_empty()))
}

fn is_writable_cgroup(mount: &Mount) -> bool {
    let names: Vec<Component<'_>> = mount.destination().components().collect();
    names == Path::new("/sys/fs/cgroup").components().collect::<Vec<_>>()
        && mount.source().as_deref() == Some(Path::new("cgroup"))
        && !mount.options().iter().flatten().any(|option| option == "ro")
}

fn on_host(uid: u32, mappings: &[LinuxIdMapping]) -> Option<u32> {
    mappings.iter().find_map(|mapping| {
        let offset = uid.checked_sub(mapping.container_id()).filter(|offset| *offset < mapping.size())?;
        mapping.host_id().checked_add(offset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner_of(namespaces: &str, options: &str, uid: u32) -> Result<Option<u32>> {
        let json = format!(
            r#"{{"ociVersion": "1.3.0",
                "process": {{"user": {{"uid": {uid}, "gid": 0}}, "args": ["a"], "cwd": "/"}},
                "mounts": [{{"destination": "/sys/fs/cgroup/", "type": "cgroup", "source": "cgroup", "options": {options}}}],
                "linux": {{"namespaces": {namespaces},
                           "uidMappings": [{{"containerID": 0, "hostID": 1000, "size": 1}},
                                           {{"containerID": 1, "hostID": 100000, "size": 10}}]}}}}"#
        );
        owner(&serde_json::from_str(&json).unwrap())
    }

    #[test]
    fn who_runs_the_program_owns_the_cgroup_that_the_container_sees_writable() {
        let both = r#"[{"type": "cgroup"}, {"type": "user"}]"#;
        assert_eq!(owner_of(both, r#"["rw"]"#, 0).unwrap(), Some(1000));
        assert_eq!(owner_of(both, "[]", 5).unwrap(), Some(100_004));
        assert_eq!(owner_of(r#"[{"type": "cgroup"}]"#, "[]", 5).unwrap(), Some(5));
        let error = owner_of(both, "[]", 11).unwrap_err().to_string();
        assert_eq!(error, "config.json: process.user.uid: 11 is not in linux.uidMappings");
    }

    #[test]
    fn nobody_else_does() {
        let both = r#"[{"type": "cgroup"}, {"type": "user"}]"#;
        assert_eq!(owner_of(both, r#"["nosuid", "ro"]"#, 0).unwrap(), None);
        assert_eq!(owner_of(r#"[{"type": "user"}]"#, "[]", 0).unwrap(), None);
        assert_eq!(owner_of(r#"[{"type": "cgroup", "path": "/x"}]"#, "[]", 0).unwrap(), None);
        let joined = r#"[{"type": "cgroup"}, {"type": "user", "path": "/x"}]"#;
        assert_eq!(owner_of(joined, "[]", 0).unwrap(), None);
    }
}
