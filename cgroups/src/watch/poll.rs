//! The watch: one epoll descriptor over all that is watched.

use super::open::{Opening, system_trigger};
use super::source::{Failure, Kind, Source, Woken};
use super::{Event, Pressure, WatchOptions};
use crate::stats::{is_there, is_there_for_good};
use crate::{Cgroup, Error, Result};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::Timespec;
use std::collections::VecDeque;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Waits for what happens to a cgroup, in one place and without threads.
///
/// What happened before it was made is not reported; what happens from then on is, also before the first
/// [`wait`](Watch::wait). Things that happen faster than they are looked at are one event with a larger count. Of a
/// cgroup that is removed at once, the last counts may be lost.
///
/// It is also an iterator that ends after [`Event::Removed`].
///
/// ```no_run
/// use cofferdam_cgroups::{Event, Hierarchies, Watch, WatchOptions};
///
/// let job = Hierarchies::discover()?.base()?.open("job")?;
/// for event in Watch::new(&job, &WatchOptions::new().memory().removal())? {
///     match event? {
///         Event::OomKill(count) => println!("{} killed", count.new),
///         other => println!("{other:?}"),
///     }
/// }
/// # Ok::<(), cofferdam_cgroups::Error>(())
/// ```
///
/// Its descriptor ([`AsFd`]) can be polled with others: it is readable when there may be something, and then
/// `wait(Some(Duration::ZERO))` is to be called until it gives none. Polling it resets pressure triggers, so once it
/// was borrowed, a wake-up counts as one of a trigger if half of the time that it wants was lost since the last event.
pub struct Watch {
    epoll: OwnedFd,
    sources: Vec<Option<Source>>,
    /// The directories, as long as they are there.
    dirs: Vec<Option<OwnedFd>>,
    events: VecDeque<Event>,
    failures: VecDeque<Error>,
    ready: Vec<epoll::Event>,
    polled_outside: AtomicBool,
    ended: bool,
}

impl Watch {
    /// Begins to watch a cgroup.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] for what the version of the cgroup does not have, [`Error::NoController`] where a
    /// controller is not enabled, [`Error::Value`] for a trigger that no kernel takes, [`Error::Trigger`] if it is
    /// refused, [`Error::Open`] and others if the kernel refuses something else.
    ///
    /// # Privileges
    ///
    /// Pressure triggers and what v1 has need write access to files of the cgroup. Before 6.5 pressure triggers need
    /// `CAP_SYS_RESOURCE`; without it, their window has to be a multiple of 2 s.
    pub fn new(cgroup: &Cgroup, options: &WatchOptions) -> Result<Self> {
        let opening = Opening::new(cgroup, options)?;
        let mut watch = Self::of(opening.sources, opening.dirs)?;
        // A kill between the first reading and the registration has no notice of its own.
        for index in 0..watch.sources.len() {
            if matches!(watch.sources.get(index), Some(Some(Source { kind: Kind::Oom { .. }, .. }))) {
                watch.look(index, EventFlags::IN);
            }
        }
        Ok(watch)
    }

    /// Begins to watch the pressure on the whole system, or in a container that which its `/proc/pressure` shows.
    ///
    /// # Errors
    ///
    /// As [`Watch::new`].
    ///
    /// # Privileges
    ///
    /// As [`Watch::new`].
    pub fn system(triggers: &[Pressure]) -> Result<Self> {
        let sources: Result<Vec<Source>> = triggers.iter().map(|trigger| system_trigger(*trigger)).collect();
        Self::of(sources?, Vec::new())
    }

    fn of(sources: Vec<Source>, dirs: Vec<OwnedFd>) -> Result<Self> {
        let failed = |call| move |errno: rustix::io::Errno| Error::Call { call, errno: errno.into() };
        let epoll = epoll::create(CreateFlags::CLOEXEC).map_err(failed("epoll_create1"))?;
        for (index, source) in sources.iter().enumerate() {
            let data = EventData::new_u64(u64::try_from(index).unwrap_or(u64::MAX));
            epoll::add(&epoll, &source.fd, data, source.flags())
                .map_err(failed("epoll_ctl(EPOLL_CTL_ADD)"))?;
        }
        Ok(Self {
            epoll,
            ready: Vec::with_capacity(sources.len().max(1)),
            sources: sources.into_iter().map(Some).collect(),
            dirs: dirs.into_iter().map(Some).collect(),
            events: VecDeque::new(),
            failures: VecDeque::new(),
            polled_outside: AtomicBool::new(false),
            ended: false,
        })
    }

