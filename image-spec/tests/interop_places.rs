//! Our layouts and archives are read by other tools, and theirs by us.

mod places;

use std::path::Path;
use std::process::Command;

use cofferdam_image_spec::{
    CopyOptions, Destination, Digest, DockerArchive, DockerArchiveWriter, Image as Resolved, Layout,
    Location, OciArchive, OciArchiveWriter, Platform, Source, copy, resolve_image, select,
};
use places::{Image, only};
use tempfile::{TempDir, tempdir};

/// Runs a program; `None` if there is none, which fails for root where everything is required.
fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|directory| directory.join(program).exists());
    if !found {
        let required = std::env::var_os("REQUIRE_ALL").is_some_and(|value| value == "1");
        assert!(
            !(required && rustix::process::geteuid().is_root()),
            "required, but {program} is not installed"
        );
        eprintln!("skipped: {program} is not installed");
        return None;
    }
    let mut command = Command::new("timeout");
    let output = command.arg("60").arg(program).args(arguments).output().expect("timeout(1)");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    Some(String::from_utf8(output.stdout).expect("text"))
}

fn skopeo(arguments: &[&str]) -> Option<String> {
    run("skopeo", &[&["--insecure-policy"], arguments].concat())
}

struct Place {
    directory: TempDir,
    image: Image,
}

impl Place {
    /// A layout of ours with an image under the name `a:1`.
    fn new() -> Self {
        let directory = tempdir().expect("a directory");
        let image = Image::small();
        image.layout(&directory.path().join("made"), "first");
        let made = Layout::open(directory.path().join("made")).expect("a layout");
        let ours = Layout::create(directory.path().join("ours")).expect("a layout");
        copy(&made, None, &ours, Some("a:1"), &CopyOptions::new()).expect("copied");
        Self { directory, image }
    }

    fn at(&self, kind: &str, name: &str) -> String {
        format!("{kind}:{}/{name}", self.directory.path().display())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }
}

fn resolved(source: &dyn Source) -> Resolved {
    let platform = Platform::new("linux", "amd64");
    resolve_image(source, &only(source).descriptor, &platform).expect("an image")
}

fn manifest_digest(text: &str) -> Digest {
    let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
    value["Digest"].as_str().expect("a digest").parse().expect("a digest")
}

#[test]
fn skopeo_reads_our_layouts_and_archives() {
    let place = Place::new();
    let Some(text) = skopeo(&["inspect", &place.at("oci", "ours:a:1")]) else { return };
    assert_eq!(manifest_digest(&text), place.image.top.digest);
    let ours = Layout::open(place.path("ours")).unwrap();
    let writer = OciArchiveWriter::create(place.path("ours.tar")).unwrap();
    copy(&ours, None, &writer, Some("a:1"), &CopyOptions::new()).unwrap();
    writer.finish().unwrap();
    let text = skopeo(&["inspect", &place.at("oci-archive", "ours.tar:a:1")]).unwrap();
    assert_eq!(manifest_digest(&text), place.image.top.digest);
    for from in [place.at("oci", "ours:a:1"), place.at("oci-archive", "ours.tar:a:1")] {
        skopeo(&["copy", &from, &place.at("oci", "theirs:b")]).unwrap();
        assert_eq!(
            only(&Layout::open(place.path("theirs")).unwrap()).descriptor.digest,
            place.image.top.digest
        );
    }
}

#[test]
fn skopeo_writes_into_our_layouts_and_we_into_theirs() {
    let place = Place::new();
    if skopeo(&["copy", &place.at("oci", "ours:a:1"), &place.at("oci", "ours:b")]).is_none() {
        return;
    }
    let ours = Layout::open(place.path("ours")).unwrap();
    copy(&ours, Some("b"), &ours, Some("c"), &CopyOptions::new()).unwrap();
    let names: Vec<_> = ours.offers().unwrap().into_iter().filter_map(|offer| offer.name).collect();
    assert_eq!(names, ["a:1", "b", "c"]);
    let text = skopeo(&["inspect", &place.at("oci", "ours:c")]).unwrap();
    assert_eq!(manifest_digest(&text), place.image.top.digest);
}

