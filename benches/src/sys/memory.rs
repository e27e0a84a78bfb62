//! Anonymous memory: the child's stack, the cell it shares with the parent, and the ballast of a large parent.

use std::io;
use std::ptr::{self, NonNull};

/// Page size that the touching assumes; a smaller step than the real one is only slower.
const PAGE: usize = 4096;

/// Who sees what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// A forked child gets a copy.
    Private,
    /// A forked child shares it.
    Shared,
}

/// An anonymous mapping, unmapped when dropped.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone and is not tied to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps `len` bytes of zeros.
    pub(crate) fn new(len: usize, sharing: Sharing) -> io::Result<Mapping> {
        let sharing = match sharing {
            Sharing::Private => libc::MAP_PRIVATE,
            Sharing::Shared => libc::MAP_SHARED,
        };
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, sharing | libc::MAP_ANONYMOUS);
        // SAFETY: a fresh anonymous mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, access, flags, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or_else(|| io::Error::from(io::ErrorKind::OutOfMemory))?;
        Ok(Mapping { start, len })
    }

    /// Makes the lowest page inaccessible, so that a stack that overflows faults.
    pub(crate) fn guard(&mut self) -> io::Result<()> {
        // SAFETY: the page lies in this mapping, to which no reference exists.
        match unsafe { libc::mprotect(self.start.as_ptr().cast(), PAGE, libc::PROT_NONE) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Pages of the base size only, as a heap that grew bit by bit has them.
    pub(crate) fn small_pages(&mut self) -> io::Result<()> {
        // SAFETY: advice about this mapping only; it changes no content.
        if unsafe { libc::madvise(self.start.as_ptr().cast(), self.len, libc::MADV_NOHUGEPAGE) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        // EINVAL: a kernel without transparent huge pages, which is what is wanted.
        if error.raw_os_error() == Some(libc::EINVAL) { Ok(()) } else { Err(error) }
    }

    /// Writes to each page of a part of the mapping.
    pub(crate) fn touch(&mut self, part: std::ops::Range<usize>) {
        for offset in (part.start..part.end.min(self.len)).step_by(PAGE) {
            // SAFETY: the offset is below the length, and the mapping is writable.
            unsafe { self.start.add(offset).write_volatile(1) };
        }
    }

    /// The lowest address.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and whoever got its address from `start` borrowed this value.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}
