//! `mount(2)` with all options in one string, for kernels before 6.8.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::mount::MountFlags as KernelFlags;

use super::execute::Opened;
use super::parameters::{Parameter, Value};
use super::{Method, Stack};
use crate::errno::rustix as errno_of;
use crate::mount::fault::failed;
use crate::mount::{describe, fd_path};
use crate::{Error, MountFlags, Result};

/// The kernel copies one page, which has to end with a NUL.
const LONGEST: usize = 4095;

/// Attributes of a mount, and the flags of `mount(2)` for them.
const FLAGS: [(MountFlags, KernelFlags); 8] = [
    (MountFlags::RDONLY, KernelFlags::RDONLY),
    (MountFlags::NOSUID, KernelFlags::NOSUID),
    (MountFlags::NODEV, KernelFlags::NODEV),
    (MountFlags::NOEXEC, KernelFlags::NOEXEC),
    (MountFlags::NOATIME, KernelFlags::NOATIME),
    (MountFlags::STRICTATIME, KernelFlags::STRICTATIME),
    (MountFlags::NODIRATIME, KernelFlags::NODIRATIME),
    (MountFlags::NOSYMFOLLOW, KernelFlags::from_bits_retain(256)),
];

impl Stack {
    pub(super) fn mount_by_string(&self, dir: BorrowedFd<'_>, path: &Path) -> Result<()> {
        let flags = kernel_flags(self.flags)?;
        let mut opened = Opened::default();
        let mut options = Vec::new();
        for parameter in self.parameters(Method::OptionString)? {
            if parameter.key != "source" {
                options.push(option(&parameter, &mut opened)?);
            }
        }
        self.check_work(&opened)?;
        let options = options.join(",");
        if options.len() > LONGEST {
            return Err(self.too_many(&options));
        }
        let no_nul = |text: Vec<u8>| CString::new(text).unwrap_or_default();
        let (source, options) = (self.source_name(), no_nul(options.into_bytes()));
        let place = place(dir, path)?;
        rustix::mount::mount(source, fd_path(place.as_fd())?, "overlay", flags, options.as_c_str())
            .map_err(|errno| failed("mount", format!("overlay at {}", describe(path)), errno_of(errno)))
            .map_err(|error| self.with_reason(error))
    }

    /// How many layers would have fitted.
    fn too_many(&self, options: &str) -> Error {
        let over = options.len() - LONGEST;
        // From the end of the list of lower directories so many bytes have to go.
        let lowers =
            options.split(',').find_map(|option| option.strip_prefix("lowerdir=")).unwrap_or_default();
        let room = lowers.len().saturating_sub(over);
        let fit = lowers.bytes().take(room + 1).filter(|byte| *byte == b':').count();
        Error::TooManyLayers {
            layers: self.lowers.len(),
            fit,
            place: "the options of mount(2), before Linux 6.8",
        }
    }
}

/// One option of the string. The layers' paths in procfs hold neither comma nor colon.
fn option(parameter: &Parameter, opened: &mut Opened) -> Result<String> {
    let key = parameter.key;
    let layers = match &parameter.value {
        Value::Flag => return Ok(key.to_owned()),
        Value::Text(text) => return Ok(format!("{key}={}", text.display())),
        Value::Descriptor(layer) => std::slice::from_ref(layer),
        Value::Descriptors(layers) => layers,
    };
    Ok(format!("{key}={}", opened.paths(layers)?))
}

fn kernel_flags(flags: MountFlags) -> Result<KernelFlags> {
    let known = FLAGS.iter().filter(|(flag, _)| flags.contains(*flag));
    let rest = known.clone().fold(flags, |rest, (flag, _)| rest.difference(*flag));
    if !rest.is_empty() {
        return Err(super::validate::invalid(
            "mount attributes",
            rest.to_string(),
            "are unknown to mount(2)",
        ));
    }
    Ok(known.fold(KernelFlags::empty(), |all, (_, flag)| all | *flag))
}

/// The directory that is mounted over, opened without following a link at its end.
fn place(dir: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd> {
    if path.as_os_str().is_empty() {
        return dir.try_clone_to_owned().map_err(|error| {
            failed("fcntl", "F_DUPFD_CLOEXEC (descriptor)".to_owned(), crate::Errno::of(&error))
        });
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(dir, path, flags, Mode::empty()).map_err(|errno| Error::Path {
        what: "open the place",
        path: path.to_owned(),
        errno: errno_of(errno),
    })
}
