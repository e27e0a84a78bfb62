//! The seccomp section of a configuration: nothing makes reading or compiling it panic, an error is one line, and a filter
//! decides about calls as its profile says.
#![no_main]

// The machine for BPF and the meaning of profiles that the tests of the crate have.
#[path = "../../seccomp/tests/common/mod.rs"]
mod common;

use cofferdam_seccomp::{Action, Profile};
use common::{Meaning, interesting_calls, run};
use libfuzzer_sys::fuzz_target;
use oci_spec::runtime::LinuxSeccomp;

/// Not all calls of interest, or inputs would take too long.
const EACH: usize = 13;

fuzz_target!(|bytes: &[u8]| {
    let Ok(section) = serde_json::from_slice::<LinuxSeccomp>(bytes) else { return };
    let profile = match Profile::from_oci(&section) {
        Ok(profile) => profile,
        Err(error) => return one_line(&error.to_string()),
    };
    let filter = match profile.compile() {
        Ok(filter) => filter,
        Err(error) => return one_line(&error.to_string()),
    };
    let meaning = Meaning::new(&profile);
    for call in interesting_calls(&profile).iter().step_by(EACH) {
        let (code, _) = run(filter.instructions(), call);
        assert_eq!(Action::from_code(code), Some(meaning.of(call)), "{call:x?}");
    }
    assert_eq!(filter.explain().to_string().lines().count(), filter.len());
});

fn one_line(text: &str) {
    assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
}
