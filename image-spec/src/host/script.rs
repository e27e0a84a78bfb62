//! The first line of scripts (execve(2) "Interpreter scripts").

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// How much of a file the kernel looks at.
pub(super) const HEAD: u64 = 256;

/// What runs a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    pub(super) interpreter: OsString,
    /// What `env` runs, if that is the interpreter.
    pub(super) program: Option<OsString>,
}

/// What a file that begins so is run by. `None` if it is no script.
pub(super) fn parse(head: &[u8]) -> Option<Script> {
    let line = head.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let mut words =
        line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\0')).filter(|word| !word.is_empty());
    let interpreter = OsStr::from_bytes(words.next()?).to_owned();
    let env = interpreter == "env" || interpreter.as_bytes().ends_with(b"/env");
    // Options and variables come before the program, as in `env -S LANG=C perl`.
    let program = words.find(|word| !word.starts_with(b"-") && !word.contains(&b'=')).filter(|_| env);
    let program = program.map(|word| OsStr::from_bytes(word).to_owned());
    Some(Script { interpreter, program })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interpreters_and_what_env_runs_are_found() {
        for (line, interpreter, program) in [
            ("#!/bin/sh", "/bin/sh", None),
            ("#! /bin/sh -e\nenv", "/bin/sh", None),
            ("#!/usr/bin/env python3\r\n", "/usr/bin/env", Some("python3")),
            ("#!/usr/bin/env -S LANG=C perl -w\n", "/usr/bin/env", Some("perl")),
        ] {
            let script = parse(line.as_bytes()).unwrap();
            assert_eq!(
                (script.interpreter, script.program),
                (interpreter.into(), program.map(Into::into)),
                "{line}"
            );
        }
        for other in ["", "#", "#!", "#! \n/bin/sh", "/bin/sh"] {
            assert_eq!(parse(other.as_bytes()), None, "{other}");
        }
    }
}
