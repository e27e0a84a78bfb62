//! The handover: what happens between the hold and the program.

use std::os::fd::BorrowedFd;

use cofferdam_process::Hold;

use super::{Request, filter, point};
use crate::Step;
use crate::oci::Result;
use crate::prepare::Draft;

/// Further descriptors, the hold, and after the start the meeting for hooks.
pub(super) fn handover<'a>(draft: &mut Draft<'a>, request: &Request<'a>) -> Result<()> {
    pass(draft, &request.passed);
    // Without a program there is nothing to find, and nothing that a start could do.
    draft.plan.find_program = request.spec.process().is_some();
    draft.plan.hold = Some(match request.listener {
        Some(listener) => Hold::Listener(draft.input("the socket for the start", listener)),
        None => Hold::Caller,
    });
    let hooks = request.spec.hooks().as_ref();
    let hooks = hooks.and_then(|hooks| hooks.start_container().as_deref()).unwrap_or_default();
    if !hooks.is_empty() {
        draft.plan.last.push(Step::Sync { point: point::STARTED, send: Vec::new(), receive: Vec::new() });
    }
    filter::load(draft, request.spec.process().as_ref(), request.spec.linux().as_ref())
}

/// Further descriptors for the program.
pub(super) fn pass<'a>(draft: &mut Draft<'a>, passed: &[BorrowedFd<'a>]) {
    for (number, fd) in (3..).zip(passed) {
        let slot = draft.input(format!("passed descriptor {number}"), *fd);
        draft.plan.pass.push((slot, number));
    }
}
