//! Documents: what is taken, what is refused and why, and that bytes stay what they are.

#[path = "common/edited.rs"]
mod edited;

use cofferdam_image_spec::{
    Algorithm, Content, Descriptor, Digest, Document, Error, ImageConfig, Index, MAX_CONFIG, MAX_MANIFEST,
    Manifest, MediaType, Platform, chain_ids,
};
use edited::{and, with, without};
use serde_json::{Value, json};

fn blob(media_type: &str, content: &str) -> Descriptor {
    Descriptor::of(media_type, content.as_bytes())
}

fn manifest() -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MediaType::OCI_MANIFEST,
        "config": blob(MediaType::OCI_CONFIG, "config"),
        "layers": [blob(MediaType::OCI_LAYER_GZIP, "one"), blob(MediaType::OCI_LAYER, "two")],
    })
}

fn config() -> Value {
    json!({
        "architecture": "amd64",
        "os": "linux",
        "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(b"a"), Digest::sha256(b"b")] },
    })
}

fn read<T: Content>(text: impl AsRef<[u8]>) -> Result<Document<T>, Error> {
    Document::from_bytes(T::MEDIA_TYPE, text.as_ref().to_vec())
}

/// The message of what is refused.
fn refused<T: Content + std::fmt::Debug>(text: impl AsRef<[u8]>) -> String {
    read::<T>(text).expect_err("a document that is refused").to_string()
}

#[test]
fn bytes_stay_what_they_are() {
    let text = format!("  {}\n", and(manifest(), "com.example.unknown", json!({ "b": 1, "a": [null] })));
    let descriptor = Descriptor::of(MediaType::OCI_MANIFEST, text.as_bytes());
    let document = Document::<Manifest>::parse(text.clone().into_bytes(), &descriptor).unwrap();
    assert_eq!(document.bytes(), text.as_bytes());
    assert_eq!(document.descriptor(), descriptor);
    assert_eq!(document.digest(), &Digest::sha256(text.as_bytes()));
    assert_eq!(document.value().layers.len(), 2);
}

#[test]
fn a_digest_of_another_algorithm_stays_too() {
    let text = manifest().to_string().into_bytes();
    let digest = Digest::of(Algorithm::Sha512, &text);
    let descriptor = Descriptor::new(MediaType::OCI_MANIFEST, digest.clone(), text.len() as u64);
    assert_eq!(Document::<Manifest>::parse(text, &descriptor).unwrap().digest(), &digest);
}

#[test]
fn our_documents_are_sorted_compact_and_always_the_same() {
    let mut index = Index::new(vec![blob(MediaType::OCI_MANIFEST, "x")]);
    for key in ["z", "b", "a"] {
        index.annotations.insert(key.into(), "1".into());
    }
    let document = Document::new(&index).unwrap();
    let expected = format!(
        r#"{{"annotations":{{"a":"1","b":"1","z":"1"}},"manifests":[{{"digest":"{}","mediaType":"{}","size":1}}],"mediaType":"{}","schemaVersion":2}}"#,
        Digest::sha256(b"x"),
        MediaType::OCI_MANIFEST,
        MediaType::OCI_INDEX
    );
    assert_eq!(String::from_utf8_lossy(document.bytes()), expected);
    assert_eq!(document.value(), &index);

    let config = ImageConfig::new(Platform::new("linux", "arm64"), vec![Digest::sha256(b"a")]);
    let document = Document::new(&config).unwrap();
    let expected = format!(
        r#"{{"architecture":"arm64","config":{{}},"os":"linux","rootfs":{{"diff_ids":["{}"],"type":"layers"}}}}"#,
        Digest::sha256(b"a")
    );
    assert_eq!(String::from_utf8_lossy(document.bytes()), expected);
    assert_eq!(document.media_type().as_str(), MediaType::OCI_CONFIG);
}

#[test]
fn what_cannot_be_read_back_is_not_written() {
    let mut manifest = read::<Manifest>(manifest().to_string()).unwrap().into_value();
    manifest.annotations.insert("large".into(), "x".repeat(10 << 20));
    assert!(matches!(Document::new(&manifest), Err(Error::Limit { .. })));
    manifest.annotations.clear();
    manifest.media_type = Some("text/plain".into());
    assert!(matches!(Document::new(&manifest), Err(Error::Unsupported { .. })));
}

