//! What the tests of the sections share: configurations and real runs of them.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use cofferdam_process::{BoxError, Child, Process, Rendezvous, Spawner};
use serde_json::{Value, json};

use super::{CgroupView, Request};
use crate::oci::{Result, Spec};
use crate::prepare::Prepared;
use crate::start::{MapWriter, Place, Streams, open_all};
use crate::{Error, ExitStatus, PlanStdio};

/// A container of its own mount, pid, uts and ipc namespaces that runs a shell command, changed by `change`.
pub(super) fn spec(command: &str, change: impl FnOnce(&mut Value)) -> Spec {
    let kinds = ["mount", "pid", "uts", "ipc", "network"];
    let namespaces: Vec<Value> = kinds.iter().map(|kind| json!({ "type": kind })).collect();
    let all = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_NET_BIND_SERVICE"];
    let mut value = json!({
        "ociVersion": "1.3.0",
        "process": {
            "user": { "uid": 0, "gid": 0 },
            "args": ["/bin/sh", "-c", command],
            "env": ["PATH=/usr/bin:/bin"],
            "cwd": "/",
            "capabilities": { "bounding": all, "effective": all, "permitted": all },
        },
        "root": { "path": "/" },
        "linux": { "namespaces": namespaces },
    });
    change(&mut value);
    serde_json::from_value(value).unwrap()
}

/// With a user namespace in which the caller is root, which works for everybody.
pub(super) fn in_user_namespace(value: &mut Value) {
    value["linux"]["namespaces"].as_array_mut().unwrap().push(json!({ "type": "user" }));
    let one = |id: u32| json!([{ "containerID": 0, "hostID": id, "size": 1 }]);
    value["linux"]["uidMappings"] = one(rustix::process::geteuid().as_raw());
    value["linux"]["gidMappings"] = one(rustix::process::getegid().as_raw());
}

/// Changes that an ordinary user needs.
pub(super) fn as_anyone(value: &mut Value) {
    if !is_root() {
        in_user_namespace(value);
    }
}

pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether there is what a test needs; says so if there is not, and fails where nothing may be left out.
pub(super) fn has(what: &str, there: bool) -> bool {
    if !there {
        println!("skipped: needs {what}");
        assert!(std::env::var_os("REQUIRE_ALL").is_none_or(|value| value != "1"), "needs {what}");
    }
    there
}

/// Whether there is the program of which roots are made; prints that it is missing.
pub(super) fn has_busybox() -> bool {
    has("a static busybox in /bin", Path::new("/bin/busybox").exists())
}

/// A root directory in which busybox is the only program, under all its names.
pub(super) fn busybox_root() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let bin = root.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    std::fs::copy("/bin/busybox", bin.join("busybox")).unwrap();
    for name in
        ["sh", "cat", "echo", "grep", "id", "ls", "pwd", "readlink", "sleep", "true", "tty", "stty", "touch"]
    {
        std::os::unix::fs::symlink("busybox", bin.join(name)).unwrap();
    }
    root
}

/// A root of its own, with the mounts that `spec` writes.
pub(super) fn with_root(value: &mut Value, root: &Path) {
    let default = serde_json::to_value(crate::oci::default_spec()).unwrap();
    value["root"] = json!({ "path": root });
    value["mounts"] = default["mounts"].clone();
    value["process"]["env"] = json!(["PATH=/bin"]);
}

pub(super) fn request(spec: &Spec) -> Request<'_> {
    Request {
        id: "cofferdam-test",
        spec,
        bundle: Path::new("/"),
        streams: Streams { stdin: PlanStdio::Null, stdout: PlanStdio::Pipe, stderr: PlanStdio::Pipe },
        passed: Vec::new(),
        cgroup: CgroupView::default(),
        no_pivot: false,
        no_new_keyring: false,
        listener: None,
        notify: None,
    }
}

/// The text of the plan.
pub(super) fn explain(spec: &Spec) -> Result<String> {
    Ok(super::build(&request(spec))?.plan.explain())
}

/// Why there is no plan.
pub(super) fn refusal(spec: &Spec) -> String {
    explain(spec).map(|text| format!("there is a plan: {text}")).unwrap_or_else(|error| error.to_string())
}

/// Has nothing to do at meetings.
struct Nobody;

impl Rendezvous for Nobody {}

/// Writes id maps, and leaves the meetings to another.
struct Both<'a>(Option<MapWriter<'a>>, &'a mut dyn Rendezvous);

impl Rendezvous for Both<'_> {
    fn created(&mut self, process: Process<'_>) -> Result<(), BoxError> {
        self.0.as_mut().map_or(Ok(()), |maps| maps.created(process))
    }

    fn sync(&mut self, at: u32, process: Process<'_>, sent: Vec<OwnedFd>) -> Result<Vec<OwnedFd>, BoxError> {
        match at {
            super::point::MAPS => self.created(process).map(|()| Vec::new()),
            _ => self.1.sync(at, process, sent),
        }
    }
}

/// With an operation that fails.
pub(super) fn fail_at(prepared: &Prepared<'_>, operation: u32) -> Result<Child, Error> {
    start_spawner(prepared, &mut Nobody, |spawner| spawner.fail_at(operation))
}

pub(super) fn start_with(prepared: &Prepared<'_>, meetings: &mut dyn Rendezvous) -> Result<Child, Error> {
    start_spawner(prepared, meetings, |spawner| spawner)
}

fn start_spawner(
    prepared: &Prepared<'_>,
    meetings: &mut dyn Rendezvous,
    change: impl for<'s> FnOnce(Spawner<'s>) -> Spawner<'s>,
) -> Result<Child, Error> {
    let opened = open_all(prepared, None, &Place::Callers)?;
    let inputs: Vec<BorrowedFd<'_>> = opened.iter().map(AsFd::as_fd).collect();
    let mut both = Both(prepared.maps.as_ref().map(MapWriter), meetings);
    let spawner = change(Spawner::new(&prepared.plan, &inputs)).rendezvous(&mut both);
    Ok(match prepared.plan.hold {
        Some(_) => spawner.hold()?.start(&mut both)?,
        None => spawner.spawn()?,
    })
}

/// A container that runs.
pub(super) fn build_and_start(spec: &Spec) -> Child {
    start_request(&request(spec))
}

pub(super) fn start_request(request: &Request<'_>) -> Child {
    let prepared = super::build(request).unwrap();
    start_with(&prepared, &mut Nobody).unwrap_or_else(|error| panic!("{error}\n{}", prepared.plan.explain()))
}

/// What a prepared process writes, and how it ends.
pub(super) fn run(prepared: &Prepared<'_>) -> Result<(String, ExitStatus), Error> {
    run_with(prepared, &mut Nobody)
}

fn run_with(prepared: &Prepared<'_>, rendezvous: &mut dyn Rendezvous) -> Result<(String, ExitStatus), Error> {
    let mut child = start_with(prepared, rendezvous)?;
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    Ok((text, child.wait().unwrap()))
}

/// What a container writes.
pub(super) fn output(spec: &Spec) -> String {
    output_with(spec, &mut Nobody)
}

/// What a container writes, with meetings.
pub(super) fn output_with(spec: &Spec, rendezvous: &mut dyn Rendezvous) -> String {
    let prepared = super::build(&request(spec)).unwrap();
    let (text, _) = run_with(&prepared, rendezvous)
        .unwrap_or_else(|error| panic!("{error}\n{}", prepared.plan.explain()));
    text
}
