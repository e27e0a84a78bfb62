//! The one place that carries out what settings have become.

use super::journal::Journal;
use super::{Applied, LeftOut, Operation, Outcome, Require, Resources, Write, Written};
use crate::cgroup::Part;
use crate::convert::sum_from_swap;
use crate::{Bytes, Cgroup, Controller, Controllers, Error, Limit, Result, Setting, Version, devices};
use std::collections::VecDeque;

/// A plan that is being applied to a cgroup.
pub(super) struct Execution<'a> {
    cgroup: &'a Cgroup,
    entries: Vec<Entry<'a>>,
    /// None where the cgroup is new: then it is removed instead.
    journal: Option<Journal<'a>>,
    /// Controllers for which enabling has been tried.
    tried: Controllers,
}

struct Entry<'a> {
    setting: &'a Setting,
    require: Require,
    written: Vec<Written>,
    left_out: Option<Error>,
}

/// An operation, of which setting it is, and where it goes.
struct Task<'a> {
    entry: usize,
    part: &'a Part,
    operation: Operation,
}

impl<'a> Execution<'a> {
    pub(super) fn new(cgroup: &'a Cgroup, resources: &'a Resources, journal: Option<Journal<'a>>) -> Self {
        let entry = |(setting, require)| Entry { setting, require, written: Vec::new(), left_out: None };
        let entries = resources.entries().map(entry).collect();
        let mut execution = Self { cgroup, entries, journal, tried: Controllers::EMPTY };
        // Rules of devices can be replaced, but not always be written back: nothing comes after them.
        execution.entries.sort_by_key(|entry| matches!(entry.setting, Setting::Devices(_)));
        execution
    }

    /// Applies everything, or stops at the first setting that must be had and cannot.
    pub(super) fn run(&mut self) -> Result<()> {
        let resources = self.resources();
        let mut queue: VecDeque<Task<'a>> = VecDeque::new();
        for index in 0..self.entries.len() {
            let lowered = self.lower(index, &resources);
            let tasks = match lowered {
                Ok(tasks) => tasks,
                Err(error) => {
                    self.settle(index, error)?;
                    continue;
                }
            };
            queue.extend(tasks);
        }
        let of_devices = |task: &Task<'_>| matches!(task.operation, Operation::Devices(_));
        let (devices, others) = queue.into_iter().partition(of_devices);
        // Not even what is tried again comes after devices.
        self.drain(others)?;
        self.drain(devices)
    }

    /// Runs tasks. One that the kernel refuses because of what another one has not set yet, such as a limit of memory
    /// above that of memory and swap, is tried again when others have gone through.
    fn drain(&mut self, mut queue: VecDeque<Task<'a>>) -> Result<()> {
        let mut refused_in_a_row = 0;
        while let Some(task) = queue.pop_front() {
            if self.entry_is_left_out(task.entry) {
                continue;
            }
            match self.carry_out(&task) {
                Ok(()) => refused_in_a_row = 0,
                Err(error) if is_refused_value(&error) && refused_in_a_row < queue.len() => {
                    refused_in_a_row += 1;
                    queue.push_back(task);
                }
                Err(error) => self.settle(task.entry, error)?,
            }
        }
        Ok(())
    }

    /// What remains to be written back, in case of failure.
    pub(super) fn restore(self) -> Vec<Error> {
        self.journal.map(Journal::restore).unwrap_or_default()
    }

    pub(super) fn into_outcome(self) -> Outcome {
        let mut outcome = Outcome::default();
        for entry in self.entries {
            let setting = entry.setting.clone();
            match entry.left_out {
                Some(reason) => outcome.left_out.push(LeftOut { setting, reason }),
                None => outcome.applied.push(Applied { setting, written: entry.written }),
            }
        }
        outcome
    }

    fn resources(&self) -> Resources {
        self.entries
            .iter()
            .fold(Resources::new(), |all, entry| all.with(entry.setting.clone(), entry.require))
    }

