//! What an entry stands for is made; what has its name is replaced, never written through.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use tar_core::SparseEntry;

use super::archive::{Archive, Entry, Kind};
use super::attributes::timestamps;
use super::beneath;
use super::extract::Extract;
use super::fault::{Call, Fault, Result};
use super::name;
use super::notes::{Fact, LowerLink};
use super::parents::Dir;
use super::plan::{Devices, Form};

impl Extract<'_> {
    pub(super) fn thing(
        &mut self,
        archive: &mut Archive<'_>,
        dir: &Rc<Dir>,
        name: &[u8],
        entry: &Entry,
    ) -> Result<()> {
        let path = name::join(&dir.path, name);
        name::check_length(&path, &self.unpack.limits)?;
        self.touch(dir)?;
        self.lead(dir)?;
        self.not_implicit(&path);
        if self.unpack.redirects.0.contains_key(&path) {
            // From now on the name leads here.
            self.cache.clear();
        }
        match &entry.kind {
            Kind::Directory => self.directory(dir, name, &path, entry),
            Kind::File => self.file(archive, dir, name, entry, None),
            Kind::Sparse { parts, real_size } => {
                self.file(archive, dir, name, entry, Some((parts, *real_size)))
            }
            Kind::Symlink(target) => {
                self.replacing(dir, name, "symlinkat", |dir| {
                    rustix::fs::symlinkat(target.as_slice(), dir, name)
                })?;
                self.set_on_name(dir, name, entry, true)
            }
            Kind::HardLink(target) => self.hard_link(dir, name, &path, target),
            Kind::Fifo => self.node(dir, name, entry, FileType::Fifo, 0),
            Kind::Device { block, major, minor } => {
                self.device(archive, (dir, name), entry, *block, (*major, *minor))
            }
        }?;
        if !self.fresh {
            self.notes.learn(Fact::Made, &path)?;
        }
        Ok(())
    }

    /// Makes something; if its name is taken, what has it is removed first.
    fn replacing<T>(
        &mut self,
        dir: &Rc<Dir>,
        name: &[u8],
        call: &'static str,
        make: impl Fn(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> Result<T> {
        match make(dir.fd.as_fd()) {
            Err(Errno::EXIST) => {
                self.displace(dir, name)?;
                make(dir.fd.as_fd()).call(call)
            }
            result => result.call(call),
        }
    }

    /// The root itself; what lower layers set on it is replaced.
    pub(super) fn root_directory(&mut self, entry: &Entry) -> Result<()> {
        let root = Rc::clone(&self.root);
        self.implicit.remove(&[][..]);
        self.set_on_directory(root.fd.as_fd(), &[], entry)
    }

    fn directory(&mut self, dir: &Rc<Dir>, name: &[u8], path: &[u8], entry: &Entry) -> Result<()> {
        let fd = match rustix::fs::mkdirat(&dir.fd, name, Mode::RWXU) {
            Ok(()) => beneath::directory(dir.fd.as_fd(), name).call("open")?,
            Err(Errno::EXIST) => self.existing(dir, name, path)?,
            Err(errno) => return Err(Fault::Call("mkdirat", errno)),
        };
        if self.notes.knows(Fact::Deleted, path) {
            self.mark_opaque(fd.as_fd())?;
        }
        self.set_on_directory(fd.as_fd(), path, entry)?;
        self.cache.put(path, &Rc::new(Dir { path: path.to_vec(), fd }));
        Ok(())
    }

    /// A directory that is there stays with what is in it; anything else is replaced. What it had covered below stays
    /// covered.
    fn existing(&mut self, dir: &Rc<Dir>, name: &[u8], path: &[u8]) -> Result<OwnedFd> {
        match beneath::directory(dir.fd.as_fd(), name) {
            Err(Errno::NOTDIR | Errno::LOOP) => {
                self.displace(dir, name)?;
                self.notes.learn(Fact::Deleted, path)?;
                rustix::fs::mkdirat(&dir.fd, name, Mode::RWXU).call("mkdirat")?;
                beneath::directory(dir.fd.as_fd(), name).call("open")
            }
            Err(Errno::ACCESS) if self.bound_by_modes => {
                let handle = beneath::handle(dir.fd.as_fd(), name).call("open")?;
                beneath::chmod(handle.as_fd(), Mode::RWXU).call("chmod")?;
                beneath::directory(dir.fd.as_fd(), name).call("open")
            }
            result => result.call("open"),
        }
    }

    /// Times follow at the end, and the mode if it would keep the caller out.
    fn set_on_directory(&mut self, fd: BorrowedFd<'_>, path: &[u8], entry: &Entry) -> Result<()> {
        let usable = entry.mode | 0o700;
        let keeps_out = self.bound_by_modes && usable != entry.mode;
        self.set_on_open(fd, entry, if keeps_out { usable } else { entry.mode })?;
        self.notes.later(path, keeps_out.then_some(entry.mode), entry.atime, entry.mtime)
    }

    fn file(
        &mut self,
        archive: &mut Archive<'_>,
        dir: &Rc<Dir>,
        name: &[u8],
        entry: &Entry,
        sparse: Option<(&[SparseEntry], u64)>,
    ) -> Result<()> {
        self.apparent = self.apparent.saturating_add(sparse.map_or(entry.size, |(_, size)| size));
        if self.apparent > self.unpack.limits.bytes {
            return Err(Fault::limit("bytes of the files of a layer", self.unpack.limits.bytes));
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = self.replacing(dir, name, "openat", |dir| rustix::fs::openat(dir, name, flags, mode))?;
        match sparse {
            None => write(archive, fd.as_fd(), entry.size)?,
            Some((parts, size)) => write_parts(archive, fd.as_fd(), parts, size)?,
        }
        self.written += entry.size;
        self.set_on_open(fd.as_fd(), entry, entry.mode)?;
        rustix::fs::futimens(&fd, &timestamps(entry.atime, entry.mtime)).call("futimens")
    }

    /// The target is a name below the root as those of entries are, and is not followed if it is a symbolic link.
    fn hard_link(&mut self, dir: &Rc<Dir>, name: &[u8], path: &[u8], target: &[u8]) -> Result<()> {
        let target = name::clean(target, &self.unpack.limits)
            .map_err(|_| Fault::refused("is a hard link to a name that cannot be"))?;
        if target.is_empty() || name::is_reserved(&target) {
            return Err(Fault::refused("is a hard link to a name that cannot be"));
        }
        let (parent, last) = name::split(&target);
        let parent = self.parent(parent, false)?;
        let found = match &parent {
            Some(parent) => rustix::fs::statat(&parent.fd, last, AtFlags::SYMLINK_NOFOLLOW).is_ok(),
            None => false,
        };
        match parent {
            Some(parent) if found => {
                if name::join(&parent.path, last) == path {
                    return Ok(());
                }
                if self.is_whiteout(&parent, last)? {
                    return Err(Fault::refused("is a hard link to something that the layer deletes"));
                }
                self.replacing(dir, name, "linkat", |dir| {
                    rustix::fs::linkat(&parent.fd, last, dir, name, AtFlags::empty())
                })
            }
            _ if self.unpack.form == Form::Plain => {
                let target = target.escape_ascii();
                Err(Fault::refused(format!("is a hard link to `{target}`, which is not there")))
            }
            _ => {
                self.displace(dir, name)?;
                self.notes.pay(path.len() + target.len() + size_of::<LowerLink>())?;
                self.links.push(LowerLink { path: path.to_vec(), target });
                Ok(())
            }
        }
    }

    fn node(&mut self, dir: &Rc<Dir>, name: &[u8], entry: &Entry, kind: FileType, dev: u64) -> Result<()> {
        let mode = Mode::RUSR | Mode::WUSR;
        self.replacing(dir, name, "mknodat", |dir| rustix::fs::mknodat(dir, name, kind, mode, dev))?;
        self.set_on_name(dir, name, entry, false)
    }

    fn device(
        &mut self,
        archive: &mut Archive<'_>,
        (dir, name): (&Rc<Dir>, &[u8]),
        entry: &Entry,
        block: bool,
        (major, minor): (u32, u32),
    ) -> Result<()> {
        // As many bits as the kernel has for them.
        if major >= 1 << 12 || minor >= 1 << 20 {
            return Err(Fault::refused("is a device whose number cannot be"));
        }
        if !block && (major, minor) == (0, 0) {
            return Err(Fault::refused("is the device 0:0, which would be a deletion to an overlay"));
        }
        match self.unpack.devices {
            Devices::Refuse => Err(Fault::refused("is a device")),
            Devices::Make => {
                let kind = if block { FileType::BlockDevice } else { FileType::CharacterDevice };
                self.node(dir, name, entry, kind, rustix::fs::makedev(major, minor))
            }
            Devices::Skip => {
                self.skipped.devices += 1;
                self.displace(dir, name)
            }
            Devices::EmptyFile => {
                self.skipped.devices += 1;
                self.file(archive, dir, name, entry, None)
            }
        }
    }
}

fn write(archive: &mut Archive<'_>, fd: BorrowedFd<'_>, mut size: u64) -> Result<()> {
    while size > 0 {
        let piece = archive.content(size)?;
        let count = match rustix::io::write(fd, piece) {
            Err(Errno::INTR) => 0,
            result => result.call("write")?,
        };
        archive.consume(count);
        size -= count as u64;
    }
    Ok(())
}

fn write_parts(
    archive: &mut Archive<'_>,
    fd: BorrowedFd<'_>,
    parts: &[SparseEntry],
    size: u64,
) -> Result<()> {
    rustix::fs::ftruncate(fd, size).call("ftruncate")?;
    for part in parts.iter().filter(|part| part.length > 0) {
        rustix::fs::seek(fd, rustix::fs::SeekFrom::Start(part.offset)).call("lseek")?;
        write(archive, fd, part.length)?;
    }
    Ok(())
}
