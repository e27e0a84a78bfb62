//! What an ordinary user unpacks.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::compare::{Named, same_but};
use crate::peers::{self, Mounted, run};
use crate::same::{DEVICES, PODMAN, UMOCI};
use crate::snapshot::{Tree, snapshot};
use crate::worker::{self, Place, Work};
use crate::{images, require};

/// An id that no files belong to.
const NOBODY: u32 = 65534;
const CAPABILITY: &[u8] = b"security.capability";

/// Where umoci notes the owner of a file that it cannot give to its owner.
const UMOCI_OWNER: &[u8] = b"user.rootlesscontainers";

#[test]
#[ignore = "needs COFFERDAM_TEST_IMAGES"]
fn everything_is_the_callers_and_else_as_with_umoci() {
    require!(rustix::process::geteuid().is_root(), "root, to become somebody else");
    require!(peers::installed(&["umoci"]), "umoci");
    require!(images().is_some(), "COFFERDAM_TEST_IMAGES");
    let place = Place::of_user(NOBODY, &images().expect("images").join("layout"));
    let target = |name: &str| place.path().join(name);
    let image = format!("{}:{}", place.layout().display(), peers::NAME);
    let mut umoci = Command::new("umoci");
    umoci.args(["raw", "unpack", "--rootless", "--image", &image]).arg(target("umoci"));
    run(umoci.env("HOME", place.path()).uid(NOBODY).gid(NOBODY));
    let mut ours = worker::command(&place.program(), Work::UnpackWithFiles, &place.layout(), &target("ours"));
    run(ours.uid(NOBODY).gid(NOBODY));
    let mut umoci = snapshot(&target("umoci"));
    let noted = umoci.values_mut().filter_map(|entry| entry.xattrs.remove(UMOCI_OWNER)).count();
    assert!(noted > 0, "umoci notes owners no more");
    let ours = snapshot(&target("ours"));
    assert!(ours.values().all(|entry| entry.owner == (NOBODY, NOBODY)));
    same_but(Named { name: "umoci", tree: &umoci }, Named { name: "ours", tree: &ours }, &[UMOCI]);
}

/// A user with subordinate ids, whom somebody else made for this test.
struct Somebody {
    name: String,
    uid: u32,
}

impl Somebody {
    fn find() -> Option<Somebody> {
        let name = std::env::var("COFFERDAM_TEST_USER").ok()?;
        let uid = run(Command::new("id").args(["-u", &name])).parse().expect("a number");
        Some(Somebody { name, uid })
    }

    /// The words before a command that this user runs in a place of its own.
    fn words(&self, place: &Place) -> Vec<String> {
        let path = place.path().display();
        let before =
            ["setpriv", "--reuid", &self.name, "--regid", &self.name, "--init-groups"].map(str::to_owned);
        let variables =
            [format!("HOME={path}"), format!("TMPDIR={path}"), format!("XDG_RUNTIME_DIR={path}/run")];
        let path = ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".to_owned()];
        let start = ["env", "-i", "-C", &place.path().display().to_string()].map(str::to_owned);
        before.into_iter().chain(start).chain(variables).chain(path).collect()
    }
}

fn command(words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]);
    command
}

fn worker(words: &[String], place: &Place, work: Work, target: &Path) -> Command {
    let (arguments, (name, value)) = worker::arguments(work, &place.layout(), target);
    let mut command = command(words);
    command.arg(format!("{name}={value}")).args(["unshare", "--user", "--map-root-user", "--map-auto"]);
    command.arg(place.program()).args(arguments);
    command
}

/// What somebody sees from within a user namespace with this map of ids.
fn inside(mut tree: Tree, map: &str) -> Tree {
    let rows: Vec<Vec<u32>> = map
        .lines()
        .map(|line| line.split_whitespace().map(|word| word.parse().expect("an id")).collect())
        .collect();
    let id = |outside: u32| {
        let row = rows.iter().find(|row| (row[1]..row[1] + row[2]).contains(&outside));
        row.map_or_else(|| panic!("{outside} is not in {map}"), |row| row[0] + outside - row[1])
    };
    for entry in tree.values_mut() {
        entry.owner = (id(entry.owner.0), id(entry.owner.1));
        // Outside, a capability has the user namespace's root with it: the third form of four bytes more.
        if let Some(value) = entry.xattrs.get_mut(CAPABILITY) {
            let (all, root) = value.split_at(20);
            assert_eq!(id(u32::from_le_bytes(root.try_into().expect("four bytes"))), 0);
            let mut second = all.to_vec();
            second[3] = 2;
            *value = second;
        }
    }
    tree
}

#[test]
#[ignore = "needs COFFERDAM_TEST_IMAGES"]
fn with_subordinate_ids_owners_are_kept_as_podman_keeps_them() {
    require!(rustix::process::geteuid().is_root(), "root, to become somebody else");
    require!(
        peers::installed(&["umoci", "podman", "newuidmap", "setpriv"]),
        "umoci, podman, newuidmap, setpriv"
    );
    require!(images().is_some(), "COFFERDAM_TEST_IMAGES");
    require!(Somebody::find().is_some(), "COFFERDAM_TEST_USER, a user with subordinate ids");
    let (images, user) = (images().expect("images"), Somebody::find().expect("a user"));
    let umoci = peers::umoci(&images.join("layout"), peers::NAME);
    let umoci = Named { name: "umoci", tree: &umoci };
    let place = Place::of_user(user.uid, &images.join("layout"));
    let words = user.words(&place);
    run(command(&words).args(["mkdir", "run"]));

    run(&mut worker(&words, &place, Work::Unpack, &place.path().join("ours")));
    let map = run(command(&words).args([
        "unshare",
        "--user",
        "--map-root-user",
        "--map-auto",
        "cat",
        "/proc/self/uid_map",
    ]));
    let ours = inside(snapshot(&place.path().join("ours")), &map);
    same_but(umoci, Named { name: "ours", tree: &ours }, &[&DEVICES[..], &[UMOCI]].concat());

    let options = peers::storage(Path::new("storage"), Path::new("runroot"));
    let options = [options, vec!["--log-level=error".to_owned()]].concat();
    let pull = ["pull".to_owned(), "--quiet".to_owned(), format!("oci:layout:{}", peers::NAME)];
    let id = run(command(&words).arg("podman").args(&options).args(pull));
    let before =
        [words.clone(), vec!["podman".to_owned()], options.clone(), vec!["unshare".to_owned()]].concat();
    let mounted = Mounted::new(&before, &options, &id);
    let map = fs::read_to_string(mounted.id_map()).expect("the map of ids");
    let podman = inside(snapshot(mounted.root()), &map);
    drop(mounted);
    // Its process that keeps the user namespace, and files that only its ids may remove.
    run(command(&words).arg("podman").args(&options).args(["system", "migrate"]));
    same_but(umoci, Named { name: "podman", tree: &podman }, &[&DEVICES[..], &PODMAN].concat());
}
