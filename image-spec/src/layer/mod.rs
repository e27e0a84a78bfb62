//! Layers: archives that change a tree of files (image-spec, layer.md).

mod create;

pub use create::{CreateLayer, Created, LayerCompression, LayerIds, LayerTimes};
