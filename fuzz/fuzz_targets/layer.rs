//! Layers: no bytes make the unpacker panic, nothing is made or changed beside the target, and nothing is left in it of
//! a layer that is refused.
#![no_main]

use std::fs;
use std::os::fd::AsFd;

use cofferdam_image_spec::{Descriptor, Form, Ids, Limits, MediaType, OverlayXattrs, Unpack};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((first, archive)) = bytes.split_first() else { return };
    let place = tempfile::tempdir().expect("temporary directory");
    let (target, beside) = (place.path().join("target"), place.path().join("beside"));
    fs::create_dir(&target).expect("target");
    fs::write(&beside, "kept").expect("beside");
    let form = if first % 2 == 0 { Form::Plain } else { Form::Overlay(OverlayXattrs::User) };
    let limits = Limits { bytes: 16 << 20, file_bytes: 1 << 20, entries: 100, ..Limits::default() };
    let descriptor = Descriptor::of(MediaType::OCI_LAYER, archive);
    let root = fs::File::open(&target).expect("target");
    let unpack = Unpack::new(form).ids(Ids::Squash).limits(limits);
    let result = unpack.layer(archive, &descriptor, None, root.as_fd(), &|_| ());
    if result.is_err() {
        assert_eq!(fs::read_dir(&target).expect("target").count(), 0);
    }
    assert_eq!(fs::read_to_string(&beside).expect("beside"), "kept");
    assert_eq!(fs::read_dir(place.path()).expect("place").count(), 2);
});
