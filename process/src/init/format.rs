//! The format of the program that the init carries out, and its decoder.
//!
//! A program is a header, the numbers of the descriptors that it is given, and a list of operations. All integers
//! are in native byte order (both sides run on one machine); everything starts at a multiple of 8. An operation
//! has up to six arguments: numbers, slots of the descriptor table, byte strings, or structures whose fields are
//! filled in with descriptors or pointers. The decoder looks at every byte that it uses and never panics.

/// First word of a program.
pub(crate) const MAGIC: u32 = u32::from_ne_bytes(*b"COFF");
/// Version of the format; both sides are always built together.
pub(crate) const VERSION: u32 = 1;
/// Bytes before the list of given descriptors.
pub(crate) const HEADER: usize = 32;
/// Where the header says how the last word is given.
pub(crate) const LAST_WORD: usize = 24;
/// Bytes of an operation before its arguments.
pub(crate) const OPERATION: usize = 24;
/// Bytes of an argument before its payload, and of a patch.
pub(crate) const ARGUMENT: usize = 16;
/// Most arguments of an operation, as of a system call.
pub(crate) const MAX_ARGUMENTS: usize = 6;
/// Most descriptors that a program can hold at a time.
pub(crate) const MAX_SLOTS: usize = 1024;
/// Largest program: the kernel's limit on arguments and environment is of this order.
pub(crate) const MAX_PROGRAM: usize = 16 << 20;
/// "No slot" in an operation's result, and "no operation" in a message.
pub(crate) const NONE: u32 = u32::MAX;
/// The operation number of failures outside any operation.
pub(crate) const NO_OPERATION: u32 = u32::MAX;

/// Operation codes.
pub(crate) mod code {
    /// One system call: number and arguments.
    pub(crate) const CALL: u16 = 1;
    /// Make sure a mount target exists in a root: root, path, kind, like.
    pub(crate) const TARGET: u16 = 2;
    /// Check an inode: descriptor, expectation.
    pub(crate) const VERIFY: u16 = 3;
    /// Meet the caller: slots to send, slots to receive.
    pub(crate) const SYNC: u16 = 4;
    /// Go on in a second process.
    pub(crate) const FORK: u16 = 5;
    /// Stay as process 1; the rest is done by a child.
    pub(crate) const STAY: u16 = 6;
    /// Check that the working directory lies in the root.
    pub(crate) const CWD: u16 = 7;
    /// Default action for all signals.
    pub(crate) const SIGNALS: u16 = 8;
    /// Put descriptors at their final numbers and close all others: pairs of slot and number, slots that stay open.
    pub(crate) const PLACE: u16 = 9;
    /// Become the program: candidate paths, arguments, environment.
    pub(crate) const EXEC: u16 = 10;
    /// Drop capabilities from the bounding set: those to keep. The number is the highest.
    pub(crate) const BOUNDING: u16 = 11;
    /// Look for the program: candidate paths.
    pub(crate) const FIND: u16 = 12;
    /// Report that everything is set up, and wait for the word to go on; with a listener, over a connection to it.
    pub(crate) const HOLD: u16 = 13;
    /// Take the last word already, as what follows may forbid it.
    pub(crate) const TAKE: u16 = 14;
    /// The highest code.
    pub(crate) const LAST: u16 = TAKE;
}

/// Kinds of arguments.
pub(crate) mod kind {
    /// A number.
    pub(crate) const NUMBER: u32 = 0;
    /// A slot: the descriptor in it.
    pub(crate) const SLOT: u32 = 1;
    /// A pointer to bytes.
    pub(crate) const BYTES: u32 = 2;
    /// A pointer to bytes that are patched first.
    pub(crate) const STRUCTURE: u32 = 3;
}

/// Kinds of patches.
pub(crate) mod patch {
    /// A slot's descriptor, 4 bytes.
    pub(crate) const SLOT: u32 = 0;
    /// A pointer to an offset in the program, 8 bytes.
    pub(crate) const POINTER: u32 = 1;
}

