//! Which image of a place is meant.

use crate::annotations::CONTAINERD_NAME;
use crate::{Digest, Error, Offer, Reference, Result, Source};

/// Finds an image of a place: the only one if no name is given, that of a name, or with `@` before it that of a digest.
///
/// A name is looked for as it is first, then as a full name that Docker and containerd write to layouts; then with
/// the parts that people leave out, so that `alpine` finds `docker.io/library/alpine:latest`.
///
/// # Errors
/// [`Error::Missing`] if there is none; [`Error::Invalid`] if several fit; what [`Source::offers`] says.
pub fn select(source: &dyn Source, name: Option<&str>) -> Result<Offer> {
    let offers = source.offers()?;
    let Some(name) = name else { return the_one(&offers, || "without a name".into()) };
    if let Some(digest) = name.strip_prefix('@') {
        let digest: Digest = digest.parse()?;
        return the_one(offers.iter().filter(|offer| offer.descriptor.digest == digest), || name.into());
    }
    let full = complete(name);
    let ways: [&dyn Fn(&Offer) -> bool; 3] = [
        &|offer| offer.name.as_deref() == Some(name),
        &|offer| offer.descriptor.annotations.get(CONTAINERD_NAME).is_some_and(|full| full == name),
        &|offer| full.is_some() && offer.name.as_deref().and_then(complete) == full,
    ];
    let found = ways.iter().map(|way| offers.iter().filter(|offer| way(offer)).collect::<Vec<_>>());
    let found = found.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
    the_one(found, || name.into())
}

/// Several names of one image are one.
fn the_one<'o>(offers: impl IntoIterator<Item = &'o Offer>, name: impl FnOnce() -> String) -> Result<Offer> {
    let mut offers = offers.into_iter();
    let Some(first) = offers.next() else { return Err(Error::Missing { what: "image", name: name() }) };
    let others: Vec<_> = offers.filter(|other| other.descriptor.digest != first.descriptor.digest).collect();
    if others.is_empty() {
        return Ok(first.clone());
    }
    let describe = |offer: &Offer| match &offer.name {
        Some(name) => name.clone(),
        None => format!("@{}", offer.descriptor.digest),
    };
    let all: Vec<_> = std::iter::once(first).chain(others).take(5).map(describe).collect();
    Err(Error::invalid("image", name(), format!("can be each of {}", all.join(", "))))
}

/// A name with the registry, the directory of official images and the tag that are meant if they are not said.
fn complete(name: &str) -> Option<Reference> {
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Descriptor, MediaType, MemorySource};

    fn descriptor(content: &str) -> Descriptor {
        Descriptor::of(MediaType::OCI_MANIFEST, content.as_bytes())
    }

    #[test]
    fn one_image_is_found_or_none() {
        let mut source = MemorySource::new();
        assert!(matches!(select(&source, None), Err(Error::Missing { .. })));
        source.offer(Some("alpine:latest"), descriptor("1"));
        source.offer(Some("docker.io/library/alpine:3"), descriptor("1"));
        assert_eq!(select(&source, None).unwrap().descriptor, descriptor("1"));
        source.offer(None, descriptor("2"));
        source.offer(Some("twice"), descriptor("3"));
        source.offer(Some("twice"), descriptor("4"));
        source.offer(Some("latest"), descriptor("5").with_annotation(CONTAINERD_NAME, "quay.io/x:latest"));
        let digest = |name: &str| select(&source, Some(name)).map(|offer| offer.descriptor.digest);
        assert_eq!(digest("docker.io/library/alpine").unwrap(), descriptor("1").digest);
        assert_eq!(digest("alpine:3").unwrap(), descriptor("1").digest);
        assert_eq!(digest("quay.io/x:latest").unwrap(), descriptor("5").digest);
        assert_eq!(digest(&format!("@{}", descriptor("2").digest)).unwrap(), descriptor("2").digest);
        assert!(matches!(digest("twice"), Err(Error::Invalid { .. })));
        assert!(matches!(select(&source, None), Err(Error::Invalid { .. })));
        for missing in ["other", "alpine:4", &format!("@{}", descriptor("9").digest)] {
            assert!(matches!(digest(missing), Err(Error::Missing { .. })), "{missing}");
        }
        assert!(matches!(digest("@x"), Err(Error::Invalid { what: "digest", .. })));
    }
}
