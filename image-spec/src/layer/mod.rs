//! Layers: archives that change a tree of files (image-spec, layer.md).

mod compression;
mod create;
mod ids;
mod limits;
pub(crate) mod squash;
mod unpack;

pub use compression::Compression;
pub(crate) use create::{Archive, Entry, Kind, pack};
pub use create::{CreateLayer, Created, LayerCompression, LayerIds, LayerTimes};
pub use ids::{IdRange, Ids};
pub use limits::Limits;
pub use unpack::{
    Devices, FileCapabilities, Form, OverlayXattrs, Pending, Redirects, Settled, Skipped, Unpack, Unpacked,
};
