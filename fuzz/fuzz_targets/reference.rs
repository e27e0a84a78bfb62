//! References, platforms and digests: no text makes a parser panic, and what is taken is read back as the same.
#![no_main]

use cofferdam_image_spec::{Digest, Platform, Reference};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(reference) = text.parse::<Reference>() {
        assert_eq!(reference.to_string().parse::<Reference>().as_ref().ok(), Some(&reference));
        assert_eq!(reference.familiar().parse::<Reference>().as_ref().ok(), Some(&reference));
        assert!(reference.name().len() <= 255);
        assert!(reference.path().split('/').all(|part| !matches!(part, "" | "." | "..")));
        assert!(reference.tag().is_some() || reference.digest().is_some());
        let canonical = reference.canonical();
        assert!(canonical.tag().is_none() || canonical.digest().is_none());
    }
    if let Ok(platform) = text.parse::<Platform>() {
        assert_eq!(platform.to_string().parse::<Platform>().as_ref().ok(), Some(&platform));
        assert!(platform.matches(&platform));
    }
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
        assert!(!digest.hex().contains(['/', '.']));
    }
});
