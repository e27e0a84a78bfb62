//! The terminal of a program in the foreground: what is typed here goes there, what it writes comes here.

mod bridge;
mod host;
mod output;

pub use bridge::Bridge;
pub use host::size;
