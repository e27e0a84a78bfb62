//! The environment of a program: where it starts from, and what is changed.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// Where programs are looked for if the environment has no `PATH`.
pub(crate) const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is there before any change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Base {
    /// `PATH`, and `TERM` if the caller has it.
    #[default]
    Clean,
    /// All of the caller's.
    Inherited,
    /// Nothing.
    Empty,
}

/// An environment as a rule, resolved when the program is started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    base: Base,
    changes: BTreeMap<OsString, Option<OsString>>,
}

impl Environment {
    pub(crate) fn set(&mut self, key: &OsStr, value: &OsStr) {
        self.changes.insert(key.to_owned(), Some(value.to_owned()));
    }

    pub(crate) fn remove(&mut self, key: &OsStr) {
        self.changes.insert(key.to_owned(), None);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self { base: Base::Empty, changes: BTreeMap::new() };
    }

    pub(crate) fn inherit(&mut self) {
        self.base = Base::Inherited;
    }

    pub(crate) fn changes(&self) -> impl Iterator<Item = (&OsStr, Option<&OsStr>)> {
        self.changes.iter().map(|(key, value)| (key.as_os_str(), value.as_deref()))
    }

    /// The variables. `host_path`: the caller's `PATH` makes sense in the program's root.
    pub(crate) fn resolve(&self, host_path: bool) -> Vec<(OsString, OsString)> {
        let mut variables = self.start(host_path);
        for (key, value) in &self.changes {
            match value {
                Some(value) => variables.insert(key.clone(), value.clone()),
                None => variables.remove(key),
            };
        }
        variables.into_iter().collect()
    }

    fn start(&self, host_path: bool) -> BTreeMap<OsString, OsString> {
        match self.base {
            Base::Empty => BTreeMap::new(),
            Base::Inherited => std::env::vars_os().collect(),
            Base::Clean => {
                let path = std::env::var_os("PATH").filter(|_| host_path);
                let path = ("PATH".into(), path.unwrap_or_else(|| DEFAULT_PATH.into()));
                let term = std::env::var_os("TERM").map(|term| ("TERM".into(), term));
                std::iter::once(path).chain(term).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(environment: &Environment) -> Vec<OsString> {
        environment.resolve(false).into_iter().map(|(key, _)| key).filter(|key| key != "TERM").collect()
    }

    #[test]
    fn starts_clean_and_applies_changes_in_any_order() {
        let mut environment = Environment::default();
        assert_eq!(keys(&environment), ["PATH"]);
        environment.set("A".as_ref(), "1".as_ref());
        environment.remove("PATH".as_ref());
        assert_eq!(keys(&environment), ["A"]);
        environment.clear();
        assert_eq!(environment.resolve(true), []);
        environment.inherit();
        assert_eq!(environment.resolve(true).len(), std::env::vars_os().count());
    }
}
