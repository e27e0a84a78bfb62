//! Image configs: what they must say, and that nothing of it is lost.

#[path = "common/edited.rs"]
mod edited;

use cofferdam_image_spec::{Digest, Document, Error, ImageConfig, MediaType};
use edited::{and, with, without};
use serde_json::{Value, json};

fn config() -> Value {
    json!({
        "architecture": "amd64",
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(b"a"), Digest::sha256(b"b")] },
    })
}

fn read(text: String) -> Result<Document<ImageConfig>, Error> {
    Document::from_bytes(MediaType::OCI_CONFIG, text.into_bytes())
}

#[test]
fn a_config_needs_a_platform_and_layers() {
    for (text, reason) in [
        (without(config(), "architecture"), "architecture"),
        (without(config(), "os"), "os"),
        (without(config(), "rootfs"), "rootfs"),
        (with(config(), "/rootfs/type", json!("squashfs")), r#"rootfs.type "squashfs" is not supported"#),
        (with(config(), "/rootfs", json!({ "diff_ids": [] })), "type"),
        (with(config(), "/rootfs", json!({ "type": "layers" })), "diff_ids"),
        (with(config(), "/rootfs/diff_ids/0", json!("sha256:x")), "digits"),
        (and(config(), "config", json!({ "Env": ["A=\0"] })), "Env"),
        (and(config(), "config", json!({ "Cmd": ["\0"] })), "Cmd"),
        (and(config(), "config", json!({ "User": "ro\0ot" })), "User"),
        (and(config(), "config", json!({ "WorkingDir": "/\0" })), "WorkingDir"),
        (and(config(), "config", json!({ "Volumes": { "/\0": {} } })), "Volumes"),
        (and(config(), "config", json!({ "Env": "A=1" })), "expected a sequence"),
        (and(config(), "config", json!({ "Labels": { "a": 1 } })), "expected a string"),
        ("{}".into(), "missing field"),
    ] {
        let message = read(text).expect_err("a config that is refused").to_string();
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn a_config_is_read_and_written() {
    let mut full = config();
    full["variant"] = json!("v3");
    full["created"] = json!("2015-10-31T22:22:56.015925234Z");
    full["config"] = json!({
        "User": "alice", "ExposedPorts": { "8080/tcp": {} }, "Env": ["PATH=/bin"], "Entrypoint": ["/bin/app"],
        "Cmd": ["--x"], "Volumes": { "/var/data": {} }, "WorkingDir": "/home/alice", "Labels": { "a": "b" },
        "StopSignal": "SIGINT", "Healthcheck": { "Test": ["CMD", "true"], "Interval": 1_000_000_000_i64 },
        "Shell": ["/bin/sh", "-c"],
    });
    full["history"] = json!([{ "created_by": "ADD", "comment": "c" }, { "empty_layer": true }]);
    let config = read(full.to_string()).unwrap().into_value();
    assert_eq!(config.platform, "linux/amd64/v3".parse().unwrap());
    assert_eq!(config.config.exposed_ports.first().unwrap(), "8080/tcp");
    assert!(config.history[1].empty_layer);
    let again: Value = serde_json::from_slice(Document::new(&config).unwrap().bytes()).unwrap();
    assert_eq!(again, full);
}
