//! Which descriptors a step uses.

use std::collections::BTreeSet;

use super::{
    Argument, Field, Hold, Location, Mount, MountOption, Plan, Slot, Source, Step, TargetKind, Test,
};

impl Step {
    /// The slots that the step reads or fills.
    pub(crate) fn slots(&self) -> Vec<Slot> {
        let at = |location: &Location| location.dir;
        match self {
            Self::Join { from, .. } => vec![*from],
            Self::TimeOffsets { proc, .. } | Self::OomScoreAdjust { proc, .. } => vec![*proc],
            Self::EnterCgroup { tasks } => vec![*tasks],
            Self::Mount(mount) => mount_slots(mount),
            Self::MountAttributes { mount, attributes } => {
                at(mount).into_iter().chain(attributes.idmap).collect()
            }
            Self::Open { location, into, .. } => at(location).into_iter().chain([*into]).collect(),
            Self::MakeTarget { root, kind, into, .. } => {
                vec![*root, *into].into_iter().chain(model(*kind)).collect()
            }
            Self::Directory { location, .. }
            | Self::Symlink { location, .. }
            | Self::Node { location, .. }
            | Self::Write { location, .. } => at(location).into_iter().collect(),
            Self::If { test, then, otherwise } => {
                then.iter().chain(otherwise).flat_map(Self::slots).chain(test_slots(test)).collect()
            }
            Self::ProcWrite { proc, .. } => proc.iter().copied().collect(),
            Self::Verify { file, .. } => vec![*file],
            Self::PivotRoot { root } | Self::ChangeRoot { root } => vec![*root],
            Self::Call(call) => call.arguments.iter().flat_map(argument_slots).chain(call.into).collect(),
            Self::Sync { send, receive, .. } => send.iter().chain(receive).copied().collect(),
            Self::Close(slot) => vec![*slot],
            _ => Vec::new(),
        }
    }
}

fn test_slots(test: &Test) -> Vec<Slot> {
    match test {
        Test::Exists { location, into, .. } => location.dir.into_iter().chain([*into]).collect(),
        Test::IsDirectory(slot) => vec![*slot],
    }
}

impl Step {
    /// The slots that the step fills.
    pub(crate) fn made(&self) -> Vec<Slot> {
        match self {
            Self::Mount(mount) => mount.into.into_iter().collect(),
            Self::Open { into, .. } | Self::MakeTarget { into, .. } => vec![*into],
            Self::Call(call) => call.into.into_iter().collect(),
            Self::Sync { receive, .. } => receive.clone(),
            Self::If { test, then, otherwise } => {
                let found = match test {
                    Test::Exists { into, .. } => Some(*into),
                    Test::IsDirectory(_) => None,
                };
                found.into_iter().chain(then.iter().chain(otherwise).flat_map(Self::made)).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Plan {
    /// The slots that the last steps and the hold need from before, each once.
    pub(crate) fn kept(&self) -> Vec<Slot> {
        let mut kept: BTreeSet<Slot> = self.listener().into_iter().collect();
        let mut made = Vec::new();
        for step in &self.last {
            let filled = step.made();
            kept.extend(step.slots().iter().filter(|slot| !made.contains(*slot) && !filled.contains(*slot)));
            made.extend(filled);
        }
        kept.into_iter().collect()
    }

    /// The socket at which the process waits to be started.
    pub(crate) fn listener(&self) -> Option<Slot> {
        match self.hold {
            Some(Hold::Listener(slot)) => Some(slot),
            Some(Hold::Caller) | None => None,
        }
    }

    /// A step by its index: those after [`steps`](Self::steps) are the last ones.
    pub(crate) fn step(&self, index: usize) -> Option<&Step> {
        self.steps.get(index).or_else(|| self.last.get(index.checked_sub(self.steps.len())?))
    }
}

fn model(kind: TargetKind) -> Option<Slot> {
    match kind {
        TargetKind::SameAs(slot) => Some(slot),
        TargetKind::Directory | TargetKind::File => None,
    }
}

fn mount_slots(mount: &Mount) -> Vec<Slot> {
    let mut slots: Vec<Slot> = mount.into.into_iter().chain(mount.attributes.idmap).collect();
    match &mount.source {
        Source::Detached(slot) => slots.push(*slot),
        Source::Tree { from, .. } => slots.extend(from.dir),
        Source::New { options, .. } => slots.extend(options.iter().filter_map(|option| match option {
            MountOption::Descriptor(_, slot) => Some(*slot),
            MountOption::Flag(_) | MountOption::Value(..) => None,
        })),
    }
    if let Some(target) = &mount.target {
        slots.extend(target.root);
        slots.extend(target.make.and_then(model));
    }
    slots
}

fn argument_slots(argument: &Argument) -> Vec<Slot> {
    match argument {
        Argument::Descriptor(slot) => vec![*slot],
        Argument::Structure { fields, .. } => fields
            .iter()
            .filter_map(|(_, field)| match field {
                Field::Descriptor(slot) => Some(*slot),
                Field::Pointer(_) => None,
            })
            .collect(),
        Argument::Number(_) | Argument::Text(_) | Argument::Bytes(_) => Vec::new(),
    }
}
