//! A layer of a directory, to standard output; what it is, to standard error. The same directory gives the same bytes.
//!
//! `layer_of DIR > layer.tar.gz`, or `layer_of --upper DIR` for the changes in an upper directory of overlay.
//! Needs no privileges but to read the files.

use std::error::Error;
use std::fs::File;
use std::io::{IsTerminal, stdout};
use std::os::fd::AsFd;

use cofferdam_image_spec::{CreateLayer, LayerIds, LayerTimes};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1).collect::<Vec<_>>();
    let mut layer = CreateLayer::tree();
    if arguments.first().is_some_and(|first| first == "--upper") {
        arguments.remove(0);
        layer = CreateLayer::upper();
    }
    let [dir] = &arguments[..] else { return Err("usage: layer_of [--upper] DIR > FILE".into()) };
    if stdout().is_terminal() {
        return Err("a terminal is no place for a layer".into());
    }

    // Who builds for others sets this variable, so that their builds give the same (reproducible-builds.org).
    if let Ok(seconds) = std::env::var("SOURCE_DATE_EPOCH") {
        layer = layer.times(LayerTimes::Clamp(seconds.parse()?)).ids(LayerIds::Squash);
    }
    let created = layer.create(File::open(dir)?.as_fd(), stdout().lock())?;
    let (descriptor, diff_id) = (&created.descriptor, &created.diff_id);
    eprintln!("{} {} {} bytes", descriptor.media_type, descriptor.digest, descriptor.size);
    eprintln!("{} entries, diff id {diff_id}, {} bytes", created.entries, created.bytes);
    if created.sockets > 0 {
        eprintln!("{} sockets were left out", created.sockets);
    }
    Ok(())
}
