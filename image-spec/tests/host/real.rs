//! The host that the tests run on.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use cofferdam_image_spec::{
    Document, HostImage, HostPlan, HostSource, ImageConfig, LayerCompression, Layout, Manifest, Platform,
    Source,
};

use crate::skip;
use crate::support::extract;

fn shell() -> HostPlan {
    HostImage::new()
        .search("/usr/sbin:/usr/bin:/sbin:/bin")
        .program("sh")
        .program("env")
        .plan()
        .expect("a plan")
}

#[test]
fn a_shell_comes_with_its_interpreter_and_the_c_library() {
    let plan = shell();
    let is = |part: &str| {
        plan.entries().iter().any(|entry| {
            matches!(entry.source, HostSource::File(_)) && entry.path.to_string_lossy().contains(part)
        })
    };
    if !is("/ld-") {
        skip!("the shell of this host is static");
    }
    assert!(is("/libc") || is("/ld-musl"), "{plan}");
    assert!(plan.get(&plan.command()[0]).is_some(), "{plan}");
    for merged in ["/bin", "/lib", "/lib64"] {
        let link = plan.get(merged).is_some_and(|entry| matches!(entry.source, HostSource::Link(_)));
        assert_eq!(link, Path::new(merged).is_symlink(), "{plan}");
    }
    assert!(plan.search_path().contains("/usr/bin"));
}

#[test]
fn the_layer_is_the_same_each_time_and_everything_is_roots() {
    let mut first = Vec::new();
    let created = shell().write(&mut first, LayerCompression::None).unwrap();
    let mut second = Vec::new();
    assert_eq!(shell().write(&mut second, LayerCompression::None).unwrap(), created);
    assert!(first == second);
    let mut packed = Vec::new();
    assert_eq!(shell().write(&mut packed, LayerCompression::Gzip).unwrap().diff_id, created.diff_id);
}

#[test]
fn a_shell_runs_in_its_image() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, root) = (dir.path().join("layer.tar"), dir.path().join("root"));
    std::fs::create_dir(&root).unwrap();
    shell().write(std::fs::File::create(&archive).unwrap(), LayerCompression::None).unwrap();
    if !extract(&archive, &root) {
        skip!("tar is needed");
    }
    let possible = Command::new("unshare").args(["-Ur", "true"]).status();
    if !possible.is_ok_and(|status| status.success()) {
        skip!("user namespaces cannot be made here");
    }
    let plan = shell();
    let shell = &plan.command()[0];
    let mut command = Command::new("unshare");
    command.args(["-Ur", "chroot"]).arg(&root).args([
        shell,
        "-c",
        "env word=ok \"$0\" -c 'echo $word'",
        shell,
    ]);
    let output = command.env_clear().env("PATH", plan.search_path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, b"ok\n");
    assert_eq!(std::fs::metadata(root.join("tmp")).unwrap().permissions().mode() & 0o7777, 0o1777);
}

#[test]
fn an_image_in_a_layout_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let layout = Layout::create(dir.path().join("image")).unwrap();
    let plan = shell();
    let descriptor = plan.build(&layout, Some("tools")).unwrap();
    assert_eq!(plan.build(&layout, Some("tools")).unwrap(), descriptor);
    let offers = layout.offers().unwrap();
    assert_eq!(offers.len(), 1);
    assert_eq!(
        (offers[0].name.as_deref(), &offers[0].descriptor.digest),
        (Some("tools"), &descriptor.digest)
    );

    let manifest = Document::<Manifest>::read(&layout, &descriptor).unwrap();
    manifest.value().check_image().unwrap();
    assert_eq!(manifest.value().annotations[HostPlan::FINGERPRINT], plan.fingerprint().to_string());
    let config = Document::<ImageConfig>::read(&layout, &manifest.value().config).unwrap();
    let layers = manifest.value().layers_with(config.value()).unwrap();
    assert_eq!(layers.len(), 1);
    let mut plain = Vec::new();
    let blob = layout.open(&layers[0].descriptor).unwrap();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(blob), &mut plain).unwrap();
    assert_eq!(cofferdam_image_spec::Digest::sha256(&plain), layers[0].diff_id);
    assert_eq!(config.value().platform, Platform::host());
    assert_eq!(config.value().config.cmd, plan.command());
    assert_eq!(config.value().config.env, [format!("PATH={}", plan.search_path())]);
}

#[test]
fn any_program_of_this_host_can_be_planned() {
    let names = std::fs::read_dir("/usr/bin").map(|dir| dir.filter_map(Result::ok).map(|entry| entry.path()));
    let names = names.into_iter().flatten().take(200).collect::<Vec<_>>();
    let planned = names.iter().filter(|path| HostImage::new().program(path).plan().is_ok()).count();
    // Some are broken links or scripts of languages that are not there.
    assert!(planned * 10 >= names.len() * 9, "{planned} of {}", names.len());
}
