//! The whole schema is read: a configuration in which every property of the runtime-spec 1.3 for Linux stands is the same
//! after reading. A field that the types do not know would be gone.
#![cfg(feature = "oci")]

use cofferdam::oci::{Config, Spec, to_json, validate};
use serde_json::{Value, json};

fn everything() -> Value {
    serde_json::from_str(include_str!("configs/everything.json")).expect("a configuration")
}

fn read(document: &Value) -> Spec {
    Config::from_slice(document.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_configuration_with_every_property_is_the_same_after_reading_and_valid() {
    let spec = read(&everything());
    assert_eq!(serde_json::from_str::<Value>(&to_json(&spec).unwrap()).unwrap(), everything());
    assert_eq!(
        validate(&spec).map(|report| report.not_applied).map_err(|error| error.to_string()),
        Ok(Vec::new())
    );
}

#[test]
fn names_that_the_types_have_otherwise_are_read_by_the_specifications() {
    let mut document = everything();
    document["process"]["scheduler"]["flags"] = json!(["SCHED_FLAG_DL_OVERRUN"]);
    document["linux"]["intelRdt"] = json!({"enableCMT": true, "enableMBM": false});
    let spec = read(&document);
    let flags = spec.process().as_ref().unwrap().scheduler().as_ref().unwrap().flags().clone().unwrap();
    assert_eq!(flags, [oci_spec::runtime::LinuxSchedulerFlag::SchedFlagDLOverrun]);
    let rdt = spec.linux().as_ref().unwrap().intel_rdt().as_ref().unwrap();
    #[allow(deprecated, reason = "configurations have them")]
    let both = (*rdt.enable_cmt(), *rdt.enable_mbm());
    assert_eq!(both, (Some(true), Some(false)));
    assert_eq!(validate(&read(&serde_json::to_value(&spec).unwrap())).unwrap().not_applied, []);
}

#[test]
fn every_value_of_another_kind_is_named_with_its_path() {
    /// Each leaf in turn becomes something that it cannot be.
    fn spoil(document: &Value, at: &mut Vec<String>, spoilt: &mut Vec<String>) {
        match document {
            Value::Object(entries) => entries.iter().for_each(|(key, value)| {
                at.push(key.clone());
                spoil(value, at, spoilt);
                at.pop();
            }),
            Value::Array(items) => items.iter().enumerate().for_each(|(index, value)| {
                at.push(index.to_string());
                spoil(value, at, spoilt);
                at.pop();
            }),
            _ => spoilt.push(format!(
                "/{}",
                at.iter().map(|key| key.replace('/', "~1")).collect::<Vec<_>>().join("/")
            )),
        }
    }
    let mut leaves = Vec::new();
    spoil(&everything(), &mut Vec::new(), &mut leaves);
    assert!(leaves.len() > 180, "{}", leaves.len());
    for pointer in leaves {
        let mut document = everything();
        *document.pointer_mut(&pointer).unwrap() = json!([[]]);
        let error = Config::from_slice(document.to_string().as_bytes()).expect_err(&pointer).to_string();
        let leaf = pointer.rsplit('/').find(|step| step.parse::<usize>().is_err()).unwrap();
        assert!(error.contains(leaf) && error.contains("an array is not "), "{pointer}: {error}");
    }
}

#[test]
fn what_an_engine_writes_is_read_and_valid() {
    // Made by podman 4.3 with a terminal, a user, limits, a device, a tmpfs, a sysctl and one more capability.
    let text = include_bytes!("configs/podman.json");
    let spec = Config::from_slice(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        validate(&spec).map(|report| report.not_applied).map_err(|error| error.to_string()),
        Ok(Vec::new())
    );
    let linux = spec.linux().as_ref().unwrap();
    assert_eq!(linux.sysctl().as_ref().unwrap()["net.core.somaxconn"], "100");
    assert_eq!(linux.resources().as_ref().unwrap().pids().as_ref().unwrap().limit(), 50);
    assert_eq!(spec.process().as_ref().unwrap().user().uid(), 1000);
}
