//! The program in memory, and its bytes.

use std::os::fd::RawFd;

use super::Label;
use crate::Error;
use crate::init::format::{
    self, ARGUMENT, HEADER, MAGIC, MAX_PROGRAM, MAX_SLOTS, NONE, OPERATION, VERSION, kind, patch,
};
use crate::init::format::{LAST_WORD, last_word};

/// An operation of the init.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    pub(crate) code: u16,
    pub(crate) number: u32,
    pub(crate) out: Option<u32>,
    pub(crate) tolerate: u32,
    pub(crate) flags: u32,
    pub(crate) values: Vec<Value>,
}

/// An argument of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// A number.
    Number(u64),
    /// The descriptor in a slot.
    Slot(u32),
    /// A pointer to bytes.
    Bytes(Vec<u8>),
    /// A pointer to bytes in which fields are filled in.
    Structure { bytes: Vec<u8>, patches: Vec<Patch> },
}

/// A field that is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patch {
    /// Its offset in the structure.
    pub(crate) offset: u32,
    /// What goes there.
    pub(crate) content: Content,
}

/// What is filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// The descriptor in a slot, 4 bytes.
    Slot(u32),
    /// A pointer to an offset in the same structure's bytes, 8 bytes.
    Pointer(u32),
}

impl Operation {
    /// An operation without arguments.
    pub(crate) fn new(code: u16) -> Self {
        Self { code, number: 0, out: None, tolerate: 0, flags: 0, values: Vec::new() }
    }

    /// A system call.
    pub(crate) fn call(number: libc::c_long, values: impl IntoIterator<Item = Value>) -> Self {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        Self { number, values: values.into_iter().collect(), ..Self::new(format::code::CALL) }
    }

    /// Keeps the result in a slot.
    pub(crate) fn out(mut self, slot: u32) -> Self {
        self.out = Some(slot);
        self
    }

    /// An errno that counts as success.
    pub(crate) fn tolerate(mut self, errno: i32) -> Self {
        self.tolerate = errno.unsigned_abs();
        self
    }

    /// Sets flags.
    pub(crate) fn flags(mut self, flags: u32) -> Self {
        self.flags = flags;
        self
    }

    /// Adds an argument.
    pub(crate) fn value(mut self, value: Value) -> Self {
        self.values.push(value);
        self
    }

    /// Adds bytes.
    pub(crate) fn bytes(self, bytes: Vec<u8>) -> Self {
        self.value(Value::Bytes(bytes))
    }
}

/// A program and where its operations come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// The operations.
    pub(crate) operations: Vec<Operation>,
    /// For each operation, the part of the plan.
    pub(crate) labels: Vec<Label>,
    /// How many slots are used.
    pub(crate) slots: u32,
}

impl Program {
    /// The first operation with a code.
    pub(crate) fn position(&self, code: u16) -> Option<usize> {
        self.operations.iter().position(|operation| operation.code == code)
    }

    /// The bytes for the init, with the numbers of the given descriptors.
    pub(crate) fn to_bytes(&self, given: &[RawFd]) -> Result<Vec<u8>, Error> {
        if self.slots as usize > MAX_SLOTS {
            return Err(too_large("needs more than 1024 descriptors at a time"));
        }
        let mut bytes = Vec::with_capacity(8192);
        for word in [
            MAGIC,
            VERSION,
            0,
            length(self.operations.len())?,
            self.slots,
            length(given.len())?,
            last_word::MESSAGE,
            0,
        ] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        debug_assert_eq!(bytes.len(), HEADER);
        given.iter().for_each(|number| bytes.extend_from_slice(&number.to_ne_bytes()));
        pad(&mut bytes);
        for operation in &self.operations {
            write_operation(&mut bytes, operation)?;
        }
        let size = length(bytes.len())?;
        bytes[8..12].copy_from_slice(&size.to_ne_bytes());
        Ok(bytes)
    }
}

/// Makes a program that is sent in one packet the last word as well.
pub(crate) fn make_last_word(bytes: &mut [u8]) {
    bytes[LAST_WORD..LAST_WORD + 4].copy_from_slice(&last_word::PROGRAM.to_ne_bytes());
}

fn write_operation(bytes: &mut Vec<u8>, operation: &Operation) -> Result<(), Error> {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&operation.code.to_ne_bytes());
    let count = u16::try_from(operation.values.len()).map_err(|_| too_large("has too many arguments"))?;
    bytes.extend_from_slice(&count.to_ne_bytes());
    for word in [operation.number, operation.out.unwrap_or(NONE), operation.tolerate, operation.flags] {
        bytes.extend_from_slice(&word.to_ne_bytes());
    }
    debug_assert_eq!(bytes.len() - start, OPERATION);
    for value in &operation.values {
        write_value(bytes, value)?;
    }
    let size = length(bytes.len() - start)?;
    bytes[start..start + 4].copy_from_slice(&size.to_ne_bytes());
    Ok(())
}

