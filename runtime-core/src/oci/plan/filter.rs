//! The filter of system calls: the last that is done before the program is executed.

use cofferdam_process::Field;
use cofferdam_seccomp::{Action, Architecture, Filter, Profile};
use oci_spec::runtime::{Linux, LinuxSeccomp, Process};

use super::point;
use super::process::{capabilities_at_last, filters_by_right};
use crate::oci::{Error, Result};
use crate::prepare::Draft;
use crate::{Argument, RawCall, Slot, Step};

const PATH: &str = "linux.seccomp";

/// Loads the filter of the configuration, if it has one. By right of a capability, this is taken away afterwards.
pub(super) fn load(draft: &mut Draft<'_>, process: Option<&Process>, linux: Option<&Linux>) -> Result<()> {
    let (Some(process), Some(seccomp)) = (process, linux.and_then(|linux| linux.seccomp().as_ref())) else {
        return Ok(());
    };
    let filter = compile(seccomp)?;
    let by_right = filters_by_right(Some(process), linux);
    check(&filter, by_right)?;
    if filter.notifies() && seccomp.listener_path().as_ref().is_none_or(|path| path.as_os_str().is_empty()) {
        let reason = "is missing: there is a rule with SCMP_ACT_NOTIFY";
        return Err(Error::config("linux.seccomp.listenerPath", reason));
    }
    let listener = filter.notifies().then(|| draft.plan.slot("the listener of the filter"));
    draft.plan.last.push(call(&filter, listener));
    if let Some(listener) = listener {
        draft.plan.last.push(Step::Sync {
            point: point::LISTENER,
            send: vec![listener],
            receive: Vec::new(),
        });
        draft.plan.last.push(Step::Close(listener));
    }
    if by_right {
        draft.plan.last.push(capabilities_at_last(process)?);
    }
    Ok(())
}

fn compile(seccomp: &LinuxSeccomp) -> Result<Filter> {
    let compiled = Profile::from_oci(seccomp).and_then(|profile| profile.compile());
    compiled.map_err(|error| Error::config(PATH, error.to_string()))
}

fn call(filter: &Filter, listener: Option<Slot>) -> Step {
    const SECCOMP_SET_MODE_FILTER: u64 = 1;
    // struct sock_fprog: the number of instructions, and a pointer to them.
    let mut program = vec![0; 16];
    let length = u16::try_from(filter.len()).unwrap_or(u16::MAX);
    program[..2].copy_from_slice(&length.to_ne_bytes());
    let fields = vec![(8, Field::Pointer(filter.to_bytes()))];
    Step::Call(RawCall {
        name: format!("seccomp with a filter of {} instructions", filter.len()),
        number: u32::try_from(libc::SYS_seccomp).unwrap_or(0),
        arguments: vec![
            Argument::Number(SECCOMP_SET_MODE_FILTER),
            Argument::Number(u64::from(filter.flags())),
            Argument::Structure { bytes: program, fields },
        ],
        into: listener,
        tolerate: None,
    })
}

/// Refuses a filter under which the process could not become the program. The calls of the handover happen under the filter
/// already; nobody answers for those before the listener is handed over.
fn check(filter: &Filter, by_right: bool) -> Result<()> {
    let notifies = filter.notifies();
    let calls = [
        ("sendmsg", libc::SYS_sendmsg, notifies, false),
        ("recvmsg", libc::SYS_recvmsg, notifies, false),
        ("recvfrom", libc::SYS_recvfrom, notifies, false),
        ("close", libc::SYS_close, notifies, false),
        ("capset", libc::SYS_capset, by_right, false),
        ("execve", libc::SYS_execve, true, true),
    ];
    for (name, number, needed, may_notify) in calls {
        if !needed {
            continue;
        }
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let reason = match filter.decide(Architecture::NATIVE, number, [0; 6]) {
            Action::Allow | Action::Log => continue,
            Action::Notify if may_notify => continue,
            Action::Notify => "notifies of",
            _ => "does not allow",
        };
        return Err(Error::config(PATH, format!("{reason} {name}, which the start of the program needs")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_the_handover_cannot_pass_is_refused_by_name() {
        let refused = |profile: Profile, by_right| {
            check(&profile.compile().unwrap(), by_right).map_err(|error| error.to_string())
        };
        let without = |name| Profile::new(Action::Allow).rule(Action::Errno(1), [name]);
        let text = |reason: &str| {
            Err(format!("config.json: linux.seccomp: {reason}, which the start of the program needs"))
        };
        assert_eq!(refused(without("execve"), false), text("does not allow execve"));
        assert_eq!(refused(without("capset"), true), text("does not allow capset"));
        assert_eq!(refused(without("capset"), false), Ok(()));
        assert_eq!(refused(without("sendmsg"), false), Ok(()));
        let notifying = |names: [&'static str; 2]| Profile::new(Action::Allow).rule(Action::Notify, names);
        assert_eq!(refused(notifying(["mknod", "sendmsg"]), false), text("notifies of sendmsg"));
        assert_eq!(refused(notifying(["mknod", "execve"]), false), Ok(()));
    }
}
