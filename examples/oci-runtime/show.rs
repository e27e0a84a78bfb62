//! `state`, `list`, `ps` and `features`.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::process::Command;

use cofferdam::oci::{Details, Listed, features, to_json};

use crate::args::{List, ListFormat, Ps};
use crate::failure::Failure;
use crate::places::Context;

pub fn state(context: &Context<'_>, id: &str) -> Result<u8, Failure> {
    let details = context.container(id)?.details()?;
    crate::print(&to_json(&details)?)
}

pub fn list(context: &Context<'_>, options: &List) -> Result<u8, Failure> {
    let listed = context.runtime()?.list()?;
    if options.quiet {
        return crate::print(&listed.iter().fold(String::new(), |text, one| text + &one.id + "\n"));
    }
    let mut all: Vec<Details> = Vec::new();
    for Listed { id, details, .. } in listed {
        match details {
            Ok(details) => all.push(details),
            Err(error) => context.warn(&format!("container {id}"), &[error]),
        }
    }
    match options.format {
        ListFormat::Json => crate::print(&(serde_json::to_string(&all).map_err(Failure::new)? + "\n")),
        ListFormat::Table => crate::print(&table(&all)),
    }
}

fn table(all: &[Details]) -> String {
    let row = |one: &Details| {
        let bundle = one.bundle.display().to_string();
        let status = one.status.to_string();
        [one.id.clone(), one.pid.to_string(), status, bundle, one.created.clone(), one.owner.clone()]
    };
    let header = ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(header).chain(all.iter().map(row)).collect();
    // Columns are at least 12 wide, and three blanks apart, as they are in runc's.
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count() + 3).max().unwrap_or(0).max(12);
    let widths: Vec<usize> = (0..5).map(width).collect();
    rows.iter().fold(String::new(), |mut text, row| {
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string does not fail.
            write!(text, "{cell:width$}").unwrap_or_default();
        }
        text + &row[5] + "\n"
    })
}

pub fn ps(context: &Context<'_>, options: &Ps) -> Result<u8, Failure> {
    let mut processes = context.container(&options.id)?.processes()?;
    processes.sort_unstable();
    if options.format == ListFormat::Json {
        return crate::print(&(serde_json::to_string(&processes).map_err(Failure::new)? + "\n"));
    }
    let default = [OsStr::new("-ef")];
    let mut ps = Command::new("ps");
    if options.options.is_empty() {
        ps.args(default)
    } else {
        ps.args(&options.options)
    };
    let output = ps.output().map_err(Failure::of("run ps"))?;
    if !output.status.success() {
        return Err(Failure::new(format_args!("ps: {}", String::from_utf8_lossy(&output.stderr))));
    }
    crate::print(&of_processes(&String::from_utf8_lossy(&output.stdout), &processes)?)
}

/// The title and the lines of these processes.
fn of_processes(table: &str, processes: &[u32]) -> Result<String, Failure> {
    let title = table.lines().next().unwrap_or_default();
    let column = title.split_whitespace().position(|name| name == "PID");
    let column = column.ok_or_else(|| Failure::new("ps printed no column PID"))?;
    let is_one = |line: &&str| {
        let number = line.split_whitespace().nth(column).and_then(|cell| cell.parse().ok());
        number.is_some_and(|number| processes.contains(&number))
    };
    let lines = std::iter::once(title).chain(table.lines().skip(1).filter(is_one));
    Ok(lines.fold(String::new(), |text, line| text + line + "\n"))
}

pub fn print_features() -> Result<u8, Failure> {
    crate::print(&to_json(&features())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_other_processes_are_left_out() {
        let table = "UID  PID  PPID CMD\nroot 7 1 sleep 8\nroot 8 1 sleep 7\nroot 70 7 x\n";
        assert_eq!(
            of_processes(table, &[7, 70]).expect("a table"),
            "UID  PID  PPID CMD\nroot 7 1 sleep 8\nroot 70 7 x\n"
        );
        assert_eq!(
            of_processes("CMD\nx\n", &[7]).expect_err("no column").message,
            "ps printed no column PID"
        );
    }
}
