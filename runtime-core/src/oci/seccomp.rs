//! The listener of a seccomp filter that notifies.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use oci_spec::runtime::Spec;
use serde::Serialize;

use super::{Error, Result, State, sockets};

/// What the runtime-spec has sent along with the listener.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ContainerProcessState<'a> {
    oci_version: &'a str,
    fds: [&'static str; 1],
    pid: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    metadata: &'a str,
    state: &'a State,
}

/// Gives the listener to whom the configuration names; it comes back if it names nobody.
pub(super) fn hand_over(spec: &Spec, listener: OwnedFd, pid: u32, state: &State) -> Result<Option<OwnedFd>> {
    let seccomp = spec.linux().as_ref().and_then(|linux| linux.seccomp().as_ref());
    let Some(path) = seccomp.and_then(|seccomp| seccomp.listener_path().as_ref()) else {
        return Ok(Some(listener));
    };
    let metadata = seccomp.and_then(|seccomp| seccomp.listener_metadata().as_deref());
    let message = ContainerProcessState {
        oci_version: &state.oci_version,
        fds: ["seccompFd"],
        pid,
        metadata: metadata.unwrap_or_default(),
        state,
    };
    let path: &Path = path.as_ref();
    let bytes = serde_json::to_vec(&message)
        .map_err(|error| Error::State { path: path.to_owned(), reason: error.to_string() })?;
    sockets::send_to("seccomp listener", path, &bytes, listener.as_fd())?;
    Ok(None)
}
