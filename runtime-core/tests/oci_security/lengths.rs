//! Values that are long, and many of them.

use serde_json::{Value, json};

use crate::common::bundle::{Bundle, busybox};
use crate::common::can_isolate;
use crate::fixture::{Before, Outside, attempt, for_everybody};
use crate::require;

#[test]
fn cve_2021_43784_no_length_is_cut() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("lengths::cve_2021_43784_no_length_is_cut", || {
        let long = "x".repeat(70_000);
        let deep = "/y".repeat(2500);
        let mapping = |index: u32| json!({ "containerID": index, "hostID": 100_000 + index, "size": 1 });
        let many: Vec<Value> = (0..5000).map(mapping).collect();
        let mount = |at: &str| json!([{ "destination": at, "type": "tmpfs", "source": "tmpfs" }]);
        let rows: [(&str, Value, &str); 13] = [
            ("/root/path", json!(format!("/{long}")), "ENAMETOOLONG"),
            ("/root/path", json!(deep), "ENAMETOOLONG"),
            ("/process/cwd", json!(format!("/{long}")), "ENAMETOOLONG"),
            ("/process/args", json!([format!("/{long}")]), "ENAMETOOLONG"),
            ("/process/args", json!(["/bin/true", "x".repeat(140_000)]), "E2BIG"),
            ("/process/env", json!([format!("A={}", "x".repeat(140_000))]), "E2BIG"),
            ("/mounts", mount(&format!("/{long}")), "ENAMETOOLONG"),
            ("/mounts", mount(&format!("/{}", "z".repeat(256))), "ENAMETOOLONG"),
            (
                "/mounts",
                json!([{ "destination": "/tmp", "source": format!("/{long}"), "options": ["bind"] }]),
                "ENAMETOOLONG",
            ),
            (
                "/mounts",
                json!([{ "destination": "/tmp", "type": "tmpfs", "options": [format!("size={long}")] }]),
                "E",
            ),
            ("/hostname", json!(long), "hostname"),
            ("/linux/maskedPaths", json!([format!("/{long}")]), "ENAMETOOLONG"),
            ("/linux/uidMappings", json!(many), "linux.uidMappings"),
        ];
        let (before, outside) = (Before::look(), Outside::new());
        for (at, value, expected) in rows {
            let mut bundle = Bundle::new("exit 0");
            let (parent, name) = at.rsplit_once('/').unwrap();
            bundle.config.pointer_mut(parent).unwrap()[name] = value;
            let text = attempt(&bundle).map_err(|error| error.to_string()).expect_err(at);
            assert!(text.contains(expected), "{at}: {}", &text[..text.len().min(300)]);
            before.assert_same(&bundle, &outside, at);
        }
    });
}

#[test]
fn what_is_long_and_possible_arrives_whole() {
    require!(busybox().is_some(), "a static busybox");
    require!(can_isolate(), "namespaces");
    for_everybody("lengths::what_is_long_and_possible_arrives_whole", || {
        let (before, outside) = (Before::look(), Outside::new());
        let mut bundle = Bundle::new("");
        let deep = format!("/tmp/{}", vec!["y".repeat(250); 12].join("/"));
        bundle.config["process"]["args"] = json!([
            "/bin/sh",
            "-c",
            "echo ${#1} ${#A} $#; pwd | busybox wc -c",
            "sh",
            "x".repeat(120_000),
            "y",
            "z"
        ]);
        bundle.config["process"]["env"] = json!(["PATH=/bin", format!("A={}", "x".repeat(110_000))]);
        bundle.config["process"]["cwd"] = json!(deep);
        let list = bundle.config["mounts"].as_array_mut().unwrap();
        list.push(json!({ "destination": "/tmp", "type": "tmpfs", "source": "tmpfs" }));
        list.push(json!({ "destination": deep, "type": "tmpfs", "source": "tmpfs" }));
        for index in 0..300 {
            let at = format!("/tmp/{index}");
            list.push(
                json!({ "destination": at, "type": "tmpfs", "source": "tmpfs", "options": ["size=4k"] }),
            );
        }
        assert_eq!(attempt(&bundle).unwrap(), format!("120000 110000 3\n{}\n", deep.len() + 1));
        before.assert_same(&bundle, &outside, "long");
    });
}
