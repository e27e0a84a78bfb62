//! Seccomp profiles compiled to BPF in pure Rust, with user notification.