    fn lower(&self, index: usize, resources: &Resources) -> Result<Vec<Task<'a>>> {
        let setting = self.entries[index].setting;
        let part = match setting.controller() {
            Some(controller) => {
                self.cgroup.part_of(controller).ok_or_else(|| self.cgroup.no_controller(controller))?
            }
            None => self
                .cgroup
                .unified()
                .ok_or(Error::Unsupported { version: Version::V1, what: "files named as on v2" })?,
        };
        let operations = setting.lower(part.version, resources)?;
        Ok(operations.into_iter().map(|operation| Task { entry: index, part, operation }).collect())
    }

    fn entry_is_left_out(&self, index: usize) -> bool {
        self.entries[index].left_out.is_some()
    }

    /// What a failure means for its setting.
    fn settle(&mut self, index: usize, error: Error) -> Result<()> {
        let entry = &mut self.entries[index];
        // What holds by half cannot be left out any more.
        let untouched = entry.written.is_empty();
        if entry.require == Require::IfAvailable
            && untouched
            && is_unavailable(&error)
            && self.cgroup.exists()
        {
            entry.left_out = Some(error);
            return Ok(());
        }
        Err(error)
    }

    fn carry_out(&mut self, task: &Task<'a>) -> Result<()> {
        let (entry, part) = (task.entry, task.part);
        match &task.operation {
            Operation::Write(write) => self.write(entry, part, write),
            Operation::First(writes) => {
                let there = writes.iter().find(|write| part.dir.has(&write.file));
                let Some(write) = there.or(writes.first()) else { return Ok(()) };
                self.write(entry, part, write)
            }
            Operation::Validated(write) => {
                self.write(entry, part, write)?;
                validated(part, write)
            }
            Operation::SwapBeyondMemory(swap) => {
                let write = memory_and_swap(part, *swap)?;
                self.write(entry, part, &write)
            }
            Operation::Period(period) => {
                let before = part.dir.read("cpu.max")?;
                let quota = before.split_whitespace().next().unwrap_or("max");
                let value = format!("{quota} {}", super::microseconds(*period));
                self.write(entry, part, &Write::value("cpu.max", value))
            }
            Operation::Devices(rules) => match part.version {
                Version::V1 => devices::apply_v1(&part.dir, rules),
                Version::V2 => devices::apply_v2(&part.dir, rules),
            },
        }
    }

    /// Writes, after noting what was there. Where the file is missing the controller is enabled first.
    fn write(&mut self, entry: usize, part: &'a Part, write: &Write) -> Result<()> {
        let written = match self.write_noted(part, write) {
            Err(error) if is_missing_file(&error) && self.enable(entry, part)? => {
                self.write_noted(part, write)
            }
            written => written,
        };
        written?;
        let path = part.dir.path_of(write.file.as_ref());
        self.entries[entry].written.push(Written { path, value: write.value.clone() });
        Ok(())
    }

    fn write_noted(&mut self, part: &'a Part, write: &Write) -> Result<()> {
        match &mut self.journal {
            Some(journal) => journal.write(&part.dir, write),
            None => part.dir.write(&write.file, &write.value),
        }
    }

    /// Enables the controller of a setting on v2, unless that was tried already or would be of no use. Says whether there
    /// is a point in trying again.
    fn enable(&mut self, entry: usize, part: &Part) -> Result<bool> {
        let controller = self.entries[entry].setting.controller();
        let kernels = |controller: &Controller| controller.name(Version::V2).is_some();
        let Some(controller) = controller.filter(kernels).filter(|_| part.version == Version::V2) else {
            return Ok(false);
        };
        if self.tried.contains(controller) {
            return Ok(false);
        }
        // All that the plan will need, by one write, if all can be had; else at least this one.
        let wanted: Controllers =
            self.entries.iter().filter_map(|entry| entry.setting.controller()).collect();
        let wanted = wanted.minus(self.tried).iter().filter(kernels).collect::<Controllers>();
        let wanted: Controllers = wanted
            .iter()
            .filter(|wanted| self.cgroup.part_of(*wanted).is_some_and(|part| part.version == Version::V2))
            .collect();
        self.tried = self.tried.with(controller);
        if self.cgroup.enable_in_parent(wanted).is_ok() {
            self.tried = self.tried.or(wanted);
            return Ok(true);
        }
        self.cgroup.enable_in_parent(controller.into()).map(|()| true)
    }
}

/// v1 limits memory and swap together.
fn memory_and_swap(part: &Part, swap: Limit<Bytes>) -> Result<Write> {
    let file = "memory.limit_in_bytes";
    let text = part.dir.read(file)?;
    let memory: u64 = text.trim().parse().map_err(|_| Error::Parse {
        path: part.dir.path_of(file),
        line: text.clone(),
        expected: "a number of bytes",
    })?;
    if memory >= super::UNLIMITED_V1 && swap != Limit::Max {
        return Err(Error::Value {
            what: "memory.swap.max",
            value: swap.to_string(),
            expected: "set together with a limit of memory, on v1",
        });
    }
    let sum = sum_from_swap(swap, Limit::Value(Bytes(memory)));
    Ok(Write::value("memory.memsw.limit_in_bytes", super::or_minus_one(sum)))
}

/// Whether the kernel holds what it took for valid.
fn validated(part: &Part, write: &Write) -> Result<()> {
    let found = part.dir.read(&write.file)?;
    if found.trim() == write.value {
        return Ok(());
    }
    Err(Error::NotTaken {
        path: part.dir.path_of(write.file.as_ref()),
        value: write.value.clone(),
        found: found.trim().to_owned(),
    })
}

/// The file of a controller that is not enabled, or of a kernel that does not have it.
fn is_missing_file(error: &Error) -> bool {
    matches!(error, Error::Open { errno, .. } if errno.number() == libc::ENOENT)
}

/// The value does not go together with what is set so far.
fn is_refused_value(error: &Error) -> bool {
    matches!(error, Error::Write { errno, .. } if errno.number() == libc::EINVAL)
}

/// Whether the means is missing, rather than the value wrong.
fn is_unavailable(error: &Error) -> bool {
    const CODES: [i32; 6] =
        [libc::ENOENT, libc::EACCES, libc::EPERM, libc::EROFS, libc::EOPNOTSUPP, libc::ENOSYS];
    match error {
        Error::NoController { .. } | Error::Unsupported { .. } | Error::Enable { .. } => true,
        other => other.errno().is_some_and(|errno| CODES.contains(&errno.number())),
    }
}
