//! What the program sees below its root.

use std::path::{Path, PathBuf};

use super::draft::Draft;
use super::identity::Identity;
use super::paths::{Shown, Tree};
use super::root::NewRoot;
use super::{dev, proc, root};
use crate::enclosure::{Enclosure, Extra, ExtraKind, Usual};
use crate::{
    Attributes, Error, Expected, Location, Mount, MountFlags, Namespaces, Propagation, Root, Slot, Step,
    TargetKind,
};

/// An extra mount, with the copy of what it shows.
struct Gathered<'e> {
    extra: &'e Extra,
    copy: Option<Slot>,
    attributes: Attributes,
    directory: bool,
}

/// Builds the view of a new mount namespace. Gives the step that makes it the root, if one is needed.
pub(super) fn build<'a>(
    draft: &mut Draft<'a>,
    enclosure: &'a Enclosure,
    identity: &Identity,
) -> Result<Option<Step>, Error> {
    // What is made on the way is not for the caller's umask to decide.
    draft.step(Step::Umask(0o022));
    if !draft.outside {
        root::separate(draft);
    }
    let of_host = enclosure.root == Root::Host;
    let tree = match enclosure.root.path() {
        None => None,
        Some(_) if of_host && enclosure.extras.is_empty() => None,
        Some(path) => Some(Tree::open(path)?),
    };
    let resolver = resolver(enclosure);
    let extras: Vec<&Extra> = resolver.iter().chain(&enclosure.extras).collect();
    let extras = extras.into_iter().map(|extra| gather(draft, extra)).collect::<Result<Vec<_>, _>>()?;
    let private_dev = wants(enclosure, |usual| usual.dev, "/dev", true);
    let nodes = if private_dev { dev::gather(draft, identity, enclosure) } else { Vec::new() };
    let verified = tree.as_ref().filter(|_| !of_host);
    let root = root::attach(draft, &enclosure.root, verified, enclosure.new)?;
    let mut places = Places::new(root, &enclosure.root, tree);
    usual(draft, &mut places, enclosure, identity, private_dev.then_some(nodes.as_slice()))?;
    for one in &extras {
        attach(draft, &mut places, one)?;
    }
    root.close(draft, &enclosure.root);
    Ok(root.change())
}

/// The file behind `/etc/resolv.conf`, if it would be hidden although the program has the host's network.
fn resolver(enclosure: &Enclosure) -> Option<Extra> {
    if enclosure.has_own(Namespaces::NET) || enclosure.root != Root::Host || !wants_run(enclosure) {
        return None;
    }
    let source = std::fs::canonicalize("/etc/resolv.conf").ok()?;
    let hidden =
        source.starts_with("/run") && !enclosure.extras.iter().any(|extra| source.starts_with(&extra.target));
    hidden.then(|| Extra { target: source.clone(), kind: ExtraKind::Bind { source, read_only: true } })
}

fn wants_run(enclosure: &Enclosure) -> bool {
    let default = enclosure.root == Root::Host && Path::new("/run").is_dir();
    wants(enclosure, |usual| usual.run, "/run", default)
}

/// Whether one of the usual mounts is made: not where the caller has put something else.
fn wants(enclosure: &Enclosure, which: impl Fn(&Usual) -> Option<bool>, path: &str, default: bool) -> bool {
    let replaced = enclosure.extras.iter().any(|extra| extra.target == Path::new(path));
    !replaced && which(&enclosure.usual).unwrap_or(default)
}

/// `/proc`, `/sys`, `/dev`, `/tmp` and `/run`; `nodes` for `/dev` if there is to be one.
fn usual(
    draft: &mut Draft<'_>,
    places: &mut Places,
    enclosure: &Enclosure,
    identity: &Identity,
    nodes: Option<&[Slot]>,
) -> Result<(), Error> {
    if wants(enclosure, |usual| usual.proc, "/proc", enclosure.has_own(Namespaces::PID)) {
        let place = places.directory(draft, "/proc")?;
        proc::mount(draft, enclosure, identity, place);
    }
    let sys = enclosure.new.contains(Namespaces::NET)
        && enclosure.root.path().is_none_or(|root| root.join("sys").is_dir());
    if wants(enclosure, |usual| usual.sys, "/sys", sys) {
        let place = places.directory(draft, "/sys")?;
        proc::mount_sys(draft, place);
    }
    if let Some(nodes) = nodes {
        let place = places.directory(draft, "/dev")?;
        dev::mount(draft, identity, enclosure, nodes, place);
    }
    let tmp = wants(enclosure, |usual| usual.tmp, "/tmp", true);
    for (path, mode, wanted) in [("/tmp", "1777", tmp), ("/run", "0755", wants_run(enclosure))] {
        if wanted {
            let (root, make) = places.directory(draft, path)?;
            draft.step(Step::Mount(tmpfs(mode, None).target(Some(root), path, make)));
        }
    }
    Ok(())
}

fn tmpfs(mode: &str, size: Option<u64>) -> Mount {
    let mount = Mount::new("tmpfs").option("mode", mode);
    let mount = match size {
        Some(size) => mount.option("size", size.to_string()),
        None => mount,
    };
    mount.attributes(Attributes::set(MountFlags::NOSUID | MountFlags::NODEV))
}

