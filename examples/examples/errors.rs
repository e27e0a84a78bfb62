//! What goes wrong, and how it is said. Needs no privilege.

use std::error::Error as _;

use cofferdam::{Command, Error, Namespaces, Root};

fn show(title: &str, result: Result<cofferdam::ExitStatus, Error>) {
    match result {
        Ok(status) => println!("{title}: {status}"),
        Err(error) => {
            println!("{title}: {error}");
            println!(
                "    kind {:?}, errno {:?}, exit code {}",
                error.kind(),
                error.errno(),
                error.exit_code()
            );
            if let Some(source) = error.source() {
                println!("    because: {source}");
            }
        }
    }
}

fn main() {
    show("no such program", Command::new("/no/such/program").status());
    show("not executable", Command::new("/etc/passwd").status());
    show("empty program", Command::new("").status());
    show("a NUL in an argument", Command::new("echo").arg("a\0b").status());
    show("a relative root", Command::new("true").root(Root::directory("srv")).status());
    show("a root that is a file", Command::new("true").root(Root::directory("/etc/passwd")).status());
    show("no mount point", Command::new("true").tmpfs("/no/such/place", None).status());
    show("a missing directory", Command::new("true").current_dir("/no/such/place").status());
    show("options that contradict", Command::new("true").hostname("x").share(Namespaces::UTS).status());
    // For ordinary users.
    show("no new user namespace", Command::new("true").share(Namespaces::USER).status());
}
