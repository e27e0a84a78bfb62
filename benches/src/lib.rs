//! How long it takes to start an isolated process and see it end.
//!
//! `cargo bench -p cofferdam-benches --bench spawn` runs every subject (the hand-written floor, the library, plain
//! `fork`, `std::process::Command` and the installed peers) interleaved in one run and prints the ratios. The
//! README of this crate says what each case does and by which rules the comparison is fair.
//!
//! Only x86-64 is supported: the floor's entry and the workload are machine code. Elsewhere the crate is empty.

#![cfg(target_arch = "x86_64")]
#![deny(unsafe_code)]

/// The examples of the project's README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}

pub mod args;
mod bench;
pub mod case;
pub mod cgroup;
mod compare;
pub mod error;
pub mod flags;
#[allow(unsafe_code)]
pub mod floor;
mod json;
mod marks;
pub mod mount;
pub mod oci;
pub mod outcome;
pub mod peers;
mod plot;
pub mod probe;
mod report;
mod sample;
mod session;
mod setting;
pub mod spawn;
pub mod stage;
mod stats;
pub mod subjects;
#[allow(unsafe_code)]
mod sys;
mod threads;
pub mod unpack;
pub mod workload;

pub use error::Error;
