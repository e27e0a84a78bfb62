//! What has to be done by another process: by an ordinary user, by one in a user namespace.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use cofferdam_image_spec::{
    Devices, DockerArchive, Form, ImportOptions, Layout, OciArchive, Platform, Source, Store, Unpack,
    resolve_image, select,
};
use tempfile::TempDir;

const VARIABLE: &str = "COFFERDAM_TEST_WORK";
/// What an import calls the image.
pub const IMPORTED: &str = "test";

/// Something to do with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// All layers into a directory, without devices.
    Unpack,
    /// All layers into a directory, with empty files instead of devices.
    UnpackWithFiles,
}

/// Where an ordinary user has a program that works, an image to read, and a place to write to.
pub struct Place {
    directory: TempDir,
}

impl Place {
    /// For a user who cannot read the image where it is.
    pub fn of_user(owner: u32, layout: &Path) -> Place {
        let directory =
            tempfile::Builder::new().prefix("real-").rand_bytes(12).tempdir().expect("a directory");
        let place = Place { directory };
        let copied = Command::new("cp").arg("-r").arg(layout).arg(place.layout()).status().expect("cp");
        assert!(copied.success(), "copy {}", layout.display());
        let program = std::env::current_exe().expect("this program");
        // By another process, so that no child of another thread inherits a descriptor that is open for writing.
        let copied = Command::new("cp").arg(program).arg(place.program()).status().expect("cp");
        assert!(copied.success(), "copy this program");
        let open = Command::new("chmod").args(["-R", "a+rX"]).arg(place.path()).status().expect("chmod");
        assert!(open.success(), "chmod");
        for path in [place.path(), &place.layout()] {
            std::os::unix::fs::chown(path, Some(owner), Some(owner)).expect("chown");
        }
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).expect("chmod");
        place
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn layout(&self) -> PathBuf {
        self.path().join("layout")
    }

    pub fn program(&self) -> PathBuf {
        self.path().join("worker")
    }
}

/// The arguments and the variable with which this program does it.
pub fn arguments(work: Work, source: &Path, target: &Path) -> (Vec<String>, (&'static str, String)) {
    let arguments = ["--ignored", "--exact", "worker::work", "--nocapture"].map(str::to_owned).to_vec();
    (arguments, (VARIABLE, format!("{work:?} {} {}", source.display(), target.display())))
}

/// A process that does it.
pub fn command(program: &Path, work: Work, source: &Path, target: &Path) -> Command {
    let (arguments, (name, value)) = arguments(work, source, target);
    let mut command = Command::new(program);
    command.args(arguments).env(name, value);
    command
}

#[test]
#[ignore = "other tests run it as a process of its own"]
fn work() {
    let Ok(text) = std::env::var(VARIABLE) else { return println!("nothing to do") };
    let words: Vec<&str> = text.split(' ').collect();
    let [work, source, target] = words[..] else { panic!("{text:?} is not a work and two paths") };
    let source = open(Path::new(source));
    match work {
        "Unpack" => unpack(&*source, Devices::Skip, Path::new(target)),
        "UnpackWithFiles" => unpack(&*source, Devices::EmptyFile, Path::new(target)),
        _ => panic!("no work {work}"),
    }
}

/// A place of images, by what it looks like.
pub fn open(path: &Path) -> Box<dyn Source> {
    let name = path.file_name().expect("a name").to_string_lossy();
    if path.is_dir() {
        Box::new(Layout::open(path).expect("a layout"))
    } else if name.starts_with("docker") {
        Box::new(DockerArchive::open(path).expect("a Docker archive"))
    } else {
        Box::new(OciArchive::open(path).expect("an OCI archive"))
    }
}

/// All layers of the only image of a place into a new directory.
pub fn unpack(source: &dyn Source, devices: Devices, target: &Path) {
    let offer = select(source, None).expect("an image");
    let image = resolve_image(source, &offer.descriptor, &Platform::host()).expect("its documents");
    let unpack = Unpack::new(Form::Plain).devices(devices);
    unpack.tree(source, &image.layers, target, &|_| ()).expect("a tree");
}

/// The only image of a place into a store.
pub fn import(source: &dyn Source, target: &Path) {
    let store = Store::open_or_create(target).expect("a store");
    let offer = select(source, None).expect("an image");
    store.import(source, &offer.descriptor, Some(IMPORTED), &ImportOptions::new()).expect("an import");
}
