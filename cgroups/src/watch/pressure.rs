//! Triggers of pressure stall information.

use crate::{Errno, Error, Result};
use std::fmt;
use std::time::Duration;

/// What processes wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PressureResource {
    /// Processors.
    Cpu,
    /// Memory.
    Memory,
    /// Devices.
    Io,
    /// Interrupts; 6.1, and only [`PressureKind::Full`].
    Irq,
}

impl PressureResource {
    /// The kernel's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Io => "io",
            Self::Irq => "irq",
        }
    }

    /// The file of a cgroup.
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Self::Cpu => "cpu.pressure",
            Self::Memory => "memory.pressure",
            Self::Io => "io.pressure",
            Self::Irq => "irq.pressure",
        }
    }
}

/// How many have to wait for it to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PressureKind {
    /// At least one task.
    Some,
    /// All tasks at once that could do something.
    Full,
}

/// A trigger: so much time lost by waiting within any window of so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pressure {
    /// What is waited for.
    pub resource: PressureResource,
    /// By how many.
    pub kind: PressureKind,
    /// The time lost; more than none, and not more than the window.
    pub stall: Duration,
    /// From 500 ms to 10 s; without `CAP_SYS_RESOURCE` a multiple of 2 s.
    pub window: Duration,
}

impl Pressure {
    /// A trigger for at least one task that waits.
    pub const fn some(resource: PressureResource, stall: Duration, window: Duration) -> Self {
        Self { resource, kind: PressureKind::Some, stall, window }
    }

    /// A trigger for all tasks that wait at once.
    pub const fn full(resource: PressureResource, stall: Duration, window: Duration) -> Self {
        Self { resource, kind: PressureKind::Full, stall, window }
    }

    /// What the kernel would refuse in any case is refused here.
    pub(crate) fn check(&self) -> Result<()> {
        let error = |what, value: Duration, expected| {
            Err(Error::Value { what, value: format!("{} us", value.as_micros()), expected })
        };
        if self.window < Duration::from_millis(500) || self.window > Duration::from_secs(10) {
            return error("the window of a pressure trigger", self.window, "from 500 ms to 10 s");
        }
        if self.stall < Duration::from_micros(1) || self.stall > self.window {
            let expected = "from 1 us to the length of the window";
            return error("the stall of a pressure trigger", self.stall, expected);
        }
        Ok(())
    }
}

impl Pressure {
    /// What a refusal means, where that is known.
    pub(crate) fn hint(&self, errno: Errno) -> &'static str {
        let even = self.window.as_micros().is_multiple_of(2_000_000);
        match errno.number() {
            libc::EINVAL if !even => "; without CAP_SYS_RESOURCE the window has to be a multiple of 2 s",
            libc::EPERM | libc::EACCES => "; before Linux 6.5 it needs CAP_SYS_RESOURCE",
            libc::EOPNOTSUPP => "; the kernel was started without pressure stall information (psi=1)",
            libc::EBUSY => "; the file has a trigger already",
            _ => "",
        }
    }
}

/// As the kernel takes it: `some 150000 1000000`.
impl fmt::Display for Pressure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            PressureKind::Some => "some",
            PressureKind::Full => "full",
        };
        write!(f, "{kind} {} {}", self.stall.as_micros(), self.window.as_micros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn triggers_are_written_in_microseconds() {
        let pressure = |stall, window| {
            let (stall, window) = (Duration::from_millis(stall), Duration::from_millis(window));
            Pressure::some(PressureResource::Memory, stall, window)
        };
        assert_eq!(pressure(150, 1000).to_string(), "some 150000 1000000");
        assert_eq!(pressure(150, 1000).check(), Ok(()));
        for (stall, window) in [(100, 499), (100, 10_001), (0, 1000), (1001, 1000)] {
            assert!(pressure(stall, window).check().is_err(), "{stall} {window}");
        }
        assert_eq!(
            pressure(1001, 1000).check().unwrap_err().to_string(),
            "the stall of a pressure trigger cannot be 1001000 us: from 1 us to the length of the window"
        );
    }
}
