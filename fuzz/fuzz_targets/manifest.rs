//! Manifests, indexes and configs: no bytes make a reader panic; bytes stay as they were; what is understood can be
//! written, and says the same then. An image that is found is complete.
//!
//! The input is a config, a manifest and an index with a byte 255 between them, any of which may be missing. As nobody
//! guesses a digest, `"@0"` and `"@1"` stand for the descriptors of the config and of the manifest.
#![no_main]

use cofferdam_image_spec::{
    Content, Descriptor, Document, ImageConfig, Index, Manifest, MemorySource, Platform, resolve_image,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    understood::<ImageConfig>(bytes);
    understood::<Manifest>(bytes);
    understood::<Index>(bytes);

    let mut source = MemorySource::new();
    let mut made: Vec<Descriptor> = Vec::new();
    let kinds = [ImageConfig::MEDIA_TYPE, Manifest::MEDIA_TYPE, Index::MEDIA_TYPE];
    for (part, kind) in bytes.split(|byte| *byte == 255).zip(kinds) {
        let mut text = String::from_utf8_lossy(part).into_owned();
        for (at, descriptor) in made.iter().enumerate() {
            let (kind, digest, size) = (&descriptor.media_type, &descriptor.digest, descriptor.size);
            let json = format!(r#"{{"mediaType":"{kind}","digest":"{digest}","size":{size}}}"#);
            let platform = r#","platform":{"architecture":"amd64","os":"linux"}}"#;
            text = text.replace(&format!(r#""@{at}+""#), &json.replace('}', platform));
            text = text.replace(&format!(r#""@{at}""#), &json);
        }
        made.push(source.add(kind, text));
    }
    for descriptor in &made {
        if let Ok(image) = resolve_image(&source, descriptor, &Platform::new("linux", "amd64")) {
            assert!(!image.layers.is_empty());
            assert_eq!(image.layers.len(), image.config.value().rootfs.diff_ids.len());
            assert!(image.layers.iter().all(|layer| layer.descriptor.media_type.is_layer()));
            assert_eq!(image.config.value().platform.os.to_lowercase(), "linux");
        }
    }
});

fn understood<T: Content + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    let Ok(document) = Document::<T>::from_bytes(T::MEDIA_TYPE, bytes.to_vec()) else { return };
    assert_eq!(document.bytes(), bytes);
    let again = Document::new(document.value());
    assert_eq!(again.as_ref().ok().map(Document::value), Some(document.value()));
    let parsed = Document::<T>::parse(bytes.to_vec(), &document.descriptor());
    assert_eq!(parsed.as_ref().ok(), Some(&document));
}
