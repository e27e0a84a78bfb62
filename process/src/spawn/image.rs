//! The init's file: made once per process, sealed, and checked before every use.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{
    MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, memfd_create, open, openat,
};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

use crate::Error;

/// The init as the build script made it.
static INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/init"));

/// The last file that was made, shared by all threads.
static CURRENT: Mutex<Option<Arc<Image>>> = Mutex::new(None);

/// A file that holds the init and cannot be changed.
#[derive(Debug)]
pub(super) struct Image {
    file: OwnedFd,
    device: u64,
    inode: u64,
    sealed: bool,
}

impl AsFd for Image {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

const SEALS: SealFlags =
    SealFlags::SEAL.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::WRITE);

/// The image, made if there is none yet, or if its descriptor number no longer names it: a program that closes
/// descriptors which it did not open must not make us execute another file.
pub(super) fn get() -> Result<Arc<Image>, Error> {
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(image) = current.as_ref() {
        if image.is_intact() {
            return Ok(Arc::clone(image));
        }
        // The number may name somebody else's file now: do not close it.
        if let Some(image) = current.take().and_then(Arc::into_inner) {
            std::mem::forget(image);
        }
    }
    let image = Arc::new(Image::make()?);
    *current = Some(Arc::clone(&image));
    Ok(image)
}

impl Image {
    fn make() -> Result<Self, Error> {
        match sealed_memfd() {
            Ok(file) => Self::of(file, true),
            Err((_, Errno::ACCESS | Errno::NOSYS | Errno::PERM)) => Self::of(read_only_file()?, false),
            Err((call, errno)) => Err(failed(call, errno)),
        }
    }

    fn of(file: OwnedFd, sealed: bool) -> Result<Self, Error> {
        let stat = fstat(&file).map_err(|errno| failed("fstat", errno))?;
        Ok(Self { file, device: stat.st_dev, inode: stat.st_ino, sealed })
    }

    fn is_intact(&self) -> bool {
        let same =
            fstat(&self.file).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (self.device, self.inode));
        same && (!self.sealed || fcntl_get_seals(&self.file).is_ok_and(|seals| seals.contains(SEALS)))
    }
}

/// A memory file that nobody can write to any more.
fn sealed_memfd() -> Result<OwnedFd, (&'static str, Errno)> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let name = "cofferdam-init";
    let memfd = match memfd_create(name, flags | MemfdFlags::EXEC) {
        // Before Linux 6.3 every memory file was executable and the flag unknown.
        Err(Errno::INVAL) => memfd_create(name, flags),
        other => other,
    };
    let memfd = memfd.map_err(|errno| ("memfd_create", errno))?;
    let memfd = fill(memfd).map_err(|errno| ("write", errno))?;
    fcntl_add_seals(&memfd, SEALS).map_err(|errno| ("fcntl", errno))?;
    Ok(memfd)
}

fn fill(file: OwnedFd) -> Result<OwnedFd, Errno> {
    let mut file = File::from(file);
    file.write_all(INIT).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    Ok(file.into())
}

/// Where memory files cannot be executed (`vm.memfd_noexec=2`): a file that only we can reach.
fn read_only_file() -> Result<OwnedFd, Error> {
    const NOEXEC: &str = "the host sets vm.memfd_noexec=2; the init then needs privileges to mount, or a directory \
        for temporary files that allows executing";
    detached_tmpfs().or_else(|_| unlinked_file()).map_err(|(call, errno)| Error::Init {
        call,
        errno: errno.into(),
        hint: Some(NOEXEC),
    })
}

/// A file on a tmpfs that is mounted nowhere, made read-only.
fn detached_tmpfs() -> Result<OwnedFd, (&'static str, Errno)> {
    let context = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC).map_err(|errno| ("fsopen", errno))?;
    fsconfig_create(context.as_fd()).map_err(|errno| ("fsconfig", errno))?;
    let mount = fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty());
    let mount = mount.map_err(|errno| ("fsmount", errno))?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file =
        openat(&mount, "init", flags, Mode::from_raw_mode(0o500)).map_err(|errno| ("openat", errno))?;
    drop(fill(file).map_err(|errno| ("write", errno))?);
    crate::sys::set_mount_read_only(mount.as_fd()).map_err(|errno| ("mount_setattr", errno))?;
    openat(&mount, "init", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| ("openat", errno))
}

/// A file without a name, reopened for reading.
fn unlinked_file() -> Result<OwnedFd, (&'static str, Errno)> {
    let mut last = Errno::NOENT;
    let preferred = std::env::temp_dir();
    for directory in [preferred.as_path(), "/dev/shm".as_ref(), "/var/tmp".as_ref()] {
        match unlinked_file_in(directory) {
            Ok(file) => return Ok(file),
            Err(errno) => last = errno,
        }
    }
    Err(("open O_TMPFILE", last))
}

fn unlinked_file_in(directory: &std::path::Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::TMPFILE | OFlags::CLOEXEC;
    let file = fill(open(directory, flags, Mode::from_raw_mode(0o500))?)?;
    let executable = rustix::fs::fstatvfs(&file)?.f_flag;
    if executable.contains(rustix::fs::StatVfsMountFlags::NOEXEC) {
        return Err(Errno::ACCESS);
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

fn failed(call: &'static str, errno: Errno) -> Error {
    Error::Init { call, errno: errno.into(), hint: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_init_is_small() {
        assert!(INIT.len() <= 64 * 1024, "{} bytes", INIT.len());
        assert_eq!(&INIT[..4], b"\x7fELF");
    }

    #[test]
    fn the_memory_file_cannot_be_changed() {
        let image = get().unwrap();
        let path = format!("/proc/self/fd/{}", image.as_fd().as_raw_fd());
        if let Ok(mut file) = std::fs::OpenOptions::new().write(true).open(path) {
            let error = file.write_all(b"changed").unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        }
        assert!(rustix::fs::ftruncate(&image.file, 0).is_err());
        assert!(image.is_intact());
    }

    #[test]
    fn the_other_places_hold_the_init_too() {
        let file = unlinked_file().unwrap();
        assert_eq!(rustix::fs::fstat(&file).unwrap().st_size, i64::try_from(INIT.len()).unwrap());
        assert!(rustix::io::write(&file, b"x").is_err());
        if let Ok(file) = detached_tmpfs() {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            assert!(File::options().write(true).open(path).is_err());
        }
    }
}
