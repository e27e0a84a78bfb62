//! What must stay as long as a program runs.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Something whose existence is all that counts: a lock, for instance. No two plans differ by it.
#[derive(Clone, Default)]
pub(crate) struct Held(Option<Arc<dyn Any + Send + Sync>>);

impl Held {
    #[cfg_attr(not(feature = "image"), expect(dead_code, reason = "images are all that is held so far"))]
    pub(crate) fn new(what: Arc<dyn Any + Send + Sync>) -> Self {
        Self(Some(what))
    }
}

impl PartialEq for Held {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Held {}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "held" } else { "-" })
    }
}
