//! What has to be looked at before the types of the specification see it: they take a default where a required value is
//! missing, and do not tell an unknown name from a sloppy one.

use cofferdam_process::CAPABILITY_NAMES;
use serde_json::Value;

use super::place::{Place, quoted};
use super::reason::shown_value;
use super::text::is_cpu_list;
use crate::oci::{Error, Result};

/// Objects, and what each of them must have. `[]` is every element of an array.
const REQUIRED: [(&str, &[&str]); 23] = [
    ("", &["ociVersion", "root"]),
    ("root", &["path"]),
    ("process", &["user", "cwd"]),
    ("process.user", &["uid", "gid"]),
    ("process.consoleSize", &["height", "width"]),
    ("process.rlimits[]", &["type", "soft", "hard"]),
    ("process.ioPriority", &["class", "priority"]),
    ("mounts[].uidMappings[]", &["containerID", "hostID", "size"]),
    ("mounts[].gidMappings[]", &["containerID", "hostID", "size"]),
    ("linux.uidMappings[]", &["containerID", "hostID", "size"]),
    ("linux.gidMappings[]", &["containerID", "hostID", "size"]),
    ("linux.devices[]", &["path", "type"]),
    ("linux.memoryPolicy", &["mode"]),
    ("linux.resources.devices[]", &["allow"]),
    ("linux.resources.pids", &["limit"]),
    ("linux.resources.hugepageLimits[]", &["pageSize", "limit"]),
    ("linux.resources.network.priorities[]", &["name", "priority"]),
    ("linux.resources.blockIO.weightDevice[]", &["major", "minor"]),
    ("linux.resources.blockIO.throttleReadBpsDevice[]", &["major", "minor", "rate"]),
    ("linux.resources.blockIO.throttleWriteBpsDevice[]", &["major", "minor", "rate"]),
    ("linux.resources.blockIO.throttleReadIOPSDevice[]", &["major", "minor", "rate"]),
    ("linux.resources.blockIO.throttleWriteIOPSDevice[]", &["major", "minor", "rate"]),
    ("linux.seccomp.syscalls[]", &["names", "action"]),
];

/// Values that an engine may leave empty in place of leaving them out.
const EMPTY_IS_ABSENT: [(&str, &str); 17] = [
    ("", "hostname"),
    ("", "domainname"),
    ("process", "apparmorProfile"),
    ("process", "selinuxLabel"),
    ("process.execCPUAffinity", "initial"),
    ("process.execCPUAffinity", "final"),
    ("mounts[]", "type"),
    ("mounts[]", "source"),
    ("linux", "cgroupsPath"),
    ("linux", "rootfsPropagation"),
    ("linux", "mountLabel"),
    ("linux.namespaces[]", "path"),
    ("linux.netDevices{}", "name"),
    ("linux.intelRdt", "closID"),
    ("linux.memoryPolicy", "nodes"),
    ("linux.seccomp", "listenerPath"),
    ("linux.seccomp", "listenerMetadata"),
];

/// Names of the specification that the types have in other letters, which would make them unknown fields.
const RENAMED: [(&str, &str, &str); 2] =
    [("linux.intelRdt", "enableCMT", "enableCmt"), ("linux.intelRdt", "enableMBM", "enableMbm")];

/// The kinds of hooks.
pub(crate) const HOOKS: [&str; 6] =
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

/// Sections of other platforms.
const ELSEWHERE: [&str; 3] = ["windows", "solaris", "zos"];

