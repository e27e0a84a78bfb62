//! The runs of all cases but `idle-500`: what is timed, and the exit status that proves that the program ran.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use super::case::Case;
use super::memory;
use super::stage::{Program, Stage};
use super::subjects::{Life, Subject};
use crate::Error;
use crate::sample::{Measure, time, timed};
use crate::subjects::{Runner, Skip};
use crate::workload::EXIT;

/// Containers at once in `parallel-50`.
const TEAM: usize = 50;

/// The most private memory that a container of a subject had, in KiB.
pub(super) type Memory = Rc<Cell<Option<u64>>>;

/// Makes a subject ready for a case; it ran a container of the case then.
pub(super) fn prepare(
    stage: &Rc<Stage>,
    case: Case,
    subject: &dyn Subject,
    most: &Memory,
) -> Result<Box<dyn Measure>, Skip> {
    let life = |program| subject.life(stage, &stage.bundle(program)?);
    let inner: Box<dyn Measure> = match case {
        Case::Run => Box::new(Whole(runner(stage, subject)?)),
        Case::RunNoCgroup => {
            let bundle = stage.bundle(Program::Ends)?.without_cgroup();
            Box::new(Whole(subject.runner(stage, &bundle)?))
        }
        Case::Parallel => {
            let team: Result<Vec<_>, Error> = (0..TEAM).map(|_| runner(stage, subject)).collect();
            Box::new(Team(team?))
        }
        Case::Exec => {
            let mut life = life(Program::Idle)?;
            life.create()?;
            life.start()?;
            Box::new(Further(life))
        }
        Case::Create => Box::new(Part(life(Program::Ends)?, Timed::Create)),
        Case::Start => Box::new(Part(life(Program::Ends)?, Timed::Start)),
        Case::Delete => Box::new(Part(life(Program::Ends)?, Timed::Delete)),
        Case::CreatedMemory | Case::Idle => {
            Box::new(Weighed { life: life(Program::Idle)?, most: Rc::clone(most) })
        }
    };
    let mut watched = Watched { stage: Rc::clone(stage), inner };
    // Fifty at once prove themselves by the first that is timed.
    if case != Case::Parallel {
        watched.measure()?;
    }
    Ok(Box::new(watched))
}

fn runner(stage: &Stage, subject: &dyn Subject) -> Result<Box<dyn Runner>, Error> {
    subject.runner(stage, &stage.bundle(Program::Ends)?)
}

/// Fails as soon as the bench was told to end.
#[derive(Debug)]
struct Watched {
    stage: Rc<Stage>,
    inner: Box<dyn Measure>,
}

impl Measure for Watched {
    fn measure(&mut self) -> Result<Duration, Error> {
        self.stage.watch()?;
        self.inner.measure()
    }
}

/// A whole life.
#[derive(Debug)]
struct Whole(Box<dyn Runner>);

impl Measure for Whole {
    fn measure(&mut self) -> Result<Duration, Error> {
        time(self.0.as_mut())
    }
}

/// What of a life is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Timed {
    Create,
    Start,
    Delete,
}

/// A whole life, of which a part is timed.
#[derive(Debug)]
struct Part(Box<dyn Life>, Timed);

impl Measure for Part {
    fn measure(&mut self) -> Result<Duration, Error> {
        let Part(life, part) = self;
        let ((), create) = timed(|| life.create())?;
        let ((), start) = timed(|| life.start())?;
        expect(life.wait()?, EXIT)?;
        let ((), delete) = timed(|| life.delete(false))?;
        Ok(match part {
            Timed::Create => create,
            Timed::Start => start,
            Timed::Delete => delete,
        })
    }
}

/// A further process in a container that runs.
#[derive(Debug)]
struct Further(Box<dyn Life>);

impl Measure for Further {
    fn measure(&mut self) -> Result<Duration, Error> {
        let (status, took) = timed(|| self.0.exec())?;
        expect(status, EXIT)?;
        Ok(took)
    }
}

/// A container that is created, weighed and deleted; its creation is timed.
struct Weighed {
    life: Box<dyn Life>,
    most: Memory,
}

impl fmt::Debug for Weighed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weighed").field("life", &self.life).finish_non_exhaustive()
    }
}

impl Measure for Weighed {
    fn measure(&mut self) -> Result<Duration, Error> {
        let ((), took) = timed(|| self.life.create())?;
        let private = memory::private_kib(self.life.pid()?)?;
        self.most.set(self.most.get().max(Some(private)));
        self.life.delete(true)?;
        Ok(took)
    }
}

/// Many lives at once, each in a thread of its own that is there before.
#[derive(Debug)]
struct Team(Vec<Box<dyn Runner>>);

impl Measure for Team {
    fn measure(&mut self) -> Result<Duration, Error> {
        let barrier = Barrier::new(self.0.len() + 1);
        let barrier = &barrier;
        thread::scope(|scope| {
            let one = |runner| {
                scope.spawn(move || {
                    barrier.wait();
                    time(runner)
                })
            };
            let threads: Vec<_> = self.0.iter_mut().map(|runner| one(runner.as_mut())).collect();
            barrier.wait();
            let start = Instant::now();
            let ended: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
            let took = start.elapsed();
            for one in ended {
                one.map_err(|_| Error::Inner("a thread panicked".to_owned()))??;
            }
            Ok(took)
        })
    }
}

fn expect(status: i32, expected: i32) -> Result<(), Error> {
    if status == expected { Ok(()) } else { Err(Error::Status { status, expected }) }
}
