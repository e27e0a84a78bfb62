//! `events`.

use cofferdam::oci::events::Event;

use crate::args::Events;
use crate::failure::Failure;
use crate::places::Context;

/// Prints what a container uses, once or again and again until it has ended.
pub fn events(context: &Context<'_>, options: &Events) -> Result<u8, Failure> {
    let container = context.container(&options.id)?;
    let print = |event: &Event| crate::print(&(event.to_json(container.id()) + "\n"));
    if options.stats {
        return print(&Event::Stats(Box::new(container.usage()?)));
    }
    for event in container.events(options.interval)? {
        print(&event?)?;
    }
    Ok(0)
}