fn write_value(bytes: &mut Vec<u8>, value: &Value) -> Result<(), Error> {
    let (kind, payload, number): (u32, &[u8], u64) = match value {
        Value::Number(number) => (kind::NUMBER, &[], *number),
        Value::Slot(slot) => (kind::SLOT, &[], u64::from(*slot)),
        Value::Bytes(payload) => (kind::BYTES, payload, 0),
        Value::Structure { bytes: payload, patches } => (kind::STRUCTURE, payload, patches.len() as u64),
    };
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&length(payload.len())?.to_ne_bytes());
    bytes.extend_from_slice(&number.to_ne_bytes());
    let start = bytes.len() as u64;
    bytes.extend_from_slice(payload);
    pad(bytes);
    if let Value::Structure { patches, .. } = value {
        for field in patches {
            let (kind, content) = match field.content {
                Content::Slot(slot) => (patch::SLOT, u64::from(slot)),
                Content::Pointer(offset) => (patch::POINTER, start + u64::from(offset)),
            };
            bytes.extend_from_slice(&field.offset.to_ne_bytes());
            bytes.extend_from_slice(&kind.to_ne_bytes());
            bytes.extend_from_slice(&content.to_ne_bytes());
        }
        debug_assert_eq!(ARGUMENT, 16);
    }
    Ok(())
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(format::padded(bytes.len()), 0);
}

fn length(length: usize) -> Result<u32, Error> {
    u32::try_from(length)
        .ok()
        .filter(|_| length <= MAX_PROGRAM)
        .ok_or_else(|| too_large("is larger than 16 MiB, arguments and environment included"))
}

fn too_large(reason: &'static str) -> Error {
    Error::Invalid { what: "plan", value: String::new(), reason }
}

/// The operations and given descriptors of a program, by the init's own decoder.
#[cfg(test)]
pub(crate) fn decode(bytes: &[u8]) -> Result<(Vec<Operation>, Vec<RawFd>), format::Malformed> {
    let header = format::check(bytes)?;
    let number = |index: usize| format::u32_at(bytes, HEADER + index * 4).map(u32::cast_signed);
    let given = (0..header.given).map(number).collect::<Result<_, _>>()?;
    let mut operations = Vec::new();
    let mut at = header.first;
    for _ in 0..header.operations {
        let operation = format::operation(bytes, at, header.slots)?;
        at = operation.next;
        let values = operation.arguments[..operation.count].iter();
        operations.push(Operation {
            code: operation.code,
            number: operation.number,
            out: Some(operation.out).filter(|out| *out != NONE),
            tolerate: operation.tolerate,
            flags: operation.flags,
            values: values
                .map(|argument| decode_value(bytes, argument, header.slots))
                .collect::<Result<_, _>>()?,
        });
    }
    Ok((operations, given))
}

#[cfg(test)]
fn decode_value(bytes: &[u8], argument: &format::Argument, slots: u32) -> Result<Value, format::Malformed> {
    let payload = bytes[argument.start..argument.start + argument.len].to_vec();
    let small = |value: usize| u32::try_from(value).map_err(|_| format::Malformed);
    Ok(match argument.kind {
        kind::NUMBER => Value::Number(argument.value),
        kind::SLOT => Value::Slot(u32::try_from(argument.value).map_err(|_| format::Malformed)?),
        kind::BYTES => Value::Bytes(payload),
        _ => {
            let mut patches = Vec::new();
            for index in 0..usize::try_from(argument.value).map_err(|_| format::Malformed)? {
                let (at, kind, value) = format::patch(bytes, argument, index, slots)?;
                let content = match kind {
                    patch::SLOT => Content::Slot(small(value)?),
                    _ => Content::Pointer(small(value - argument.start)?),
                };
                patches.push(Patch { offset: small(at - argument.start)?, content });
            }
            Value::Structure { bytes: payload, patches }
        }
    })
}

/// Any operation on up to 16 slots.
#[cfg(test)]
pub(crate) fn arbitrary_operation() -> impl proptest::strategy::Strategy<Value = Operation> {
    use proptest::prelude::*;
    let bytes = || proptest::collection::vec(any::<u8>(), 0..40);
    let patch = prop_oneof![
        (0..12_u32, 0..16_u32).prop_map(|(offset, slot)| Patch { offset, content: Content::Slot(slot) }),
        (0..8_u32, 0..16_u32).prop_map(|(offset, to)| Patch { offset, content: Content::Pointer(to) }),
    ];
    let structure = (proptest::collection::vec(any::<u8>(), 16..40), proptest::collection::vec(patch, 0..4));
    let value = prop_oneof![
        any::<u64>().prop_map(Value::Number),
        (0..16_u32).prop_map(Value::Slot),
        bytes().prop_map(Value::Bytes),
        structure.prop_map(|(bytes, patches)| Value::Structure { bytes, patches }),
    ];
    let flags = (0..256_u32, 0..=16_u32).prop_map(|(flags, close)| flags | close << format::flag::CLOSE);
    let words = (1..=format::code::LAST, any::<u32>(), proptest::option::of(0..16_u32), any::<u32>(), flags);
    (words, proptest::collection::vec(value, 0..=6)).prop_map(
        |((code, number, out, tolerate, flags), values)| Operation {
            code,
            number,
            out,
            tolerate,
            flags,
            values,
        },
    )
}
