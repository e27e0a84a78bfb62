//! What a process can find out about where it is.

use std::fs;
use std::io;

use cofferdam::namespaces::TimeOffsets;
use cofferdam::{Kind, Namespace};
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::process::{getgid, getuid};
use rustix::thread::capabilities;

/// A name and a value.
pub type Fact = (String, String);

/// Looks at this process. What cannot be found out is said in its place.
pub fn gather() -> Vec<Fact> {
    let mut facts = vec![
        fact("process id", Ok(std::process::id().to_string())),
        fact("processes in sight", processes()),
        fact("user, group", Ok(format!("{}, {}", getuid().as_raw(), getgid().as_raw()))),
        fact("user ids: inside, outside, count", read("uid_map").map(|map| words(&map))),
        fact("host name", Ok(rustix::system::uname().nodename().to_string_lossy().into_owned())),
    ];
    facts.extend(Kind::ALL.into_iter().map(|kind| fact(&format!("{kind} namespace"), namespace(kind))));
    facts.extend([
        fact("mounts", read("mountinfo").map(|text| text.lines().count().to_string())),
        fact("root directory", root()),
        fact("files in /tmp", entries("/tmp").map(|names| names.len().to_string())),
        fact("network interfaces", interfaces()),
        fact("clock offset in seconds", clock()),
        fact("capabilities", held()),
        fact("can gain privileges", privileges()),
        fact("environment variables", Ok(std::env::vars_os().count().to_string())),
    ]);
    facts
}

fn fact(name: &str, value: io::Result<String>) -> Fact {
    (name.to_owned(), value.unwrap_or_else(|error| error.to_string()))
}

fn read(name: &str) -> io::Result<String> {
    fs::read_to_string(format!("/proc/self/{name}"))
}

fn entries(path: &str) -> io::Result<Vec<String>> {
    let name =
        |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name().to_string_lossy().into_owned());
    fs::read_dir(path)?.map(name).collect()
}

fn words(text: &str) -> String {
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("; ")
}

fn processes() -> io::Result<String> {
    let names = entries("/proc")?;
    Ok(names.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).count().to_string())
}

fn namespace(kind: Kind) -> io::Result<String> {
    let namespace = Namespace::of_current(kind).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(namespace.identity().ino.to_string())
}

fn root() -> io::Result<String> {
    let read_only = statvfs("/")?.f_flag.contains(StatVfsMountFlags::RDONLY);
    Ok(if read_only { "read-only" } else { "writable" }.to_owned())
}

/// The table of the kernel has two lines of heading.
fn interfaces() -> io::Result<String> {
    let text = read("net/dev")?;
    let names = text.lines().skip(2).filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
    Ok(names.collect::<Vec<_>>().join(" "))
}

fn clock() -> io::Result<String> {
    let offsets = TimeOffsets::current().map_err(|error| io::Error::other(error.to_string()))?;
    Ok(offsets.monotonic.seconds.to_string())
}

fn held() -> io::Result<String> {
    Ok(capabilities(None)?.effective.bits().count_ones().to_string())
}

fn privileges() -> io::Result<String> {
    let status = read("status")?;
    let value = status.lines().find_map(|line| line.strip_prefix("NoNewPrivs:")).map(str::trim);
    Ok(if value == Some("1") { "no" } else { "yes" }.to_owned())
}
