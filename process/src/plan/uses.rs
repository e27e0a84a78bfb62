//! Which descriptors a step uses.

use super::{Argument, Field, Location, Mount, MountOption, Slot, Source, Step, TargetKind, Test};

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