#[test]
fn a_document_is_what_its_descriptor_says() {
    let text = manifest().to_string().into_bytes();
    let right = Descriptor::of(MediaType::OCI_MANIFEST, &text);
    let parse = |descriptor: &Descriptor| Document::<Manifest>::parse(text.clone(), descriptor);

    let wrong = Descriptor::new(MediaType::OCI_MANIFEST, Digest::sha256(b"other"), right.size);
    assert!(matches!(parse(&wrong), Err(Error::DigestMismatch { found, .. }) if found == right.digest));
    for size in [0, right.size - 1, right.size + 1, u64::MAX] {
        let wrong = Descriptor::new(MediaType::OCI_MANIFEST, right.digest.clone(), size);
        assert!(matches!(parse(&wrong), Err(Error::SizeMismatch { expected, .. }) if expected == size));
    }
    let docker = Descriptor::of(MediaType::DOCKER_MANIFEST, &text);
    assert!(parse(&docker).unwrap_err().to_string().contains("is not the media type"));
    for other in [MediaType::OCI_INDEX, MediaType::OCI_CONFIG, "application/json", ""] {
        assert!(matches!(parse(&Descriptor::of(other, &text)), Err(Error::Unsupported { .. })), "{other}");
    }
}

#[test]
fn a_document_that_names_no_media_type_is_what_its_descriptor_says() {
    let text = without(manifest(), "mediaType").into_bytes();
    for media_type in [MediaType::OCI_MANIFEST, MediaType::DOCKER_MANIFEST] {
        let document = Document::<Manifest>::from_bytes(media_type, text.clone()).unwrap();
        assert_eq!(document.media_type().as_str(), media_type);
    }
}

