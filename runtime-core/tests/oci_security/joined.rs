//! User namespaces that are joined.

use cofferdam::oci::Container;
use serde_json::json;

use crate::common::bundle::{Bundle, busybox};
use crate::common::{can_isolate, is_root};
use crate::fixture::{Before, Outside, attempt, for_everybody};
use crate::require;

/// A container that runs in a user namespace in which users 1000 and, as root, 1001 are all there are.
fn without_root(bundle: &mut Bundle) -> Container {
    let (uid, gid, size) = match is_root() {
        true => (100_000, 200_000, 2),
        false => (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw(), 1),
    };
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != "user");
    namespaces.push(json!({ "type": "user" }));
    let one = |host: u32| json!([{ "containerID": 1000, "hostID": host, "size": size }]);
    bundle.config["linux"]["uidMappings"] = one(uid);
    bundle.config["linux"]["gidMappings"] = one(gid);
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    without_groups(bundle);
    let mut container = bundle.create("first").unwrap_or_else(|error| panic!("{error}"));
    container.start().unwrap_or_else(|error| panic!("{error}"));
    container
}

/// A terminal belongs to no group here, as not all are mapped.
fn without_groups(bundle: &mut Bundle) {
    for mount in bundle.config["mounts"].as_array_mut().unwrap() {
        if let Some(options) = mount["options"].as_array_mut() {
            options.retain(|option| option != "gid=5");
        }
    }
}

/// A container that joins a user namespace by a path.
fn joining(path: &str) -> Bundle {
    let mut bundle = Bundle::new("id -u; id -g");
    let linux = bundle.config["linux"].as_object_mut().unwrap();
    linux.remove("uidMappings");
    linux.remove("gidMappings");
    let namespaces = bundle.config["linux"]["namespaces"].as_array_mut().unwrap();
    namespaces.retain(|namespace| namespace["type"] != "user");
    namespaces.push(json!({ "type": "user", "path": path }));
    bundle.config["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
    without_groups(&mut bundle);
    bundle
}

#[test]
fn a_user_namespace_without_root_is_joined_as_who_is_there_or_it_is_said_why_not() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    let name = "joined::a_user_namespace_without_root_is_joined_as_who_is_there_or_it_is_said_why_not";
    for_everybody(name, || {
        let mut first = Bundle::new("exec sleep 60");
        let container = without_root(&mut first);
        let path = format!("/proc/{}/ns/user", container.pid().unwrap());
        let mut bundle = joining(&path);
        let (before, outside) = (Before::look(), Outside::new());
        assert_eq!(attempt(&bundle).unwrap(), "1000\n1000\n");
        before.assert_same(&bundle, &outside, "joined");
        if is_root() {
            bundle.config["process"]["user"] = json!({ "uid": 1001, "gid": 1001, "additionalGids": [1000] });
            assert_eq!(attempt(&bundle).unwrap(), "1001\n1001\n");
        }
        bundle.config["process"]["user"] = json!({ "uid": 0, "gid": 1000 });
        let error = attempt(&bundle).unwrap_err().to_string();
        let unmapped = "0 is not mapped in the container's user namespace";
        assert_eq!(error, format!("config.json: process.user.uid: {unmapped}"));

        // By another path its ids are not known beforehand.
        let link = bundle.path().join("namespace");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let bundle = joining(link.to_str().unwrap());
        let error = attempt(&bundle).unwrap_err().to_string();
        let expected = "config.json: linux.namespaces: joins a user namespace in which ids 0 are not mapped";
        assert!(error.starts_with(expected), "{error}");
        before.assert_same(&bundle, &outside, "refused");
        container.delete(true).unwrap();
    });
}
