//! What a plan must be before anything happens. Strings are checked where they are encoded.

use std::path::{Component, Path};

use super::{Argument, Mount, Namespaces, Plan, Slot, Step, Target};
use crate::Error;
use crate::init::{MAX_KEPT, MAX_PASSED, MAX_PLACED};

impl Plan {
    /// Finds what cannot be carried out.
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let program = || self.program.to_string_lossy().into_owned();
        if self.program.is_empty() {
            return Err(invalid("program", program(), "is empty"));
        }
        if self.args.is_empty() {
            return Err(invalid("argument vector of", program(), "is empty: the kernel would make one up"));
        }
        if self.namespaces.contains(Namespaces::TIME) {
            let reason = "includes time: its offsets are frozen when it is made at the clone";
            return Err(invalid("set of new namespaces", self.namespaces.to_string(), reason));
        }
        if self.mounts_from.is_some() && !self.namespaces.contains(Namespaces::MNT) {
            return Err(invalid(
                "set of new namespaces",
                self.namespaces.to_string(),
                "lacks mnt, which is to be copied",
            ));
        }
        if self.maps_root && !(self.rendezvous && self.namespaces.contains(Namespaces::USER)) {
            return Err(invalid(
                "set of new namespaces",
                self.namespaces.to_string(),
                "lacks user, or a rendezvous that maps it",
            ));
        }
        for (name, _) in &self.env {
            if name.is_empty() || name.as_encoded_bytes().contains(&b'=') {
                let name = name.to_string_lossy().into_owned();
                return Err(invalid("environment variable", name, "is empty or contains ="));
            }
        }
        self.validate_descriptors()?;
        self.steps.iter().try_for_each(|step| self.validate_step(step))?;
        self.validate_last()
    }

    /// The last steps: what can be done with the program's descriptors in their places, with slots that are filled by then.
    fn validate_last(&self) -> Result<(), Error> {
        let made = |steps: &[Step]| steps.iter().flat_map(Step::made).collect::<Vec<_>>();
        let mut filled: Vec<Slot> = self.slots.input_slots().chain(made(&self.steps)).collect();
        self.listener().into_iter().try_for_each(|slot| self.filled(slot, &filled))?;
        for step in &self.last {
            let allowed = matches!(
                step,
                Step::Call(_)
                    | Step::Sync { .. }
                    | Step::NoNewPrivileges
                    | Step::Close(_)
                    | Step::Write { .. }
            );
            if !allowed {
                return Err(invalid(
                    "last step",
                    self.describe(step),
                    "has to come before the exec is at hand",
                ));
            }
            self.validate_step(step)?;
            let makes = step.made();
            let used = step.slots().into_iter().filter(|slot| !makes.contains(slot));
            used.into_iter().try_for_each(|slot| self.filled(slot, &filled))?;
            filled.extend(makes);
            if let Step::Close(closed) = step {
                filled.retain(|slot| slot != closed);
            }
        }
        let kept = self.kept().len();
        if kept > MAX_KEPT {
            return Err(invalid("number of descriptors", kept.to_string(), "is above 64 for the last steps"));
        }
        Ok(())
    }

    fn filled(&self, slot: Slot, filled: &[Slot]) -> Result<(), Error> {
        self.known(slot)?;
        if filled.contains(&slot) {
            return Ok(());
        }
        Err(invalid("slot", self.slots.name(slot).to_owned(), "is empty when the last steps need it"))
    }

    fn validate_descriptors(&self) -> Result<(), Error> {
        let mut numbers: Vec<u32> = self.pass.iter().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        let wrong = numbers.iter().zip(numbers.iter().skip(1)).find(|(a, b)| a == b).map(|(a, _)| a);
        let wrong =
            wrong.or_else(|| numbers.iter().find(|number| !(3..=i32::MAX.unsigned_abs()).contains(*number)));
        if let Some(number) = wrong {
            return Err(invalid(
                "descriptor number",
                number.to_string(),
                "is below 3, too large or given twice",
            ));
        }
        if numbers.len() + 3 > MAX_PLACED {
            return Err(invalid("number of descriptors", numbers.len().to_string(), "is more than 253"));
        }
        self.pass.iter().try_for_each(|(slot, _)| self.known(*slot))
    }

    fn known(&self, slot: Slot) -> Result<(), Error> {
        if (slot.0 as usize) < self.slots.count() {
            return Ok(());
        }
        Err(invalid("slot", slot.0.to_string(), "belongs to another plan"))
    }

    fn validate_step(&self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Hostname(name) | Step::Domainname(name) if name.len() > 64 => {
                Err(invalid("name", name.to_string_lossy().into_owned(), "is longer than 64 bytes"))
            }
            Step::Sysctl { name, .. } => validate_sysctl(name),
            Step::ProcWrite { path, .. } if !is_beneath(path) => Err(invalid(
                "file of procfs",
                path.display().to_string(),
                "is not a relative path without ..",
            )),
            Step::ResourceLimit { resource, soft, hard } if soft > hard => {
                Err(invalid("soft limit of", resource.to_string(), "is above the hard limit"))
            }
            Step::OomScoreAdjust { value, .. } if !(-1000..=1000).contains(value) => {
                Err(invalid("oom_score_adj", value.to_string(), "is not between -1000 and 1000"))
            }
            Step::Umask(mask) if *mask > 0o777 => Err(invalid("umask", format!("{mask:o}"), "is above 777")),
            Step::ParentDeathSignal(signal) if !(0..=64).contains(signal) => {
                Err(invalid("signal", signal.to_string(), "does not exist"))
            }
            Step::Credentials(credentials) => {
                let ids = [credentials.uid, credentials.gid];
                if ids.contains(&Some(u32::MAX))
                    || credentials.groups.iter().flatten().any(|group| *group == u32::MAX)
                {
                    return Err(invalid("id", u32::MAX.to_string(), "means no id to the kernel"));
                }
                Ok(())
            }
            Step::Sync { send, receive, .. } if send.len().max(receive.len()) > MAX_PASSED => Err(invalid(
                "number of descriptors",
                send.len().max(receive.len()).to_string(),
                "is above 64 in one meeting",
            )),
            Step::Mount(Mount { target: Some(Target { fresh: true, make, root, .. }), .. })
                if make.is_some() || root.is_none() =>
            {
                let text = self.describe(step);
                Err(invalid(
                    "mount",
                    text,
                    "is to go into a fresh file system, which needs a root and no making",
                ))
            }
            Step::If { then, otherwise, .. } => {
                then.iter().chain(otherwise).try_for_each(|inner| self.validate_nested(inner))
            }
            Step::Call(call) => self.validate_call(call),
            Step::WorkingDirectory(path) | Step::TryWorkingDirectory(path) if path.as_os_str().is_empty() => {
                Err(invalid("working directory", String::new(), "is empty"))
            }
            _ => Ok(()),
        }
        .and_then(|()| step.slots().into_iter().try_for_each(|slot| self.known(slot)))
    }

    /// A step that may not be carried out: only of the kinds that leave no trace in the steps after them.
    fn validate_nested(&self, step: &Step) -> Result<(), Error> {
        match step {
            Step::Mount(_)
            | Step::MountAttributes { .. }
            | Step::Open { .. }
            | Step::MakeTarget { .. }
            | Step::Directory { .. }
            | Step::Symlink { .. }
            | Step::Node { .. }
            | Step::Verify { .. }
            | Step::If { .. }
            | Step::Call(_)
            | Step::Close(_) => self.validate_step(step),
            _ => Err(invalid("conditional step", self.describe(step), "is not about files or mounts")),
        }
    }

    fn validate_call(&self, call: &super::RawCall) -> Result<(), Error> {
        if call.arguments.len() > 6 {
            return Err(invalid("system call", call.name.clone(), "has more than six arguments"));
        }
        for argument in &call.arguments {
            let Argument::Structure { bytes, fields } = argument else { continue };
            for (offset, field) in fields {
                let width = if matches!(field, super::Field::Descriptor(_)) { 4 } else { 8 };
                if *offset as usize + width > bytes.len() {
                    return Err(invalid(
                        "system call",
                        call.name.clone(),
                        "has a field outside its structure",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Whether a path names something below a directory.
fn is_beneath(path: &Path) -> bool {
    path.components().next().is_some()
        && path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

fn validate_sysctl(name: &str) -> Result<(), Error> {
    let component = |part: &str| part.is_empty() || part == "." || part == "..";
    if name.split(['.', '/']).any(component) || name.starts_with('/') {
        return Err(invalid("sysctl", name.to_owned(), "is no name of a kernel parameter"));
    }
    Ok(())
}

fn invalid(what: &'static str, value: String, reason: &'static str) -> Error {
    Error::Invalid { what, value, reason }
}
