//! What is executed: arguments, environment, where the program is looked for.

use std::collections::HashSet;
use std::ffi::OsString;

use oci_spec::runtime::Process;

use crate::environment::DEFAULT_PATH;
use crate::oci::{Error, Result};
use crate::prepare::Draft;

/// Sets the program, its arguments and its environment.
pub(super) fn set(
    draft: &mut Draft<'_>,
    process: &Process,
    home: impl FnOnce() -> Option<String>,
) -> Result<()> {
    let args = process.args().as_deref().unwrap_or_default();
    let Some(program) = args.first() else {
        return Err(Error::config("process.args", "is empty: there is nothing to execute"));
    };
    if program.is_empty() {
        return Err(Error::config("process.args[0]", "is empty: there is nothing to execute"));
    }
    for (index, arg) in args.iter().enumerate() {
        no_nul(format!("process.args[{index}]"), arg)?;
    }
    let mut env = environment(process.env().as_deref().unwrap_or_default())?;
    // An empty one is as good as none: engines pass it where they do not know.
    if env.iter().all(|(name, value)| name != "HOME" || value.is_empty()) {
        let home = home().unwrap_or_else(|| "/".into());
        env.retain(|(name, _)| name != "HOME");
        env.push(("HOME".into(), home.into()));
    }
    let path = env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    draft.plan.program = program.into();
    draft.plan.args = args.iter().map(OsString::from).collect();
    draft.plan.search = path.unwrap_or_else(|| DEFAULT_PATH.into());
    draft.plan.env = env;
    Ok(())
}

/// The variables in their order; of those with the same name only the last, which is the one that counts for most programs.
fn environment(given: &[String]) -> Result<Vec<(OsString, OsString)>> {
    let mut seen = HashSet::new();
    let mut env = Vec::with_capacity(given.len() + 1);
    for (index, entry) in given.iter().enumerate().rev() {
        let path = || format!("process.env[{index}]");
        no_nul(path(), entry)?;
        match entry.split_once('=') {
            Some(("", _)) | None => {
                return Err(Error::config(path(), format!("{entry:?} is not of the form NAME=VALUE")));
            }
            Some((name, value)) if seen.insert(name) => env.push((name.into(), value.into())),
            Some(_) => {}
        }
    }
    env.reverse();
    Ok(env)
}

fn no_nul(path: String, text: &str) -> Result<()> {
    match text.contains('\0') {
        true => Err(Error::config(path, format!("{text:?} contains a NUL byte"))),
        false => Ok(()),
    }
}
