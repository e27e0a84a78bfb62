//! A bundle of the OCI runtime-spec is run: `oci_bundle DIRECTORY`. Without one it makes its own from a static busybox.
//! Needs root, or user namespaces.

use std::os::unix::fs::symlink;
use std::path::Path;

use cofferdam::LimitPolicy;
use cofferdam::oci::{Bundle, CreateOptions, Runtime, default_spec, default_spec_rootless, write_spec};
use rustix::process::{getegid, geteuid};

/// A root with a shell, and a configuration that runs it.
fn make(bundle: &Path) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(bundle.join("rootfs/bin"))?;
    std::fs::copy("/bin/busybox", bundle.join("rootfs/bin/busybox"))?;
    symlink("busybox", bundle.join("rootfs/bin/sh"))?;
    let mut spec = match geteuid().is_root() {
        true => default_spec(),
        false => default_spec_rootless(geteuid().as_raw(), getegid().as_raw()),
    };
    let process = spec.process_mut().as_mut().ok_or("a default without a process")?;
    process.set_terminal(Some(false));
    process.set_args(Some(vec!["sh".into(), "-c".into(), "echo process $$ of a bundle; exit 7".into()]));
    write_spec(bundle, &spec)?;
    Ok(())
}

fn run(bundle: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let bundle = Bundle::open(bundle)?;
    let mut options = CreateOptions::new("example", &bundle.spec, &bundle.path);
    options.cgroup = LimitPolicy::IfAvailable;
    let mut container = Runtime::without_state().create(options)?;
    println!("{}: {}", container.id(), container.status()?);
    container.start()?;
    println!("it ended: {}", container.wait()?);
    container.delete(false)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args_os().nth(1) {
        Some(bundle) => run(bundle.as_ref()),
        None => {
            let own = std::env::temp_dir().join(format!("cofferdam-bundle-{}", std::process::id()));
            let result = make(&own).and_then(|()| run(&own));
            std::fs::remove_dir_all(&own)?;
            result
        }
    }
}
