//! Names and paths that want to lead elsewhere.

use serde_json::json;

use crate::common::bundle::{Bundle, busybox};
use crate::common::can_isolate;
use crate::fixture::{Before, Outside, attempt, for_everybody};
use crate::require;

#[test]
fn a_container_id_is_one_name_of_the_state_directory() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("names::a_container_id_is_one_name_of_the_state_directory", || {
        let (before, outside) = (Before::look(), Outside::new());
        let bundle = Bundle::new("exit 0");
        let victim = outside.path().file_name().unwrap().to_str().unwrap();
        let long = "x".repeat(1100);
        let absolute = outside.path().to_str().unwrap();
        let up = format!("../../{victim}");
        for id in [
            "", ".", "..", "../x", "a/b", "a/../b", "/", absolute, &up, "-/x", "x\n", "x\0", " x", "\u{e9}",
            &long, ".hidden", "a b", "a\\b", "a:b", "*",
        ] {
            for error in [
                bundle.create(id).err().unwrap(),
                bundle.runtime.load(id).err().unwrap(),
                bundle.runtime.delete(id, false).unwrap_err(),
                bundle.runtime.delete(id, true).unwrap_err(),
            ] {
                assert!(matches!(error, cofferdam::oci::Error::InvalidId { .. }), "{id:?}: {error}");
                let text = error.to_string();
                assert!(text.starts_with("the container id ") && text.lines().count() == 1, "{id:?}: {text}");
                assert!(text.len() < 1000, "{id:?}: {text}");
            }
            before.assert_same(&bundle, &outside, id);
        }
    });
}

#[test]
fn a_link_in_the_state_directory_is_no_container() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("names::a_link_in_the_state_directory_is_no_container", || {
        let (before, outside) = (Before::look(), Outside::new());
        let bundle = Bundle::new("exit 0");
        let state = bundle.path().join("state");
        std::fs::create_dir(&state).unwrap();
        std::os::unix::fs::symlink(outside.path(), state.join("box")).unwrap();
        assert_eq!(
            bundle.create("box").unwrap_err().to_string(),
            "container with given ID already exists: box"
        );
        assert!(bundle.runtime.load("box").is_err());
        assert!(bundle.runtime.delete("box", true).is_err());
        assert!(bundle.runtime.list().unwrap().is_empty());
        std::fs::remove_file(state.join("box")).unwrap();
        before.assert_same(&bundle, &outside, "a link");
    });
}

#[test]
fn a_cgroups_path_does_not_lead_above_where_it_begins() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("names::a_cgroups_path_does_not_lead_above_where_it_begins", || {
        let (before, outside) = (Before::look(), Outside::new());
        for path in ["../../x", "/../x", "/a/../../x", "..", "/a/..", "a/./../..", "/x\ny"] {
            let mut bundle = Bundle::new("exit 0");
            bundle.config["linux"]["cgroupsPath"] = json!(path);
            let text = attempt(&bundle).unwrap_err().to_string();
            assert!(text.starts_with("config.json: linux.cgroupsPath: "), "{path:?}: {text}");
            bundle.config["linux"].as_object_mut().unwrap().remove("cgroupsPath");
            before.assert_same(&bundle, &outside, path);
        }
    });
}
