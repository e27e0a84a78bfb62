//! Resource Director Technology, over plain files that stand for the kernel's.
#![cfg(feature = "oci")]

mod common;

use std::fs;
use std::path::Path;

use cofferdam::oci::rdt::ResourceGroup;
use cofferdam::oci::{Result, Spec};
use tempfile::TempDir;

/// A directory like that of `resctrl`.
fn tree() -> TempDir {
    let root = TempDir::new().expect("a directory");
    let files = [
        ("schemata", "    L3:0=7ff;1=7ff\n    MB:0=100;1=100\n"),
        ("tasks", ""),
        ("info/last_cmd_status", "ok\n"),
        ("info/L3/cbm_mask", "7ff\n"),
        ("info/L3/min_cbm_bits", "1\n"),
        ("info/L3/num_closids", "16\n"),
        ("info/MB/bandwidth_gran", "10\n"),
        ("info/MB/delay_linear", "1\n"),
        ("info/MB/min_bandwidth", "10\n"),
        ("info/MB/num_closids", "8\n"),
        ("info/L3_MON/mon_features", "llc_occupancy\nmbm_total_bytes\nmbm_local_bytes\n"),
    ];
    for (name, content) in files {
        let file = root.path().join(name);
        fs::create_dir_all(file.parent().expect("above")).expect("a directory");
        fs::write(file, content).expect("a file");
    }
    root
}

/// A group that somebody has made before.
fn group(root: &Path, name: &str, schemata: &str) {
    fs::create_dir(root.join(name)).expect("a group");
    fs::write(root.join(name).join("schemata"), schemata).expect("schemata");
    fs::write(root.join(name).join("tasks"), "").expect("tasks");
}