/// Checks a document that is `root` in a configuration, or the configuration itself, and takes out of it what does not
/// matter here.
pub(super) fn settle(document: &mut Value, root: &str) -> Result<()> {
    let mut part = Part { document, root };
    for (object, fields) in REQUIRED {
        part.each(object, &mut |value, place| required(value, place, fields))?;
    }
    part.each("linux.devices[]", &mut |value, place| match value.get("type").and_then(Value::as_str) {
        Some("p") => Ok(()),
        _ => required(value, place, &["major", "minor"]),
    })?;
    for (object, field) in EMPTY_IS_ABSENT {
        part.each(object, &mut |value, _| {
            if value.get(field).and_then(Value::as_str) == Some("")
                && let Some(object) = value.as_object_mut()
            {
                object.remove(field);
            }
            Ok(())
        })?;
    }
    for (object, name, known) in RENAMED {
        part.each(object, &mut |value, _| {
            if let Some(object) = value.as_object_mut()
                && let Some(value) = object.remove(name)
            {
                object.insert(known.to_owned(), value);
            }
            Ok(())
        })?;
    }
    for set in ["bounding", "effective", "permitted", "inheritable", "ambient"] {
        part.each(&format!("process.capabilities.{set}[]"), &mut |value, place| capability(value, place))?;
    }
    part.each("process.execCPUAffinity.initial", &mut |value, place| cpu_list(value, place))?;
    part.each("process.execCPUAffinity.final", &mut |value, place| cpu_list(value, place))?;
    part.each("hooks", &mut |value, place| hooks(value, place))?;
    if root.is_empty() { platforms(document) } else { Ok(()) }
}

/// A document, and where it is in a configuration.
struct Part<'a> {
    document: &'a mut Value,
    root: &'a str,
}

/// What is done with a value.
type Look<'a> = dyn FnMut(&mut Value, &Place) -> Result<()> + 'a;

impl Part<'_> {
    /// Looks at all values that are there under a pattern of the whole configuration.
    fn each(&mut self, pattern: &str, look: &mut Look<'_>) -> Result<()> {
        let rest = match pattern.strip_prefix(self.root) {
            Some(rest) if self.root.is_empty() => rest,
            Some("") => "",
            Some(rest) if rest.starts_with('.') => &rest[1..],
            _ => return Ok(()),
        };
        walk(self.document, rest, &mut Place::root(self.root), look)
    }
}

/// As deep as the pattern is long.
fn walk(value: &mut Value, pattern: &str, place: &mut Place, look: &mut Look<'_>) -> Result<()> {
    if pattern.is_empty() {
        return if value.is_null() { Ok(()) } else { look(value, place) };
    }
    let (step, rest) = pattern.split_once('.').unwrap_or((pattern, ""));
    let name = step.trim_end_matches(['[', ']', '{', '}']);
    let Some(found) = value.get_mut(name) else { return Ok(()) };
    place.key(name);
    match (found, step.ends_with("[]"), step.ends_with("{}")) {
        (Value::Array(items), true, _) => {
            for (index, item) in items.iter_mut().enumerate() {
                place.index(index);
                walk(item, rest, place, look)?;
                place.up();
            }
        }
        (Value::Object(entries), _, true) => {
            for (key, item) in entries.iter_mut() {
                place.key(key);
                walk(item, rest, place, look)?;
                place.up();
            }
        }
        (found, false, false) => walk(found, rest, place, look)?,
        // Another kind of value than there has to be: reading it says so.
        _ => {}
    }
    place.up();
    Ok(())
}

fn required(value: &Value, place: &Place, fields: &[&str]) -> Result<()> {
    let Some(object) = value.as_object() else { return Ok(()) };
    match fields.iter().find(|field| object.get(**field).is_none_or(Value::is_null)) {
        Some(field) => Err(Error::config(place.below(field), "is required and missing")),
        None => Ok(()),
    }
}

fn capability(value: &Value, place: &Place) -> Result<()> {
    match value.as_str() {
        Some(name) if !CAPABILITY_NAMES.contains(&name) => {
            Err(Error::config(place.to_string(), format!("{} is no capability that Linux has", quoted(name))))
        }
        _ => Ok(()),
    }
}

fn cpu_list(value: &Value, place: &Place) -> Result<()> {
    match value.as_str() {
        Some(list) if !is_cpu_list(list) => {
            Err(Error::config(place.to_string(), format!("{} is no list of processors", quoted(list))))
        }
        _ => Ok(()),
    }
}

