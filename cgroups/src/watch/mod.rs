//! Waiting for what happens to a cgroup.

mod counters;
mod event;
mod inotify;
mod open;
mod options;
mod poll;
mod pressure;
mod source;
#[cfg(feature = "tokio")]
mod tokio;
mod v1;

pub use event::{Count, Event, MemoryLevel, Scope};
pub use options::WatchOptions;
pub use poll::Watch;
pub use pressure::{Pressure, PressureKind, PressureResource};
#[cfg(feature = "tokio")]
pub use tokio::AsyncWatch;
