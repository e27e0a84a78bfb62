//! The console: a pseudo terminal of the container's own devpts.

use std::path::Path;

use oci_spec::runtime::Box as Size;

use super::calls::{call, magic, node};
use super::devices::STRICT;
use super::view::View;
use crate::oci::plan::point;
use crate::oci::{Error, Result};
use crate::prepare::Draft;
use crate::{Argument, Device, Expected, FileKind, Location, Mount, Open, PlanStdio, RawCall, Slot, Step};

/// Where the container's pseudo terminals are.
const TERMINALS: &str = "dev/pts";

/// A new terminal: its two sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// What the caller gets.
    pub(crate) master: Slot,
    /// What the process has as its standard streams.
    pub(crate) peer: Slot,
}

/// The terminal of the first process, which is also `/dev/console`.
pub(super) fn make(view: &mut View<'_, '_>) -> Result<()> {
    let Some(process) = view.request.spec.process() else { return Ok(()) };
    if process.terminal() != Some(true) {
        return Ok(());
    }
    let size = process.console_size();
    let terminal = open(view.draft, view.root, size.as_ref())?;
    let dev = view.directory(Path::new("/dev"));
    let place = view.draft.plan.slot("/dev/console");
    view.draft.steps([
        node(dev, Path::new("console"), FileKind::Regular.mode() | 0o600, 0),
        Step::Open { location: Location::at(dev, "console"), how: STRICT, into: place },
        Step::Mount(Mount::bind(Location::at(terminal.peer, ""), false).target(Some(place), "", None)),
        Step::Close(place),
        Step::Close(dev),
        Step::Sync { point: point::CONSOLE, send: vec![terminal.master], receive: Vec::new() },
        Step::Close(terminal.master),
    ]);
    Ok(())
}

/// Opens a new terminal in a root, which becomes the standard streams. No path leads to its peer: the kernel gives it for the
/// master, which is verified to be of a devpts.
pub(crate) fn open(draft: &mut Draft<'_>, root: Slot, size: Option<&Size>) -> Result<Terminal> {
    const TIOCSPTLCK: u64 = 0x4004_5431;
    const TIOCGPTPEER: u64 = 0x5441;
    const TIOCSWINSZ: u64 = 0x5414;
    let size = size.map(window).transpose()?;
    let [directory, master, peer] = ["the container's terminals", "the master of the console", "the console"]
        .map(|name| draft.plan.slot(name));
    let how = Open::DIRECTORY_IN_ROOT;
    let terminals = Expected { filesystem: Some(magic::DEVPTS), ..Expected::default() };
    let character = Expected { kind: Some(FileKind::CharacterDevice), ..terminals };
    let multiplexer = Expected { rdev: Some(Device { major: 5, minor: 2 }), ..character };
    let flags = (libc::O_RDWR | libc::O_NOCTTY).unsigned_abs();
    let strict = libc::RESOLVE_BENEATH | libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_NO_XDEV;
    let read_write = Open { flags: u64::from(flags), mode: 0, resolve: strict };
    let ioctl = |name: &str, request, argument| {
        let arguments = vec![Argument::Descriptor(master), Argument::Number(request), argument];
        call(&format!("ioctl {name}"), libc::SYS_ioctl, arguments)
    };
    let unlock = ioctl("TIOCSPTLCK", TIOCSPTLCK, Argument::Bytes(vec![0; 4]));
    let flags = Argument::Number(u64::from(flags | libc::O_CLOEXEC.unsigned_abs()));
    let get_peer = RawCall { into: Some(peer), ..ioctl("TIOCGPTPEER", TIOCGPTPEER, flags) };
    draft.steps([
        Step::Open { location: Location::at(root, TERMINALS), how, into: directory },
        Step::Verify { file: directory, expected: terminals },
        Step::Open { location: Location::at(directory, "ptmx"), how: read_write, into: master },
        Step::Close(directory),
        Step::Verify { file: master, expected: multiplexer },
        Step::Call(unlock),
        Step::Call(get_peer),
        Step::Verify { file: peer, expected: character },
    ]);
    if let Some(size) = size {
        draft.step(Step::Call(ioctl("TIOCSWINSZ", TIOCSWINSZ, Argument::Bytes(size))));
    }
    [draft.plan.stdin, draft.plan.stdout, draft.plan.stderr] = [PlanStdio::Descriptor(peer); 3];
    Ok(Terminal { master, peer })
}

/// `struct winsize`.
fn window(size: &Size) -> Result<Vec<u8>> {
    let number = |field: &str, value: u64| {
        u16::try_from(value).map_err(|_| {
            Error::config(format!("process.consoleSize.{field}"), format!("{value} is above 65535"))
        })
    };
    let words = [number("height", size.height())?, number("width", size.width())?, 0, 0];
    Ok(words.into_iter().flat_map(u16::to_ne_bytes).collect())
}
