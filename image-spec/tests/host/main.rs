//! Images made from the files of a host: what is in them, and that they run.

mod made_up;
mod real;
#[path = "../common/skip.rs"]
mod skip;
mod support;
