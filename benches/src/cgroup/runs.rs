//! One run of each case: what is prepared for it, what of it is timed, and whether it was done.

use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use super::case::{Case, HERD, SLEEPERS};
use super::place::Place;
use super::prove;
use super::sleepers::Sleepers;
use super::stage::Stage;
use super::subjects::{self, Figures, Group, Limits, Reader, Subject};
use crate::Error;
use crate::sample::{Measure, timed};
use crate::subjects::Skip;

/// Before processes are killed: the kernel tells of at most one change in 10 ms, and that they came was one.
const SETTLE: Duration = Duration::from_millis(20);

/// Makes a subject ready for a case.
pub(crate) fn prepare(stage: &Stage, case: Case, subject: &str) -> Result<Box<dyn Measure>, Skip> {
    let controllers = case.controllers(stage.place.version());
    let subject = subjects::make(subject, &stage.place, case)?;
    let used = Used { stage: stage.clone(), subject, controllers };
    prove::prove(&used, case)?;
    let runner: Box<dyn Measure> = match case {
        Case::CreateLimitRemove => Box::new(Create { used }),
        Case::AddProcess => Box::new(Add::new(&used)?),
        Case::Statistics => Box::new(Statistics::new(&used)?),
        Case::Kill => Box::new(Kill { used }),
    };
    Ok(Box::new(Watched { runner, stage: stage.clone() }))
}

/// A runner that fails once the bench was told to end.
#[derive(Debug)]
struct Watched {
    runner: Box<dyn Measure>,
    stage: Stage,
}

impl Measure for Watched {
    fn measure(&mut self) -> Result<Duration, Error> {
        self.stage.watch()?;
        self.runner.measure()
    }
}

/// A subject and where it works.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) stage: Stage,
    pub(super) subject: Box<dyn Subject>,
    pub(super) controllers: &'static [&'static str],
}

impl Used {
    /// A new cgroup, and where its processes are listed.
    fn group(&self) -> Result<(Box<dyn Group>, Vec<PathBuf>), Error> {
        let name = self.stage.place.name();
        let group = self.subject.create(&name, Limits::None)?;
        let directories = self.subject.directories(&self.stage.place, &name, self.controllers)?;
        Ok((group, directories.into_iter().map(|path| path.join("cgroup.procs")).collect()))
    }
}

/// A cgroup is made, limited and removed.
#[derive(Debug)]
struct Create {
    used: Used,
}

impl Measure for Create {
    fn measure(&mut self) -> Result<Duration, Error> {
        let name = self.used.stage.place.name();
        let (_, took) = timed(|| self.used.subject.create(&name, Limits::Set)?.remove())?;
        Ok(took)
    }
}

/// A process is moved into a cgroup; its way back is not timed, and is the bench's own.
#[derive(Debug)]
struct Add {
    place: Rc<Place>,
    group: Box<dyn Group>,
    procs: Vec<PathBuf>,
    sleeper: Sleepers,
}

impl Add {
    fn new(used: &Used) -> Result<Add, Error> {
        let (group, procs) = used.group()?;
        let sleeper = used.stage.program.start()?;
        Ok(Add { place: Rc::clone(&used.stage.place), group, procs, sleeper })
    }
}

impl Measure for Add {
    fn measure(&mut self) -> Result<Duration, Error> {
        let pid = self.sleeper.pid();
        let (_, took) = timed(|| self.group.add(pid))?;
        for path in &self.procs {
            if list(path)?.lines().all(|line| line != pid.to_string()) {
                return Err(Error::Undone(format!("process {pid} is not in {}", path.display())));
            }
        }
        self.place.take_back(pid)?;
        Ok(took)
    }
}

/// The statistics of a cgroup with a few processes are read.
#[derive(Debug)]
struct Statistics {
    reader: Box<dyn Reader>,
    _group: Box<dyn Group>,
    _sleepers: Sleepers,
}

impl Statistics {
    fn new(used: &Used) -> Result<Statistics, Error> {
        let (mut group, _) = used.group()?;
        let mut sleepers = used.stage.program.start()?;
        group.add(sleepers.pid())?;
        sleepers.grow(SLEEPERS)?;
        Ok(Statistics { reader: group.reader()?, _group: group, _sleepers: sleepers })
    }
}

impl Measure for Statistics {
    fn measure(&mut self) -> Result<Duration, Error> {
        let (figures, took) = timed(|| self.reader.read())?;
        believable(&figures)?;
        Ok(took)
    }
}

/// Four processes have been made there: that took time and memory.
fn believable(figures: &Figures) -> Result<(), Error> {
    let Figures { cpu: [time, ..], memory: [memory, _], pids: [pids, ..], .. } = *figures;
    if pids == u64::from(SLEEPERS) && time > 0 && memory > 0 {
        return Ok(());
    }
    Err(Error::Undone(format!("{SLEEPERS} processes, time and memory were used, it read {figures:?}")))
}

/// A hundred processes are killed; that they are made and reaped is not timed.
#[derive(Debug)]
struct Kill {
    used: Used,
}

impl Measure for Kill {
    fn measure(&mut self) -> Result<Duration, Error> {
        let (mut group, procs) = self.used.group()?;
        let mut sleepers = self.used.stage.program.start()?;
        group.add(sleepers.pid())?;
        sleepers.grow(HERD)?;
        std::thread::sleep(SETTLE);
        let (_, took) = timed(|| group.kill())?;
        for path in procs {
            let left = list(&path)?.lines().count();
            if left > 0 {
                return Err(Error::Undone(format!("{left} processes are left in {}", path.display())));
            }
        }
        sleepers.reap()?;
        group.remove()?;
        Ok(took)
    }
}

/// The processes of a cgroup.
fn list(path: &std::path::Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(Error::io(format!("read {}", path.display())))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::cgroup::subjects::NAMES;

    /// Only root has a place for cgroups everywhere, and only root has one where cgroups-rs makes them.
    #[test]
    fn every_subject_does_every_case_and_nothing_is_left() {
        let root = nix::unistd::geteuid().is_root();
        let must = root && std::env::var_os("REQUIRE_ALL").is_some_and(|value| value == "1");
        let stage = match Stage::new() {
            Err(error) if !must => return eprintln!("skipped: {error}"),
            stage => stage.unwrap(),
        };
        for case in Case::value_variants().iter().copied() {
            for subject in NAMES.into_iter().filter(|name| root || *name != "cgroups-rs") {
                let mut runner = prepare(&stage, case, subject).unwrap();
                for _ in 0..2 {
                    runner.measure().unwrap();
                }
            }
        }
        let ours = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("cofferdam-bench");
        let parent = stage.place.hierarchy("pids").unwrap().own().to_owned();
        stage.close().unwrap();
        let left = fs::read_dir(parent).unwrap().filter_map(Result::ok).filter(ours);
        assert_eq!(left.map(|entry| entry.path()).collect::<Vec<_>>(), Vec::<PathBuf>::new());
    }
}
