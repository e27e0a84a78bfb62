//! The types of other crates, in and out.

mod oci;