fn create(root: &Path, rdt: &str) -> Result<Option<ResourceGroup>> {
    let json = format!(r#"{{"ociVersion": "1.3.0", "linux": {{"intelRdt": {rdt}}}}}"#);
    let spec: Spec = serde_json::from_str(&json).expect("a configuration");
    ResourceGroup::create(&spec, "web", Some(root))
}

fn refused(root: &Path, rdt: &str) -> String {
    create(root, rdt).expect_err("a refusal").to_string()
}

fn read(root: &Path, file: &str) -> String {
    fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn a_container_without_a_name_for_its_group_has_one_of_its_own() {
    let root = tree();
    let rdt = r#"{"l3CacheSchema": "L3:0=7f0;1=1f\nMB:0=50", "memBwSchema": "MB:0=20;1=70", "schemata": ["L2:0=f"]}"#;
    let mut group = create(root.path(), rdt).expect("a group").expect("one that is asked for");
    group.add(7).expect("a process");
    assert_eq!(read(root.path(), "web/schemata"), "L3:0=7f0;1=1f\nMB:0=20;1=70\nL2:0=f\n");
    assert_eq!(read(root.path(), "web/tasks"), "7");
    let record = serde_json::to_string(group.record()).expect("plain data");
    let mut again = ResourceGroup::open(&serde_json::from_str(&record).expect("a record"))
        .expect("a group")
        .expect("one that is there");
    again.remove().expect("it is removed, whoever is in it");
    assert!(!root.path().join("web").exists());
    assert!(ResourceGroup::open(group.record()).expect("no error").is_none());
    group.remove().expect("nothing is left to remove");
}

#[test]
fn a_group_that_is_there_must_say_the_same_and_stays() {
    let root = tree();
    group(root.path(), "gold", "    L3:0=7ff;1=ff\n    MB:0= 20;1=100\n");
    let mut joined = create(root.path(), r#"{"closID": "gold", "l3CacheSchema": "L3:1=0ff"}"#)
        .expect("the group")
        .expect("one that is asked for");
    joined.add(8).expect("a process");
    joined.remove().expect("nothing of it was made");
    assert_eq!(read(root.path(), "gold/tasks"), "8");
    let text = refused(root.path(), r#"{"closID": "gold", "memBwSchema": "MB:0=30"}"#);
    let expected = "config.json: linux.intelRdt.closID: the group \"gold\" is there already and does not have \"MB:0=30\"";
    assert_eq!(text, expected);
    assert!(root.path().join("gold").exists());
}

#[test]
fn a_group_of_which_nothing_is_said_has_to_be_there() {
    let root = tree();
    let text = refused(root.path(), r#"{"closID": "silver"}"#);
    let expected = "config.json: linux.intelRdt.closID: there is no group \"silver\", which has to be there if \
                    nothing is said of it";
    assert_eq!(text, expected);
    assert!(!root.path().join("silver").exists());
    group(root.path(), "silver", "");
    let mut joined = create(root.path(), r#"{"closID": "silver"}"#).expect("the group").expect("one");
    joined.remove().expect("nothing of it was made");
    assert!(root.path().join("silver").exists());
}

#[test]
fn a_named_group_that_was_made_goes_with_its_last_process() {
    let root = tree();
    let rdt = r#"{"closID": "bronze", "schemata": ["L3:0=f"]}"#;
    let mut first = create(root.path(), rdt).expect("a group").expect("one");
    first.add(9).expect("a process");
    first.remove().expect("it stays");
    assert!(root.path().join("bronze").exists());
    fs::write(root.path().join("bronze/tasks"), "").expect("the process has ended");
    first.remove().expect("it goes");
    assert!(!root.path().join("bronze").exists());
}

#[test]
fn the_root_is_a_group_too() {
    let root = tree();
    let mut group = create(root.path(), r#"{"closID": "/"}"#).expect("the root").expect("one");
    group.add(5).expect("a process");
    assert_eq!(read(root.path(), "tasks"), "5");
    group.remove().expect("nothing of it was made");
    assert!(root.path().join("info").exists());
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let root = tree();
    for name in ["..", "a/b", "info", "mon_groups", "../x", "/etc"] {
        let text = refused(root.path(), &format!(r#"{{"closID": "{name}", "schemata": ["L3:0=f"]}}"#));
        assert_eq!(
            text,
            format!("config.json: linux.intelRdt.closID: {name:?} is no name of a group of resctrl")
        );
    }
}

#[test]
fn a_monitored_container_has_a_group_for_that_and_statistics() {
    let root = tree();
    group(root.path(), "gold", "L3:0=ff\nMB:0=20\n");
    fs::create_dir(root.path().join("gold/mon_groups")).expect("a directory");
    let rdt = r#"{"closID": "gold", "enableMonitoring": true}"#;
    let mut group = create(root.path(), rdt).expect("the group").expect("one");
    group.add(6).expect("a process");
    assert_eq!(read(root.path(), "gold/mon_groups/web/tasks"), "6");
    let data = root.path().join("gold/mon_groups/web/mon_data/mon_L3_00");
    fs::create_dir_all(&data).expect("a directory");
    fs::write(data.join("llc_occupancy"), "4096\n").expect("a file");
    fs::write(data.join("mbm_total_bytes"), "77\n").expect("a file");
    let group_again = ResourceGroup::open(group.record()).expect("no error").expect("one");
    let stats = serde_json::to_value(group_again.statistics().expect("statistics")).expect("JSON");
    let expected = serde_json::json!({
        "l3_cache_info": {"cbm_mask": "7ff", "min_cbm_bits": 1, "num_closids": 16},
        "l3_cache_schema_root": "L3:0=7ff;1=7ff",
        "l3_cache_schema": "L3:0=ff",
        "mem_bw_info": {"bandwidth_gran": 10, "delay_linear": 1, "min_bandwidth": 10, "num_closids": 8},
        "mem_bw_schema_root": "MB:0=100;1=100",
        "mem_bw_schema": "MB:0=20",
        "mbm_stats": [{"mbm_total_bytes": 77}],
        "cmt_stats": [{"llc_occupancy": 4096}],
    });
    assert_eq!(stats, expected);
    fs::remove_dir_all(root.path().join("gold/mon_groups/web/mon_data")).expect("the kernel's own");
    group.remove().expect("its monitoring group goes");
    assert!(!root.path().join("gold/mon_groups/web").exists() && root.path().join("gold").exists());
}

#[test]
fn what_the_machine_cannot_monitor_is_refused() {
    let root = tree();
    fs::write(root.path().join("info/L3_MON/mon_features"), "mbm_total_bytes\n").expect("a file");
    // So the types spell it that a configuration is read into.
    let text = refused(root.path(), r#"{"enableCmt": true}"#);
    assert_eq!(text, "config.json: linux.intelRdt.enableCMT: this machine cannot monitor it");
    fs::remove_dir_all(root.path().join("info/L3_MON")).expect("gone");
    let text = refused(root.path(), r#"{"enableMonitoring": true}"#);
    assert_eq!(text, "config.json: linux.intelRdt.enableMonitoring: this machine cannot monitor it");
    assert!(!root.path().join("web").exists());
}

#[test]
fn without_the_file_system_it_is_an_error_that_says_so() {
    let spec: Spec = serde_json::from_str(r#"{"ociVersion": "1.3.0", "linux": {"intelRdt": {}}}"#)
        .expect("a configuration");
    let table = fs::read_to_string("/proc/self/mountinfo").expect("the mount table");
    require!(!table.contains(" resctrl "), "a host without resctrl");
    let text = ResourceGroup::create(&spec, "web", None).expect_err("a refusal").to_string();
    assert_eq!(text, "config.json: linux.intelRdt: no resctrl file system is mounted");
    assert!(ResourceGroup::create(&Spec::default(), "web", None).expect("nothing is asked for").is_none());
}
