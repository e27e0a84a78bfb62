//! What an ELF file needs to run: its interpreter, its libraries, and where it says to look for them (elf(5)).
//!
//! Only headers and names are read, each of a bounded length.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use object::elf::{self, FileHeader32, FileHeader64};
use object::endian::Endianness;
use object::pod::slice_from_bytes;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};

/// The most bytes of a name or a search path; as long as a path can be.
const MOST_NAME: u64 = 4096;
/// The most bytes of the dynamic section.
const MOST_DYNAMIC: u64 = 1 << 20;
/// The most libraries of one file.
const MOST_NEEDED: usize = 4096;

/// Bytes of a file at an offset.
pub(super) trait ReadAt {
    /// Up to `size` bytes; fewer at the end of the file.
    fn part(&self, offset: u64, size: u64) -> io::Result<Vec<u8>>;
}

impl ReadAt for File {
    fn part(&self, offset: u64, size: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| io::ErrorKind::InvalidInput)?];
        let mut done = 0;
        while done < bytes.len() {
            let at = offset.checked_add(done as u64).ok_or(io::ErrorKind::InvalidInput)?;
            match FileExt::read_at(self, &mut bytes[done..], at) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(done);
        Ok(bytes)
    }
}

/// What an ELF file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Elf {
    /// Whether it is of the 64-bit class.
    pub(super) wide: bool,
    /// `EM_*`.
    pub(super) machine: u16,
    /// The program that loads it. `None` for static programs, and for most libraries.
    pub(super) interpreter: Option<Vec<u8>>,
    /// The libraries it needs, in its order.
    pub(super) needed: Vec<Vec<u8>>,
    /// Where it and what it loads look first. Not used if there is a `runpath`.
    pub(super) rpath: Option<Vec<u8>>,
    /// Where it looks first.
    pub(super) runpath: Option<Vec<u8>>,
}