/// Flags of operations.
pub(crate) mod flag {
    /// Repeat a call that answers `EAGAIN`, within bounds.
    pub(crate) const RETRY: u32 = 1;
    /// A meeting of which the caller knows already: only wait.
    pub(crate) const SILENT: u32 = 1;
    /// From this bit on: one more than the slot to close when the operation has succeeded, or zero.
    pub(crate) const CLOSE: u32 = 8;
    /// The bits of that.
    pub(crate) const CLOSE_MASK: u32 = 0xfff;
    /// From this bit on: how many of the operations that follow are left out if this one fails as it may.
    pub(crate) const SKIP: u32 = 20;
    /// The most that can be left out.
    pub(crate) const MAX_SKIP: u32 = 0xfff;
}

/// The operation number for the exec of the init itself.
pub(crate) const STUB: u32 = u32::MAX - 1;

/// The operation number for namespaces that are entered before it.
pub(crate) const LATE: u32 = u32::MAX - 2;

/// What is wrong with a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The header, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Number of operations.
    pub(crate) operations: u32,
    /// Number of slots.
    pub(crate) slots: u32,
    /// Number of given descriptors, which fill the first slots.
    pub(crate) given: usize,
    /// Offset of the first operation.
    pub(crate) first: usize,
}

/// One argument, decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Argument {
    /// One of [`kind`].
    pub(crate) kind: u32,
    /// The number, the slot, or the number of patches.
    pub(crate) value: u64,
    /// Offset of the payload in the program.
    pub(crate) start: usize,
    /// Length of the payload.
    pub(crate) len: usize,
}

impl Argument {
    /// Offset of the patches.
    pub(crate) fn patches(&self) -> usize {
        self.start + padded(self.len)
    }
}

/// One operation, decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// One of [`code`].
    pub(crate) code: u16,
    /// The system call's number, or what the code makes of it.
    pub(crate) number: u32,
    /// The slot for the result, or [`NONE`].
    pub(crate) out: u32,
    /// An errno that counts as success, or zero.
    pub(crate) tolerate: u32,
    /// Bits of [`flag`].
    pub(crate) flags: u32,
    /// Number of arguments.
    pub(crate) count: usize,
    /// The arguments; the rest is zero.
    pub(crate) arguments: [Argument; MAX_ARGUMENTS],
    /// Offset of the operation after it.
    pub(crate) next: usize,
}

/// The length with padding to a multiple of 8.
pub(crate) const fn padded(len: usize) -> usize {
    (len + 7) & !7
}

/// A 16-bit number at an offset.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Malformed> {
    match bytes.get(at..at.wrapping_add(2)) {
        Some(&[a, b]) => Ok(u16::from_ne_bytes([a, b])),
        _ => Err(Malformed),
    }
}

/// A 32-bit number at an offset.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Malformed> {
    match bytes.get(at..at.wrapping_add(4)) {
        Some(&[a, b, c, d]) => Ok(u32::from_ne_bytes([a, b, c, d])),
        _ => Err(Malformed),
    }
}

/// A 64-bit number at an offset.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Result<u64, Malformed> {
    match bytes.get(at..at.wrapping_add(8)) {
        Some(&[a, b, c, d, e, f, g, h]) => Ok(u64::from_ne_bytes([a, b, c, d, e, f, g, h])),
        _ => Err(Malformed),
    }
}

/// How the caller gives its last word: become the program. It is given ahead of time and taken right before the exec. A
/// process that ends earlier leaves it unread, which the caller sees as a connection reset; so nobody has to be woken just
/// to hear that all is well so far.
pub(crate) mod last_word {
    /// In a message of its own.
    pub(crate) const MESSAGE: u32 = 0;
    /// By the packet of the program itself, which is only looked at until then.
    pub(crate) const PROGRAM: u32 = 1;
}

/// Whether the packet of the program is the last word.
pub(crate) fn is_last_word(start: &[u8]) -> bool {
    u32_at(start, LAST_WORD) == Ok(last_word::PROGRAM)
}

/// The size of the whole program, from its first bytes.
pub(crate) fn size(start: &[u8]) -> Result<usize, Malformed> {
    let size = u32_at(start, 8)? as usize;
    let valid = u32_at(start, 0)? == MAGIC && u32_at(start, 4)? == VERSION;
    if valid && (HEADER..=MAX_PROGRAM).contains(&size) { Ok(size) } else { Err(Malformed) }
}

