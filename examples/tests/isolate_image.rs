//! `isolate --image`: programs in the files of an image, as root and as an ordinary user.

mod common;

use std::fs;
use std::path::Path;

use cofferdam::image::{Destination, DockerArchiveWriter, HostImage, Layout};
use common::{User, errors};

fn users() -> Vec<User> {
    common::users(env!("CARGO_BIN_EXE_isolate"), env!("CARGO_BIN_EXE_isolate"))
}

/// The image of the host, in a store of the test.
fn run(user: &User, image: &str, more: &[&str], script: &str) -> std::process::Output {
    let mut args = vec!["--store", "store", "--image", image];
    args.extend(more);
    args.extend(["--", "sh", "-c", script]);
    user.run(&args)
}

fn text(user: &User, image: &str, more: &[&str], script: &str) -> String {
    let output = run(user, image, more, script);
    assert!(output.status.success(), "{image} {more:?} {:?}: {}", output.status, errors(&output));
    String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
}

#[test]
fn a_fresh_machine_has_an_image() {
    for user in users() {
        let script = "echo $$ $(id -u); echo *; rm -r /etc; touch /new; ls /etc 2>/dev/null; echo ok";
        let output = text(&user, "host", &[], script);
        let lines: Vec<&str> = output.lines().collect();
        assert_eq!((lines[0], lines.last()), ("1 0", Some(&"ok")), "{output}");
        assert!(lines[1].contains("etc") && !lines[1].contains("home"), "{output}");
        // What was changed is gone, and the image was made once.
        assert_eq!(text(&user, "host", &[], "ls -d /etc /new 2>/dev/null; true"), "/etc");
        let layers = fs::read_dir(user.path().join("store/layers/sha256"));
        if let Ok(layers) = layers {
            assert_eq!(layers.count(), 1);
        }
    }
}

#[test]
fn changes_are_refused_or_kept_as_asked_for() {
    for user in users() {
        let output = run(&user, "host", &["--read-only"], "touch /new");
        assert!(!output.status.success() && errors(&output).contains("Read-only"), "{}", errors(&output));
        let script = "echo more >> /kept; rm -f /bin/id /usr/bin/id; wc -l < /kept; ls /bin/id 2>/dev/null";
        for round in ["1", "2", "3"] {
            let output = run(&user, "host", &["--container", "mine"], script);
            assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), round, "{}", errors(&output));
        }
        assert_eq!(text(&user, "host", &["--container", "other"], "ls /kept 2>/dev/null || echo new"), "new");
    }
}

#[test]
fn images_come_from_layouts_archives_and_the_store() {
    for user in users() {
        let plan = HostImage::shell().content("/etc/motd", 0o644, "from an image\n").plan().expect("a plan");
        let layout = Layout::create(user.path().join("layout")).expect("a layout");
        plan.build(&layout, Some("a:1")).expect("an image");
        let archive = DockerArchiveWriter::create(user.path().join("docker.tar")).expect("an archive");
        plan.build(&archive, Some("example.org/b:2")).expect("an image");
        archive.finish().expect("an archive");
        open_all(user.path());
        for place in [
            "oci:layout",
            "oci:layout:a:1",
            "store:a:1",
            "docker-archive:docker.tar",
            "store:example.org/b:2",
        ] {
            assert_eq!(text(&user, place, &[], "cat /etc/motd"), "from an image", "{place}");
        }
    }
}

/// Lets an ordinary user read what root has made.
fn open_all(path: &Path) {
    let status = std::process::Command::new("chmod").arg("-R").arg("a+rX").arg(path).status().expect("chmod");
    assert!(status.success());
}

#[test]
fn what_cannot_be_is_said_in_one_line() {
    for user in users() {
        for (args, expected) in [
            (vec!["--image", "debian", "sh"], "does not begin with oci:"),
            (vec!["--store", "s", "--image", "oci:nowhere", "sh"], "nowhere"),
            (vec!["--store", "s", "--image", "store:nothing", "sh"], "nothing"),
            (vec!["--image", "host", "--root", "/", "sh"], "cannot be used with"),
            (vec!["--container", "x", "sh"], "--image"),
        ] {
            let output = user.run(&args);
            let said = errors(&output);
            assert_eq!(output.status.code(), Some(125), "{args:?}: {said}");
            assert!(said.contains(expected) && said.trim_end().lines().count() == 1, "{args:?}: {said}");
        }
    }
}

#[test]
fn damaged_images_run_nothing_and_leave_nothing() {
    for user in users() {
        let plan = HostImage::shell().plan().expect("a plan");
        let layout = Layout::create(user.path().join("layout")).expect("a layout");
        plan.build(&layout, Some("a")).expect("an image");
        let blobs = fs::read_dir(user.path().join("layout/blobs/sha256")).expect("blobs");
        let largest =
            blobs.map(|entry| entry.expect("an entry").path()).max_by_key(|path| size(path)).expect("a blob");
        let mut bytes = fs::read(&largest).expect("a blob");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::remove_file(&largest).expect("remove");
        fs::write(&largest, bytes).expect("write");
        open_all(user.path());
        let output = run(&user, "oci:layout", &[], "echo it ran");
        assert_eq!(output.status.code(), Some(125), "{}", errors(&output));
        assert!(output.stdout.is_empty() && errors(&output).contains("sha256"), "{}", errors(&output));
        for name in ["layers/sha256", "tmp", "containers"] {
            if let Ok(entries) = fs::read_dir(user.path().join("store").join(name)) {
                assert_eq!(entries.count(), 0, "{name}");
            }
        }
    }
}

fn size(path: &Path) -> u64 {
    path.metadata().expect("a file").len()
}
