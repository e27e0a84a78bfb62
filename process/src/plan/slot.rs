//! Slots: the descriptors of a plan, by name, before there are any.

/// A descriptor of a plan: handed over by the caller or made by a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub(crate) u32);

/// The names of all slots, and which of them the caller fills.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots {
    names: Vec<String>,
    inputs: Vec<u32>,
}

impl Slots {
    pub(crate) fn input(&mut self, name: String) -> Slot {
        let slot = self.made(name);
        self.inputs.push(slot.0);
        slot
    }

    pub(crate) fn made(&mut self, name: String) -> Slot {
        let index = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name);
        Slot(index)
    }

    pub(crate) fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// The slots that the caller fills, in the order in which it hands the descriptors over.
    pub(crate) fn input_slots(&self) -> impl Iterator<Item = Slot> + '_ {
        self.inputs.iter().map(|index| Slot(*index))
    }

    pub(crate) fn count(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn is_input(&self, slot: Slot) -> bool {
        self.inputs.contains(&slot.0)
    }

    pub(crate) fn name(&self, slot: Slot) -> &str {
        usize::try_from(slot.0)
            .ok()
            .and_then(|index| self.names.get(index))
            .map_or("unknown slot", String::as_str)
    }
}