fn hooks(value: &Value, place: &Place) -> Result<()> {
    let Some(object) = value.as_object() else { return Ok(()) };
    match object.keys().find(|key| !HOOKS.contains(&key.as_str())) {
        Some(key) => {
            let reason = format!("is no kind of hooks: there are {}", HOOKS.join(", "));
            Err(Error::config(place.below(key), reason))
        }
        None => Ok(()),
    }
}

/// The sections of other platforms are not for us, and the two maps of ids at the top never were in the specification.
fn platforms(document: &mut Value) -> Result<()> {
    let Some(object) = document.as_object_mut() else {
        return Err(Error::config("", format!("{} is not an object", shown_value(document))));
    };
    let there = |name: &str| object.get(name).is_some_and(|section| !section.is_null());
    if there("vm") {
        return Err(Error::config("vm", "containers in virtual machines are not supported"));
    }
    match ELSEWHERE.into_iter().find(|name| there(name)) {
        Some(name) if !there("linux") => {
            return Err(Error::config("linux", format!("is missing: the configuration is for {name}")));
        }
        _ => {}
    }
    for name in ELSEWHERE.into_iter().chain(["uidMappings", "gidMappings"]) {
        object.remove(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oci::Config;

    /// A configuration with this in it.
    fn with(more: Value) -> Value {
        let mut document = json!({"ociVersion": "1.2.0", "root": {"path": "rootfs"}});
        let fields = more.as_object().cloned().unwrap_or_default();
        document.as_object_mut().unwrap().extend(fields);
        document
    }

    fn refused(document: &Value) -> String {
        Config::from_slice(document.to_string().as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_the_types_would_take_as_a_default_is_required() {
        for (document, path) in [
            (json!({}), "ociVersion"),
            (json!({"ociVersion": "1.2.0"}), "root"),
            (json!({"ociVersion": "1.2.0", "root": null}), "root"),
            (json!({"ociVersion": "1.2.0", "root": {}}), "root.path"),
            (with(json!({"process": {"cwd": "/"}})), "process.user"),
            (with(json!({"process": {"cwd": "/", "user": {}}})), "process.user.uid"),
            (with(json!({"process": {"cwd": "/", "user": {"uid": 0}}})), "process.user.gid"),
            (with(json!({"process": {"user": {"uid": 0, "gid": 0}}})), "process.cwd"),
            (
                with(json!({"mounts": [{"uidMappings": [{"size": 1}]}]})),
                "mounts[0].uidMappings[0].containerID",
            ),
            (
                with(json!({"linux": {"gidMappings": [{"containerID": 0, "hostID": 0}]}})),
                "linux.gidMappings[0].size",
            ),
            (
                with(
                    json!({"linux": {"devices": [{"path": "/dev/a", "type": "p"}, {"path": "/dev/x", "type": "c", "major": 1}]}}),
                ),
                "linux.devices[1].minor",
            ),
            (
                with(json!({"linux": {"resources": {"devices": [{"access": "rwm"}]}}})),
                "linux.resources.devices[0].allow",
            ),
            (with(json!({"linux": {"resources": {"pids": {}}}})), "linux.resources.pids.limit"),
            (with(json!({"linux": {"namespaces": [{}]}})), "linux.namespaces[0].type"),
            (with(json!({"linux": {"personality": {}}})), "linux.personality.domain"),
            (with(json!({"linux": {"seccomp": {}}})), "linux.seccomp.defaultAction"),
            (with(json!({"hooks": {"prestart": [{}]}})), "hooks.prestart[0].path"),
        ] {
            assert_eq!(refused(&document), format!("config.json: {path}: is required and missing"));
        }
    }

    #[test]
    fn an_empty_text_is_as_if_it_were_not_there_where_nothing_can_be_meant_by_it() {
        let document = with(json!({
            "hostname": "",
            "mounts": [{"destination": "/a", "type": "", "source": ""}],
            "linux": {"namespaces": [{"type": "pid", "path": ""}], "netDevices": {"eth0": {"name": ""}}, "cgroupsPath": ""},
        }));
        let spec = Config::from_slice(document.to_string().as_bytes()).unwrap();
        let linux = spec.linux().as_ref().unwrap();
        assert_eq!(spec.hostname(), &None);
        assert_eq!(spec.mounts().as_ref().unwrap()[0].typ(), &None);
        assert_eq!(linux.namespaces().as_ref().unwrap()[0].path(), &None);
        assert_eq!(linux.net_devices().as_ref().unwrap()["eth0"].name(), &None);
        assert_eq!(linux.cgroups_path(), &None);
        assert_eq!(
            refused(&with(json!({"mounts": [{"destination": "", "type": 1}]}))),
            "config.json: mounts[0].type: 1 is not a string"
        );
    }

    #[test]
    fn capabilities_have_the_names_of_the_kernel() {
        for name in ["CAP_NOTHING", "CHOWN", "cap_chown", "CAP_CAP_CHOWN", ""] {
            let process = json!({"cwd": "/", "user": {"uid": 0, "gid": 0}, "capabilities": {"effective": ["CAP_KILL", name]}});
            assert_eq!(
                refused(&with(json!({"process": process}))),
                format!(
                    "config.json: process.capabilities.effective[1]: {name:?} is no capability that Linux has"
                )
            );
        }
    }

    #[test]
    fn unknown_kinds_of_hooks_and_lists_of_processors_are_refused() {
        assert_eq!(
            refused(&with(json!({"hooks": {"prestop": []}}))),
            "config.json: hooks.prestop: is no kind of hooks: there are prestart, createRuntime, createContainer, \
             startContainer, poststart, poststop"
        );
        let process = json!({"cwd": "/", "user": {"uid": 0, "gid": 0}, "execCPUAffinity": {"initial": "0-3", "final": "3-0"}});
        assert_eq!(
            refused(&with(json!({"process": process}))),
            "config.json: process.execCPUAffinity.final: \"3-0\" is no list of processors"
        );
    }

    #[test]
    fn sections_of_other_platforms_are_ignored_beside_that_of_linux_only() {
        let spec = with(json!({"linux": {}, "windows": {"layerFolders": 7}, "zos": [], "uidMappings": 1}));
        assert!(Config::from_slice(spec.to_string().as_bytes()).unwrap().windows().is_none());
        assert_eq!(
            refused(&with(json!({"solaris": {}}))),
            "config.json: linux: is missing: the configuration is for solaris"
        );
        assert_eq!(
            refused(&with(json!({"linux": {}, "vm": {}}))),
            "config.json: vm: containers in virtual machines are not supported"
        );
        assert!(Config::from_slice(with(json!({"vm": null})).to_string().as_bytes()).is_ok());
        for (document, shown) in [(json!(null), "null"), (json!([]), "an array"), (json!(1), "1")] {
            assert_eq!(refused(&document), format!("config.json: {shown} is not an object"));
        }
    }

    #[test]
    fn parts_of_a_configuration_are_read_as_strictly_as_the_whole() {
        let error = Config::process_from_slice(br#"{"cwd": "/", "user": {"uid": 0}}"#).unwrap_err();
        assert_eq!(error.to_string(), "config.json: process.user.gid: is required and missing");
        let error = Config::resources_from_slice(br#"{"pids": {}}"#).unwrap_err();
        assert_eq!(error.to_string(), "config.json: linux.resources.pids.limit: is required and missing");
        let error = Config::resources_from_slice(b"[]").unwrap_err();
        assert_eq!(error.to_string(), "config.json: linux.resources: an array is not an object");
        let text = br#"{"cwd": "/", "user": {"uid": 1, "gid": 2}, "args": ["a"]}"#;
        assert_eq!(Config::process_from_slice(text).unwrap().user().gid(), 2);
    }
}
