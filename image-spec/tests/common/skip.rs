//! What is said of a test that cannot run here.

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
