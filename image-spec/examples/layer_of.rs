//! A layer of a directory, to standard output; what it is, to standard error. The same directory gives the same bytes.
//!
//! With `--upper` the directory is an upper one of overlay, and the layer its changes.
//! Needs no privileges but to read the files.
//!
//! ```sh
//! cargo run -p cofferdam-image-spec --example layer_of -- DIR > layer.tar.gz
//! ```

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
    let created = layer.create(File::open(dir)?.as_fd(), stdout())?;
    let (descriptor, diff_id) = (&created.descriptor, &created.diff_id);
    eprintln!("{} {} {} bytes", descriptor.media_type, descriptor.digest, descriptor.size);
    eprintln!("{} entries, diff id {diff_id}, {} bytes", created.entries, created.bytes);
    if created.sockets > 0 {
        eprintln!("{} sockets were left out", created.sockets);
    }
    Ok(())
}
