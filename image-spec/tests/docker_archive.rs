//! Archives of Docker's form, read.

mod places;

use cofferdam_image_spec::{Descriptor, Digest, DockerArchive, Error, MediaType, Source};
use places::{Image, Tar, gzip, only, read, told, written, zstd};
use serde_json::{Value, json};
use tempfile::tempdir;

fn layer(content: &[u8]) -> Vec<u8> {
    Tar::default().file("file", content).end()
}

fn config(layers: &[&[u8]]) -> Vec<u8> {
    let diff_ids: Vec<_> = layers.iter().map(|layer| Digest::sha256(layer)).collect();
    let config =
        json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
    config.to_string().into_bytes()
}

fn list(items: Value) -> Vec<u8> {
    items.to_string().into_bytes()
}

#[test]
fn images_are_found_by_their_names() {
    let (one, two) = (layer(b"one"), layer(b"two"));
    let (first, second) = (config(&[&one]), config(&[&one, &two]));
    let bytes = Tar::default()
        .directory("abc/")
        .file("abc/VERSION", b"1.0")
        .file("abc/layer.tar", &one)
        .symlink("def/layer.tar", "../abc/layer.tar")
        .link("ghi.tar", "two.tar")
        .file("two.tar", &two)
        .file("first.json", &first)
        .file("second.json", &second)
        .file("repositories", b"{}")
        .file(
            "manifest.json",
            &list(json!([
                {"Config": "first.json", "RepoTags": ["a:1", "a:latest"], "Layers": ["abc/layer.tar"]},
                {"Config": "second.json", "RepoTags": null, "Layers": ["def/layer.tar", "ghi.tar"]},
            ])),
        )
        .end();
    let directory = tempdir().unwrap();
    let archive = DockerArchive::open(written(directory.path(), "a.tar", &bytes)).unwrap();
    let offers = archive.offers().unwrap();
    let found: Vec<_> = offers.iter().map(|offer| offer.name.as_deref()).collect();
    assert_eq!(found, [Some("a:1"), Some("a:latest"), None]);
    let manifest: Value = serde_json::from_slice(&read(&archive, &offers[2].descriptor).unwrap()).unwrap();
    assert_eq!(manifest["config"]["digest"], Digest::sha256(&second).to_string());
    for (entry, content) in manifest["layers"].as_array().unwrap().iter().zip([&one, &two]) {
        let descriptor: Descriptor = serde_json::from_value(entry.clone()).unwrap();
        assert_eq!(descriptor, Descriptor::of(MediaType::OCI_LAYER, content));
        assert_eq!(read(&archive, &descriptor).unwrap(), *content);
    }
}

#[test]
fn layers_that_are_compressed_keep_their_form() {
    let directory = tempdir().unwrap();
    let plain = layer(b"content");
    for (compressed, media_type) in
        [(gzip(&plain), MediaType::OCI_LAYER_GZIP), (zstd(&plain), MediaType::OCI_LAYER_ZSTD)]
    {
        let tar = Tar::default().file("c", &config(&[&plain])).file("l", &compressed);
        let items = list(json!([{"Config": "c", "RepoTags": ["x"], "Layers": ["l"]}]));
        let path = written(directory.path(), "a", &gzip(&tar.clone().file("manifest.json", &items).end()));
        let archive = DockerArchive::open(path).unwrap();
        let manifest = read(&archive, &only(&archive).descriptor).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let descriptor: Descriptor = serde_json::from_value(manifest["layers"][0].clone()).unwrap();
        assert_eq!(descriptor, Descriptor::of(media_type, &compressed));
        assert_eq!(read(&archive, &descriptor).unwrap(), compressed);
    }
}

#[test]
fn a_compressed_layer_must_be_what_the_config_says() {
    let tar = Tar::default().file("c", &config(&[&layer(b"one")])).file("l", &gzip(&layer(b"two")));
    let items = list(json!([{"Config": "c", "Layers": ["l"]}]));
    let directory = tempdir().unwrap();
    let path = written(directory.path(), "a", &tar.file("manifest.json", &items).end());
    assert!(matches!(told(DockerArchive::open(path)).0, Error::DigestMismatch { what: "diff id", .. }));
}