#[test]
fn what_is_not_one_object_of_json_is_refused() {
    let good = manifest().to_string();
    let deep = |depth| and(manifest(), "x", serde_json::from_str(&nested(depth)).expect("JSON"));
    assert!(read::<Manifest>(deep(100)).is_ok());
    let too_deep = good.replacen('{', &format!(r#"{{"x":{},"#, nested(130)), 1);
    let nul = good.replacen('{', "{\"a\0b\":1,", 1);
    let endless = format!(r#"{{"x":{}"#, "[".repeat(1 << 20));
    let cases: [(&[u8], &str); 13] = [
        (b"", "EOF"),
        (b"null", "expected an object"),
        (b"[]", "expected an object"),
        (b"2", "expected an object"),
        (&good.as_bytes()[..good.len() - 1], "EOF"),
        (&[good.as_bytes(), b"{}"].concat(), "trailing"),
        (&[good.as_bytes(), b"\0"].concat(), "trailing"),
        (&[b"\xef\xbb\xbf", good.as_bytes()].concat(), "byte order mark"),
        (&[b"\0", good.as_bytes()].concat(), "expected value"),
        (nul.as_bytes(), "control character"),
        (&[br#"{"x":""#, &b"\xff"[..], br#"","#, &good.as_bytes()[1..]].concat(), "UTF-8"),
        (too_deep.as_bytes(), "recursion limit"),
        (endless.as_bytes(), "recursion limit"),
    ];
    for (text, reason) in cases {
        let message = refused::<Manifest>(text);
        assert!(message.contains(reason), "{message}");
    }
}

fn nested(depth: usize) -> String {
    "[".repeat(depth) + &"]".repeat(depth)
}

#[test]
fn no_key_is_there_twice() {
    let twice =
        |key: &str, value: &str| manifest().to_string().replacen('{', &format!("{{\"{key}\":{value},"), 1);
    for text in [
        twice("layers", "[]"),
        twice("Layers", "[]"),
        twice("MEDIATYPE", "null"),
        twice("layerſ", "[]"),
        twice("subject", r#"{"digest":"x","Digest":"y"}"#),
        twice("annotations", r#"{"a":"1","a":"2"}"#),
        twice("annotations", r#"{"a":"1","\u0061":"2"}"#),
        twice("com.example.unknown", r#"[{"a":1,"a":2}]"#),
    ] {
        let message = refused::<Manifest>(&text);
        assert!(message.contains("twice"), "{message}");
    }
    let descriptor = format!(r#"{{"digest":"{}","#, Digest::sha256(b""));
    let text = manifest().to_string().replacen("{\"digest\"", &format!("{descriptor}\"digest\""), 1);
    assert!(refused::<Manifest>(text).contains("twice"));
    for (key, value) in
        [("annotations", r#"{"a":"1","A":"2"}"#), ("unknown", r#"[{"a":1,"A":{"b":1,"B":2}}]"#)]
    {
        assert!(read::<Manifest>(twice(key, value)).is_ok());
    }
}

#[test]
fn a_manifest_is_no_index_and_of_schema_two() {
    let index = json!({ "schemaVersion": 2, "manifests": [] });
    for (text, reason) in [
        (and(manifest(), "manifests", json!([])), "is a field of indexes"),
        (and(manifest(), "Manifests", json!(null)), "is a field of indexes"),
        (and(manifest(), "manifeſts", json!(null)), "is a field of indexes"),
        (with(manifest(), "/schemaVersion", json!(1)), "schemaVersion is 1"),
        (with(manifest(), "/schemaVersion", json!(3)), "schemaVersion is 3"),
        (with(manifest(), "/schemaVersion", json!(-2)), "-2"),
        (with(manifest(), "/schemaVersion", json!(2.5)), "2.5"),
        (with(manifest(), "/schemaVersion", json!("2")), "string"),
        (without(manifest(), "schemaVersion"), "schemaVersion"),
        (without(manifest(), "layers"), "layers"),
        (without(manifest(), "config"), "config"),
        (with(manifest(), "/mediaType", json!(MediaType::OCI_INDEX)), "is not the media type"),
        (and(manifest(), "annotations", json!({ "a": 1 })), "expected a string"),
        (and(manifest(), "annotations", json!({ "a": null })), "expected a string"),
        (and(manifest(), "annotations", json!([])), "expected a map"),
        (and(manifest(), "fsLayers", json!([])), "docker schema 1"),
    ] {
        let message = refused::<Manifest>(&text);
        assert!(message.contains(reason), "{message}");
    }
    for (text, reason) in [
        (and(index.clone(), "layers", json!([])), "is a field of manifests"),
        (and(index.clone(), "config", json!({})), "is a field of manifests"),
        (and(index.clone(), "signatures", json!([])), "docker schema 1"),
        (without(index, "manifests"), "manifests"),
    ] {
        let message = refused::<Index>(&text);
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn dockers_first_schema_is_refused() {
    let signed = json!({
        "schemaVersion": 1, "name": "library/x", "tag": "latest", "architecture": "amd64",
        "fsLayers": [{ "blobSum": Digest::sha256(b"") }], "history": [{ "v1Compatibility": "{}" }],
        "signatures": [{ "header": {}, "signature": "x", "protected": "x" }],
    });
    assert_eq!(refused::<Manifest>(signed.to_string()), r#"manifest "docker schema 1" is not supported"#);
    let own = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    let error = Document::<Manifest>::from_bytes(own, signed.to_string().into_bytes()).unwrap_err();
    assert!(error.to_string().contains("prettyjws"), "{error}");
}

#[test]
fn descriptors_are_checked() {
    let digest = |text: &str| with(manifest(), "/layers/0/digest", json!(text));
    let size =
        |number: &str| manifest().to_string().replacen(r#""size":3"#, &format!(r#""size":{number}"#), 1);
    let long = Digest::sha256(b"").to_string();
    for (text, reason) in [
        (digest(&long.to_uppercase()), "digest"),
        (digest(&long[..long.len() - 1]), "as many digits"),
        (digest("sha256:../../../etc/passwd"), "as many digits"),
        (digest("md5:d41d8cd98f00b204e9800998ecf8427e"), "neither sha256 nor sha512"),
        (digest(""), "no algorithm"),
        (with(manifest(), "/layers/0/digest", json!(1)), "expected a string"),
        (size("-1"), "-1"),
        (size("9223372036854775808"), "2^63"),
        (size("18446744073709551616"), "expected u64"),
        (size("1e400"), "number out of range"),
        (size("1.5"), "1.5"),
        (size("\"3\""), "expected u64"),
    ] {
        let message = refused::<Manifest>(&text);
        assert!(message.contains(reason), "{message}");
    }
    assert!(read::<Manifest>(size("9223372036854775807")).is_ok());
}

#[test]
fn embedded_data_is_the_content() {
    let mut right = blob(MediaType::OCI_EMPTY, "{}");
    right.data = Some(b"{}".to_vec());
    let text = and(manifest(), "subject", json!(right));
    assert!(text.contains(r#""data":"e30=""#), "{text}");
    assert_eq!(read::<Manifest>(&text).unwrap().value().subject, Some(right));
    for (data, reason) in
        [("e34=", "digest"), ("e30K", "3 bytes instead of 2"), ("e30", "base64"), ("e 30", "base64")]
    {
        let message = refused::<Manifest>(text.replace("e30=", data));
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn sizes_are_bounded() {
    let large = |limit: u64| usize::try_from(limit).map(|limit| " ".repeat(limit)).expect("a small number");
    let text = manifest().to_string() + &large(MAX_MANIFEST);
    assert!(matches!(read::<Manifest>(text), Err(Error::Limit { limit: MAX_MANIFEST, .. })));
    let text = config().to_string() + &large(MAX_CONFIG);
    assert!(matches!(read::<ImageConfig>(text), Err(Error::Limit { limit: MAX_CONFIG, .. })));
    let annotations = json!({ "large": "x".repeat(10 << 20) });
    assert!(matches!(
        read::<Manifest>(and(manifest(), "annotations", annotations)),
        Err(Error::Limit { .. })
    ));
}

#[test]
fn null_is_nothing() {
    let nothing = json!({
        "created": null, "author": null, "architecture": "amd64", "os": "linux", "variant": null, "os.version": null,
        "os.features": null, "config": null, "history": null, "rootfs": { "type": "layers", "diff_ids": null },
    });
    let config = read::<ImageConfig>(nothing.to_string()).unwrap().into_value();
    assert_eq!(config, ImageConfig::new(Platform::new("linux", "amd64"), Vec::new()));
    let mut fields = nothing;
    fields["config"] = json!({
        "User": null, "ExposedPorts": null, "Env": null, "Entrypoint": null, "Cmd": null, "Volumes": null,
        "WorkingDir": null, "Labels": null, "StopSignal": null, "Healthcheck": null, "Shell": null, "OnBuild": null,
    });
    assert_eq!(read::<ImageConfig>(fields.to_string()).unwrap().into_value(), config);
    let index = json!({ "schemaVersion": 2, "mediaType": null, "manifests": null, "annotations": null, "subject": null });
    assert!(read::<Index>(index.to_string()).unwrap().value().manifests.is_empty());
}

#[test]
fn layers_go_with_the_diff_ids() {
    let manifest = read::<Manifest>(manifest().to_string()).unwrap().into_value();
    let config = read::<ImageConfig>(config().to_string()).unwrap().into_value();
    let layers = manifest.layers_with(&config).unwrap();
    assert_eq!(layers[0].diff_id, Digest::sha256(b"a"));
    assert_eq!(layers[1].descriptor, manifest.layers[1]);

    let mut fewer = config.clone();
    fewer.rootfs.diff_ids.pop();
    assert!(manifest.layers_with(&fewer).unwrap_err().to_string().contains("1 entries for 2 layers"));
    let mut empty = manifest.clone();
    empty.layers.clear();
    assert!(empty.layers_with(&config).unwrap_err().to_string().contains("is empty"));
    let mut artifact = manifest.clone();
    artifact.config.media_type = MediaType::OCI_EMPTY.into();
    assert!(artifact.layers_with(&config).unwrap_err().to_string().contains("artifact"));
    for refused in [
        MediaType::OCI_FOREIGN_LAYER,
        MediaType::OCI_FOREIGN_LAYER_GZIP,
        MediaType::DOCKER_FOREIGN_LAYER_GZIP,
        "application/vnd.oci.image.layer.v1.tar+xz",
        "application/vnd.oci.image.layer.v1.tar+encrypted",
        "application/octet-stream",
        MediaType::OCI_EMPTY,
    ] {
        let mut other = manifest.clone();
        other.layers[1].media_type = refused.into();
        assert!(
            matches!(other.layers_with(&config), Err(Error::Unsupported { value, .. }) if value == refused)
        );
    }
}

#[test]
fn dockers_manifests_become_ocis() {
    let mut docker = manifest();
    docker["mediaType"] = json!(MediaType::DOCKER_MANIFEST);
    docker["config"]["mediaType"] = json!(MediaType::DOCKER_CONFIG);
    docker["layers"][0]["mediaType"] = json!(MediaType::DOCKER_LAYER_GZIP);
    docker["layers"][1]["mediaType"] = json!(MediaType::DOCKER_LAYER);
    let text = docker.to_string().into_bytes();
    let docker = Document::<Manifest>::from_bytes(MediaType::DOCKER_MANIFEST, text).unwrap();
    docker.value().check_image().unwrap();
    let oci = docker.value().to_oci();
    assert_eq!(oci, read::<Manifest>(manifest().to_string()).unwrap().into_value());
    assert_ne!(Document::new(&oci).unwrap().digest(), docker.digest());
}

#[test]
fn chain_ids_are_those_of_the_specification() {
    // ChainID(layerN) = SHA256(ChainID(layerN-1) + " " + DiffID(layerN)), computed by sha256sum.
    let digest = |hex: &str| format!("sha256:{hex}").parse::<Digest>().expect("a digest");
    let diff_ids = [
        digest("ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        digest("3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d"),
    ];
    let chain = chain_ids(&diff_ids);
    assert_eq!(chain[0], diff_ids[0]);
    assert_eq!(chain[1], digest("51c0c8ace48498d6f5fee6b0592cc06f2da0f3cbe09c5a34a97dce85c3889676"));
    assert!(chain_ids(&[]).is_empty());
}
