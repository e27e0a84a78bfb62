//! Sources whose content is not what they promise: nothing of it is kept.

use cofferdam_image_spec::{Descriptor, Digest, Error, MediaType, Result};

use crate::fixture::{Place, inner, layer, options, source};
use crate::places::{Image, Tar, gzip};

/// Imports with one blob replaced, and expects that nothing is left of it.
fn refused(image: &Image, digest: &Digest, content: Vec<u8>, unpack: bool) -> Error {
    let place = Place::new();
    let before = place.names();
    let mut lying = source(image);
    lying.insert(digest.clone(), content);
    let result: Result<_> = place.store.import(&lying, &image.top, Some("x"), &options().unpack(unpack));
    let error = inner(result.expect_err("this is refused"));
    assert_eq!(place.names(), before, "after {error}");
    assert!(place.store.images().expect("images").is_empty());
    error
}

fn three() -> Image {
    Image::new(&[layer(1, 2, 1000), layer(2, 2, 1000), layer(3, 2, 1000)])
}

/// The layers of an image, which is the only document that names them.
fn layers(image: &Image) -> Vec<Descriptor> {
    let manifest = image.json(&image.top.digest);
    serde_json::from_value(manifest["layers"].clone()).expect("descriptors")
}

#[test]
fn other_content_of_the_same_length() {
    let image = three();
    for unpack in [true, false] {
        for layer in layers(&image) {
            let mut content = image.blobs[&layer.digest].clone();
            // In the header, where decompression does not see it: the time.
            content[4] ^= 1;
            let error = refused(&image, &layer.digest, content, unpack);
            assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
        }
    }
}

#[test]
fn longer_and_shorter_content() {
    let image = three();
    for unpack in [true, false] {
        for layer in layers(&image) {
            let mut content = image.blobs[&layer.digest].clone();
            content.push(0);
            let error = refused(&image, &layer.digest, content.clone(), unpack);
            assert!(matches!(error, Error::SizeMismatch { .. }), "{error}");
            content.truncate(content.len() / 2);
            refused(&image, &layer.digest, content, unpack);
            refused(&image, &layer.digest, Vec::new(), unpack);
        }
    }
}

#[test]
fn documents_that_are_not_theirs() {
    let image = three();
    let config: Descriptor = serde_json::from_value(image.json(&image.top.digest)["config"].clone()).unwrap();
    for digest in [&config.digest, &image.top.digest] {
        let mut content = image.blobs[digest].clone();
        let last = content.len() - 1;
        content[last] = b' ';
        assert!(matches!(refused(&image, digest, content, true), Error::DigestMismatch { .. }));
    }
}

#[test]
fn a_blob_that_is_not_there() {
    let mut image = three();
    let last = layers(&image).remove(2);
    image.blobs.remove(&last.digest);
    let place = Place::new();
    let before = place.names();
    let error = inner(place.import(&image, "x").unwrap_err());
    assert!(matches!(error, Error::Missing { what: "blob", .. }), "{error}");
    assert_eq!(place.names(), before);
}

#[test]
fn archives_that_are_not_those_of_the_config() {
    let good = [layer(1, 2, 100), layer(2, 2, 100)];
    let image = Image::of(&good, MediaType::OCI_LAYER_GZIP, gzip, "amd64");
    // The blobs are as the manifest says, but the second archive is another than the config says.
    let other = gzip(&layer(9, 2, 100));
    let other_layer = Descriptor::of(MediaType::OCI_LAYER_GZIP, &other);
    let mut manifest = image.json(&image.top.digest);
    manifest["layers"][1] = serde_json::to_value(&other_layer).unwrap();
    let manifest = manifest.to_string().into_bytes();
    let top = Descriptor::of(MediaType::OCI_MANIFEST, &manifest);
    let mut lying = image;
    lying.blobs.extend([(other_layer.digest, other), (top.digest.clone(), manifest)]);
    lying.top = top;
    let place = Place::new();
    let before = place.names();
    let error = inner(place.import(&lying, "x").unwrap_err());
    assert!(matches!(error, Error::DigestMismatch { what: "diff id", .. }), "{error}");
    assert_eq!(place.names(), before);
}

#[test]
fn layers_that_want_to_get_out() {
    let place = Place::new();
    let before = place.names();
    let out = Image::new(&[layer(1, 1, 10), Tar::default().file("../../out", b"x").end()]);
    place.import(&out, "x").unwrap_err();
    assert_eq!(place.names(), before);
}
