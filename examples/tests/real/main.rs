//! Real images, and what umoci and podman make of them.
//!
//! Ignored unless asked for, as they need the directory that `ci/images/make DIRECTORY` makes, and a minute or two:
//!
//!     COFFERDAM_TEST_IMAGES=DIRECTORY cargo test --release -p cofferdam-examples --test real -- --ignored

#[path = "../common/mod.rs"]
mod common;
mod compare;
mod crash;
mod ours;
mod peers;
mod rootless;
mod round;
mod same;
mod snapshot;
mod stored;
mod worker;

use std::path::PathBuf;

/// Where the images are, if they are.
fn images() -> Option<PathBuf> {
    let directory = std::env::var_os("COFFERDAM_TEST_IMAGES").map(PathBuf::from);
    directory.filter(|directory| directory.join("layout").is_dir())
}
