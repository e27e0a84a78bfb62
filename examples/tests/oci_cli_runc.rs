//! The documents of `cofferdam` beside those of runc: engines read both with the same code.

mod common;

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};

use common::oci::{Bundle, root};
use common::{User, errors};
use serde_json::Value;

/// The types of all values, by their paths. What is in a list has the path of the list.
fn types(value: &Value) -> BTreeMap<String, &'static str> {
    fn visit(path: &str, value: &Value, all: &mut BTreeMap<String, &'static str>) {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(list) => {
                list.iter().for_each(|value| visit(&format!("{path}[]"), value, all));
                "list"
            }
            Value::Object(map) => {
                map.iter().for_each(|(key, value)| visit(&format!("{path}.{key}"), value, all));
                "object"
            }
        };
        all.insert(path.to_owned(), kind);
    }
    let mut all = BTreeMap::new();
    visit("", value, &mut all);
    all
}

/// A container of each runtime, with the same program.
struct Pair<'a> {
    ours: Bundle<'a>,
    theirs: Bundle<'a>,
}

fn runc(bundle: &Bundle<'_>, args: &[&str]) -> Output {
    let mut command = Command::new("runc");
    command.arg("--root").arg(bundle.path.join("runc")).args(args).current_dir(&bundle.path);
    command.stdin(Stdio::null()).output().expect("runc")
}

impl<'a> Pair<'a> {
    fn new(user: &'a User) -> Self {
        let pair = Self {
            ours: Bundle::new(user, &["sleep", "1000"]),
            theirs: Bundle::new(user, &["sleep", "1000"]),
        };
        pair.ours.start();
        let mut command = Command::new("runc");
        command.arg("--root").arg(pair.theirs.path.join("runc")).args(["run", "--detach", &pair.theirs.id]);
        command
            .current_dir(&pair.theirs.path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        assert!(command.status().expect("runc").success());
        pair
    }

    /// What both print for the same words; `ID` stands for the container.
    fn documents(&self, words: &[&str]) -> (Value, Value) {
        let fill = |id: &str| words.iter().map(|word| word.replace("ID", id)).collect::<Vec<_>>();
        let ours = self.ours.json(&fill(&self.ours.id));
        let words = fill(&self.theirs.id);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = runc(&self.theirs, &words);
        assert!(output.status.success(), "{}", errors(&output));
        (ours, serde_json::from_slice(&output.stdout).expect("JSON"))
    }
}

impl Drop for Pair<'_> {
    fn drop(&mut self) {
        runc(&self.theirs, &["delete", "--force", &self.theirs.id]);
    }
}

/// Both, where there is a runc that can run a container here.
fn user() -> Option<User> {
    let user = root()?;
    let bundle = Bundle::new(&user, &["true"]);
    let runs = Command::new("runc").arg("--version").output().is_ok() && {
        let output = runc(&bundle, &["run", &bundle.id]);
        output.status.success()
    };
    drop(bundle);
    if !runs {
        common::skip("a runc that runs containers");
    }
    runs.then_some(user)
}

#[test]
fn the_state_has_runcs_fields() {
    let Some(user) = user() else { return };
    let pair = Pair::new(&user);
    let (ours, theirs) = pair.documents(&["state", "ID"]);
    assert_eq!(types(&ours), types(&theirs));
    assert_eq!(ours["status"], theirs["status"]);
    let (ours, theirs) = pair.documents(&["list", "--format", "json"]);
    assert_eq!(types(&ours), types(&theirs));
    assert_eq!(ours[0]["owner"], theirs[0]["owner"]);
    let (ours, theirs) = pair.documents(&["ps", "--format", "json", "ID"]);
    assert_eq!((types(&ours), ours.as_array().map(Vec::len)), (types(&theirs), Some(1)));
}

#[test]
fn events_have_runcs_fields() {
    let Some(user) = user() else { return };
    let pair = Pair::new(&user);
    let (ours, theirs) = pair.documents(&["events", "--stats", "ID"]);
    let (ours, theirs) = (types(&ours), types(&theirs));
    // The lines of memory.stat have the names of v2 here, and those of the kernel's version there.
    let fields = |types: &BTreeMap<String, &'static str>| -> BTreeMap<String, &'static str> {
        let fields = types.iter().filter(|(path, _)| !path.starts_with(".data.memory.raw."));
        fields.map(|(path, kind)| (path.clone(), *kind)).collect()
    };
    let known = fields(&theirs);
    for (path, kind) in fields(&ours) {
        // Newer than the runc of the distribution, or of v2, where that runc says less.
        let newer =
            [".psi", ".throttling.", ".blkio.", ".hugetlb.", ".event_count", ".cpuset.", ".memory.usage.max"];
        let newer = newer.iter().any(|part| path.contains(part));
        let right = known.get(&path).map_or(newer, |known| *known == kind);
        assert!(right, "{path}: {kind}, and {:?}", known.get(&path));
    }
    let present = [
        ".type",
        ".id",
        ".data.cpu.usage.total",
        ".data.cpu.usage.kernel",
        ".data.cpu.usage.user",
        ".data.memory.usage.limit",
        ".data.memory.usage.usage",
        ".data.memory.usage.max",
        ".data.memory.usage.failcnt",
        ".data.memory.swap.limit",
        ".data.memory.kernel.usage",
        ".data.pids.current",
        ".data.cpuset.cpus[]",
        ".data.network_interfaces",
        ".data.intel_rdt",
        ".data.hugetlb",
    ];
    for path in present {
        assert!(ours.contains_key(path) || !theirs.contains_key(path), "{path}");
    }
}

#[test]
fn features_have_runcs_fields() {
    let Some(user) = user() else { return };
    let pair = Pair::new(&user);
    let (ours, theirs) = pair.documents(&["features"]);
    let types_here = types(&ours);
    for (path, kind) in types(&theirs).iter().filter(|(path, _)| !path.starts_with(".annotations.")) {
        assert_eq!(types_here.get(path), Some(kind), "{path}");
    }
    for list in ["hooks", "mountOptions"] {
        let has = |value: &Value| ours[list].as_array().is_some_and(|all| all.contains(value));
        let missing: Vec<&Value> =
            theirs[list].as_array().expect("a list").iter().filter(|value| !has(value)).collect();
        assert!(missing.is_empty(), "{list}: {missing:?}");
    }
}
