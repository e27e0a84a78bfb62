//! A directory with a configuration.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;
use rustix::fs::{FileType, Mode, OFlags};

use super::{Config, document};
use crate::oci::{Error, Result};

/// The name of the configuration in a bundle.
const CONFIG: &str = "config.json";

/// A bundle: a directory with a `config.json` and, mostly, the container's root file system.
///
/// ```
/// use cofferdam::oci::{Bundle, default_spec, write_spec};
///
/// let directory = tempfile::tempdir()?;
/// write_spec(&directory, &default_spec())?;
/// let bundle = Bundle::open(&directory)?;
/// assert!(bundle.path.is_absolute());
/// assert_eq!(bundle.spec.version(), "1.3.0");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Bundle {
    /// Its absolute path, without symbolic links.
    pub path: PathBuf,
    /// Its configuration, read but not yet [validated](super::validate).
    pub spec: Spec,
    directory: OwnedFd,
}

impl Bundle {
    /// Opens a bundle and reads its configuration.
    ///
    /// # Errors
    ///
    /// [`Error::Path`] for a directory or file that cannot be opened, [`Error::Config`] as from [`Config::from_slice`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let directory = open_directory(path.as_ref())?;
        let bytes = read_file(directory.1.as_fd(), CONFIG, &directory.0.join(CONFIG))?;
        let spec = Config::from_slice(&bytes)?;
        Ok(Self { path: directory.0, spec, directory: directory.1 })
    }

    /// The directory, opened with `O_PATH`.
    pub fn directory(&self) -> BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

/// The directory with its absolute path.
fn open_directory(path: &Path) -> Result<(PathBuf, OwnedFd)> {
    let absolute = std::fs::canonicalize(path).map_err(|error| Error::Path {
        what: "bundle",
        path: path.to_owned(),
        errno: crate::Errno::new(error.raw_os_error().unwrap_or(libc::EIO)),
    })?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory =
        rustix::fs::open(&absolute, flags, Mode::empty()).map_err(Error::path("bundle", &absolute))?;
    Ok((absolute, directory))
}

/// Reads a regular file in a directory, whatever else stands there under its name, and at most as much of it as a
/// configuration may have. `path` is for errors.
fn read_file(directory: BorrowedFd<'_>, name: impl AsRef<Path>, path: &Path) -> Result<Vec<u8>> {
    // A FIFO without a writer does not hold us up, and a terminal does not become ours.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let failed = |errno| Error::path("configuration", path)(errno);
    let file = rustix::fs::openat(directory, name.as_ref(), flags, Mode::empty()).map_err(failed)?;
    let status = rustix::fs::fstat(&file).map_err(failed)?;
    let kind = FileType::from_raw_mode(status.st_mode);
    if kind != FileType::RegularFile {
        return Err(Error::NotRegular { what: "configuration", path: path.to_owned() });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(status.st_size).unwrap_or(0).min(document::MAX_BYTES));
    // One byte more than may be there: reading the document says that it is too large.
    let limit = u64::try_from(document::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::from(file).take(limit).read_to_end(&mut bytes).map_err(|error| Error::Path {
        what: "configuration",
        path: path.to_owned(),
        errno: crate::Errno::new(error.raw_os_error().unwrap_or(libc::EIO)),
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &[u8] = br#"{"ociVersion": "1.2.0", "root": {"path": "rootfs"}}"#;

    #[test]
    fn a_bundle_has_an_absolute_path_and_its_directory_open() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(CONFIG), MINIMAL).unwrap();
        std::os::unix::fs::symlink(".", directory.path().join("link")).unwrap();
        let bundle = Bundle::open(directory.path().join("link")).unwrap();
        assert_eq!(bundle.path, directory.path().canonicalize().unwrap());
        assert_eq!(bundle.spec.version(), "1.2.0");
        let found = rustix::fs::statat(bundle.directory(), CONFIG, rustix::fs::AtFlags::empty()).unwrap();
        assert_eq!(usize::try_from(found.st_size).unwrap(), MINIMAL.len());
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join(CONFIG);
        let open = || Bundle::open(directory.path()).unwrap_err().to_string();
        let shown = config.display().to_string();
        assert_eq!(open(), format!("configuration {shown}: ENOENT (No such file or directory)"));
        rustix::fs::mkfifoat(rustix::fs::CWD, &config, Mode::from_raw_mode(0o600)).unwrap();
        assert_eq!(open(), format!("configuration {shown}: is no regular file"));
        std::fs::remove_file(&config).unwrap();
        std::fs::create_dir(&config).unwrap();
        assert_eq!(open(), format!("configuration {shown}: is no regular file"));
        std::fs::remove_dir(&config).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &config).unwrap();
        assert_eq!(open(), format!("configuration {shown}: is no regular file"));
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::File::create(directory.path().join(CONFIG)).unwrap().set_len(10 << 40).unwrap();
        let error = Bundle::open(directory.path()).unwrap_err();
        assert_eq!(error.to_string(), "config.json: 67108865 bytes are more than 67108864");
    }

    #[test]
    fn a_bundle_that_is_not_there_is_named() {
        let error = Bundle::open("/nonexistent/bundle").unwrap_err();
        assert_eq!(error.to_string(), "bundle /nonexistent/bundle: ENOENT (No such file or directory)");
    }
}
