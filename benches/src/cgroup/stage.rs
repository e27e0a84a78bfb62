//! What all runs need, and its end.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::place::Place;
use super::sleepers::Program;
use crate::Error;

/// What all runs need.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    pub(crate) place: Rc<Place>,
    pub(crate) program: Rc<Program>,
    /// Set by a signal.
    ended: Arc<AtomicBool>,
}

impl Stage {
    /// Finds the place and writes the program. Signals end the bench by an error from now on, so that it can tidy up.
    pub(crate) fn new() -> Result<Stage, Error> {
        let ended = Arc::new(AtomicBool::new(false));
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            flag::register(signal, Arc::clone(&ended)).map_err(Error::io("catch signals"))?;
        }
        Ok(Stage { place: Rc::new(Place::discover()?), program: Rc::new(Program::new()?), ended })
    }

    /// Fails if the bench was told to end.
    pub(crate) fn watch(&self) -> Result<(), Error> {
        if self.ended.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Leaves nothing behind, and says so if that fails.
    pub(crate) fn close(self) -> Result<(), Error> {
        Rc::try_unwrap(self.place).map_or_else(|place| place.sweep(), Place::close)
    }
}
