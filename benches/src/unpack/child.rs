//! The process that is measured: our own subjects, each once.

use std::path::{Path, PathBuf};

use cofferdam_image_spec::{Form, ImportOptions, Layout, Platform, Store, Unpack, resolve_image, select};

use super::layout::TAG;
use crate::Error;

/// The kernel's word.
const PEAK: &str = "VmHWM:";

/// Unpacks as `words` say: subject, layout, target.
pub(super) fn main(words: &[PathBuf]) -> Result<(), Error> {
    let [subject, layout, target] = words else {
        return Err(Error::Inner("not a subject, a layout and a target".to_owned()));
    };
    let done = if subject == Path::new("cofferdam") { tree(layout, target) } else { store(layout, target) };
    done.map_err(|error| Error::Library(error.to_string()))?;
    let status = std::fs::read_to_string("/proc/self/status").map_err(Error::io("read /proc/self/status"))?;
    let peak = status.lines().find(|line| line.starts_with(PEAK));
    println!("{}", peak.ok_or_else(|| Error::Inner("no peak of memory".to_owned()))?);
    Ok(())
}

/// What this process says of the most memory that it had; none if it says nothing. What the kernel tells of an ended
/// process is no less than what the bench had.
pub(super) fn peak(output: &str) -> Option<u64> {
    let line = output.lines().find_map(|line| line.strip_prefix(PEAK))?;
    line.trim_end_matches("kB").trim().parse().ok()
}

fn tree(layout: &Path, target: &Path) -> cofferdam_image_spec::Result<()> {
    let layout = Layout::open(layout)?;
    let offer = select(&layout, Some(TAG))?;
    let image = resolve_image(&layout, &offer.descriptor, &Platform::host())?;
    Unpack::new(Form::Plain).tree(&layout, &image.layers, target, &|_| ())?;
    Ok(())
}

fn store(layout: &Path, target: &Path) -> cofferdam_image_spec::Result<()> {
    let layout = Layout::open(layout)?;
    let offer = select(&layout, Some(TAG))?;
    Store::create(target)?.import(&layout, &offer.descriptor, Some(TAG), &ImportOptions::new())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_child_says_of_its_memory_is_read() {
        assert_eq!(peak("VmHWM:\t    6700 kB\n"), Some(6700));
        assert_eq!(peak("something else\n"), None);
    }
}
