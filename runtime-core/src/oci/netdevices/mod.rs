//! Network devices of the host for a container: `linux.netDevices`.
//!
//! Each is moved into the container's network namespace by the caller, which alone may take it from the host's, before
//! anything of the container runs. See config-linux.md of the runtime-spec, "Network Devices". The protocol is
//! `rtnetlink(7)`, of which so little is needed that it is spoken here.

mod link;
mod message;
mod names;
mod socket;
#[cfg(test)]
mod tests;

use std::os::fd::{BorrowedFd, OwnedFd};

use oci_spec::runtime::{LinuxNamespaceType, Spec};

use super::{Error, Result};
use link::{Moved, move_link};
use names::{Target, checked};
use socket::Route;

/// The devices of a configuration, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetDevices(Vec<Device>);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Device {
    /// Its name on the host.
    name: String,
    /// Its name in the container.
    target: Target,
}

impl Device {
    /// Where it stands in the document.
    fn property(&self) -> String {
        format!("linux.netDevices[{:?}]", self.name)
    }

    /// A failed operation on it.
    fn failed(&self, operation: &str) -> impl FnOnce(rustix::io::Errno) -> Error + use<> {
        let (path, operation) = (self.property(), operation.to_owned());
        move |errno| Error::NetDevice { path, operation, errno: crate::Errno::new(errno.raw_os_error()) }
    }
}

impl NetDevices {
    /// Those of a configuration, in the order of their names.
    ///
    /// # Errors
    /// [`Error::Config`] for a name that no device can have, two devices with the same name, and devices without a
    /// network namespace that they could be moved to.
    pub fn of(spec: &Spec) -> Result<Self> {
        let Some(linux) = spec.linux() else { return Ok(Self::default()) };
        let mut devices = Vec::new();
        for (name, device) in linux.net_devices().iter().flatten() {
            let property = format!("linux.netDevices[{name:?}]");
            checked(&property, name)?;
            let target = device.name().as_deref().filter(|target| !target.is_empty()).unwrap_or(name);
            let target = Target::parse(&format!("{property}.name"), target)?;
            devices.push(Device { name: name.clone(), target });
        }
        devices.sort_by(|one, other| one.name.cmp(&other.name));
        let mut namespaces = linux.namespaces().iter().flatten();
        if !devices.is_empty() && !namespaces.any(|namespace| namespace.typ() == LinuxNamespaceType::Network)
        {
            let reason = "the container has no network namespace of its own";
            return Err(Error::config("linux.netDevices", reason));
        }
        for (index, device) in devices.iter().enumerate() {
            let same =
                |other: &&Device| matches!(device.target, Target::Exact(_)) && other.target == device.target;
            if let Some(other) = devices[..index].iter().find(same) {
                let reason = format!("{:?} has the same name in the container", other.name);
                return Err(Error::config(format!("{}.name", device.property()), reason));
            }
        }
        Ok(Self(devices))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Moves all of them from the calling thread's network namespace into the container's, with their permanent addresses
    /// of global scope, and sets them up there.
    ///
    /// `container` is a socket of `NETLINK_ROUTE` that was made in the container's network namespace, `namespace` a
    /// descriptor of that namespace. If one device fails, those before are moved back.
    ///
    /// # Errors
    /// [`Error::NetDevice`] for a device that is not there, may not be moved, or whose name is taken;
    /// [`Error::LeftBehind`] if one could not be moved back.
    ///
    /// # Privileges
    /// `CAP_NET_ADMIN` in both network namespaces.
    pub fn move_into(&self, container: OwnedFd, namespace: BorrowedFd<'_>) -> Result<()> {
        let Some(first) = self.0.first() else { return Ok(()) };
        let own = std::fs::File::open("/proc/thread-self/ns/net").map_err(|error| {
            let errno = rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO);
            first.failed("open the caller's network namespace")(errno)
        })?;
        let mut host = Route::open().map_err(first.failed("open a netlink socket"))?;
        let mut container = Route::over(container);
        let mut done: Vec<Moved<'_>> = Vec::new();
        for device in &self.0 {
            match move_link(device, &mut host, &mut container, namespace) {
                Ok(moved) => done.push(moved),
                Err(cause) => {
                    let mut back = Ok(());
                    for moved in done.iter().rev() {
                        back = back.and(moved.back(&mut container, &mut host, &own));
                    }
                    return match back {
                        Ok(()) => Err(cause),
                        Err(failed) => {
                            Err(Error::LeftBehind { source: Box::new(cause), cleanup: Box::new(failed) })
                        }
                    };
                }
            }
        }
        Ok(())
    }
}