    /// The next event; none when the time is up, or when there is nothing left that could happen. Without a timeout
    /// it waits as long as it takes. Signals do not disturb it.
    ///
    /// # Errors
    ///
    /// [`Error::Withdrawn`] if a controller was disabled, [`Error::Read`] and [`Error::Parse`] if a file could not be
    /// read. What failed is not watched any more, everything else is.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Result<Option<Event>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            if let Some(error) = self.failures.pop_front() {
                return Err(error);
            }
            if self.has_ended() || !self.look_at_ready(deadline)? {
                return Ok(None);
            }
        }
    }

    /// Whether no event can come any more: the cgroup was removed, or nothing is left to watch.
    pub fn has_ended(&self) -> bool {
        let nothing = self.events.is_empty() && self.failures.is_empty();
        nothing && (self.ended || self.sources.iter().all(Option::is_none))
    }

    /// Waits, and looks at what woke up; false if nothing did in time.
    fn look_at_ready(&mut self, deadline: Option<Instant>) -> Result<bool> {
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        let waited = loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            // A time that does not fit is for ever.
            let left = left.and_then(|left| Timespec::try_from(left).ok());
            match epoll::wait(&self.epoll, spare_capacity(&mut ready), left.as_ref()) {
                Err(rustix::io::Errno::INTR) => {}
                waited => break waited,
            }
        };
        for event in &ready {
            if let Ok(index) = usize::try_from(event.data.u64()) {
                self.look(index, event.flags);
            }
        }
        let any = !ready.is_empty();
        self.ready = ready;
        if let Err(errno) = waited {
            self.ended = true;
            return Err(Error::Call { call: "epoll_wait", errno: errno.into() });
        }
        Ok(any)
    }

    fn look(&mut self, index: usize, flags: EventFlags) {
        let polled_outside = self.polled_outside.load(Ordering::Relaxed);
        let fired = flags.contains(EventFlags::PRI);
        self.look_at(index, Woken { by_itself: true, fired, polled_outside });
        let of = match self.sources.get(index) {
            Some(Some(Source { kind: Kind::Removal, .. })) => return self.look_at_dirs(),
            Some(Some(Source { kind: Kind::Timer { of, .. }, .. })) => *of,
            Some(Some(Source { kind: Kind::Oom { .. }, .. })) => {
                return self.timer(index + 1, Source::begin_looking);
            }
            _ => return,
        };
        self.look_at(of, Woken { by_itself: false, fired: false, polled_outside });
        self.timer(index, Source::go_on_looking);
    }

    fn look_at(&mut self, index: usize, woken: Woken) {
        let Some(Some(source)) = self.sources.get_mut(index) else { return };
        match source.look(woken, &mut self.events) {
            Ok(()) => {}
            Err(Failure::Gone) => self.gone(index),
            Err(Failure::Error(error)) => {
                self.remove(index);
                self.failures.push_back(error);
            }
        }
    }

    fn timer(&mut self, index: usize, set: fn(&mut Source) -> Result<()>) {
        if let Some(Some(source)) = self.sources.get_mut(index) {
            self.failures.extend(set(source).err());
        }
    }

    /// A file is gone: with its cgroup, or alone.
    fn gone(&mut self, index: usize) {
        let Some(Some(source)) = self.sources.get(index) else { return };
        let (part, path) = (source.part, source.path.clone());
        match part.and_then(|part| Some((part, self.dirs.get(part)?.as_ref()?))) {
            Some((part, dir)) if !is_there_for_good(dir) => self.dir_is_gone(part),
            _ => {
                self.remove(index);
                self.failures.push_back(Error::Withdrawn { path });
            }
        }
    }

    /// One of the directories above lost something; perhaps one of ours.
    fn look_at_dirs(&mut self) {
        for part in 0..self.dirs.len() {
            if self.dirs.get(part).is_some_and(|dir| dir.as_ref().is_some_and(|dir| !is_there(dir))) {
                self.dir_is_gone(part);
            }
        }
    }

    fn dir_is_gone(&mut self, part: usize) {
        if let Some(dir) = self.dirs.get_mut(part) {
            *dir = None;
        }
        for index in 0..self.sources.len() {
            let Some(Some(source)) = self.sources.get_mut(index) else { continue };
            if source.part == Some(part) {
                if let Kind::File { last, .. } = &mut source.kind {
                    last.removed(&mut self.events);
                }
                self.remove(index);
            }
        }
        if self.dirs.iter().all(Option::is_none) {
            self.events.push_back(Event::Removed);
            self.ended = true;
        }
    }

    /// Closes a source. That alone would not do: epoll goes on as long as anybody holds a copy of the descriptor.
    fn remove(&mut self, index: usize) {
        let Some(source) = self.sources.get_mut(index).and_then(Option::take) else { return };
        if let Err(errno) = epoll::delete(&self.epoll, &source.fd) {
            self.failures.push_back(Error::Call { call: "epoll_ctl(EPOLL_CTL_DEL)", errno: errno.into() });
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sources: Vec<_> = self.sources.iter().flatten().collect();
        let mut debug = f.debug_struct("Watch");
        debug.field("sources", &sources).field("events", &self.events).field("ended", &self.ended);
        debug.finish_non_exhaustive()
    }
}

impl Iterator for Watch {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        self.wait(None).transpose()
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.polled_outside.store(true, Ordering::Relaxed);
        self.epoll.as_fd()
    }
}
