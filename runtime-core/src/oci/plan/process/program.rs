//! What is executed: arguments, environment, where the program is looked for.

use std::collections::HashSet;
use std::ffi::OsString;

use oci_spec::runtime::Process;

use crate::environment::DEFAULT_PATH;
use crate::prepare::Draft;

/// Sets the program, its arguments and its environment.
pub(super) fn set(draft: &mut Draft<'_>, process: &Process, home: impl FnOnce() -> Option<String>) {
    let args = process.args().as_deref().unwrap_or_default();
    let mut env = environment(process.env().as_deref().unwrap_or_default());
    // An empty one is as good as none: engines pass it where they do not know.
    if env.iter().all(|(name, value)| name != "HOME" || value.is_empty()) {
        let home = home().unwrap_or_else(|| "/".into());
        env.retain(|(name, _)| name != "HOME");
        env.push(("HOME".into(), home.into()));
    }
    let path = env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    draft.plan.program = args.first().map(Into::into).unwrap_or_default();
    draft.plan.args = args.iter().map(OsString::from).collect();
    draft.plan.search = path.unwrap_or_else(|| DEFAULT_PATH.into());
    draft.plan.env = env;
}

/// The variables in their order; of those with the same name only the last, which is the one that counts for most programs.
fn environment(given: &[String]) -> Vec<(OsString, OsString)> {
    let mut seen = HashSet::new();
    let all = given.iter().rev().map(|entry| entry.split_once('=').unwrap_or((entry, "")));
    let mut env: Vec<_> =
        all.filter(|(name, _)| seen.insert(*name)).map(|(name, value)| (name.into(), value.into())).collect();
    env.reverse();
    env
}
