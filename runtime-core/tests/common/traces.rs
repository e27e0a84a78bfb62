//! What containers could leave behind, on the host and in this process.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long whoever adopts orphans may take to reap them.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many containers one after the other, and how many at once: what `COFFERDAM_TEST_MANY` says, as in `10000,500`.
pub fn sizes(usual: (usize, usize)) -> (usize, usize) {
    let Ok(text) = std::env::var("COFFERDAM_TEST_MANY") else { return usual };
    let numbers = text.split_once(',').map(|(first, second)| (first.parse(), second.parse()));
    let Some((Ok(first), Ok(second))) = numbers else { panic!("COFFERDAM_TEST_MANY={text} is not N,N") };
    (first, second)
}

/// All that is there of containers that have a mark in the names of their cgroups and in their environments.
#[derive(Debug, PartialEq, Eq)]
pub struct Traces {
    pub cgroups: Vec<PathBuf>,
    /// Mounts of the host that show something of the directory, or lie in it.
    pub mounts: Vec<String>,
    /// Processes anywhere, also those that have ended and were not reaped.
    pub processes: Vec<u32>,
    /// What is in the state directory.
    pub state: Vec<String>,
    /// Of this process, with what they are.
    pub descriptors: Vec<String>,
    /// Of this process, also those that have ended and were not reaped.
    pub children: Vec<String>,
}

impl Traces {
    /// Looks for them. The mark is a part of a name that nothing else has, and so is the last part of the directory, in which
    /// the bundles are, and the state directory `state`.
    pub fn look(mark: &str, directory: &Path) -> Self {
        let name = directory.file_name().expect("a name").to_str().expect("text");
        let mounts = read("/proc/self/mountinfo");
        Self {
            cgroups: points(&mounts).iter().flat_map(|point| cgroups(point, mark)).collect(),
            mounts: mounts.lines().filter(|line| line.contains(name)).map(str::to_owned).collect(),
            processes: numbers().into_iter().filter(|pid| is_marked(*pid, mark)).collect(),
            state: names(&directory.join("state")),
            descriptors: descriptors(),
            children: children(),
        }
    }

    /// Asserts that nothing else is there than before. Orphans may still be reaped by whoever adopts them.
    pub fn assert_same(&self, look: impl Fn() -> Self) {
        let end = Instant::now() + PATIENCE;
        let mut now = look();
        while now != *self && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
            now = look();
        }
        assert_eq!(now, *self);
    }
}

/// What can be gone by the time it is read.
fn read(path: impl AsRef<Path>) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Where hierarchies of cgroups are mounted, of both versions.
fn points(mounts: &str) -> Vec<PathBuf> {
    let lines = mounts.lines().filter(|line| line.contains(" - cgroup"));
    lines.filter_map(|line| line.split(' ').nth(4)).map(PathBuf::from).collect()
}

/// Those below a directory whose names have the mark.
fn cgroups(directory: &Path, mark: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    below
        .flat_map(|entry| {
            let path = entry.path();
            let deeper = cgroups(&path, mark);
            let is_one = entry.file_name().to_string_lossy().contains(mark);
            deeper.into_iter().chain(is_one.then_some(path))
        })
        .collect()
}

fn numbers() -> Vec<u32> {
    names(Path::new("/proc")).iter().filter_map(|name| name.parse().ok()).collect()
}

/// One that was not reaped has no environment any more, but on cgroup v2 still a cgroup.
fn is_marked(pid: u32, mark: &str) -> bool {
    pid != std::process::id()
        && ["environ", "cgroup"].iter().any(|file| read(format!("/proc/{pid}/{file}")).contains(mark))
}

fn descriptors() -> Vec<String> {
    let all = names(Path::new("/proc/self/fd"));
    let target = |name: &String| fs::read_link(Path::new("/proc/self/fd").join(name)).ok();
    // The one by which they are listed is closed by now.
    all.iter().filter_map(|name| Some(format!("{name} {}", target(name)?.display()))).collect()
}

fn children() -> Vec<String> {
    let tasks = names(Path::new("/proc/self/task"));
    let children = tasks.iter().map(|task| read(format!("/proc/self/task/{task}/children")));
    children.filter(|list| !list.is_empty()).collect()
}
