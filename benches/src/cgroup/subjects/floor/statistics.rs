//! Statistics: files that stay open, one read of each, and all numbers in them by their place.

use std::os::fd::{AsFd, OwnedFd};

use super::path::Path;
use super::{Base, failed};
use crate::Error;
use crate::cgroup::place::Version;
use crate::cgroup::subjects::{Figures, Reader};
use crate::sys::files;

/// Room for the longest of them, `memory.stat`.
const ROOM: usize = 8192;
/// More numbers than any of them has.
const NUMBERS: usize = 128;

/// A controller, its file, the keys that its first lines must have, and where their numbers go.
type Source = (&'static str, &'static str, &'static [&'static str], fn(&mut Figures, &[u64; NUMBERS]));

const V1: [Source; 10] = [
    ("cpuacct", "cpuacct.usage", &[], |figures, of| figures.cpu[0] = of[0]),
    ("cpuacct", "cpuacct.stat", &["user", "system"], |figures, of| {
        figures.cpu[1..].copy_from_slice(&of[..2])
    }),
    ("cpu", "cpu.stat", &["nr_periods", "nr_throttled"], |figures, of| figures.throttled = of[1]),
    ("memory", "memory.usage_in_bytes", &[], |figures, of| figures.memory[0] = of[0]),
    ("memory", "memory.max_usage_in_bytes", &[], |figures, of| figures.memory[1] = of[0]),
    ("memory", "memory.stat", &["cache", "rss"], |figures, of| figures.parts = [of[1], of[0]]),
    PIDS[0],
    PIDS[1],
    PIDS[2],
    PIDS[3],
];

const V2: [Source; 8] = [
    ("cpu", "cpu.stat", &["usage_usec", "user_usec", "system_usec"], |figures, of| {
        figures.cpu.copy_from_slice(&of[..3]);
        figures.throttled = of[4];
    }),
    ("memory", "memory.current", &[], |figures, of| figures.memory[0] = of[0]),
    ("memory", "memory.peak", &[], |figures, of| figures.memory[1] = of[0]),
    ("memory", "memory.stat", &["anon", "file"], |figures, of| figures.parts.copy_from_slice(&of[..2])),
    PIDS[0],
    PIDS[1],
    PIDS[2],
    PIDS[3],
];

/// The same on both versions. No limit is the number 0.
const PIDS: [Source; 4] = [
    ("pids", "pids.current", &[], |figures, of| figures.pids[0] = of[0]),
    ("pids", "pids.peak", &[], |figures, of| figures.pids[1] = of[0]),
    ("pids", "pids.max", &[], |figures, of| figures.pids[2] = of[0]),
    ("pids", "pids.events", &["max"], |figures, of| figures.pids[3] = of[0]),
];

#[derive(Debug)]
struct Files {
    files: Vec<(OwnedFd, Source)>,
    buffer: Box<[u8; ROOM]>,
    numbers: [u64; NUMBERS],
}

/// Opens the files and looks once whether their lines are where they are expected.
pub(super) fn open(base: &Base, name: &Path) -> Result<Box<dyn Reader>, Error> {
    let sources: &[Source] = match base.version {
        Version::V1 => &V1,
        Version::V2 => &V2,
    };
    let mut reader = Files { files: Vec::new(), buffer: Box::new([0; ROOM]), numbers: [0; NUMBERS] };
    for source in sources {
        let (controller, file, keys, _) = source;
        let path = name.join(file);
        let fd =
            files::open(base.parent(controller)?, path.as_c_str(), libc::O_RDONLY).map_err(failed(file))?;
        let text = files::read(fd.as_fd(), &mut reader.buffer[..]).map_err(failed(file))?;
        let text = String::from_utf8_lossy(text);
        let there = text.lines().map(|line| line.split(' ').next().unwrap_or_default());
        if !there.take(keys.len()).eq(keys.iter().copied()) {
            return Err(Error::Setting(format!(
                "{file} of this kernel does not begin with {}",
                keys.join(", ")
            )));
        }
        reader.files.push((fd, *source));
    }
    Ok(Box::new(reader))
}

impl Reader for Files {
    fn read(&mut self) -> Result<Figures, Error> {
        let mut figures = Figures::default();
        for (fd, (_, file, _, fill)) in &self.files {
            let text = files::read(fd.as_fd(), &mut self.buffer[..]).map_err(failed(file))?;
            parse(text, &mut self.numbers);
            fill(&mut figures, &self.numbers);
        }
        Ok(figures)
    }
}

/// The number at the end of each line.
fn parse(text: &[u8], numbers: &mut [u64; NUMBERS]) {
    let mut number = 0;
    let mut line = 0;
    for byte in text {
        match byte {
            b'0'..=b'9' => number = number * 10 + u64::from(byte - b'0'),
            b'\n' => {
                numbers[line] = number;
                line = (line + 1).min(NUMBERS - 1);
                number = 0;
            }
            _ => number = 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_of_each_line_counts() {
        let mut numbers = [0; NUMBERS];
        parse(b"anon 4096\nthp_2 17\nmax\n5\n", &mut numbers);
        assert_eq!(numbers[..4], [4096, 17, 0, 5]);
    }
}
