//! The floor: the kernel work of a spawn as straight-line raw system calls, with nothing around it.
//!
//! The child is made by `clone3` in the caller's memory (no page tables are copied), on a stack that is mapped once, with
//! all signals blocked. It does its mounts and gives up its rights by inline system calls and executes the program.
//! The parent writes the id maps meanwhile, and waits. The same line serves the subject `fork`, where the child is a
//! copy of the caller, and starts the peers' programs, so that these pay nothing for the bench.

mod calls;
mod cell;
mod child;
mod clone;
mod launch;
mod maps;
mod sandbox;
mod wait;

pub use launch::{Fence, Launch, Launcher, Memory};
