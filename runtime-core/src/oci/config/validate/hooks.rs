//! `hooks`.

use oci_spec::runtime::{Hook, Hooks};

use super::paths::absolute;
use super::process::environment;
use crate::oci::{Error, Result};

pub(super) fn check(hooks: Option<&Hooks>) -> Result<()> {
    let Some(hooks) = hooks else { return Ok(()) };
    #[allow(deprecated, reason = "it is part of the specification, and engines use it")]
    let prestart = hooks.prestart();
    let kinds = [
        ("prestart", prestart),
        ("createRuntime", hooks.create_runtime()),
        ("createContainer", hooks.create_container()),
        ("startContainer", hooks.start_container()),
        ("poststart", hooks.poststart()),
        ("poststop", hooks.poststop()),
    ];
    for (kind, hooks) in kinds {
        for (index, hook) in hooks.iter().flatten().enumerate() {
            one(hook, &format!("hooks.{kind}[{index}]"))?;
        }
    }
    Ok(())
}

fn one(hook: &Hook, path: &str) -> Result<()> {
    absolute(hook.path(), &format!("{path}.path"))?;
    environment(hook.env().as_deref().unwrap_or_default(), &format!("{path}.env"))?;
    match hook.timeout() {
        Some(timeout) if timeout <= 0 => {
            Err(Error::config(format!("{path}.timeout"), format!("{timeout} seconds are not more than 0")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::table;

    fn hook(kind: &str, hook: Value) -> Value {
        json!({"hooks": {kind: [{"path": "/bin/true"}, hook]}})
    }

    #[test]
    fn a_hook_has_an_absolute_path_and_time_to_run() {
        for kind in crate::oci::config::HOOKS {
            table(vec![
                (hook(kind, json!({"path": "/bin/true", "args": [], "env": ["A=1"], "timeout": 1})), ""),
                (
                    hook(kind, json!({"path": "true"})),
                    &format!("hooks.{kind}[1].path: \"true\" is not absolute"),
                ),
                (
                    hook(kind, json!({"path": "/a", "timeout": 0})),
                    &format!("hooks.{kind}[1].timeout: 0 seconds are not more than 0"),
                ),
                (
                    hook(kind, json!({"path": "/a", "timeout": -5})),
                    &format!("hooks.{kind}[1].timeout: -5 seconds are not more than 0"),
                ),
                (
                    hook(kind, json!({"path": "/a", "env": ["A"]})),
                    &format!("hooks.{kind}[1].env[0]: \"A\" has no `=`"),
                ),
            ]);
        }
    }
}
