//! Which hierarchies are mounted, where each controller is or why it is nowhere, and where this process may make
//! cgroups. Needs no privilege.
//!
//! ```sh
//! cargo run -p cofferdam-cgroups --example available
//! ```

use cofferdam_cgroups::{Controller, Hierarchies, Result};

fn main() -> Result<()> {
    let hierarchies = Hierarchies::discover()?;
    println!("{:?}", hierarchies.mode());
    for hierarchy in hierarchies.iter() {
        let name = hierarchy.name().map(|name| format!("name={}", name.display())).unwrap_or_default();
        let mount = hierarchy.mount_point().display();
        let own = hierarchy.own().map_or("outside of it".to_owned(), |own| format!("in {own}"));
        println!(
            "  {} at {mount}, this process {own}: {}{name}",
            hierarchy.version(),
            hierarchy.controllers()
        );
    }
    for skipped in hierarchies.skipped() {
        println!("  not used: {skipped}");
    }
    println!("controllers");
    for controller in Controller::ALL {
        match hierarchies.hierarchy_of(controller) {
            Ok(hierarchy) => println!("  {controller}: {}", hierarchy.mount_point().display()),
            Err(reason) => println!("  {controller}: not available, {reason}"),
        }
    }
    println!("cgroups can be made in");
    for delegation in hierarchies.delegated()? {
        let busy = if delegation.has_processes { ", which has processes" } else { "" };
        println!("  {} below {}{busy}", delegation.path, delegation.mount_point.display());
    }
    if let Err(error) = hierarchies.base() {
        println!("  nowhere: {error}");
    }
    Ok(())
}
