//! Reading statistics again and again, by descriptors that stay open.

use super::files::{Candidate, Content, candidates};
use super::section::{Section, Sections};
use super::take::Round;
use super::{CpuSetStatistics, Statistics};
use crate::cgroup::Part;
use crate::dir::Dir;
use crate::{Bytes, Cgroup, Error, Result};
use rustix::fs::{AtFlags, OFlags};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

/// Reads the statistics of one cgroup.
///
/// It opens the files when it is made. Each reading is then one `pread` for each file, and allocates nothing once the
/// lists in the [`Statistics`] have grown as long as they need.
///
/// ```no_run
/// use cofferdam_cgroups::{Cgroup, Section, Statistics, StatisticsReader};
///
/// # fn example(cgroup: &Cgroup) -> cofferdam_cgroups::Result<()> {
/// let sections = [Section::Cpu, Section::Memory].into_iter().collect();
/// let mut reader = StatisticsReader::with(cgroup, sections)?;
/// let mut statistics = Statistics::default();
/// loop {
///     reader.read(&mut statistics)?;
///     println!("{:?}", statistics.memory.and_then(|memory| memory.working_set()));
///     std::thread::sleep(std::time::Duration::from_secs(1));
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct StatisticsReader {
    files: Vec<Open>,
    /// The directories that the files are in, to tell why one went.
    dirs: Vec<OwnedFd>,
    sections: Sections,
    page_sizes: Vec<Bytes>,
    ticks_per_second: u64,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Open {
    fd: OwnedFd,
    content: Content,
    /// Index of its directory.
    dir: usize,
    path: PathBuf,
}

/// More than any file but a list of many devices has.
const BUFFER: usize = 8 << 10;

impl StatisticsReader {
    /// Opens all statistics that a cgroup has.
    ///
    /// # Errors
    ///
    /// [`Error::Open`] if a file is there and cannot be opened, and if the cgroup is gone.
    pub fn new(cgroup: &Cgroup) -> Result<Self> {
        Self::with(cgroup, Sections::ALL)
    }

    /// Opens those of some sections.
    ///
    /// # Errors
    ///
    /// As [`StatisticsReader::new`].
    pub fn with(cgroup: &Cgroup, sections: Sections) -> Result<Self> {
        let (list, page_sizes) = candidates(cgroup, sections)?;
        let mut reader = Self {
            files: Vec::with_capacity(list.len()),
            dirs: Vec::new(),
            sections: Sections::EMPTY,
            page_sizes,
            ticks_per_second: rustix::param::clock_ticks_per_second(),
            buffer: vec![0; BUFFER],
        };
        let mut parts: Vec<&Part> = Vec::new();
        for Candidate { part, name, content, section } in list {
            let Some(fd) = open(&part.dir, &name)? else { continue };
            let dir = parts.iter().position(|known| std::ptr::eq(*known, part)).unwrap_or(parts.len());
            if dir == parts.len() {
                parts.push(part);
                reader.dirs.push(duplicate(&part.dir)?);
            }
            reader.files.push(Open { fd, content, dir, path: part.dir.path_of(name.as_ref()) });
            reader.sections = reader.sections.with(section);
        }
        Ok(reader)
    }

    /// The sections of which there are any files; all others will be none.
    pub fn sections(&self) -> Sections {
        self.sections
    }

    /// Takes a snapshot. What was in `into` is replaced, and its memory used again. The values are read one after the
    /// other, so they are not of one instant.
    ///
    /// # Errors
    ///
    /// [`Error::Read`], for which [`Error::is_gone`] tells that the cgroup was removed; [`Error::Withdrawn`] if only
    /// the controller was disabled, which takes its files away; [`Error::Parse`] if a file is not as the kernel
    /// documents it. What is in `into` is then of no use.
    pub fn read(&mut self, into: &mut Statistics) -> Result<()> {
        prepare(into, self.sections);
        let mut round = Round::begin(into, &self.page_sizes, self.ticks_per_second);
        for file in &self.files {
            match file.read(&mut self.buffer) {
                Ok(length) => {
                    let bytes = self.buffer.get(..length).unwrap_or_default();
                    let parsed = round.take(file.content, bytes, into);
                    parsed.map_err(|fault| fault.in_file(&file.path))?;
                }
                // The kernel was started without it, and shows the file all the same.
                Err(rustix::io::Errno::OPNOTSUPP) => {}
                Err(errno) => return Err(self.failed(file, errno)),
            }
        }
        round.end(into);
        Ok(())
    }

    /// The files of a controller go when it is disabled, and all files when the cgroup goes.
    fn failed(&self, file: &Open, errno: rustix::io::Errno) -> Error {
        let path = file.path.clone();
        let there = || self.dirs.get(file.dir).is_some_and(is_there_for_good);
        match errno {
            rustix::io::Errno::NODEV if there() => Error::Withdrawn { path },
            errno => Error::Read { path, errno: errno.into() },
        }
    }
}

/// Whether the cgroup of a directory is still there; a directory can be held beyond that.
pub(crate) fn is_there(dir: impl AsFd) -> bool {
    rustix::fs::statat(dir, "cgroup.procs", AtFlags::SYMLINK_NOFOLLOW).is_ok()
}

impl Open {
    /// One call, but where the buffer is full: then it becomes larger, and the file is read again.
    fn read(&self, buffer: &mut Vec<u8>) -> rustix::io::Result<usize> {
        loop {
            match rustix::io::pread(&self.fd, buffer.as_mut_slice(), 0) {
                Ok(length) if length < buffer.len() => return Ok(length),
                Ok(length) => buffer.resize(length.max(BUFFER) * 2, 0),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
}

/// Opens a file if it is there.
fn open(dir: &Dir, name: &str) -> Result<Option<OwnedFd>> {
    match dir.open_file(name, OFlags::RDONLY) {
        Ok(fd) => Ok(Some(fd)),
        Err(Error::Open { errno, .. }) if errno.number() == libc::ENOENT && is_there(dir) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same, where a file of it is gone. When a cgroup is removed, the files of its controllers go a moment before all
/// others do.
pub(crate) fn is_there_for_good(dir: impl AsFd) -> bool {
    for _ in 0..20 {
        if !is_there(&dir) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

pub(crate) fn duplicate(dir: &Dir) -> Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(dir, 0)
        .map_err(|errno| Error::Call { call: "fcntl(F_DUPFD_CLOEXEC)", errno: errno.into() })
}

/// Makes the sections that will be filled, and removes all others.
fn prepare(into: &mut Statistics, sections: Sections) {
    fn keep<T: Default>(section: &mut Option<T>, wanted: bool) {
        match (section.is_some(), wanted) {
            (false, true) => *section = Some(T::default()),
            (true, false) => *section = None,
            _ => {}
        }
    }
    let has = |section| sections.contains(section);
    let memory = [Section::Memory, Section::MemoryEvents, Section::Swap, Section::KernelMemory];
    keep(&mut into.cpu, has(Section::Cpu));
    keep(&mut into.memory, memory.into_iter().any(has));
    keep(&mut into.io, has(Section::Io));
    keep(&mut into.pids, has(Section::Pids));
    keep(&mut into.hugetlb, has(Section::HugeTlb));
    keep(&mut into.rdma, has(Section::Rdma));
    keep(&mut into.misc, has(Section::Misc));
    keep(&mut into.pressure, has(Section::Pressure));
    keep::<CpuSetStatistics>(&mut into.cpuset, has(Section::CpuSet));
    keep(&mut into.cgroup, has(Section::Cgroup));
}
