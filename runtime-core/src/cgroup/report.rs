//! What a child tells about its limits.

/// Methods of a type with a field `enclosed: Option<Enclosed>`.
macro_rules! limits_methods {
    () => {
        /// Which limits hold and which were left out, and why; none if the program was started without.
        pub fn limits(&self) -> Option<&cofferdam_cgroups::Outcome> {
            self.enclosed.as_ref().map(crate::cgroup::Enclosed::outcome)
        }

        /// The program's own cgroup; none if it has none, or it was removed.
        pub fn cgroup(&self) -> Option<&cofferdam_cgroups::Cgroup> {
            self.enclosed.as_ref()?.cgroup()
        }

        /// What the program and all that it started have used so far, also after its end. For what is read often there
        /// is [`StatisticsReader`](cofferdam_cgroups::StatisticsReader).
        ///
        /// # Errors
        /// [`Error::Invalid`] if the program has no cgroup: it was started without limits and without
        /// [`accounting`](crate::Command::accounting), or they could not be had.
        pub fn statistics(&self) -> Result<cofferdam_cgroups::Statistics, Error> {
            match self.cgroup() {
                Some(cgroup) => Ok(cgroup.statistics()?),
                None => Err(Error::invalid(
                    "statistics",
                    "of the program",
                    "need a cgroup, by limits or accounting",
                )),
            }
        }

        /// How many processes of the program were killed because it had no memory left; 0 without a limit of memory.
        ///
        /// # Errors
        /// As [`statistics`](Self::statistics).
        pub fn oom_kills(&self) -> Result<u64, Error> {
            let memory = self.statistics()?.memory;
            Ok(memory.and_then(|memory| memory.events?.oom_kill).unwrap_or(0))
        }

        /// Ends what is left in the program's cgroup and removes it, which dropping the child does too, but without
        /// saying when it fails. There are no statistics afterwards. Nothing happens if there is no cgroup.
        ///
        /// # Errors
        /// [`Error::Cgroup`] with what keeps it.
        pub fn remove_cgroup(&mut self) -> Result<(), Error> {
            self.enclosed.as_mut().map_or(Ok(()), crate::cgroup::Enclosed::remove)
        }
    };
}

pub(crate) use limits_methods;
