//! What the tests share: a machine for classic BPF, and what a profile means, written down a second time.
#![allow(dead_code, unused_macros, unused_imports, reason = "each test binary uses a part of this")]

mod machine;
mod meaning;

pub use machine::{Call, run};
pub use meaning::{Meaning, interesting_calls, is_multiplexed};

/// Ends the test with a printed reason; fails instead where everything is required.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        let reason = format!($($reason)*);
        assert!(std::env::var_os("REQUIRE_ALL").is_none_or(|v| v != "1"), "required, but {reason}");
        eprintln!("skipped: {reason}");
        return;
    }};
}
