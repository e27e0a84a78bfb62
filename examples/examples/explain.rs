//! What would be done, without doing it. Needs no privilege.

use cofferdam::{Command, Namespaces, Resource};

fn main() -> Result<(), cofferdam::Error> {
    let mut command = Command::new("make");
    command.arg("all").bind("/var/tmp", "/srv").hostname("builder").rlimit(Resource::NOFILE, 256, 256);
    let plan = command.plan()?;
    println!("{}", plan.explain());

    // It is a plain value: it can be compared, and be tested without privileges.
    println!("the same again: {}", command.plan()? == plan);
    println!("with the host's network: {}", command.network(true).plan()? == plan);
    println!("new namespaces: {}", plan.namespaces);
    println!("a network among them: {}", plan.namespaces.contains(Namespaces::NET));
    println!("{} steps, the last one: {:?}", plan.steps.len(), plan.steps.last());
    Ok(())
}
