//! What is printed is read back as the same, and nothing makes a parser panic.

use cofferdam_image_spec::{
    Descriptor, Digest, Document, ImageConfig, Index, Manifest, MediaType, Platform, Reference,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn references_of_the_grammar_are_read_and_printed(
        domain in "(|localhost/|[a-zA-Z0-9]{1,5}(\\.[a-z0-9]([a-z0-9-]{0,4}[a-z0-9])?){1,3}(:[0-9]{1,4})?/|\\[::[0-9a-f]{1,4}\\](:[0-9]{1,4})?/)",
        path in "[a-z0-9]{1,6}((_|__|-{1,3})[a-z0-9]{1,4}){0,2}(/[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,3}){0,3}",
        tag in "(|:[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,20})",
        digest in prop::option::of(any::<[u8; 4]>()),
    ) {
        let digest = digest.map(|bytes| format!("@{}", Digest::sha256(&bytes))).unwrap_or_default();
        let text = format!("{domain}{path}{tag}{digest}");
        let reference: Reference = text.parse().unwrap();
        prop_assert_eq!(&reference.to_string().parse::<Reference>().unwrap(), &reference);
        prop_assert_eq!(&reference.familiar().parse::<Reference>().unwrap(), &reference);
        prop_assert!(reference.tag().is_some() || reference.digest().is_some());
    }

    #[test]
    fn any_text_is_a_reference_or_refused(text in "([a-zA-Z0-9:/@._\\[\\]-]{0,40}|\\PC{0,40})") {
        if let Ok(reference) = text.parse::<Reference>() {
            prop_assert!(reference.path().split('/').all(|part| !matches!(part, "" | "." | "..")));
            prop_assert_eq!(&reference.to_string().parse::<Reference>().unwrap(), &reference);
            prop_assert_eq!(&reference.familiar().parse::<Reference>().unwrap(), &reference);
        }
    }

    #[test]
    fn any_text_is_a_platform_or_refused(text in "([a-z0-9_/.-]{0,20}|\\PC{0,20}|linux/(arm|arm64|amd64)/v[0-9.]{0,6})") {
        if let Ok(platform) = text.parse::<Platform>() {
            prop_assert_eq!(&platform.to_string().parse::<Platform>().unwrap(), &platform);
            prop_assert!(platform.matches(&platform));
        }
    }

    #[test]
    fn any_text_is_a_digest_or_refused(text in "(sha256:[0-9a-f]{62,66}|[a-z0-9:]{0,80}|\\PC{0,80})") {
        if let Ok(digest) = text.parse::<Digest>() {
            prop_assert_eq!(digest.to_string(), text);
        }
    }

    #[test]
    fn manifests_are_read_back(
        blobs in prop::collection::vec((any::<[u8; 4]>(), 0..1u64 << 63), 1..5),
        annotations in prop::collection::btree_map("\\PC{0,8}", "\\PC{0,8}", 0..4),
        data in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
    ) {
        let layers = blobs.iter().map(|(bytes, size)| Descriptor::new(MediaType::OCI_LAYER, Digest::sha256(bytes), *size));
        let mut config = Descriptor::of(MediaType::OCI_CONFIG, data.as_deref().unwrap_or_default());
        config.data = data;
        let mut manifest = Manifest::new(config, layers.collect());
        manifest.annotations = annotations;
        let document = Document::new(&manifest).unwrap();
        prop_assert_eq!(document.value(), &manifest);
        let again = Document::<Manifest>::parse(document.bytes().to_vec(), &document.descriptor()).unwrap();
        prop_assert_eq!(again, document);
    }

    #[test]
    fn bytes_that_were_changed_are_refused_or_read(
        kind in 0..3usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let config = ImageConfig::new(Platform::new("linux", "amd64"), vec![Digest::sha256(b"x")]);
        let blob = Descriptor::of(MediaType::OCI_CONFIG, b"x");
        let manifest = Manifest::new(blob.clone(), vec![blob.clone()]);
        let mut bytes = match kind {
            0 => Document::new(&manifest).unwrap().bytes().to_vec(),
            1 => Document::new(&Index::new(vec![blob])).unwrap().bytes().to_vec(),
            _ => Document::new(&config).unwrap().bytes().to_vec(),
        };
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let what = bytes.clone();
        if let Ok(document) = Document::<Manifest>::from_bytes(MediaType::OCI_MANIFEST, bytes.clone()) {
            prop_assert_eq!(document.bytes(), &what);
            prop_assert_eq!(&Document::new(document.value()).unwrap().into_value(), document.value());
        }
        if let Ok(document) = Document::<Index>::from_bytes(MediaType::OCI_INDEX, bytes.clone()) {
            prop_assert_eq!(&Document::new(document.value()).unwrap().into_value(), document.value());
        }
        if let Ok(document) = Document::<ImageConfig>::from_bytes(MediaType::OCI_CONFIG, bytes) {
            prop_assert_eq!(&Document::new(document.value()).unwrap().into_value(), document.value());
        }
    }
}
