//! Chain ids: one digest for a stack of layers (image-spec, config.md "Layer ChainID").

use crate::Digest;

/// The chain id of each layer on those before it, from the diff ids, the lowest layer first.
///
/// ```
/// use cofferdam_image_spec::{Digest, chain_ids};
///
/// let diff_ids = [Digest::sha256(b"one"), Digest::sha256(b"two")];
/// let chain = chain_ids(&diff_ids);
/// assert_eq!(chain[0], diff_ids[0]);
/// assert_eq!(chain[1], Digest::sha256(format!("{} {}", chain[0], diff_ids[1]).as_bytes()));
/// ```
pub fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        chain.push(match chain.last() {
            None => diff_id.clone(),
            Some(below) => Digest::sha256(format!("{below} {diff_id}").as_bytes()),
        });
    }
    chain
}
