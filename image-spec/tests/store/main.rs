//! The store: images kept on disk, by several processes that may be killed.

#[path = "../places/mod.rs"]
mod places;

mod basics;
mod child;
mod containers;
mod crash;
mod damage;
mod fixture;
mod full;
mod garbage;
mod lying;
mod together;
