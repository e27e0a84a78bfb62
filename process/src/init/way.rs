//! A path that is gone component by component, as the kernel goes it, but so that what is missing can be made on the way.

use super::sys::{self, checked, fd, nr};

/// The longest path, with its NUL.
const LONGEST: usize = 4096;

/// How many links a path may have.
const MOST_LINKS: u32 = 40;

/// A path in a root.
pub(super) struct Way {
    /// What was gone already, with a NUL, relative to the root and without links: `.`, `./usr`, `./usr/lib`.
    gone: [u8; LONGEST],
    /// Its length.
    length: usize,
    /// The length before the component that was entered last.
    before: usize,
    /// What is left, at the end of the buffer.
    left: [u8; LONGEST],
    /// Where that begins.
    start: usize,
    /// Where the link leads that was read last.
    link: [u8; LONGEST],
    /// The length of that.
    link_length: usize,
    links: u32,
}

impl Way {
    /// A path with its NUL.
    pub(super) fn new(path: &[u8]) -> Result<Self, i32> {
        let mut way = Self {
            gone: [0; LONGEST],
            length: 0,
            before: 0,
            left: [0; LONGEST],
            start: LONGEST,
            link: [0; LONGEST],
            link_length: 0,
            links: 0,
        };
        way.restart();
        way.prepend(path.strip_suffix(&[0]).unwrap_or(path))?;
        Ok(way)
    }

    fn restart(&mut self) {
        self.gone[0] = b'.';
        self.gone[1] = 0;
        self.length = 1;
        self.before = 1;
    }

    /// Puts a path before what is left.
    fn prepend(&mut self, path: &[u8]) -> Result<(), i32> {
        let start = self.start.checked_sub(path.len() + 1).ok_or(sys::ENAMETOOLONG)?;
        let (head, tail) = self.left.split_at_mut_checked(start + path.len()).ok_or(sys::ENAMETOOLONG)?;
        head.get_mut(start..).ok_or(sys::ENAMETOOLONG)?.copy_from_slice(path);
        *tail.first_mut().ok_or(sys::ENAMETOOLONG)? = b'/';
        self.start = start;
        Ok(())
    }

    /// Takes the next component that has a name; whether there is one.
    pub(super) fn enter(&mut self) -> Result<bool, i32> {
        loop {
            let left = self.left.get(self.start..).unwrap_or_default();
            let Some(first) = left.iter().position(|byte| *byte != b'/') else { return Ok(false) };
            let length = left.iter().skip(first).position(|byte| *byte == b'/').unwrap_or(left.len() - first);
            let from = self.start + first;
            self.start = from + length;
            match self.left.get(from..self.start).unwrap_or_default() {
                b"." => {}
                b".." => self.leave(),
                _ => {
                    self.before = self.length;
                    return self.append(from).map(|()| true);
                }
            }
        }
    }

    /// One up; above the root there is nothing.
    fn leave(&mut self) {
        let gone = self.gone.get(..self.length).unwrap_or_default();
        self.cut(gone.iter().rposition(|byte| *byte == b'/').unwrap_or(1));
    }

    fn cut(&mut self, length: usize) {
        self.length = length;
        if let Some(end) = self.gone.get_mut(length) {
            *end = 0;
        }
    }

    /// Appends a component of what was left.
    fn append(&mut self, from: usize) -> Result<(), i32> {
        let name = self.left.get(from..self.start).unwrap_or_default();
        let end = self.length + 1 + name.len();
        let place = self.gone.get_mut(self.length..=end).ok_or(sys::ENAMETOOLONG)?;
        if let [slash, middle @ .., nul] = place {
            *slash = b'/';
            middle.copy_from_slice(name);
            *nul = 0;
        }
        self.length = end;
        Ok(())
    }

    /// Whether nothing is left.
    pub(super) fn is_last(&self) -> bool {
        self.left.get(self.start..).unwrap_or_default().iter().all(|byte| *byte == b'/')
    }

    /// The address of the path so far.
    pub(super) fn path(&self) -> usize {
        self.gone.as_ptr() as usize
    }

    /// The address of the path to the directory of the component that was entered last, until [`name`](Self::name) is asked.
    pub(super) fn parent(&mut self) -> usize {
        if let Some(slash) = self.gone.get_mut(self.before) {
            *slash = 0;
        }
        self.path()
    }

    /// The address of the name of the component that was entered last.
    pub(super) fn name(&mut self) -> usize {
        if let Some(slash) = self.gone.get_mut(self.before) {
            *slash = b'/';
        }
        self.path() + self.before + 1
    }

    /// Whether that component is a link, in the directory that it was found in. Then it is known where that leads.
    pub(super) fn read_link(&mut self, parent: i32) -> Result<bool, i32> {
        let name = self.name();
        let arguments = [fd(parent), name, self.link.as_mut_ptr() as usize, self.link.len(), 0, 0];
        // SAFETY: the name is a string with its NUL; the kernel writes at most the length of the buffer.
        match unsafe { checked(nr::READLINKAT, arguments) } {
            Ok(length) if length < self.link.len() => {
                self.link_length = length;
                Ok(true)
            }
            Ok(_) => Err(sys::ENAMETOOLONG),
            Err(sys::EINVAL) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// Goes on where the link leads that was read.
    pub(super) fn follow(&mut self) -> Result<(), i32> {
        self.links += 1;
        if self.links > MOST_LINKS {
            return Err(sys::ELOOP);
        }
        let link = self.link;
        let path = link.get(..self.link_length).unwrap_or_default();
        match path.first() {
            Some(b'/') => self.restart(),
            _ => self.cut(self.before),
        }
        self.prepend(path)
    }
}