/// Decodes the header.
pub(crate) fn header(program: &[u8]) -> Result<Header, Malformed> {
    let given = u32_at(program, 20)? as usize;
    let slots = u32_at(program, 16)?;
    if size(program)? != program.len() || slots as usize > MAX_SLOTS || given > slots as usize {
        return Err(Malformed);
    }
    let first = HEADER + padded(given * 4);
    if first > program.len() {
        return Err(Malformed);
    }
    Ok(Header { operations: u32_at(program, 12)?, slots, given, first })
}

/// Decodes the operation at an offset.
pub(crate) fn operation(program: &[u8], at: usize, slots: u32) -> Result<Operation, Malformed> {
    let size = u32_at(program, at)? as usize;
    let next = at
        .checked_add(size)
        .filter(|next| *next <= program.len() && size.is_multiple_of(8))
        .ok_or(Malformed)?;
    let code = u16_at(program, at + 4)?;
    let count = usize::from(u16_at(program, at + 6)?);
    let out = u32_at(program, at + 12)?;
    if size < OPERATION
        || code == 0
        || code > code::LAST
        || count > MAX_ARGUMENTS
        || (out != NONE && out >= slots)
    {
        return Err(Malformed);
    }
    let bytes = program.get(..next).ok_or(Malformed)?;
    let mut arguments = [Argument::default(); MAX_ARGUMENTS];
    let mut position = at + OPERATION;
    for argument in arguments.iter_mut().take(count) {
        *argument = self::argument(bytes, position, slots)?;
        position = argument.end()?;
    }
    if position != next {
        return Err(Malformed);
    }
    let (number, tolerate, flags) =
        (u32_at(program, at + 8)?, u32_at(program, at + 16)?, u32_at(program, at + 20)?);
    if flags >> flag::CLOSE & flag::CLOSE_MASK > slots {
        return Err(Malformed);
    }
    Ok(Operation { code, number, out, tolerate, flags, count, arguments, next })
}

impl Argument {
    /// Offset of what follows the argument.
    fn end(&self) -> Result<usize, Malformed> {
        let patches = if self.kind == kind::STRUCTURE { self.value as usize * ARGUMENT } else { 0 };
        self.patches().checked_add(patches).ok_or(Malformed)
    }
}

fn argument(bytes: &[u8], at: usize, slots: u32) -> Result<Argument, Malformed> {
    let (kind, len) = (u32_at(bytes, at)?, u32_at(bytes, at + 4)? as usize);
    let argument = Argument { kind, value: u64_at(bytes, at + 8)?, start: at + ARGUMENT, len };
    let plain = match kind {
        kind::NUMBER => len == 0,
        kind::SLOT => len == 0 && argument.value < u64::from(slots),
        kind::BYTES => argument.value == 0,
        kind::STRUCTURE => argument.value <= (MAX_PROGRAM / ARGUMENT) as u64,
        _ => false,
    };
    if !plain || len > MAX_PROGRAM || argument.end()? > bytes.len() {
        return Err(Malformed);
    }
    if kind == kind::STRUCTURE {
        for index in 0..argument.value as usize {
            patch(bytes, &argument, index, slots)?;
        }
    }
    Ok(argument)
}

/// A patch, decoded: where in the program it goes, its kind, and its value.
pub(crate) fn patch(
    bytes: &[u8],
    argument: &Argument,
    index: usize,
    slots: u32,
) -> Result<(usize, u32, usize), Malformed> {
    let at = argument.patches() + index * ARGUMENT;
    let (offset, kind) = (u32_at(bytes, at)? as usize, u32_at(bytes, at + 4)?);
    let value = u64_at(bytes, at + 8)?;
    let (width, valid) = match kind {
        patch::SLOT => (4, value < u64::from(slots)),
        patch::POINTER => (8, value < bytes.len() as u64),
        _ => return Err(Malformed),
    };
    if valid && offset.checked_add(width).is_some_and(|end| end <= argument.len) {
        Ok((argument.start + offset, kind, value as usize))
    } else {
        Err(Malformed)
    }
}

/// Looks at the whole program: header and every operation.
pub(crate) fn check(program: &[u8]) -> Result<Header, Malformed> {
    let header = header(program)?;
    let mut at = header.first;
    for _ in 0..header.operations {
        at = operation(program, at, header.slots)?.next;
    }
    if at == program.len() { Ok(header) } else { Err(Malformed) }
}
