//! Compressed streams, by what they begin with.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How something is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// Tells from the first bytes.
    pub(crate) fn of(beginning: &[u8]) -> Self {
        match beginning {
            [0x1f, 0x8b, 0x08, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }
}

/// The decompressed stream.
pub(crate) fn decoder<'r>(
    reader: impl BufRead + Send + 'r,
    compression: Compression,
) -> Box<dyn Read + Send + 'r> {
    match compression {
        Compression::None => Box::new(reader),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(reader)),
        Compression::Zstd => Box::new(Zstd { reader, decoder: FrameDecoder::new(), in_frame: false }),
    }
}

/// All frames of a stream.
struct Zstd<R> {
    reader: R,
    decoder: FrameDecoder,
    in_frame: bool,
}

impl<R: BufRead> Zstd<R> {
    /// Begins the next frame; `false` at the end of the stream.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.reader.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.reset(&mut self.reader) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let skipped = io::copy(&mut (&mut self.reader).take(length.into()), &mut io::sink())?;
                    if skipped < length.into() {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
    }

    fn check(&self) -> io::Result<()> {
        match (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum()) {
            (Some(promised), Some(found)) if promised != found => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum of a zstd frame is wrong"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame && !self.next_frame()? {
                return Ok(0);
            }
            self.in_frame = true;
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.reader, one).map_err(io::Error::other)?;
            }
            let count = self.decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            self.check()?;
            self.in_frame = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn decoded(stream: &[u8]) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        decoder(stream, Compression::of(stream)).read_to_end(&mut all)?;
        Ok(all)
    }

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).expect("in memory");
        encoder.finish().expect("in memory")
    }

    #[test]
    fn streams_of_several_parts_are_read_to_the_end() {
        let long = vec![7; 300_000];
        let zstd = |content: &[u8]| compress_to_vec(content, CompressionLevel::Fastest);
        let skipped = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        let expected = [&long[..], b"end"].concat();
        assert_eq!(
            decoded(&[zstd(&long), skipped.to_vec(), zstd(b""), zstd(b"end")].concat()).unwrap(),
            expected
        );
        assert_eq!(decoded(&[gzip(&long), gzip(b""), gzip(b"end")].concat()).unwrap(), expected);
        assert_eq!(decoded(&expected).unwrap(), expected);
        assert_eq!(decoded(b"").unwrap(), b"");
    }

    #[test]
    fn what_is_cut_off_or_followed_by_something_else_is_an_error() {
        let zstd = compress_to_vec(&b"some content"[..], CompressionLevel::Fastest);
        for whole in [zstd, gzip(b"some content")] {
            for length in 5..whole.len() {
                assert!(decoded(&whole[..length]).is_err(), "{length}");
            }
            assert!(decoded(&[&whole[..], b"something"].concat()).is_err());
        }
    }
}
