//! Roots made from stored images.

use std::path::PathBuf;
use std::sync::Arc;

use cofferdam_image_spec::{Container, Form, OverlayXattrs, StoredImage};
use cofferdam_overlay::Stack;

use crate::held::Held;
use crate::{Changes, Error, Root, StackRoot};

impl Root {
    /// The root of a stored image: its layers, one over the other, as they are in the store. Nothing is copied.
    ///
    /// The program can change everything; all of it is [discarded](Changes::Discard) in the end.
    /// [`read_only`](Self::read_only) refuses changes, [`container`](Self::container) keeps them. What the image's config
    /// says about programs (environment, user, working directory) is not applied.
    ///
    /// The files have the owners that they have in the store: with root's own [`uid_map`](crate::Command::uid_map) whose
    /// ids are others, they belong to nobody inside.
    ///
    /// As long as this value lives, a child that was started with it, or the image, nothing of the image is removed from
    /// the store. A program whose caller has died does not count.
    ///
    /// ```no_run
    /// use cofferdam::image::{ImportOptions, Location, Store};
    /// use cofferdam::{Command, Root};
    ///
    /// let store = Store::open_or_create(Store::default_path()?)?;
    /// let image = store.obtain(&Location::parse("docker-archive:debian.tar")?, &ImportOptions::new())?;
    /// let output = Command::new("apt-get").arg("--version").root(Root::image(&image)?).output()?;
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Image`] if a layer is not there and cannot be made from its blob.
    pub fn image(image: &StoredImage) -> Result<Self, Error> {
        let stack = stack(image)?;
        Ok(StackRoot { stack, changes: Changes::Discard { size: None }, held: held(image.clone()) }.into())
    }

    /// The root of a container in a store: the layers of its image, and what earlier programs have changed. What this one
    /// changes is kept there too.
    ///
    /// Only one program may use a container at a time. The value keeps the container open, and so does a child that was
    /// started with it.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn container(container: Container) -> Result<Self, Error> {
        let image = container.image()?;
        let (upper, work) = (absolute(container.upper())?, absolute(container.work())?);
        let stack = stack(&image)?.upper(upper, work);
        Ok(StackRoot { stack, changes: Changes::Keep, held: held((container, image)) }.into())
    }
}

fn held(what: impl Send + Sync + 'static) -> Held {
    Held::new(Arc::new(what))
}

/// The layers as they were unpacked.
fn stack(image: &StoredImage) -> Result<Stack, Error> {
    let paths = image.lower_paths()?.into_iter().map(absolute).collect::<Result<Vec<_>, _>>()?;
    let stack = Stack::new().lowers(paths);
    Ok(match image.store().form() {
        Form::Overlay(OverlayXattrs::User) => stack.userxattr(),
        _ => stack,
    })
}

fn absolute(path: PathBuf) -> Result<PathBuf, Error> {
    std::path::absolute(&path).map_err(|error| Error::Path {
        what: "store",
        path,
        errno: crate::Errno::new(error.raw_os_error().unwrap_or(libc::EIO)),
    })
}
