//! The handover: what happens at the start, between the hold and the program.

use super::{Request, point};
use crate::Step;
use crate::oci::{Error, Result};
use crate::prepare::Draft;

/// Further descriptors, and the meeting for hooks.
pub(super) fn handover<'a>(draft: &mut Draft<'a>, request: &Request<'a>) -> Result<()> {
    for (number, fd) in (3..).zip(&request.passed) {
        let slot = draft.input(format!("passed descriptor {number}"), *fd);
        draft.plan.pass.push((slot, number));
    }
    if request.spec.linux().as_ref().is_some_and(|linux| linux.seccomp().is_some()) {
        return Err(Error::config("linux.seccomp", "cannot be applied yet"));
    }
    let hooks = request.spec.hooks().as_ref();
    let hooks = hooks.and_then(|hooks| hooks.start_container().as_deref()).unwrap_or_default();
    if !hooks.is_empty() {
        draft.step(Step::Sync { point: point::STARTED, send: Vec::new(), receive: Vec::new() });
    }
    Ok(())
}
