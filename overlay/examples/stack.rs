//! Puts directories on top of each other, the first one topmost, and lists what is seen. Nothing is mounted where
//! others could see it. With `--upper`, writes a file too, which ends up in the upper directory.
//!
//! ```sh
//! cargo run -p cofferdam-overlay --example stack -- /etc /usr/share
//! ```
//!
//! As root, or as root of a user namespace: `unshare --user --map-root-user --mount` in front of the program.

use std::path::Path;
use std::process::ExitCode;

use cofferdam_overlay::{Errno, Error, Result, Stack, Support};
use rustix::fs::{Dir, Mode, OFlags, openat};

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let upper = arguments.first().is_some_and(|word| word == "--upper");
    if upper {
        arguments.remove(0);
    }
    if arguments.is_empty() {
        eprintln!("usage: stack [--upper] DIRECTORY...");
        return ExitCode::FAILURE;
    }
    println!("{}", Support::probe());
    match run(&arguments, upper) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            if error.errno() == Some(Errno::from_raw(1)) {
                eprintln!("try it in a user namespace: unshare --user --map-root-user --mount");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(directories: &[String], upper: bool) -> Result<()> {
    let mut stack = Stack::new().lowers(directories.iter().map(Path::new));
    let scratch = tempfile::tempdir().map_err(|error| path_error("make", "temporary directory", &error))?;
    if upper {
        let make = |name: &str| {
            let path = scratch.path().join(name);
            std::fs::create_dir(&path).map_err(|error| path_error("make", name, &error)).map(|()| path)
        };
        stack = stack.upper(make("upper")?, make("work")?).userxattr();
    }
    stack.validate()?;
    let mount = stack.mount()?;
    if upper {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
        openat(&mount, "written", flags, Mode::from_raw_mode(0o644))
            .map_err(|error| path_error("make", "written", &error.into()))?;
        println!("in the upper directory: {}", scratch.path().join("upper/written").exists());
    }
    let top = openat(&mount, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .and_then(Dir::read_from)
        .map_err(|error| path_error("read", "the mount", &error.into()))?;
    let names = top.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name != "." && name != "..").collect();
    names.sort();
    println!("{} entries: {}", names.len(), names.join(" "));
    Ok(())
}

fn path_error(what: &'static str, path: &str, error: &std::io::Error) -> Error {
    Error::Path { what, path: path.into(), errno: Errno::from_raw(error.raw_os_error().unwrap_or_default()) }
}
