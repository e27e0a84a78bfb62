//! The console.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;

use cofferdam_process::{BoxError, Process, Rendezvous, Spawner};
use serde_json::{Value, json};

use super::{Outside, add, boxed, has_busybox, is_root};
use crate::oci::Spec;
use crate::oci::plan::testing::request;
use crate::oci::plan::{build, point};

/// Makes something in a `/dev`, with a directory of the host.
type Prepare = fn(&std::path::Path, &std::path::Path);

/// Takes the master.
#[derive(Default)]
struct Taker(Option<OwnedFd>);

impl Rendezvous for Taker {
    fn sync(
        &mut self,
        point: u32,
        _process: Process<'_>,
        received: Vec<OwnedFd>,
    ) -> Result<Vec<OwnedFd>, BoxError> {
        if point == point::CONSOLE {
            self.0 = received.into_iter().next();
        }
        Ok(Vec::new())
    }
}

/// What a container writes on its console.
fn on_console(spec: &Spec) -> Result<String, String> {
    let prepared = build(&request(spec)).map_err(|error| error.to_string())?;
    assert_eq!(prepared.inputs.len(), 0);
    let (mut taker, mut nobody) = (Taker::default(), Taker::default());
    let held = Spawner::new(&prepared.plan, &[]).rendezvous(&mut taker).hold();
    let mut child = held.and_then(|held| held.start(&mut nobody)).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let mut master = fs::File::from(taker.0.unwrap());
    let mut buffer = [0; 4096];
    // The last one to close the other side makes this an error.
    while let Ok(length @ 1..) = master.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..length]);
    }
    child.wait().unwrap();
    Ok(String::from_utf8(bytes).unwrap().replace("\r\n", "\n"))
}

fn with_terminal(value: &mut Value) {
    value["process"]["terminal"] = json!(true);
    add(
        value,
        json!([
            { "destination": "/dev", "type": "tmpfs", "options": ["nosuid", "mode=755"] },
            { "destination": "/dev/pts", "type": "devpts",
              "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"] },
        ]),
    );
}

#[test]
fn the_streams_are_a_terminal_of_the_containers_own() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let command = "tty; stat -c '%t:%T %a %u' /dev/pts/0 /dev/console; ls -1 /dev/pts; busybox stty size; \
        busybox cut -d' ' -f7 /proc/self/stat; echo x > /dev/tty";
    let spec = boxed(root.path(), command, |value| {
        with_terminal(value);
        value["process"]["consoleSize"] = json!({ "height": 33, "width": 99 });
    });
    let text = on_console(&spec).unwrap();
    // 34816 is 136:0 as the kernel numbers it there: the controlling terminal.
    let expected = "/dev/pts/0\n88:0 620 0\n88:0 620 0\n0\nptmx\n33 99\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.ends_with("34816\nx\n"), "{text}");
}

#[test]
fn cve_2025_52565_no_link_leads_the_console_out_of_the_root() {
    if !has_busybox() {
        return;
    }
    if !is_root() {
        return;
    }
    let prepare: [(&str, Prepare); 4] = [
        ("/dev/pts is a link", |dev, outside| symlink(outside.join("pts"), dev.join("pts")).unwrap()),
        ("/dev/pts is no devpts", |dev, _| fs::create_dir(dev.join("pts")).unwrap()),
        ("/dev/console is a link", |dev, outside| {
            symlink(outside.join("keep"), dev.join("console")).unwrap()
        }),
        ("/dev is a link", |dev, outside| {
            fs::remove_dir(dev).unwrap();
            symlink(outside, dev).unwrap();
        }),
    ];
    for (index, (name, prepare)) in prepare.into_iter().enumerate() {
        let outside = Outside::new();
        let root = tempfile::tempdir().unwrap();
        let dev = root.path().join("dev");
        fs::create_dir(&dev).unwrap();
        prepare(&dev, outside.path());
        let spec = boxed(root.path(), "tty", |value| {
            with_terminal(value);
            let mounts = value["mounts"].as_array_mut().unwrap();
            mounts.retain(|mount| mount["destination"] != "/dev");
            if index < 2 {
                mounts.retain(|mount| mount["destination"] != "/dev/pts");
            }
        });
        let result = on_console(&spec);
        match name {
            // What the link names is made in the root, and is not what it names outside.
            "/dev is a link" => assert!(result.is_ok_and(|text| text.ends_with("/pts/0\n")), "{name}"),
            _ => assert!(result.is_err(), "{name}: {result:?}"),
        }
        outside.assert_untouched();
    }
}

#[test]
fn a_console_has_a_size_that_fits() {
    if !has_busybox() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let spec = boxed(root.path(), "true", |value| {
        with_terminal(value);
        value["process"]["consoleSize"] = json!({ "height": 1, "width": 65536 });
    });
    let error = on_console(&spec).unwrap_err();
    assert_eq!(error, "config.json: process.consoleSize.width: 65536 is above 65535");
}
