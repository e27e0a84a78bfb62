//! A new `config.json`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;
use rustix::fs::{AtFlags, Mode, OFlags};

use super::to_json;
use crate::Errno;
use crate::oci::{Error, Result};

/// Writes a configuration into a directory, as [`to_json`] has it, and returns the path of the new `config.json`.
///
/// # Errors
///
/// [`Error::Path`] with `EEXIST` if there is a `config.json`, and if it cannot be written; then there is none.
pub fn write_spec(directory: impl AsRef<Path>, spec: &Spec) -> Result<PathBuf> {
    let text = to_json(spec)?;
    let path = directory.as_ref().join("config.json");
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory.as_ref(), flags, Mode::empty())
        .map_err(Error::path("bundle", directory.as_ref()))?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&directory, "config.json", flags, Mode::from_raw_mode(0o666))
        .map_err(Error::path("configuration", &path))?;
    match File::from(file).write_all(text.as_bytes()) {
        Ok(()) => Ok(path),
        Err(error) => {
            // If it stays behind, the next attempt says that it is there.
            let _removed = rustix::fs::unlinkat(&directory, "config.json", AtFlags::empty());
            Err(Error::Path { what: "configuration", path, errno: errno(&error) })
        }
    }
}

fn errno(error: &io::Error) -> Errno {
    Errno::new(error.raw_os_error().unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::{Bundle, default_spec};

    #[test]
    fn a_written_configuration_is_the_one_that_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = write_spec(&directory, &default_spec()).unwrap();
        assert_eq!(path, directory.path().join("config.json"));
        assert_eq!(Bundle::open(&directory).unwrap().spec, default_spec());
    }

    #[test]
    fn a_configuration_that_is_there_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        std::fs::write(&path, "mine").unwrap();
        let refused = || write_spec(&directory, &default_spec()).unwrap_err().to_string();
        let text = format!("configuration {}: EEXIST (File exists)", path.display());
        assert_eq!(refused(), text);
        assert_eq!(std::fs::read(&path).unwrap(), b"mine");
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert_eq!(refused(), text);
        assert!(!directory.path().join("elsewhere").exists());
    }
}
