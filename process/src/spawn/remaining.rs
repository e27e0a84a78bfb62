//! What is left to do for a process that is held, in words: for whoever starts it, perhaps much later.

use std::fmt::Write as _;

use super::conversation::Words;
use crate::encode::{Label, Part, Program};
use crate::init::format::code;
use crate::{Errno, Error, Plan};

/// The operations of a process that is held, from there to the exec: what [`resume`](crate::resume) needs to talk with
/// the process and to name what fails. It is a plain value that can be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// The program, for errors.
    program: String,
    /// How often the process is met.
    meetings: u32,
    /// The number of the first operation.
    first: u32,
    operations: Vec<Operation>,
}

/// An operation in words.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Operation {
    /// The exec of the program.
    Exec,
    /// Part of a step, or of what every plan ends with.
    Step { index: Option<usize>, call: Option<&'static str>, text: String },
}

/// The first line of the text.
const FIRST: &str = "cofferdam-remaining 1";

/// The calls that operations after the hold are labelled with.
const CALLS: [&str; 6] = ["clone3", "close", "openat2", "prctl", "rt_sigprocmask", "write"];

impl Remaining {
    /// What comes after an operation.
    pub(super) fn after(held: usize, program: &Program, plan: &Plan) -> Self {
        let left = program.labels.iter().skip(held + 1);
        let meetings =
            program.operations.iter().skip(held + 1).filter(|left| left.code == code::SYNC).count();
        Self {
            program: plan.program.to_string_lossy().into_owned(),
            meetings: u32::try_from(meetings).unwrap_or(u32::MAX),
            first: u32::try_from(held + 1).unwrap_or(u32::MAX),
            operations: left.map(|label| Operation::of(label, plan)).collect(),
        }
    }

    /// How often the process waits for a word before the last one.
    pub(super) fn meetings(&self) -> usize {
        self.meetings as usize
    }

