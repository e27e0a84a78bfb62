//! The command line of `layer_unpack`.

use std::path::PathBuf;

use super::case::Case;
use crate::flags::Flags;

const EXAMPLES: &str = "\
Examples (flags come after `--`; files are looked for relative to the folder `benches`, so give full paths):
  cargo bench -p cofferdam-benches --bench layer_unpack
  cargo bench -p cofferdam-benches --bench layer_unpack -- --rootfs $PWD/debian.tar
  cargo bench -p cofferdam-benches --bench layer_unpack -- --quick --case twenty-layers --subject tar,cofferdam";

/// How long it takes to make the directory of an image out of its layers, and in how much memory.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "layer_unpack", after_help = EXAMPLES)]
pub struct Args {
    /// Those of all benches
    #[command(flatten)]
    pub flags: Flags<Case>,
    /// The tar archive of the files that are unpacked; without it mmdebstrap makes one, once
    #[arg(long, value_name = "FILE")]
    pub rootfs: Option<PathBuf>,
    /// Unpacks the image of a layout once, as this subject
    #[arg(long, hide = true, num_args = 3, value_names = ["SUBJECT", "LAYOUT", "TARGET"])]
    pub child: Option<Vec<PathBuf>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn the_child_is_told_what_to_do() {
        let words = ["layer_unpack", "--child", "cofferdam", "/layout", "/target"];
        assert_eq!(Args::try_parse_from(words).unwrap().child.unwrap().len(), 3);
    }
}