/// Why an ELF file is not understood.
#[derive(Debug)]
pub(super) enum Fault {
    Read(io::Error),
    Form(&'static str),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

type Result<T> = std::result::Result<T, Fault>;

/// Reads an ELF file. `None` if it is something else.
pub(super) fn read(file: &impl ReadAt) -> Result<Option<Elf>> {
    let head = file.part(0, 64)?;
    if !head.starts_with(&elf::ELFMAG) {
        return Ok(None);
    }
    match head.get(4) {
        Some(1) => parse::<FileHeader32<Endianness>>(&head, file, false).map(Some),
        Some(2) => parse::<FileHeader64<Endianness>>(&head, file, true).map(Some),
        _ => Err(Fault::Form("is neither of the 32-bit nor of the 64-bit class")),
    }
}

fn parse<H: FileHeader<Endian = Endianness>>(head: &[u8], file: &impl ReadAt, wide: bool) -> Result<Elf> {
    let header = H::parse(head).map_err(|_| Fault::Form("has no ELF header of a known version"))?;
    let endian = header.endian().map_err(|_| Fault::Form("has an unknown byte order"))?;
    let mut found = Elf { wide, machine: header.e_machine(endian).0, ..Elf::default() };
    let count = header.e_phnum(endian);
    if count == 0 {
        return Ok(found);
    }
    let size = size_of::<H::ProgramHeader>();
    if usize::from(header.e_phentsize(endian)) != size || count == elf::PN_XNUM {
        return Err(Fault::Form("has program headers of an unknown form"));
    }
    let table = file.part(header.e_phoff(endian).into(), u64::from(count) * size as u64)?;
    let (segments, _) = slice_from_bytes::<H::ProgramHeader>(&table, count.into())
        .map_err(|()| Fault::Form("ends within its program headers"))?;

    let of = |kind| segments.iter().find(move |segment| segment.p_type(endian) == kind);
    if let Some(segment) = of(elf::PT_INTERP) {
        found.interpreter =
            Some(name(file, segment.p_offset(endian).into(), segment.p_filesz(endian).into())?);
    }
    if let Some(segment) = of(elf::PT_DYNAMIC) {
        let size = segment.p_filesz(endian).into();
        if size > MOST_DYNAMIC {
            return Err(Fault::Form("has too large a dynamic section"));
        }
        let table = file.part(segment.p_offset(endian).into(), size)?;
        if (table.len() as u64) < size {
            return Err(Fault::Form("ends within its dynamic section"));
        }
        dynamic::<H>(&table, endian, file, segments, &mut found)?;
    }
    Ok(found)
}

fn dynamic<H: FileHeader<Endian = Endianness>>(
    table: &[u8],
    endian: Endianness,
    file: &impl ReadAt,
    segments: &[H::ProgramHeader],
    found: &mut Elf,
) -> Result<()> {
    let count = table.len() / size_of::<H::Dyn>();
    let (table, _) =
        slice_from_bytes::<H::Dyn>(table, count).map_err(|()| Fault::Form("has no dynamic section"))?;
    let end = table.iter().position(|item| item.tag(endian) == elf::DT_NULL).unwrap_or(count);
    let table = &table[..end];
    let values = |tag| table.iter().filter(move |item| item.tag(endian) == tag).map(|item| item.val(endian));
    let Some(address) = values(elf::DT_STRTAB).next() else { return Ok(()) };
    let size = values(elf::DT_STRSZ).next().unwrap_or(u64::MAX);
    let string = |at: u64| {
        let offset = file_offset::<H>(segments, endian, address).and_then(|start| start.checked_add(at));
        let offset = offset.ok_or(Fault::Form("has its names outside of its segments"))?;
        name(file, offset, size.saturating_sub(at))
    };
    if values(elf::DT_NEEDED).count() > MOST_NEEDED {
        return Err(Fault::Form("needs too many libraries"));
    }
    found.needed = values(elf::DT_NEEDED).map(string).collect::<Result<_>>()?;
    found.rpath = values(elf::DT_RPATH).next().map(string).transpose()?;
    found.runpath = values(elf::DT_RUNPATH).next().map(string).transpose()?;
    Ok(())
}

/// Where in the file what is loaded to an address lies.
fn file_offset<H: FileHeader<Endian = Endianness>>(
    segments: &[H::ProgramHeader],
    endian: Endianness,
    address: u64,
) -> Option<u64> {
    let loads = segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD);
    let mut offsets = loads.filter_map(|segment| {
        let within = address.checked_sub(segment.p_vaddr(endian).into())?;
        (within < segment.p_filesz(endian).into())
            .then(|| within.checked_add(segment.p_offset(endian).into()))
    });
    offsets.next().flatten()
}

/// A name that ends with a zero byte, within so many bytes.
fn name(file: &impl ReadAt, offset: u64, most: u64) -> Result<Vec<u8>> {
    let mut bytes = file.part(offset, most.min(MOST_NAME))?;
    let end = bytes.iter().position(|&byte| byte == 0).ok_or(Fault::Form("has a name without an end"))?;
    bytes.truncate(end);
    if bytes.is_empty() {
        return Err(Fault::Form("has an empty name"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl ReadAt for &[u8] {
        fn part(&self, offset: u64, size: u64) -> io::Result<Vec<u8>> {
            let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
            Ok(rest[..rest.len().min(usize::try_from(size).unwrap_or(usize::MAX))].to_vec())
        }
    }

    /// The test itself is a program with an interpreter and libraries, if it is not static.
    fn program() -> File {
        File::open("/proc/self/exe").expect("this program")
    }

    #[test]
    fn this_program_needs_what_it_is() {
        let found = read(&program()).unwrap().unwrap();
        assert_eq!(found.wide, cfg!(target_pointer_width = "64"));
        if cfg!(all(target_arch = "x86_64", target_env = "gnu", not(target_feature = "crt-static"))) {
            assert_eq!(found.machine, 62);
            assert!(found.needed.contains(&b"libc.so.6".to_vec()), "{found:?}");
            assert!(found.interpreter.unwrap().starts_with(b"/lib64/ld-linux"));
        }
    }

    #[test]
    fn other_files_are_none_and_stumps_are_errors() {
        assert!(read(&&b"#!/bin/sh\n"[..]).unwrap().is_none());
        assert!(read(&&b""[..]).unwrap().is_none());
        let head = ReadAt::part(&program(), 0, 4096).unwrap();
        for length in 4..64 {
            assert!(read(&&head[..length]).is_err(), "{length}");
        }
        if read(&program()).unwrap().unwrap().interpreter.is_some() {
            assert!(read(&&head[..]).is_err(), "its libraries are not known");
        }
    }

    /// A file with some bytes changed.
    struct Changed {
        file: File,
        bytes: std::collections::BTreeMap<u64, u8>,
        length: u64,
    }

    impl ReadAt for Changed {
        fn part(&self, offset: u64, size: u64) -> io::Result<Vec<u8>> {
            let size = size.min(self.length.saturating_sub(offset));
            let mut read = self.file.part(offset, size)?;
            for (at, byte) in self.bytes.range(offset..offset.saturating_add(read.len() as u64)) {
                read[usize::try_from(at - offset).expect("within")] = *byte;
            }
            Ok(read)
        }
    }

    /// Where in this program its dynamic section is.
    fn dynamic_offset() -> u64 {
        let head = program().part(0, 4096).expect("this program");
        let header = FileHeader64::<Endianness>::parse(&head[..]).expect("of 64 bits");
        let endian = header.endian().expect("an order");
        let mut segments = header.program_headers(endian, &head[..]).expect("segments").iter();
        segments
            .find(|segment| segment.p_type(endian) == elf::PT_DYNAMIC)
            .map_or(0, |segment| segment.p_offset(endian))
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            header in prop::collection::btree_map(0_u64..1024, any::<u8>(), 0..6),
            section in prop::collection::btree_map(0_u64..512, any::<u8>(), 0..20),
            cut in prop::option::of(any::<prop::sample::Index>()),
        ) {
            let file = program();
            let length = file.metadata().expect("stat").len();
            let length = cut.map_or(length, |cut| cut.index(usize::try_from(length).expect("fits")) as u64);
            let start = dynamic_offset();
            let mut bytes = header;
            bytes.extend(section.into_iter().map(|(at, byte)| (start + at, byte)));
            if let Ok(Some(found)) = read(&Changed { file, bytes, length }) {
                prop_assert!(found.needed.iter().all(|name| name.len() < 4096));
            }
        }
    }
}
