//! Containers by the OCI runtime-spec: a configuration becomes a plan, a plan a container with a life cycle.

pub mod cgroup;
mod config;
mod container;
mod create;
mod default;
mod delete;
mod descriptors;
mod error;
pub mod events;
mod exec;
mod explain;
mod features;
mod hooks;
mod kill;
mod meetings;
pub mod netdevices;
mod notify;
mod options;
#[allow(dead_code, unused_imports, reason = "grows section by section")]
mod plan;
mod process;
pub mod rdt;
mod runtime;
mod seccomp;
mod sockets;
mod start;
mod state;
mod status;
mod streams;

pub use config::{Bundle, Config, Id, NotApplied, Report, validate, validate_process, validate_resources};
pub use container::Container;
pub use default::{default_spec, default_spec_rootless, to_json, write_spec};
pub use error::{Error, Result};
pub use features::features;
pub use oci_spec::runtime::Spec;
pub use options::{CreateOptions, ExecOptions};
pub use process::Process;
pub use runtime::{Listed, Runtime};
pub use status::{Details, State, Status};
