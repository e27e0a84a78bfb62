//! Configurations of containers: no bytes make reading or checking them panic, an error is one line, and what is taken is
//! read back as the same.
#![no_main]

use cofferdam::oci::{Config, to_json, validate, validate_process, validate_resources};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    match Config::from_slice(bytes) {
        Ok(spec) => {
            if let Err(error) = validate(&spec) {
                one_line(&error.to_string());
            }
            let text = to_json(&spec).expect("what was read can be written");
            let again = Config::from_slice(text.as_bytes()).expect("what was written can be read");
            assert_eq!(to_json(&again).ok(), Some(text));
        }
        Err(error) => one_line(&error.to_string()),
    }
    if let Ok(process) = Config::process_from_slice(bytes) {
        drop(validate_process(&process));
    }
    if let Ok(resources) = Config::resources_from_slice(bytes) {
        drop(validate_resources(&resources));
    }
});

fn one_line(text: &str) {
    assert!(text.starts_with("config.json: ") && !text.contains(char::is_control), "{text:?}");
}