#[test]
fn an_archive_that_is_a_layout_too_is_read_by_its_list() {
    let image = Image::small();
    let config = image.json(&image.top.digest)["config"]["digest"].as_str().unwrap().parse().unwrap();
    let manifest = image.json(&image.top.digest);
    let layers: Vec<_> =
        manifest["layers"].as_array().unwrap().iter().map(|layer| &layer["digest"]).collect();
    let path = |digest: &Value| format!("blobs/{}", digest.as_str().unwrap().replace(':', "/"));
    let layers: Vec<_> = layers.into_iter().map(path).collect();
    let items = json!([{"Config": places::blob(&config), "RepoTags": ["x:y"], "Layers": layers}]);
    let bytes = image.archive("other").file("manifest.json", &list(items)).end();
    let directory = tempdir().unwrap();
    let archive = DockerArchive::open(written(directory.path(), "a", &bytes)).unwrap();
    let offer = only(&archive);
    assert_eq!(offer.name.as_deref(), Some("x:y"));
    let made: Value = serde_json::from_slice(&read(&archive, &offer.descriptor).unwrap()).unwrap();
    assert_eq!((&made["config"], &made["layers"]), (&manifest["config"], &manifest["layers"]));
}

#[test]
fn archives_that_no_tool_writes_are_refused() {
    let content = layer(b"one");
    let good = || Tar::default().file("c", &config(&[&content])).file("l", &content);
    let item = json!([{"Config": "c", "Layers": ["l"]}]);
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let list = |items: Value| good().file("manifest.json", &list(items));
    let layer = |tar: Tar, name: &str| {
        tar.file("manifest.json", json!([{"Config": "c", "Layers": [name]}]).to_string().as_bytes())
    };
    let configured = |content: &[u8]| {
        let tar = good().file("b", content);
        tar.file("manifest.json", json!([{"Config": "b", "Layers": ["l"]}]).to_string().as_bytes())
    };
    let cases: Vec<(&str, Tar)> = vec![
        ("no list", good()),
        ("list is not JSON", good().file("manifest.json", b"[{")),
        ("list is deep", good().file("manifest.json", deep.as_bytes())),
        ("list is long", good().file("manifest.json", &vec![b' '; 5 << 20])),
        ("list is an object", good().file("manifest.json", b"{}")),
        ("no config", list(json!([{"Config": "x", "Layers": ["l"]}]))),
        ("config outside", list(json!([{"Config": "../c", "Layers": ["l"]}]))),
        ("config absolute", list(json!([{"Config": "/etc/passwd"}]))),
        ("config is no config", list(json!([{"Config": "l", "Layers": ["l"]}]))),
        ("too few layers", list(json!([{"Config": "c", "Layers": []}]))),
        ("too many layers", list(json!([{"Config": "c", "Layers": ["l", "l"]}]))),
        ("no layer", layer(good(), "m")),
        ("layer is a directory", layer(good().directory("d"), "d")),
        ("layer leads outside", layer(good().symlink("s", "../../l"), "s")),
        ("links in a circle", layer(good().symlink("s", "t").symlink("t", "s"), "s")),
        ("bad digest in config", configured(br#"{"rootfs":{"diff_ids":["sha256:../../x"]}}"#)),
        ("config is long", configured(&vec![b' '; 9 << 20])),
        ("list twice", list(item.clone()).file("manifest.json", b"[]")),
    ];
    let directory = tempdir().unwrap();
    for (case, tar) in cases {
        let (_, text) = told(DockerArchive::open(written(directory.path(), "a", &tar.end())));
        assert!(!text.is_empty(), "{case}");
    }
    let path = written(directory.path(), "a", &list(item).end());
    assert_eq!(only(&DockerArchive::open(path).unwrap()).name, None);
}
