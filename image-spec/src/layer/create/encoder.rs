//! Pieces of an archive compressed one by one: what comes out is a gzip or zstd stream when put together.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};

use super::LayerCompression;
use crate::{Error, Result};

/// A compression with its level.
#[derive(Clone, Copy, Debug)]
pub(super) enum Encoder {
    Gzip(Compression),
    Zstd(#[cfg_attr(not(feature = "zstd-c"), allow(dead_code, reason = "the encoder in Rust has one"))] i32),
}

impl Encoder {
    /// `None` for a plain archive.
    pub(super) fn new(compression: LayerCompression) -> Result<Option<Self>> {
        let unsupported = |what, level: u8| Err(Error::Unsupported { what, value: level.to_string() });
        match compression {
            LayerCompression::None => Ok(None),
            LayerCompression::Gzip => Ok(Some(Self::Gzip(Compression::new(6)))),
            LayerCompression::GzipLevel(level @ 1..=9) => {
                Ok(Some(Self::Gzip(Compression::new(u32::from(level)))))
            }
            LayerCompression::GzipLevel(level) => unsupported("gzip level", level),
            LayerCompression::Zstd => Ok(Some(Self::Zstd(3))),
            LayerCompression::ZstdLevel(level) if (1..=LAST_ZSTD_LEVEL).contains(&level) => {
                Ok(Some(Self::Zstd(i32::from(level))))
            }
            LayerCompression::ZstdLevel(level) => unsupported("zstd level", level),
        }
    }

    /// How much is compressed at once. Matches do not reach across, which costs gzip, that looks back 32 KiB, next to
    /// nothing.
    pub(super) fn chunk(self) -> usize {
        match self {
            Self::Gzip(_) => 1 << 20,
            Self::Zstd(_) => 2 << 20,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip(_) => "gzip stream",
            Self::Zstd(_) => "zstd stream",
        }
    }

    /// A whole member or frame.
    pub(super) fn encode(self, plain: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Gzip(level) => {
                let header = GzBuilder::new().mtime(0).operating_system(255);
                let mut member = header.write(Vec::with_capacity(plain.len() / 2), level);
                member.write_all(plain)?;
                member.finish()
            }
            Self::Zstd(level) => zstd_frame(plain, level),
        }
    }
}

#[cfg(feature = "zstd-c")]
const LAST_ZSTD_LEVEL: u8 = 19;
#[cfg(not(feature = "zstd-c"))]
const LAST_ZSTD_LEVEL: u8 = 1;

#[cfg(feature = "zstd-c")]
fn zstd_frame(plain: &[u8], level: i32) -> io::Result<Vec<u8>> {
    let mut compressor = zstd::bulk::Compressor::new(level)?;
    compressor.include_checksum(true)?;
    compressor.compress(plain)
}

#[cfg(not(feature = "zstd-c"))]
fn zstd_frame(plain: &[u8], _: i32) -> io::Result<Vec<u8>> {
    Ok(ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest))
}
