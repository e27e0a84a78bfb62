//! Messages of `rtnetlink(7)` as bytes. Numbers are in the order of the machine; attributes begin at multiples of four.

/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct rtattr`.
const ATTRIBUTE: usize = 4;
/// `struct ifinfomsg`.
const LINK: usize = 16;
/// `struct ifaddrmsg`.
const ADDRESS: usize = 8;

/// A request in the making.
#[derive(Clone, Debug)]
pub(super) struct Request(Vec<u8>);

impl Request {
    fn new(kind: u16, flags: u16, body: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(body);
        Self(bytes)
    }

    /// About a link, with flags of the device to set or clear.
    pub(super) fn link(kind: u16, flags: u16, index: i32, (state, change): (u32, u32)) -> Self {
        let mut body = [0; LINK];
        body[4..8].copy_from_slice(&index.to_ne_bytes());
        body[8..12].copy_from_slice(&state.to_ne_bytes());
        body[12..16].copy_from_slice(&change.to_ne_bytes());
        Self::new(kind, flags, &body)
    }

    /// About an address of a link.
    pub(super) fn address(kind: u16, flags: u16, address: &Address, index: u32) -> Self {
        let mut body = [0; ADDRESS];
        (body[0], body[1], body[3]) = (address.family, address.prefix, address.scope);
        body[4..8].copy_from_slice(&index.to_ne_bytes());
        address
            .attributes
            .iter()
            .fold(Self::new(kind, flags, &body), |request, (kind, value)| request.attribute(*kind, value))
    }

    /// The same and one more attribute.
    pub(super) fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let length = u16::try_from(ATTRIBUTE + value.len()).unwrap_or(u16::MAX);
        self.0.extend_from_slice(&length.to_ne_bytes());
        self.0.extend_from_slice(&kind.to_ne_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    /// The same and one more attribute, which ends with a zero.
    pub(super) fn text(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.attribute(kind, &bytes)
    }

    /// The bytes, with the number by which answers are recognised.
    pub(super) fn bytes(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[0..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

/// One message of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) body: &'a [u8],
}

/// The messages of a packet, up to the first that is cut off.
pub(super) fn messages(packet: &[u8]) -> impl Iterator<Item = Message<'_>> {
    let mut rest = packet;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32::from_ne_bytes(word(rest, 0)?)).ok()?;
        let message = Message {
            kind: u16::from_ne_bytes(word(rest, 4)?),
            flags: u16::from_ne_bytes(word(rest, 6)?),
            sequence: u32::from_ne_bytes(word(rest, 8)?),
            body: rest.get(HEADER..length)?,
        };
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// The attributes behind a structure.
fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(word(rest, 0)?));
        let kind = u16::from_ne_bytes(word(rest, 2)?);
        let value = rest.get(ATTRIBUTE..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn word<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// What is known of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: i32,
    pub(super) flags: u32,
    pub(super) name: String,
}

impl Link {
    /// From `RTM_NEWLINK`.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let mut all = attributes(body.get(LINK..)?);
        let (_, name) = all.find(|(kind, _)| *kind == libc::IFLA_IFNAME)?;
        let name = name.strip_suffix(b"\0").unwrap_or(name);
        Some(Self {
            index: i32::from_ne_bytes(word(body, 4)?),
            flags: u32::from_ne_bytes(word(body, 8)?),
            name: String::from_utf8_lossy(name).into_owned(),
        })
    }
}

/// An address, as it can be given to another device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) family: u8,
    pub(super) prefix: u8,
    pub(super) scope: u8,
    pub(super) attributes: Vec<(u16, Vec<u8>)>,
}

/// Of `linux/if_addr.h`: who made the address (6.3), and its flags, of which the structure has eight bits only.
const IFA_PROTO: u16 = 11;
const IFA_RT_PRIORITY: u16 = 9;
/// Flags that somebody has set. Others are the kernel's findings about an address.
const KEPT: u32 = libc::IFA_F_PERMANENT
    | libc::IFA_F_NODAD
    | libc::IFA_F_HOMEADDRESS
    | libc::IFA_F_MANAGETEMPADDR
    | libc::IFA_F_NOPREFIXROUTE
    | libc::IFA_F_MCAUTOJOIN;

impl Address {
    /// From `RTM_NEWADDR`, with the index of its device; none unless it is permanent and of global scope.
    pub(super) fn parse(body: &[u8]) -> Option<(u32, Self)> {
        let [family, prefix, flags, scope] = word(body, 0)?;
        let index = u32::from_ne_bytes(word(body, 4)?);
        let mut flags = u32::from(flags);
        let mut kept = Vec::new();
        for (kind, value) in attributes(body.get(ADDRESS..)?) {
            match kind {
                libc::IFA_FLAGS => flags = u32::from_ne_bytes(word(value, 0)?),
                // A label begins with the name of the device, which it will not have any more.
                libc::IFA_ADDRESS | libc::IFA_LOCAL | libc::IFA_BROADCAST | IFA_RT_PRIORITY | IFA_PROTO => {
                    kept.push((kind, value.to_vec()));
                }
                _ => {}
            }
        }
        let lasting = flags & libc::IFA_F_PERMANENT != 0 && scope == libc::RT_SCOPE_UNIVERSE;
        kept.push((libc::IFA_FLAGS, (flags & KEPT).to_ne_bytes().to_vec()));
        lasting.then_some((index, Self { family, prefix, scope, attributes: kept }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let request = Request::link(libc::RTM_NEWLINK, 5, 7, (1, 3))
            .text(libc::IFLA_IFNAME, "eth0")
            .attribute(99, b"abc");
        let bytes = request.bytes(42);
        assert_eq!(bytes.len() % 4, 0);
        let found: Vec<Message<'_>> = messages(&bytes).collect();
        assert_eq!(
            (found.len(), found[0].kind, found[0].flags, found[0].sequence),
            (1, libc::RTM_NEWLINK, 5, 42)
        );
        let link = Link::parse(found[0].body).unwrap();
        assert_eq!(link, Link { index: 7, flags: 1, name: "eth0".to_owned() });
        assert_eq!(messages(&[bytes.clone(), bytes].concat()).count(), 2);
    }

    #[test]
    fn addresses_that_do_not_last_are_left_out() {
        let made = |scope, flags: u32| {
            let address = Address {
                family: 2,
                prefix: 24,
                scope,
                attributes: vec![
                    (libc::IFA_LOCAL, vec![10, 0, 0, 1]),
                    (libc::IFA_FLAGS, flags.to_ne_bytes().to_vec()),
                ],
            };
            let bytes = Request::address(libc::RTM_NEWADDR, 0, &address, 3).bytes(1);
            Address::parse(messages(&bytes).next().unwrap().body)
        };
        let (index, kept) = made(0, libc::IFA_F_PERMANENT | libc::IFA_F_TENTATIVE).unwrap();
        assert_eq!((index, kept.family, kept.prefix), (3, 2, 24));
        assert_eq!(kept.attributes[0], (libc::IFA_LOCAL, vec![10, 0, 0, 1]));
        assert_eq!(kept.attributes[1], (libc::IFA_FLAGS, libc::IFA_F_PERMANENT.to_ne_bytes().to_vec()));
        assert_eq!(made(253, libc::IFA_F_PERMANENT), None);
        assert_eq!(made(0, 0), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            for message in messages(&bytes) {
                let _: (Option<Link>, Option<(u32, Address)>) = (Link::parse(message.body), Address::parse(message.body));
            }
        }
    }
}
