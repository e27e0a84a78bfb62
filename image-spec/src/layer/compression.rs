//! How the archive of a layer is compressed, and its decompression.

use std::io::{self, BufRead, Read};

use crate::{Error, MediaType, Result};

/// How a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip (RFC 1952), with any number of members.
    Gzip,
    /// zstd (RFC 8878), with any number of frames, and windows of at most 32 MiB.
    Zstd,
}

impl Compression {
    /// What the media type of a layer says.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for other media types, those of layers that must not be distributed included.
    pub fn of(media_type: &MediaType) -> Result<Self> {
        match media_type.as_str() {
            MediaType::OCI_LAYER | MediaType::DOCKER_LAYER => Ok(Self::None),
            MediaType::OCI_LAYER_GZIP | MediaType::DOCKER_LAYER_GZIP => Ok(Self::Gzip),
            MediaType::OCI_LAYER_ZSTD | MediaType::DOCKER_LAYER_ZSTD => Ok(Self::Zstd),
            other => Err(Error::Unsupported { what: "media type of a layer", value: other.into() }),
        }
    }

    /// What the first four bytes or more of a stream look like.
    pub fn detect(beginning: &[u8]) -> Self {
        match beginning {
            [0x1f, 0x8b, ..] => Self::Gzip,
            // A frame, or one that is skipped.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// What the stream is called in errors.
    pub(crate) fn stream(self) -> &'static str {
        match self {
            Self::None => "plain stream",
            Self::Gzip => "gzip stream",
            Self::Zstd => "zstd stream",
        }
    }

    /// Reads what a stream decompresses to.
    pub(crate) fn decoder<'a>(self, source: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
        Ok(match self {
            Self::None => Box::new(source),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
            Self::Zstd => zstd_decoder(source)?,
        })
    }
}

/// The largest window, as a power of two: 32 MiB. That is what the zstd program makes with level 20; what makes images
/// makes 8 MiB at most. The blob says how large it is, and several layers are decompressed at once.
const WINDOW_LOG: u32 = 25;

#[cfg(feature = "zstd-c")]
fn zstd_decoder<'a>(source: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
    decoder.window_log_max(WINDOW_LOG)?;
    Ok(Box::new(decoder))
}

#[cfg(not(feature = "zstd-c"))]
#[allow(clippy::unnecessary_wraps, reason = "the decoder of the C library can fail to begin")]
fn zstd_decoder<'a>(source: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(Box::new(frames::Frames::new(source)))
}

#[cfg(not(feature = "zstd-c"))]
mod frames {
    //! Any number of zstd frames; the decoder knows one. Frames to be skipped carry indexes in some layers.

    use std::io::{self, BufRead, Read};

    use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
    use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

    pub(super) struct Frames<R> {
        source: R,
        decoder: FrameDecoder,
        within: bool,
    }

    impl<R: BufRead> Frames<R> {
        pub(super) fn new(source: R) -> Self {
            let mut decoder = FrameDecoder::new();
            decoder.set_max_window_size(1 << super::WINDOW_LOG);
            Self { source, decoder, within: false }
        }

        /// Begins the next frame with content; `false` at the end of the stream.
        fn begin(&mut self) -> io::Result<bool> {
            loop {
                if self.source.fill_buf()?.is_empty() {
                    return Ok(false);
                }
                match self.decoder.reset(&mut self.source) {
                    Ok(()) => return Ok(true),
                    Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                        length,
                        ..
                    })) => self.skip(u64::from(length))?,
                    Err(error) => return Err(io::Error::other(error)),
                }
            }
        }

        fn skip(&mut self, length: u64) -> io::Result<()> {
            let skipped = io::copy(&mut (&mut self.source).take(length), &mut io::sink())?;
            if skipped == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
        }
    }

    impl<R: BufRead> Read for Frames<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            loop {
                if !self.within && !self.begin()? {
                    return Ok(0);
                }
                self.within = true;
                while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                    let one = BlockDecodingStrategy::UptoBlocks(1);
                    self.decoder.decode_blocks(&mut self.source, one).map_err(io::Error::other)?;
                }
                let count = self.decoder.read(buffer)?;
                if count > 0 || buffer.is_empty() {
                    return Ok(count);
                }
                self.within = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(compression: Compression, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        compression.decoder(bytes)?.read_to_end(&mut out)?;
        Ok(out)
    }

    #[test]
    fn media_types_say_the_compression() {
        let of = |text: &str| Compression::of(&text.into());
        assert_eq!(of(MediaType::OCI_LAYER).unwrap(), Compression::None);
        assert_eq!(of(MediaType::DOCKER_LAYER_GZIP).unwrap(), Compression::Gzip);
        assert_eq!(of(MediaType::OCI_LAYER_ZSTD).unwrap(), Compression::Zstd);
        for other in [
            "",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "application/vnd.oci.image.layer.v1.tar+bzip2",
            MediaType::OCI_MANIFEST,
        ] {
            assert!(matches!(of(other), Err(Error::Unsupported { .. })), "{other}");
        }
    }

    #[test]
    fn all_members_of_a_gzip_stream_are_read() {
        let member = |text: &[u8]| {
            let mut encoder = flate2::read::GzEncoder::new(text, flate2::Compression::fast());
            let mut out = Vec::new();
            encoder.read_to_end(&mut out).unwrap();
            out
        };
        let both = [member(b"one "), member(b"two")].concat();
        assert_eq!(Compression::detect(&both), Compression::Gzip);
        assert_eq!(decode(Compression::Gzip, &both).unwrap(), b"one two");
        assert!(decode(Compression::Gzip, &both[..both.len() - 1]).is_err());
        assert!(decode(Compression::Gzip, &[both, b"garbage".to_vec()].concat()).is_err());
        assert!(decode(Compression::Gzip, b"plain").is_err());
    }

    /// `skippable` is a frame of four bytes to be skipped; `frame` holds `zstd` as one raw block.
    #[test]
    fn all_frames_of_a_zstd_stream_are_read() {
        let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 4, 0x21, 0, 0][..], b"zstd"].concat();
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4];
        let all = [&frame[..], &skippable, &frame].concat();
        assert_eq!(Compression::detect(&all), Compression::Zstd);
        assert_eq!(Compression::detect(&skippable), Compression::Zstd);
        assert_eq!(decode(Compression::Zstd, &all).unwrap(), b"zstdzstd");
        assert!(decode(Compression::Zstd, &all[..all.len() - 1]).is_err());
        assert!(decode(Compression::Zstd, &all[..15]).is_err());
    }

    /// A window of 64 MiB: exponent 16, mantissa 0.
    #[test]
    fn larger_windows_are_refused() {
        let frame = [0x28, 0xb5, 0x2f, 0xfd, 0, 16 << 3, 1, 0, 0];
        assert!(decode(Compression::Zstd, &frame).is_err());
        let smaller = [0x28, 0xb5, 0x2f, 0xfd, 0, 15 << 3, 1, 0, 0];
        assert_eq!(decode(Compression::Zstd, &smaller).unwrap(), b"");
    }
}
