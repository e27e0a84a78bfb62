//! `process`: what is executed, as whom and where.

use oci_spec::runtime::{Process, User};

use super::super::place::quoted;
use super::paths::absolute;
use crate::oci::{Error, Result};

/// The id that means none.
const NO_ID: u32 = u32::MAX;

pub(super) fn check(process: &Process) -> Result<()> {
    arguments(process)?;
    absolute(process.cwd(), "process.cwd")?;
    environment(process.env().as_deref().unwrap_or_default(), "process.env")?;
    user(process.user())?;
    console(process)?;
    for (name, label) in
        [("apparmorProfile", process.apparmor_profile()), ("selinuxLabel", process.selinux_label())]
    {
        if label.as_deref() == Some("") {
            return Err(Error::config(format!("process.{name}"), "is empty"));
        }
    }
    match process.oom_score_adj() {
        Some(score) if !(-1000..=1000).contains(&score) => {
            Err(Error::config("process.oomScoreAdj", format!("{score} is not between -1000 and 1000")))
        }
        _ => Ok(()),
    }
}

fn arguments(process: &Process) -> Result<()> {
    match process.args().as_deref() {
        None => Err(Error::config("process.args", "is required and missing")),
        Some([]) => Err(Error::config("process.args", "is empty: the first one is the program")),
        Some([program, ..]) if program.is_empty() => {
            Err(Error::config("process.args[0]", "is empty: it is the program"))
        }
        Some(_) => Ok(()),
    }
}

/// Variables have names and values.
pub(super) fn environment(variables: &[String], path: &str) -> Result<()> {
    for (index, variable) in variables.iter().enumerate() {
        let reason = match variable.split_once('=') {
            None => "has no `=`",
            Some(("", _)) => "has no name before the `=`",
            Some(_) => continue,
        };
        return Err(Error::config(format!("{path}[{index}]"), format!("{} {reason}", quoted(variable))));
    }
    Ok(())
}

fn user(user: &User) -> Result<()> {
    let groups = user.additional_gids().as_deref().unwrap_or_default();
    let groups = groups.iter().enumerate().map(|(index, gid)| (format!("additionalGids[{index}]"), *gid));
    for (name, id) in
        [("uid".to_owned(), user.uid()), ("gid".to_owned(), user.gid())].into_iter().chain(groups)
    {
        if id == NO_ID {
            return Err(Error::config(
                format!("process.user.{name}"),
                format!("{id} is no id: it means none"),
            ));
        }
    }
    match user.umask() {
        Some(umask) if umask > 0o777 => {
            Err(Error::config("process.user.umask", format!("{umask} is more than 511, which is 0777")))
        }
        _ => Ok(()),
    }
}

/// Without a terminal its size does not matter, says the specification.
fn console(process: &Process) -> Result<()> {
    let Some(size) = process.console_size().filter(|_| process.terminal() == Some(true)) else {
        return Ok(());
    };
    for (name, value) in [("height", size.height()), ("width", size.width())] {
        if value > u16::MAX.into() {
            let path = format!("process.consoleSize.{name}");
            return Err(Error::config(path, format!("{value} is more than 65535")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::table;
    use crate::oci::{Config, validate_process};

    fn process(change: Value) -> Value {
        json!({"process": change})
    }

    #[test]
    fn a_program_is_named_and_its_directory_is_absolute() {
        table(vec![
            (json!({"process": null}), ""),
            (process(json!({"args": null})), "process.args: is required and missing"),
            (process(json!({"args": []})), "process.args: is empty: the first one is the program"),
            (process(json!({"args": ["", "a"]})), "process.args[0]: is empty: it is the program"),
            (process(json!({"args": ["a", ""]})), ""),
            (process(json!({"cwd": "home"})), "process.cwd: \"home\" is not absolute"),
            (process(json!({"cwd": ""})), "process.cwd: \"\" is not absolute"),
        ]);
    }

    #[test]
    fn variables_have_a_name_and_perhaps_no_value() {
        table(vec![
            (process(json!({"env": []})), ""),
            (process(json!({"env": ["A=", "A=B=C", "a b=1"]})), ""),
            (process(json!({"env": ["A=1", ""]})), "process.env[1]: \"\" has no `=`"),
            (process(json!({"env": ["A"]})), "process.env[0]: \"A\" has no `=`"),
            (process(json!({"env": ["=x"]})), "process.env[0]: \"=x\" has no name before the `=`"),
        ]);
    }

    #[test]
    fn ids_and_the_umask_are_such() {
        table(vec![
            (process(json!({"user": {"uid": 4_294_967_294_u32}})), ""),
            (
                process(json!({"user": {"uid": 4_294_967_295_u32}})),
                "process.user.uid: 4294967295 is no id: it means none",
            ),
            (
                process(json!({"user": {"gid": 4_294_967_295_u32}})),
                "process.user.gid: 4294967295 is no id: it means none",
            ),
            (
                process(json!({"user": {"additionalGids": [1, 4_294_967_295_u32]}})),
                "process.user.additionalGids[1]: 4294967295 is no id: it means none",
            ),
            (process(json!({"user": {"umask": 0o777}})), ""),
            (
                process(json!({"user": {"umask": 0o1000}})),
                "process.user.umask: 512 is more than 511, which is 0777",
            ),
        ]);
    }

    #[test]
    fn the_rest_of_a_process_is_in_its_range() {
        table(vec![
            (
                process(json!({"consoleSize": {"height": 65535, "width": 65536}})),
                "process.consoleSize.width: 65536 is more than 65535",
            ),
            (process(json!({"terminal": false, "consoleSize": {"height": 65536, "width": 0}})), ""),
            (process(json!({"oomScoreAdj": -1000})), ""),
            (
                process(json!({"oomScoreAdj": 1001})),
                "process.oomScoreAdj: 1001 is not between -1000 and 1000",
            ),
            (process(json!({"apparmorProfile": ""})), ""),
        ]);
    }

    #[test]
    fn a_process_by_itself_is_checked_the_same() {
        let text = br#"{"cwd": "/", "user": {"uid": 0, "gid": 0}, "args": []}"#;
        let error = validate_process(&Config::process_from_slice(text).unwrap()).unwrap_err();
        assert_eq!(error.to_string(), "config.json: process.args: is empty: the first one is the program");
    }
}
