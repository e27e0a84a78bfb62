//! Resources whose names only the running kernel knows: devices of remote memory access, and scalars.

use super::parse::{Parsed, named, nested, number};

/// What a cgroup and all below it hold of one device for remote direct memory access.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RdmaStatistics {
    /// The name of the device.
    pub device: String,
    /// Handles. Both versions `hca_handle` of `rdma.current`.
    pub handles: Option<u64>,
    /// Objects. Both versions `hca_object` of `rdma.current`.
    pub objects: Option<u64>,
}

/// What a cgroup and all below it hold of one scalar resource of the machine; 5.13.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MiscStatistics {
    /// The kernel's name of it, such as `sev`.
    pub resource: String,
    /// How much is used. Both versions `misc.current`.
    pub current: Option<u64>,
    /// How much was used at most. Both versions `misc.peak`, 6.11.
    pub peak: Option<u64>,
    /// How often the limit refused some. Both versions `RESOURCE.max` of `misc.events`, 5.16.
    pub refused: Option<u64>,
}

pub(crate) trait Named: Default {
    fn name(&self) -> &str;
    /// Takes a name, in the memory of the old one, and forgets the values.
    fn renew(&mut self, name: &str);
}

impl Named for RdmaStatistics {
    fn name(&self) -> &str {
        &self.device
    }

    fn renew(&mut self, name: &str) {
        self.device.clear();
        self.device.push_str(name);
        (self.handles, self.objects) = (None, None);
    }
}

impl Named for MiscStatistics {
    fn name(&self) -> &str {
        &self.resource
    }

    fn renew(&mut self, name: &str) {
        self.resource.clear();
        self.resource.push_str(name);
        (self.current, self.peak, self.refused) = (None, None, None);
    }
}

/// The entry of a name among the first `used`, or the next one behind them, made new.
pub(crate) fn entry<'l, T: Named>(list: &'l mut Vec<T>, used: &mut usize, name: &str) -> Option<&'l mut T> {
    let known = list.iter().take(*used).position(|entry| entry.name() == name);
    let at = known.unwrap_or_else(|| {
        if list.len() == *used {
            list.push(T::default());
        }
        if let Some(entry) = list.get_mut(*used) {
            entry.renew(name);
        }
        *used += 1;
        *used - 1
    });
    list.get_mut(at)
}

pub(crate) fn rdma<'a>(content: &'a [u8], list: &mut Vec<RdmaStatistics>, used: &mut usize) -> Parsed<'a> {
    nested(content, |device, key, value| {
        let device = std::str::from_utf8(device).map_err(|_| "the name of a device")?;
        let Some(entry) = entry(list, used, device) else { return Ok(()) };
        match key {
            b"hca_handle" => entry.handles = Some(number(value).ok_or("a number of handles")?),
            b"hca_object" => entry.objects = Some(number(value).ok_or("a number of objects")?),
            _ => {}
        }
        Ok(())
    })
}

/// The files of `misc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MiscFile {
    Current,
    Peak,
    Events,
}

pub(crate) fn misc<'a>(
    content: &'a [u8],
    file: MiscFile,
    list: &mut Vec<MiscStatistics>,
    used: &mut usize,
) -> Parsed<'a> {
    named(content, |name, number| {
        let resource = match file {
            MiscFile::Events => name.strip_suffix(".max"),
            MiscFile::Current | MiscFile::Peak => Some(name),
        };
        let Some(entry) = resource.and_then(|resource| entry(list, used, resource)) else { return };
        match file {
            MiscFile::Current => entry.current = Some(number),
            MiscFile::Peak => entry.peak = Some(number),
            MiscFile::Events => entry.refused = Some(number),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_keep_their_memory() {
        let mut list = Vec::new();
        let mut used = 0;
        rdma(b"mlx4_0 hca_handle=2 hca_object=2000\nocrdma1 hca_handle=1 new=x\n", &mut list, &mut used)
            .unwrap();
        assert_eq!((used, list[0].device.as_str(), list[0].objects), (2, "mlx4_0", Some(2000)));
        assert_eq!((list[1].handles, list[1].objects), (Some(1), None));
        let name = list[0].device.as_ptr();
        used = 0;
        rdma(b"ocrdma hca_handle=7\n", &mut list, &mut used).unwrap();
        assert_eq!((used, list[0].device.as_ptr(), list[0].objects), (1, name, None));
        assert!(rdma(b"mlx4_0 hca_handle=max\n", &mut list, &mut used).is_err());
    }

    #[test]
    fn files_of_misc_meet_in_one_entry() {
        let (mut list, mut used) = (Vec::new(), 0);
        misc(b"sev 1\nsev_es 2\n", MiscFile::Current, &mut list, &mut used).unwrap();
        misc(b"sev 3\n", MiscFile::Peak, &mut list, &mut used).unwrap();
        misc(b"sev_es.max 4\nsev.other 5\n", MiscFile::Events, &mut list, &mut used).unwrap();
        assert_eq!((list[0].current, list[0].peak, list[0].refused), (Some(1), Some(3), None));
        assert_eq!((list[1].resource.as_str(), list[1].refused, list.len()), ("sev_es", Some(4), 2));
    }
}
