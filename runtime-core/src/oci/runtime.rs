//! Where containers are found.

use std::path::{Path, PathBuf};

use super::state::Root;
use super::{Container, CreateOptions, Details, Error, Id, Result, create, delete};

/// Creates containers and finds them again.
///
/// With a state directory, any number of processes may use the same containers at once, and a container goes on when its
/// creator ends. Without one a container belongs to who created it.
///
/// ```no_run
/// use cofferdam::oci::{CreateOptions, Runtime, Spec};
///
/// let spec: Spec = serde_json::from_str(&std::fs::read_to_string("/bundle/config.json")?)?;
/// let mut container = Runtime::without_state().create(CreateOptions::new("box", &spec, "/bundle"))?;
/// container.start()?;
/// println!("{}", container.wait()?);
/// container.delete(false)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Runtime {
    root: Option<PathBuf>,
}

impl Runtime {
    /// A runtime that keeps its containers below this directory, which is made when the first one is created.
    pub fn new(state_directory: impl Into<PathBuf>) -> Self {
        Self { root: Some(state_directory.into()) }
    }

    /// A runtime that keeps nothing.
    pub const fn without_state() -> Self {
        Self { root: None }
    }

    /// The state directory.
    pub fn state_directory(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Creates a container: everything is set up, and its process waits for [`Container::start`].
    ///
    /// # Errors
    /// [`Error::Config`] for a value of the configuration that cannot be applied, [`Error::InvalidId`], [`Error::Exists`],
    /// and whatever can fail while it is set up. Nothing is left behind then.
    ///
    /// # Privileges
    /// Those that the configuration needs. An ordinary user needs a new user namespace in it.
    pub fn create(&self, options: CreateOptions<'_>) -> Result<Container> {
        create::create(self.state_directory(), options)
    }

    /// Finds a container.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::State`] if what is known about it cannot be read.
    pub fn load(&self, id: &str) -> Result<Container> {
        id.parse::<Id>()?;
        let root = self.root.as_deref().map(Root::open).transpose()?.flatten();
        let entry = root.map(|root| root.entry(id)).transpose()?.flatten();
        Container::found(entry.ok_or_else(|| Error::NotFound { id: id.to_owned() })?)
    }

    /// All containers, by name. One whose state cannot be read is an entry with its error.
    ///
    /// # Errors
    /// If the state directory cannot be read. One that does not exist has no containers.
    pub fn list(&self) -> Result<Vec<Listed>> {
        let root = self.root.as_deref().map(Root::open).transpose()?.flatten();
        let Some(root) = root else { return Ok(Vec::new()) };
        let mut listed = Vec::new();
        for id in root.ids()? {
            let details = self.load(&id).and_then(|container| container.details());
            match details {
                // Deleted meanwhile.
                Err(Error::NotFound { .. }) => {}
                // Its name is taken, and there is nothing to be said about it yet.
                Err(Error::State { .. }) if root.is_being_made(&id) => {}
                details => listed.push(Listed { id, details }),
            }
        }
        Ok(listed)
    }

    /// Deletes a container, also one of which only pieces are left: see [`Container::delete`]. What could not be done and
    /// does not matter to the container, such as failing `poststop` hooks, is returned.
    ///
    /// # Errors
    /// As [`load`](Self::load), unless `force` is set: then only if something could not be removed, and a container that does
    /// not exist is no error.
    pub fn delete(&self, id: &str, force: bool) -> Result<Vec<Error>> {
        match &self.root {
            Some(root) => delete::delete(root, id, force),
            None => Err(Error::NotFound { id: id.to_owned() }),
        }
    }
}

/// A container as it is found in the state directory.
#[derive(Debug)]
#[non_exhaustive]
pub struct Listed {
    /// Its name.
    pub id: String,
    /// What is known about it.
    pub details: Result<Details>,
}
