//! What the kernel does with the lines that are written: a model of its state for one cgroup, whose parent allows all.

use super::Write;
use crate::devices::{Access, DeviceKind, DeviceRule};

pub(super) struct Model {
    allow: bool,
    exceptions: Vec<DeviceRule>,
}

impl Default for Model {
    fn default() -> Self {
        Self { allow: true, exceptions: Vec::new() }
    }
}

impl Model {
    pub(super) fn write(&mut self, write: &Write) {
        if write.line.starts_with('a') {
            *self = Self { allow: write.allow, exceptions: Vec::new() };
            return;
        }
        let line: DeviceRule = write.line.parse().expect("the kernel would say EINVAL");
        let same = |rule: &&mut DeviceRule| {
            (rule.kind, rule.major, rule.minor) == (line.kind, line.major, line.minor)
        };
        let found = self.exceptions.iter_mut().find(same);
        match (write.allow == self.allow, found) {
            (true, Some(exception)) => exception.access = exception.access.minus(line.access),
            (true, None) => {}
            (false, Some(exception)) => exception.access = exception.access.or(line.access),
            (false, None) => self.exceptions.push(line),
        }
        self.exceptions.retain(|exception| !exception.access.is_empty());
    }

    /// The content of `devices.list`.
    pub(super) fn shown(&self) -> String {
        if self.allow {
            return "a *:* rwm\n".to_owned();
        }
        self.exceptions.iter().map(|rule| rule.to_string().replace("allow ", "") + "\n").collect()
    }

    pub(super) fn allows(&self, kind: DeviceKind, major: u32, minor: u32, access: Access) -> bool {
        let mut covering = self.exceptions.iter().filter(|rule| rule.covers(kind, Some(major), Some(minor)));
        if self.allow {
            covering.all(|rule| rule.access.and(access).is_empty())
        } else {
            covering.any(|rule| rule.access.contains(access))
        }
    }
}
