//! The table of properties and their tests in the readme of the OCI command line.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

/// The rows of the tables: property, test, and where it is seen.
fn rows() -> Vec<[String; 3]> {
    let text = fs::read_to_string(workspace().join("examples/oci-runtime/README.md")).expect("the readme");
    let (_, section) =
        text.split_once("## Properties of the runtime-spec and their tests\n").expect("a heading");
    let section = section.split("\n## ").next().unwrap_or_default();
    let cells = |line: &str| -> Option<[String; 3]> {
        let line = line.strip_prefix("| ")?.strip_suffix(" |")?;
        let cells: Vec<String> = line.split(" | ").map(str::to_owned).collect();
        (cells[0] != "property").then(|| cells.try_into().expect("three cells"))
    };
    section.lines().filter_map(cells).collect()
}

/// What stands in backquotes.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Whether a file has a test of this name.
fn has_test(file: &str, name: &str) -> bool {
    let text = fs::read_to_string(workspace().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    text.split("#[test]").skip(1).any(|rest| {
        let head = rest.split_once('{').map_or(rest, |(head, _)| head);
        head.split_once("fn ")
            .is_some_and(|(_, found)| found.split_once('(').is_some_and(|(found, _)| found == name))
    })
}

#[test]
fn each_property_has_tests_that_exist_or_says_why_not() {
    let rows = rows();
    assert!(rows.len() > 80, "{}", rows.len());
    for [property, tests, seen] in &rows {
        let named: Vec<&str> = quoted(tests).filter(|word| word.contains("::")).collect();
        for test in &named {
            let (file, name) = test.split_once("::").expect("a file and a name");
            assert!(has_test(file, name), "{property}: there is no test {name} in {file}");
        }
        let reason = tests.starts_with("cannot be tested on these machines: ");
        assert!(reason || (!named.is_empty() && !seen.is_empty()), "{property} has no test");
    }
    assert!(!has_test("examples/tests/oci_table.rs", "no_such_test"));
}

/// Below `path` all places of a configuration in which something stands: lists as `[]`, and names that are free as `*`.
fn places(value: &serde_json::Value, path: &str, found: &mut BTreeSet<String>) {
    const FREE: [&str; 3] = ["linux.timeOffsets", "linux.netDevices", "linux.resources.rdma"];
    match value {
        serde_json::Value::Object(entries) if !entries.is_empty() && !is_map_of_texts(path) => {
            for (key, entry) in entries {
                let key = if FREE.contains(&path) { "*" } else { key };
                let below = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                places(entry, &below, found);
            }
        }
        serde_json::Value::Array(items) if items.iter().any(serde_json::Value::is_object) => {
            items.iter().for_each(|item| places(item, &format!("{path}[]"), found));
        }
        _ => drop(found.insert(path.to_owned())),
    }
}

fn is_map_of_texts(path: &str) -> bool {
    ["annotations", "linux.sysctl", "linux.resources.unified"].contains(&path)
}

#[test]
fn every_property_of_the_schema_is_in_the_table() {
    let text =
        fs::read_to_string(workspace().join("runtime-core/tests/configs/everything.json")).expect("a file");
    let mut wanted = BTreeSet::new();
    places(&serde_json::from_str(&text).expect("JSON"), "", &mut wanted);
    let rows = rows();
    let listed: BTreeSet<&str> = rows.iter().flat_map(|[property, ..]| quoted(property)).collect();
    let is_listed = |place: &String| {
        let hooks = place.strip_prefix("hooks.").and_then(|rest| rest.split_once("[]."));
        let throttle = place.strip_prefix("linux.resources.blockIO.throttle").and(place.split_once("[]."));
        match (hooks, throttle) {
            (Some((kind, rest)), _) => {
                listed.contains(format!("hooks.{kind}").as_str())
                    && listed.contains(format!("hooks.*[].{rest}").as_str())
            }
            (None, Some((list, _))) => listed.contains(list),
            (None, None) => listed.contains(place.as_str()),
        }
    };
    let missing: Vec<&String> = wanted.iter().filter(|place| !is_listed(place)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(wanted.len() > 120, "{}", wanted.len());
}
