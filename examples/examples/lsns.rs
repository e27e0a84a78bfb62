//! The namespaces of the system, like lsns(8). Needs no privilege for those of the own processes, root for all.

use cofferdam::namespaces::list;
use cofferdam::{Command, Kind};
use comfy_table::{Table, presets::UTF8_HORIZONTAL_ONLY};

fn main() -> Result<(), cofferdam::Error> {
    // So that there is something to see.
    let mut child = Command::new("sleep").arg("60").kill_on_drop(true).spawn()?;
    let listing = list()?;
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY.row_separator(comfy_table::LineStyle::none()));
    table.set_header(["kind", "namespace", "processes", "first", "owner", "command"]);
    for one in &listing.namespaces {
        let owner = one.owner_uid.map_or("?".to_owned(), |uid| uid.to_string());
        let command: String = one.command.chars().take(40).collect();
        table.add_row([
            one.kind.to_string(),
            one.identity.ino.to_string(),
            one.processes.to_string(),
            one.lowest_pid.to_string(),
            owner,
            command,
        ]);
    }
    println!("{table}");
    let own = |kind| listing.namespaces.iter().any(|one| one.kind == kind && one.lowest_pid == child.id());
    let new = Kind::ALL.into_iter().filter(|kind| own(*kind)).count();
    println!("{new} of them belong to process {}, which was just started", child.id());
    println!("{} processes may not be looked at", listing.unreadable);
    child.kill()?;
    child.wait()?;
    Ok(())
}
