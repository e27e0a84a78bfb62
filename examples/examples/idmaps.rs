//! Who the users inside are outside. The first part needs no privilege; the second needs root, or ranges in
//! /etc/subuid and /etc/subgid and the programs newuidmap and newgidmap.

use cofferdam::namespaces::{Caller, SubIdRange};
use cofferdam::{Command, IdMap};

const SCRIPT: &str = "echo inside user $(id -u), group $(id -g), map $(tr -s ' ' < /proc/self/uid_map)";

fn show(title: &str, command: &mut Command) {
    println!("{title}:");
    if let Err(error) = command.status() {
        println!("  {error}");
    }
}

fn shell() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT]);
    command
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let caller = Caller::current()?;
    show("without a word", &mut shell());

    // One id, the caller's own, under another number.
    let map = |inside: u32, outside: u32, count: u32| {
        IdMap::parse(format!("{inside} {outside} {count}").as_bytes())
    };
    show(
        "the caller as user 1000",
        shell().uid_map(map(1000, caller.euid, 1)?).gid_map(map(1000, caller.egid, 1)?),
    );

    // Many ids: root inside is nobody on the host.
    if caller.euid == 0 {
        let many = map(0, 100_000, 65_536)?;
        show("root as 100000", shell().uid_map(many.clone()).gid_map(many.clone()));
        show("and user 33 of them", shell().uid_map(many.clone()).gid_map(many).user(33).group(33));
    } else if let (Some(uids), Some(gids)) = (caller.subuid.first(), caller.subgid.first()) {
        let lent = |own: u32, range: &SubIdRange| {
            IdMap::parse(format!("0 {own} 1\n1 {} {}", range.first, range.count).as_bytes())
        };
        show(
            "with lent ids",
            shell().uid_map(lent(caller.euid, uids)?).gid_map(lent(caller.egid, gids)?).user(1),
        );
    } else {
        println!("many ids: needs root, or ranges for {} in /etc/subuid and /etc/subgid", caller.user);
    }

    // Ids that do not belong to the caller are refused, with what is missing.
    if caller.euid != 0 {
        show("somebody else's id", shell().uid_map(map(0, 0, 1)?));
    }
    Ok(())
}
