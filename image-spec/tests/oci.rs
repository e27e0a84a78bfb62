//! The image types of oci-spec: to them and back.
#![cfg(feature = "oci")]

use cofferdam_image_spec::{
    Content, Descriptor, Digest, Document, ImageConfig, Index, Manifest, MediaType, Platform,
};
use oci_spec::image as theirs;
use serde_json::json;

fn descriptor() -> Descriptor {
    let mut platform: Platform = "windows/arm64/v8".parse().expect("a platform");
    platform.os_version = Some("10.0".into());
    platform.os_features = vec!["win32k".into()];
    let mut descriptor =
        Descriptor::of(MediaType::OCI_EMPTY, b"{}").with_platform(platform).with_annotation("a", "b");
    descriptor.data = Some(b"{}".to_vec());
    descriptor.urls = vec!["https://example.com".into()];
    descriptor.artifact_type = Some("application/spdx+json".into());
    descriptor
}

#[test]
fn descriptors_go_there_and_back() {
    for ours in [descriptor(), Descriptor::of(MediaType::DOCKER_LAYER_GZIP, b"x")] {
        let theirs = theirs::Descriptor::try_from(&ours).unwrap();
        assert_eq!(theirs.digest().to_string(), ours.digest.to_string());
        assert_eq!(theirs.media_type().to_string(), ours.media_type.as_str());
        assert_eq!(Descriptor::try_from(&theirs).unwrap(), ours);
    }
}

#[test]
fn what_we_refuse_in_a_descriptor_is_refused() {
    let digest = |text: &str| text.parse::<theirs::Digest>().expect("one of theirs");
    let good = theirs::Descriptor::try_from(&descriptor()).unwrap();
    let refused = |change: &dyn Fn(&mut theirs::Descriptor)| {
        let mut changed = good.clone();
        change(&mut changed);
        Descriptor::try_from(&changed).unwrap_err().to_string()
    };
    assert!(
        refused(&|theirs| {
            theirs.set_digest(digest("md5:abc"));
        })
        .contains("sha256")
    );
    assert!(
        refused(&|theirs| {
            theirs.set_size(1 << 63);
        })
        .contains("2^63")
    );
    assert!(
        refused(&|theirs| {
            theirs.set_size(3);
        })
        .contains("bytes instead of")
    );
    assert!(
        refused(&|theirs| {
            theirs.set_data(Some("e34=".into()));
        })
        .contains("digest")
    );
    assert!(
        refused(&|theirs| {
            theirs.set_data(Some("?".into()));
        })
        .contains("base64")
    );
}

#[test]
fn manifests_go_there_and_back() {
    let mut ours =
        Manifest::new(descriptor(), vec![descriptor(), Descriptor::of(MediaType::OCI_LAYER_ZSTD, b"x")]);
    assert_eq!(Manifest::try_from(&theirs::ImageManifest::try_from(&ours).unwrap()).unwrap(), ours);
    ours.annotations.insert("a".into(), "b".into());
    ours.subject = Some(descriptor());
    ours.artifact_type = Some("a/b".into());
    ours.media_type = None;
    let mut theirs = theirs::ImageManifest::try_from(&ours).unwrap();
    assert_eq!(theirs.schema_version(), 2);
    assert_eq!(Manifest::try_from(&theirs).unwrap(), ours);
    theirs.set_schema_version(1);
    assert!(Manifest::try_from(&theirs).is_err());
}

#[test]
fn indexes_go_there_and_back() {
    let mut ours = Index::new(vec![descriptor()]);
    ours.annotations.insert("a".into(), "b".into());
    ours.subject = Some(descriptor());
    let mut theirs = theirs::ImageIndex::try_from(&ours).unwrap();
    assert_eq!(Index::try_from(&theirs).unwrap(), ours);
    theirs.set_schema_version(3);
    assert!(Index::try_from(&theirs).is_err());
}

#[test]
fn configs_go_there_and_back() {
    let text = json!({
        "created": "2015-10-31T22:22:56Z", "author": "a", "architecture": "amd64", "os": "linux", "variant": "v3",
        "os.version": "1", "os.features": ["f"],
        "config": {
            "User": "alice", "ExposedPorts": { "8080/tcp": {} }, "Env": ["PATH=/bin"], "Entrypoint": ["/bin/app"],
            "Cmd": ["--x"], "Volumes": { "/var/data": {} }, "WorkingDir": "/home/alice", "Labels": { "a": "b" },
            "StopSignal": "SIGINT",
        },
        "rootfs": { "type": "layers", "diff_ids": [Digest::sha256(b"x")] },
        "history": [{ "created": "2015", "created_by": "ADD", "author": "a", "comment": "c" }, { "empty_layer": true }],
    });
    let text = text.to_string().into_bytes();
    let ours = Document::<ImageConfig>::from_bytes(ImageConfig::MEDIA_TYPE, text).unwrap().into_value();
    let mut theirs = theirs::ImageConfiguration::try_from(&ours).unwrap();
    assert_eq!(theirs.config().as_ref().unwrap().user().as_deref(), Some("alice"));
    assert_eq!(ImageConfig::try_from(&theirs).unwrap(), ours);
    theirs.rootfs_mut().set_typ("squashfs".into());
    assert!(ImageConfig::try_from(&theirs).is_err());
}
