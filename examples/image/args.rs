//! The command line.

use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use cofferdam_image_spec::{Location, Platform};

use crate::failure::Failure;

const AFTER_HELP: &str = "\
Examples:
  image copy docker-archive:busybox.tar store:busybox
  image copy oci:images:app oci-archive:app.tar
  image copy store:busybox tarball:busybox.tar.gz
  image copy host store:tools --program sh --program ls
  image inspect docker-archive:busybox.tar
  image unpack store:busybox ./root
  image ls
  image verify --deep
  image rm busybox && image gc

Places:
  oci:DIR[:NAME]               an image layout
  oci-archive:FILE[:NAME]      an image layout in a tar archive, also compressed
  docker-archive:FILE[:NAME]   what `docker save` and `podman save` write
  tarball:FILE                 the files of an image in one tar archive
  store:NAME                   an image of the store
  host                         programs of this host, only to copy from

A path ends at the first colon, but for tarball:. A NAME is also @DIGEST.

Exit code: 0; 1 if something went wrong or was found damaged; 2 for a wrong
command line.";

/// Copy, unpack, keep and look at container images.
#[derive(Debug, Parser)]
#[command(name = "image", bin_name = "image", version, after_help = AFTER_HELP, max_term_width = 110)]
pub struct Args {
    /// The store [default: /var/lib/cofferdam for root, else ~/.local/share/cofferdam]
    #[arg(long, global = true, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but errors
    #[arg(short, long, global = true, conflicts_with = "json")]
    pub quiet: bool,
    #[command(subcommand)]
    pub action: Action,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Copy an image from one place to another
    Copy(Copy),
    /// Unpack an image into a directory, for root with its set-user-id programs: keep others out of it
    Unpack(Unpack),
    /// Show the config and the layers of an image
    Inspect(Inspect),
    /// List the images of the store
    Ls,
    /// Check that the images of the store are what their digests say
    Verify {
        /// Only this image's blobs
        name: Option<String>,
        /// Compare all unpacked files too
        #[arg(long, conflicts_with = "name")]
        deep: bool,
        /// Remove what is damaged
        #[arg(long, conflicts_with = "name")]
        repair: bool,
    },
    /// Remove what no image of the store needs
    Gc,
    /// Remove names from the store
    Rm {
        /// Names, or digests of manifests
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Give an image of the store a second name
    Tag {
        /// A name, or the digest of a manifest
        name: String,
        /// The new name
        new: String,
    },
    /// Mount an image of the store, read-only and nosuid (root)
    Mount {
        /// A name, or the digest of a manifest
        name: String,
        /// A directory
        directory: PathBuf,
    },
    /// Unmount it
    Umount {
        /// The directory
        directory: PathBuf,
    },
}

/// What `copy` needs.
#[derive(Debug, Group)]
pub struct Copy {
    /// The place to copy from
    #[arg(value_name = "SRC", value_parser = OsStringValueParser::new().try_map(Location::parse))]
    pub from: Location,
    /// The place to copy to
    #[arg(value_name = "DST", value_parser = OsStringValueParser::new().try_map(Location::parse))]
    pub to: Location,
    /// The platform, such as linux/arm64 [default: all; this host's where the place can hold one only]
    #[arg(long)]
    pub platform: Option<Platform>,
    /// A program of the host, if SRC is host; several times
    #[arg(long, value_name = "NAME")]
    pub program: Vec<PathBuf>,
}

/// What `inspect` needs.
#[derive(Debug, Group)]
pub struct Inspect {
    /// The place
    #[arg(value_name = "SRC", value_parser = OsStringValueParser::new().try_map(Location::parse))]
    pub from: Location,
    /// The platform [default: this host's]
    #[arg(long)]
    pub platform: Option<Platform>,
}

/// Whose files become.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Owners {
    /// Those that the image says; needs root
    Keep,
    /// The caller's, all of them
    Squash,
}

/// What becomes of device nodes.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Nodes {
    Skip,
    Make,
    EmptyFile,
    Refuse,
}

/// What `unpack` needs.
#[derive(Debug, Group)]
pub struct Unpack {
    /// The place
    #[arg(value_name = "SRC", value_parser = OsStringValueParser::new().try_map(Location::parse))]
    pub from: Location,
    /// A directory that is empty or does not exist; removed again if something goes wrong
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,
    /// The platform [default: this host's]
    #[arg(long)]
    pub platform: Option<Platform>,
    /// Whose the files become [default: keep for root, else squash, whatever ids are lent]
    #[arg(long, value_enum)]
    pub owners: Option<Owners>,
    /// What becomes of device nodes
    #[arg(long, value_enum, default_value_t = Nodes::Skip)]
    pub devices: Nodes,
    /// At most so many bytes of each layer
    #[arg(long, value_name = "BYTES")]
    pub max_bytes: Option<u64>,
    /// At most so many entries of each layer
    #[arg(long, value_name = "N")]
    pub max_entries: Option<u64>,
}

impl Args {
    /// Reads the command line; `None` if help was asked for and given.
    pub fn read() -> Result<Option<Self>, Failure> {
        match Self::try_parse() {
            Ok(args) => Ok(Some(args)),
            Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
                error.print().map_err(Failure::of("print"))?;
                Ok(None)
            }
            Err(error) => Err(Failure::usage(&error.render().to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn places_are_read() {
        let args =
            Args::try_parse_from(["image", "--json", "copy", "oci:a:b", "store:c"]).expect("valid arguments");
        let Action::Copy(copy) = args.action else { panic!("copy") };
        assert_eq!((copy.from.to_string(), copy.to.to_string()), ("oci:a:b".into(), "store:c".into()));
        let error =
            Args::try_parse_from(["image", "copy", "docker://x", "store:c"]).expect_err("no such place");
        assert!(error.to_string().contains("docker://x"));
    }
}
