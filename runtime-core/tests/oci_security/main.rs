//! What has gone wrong in other runtimes, and what a hostile root, a wrong configuration and a host that runs short of
//! something could do. Each test of a public weakness has its number in its name; SECURITY.md lists all of them.
#![cfg(feature = "oci")]
#![allow(clippy::unwrap_used, reason = "tests share what they do with roots")]

#[path = "../common/mod.rs"]
mod common;

mod calls;
mod directory;
mod entering;
mod fixture;
mod identity;
mod joined;
mod kernel;
mod killed;
mod lengths;
mod lent;
mod names;
mod paths;
mod program;
mod races;
mod shortage;
mod values;
