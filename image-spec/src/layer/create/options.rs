//! What can be chosen when a layer is made.

use crate::{Error, IdRange, MediaType, Result};

/// How the archive is compressed. The bytes do not depend on the number of threads, but they do on the encoder: another
/// version of it, or the feature `zstd-c`, may give others of the same content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerCompression {
    /// A plain archive.
    None,
    /// gzip, of several members: all tools take it.
    #[default]
    Gzip,
    /// gzip of a level from 1, fast, to 9, small. [`LayerCompression::Gzip`] is 6.
    GzipLevel(u8),
    /// zstd, of several frames: smaller and faster; taken by containerd, podman and docker since about 2021.
    ///
    /// The encoder in Rust has one level, about zstd's 1. With the feature `zstd-c` it is zstd's 3.
    Zstd,
    /// zstd of a level from 1 to 19. Without the feature `zstd-c` there is only 1.
    ZstdLevel(u8),
}

impl LayerCompression {
    /// The media type of a layer of this compression.
    pub fn media_type(self) -> MediaType {
        MediaType::new(match self {
            Self::None => MediaType::OCI_LAYER,
            Self::Gzip | Self::GzipLevel(_) => MediaType::OCI_LAYER_GZIP,
            Self::Zstd | Self::ZstdLevel(_) => MediaType::OCI_LAYER_ZSTD,
        })
    }
}

/// Which times of change the entries have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerTimes {
    /// Those of the files, to the nanosecond.
    #[default]
    Keep,
    /// Those of the files, but none later than these seconds since 1970, which is what `SOURCE_DATE_EPOCH` asks for.
    Clamp(i64),
    /// These seconds since 1970, for all.
    Fixed(i64),
}

impl LayerTimes {
    /// Seconds and nanoseconds to write, of those a file has.
    pub(super) fn of(self, seconds: i64, nanoseconds: u32) -> (i64, u32) {
        match self {
            Self::Keep => (seconds, nanoseconds),
            Self::Clamp(latest) => (seconds, nanoseconds).min((latest, 0)),
            Self::Fixed(seconds) => (seconds, 0),
        }
    }
}

/// Which owners the entries have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayerIds {
    /// Those of the files, as this process sees them.
    #[default]
    Keep,
    /// 0:0 for all.
    Squash,
    /// Those that the files' owners have in a container with these maps. A file of another owner is an error.
    Map {
        /// Ranges of user ids.
        uids: Vec<IdRange>,
        /// Ranges of group ids.
        gids: Vec<IdRange>,
    },
}

impl LayerIds {
    /// The user to write, of that a file has. `None` without a map for it.
    pub(super) fn uid(&self, host: u32) -> Option<u32> {
        match self {
            Self::Keep => Some(host),
            Self::Squash => Some(0),
            Self::Map { uids, .. } => to_container(uids, host),
        }
    }

    /// The group to write.
    pub(super) fn gid(&self, host: u32) -> Option<u32> {
        match self {
            Self::Keep => Some(host),
            Self::Squash => Some(0),
            Self::Map { gids, .. } => to_container(gids, host),
        }
    }

    /// Fails on lines that reach past the last id.
    pub(super) fn check(&self) -> Result<()> {
        let Self::Map { uids, gids } = self else { return Ok(()) };
        for &IdRange { container, host, count } in uids.iter().chain(gids) {
            if container.checked_add(count).is_none() || host.checked_add(count).is_none() {
                let line = format!("{container} {host} {count}");
                return Err(Error::invalid("id map", line, "reaches past the last id"));
            }
        }
        Ok(())
    }
}

fn to_container(map: &[IdRange], id: u32) -> Option<u32> {
    map.iter().find_map(|&IdRange { container, host, count }| {
        let offset = id.checked_sub(host).filter(|&offset| offset < count)?;
        container.checked_add(offset)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_kept_or_cut_or_replaced() {
        assert_eq!(LayerTimes::Keep.of(-5, 7), (-5, 7));
        assert_eq!(LayerTimes::Clamp(10).of(10, 7), (10, 0));
        assert_eq!(LayerTimes::Clamp(10).of(9, 7), (9, 7));
        assert_eq!(LayerTimes::Clamp(10).of(11, 0), (10, 0));
        assert_eq!(LayerTimes::Fixed(3).of(11, 5), (3, 0));
    }

    #[test]
    fn ids_are_those_of_the_container() {
        let range = |container, host, count| IdRange { container, host, count };
        let uids = vec![range(0, 1000, 1), range(1, 100_000, 65_536)];
        let map = LayerIds::Map { uids, gids: vec![range(5, 7, 2)] };
        assert_eq!(map.uid(1000), Some(0));
        assert_eq!(map.uid(100_000), Some(1));
        assert_eq!(map.uid(165_535), Some(65_536));
        assert_eq!(map.uid(165_536), None);
        assert_eq!((map.gid(6), map.gid(7), map.gid(8), map.gid(9)), (None, Some(5), Some(6), None));
        assert!(map.check().is_ok());
        let long = LayerIds::Map { uids: vec![range(0, u32::MAX, 2)], gids: Vec::new() };
        assert!(long.check().is_err());
    }
}
