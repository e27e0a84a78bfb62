//! One device from one network namespace to another.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use super::Device;
use super::message::{Address, Link, Request};
use super::socket::Route;
use crate::oci::{Error, Result};

/// Of `linux/netlink.h`.
const REQUEST: u16 = 0x1;
const ACKNOWLEDGE: u16 = 0x4;
const DUMP: u16 = 0x300;
const CREATE_NEW: u16 = 0x400 | 0x200;
/// `IFF_UP` of `linux/if.h`.
const UP: u32 = 0x1;

/// A device that was moved, and what it was before.
#[derive(Debug)]
pub(super) struct Moved<'a> {
    device: &'a Device,
    before: Link,
    addresses: Vec<Address>,
    /// Its name now.
    name: String,
}

/// Moves a device into the container. If something fails after that it is moved back.
pub(super) fn move_link<'a>(
    device: &'a Device,
    host: &mut Route,
    container: &mut Route,
    namespace: BorrowedFd<'_>,
) -> Result<Moved<'a>> {
    let before = find(host, &device.name).map_err(device.failed("find it on the host"))?;
    let addresses = addresses_of(host, before.index).map_err(device.failed("list its addresses"))?;
    let taken = names(container).map_err(device.failed("list the devices of the container"))?;
    let name = device.target.resolve(&taken).ok_or_else(|| {
        device.failed(&format!("name it {:?} in the container", device.target.to_string()))(
            rustix::io::Errno::EXIST,
        )
    })?;
    // Its present name may be taken there, which is no matter if it is to have another one.
    send_to(host, &before, &name, namespace).map_err(device.failed("move it into the container"))?;
    let moved = Moved { device, before, addresses, name };
    match moved.finish(container) {
        Ok(()) => Ok(moved),
        Err(cause) => {
            let own = std::fs::File::open("/proc/thread-self/ns/net");
            let own = own
                .map_err(|error| rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO));
            let own = own.map_err(device.failed("open the caller's network namespace"));
            match own.and_then(|own| moved.back(container, host, &own)) {
                Ok(()) => Err(cause),
                Err(failed) => Err(Error::LeftBehind { source: Box::new(cause), cleanup: Box::new(failed) }),
            }
        }
    }
}

impl Moved<'_> {
    /// Its addresses, and up.
    fn finish(&self, container: &mut Route) -> Result<()> {
        let failed = |operation: &str| self.device.failed(operation);
        let there = find(container, &self.name).map_err(failed("find it in the container"))?;
        give(container, &there, &self.addresses).map_err(failed("give it its addresses in the container"))?;
        set_up(container, there.index).map_err(failed("set it up in the container"))
    }

    /// Moves it back, and makes it what it was.
    pub(super) fn back(&self, container: &mut Route, host: &mut Route, own: impl AsFd) -> Result<()> {
        let failed = || self.device.failed("move it back to the host");
        let there = find(container, &self.name).map_err(failed())?;
        send_to(container, &there, &self.before.name, own.as_fd()).map_err(failed())?;
        let here = find(host, &self.before.name).map_err(failed())?;
        give(host, &here, &self.addresses).map_err(failed())?;
        if self.before.flags & UP != 0 {
            set_up(host, here.index).map_err(failed())?;
        }
        Ok(())
    }
}

fn find(route: &mut Route, name: &str) -> rustix::io::Result<Link> {
    let request =
        Request::link(libc::RTM_GETLINK, REQUEST | ACKNOWLEDGE, 0, (0, 0)).text(libc::IFLA_IFNAME, name);
    let found = route.ask(&request, |message| Link::parse(message.body))?;
    found.into_iter().next().ok_or(rustix::io::Errno::NODEV)
}

fn names(route: &mut Route) -> rustix::io::Result<BTreeSet<String>> {
    let request = Request::link(libc::RTM_GETLINK, REQUEST | DUMP, 0, (0, 0));
    Ok(route.ask(&request, |message| Link::parse(message.body))?.into_iter().map(|link| link.name).collect())
}

fn addresses_of(route: &mut Route, index: i32) -> rustix::io::Result<Vec<Address>> {
    let every = Address { family: 0, prefix: 0, scope: 0, attributes: Vec::new() };
    let request = Request::address(libc::RTM_GETADDR, REQUEST | DUMP, &every, 0);
    let found = route.ask(&request, |message| Address::parse(message.body))?;
    Ok(found
        .into_iter()
        .filter(|(of, _)| i32::try_from(*of) == Ok(index))
        .map(|(_, address)| address)
        .collect())
}

fn send_to(route: &mut Route, link: &Link, name: &str, namespace: BorrowedFd<'_>) -> rustix::io::Result<()> {
    let request = Request::link(libc::RTM_NEWLINK, REQUEST | ACKNOWLEDGE, link.index, (0, 0))
        .text(libc::IFLA_IFNAME, name)
        .attribute(libc::IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
    route.act(request)
}

fn give(route: &mut Route, link: &Link, addresses: &[Address]) -> rustix::io::Result<()> {
    let index = u32::try_from(link.index).map_err(|_| rustix::io::Errno::INVAL)?;
    for address in addresses {
        let flags = REQUEST | ACKNOWLEDGE | CREATE_NEW;
        match route.act(Request::address(libc::RTM_NEWADDR, flags, address, index)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn set_up(route: &mut Route, index: i32) -> rustix::io::Result<()> {
    route.act(Request::link(libc::RTM_NEWLINK, REQUEST | ACKNOWLEDGE, index, (UP, UP)))
}
