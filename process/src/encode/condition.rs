//! Steps that depend on what is there.
//!
//! The operation that looks may fail in one way, and then skips the operations that belong to the other case.

use super::builder::Builder;
use super::program::{Operation, Value};
use super::{files, lower as lower_step};
use crate::Error;
use crate::plan::{Expected, FileKind, Step, Test};

/// The test, what is done if it holds, and what is done otherwise.
pub(super) fn lower(
    builder: &mut Builder<'_>,
    index: usize,
    test: &Test,
    [then, otherwise]: [&[Step]; 2],
) -> Result<(), Error> {
    let before = std::mem::replace(&mut builder.nested, true);
    let at = builder.joint();
    match test {
        Test::Exists { location, how, into } => {
            let place = builder.location(location)?;
            let out = builder.slot(*into);
            files::open_if(builder, place, *how, out);
        }
        Test::IsDirectory(file) => {
            let expected = Expected { kind: Some(FileKind::Directory), ..Expected::default() };
            let operation = files::verify(builder.slot(*file), &expected);
            builder.push(operation.tolerate(libc::EINVAL), None);
        }
    }
    builder.joint();
    then.iter().try_for_each(|step| lower_step(builder, index, step))?;
    if !otherwise.is_empty() {
        // This one always fails, and so leaves out what follows.
        let jump = builder.joint();
        let never = Value::Number(u64::MAX);
        builder.push(Operation::call(libc::SYS_close, [never]).tolerate(libc::EBADF), Some("close"));
        builder.skip(at)?;
        otherwise.iter().try_for_each(|step| lower_step(builder, index, step))?;
        builder.skip(jump)?;
    } else {
        builder.skip(at)?;
    }
    builder.nested = before;
    Ok(())
}
