//! The child as futures, over tokio.
