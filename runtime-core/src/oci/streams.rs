//! The standard streams of a program in a container.

use std::os::fd::AsFd;

use crate::prepare::{Input, Prepared};
use crate::start::Streams;
use crate::stdio::Stream;
use crate::{PlanStdio, Stdio};

/// What the caller gave.
#[derive(Debug)]
pub(super) struct Given {
    streams: [Stream; 3],
}

const NAMES: [&str; 3] = ["standard input", "standard output", "standard error"];

impl Given {
    pub(super) fn new(stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Self {
        Self { streams: [stdin.0, stdout.0, stderr.0] }
    }

    /// As a plan has them; a descriptor is filled in later.
    pub(super) fn planned(&self) -> Streams {
        let planned = |index: usize| match self.streams[index] {
            Stream::Inherit => PlanStdio::Inherit,
            Stream::Null | Stream::Descriptor(_) => PlanStdio::Null,
            Stream::Pipe => PlanStdio::Pipe,
        };
        Streams { stdin: planned(0), stdout: planned(1), stderr: planned(2) }
    }

    /// Fills descriptors in, where the plan has not a terminal instead.
    pub(super) fn fill<'a>(&'a self, prepared: &mut Prepared<'a>) {
        for (index, stream) in self.streams.iter().enumerate() {
            let plan = &mut prepared.plan;
            let Stream::Descriptor(fd) = stream else { continue };
            let planned = [plan.stdin, plan.stdout, plan.stderr].get(index).copied();
            if planned != Some(PlanStdio::Null) {
                continue;
            }
            let slot = PlanStdio::Descriptor(plan.input(NAMES[index]));
            prepared.inputs.push(Input::Borrowed(fd.as_fd()));
            match index {
                0 => plan.stdin = slot,
                1 => plan.stdout = slot,
                _ => plan.stderr = slot,
            }
        }
    }
}