    /// The value as lines of text, for a file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{FIRST}\nprogram {}\n", escaped(&self.program));
        let mut line = |line: std::fmt::Arguments<'_>| writeln!(text, "{line}").unwrap_or_default();
        line(format_args!("meetings {}", self.meetings));
        line(format_args!("first {}", self.first));
        for operation in &self.operations {
            match operation {
                Operation::Exec => line(format_args!("exec")),
                Operation::Step { index, call, text } => {
                    let index = index.map_or_else(|| "-".to_owned(), |index| index.to_string());
                    line(format_args!("step {index} {} {}", call.unwrap_or("-"), escaped(text)));
                }
            }
        }
        text
    }

    /// The value that [`to_text`](Self::to_text) wrote.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with the line that is no part of such a text.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let mut lines = text.lines();
        header(lines.next(), FIRST, |rest| rest.is_empty().then_some(()))?;
        Ok(Self {
            program: header(lines.next(), "program ", unescaped)?,
            meetings: header(lines.next(), "meetings ", |number| number.parse().ok())?,
            first: header(lines.next(), "first ", |number| number.parse().ok())?,
            operations: lines
                .map(|line| Operation::parse(line).ok_or_else(|| wrong(line)))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Words for Remaining {
    fn failure(&self, operation: u32, errno: Errno) -> Option<Error> {
        let index = usize::try_from(operation.checked_sub(self.first)?).ok()?;
        Some(match self.operations.get(index)? {
            Operation::Exec => Error::Exec { program: self.program.clone(), errno },
            Operation::Step { index, call, text } => {
                Error::Step { index: *index, step: text.clone(), call: *call, errno }
            }
        })
    }
}

impl Operation {
    fn of(label: &Label, plan: &Plan) -> Self {
        let step = |index, text| Self::Step { index, call: label.call, text };
        match label.part {
            Part::Exec => Self::Exec,
            Part::Frame(what) => step(None, what.to_owned()),
            Part::Step(index) => step(Some(index), plan.text(index)),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        if line == "exec" {
            return Some(Self::Exec);
        }
        let mut words = line.strip_prefix("step ")?.splitn(3, ' ');
        let index = match words.next()? {
            "-" => None,
            index => Some(index.parse().ok()?),
        };
        let call = match words.next()? {
            "-" => None,
            name => Some(CALLS.into_iter().find(|known| *known == name)?),
        };
        Some(Self::Step { index, call, text: unescaped(words.next()?)? })
    }
}

/// What a line at the beginning says.
fn header<T>(line: Option<&str>, name: &str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Error> {
    let line = line.unwrap_or_default();
    line.strip_prefix(name).and_then(parse).ok_or_else(|| wrong(line))
}

fn wrong(line: &str) -> Error {
    Error::Invalid {
        what: "line",
        value: line.to_owned(),
        reason: "does not belong to the remaining operations of a process that is held",
    }
}

/// Text on one line.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('\n', r"\n").replace('\r', r"\r")
}

fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        plain.push(match character {
            '\\' => match characters.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            other => other,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{Context, encode};
    use crate::{Hold, Location, RawCall, Step};
    use proptest::prelude::*;

    fn operation() -> impl Strategy<Value = Operation> {
        let call = proptest::option::of(proptest::sample::select(CALLS.to_vec()));
        let step = (proptest::option::of(any::<usize>()), call, any::<String>());
        prop_oneof![
            Just(Operation::Exec),
            step.prop_map(|(index, call, text)| Operation::Step { index, call, text }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            program in any::<String>(),
            (meetings, first) in any::<(u32, u32)>(),
            operations in proptest::collection::vec(operation(), 0..8),
        ) {
            let remaining = Remaining { program, meetings, first, operations };
            prop_assert_eq!(Remaining::from_text(&remaining.to_text()).unwrap(), remaining);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(cofferdam-remaining 1\n)?(program .*\n)?(meetings [0-9]{0,12}\n)?\\PC*") {
            if let Ok(remaining) = Remaining::from_text(&text) {
                prop_assert_eq!(Remaining::from_text(&remaining.to_text()).unwrap(), remaining);
            }
        }
    }

    #[test]
    fn every_operation_that_can_come_after_the_hold_is_written_and_read() {
        let mut plan = Plan::new("/bin/line\nbreak");
        let file = plan.input("file");
        (plan.hold, plan.stay_as_init) = (Some(Hold::Caller), true);
        let call = |number, name: &str| RawCall {
            name: name.into(),
            number: u32::try_from(number).unwrap(),
            arguments: Vec::new(),
            into: None,
            tolerate: None,
        };
        plan.last = vec![
            Step::Write { location: Location::path("/a b\\c\n"), content: b"x".to_vec() },
            Step::Sync { point: 1, send: Vec::new(), receive: Vec::new() },
            Step::Close(file),
            Step::NoNewPrivileges,
            Step::Call(call(libc::SYS_seccomp, "seccomp")),
            Step::Call(call(libc::SYS_getpid, "getpid")),
        ];
        let context = Context { last_capability: 40, raised: None };
        let program = encode(&plan, context).unwrap();
        let held = program.position(code::HOLD).unwrap();
        let remaining = Remaining::after(held, &program, &plan);
        assert_eq!(Remaining::from_text(&remaining.to_text()).unwrap(), remaining);
        assert_eq!(
            (remaining.meetings, remaining.operations.len()),
            (1, program.operations.len() - held - 1)
        );
        let error = |at: usize| {
            let operation = u32::try_from(held + 1 + at).unwrap();
            remaining.failure(operation, Errno::new(libc::EIO)).map(|error| error.to_string())
        };
        assert_eq!(error(0).unwrap(), "hand over to the program: EIO (Input/output error), by clone3");
        let last = remaining.operations.len() - 1;
        assert_eq!(error(last).unwrap(), "execute /bin/line\nbreak: EIO (Input/output error)");
        assert_eq!(error(last - 1).unwrap(), "call getpid: EIO (Input/output error)");
        assert_eq!(error(last + 1), None);
        assert!(remaining.failure(0, Errno::new(libc::EIO)).is_none());
    }

    #[test]
    fn a_line_that_does_not_belong_there_is_named() {
        let text = "cofferdam-remaining 1\nprogram /bin/sh\nmeetings 0\nfirst 7\nstep - reboot all\n";
        let error = Remaining::from_text(text).unwrap_err();
        let expected = "line \"step - reboot all\" does not belong to the remaining operations of a process that is held";
        assert_eq!(error.to_string(), expected);
        assert!(Remaining::from_text("").is_err());
        assert!(Remaining::from_text(&text.replace("remaining 1", "remaining 2")).is_err());
    }
}