/// Copies what a bind shows, while it can be seen, and makes sure that it is what was looked at.
fn gather<'e>(draft: &mut Draft<'_>, extra: &'e Extra) -> Result<Gathered<'e>, Error> {
    let ExtraKind::Bind { source, read_only } = &extra.kind else {
        return Ok(Gathered { extra, copy: None, attributes: Attributes::default(), directory: true });
    };
    let shown = Shown::look_at(source)?;
    let mut flags = MountFlags::NOSUID;
    if !shown.is_device() {
        flags |= MountFlags::NODEV;
    }
    if *read_only {
        flags |= MountFlags::RDONLY;
    }
    let attributes =
        Attributes { propagation: Some(Propagation::Private), ..Attributes::set_recursive(flags) };
    let copy = draft.copy(source, true);
    let expected = Expected { dev: Some(shown.dev), ino: Some(shown.ino), ..Expected::default() };
    draft.step(Step::Verify { file: copy, expected });
    Ok(Gathered { extra, copy: Some(copy), attributes, directory: shown.kind.is_dir() })
}

fn attach(draft: &mut Draft<'_>, places: &mut Places, one: &Gathered<'_>) -> Result<(), Error> {
    let target = &one.extra.target;
    let cover = if one.copy.is_some() { Cover::Bound } else { Cover::Fresh };
    let (root, make) = places.place(draft, target, one.directory, cover)?;
    let mount = match (&one.extra.kind, one.copy) {
        (ExtraKind::Bind { .. }, Some(copy)) => Mount::detached(copy).attributes(one.attributes),
        (ExtraKind::Bind { source, .. }, None) => Mount::bind(Location::path(source), true),
        (ExtraKind::Tmpfs { size }, _) => tmpfs("1777", *size),
    };
    draft.step(Step::Mount(mount.target(Some(root), target, make)));
    Ok(())
}

/// What lies over a part of the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cover {
    /// An empty file system: everything can be made there.
    Fresh,
    /// A part of the host: nothing may be made there.
    Bound,
}

/// Where mounts go: the root, and what is mounted in it so far.
struct Places {
    root: Slot,
    ground: Ground,
    tree: Option<Tree>,
    covers: Vec<(PathBuf, Cover)>,
}

/// What mount points are like in the root.
enum Ground {
    /// All are there.
    Host,
    /// What is missing in this directory is made there, if it may be.
    Directory { path: PathBuf, writable: bool },
    /// What is missing is made, and nobody else ever sees it.
    Own,
}

impl Places {
    fn new(root: NewRoot, of: &Root, tree: Option<Tree>) -> Self {
        let ground = match of {
            Root::Host => Ground::Host,
            Root::Stack(_) => Ground::Own,
            Root::Directory(path) => Ground::Directory { path: path.clone(), writable: true },
            Root::ReadOnlyDirectory(path) => Ground::Directory { path: path.clone(), writable: false },
        };
        Self { root: root.slot, ground, tree, covers: Vec::new() }
    }

    /// One of the usual directories. The host's root has them.
    fn directory(&mut self, draft: &mut Draft<'_>, path: &str) -> Result<(Slot, Option<TargetKind>), Error> {
        if matches!(self.ground, Ground::Host) {
            self.covers.push((path.into(), Cover::Fresh));
            return Ok((self.root, None));
        }
        self.place(draft, Path::new(path), true, Cover::Fresh)
    }

    /// Whether something must be made to mount on. Afterwards `cover` lies there.
    fn place(
        &mut self,
        draft: &mut Draft<'_>,
        target: &Path,
        directory: bool,
        cover: Cover,
    ) -> Result<(Slot, Option<TargetKind>), Error> {
        let kind = if directory { TargetKind::Directory } else { TargetKind::File };
        let make = match self.cover(target) {
            Some(Cover::Fresh) => Some(kind),
            Some(Cover::Bound) => None,
            None if matches!(self.ground, Ground::Own) => Some(kind),
            None => self.look(draft, target, directory)?.then_some(kind),
        };
        self.covers.push((target.to_owned(), cover));
        Ok((self.root, make))
    }

    /// What lies over a path: the last that was mounted on it or above it.
    fn cover(&self, path: &Path) -> Option<Cover> {
        self.covers.iter().rev().find(|(covered, _)| path.starts_with(covered)).map(|(_, cover)| *cover)
    }

    /// Whether a path of the root itself must be made.
    fn look(&mut self, draft: &mut Draft<'_>, target: &Path, directory: bool) -> Result<bool, Error> {
        let Some(tree) = &self.tree else { return Ok(false) };
        let found = tree.resolve(target)?;
        match self.cover(&found.inside) {
            Some(cover) => return Ok(cover == Cover::Fresh),
            None if !found.missing.is_empty() => {}
            None if found.directory == directory => return Ok(false),
            None => {
                let reason = match directory {
                    true => "is not a directory, but what is to be mounted there is",
                    false => "is a directory, but what is to be mounted there is not",
                };
                return Err(Error::invalid("mount target", target.display(), reason));
            }
        }
        match &self.ground {
            Ground::Directory { writable: true, .. } | Ground::Own => {
                draft.made.push(found.made(directory, target));
                Ok(true)
            }
            Ground::Directory { path, .. } => {
                Err(Error::NoMountPoint { path: target.to_owned(), root: path.clone() })
            }
            Ground::Host => Err(Error::NoMountPoint { path: target.to_owned(), root: "/".into() }),
        }
    }
}