#[test]
fn we_read_what_skopeo_writes() {
    let place = Place::new();
    let from = place.at("oci", "ours:a:1");
    if skopeo(&["copy", &from, &place.at("oci-archive", "theirs.tar:x/y:2")]).is_none() {
        return;
    }
    skopeo(&["copy", &from, &place.at("docker-archive", "docker.tar:x/y:2")]).unwrap();
    let archive = OciArchive::open(place.path("theirs.tar")).unwrap();
    assert_eq!(only(&archive).descriptor.digest, place.image.top.digest);
    let docker = DockerArchive::open(place.path("docker.tar")).unwrap();
    assert_eq!(only(&docker).name.as_deref(), Some("docker.io/x/y:2"));
    assert_eq!(select(&docker, Some("x/y:2")).unwrap(), only(&docker));
    let (theirs, ours) = (resolved(&docker), resolved(&archive));
    assert_eq!(theirs.config.value().rootfs, ours.config.value().rootfs);
    // All content is verified on the way.
    let layout = Layout::create(place.path("from-docker")).unwrap();
    copy(&docker, Some("x/y:2"), &layout, Some("x"), &CopyOptions::new()).unwrap();
    let text = skopeo(&["inspect", &place.at("oci", "from-docker:x")]).unwrap();
    assert_eq!(manifest_digest(&text), only(&docker).descriptor.digest);
}

fn docker_archive(place: &Place) -> Resolved {
    let ours = Layout::open(place.path("ours")).expect("a layout");
    let writer = DockerArchiveWriter::create(place.path("docker.tar")).expect("an archive");
    copy(&ours, None, &writer, Some("localhost/some/thing:7"), &CopyOptions::new()).expect("copied");
    writer.finish().expect("finished");
    resolved(&ours)
}

#[test]
fn skopeo_reads_our_docker_archives() {
    let place = Place::new();
    let image = docker_archive(&place);
    let from = place.at("docker-archive", "docker.tar:localhost/some/thing:7");
    let Some(text) = skopeo(&["inspect", "--config", &from]) else { return };
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(config["config"]["Cmd"][0], "/hello");
    skopeo(&["copy", &from, &place.at("oci", "theirs:x")]).unwrap();
    let theirs = resolved(&Layout::open(place.path("theirs")).unwrap());
    assert_eq!(theirs.config.value().rootfs.diff_ids, image.config.value().rootfs.diff_ids);
    let listed = skopeo(&["list-tags", &place.at("docker-archive", "docker.tar")]).unwrap();
    assert!(listed.contains("localhost/some/thing:7"), "{listed}");
}

#[test]
fn podman_loads_our_archives_and_we_read_what_it_saves() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: podman needs a home directory and lent ids for an ordinary user");
        return;
    }
    let place = Place::new();
    let image = docker_archive(&place);
    let store = |name: &str| place.path(name).display().to_string();
    let (root, state) = (store("podman"), store("podman-run"));
    let podman = |arguments: &[&str]| {
        run(
            "podman",
            &[&["--root", &root, "--runroot", &state, "--storage-driver", "vfs"], arguments].concat(),
        )
    };
    if podman(&["load", "--input", &store("docker.tar")]).is_none() {
        return;
    }
    let name = "localhost/some/thing:7";
    let id = podman(&["image", "inspect", "--format", "{{.Id}}", name]).unwrap();
    assert_eq!(id.trim(), image.config.digest().hex());
    for format in ["docker-archive", "oci-archive"] {
        let to = store(format);
        podman(&["save", "--format", format, "--output", &to, name]).unwrap();
        let location = Location::parse(format!("{format}:{to}")).unwrap();
        let source = location.source().unwrap();
        assert_eq!(select(&*source, Some(name)).unwrap(), only(&*source));
        let saved = resolved(&*source);
        assert_eq!(saved.config.value().rootfs, image.config.value().rootfs, "{format}");
        let layout = Layout::create(place.path("saved")).unwrap();
        copy(&*source, None, &layout, Some(format), &CopyOptions::new()).unwrap();
    }
    podman(&["rmi", "--force", name]).unwrap();
}

#[test]
fn umoci_unpacks_our_layouts() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: umoci cannot give files of root to an ordinary user");
        return;
    }
    let place = Place::new();
    let ours = place.path("ours").display().to_string();
    // umoci takes no colon in a tag.
    let layout = Layout::open(&ours).unwrap();
    copy(&layout, Some("a:1"), &layout, Some("plain"), &CopyOptions::new()).unwrap();
    let bundle = place.path("bundle");
    let Some(_) =
        run("umoci", &["unpack", "--image", &format!("{ours}:plain"), &bundle.display().to_string()])
    else {
        return;
    };
    let read = |path: &str| std::fs::read(bundle.join("rootfs").join(Path::new(path))).unwrap();
    assert_eq!((read("hello"), read("etc/motd")), (b"hello\n".to_vec(), b"welcome\n".to_vec()));
}
